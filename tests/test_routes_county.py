"""Fifteen towns, two teams, five days: a plan that holds, a sheet that a driver can follow, reasons that are true."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pypdfium2
import pytest
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from villagemap.auth import OWNER
from villagemap.flows.registry import Session
from villagemap.flows.routes.exporting import export_plan
from villagemap.flows.routes.kept import KeptPlan, matrices
from villagemap.flows.routes.legs import plan_legs
from villagemap.flows.routes.planning import check_kept, make_plan
from villagemap.flows.routes.replanning import read_happened, replan_day
from villagemap.flows.routes.request import Request
from villagemap.flows.workspace import open_workspace
from villagemap.model import Level
from villagemap.plan_check import check_plan
from villagemap.plans import Lock
from villagemap.routing.editing import Move, move
from villagemap.routing.explaining import apply_hint
from villagemap.sample.building import build_sample

DAY = date(2026, 3, 23)
HINTS_TRIED = 40


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The sample county, on its roads."""
    folder = tmp_path_factory.mktemp("sample") / "county"
    build_sample(folder, count=150, seed=1, progress=lambda _done, _all: None, today=DAY)
    workspace = open_workspace(folder)
    yield Session(workspace, OWNER)
    workspace.close()


def asked(days: int) -> Request:
    return Request.model_validate(
        {
            "name": "全县走一遍",
            "days": {"first": DAY.isoformat(), "count": days},
            "teams": [{"id": "a", "name": "督查一组"}, {"id": "b", "name": "督查二组"}],
            "choose": {"villages": "all", "issues": False},
            "iterations": 1500,
        }
    )


@pytest.fixture(scope="module")
def five_days(county: Session) -> KeptPlan:
    return make_plan(county, asked(5))


@pytest.fixture(scope="module")
def four_days(county: Session) -> KeptPlan:
    return make_plan(county, asked(4))


def test_all_villages_are_in_the_plan_or_told(county: Session, five_days: KeptPlan):
    villages = {place.place_id for place in county.workspace.gazetteer().level(Level.VILLAGE)}
    called = [call.stop for route in five_days.plan.routes for call in route.calls]
    left = [one.stop for one in five_days.plan.left_out]
    assert len(villages) == 350
    assert sorted([*called, *left]) == sorted(villages)
    assert len(five_days.plan.routes) == 10
    assert five_days.plan.matrix["kind"] == "roads"


def test_the_verifier_accepts_what_was_kept(county: Session, five_days: KeptPlan):
    checked = check_kept(county, five_days.id)
    assert checked.sound
    assert five_days.plan.figures.villages >= 110  # ten days of eight hours, half an hour and a set-up each


def test_a_driver_gets_every_stop_of_the_day_in_order_on_paper(county: Session, five_days: KeptPlan):
    pytest.importorskip("typst")
    route = next(one for one in five_days.plan.routes if (one.team, one.day) == ("a", 1))
    document = pypdfium2.PdfDocument(export_plan(county, five_days, "pdf", lang="zh", team="a", day=1))
    text = "".join(page.get_textpage().get_text_range() for page in document).replace("\r\n", "")
    names = {stop.id: stop.name for stop in five_days.problem.stops}
    table = text[text.index("扫码导航") :]
    places = [table.index(names[call.stop]) for call in route.calls]
    assert places == sorted(places)
    assert "督查一组" in text


def test_taking_a_day_away_leaves_stops_out_and_says_which(five_days: KeptPlan, four_days: KeptPlan):
    fewer, more = four_days.plan.figures, five_days.plan.figures
    assert fewer.left_out > more.left_out
    assert all(one.code and one.proof for one in four_days.plan.left_out)
    assert four_days.plan.shortfall is not None
    assert four_days.plan.shortfall.bound > five_days.plan.shortfall.bound > 0


def test_hints_hold_when_acted_on(county: Session, four_days: KeptPlan):
    problem, plan = four_days.problem, four_days.plan
    matrix = matrices(county).get(four_days.matrix)
    hinted = [(one.stop, hint) for one in plan.left_out[:HINTS_TRIED] for hint in one.hints]
    assert len(hinted) >= HINTS_TRIED
    before = {call.stop for route in plan.routes for call in route.calls}
    for stop, hint in hinted:
        changed, better = apply_hint(problem, matrix, plan, stop, hint)
        assert check_plan(changed, matrix, better) == [], (stop, hint)
        assert {call.stop for route in better.routes for call in route.calls} == before | {stop}


def test_a_hint_holds_by_hand_too(county: Session, four_days: KeptPlan):
    """As somebody in the office would do it: make the team's day longer, put the village where the hint says."""
    problem, plan = four_days.problem, four_days.plan
    matrix = matrices(county).get(four_days.matrix)
    stop, hint, params = next(
        (one.stop, hint, hint.changes[0][1])
        for one in plan.left_out
        for hint in one.hints
        if [code for code, _ in hint.changes] == ["extend_day"]
    )
    teams = [
        replace(team, day_end_s=team.day_end_s + 60 * params["minutes"]) if team.id == params["team"] else team
        for team in problem.teams
    ]
    longer = replace(problem, teams=tuple(teams))
    edited = move(longer, matrix, plan, [Move(stop=stop, team=hint.team, day=hint.day, after=hint.after)])
    assert list(edited.breaches) == []
    assert edited.plan.figures.left_out == plan.figures.left_out - 1


def test_a_lock_that_was_broken_is_told(county: Session, five_days: KeptPlan):
    route = five_days.plan.routes[0]
    problem = replace(five_days.problem, locks=(Lock(stop=route.calls[0].stop, not_day=route.day),))
    told = check_plan(problem, matrices(county).get(five_days.matrix), five_days.plan)
    assert [breach.code for breach in told] == ["lock_not_day"]


def crossed(legs: dict[str, Any], area: BaseGeometry, day: int) -> int:
    """How many legs of a day lead through an area."""
    on_day = [leg for leg in legs["features"] if leg["properties"]["day"] == day and leg["geometry"]]
    return sum(shape(leg["geometry"]).intersects(area) for leg in on_day)


def test_a_closed_area_changes_the_matrix_and_the_ways(county: Session, five_days: KeptPlan):
    day = 2
    long = max(
        (leg for leg in plan_legs(county, five_days)["features"] if leg["properties"]["day"] == day),
        key=lambda leg: leg["properties"]["leg_m"],
    )
    area = shape(long["geometry"]).interpolate(0.5, normalized=True).buffer(0.002)
    assert crossed(plan_legs(county, five_days), area, day) > 0
    happened = read_happened({"day": day, "now": "07:00", "closed": [mapping(area)]})
    new = replan_day(county, five_days.id, happened).kept
    assert new.plan.matrix["about"]["closed"] == 1
    before, after = (matrices(county).get(kept.matrix) for kept in (five_days, new))
    assert (after.duration_s >= before.duration_s).all()
    assert (after.duration_s > before.duration_s).any()
    assert check_plan(new.problem, after, new.plan) == []
    assert crossed(plan_legs(county, new), area, day) == 0
