"""Reasons on problems whose answer is known by hand, brute force, and every hint acted on."""

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings

from small_plans import HOUR, MINUTE, a_problem, a_stop, a_team, as_plan, given_matrix, on_a_line, planned, problems
from villagemap.plan_check import check_plan
from villagemap.plans import NEVER, Lock, LunchRule, Window
from villagemap.routing.explaining import apply_hint, explain
from villagemap.routing.schedule import time_route
from villagemap.routing.solving import Budget, solve
from villagemap.routing.standing import Standing


def explained(problem, matrix, orders, **more):
    plan = explain(problem, matrix, as_plan(problem, matrix, orders), **more)
    return {left.stop: left for left in plan.left_out}, plan


@given(planned())
@settings(max_examples=60, deadline=None)
def test_every_hint_holds_when_acted_on(case):
    problem, matrix, plan = case
    told = explain(problem, matrix, plan)
    assert check_plan(problem, matrix, told) == []
    for left in told.left_out:
        assert left.code
        for hint in left.hints:
            assert len(hint.changes) <= 2
            new, better = apply_hint(problem, matrix, told, left.stop, hint)
            assert check_plan(new, matrix, better) == [], hint
            kept = {call.stop for route in told.routes for call in route.calls}
            assert {call.stop for route in better.routes for call in route.calls} == kept | {left.stop}


@given(planned(most=6))
@settings(max_examples=60, deadline=None)
def test_a_proof_is_of_the_cheapest_of_all_places(case):
    """Brute force: no place of a shift is less over its end than the proof says."""
    problem, matrix, plan = case
    standing, told = Standing(problem, matrix, plan), explain(problem, matrix, plan)
    for left in told.left_out:
        assert {(one.team, one.day) for one in left.proof} == set(standing.shifts)
        for one in left.proof:
            team, order = standing.teams[one.team], standing.orders[one.team, one.day]
            wide = replace(team, most_stops=None, day_end_s=10**8)
            allowed = standing.places(left.stop, (one.team, one.day))
            backs = []
            for at in range(len(order) + 1):
                timed = time_route(problem, matrix, wide, one.day, [*order[:at], left.stop, *order[at:]])
                if timed.fault is None and allowed[at]:
                    backs.append(timed.route.back_s)
            if one.code == "shift_over":
                assert min(backs) - team.day_end_s == one.params["over_s"]
            elif one.code == "fits":
                assert min(backs) <= team.day_end_s
            elif one.code in {"window_missed", "no_lunch", "no_way", "order"}:
                assert not backs


@given(problems())
@settings(max_examples=25, deadline=None)
def test_what_the_solver_makes_is_accepted_explained_and_hinted_at(case):
    problem, matrix = case
    told = explain(problem, matrix, solve(problem, matrix, Budget(iterations=50), seed=1))
    assert check_plan(problem, matrix, told) == []
    for left in told.left_out:
        for hint in left.hints:
            new, better = apply_hint(problem, matrix, told, left.stop, hint)
            assert check_plan(new, matrix, better) == []


def test_the_least_minutes_are_asked_for():
    matrix = on_a_line({"depot": 0, "a": 60, "b": 60})
    problem = a_problem([a_stop("a", service_s=6 * HOUR), a_stop("b", service_s=90 * MINUTE)], [a_team()], setup_s=0)
    left, _ = explained(problem, matrix, {("t", 1): ["a"]})
    assert left["b"].code == "no_time"
    assert left["b"].proof[0].code == "shift_over"
    assert left["b"].proof[0].params == {"over_s": 30 * MINUTE}
    assert left["b"].proof[0].extra_s == 90 * MINUTE
    changes = [hint.changes[0] for hint in left["b"].hints]
    assert changes == [
        ("extend_day", {"team": "t", "day": 1, "minutes": 30, "until_at": 17 * HOUR + 30 * MINUTE}),
        ("start_earlier", {"team": "t", "day": 1, "minutes": 30, "from_at": 7 * HOUR + 30 * MINUTE}),
        ("shorten_service", {"stop": "b", "minutes": 30}),
        ("extra_day", {"team": "t", "day": 2}),
    ]


@pytest.mark.parametrize(
    ("stop", "team", "code", "kinds"),
    [
        ({"skill": "水质"}, {}, "no_skill", {"add_skill"}),
        ({"teams": ("u",)}, {}, "not_allowed", {"allow_team"}),
        ({"days": (2,)}, {}, "not_allowed", {"allow_day"}),
        ({"service_s": 10 * HOUR}, {}, "too_long", {"extend_day", "start_earlier", "shorten_service"}),
        ({"windows": (Window(0, 8 * HOUR),)}, {}, "window_never", {"widen_window", "start_earlier"}),
        ({}, {"most_stops": 1}, "full", {"raise_most", "extra_day"}),
        ({}, {}, "fits", set()),
    ],
)
def test_each_reason_has_its_change(stop, team, code, kinds):
    matrix = on_a_line({"depot": 0, "a": 10, "b": 20})
    teams = [a_team(**team), a_team("u", days=(2,))] if stop.get("teams") else [a_team(**team)]
    days = 2 if stop.get("days") or stop.get("teams") else 1
    problem = a_problem([a_stop("a", service_s=600), a_stop("b", **stop)], teams, days=days)
    if days == 2:
        problem = replace(problem, teams=tuple(replace(one, days=one.days or (1,)) for one in teams if one.id == "t"))
        if stop.get("teams"):
            problem = replace(problem, teams=(*problem.teams, a_team("u", days=(3,))))
    left, _ = explained(problem, matrix, {("t", 1): ["a"]})
    assert left["b"].code == code
    assert kinds <= {change[0] for hint in left["b"].hints for change in hint.changes}
    assert left["b"].hints


