"""Sentences of plans: every code has one, names and minutes stand in it, and no placeholder is left over."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from small_plans import HOUR, a_problem, a_stop, a_team, as_plan, on_a_line, planned
from villagemap import plan_check
from villagemap.plan_check import check_plan
from villagemap.plans import Lock, Shortfall, Window
from villagemap.routing.editing import Move, move
from villagemap.routing.explaining import explain
from villagemap.routing.replanning import Situation, replan
from villagemap.routing.telling import Teller
from villagemap.texts import LANGS, catalog


def two():
    matrix = on_a_line({"depot": 0, "a": 60, "b": 60, "c": 500})
    stops = [a_stop("a", service_s=6 * HOUR), a_stop("b", service_s=90 * 60)]
    problem = a_problem(stops, [a_team()], setup_s=0)
    return problem, matrix, as_plan(problem, matrix, {("t", 1): ["a"]})


def test_a_reason_its_proof_and_hints_read_well():
    problem, matrix, plan = two()
    left = explain(problem, matrix, plan).left_out[0]
    told = Teller(problem, "zh").left_out(left)
    assert told["why"] == "每一天的时间都不够。"
    where, cost = "t组，第 1 天（2026-03-02）：最省的排法是放在第一站之前，", "多用 1 小时 30 分钟，多走 0.0 公里"
    assert told["proof"] == [f"{where}{cost}；收工要晚 30 分钟。"]
    assert told["hints"][0] == (
        "让t组第 1 天（2026-03-02）晚收工 30 分钟（到 17:30），就能排进t组第 1 天（2026-03-02）第一站之前，"
        "这一天多用 1 小时 30 分钟。"
    )
    assert [hint[:3] for hint in told["hints"]] == ["让t组", "让t组", "在“b", "增加第"]
    english = Teller(problem, "en").left_out(left)
    assert english["proof"][0].endswith("the team would be back 30 min late.")
    assert english["hints"][3].startswith("Add day 2 (2026-03-03): then it goes to t组")


@given(planned())
@settings(max_examples=40, deadline=None)
def test_whatever_a_plan_says_can_be_told_in_both_languages(case):
    problem, matrix, plan = case
    plan = explain(problem, matrix, plan)
    moves = [Move(stop=stop.id, team=problem.teams[0].id, day=1, after=1) for stop in problem.stops[:3]]
    edited = move(problem, matrix, plan, moves) if problem.shifts() and not problem.teams[0].days else None
    for lang in LANGS:
        for left in plan.left_out:
            told = Teller(problem, lang).left_out(left)
            for sentence in (told["why"], *told["proof"], *told["hints"]):
                assert "{" not in sentence
                assert sentence
        for breach in edited.breaches if edited else ():
            assert Teller(problem, lang).breach(breach)


def test_every_code_of_the_verifier_has_a_sentence():
    source = Path(plan_check.__file__).read_text(encoding="utf-8")
    codes = {*re.findall(r'code="(\w+)"', source), *re.findall(r'"(lock_\w+)"', source)}
    assert codes == set(catalog("routes", "zh")["breaches"])


@pytest.mark.parametrize("lang", LANGS)
def test_a_breach_names_stops_teams_and_times(lang):
    problem, matrix, _ = two()
    problem = replace(problem, stops=(replace(problem.stops[0], windows=(Window(0, 8 * HOUR),)), problem.stops[1]))
    problem = replace(problem, locks=(Lock(stop="b", not_day=1),))
    plan = as_plan(problem, matrix, {("t", 1): ["a", "b"]})
    told = {breach.code: Teller(problem, lang).breach(breach) for breach in check_plan(problem, matrix, plan)}
    assert {"window_missed", "shift_over", "lock_not_day"} == set(told)
    assert "a村" in told["window_missed"]
    assert "08:00" in told["window_missed"]
    assert "30" in told["shift_over"]
    assert "t组" in told["shift_over"]
    assert "2026-03-02" in told["lock_not_day"]


@pytest.mark.parametrize("lang", LANGS)
def test_what_a_new_plan_did_with_a_stop_is_told(lang):
    problem, matrix, plan = two()
    new = replan(problem, matrix, plan, Situation(day=1, now_s=15 * HOUR, new_stops=(a_stop("c"),)))
    told = [Teller(new.problem, lang).change(change) for change in new.changes]
    assert len(told) == 2
    assert all("a村" in one or "c村" in one for one in told)


@pytest.mark.parametrize("lang", LANGS)
def test_what_is_missing_for_every_village_is_told(lang):
    missing = Shortfall(villages=3, bound=1, estimate=2, need_s=1, spare_s=0)
    assert re.findall(r"\d", Teller(two()[0], lang).shortfall(missing)) == ["3", "1", "2"]