def test_where_no_road_leads_nothing_helps():
    matrix = given_matrix(["depot", "a"], [[0, NEVER], [NEVER, 0]])
    left, _ = explained(a_problem([a_stop("a")], [a_team()]), matrix, {})
    assert (left["a"].code, left["a"].hints) == ("no_road", ())
    assert [one.code for one in left["a"].proof] == ["no_way"]


def test_a_lock_and_a_village_that_another_team_has_can_be_lifted():
    matrix = on_a_line({"depot": 0, "a": 10, "b": 20})
    stops = [a_stop("a", service_s=8 * HOUR, village="v"), a_stop("b", service_s=2 * HOUR, village="v")]
    problem = a_problem(stops, [a_team(), a_team("u")])
    left, _ = explained(problem, matrix, {("t", 1): ["a"]})
    assert "split_villages" in {hint.changes[0][0] for hint in left["b"].hints}
    problem = replace(problem, split_villages=True, locks=(Lock(stop="b", not_day=1),))
    left, _ = explained(problem, matrix, {("t", 1): ["a"]})
    assert left["b"].code == "locked"
    assert ("unlock", {"stop": "b"}) in [hint.changes[0] for hint in left["b"].hints]


def test_where_one_change_is_not_enough_two_are_told():
    matrix = on_a_line({"depot": 0, "a": 10, "b": 20})
    stops = [a_stop("a", service_s=8 * HOUR, days=(1,)), a_stop("b", service_s=HOUR, days=(1,), skill="水质")]
    left, _ = explained(a_problem(stops, [a_team()]), matrix, {("t", 1): ["a"]})
    assert {tuple(code for code, _ in hint.changes) for hint in left["b"].hints} == {
        ("add_skill", "extend_day"),
        ("add_skill", "start_earlier"),
    }


def test_what_is_worth_more_took_its_place():
    matrix = on_a_line({"depot": 0, "a": 10, "b": 20})
    stops = [a_stop("a", service_s=8 * HOUR, priority=9), a_stop("b", service_s=8 * HOUR, priority=1)]
    left, _ = explained(a_problem(stops, [a_team()]), matrix, {("t", 1): ["a"]})
    assert (left["b"].code, left["b"].params) == ("less_worth", {"instead": "a"})


def a_county(villages, teams, days, *, seed=1):
    """A county of stops on a plain at 38 km/h, and a plan filled greedily."""
    rng = np.random.default_rng(seed)
    at = rng.integers(0, 4000, (villages + 1, 2))
    seconds = np.abs(at[:, None] - at[None, :]).sum(axis=2)
    stops = [
        a_stop(f"s{n}", village=f"v{n}", priority=int(rng.integers(0, 9)), service_s=1500) for n in range(villages)
    ]
    problem = a_problem(stops, [a_team(f"t{n}", lunch=LunchRule()) for n in range(teams)], days=days)
    matrix = given_matrix(["depot", *(stop.id for stop in stops)], seconds)
    left, orders = [stop.id for stop in stops], {}
    for team, day in problem.shifts():
        order = []
        while left:
            here = matrix.index()[order[-1] if order else "depot"]
            near = min(left, key=lambda stop: seconds[here, matrix.index()[stop]])
            if time_route(problem, matrix, team, day, [*order, near]).fault:
                break
            order.append(near)
            left.remove(near)
        orders[team.id, day] = order
    return problem, matrix, as_plan(problem, matrix, orders)


def test_a_county_is_explained_within_its_time_and_what_was_not_examined_is_said():
    problem, matrix, plan = a_county(120, 2, 3)
    assert 20 < len(plan.left_out) < 100
    start = perf_counter()
    told = explain(problem, matrix, plan, pairs=60)
    assert perf_counter() - start < 2
    whole = [left for left in told.left_out if "examined" not in left.params]
    assert len(whole) == 10
    assert all(len(left.proof) == 6 and left.hints for left in whole)
    rest = [left for left in told.left_out if "examined" in left.params]
    assert all((left.params["examined"], left.params["shifts"], len(left.proof)) == (1, 6, 1) for left in rest)
    assert explain(problem, matrix, plan, pairs=60) == told
