"""Problems and plans survive being written and read."""

from datetime import date

import orjson
import pytest

from villagemap.plans import (
    Call,
    Figures,
    Hint,
    LeftOut,
    Lock,
    Lunch,
    Plan,
    Problem,
    Route,
    Site,
    Stop,
    Team,
    Try,
    Window,
)
from villagemap.plans.codec import from_json, to_json

PROBLEM = Problem(
    name="三月督查",
    days=(date(2026, 3, 21), date(2026, 3, 22)),
    teams=(
        Team(id="a", name="一队", start="office", end="office", day_start_s=30600, day_end_s=63000,
             skills=frozenset({"sewage", "toilets"}), days=(1,)),
        Team(id="b", name="二队", start="office", end="office", day_start_s=30600, day_end_s=63000, lunch=None),
    ),
    stops=(Stop(id="s1", name="东村", lon=111.15, lat=20.65, windows=(Window(32400, 36000),), must=True),),
    sites=(Site(id="office", name="县政府"),),
    locks=(Lock(stop="s1", team="a", position="first"),),
)  # fmt: skip
PLAN = Plan(
    routes=(
        Route(
            team="a", day=1, leave_s=30600, back_leg_s=600, back_leg_m=7000, back_s=50000,
            calls=(Call(stop="s1", leg_s=600, leg_m=7000, arrive_s=31200, begin_s=32400, leave_s=33900, wait_s=1200),),
            lunch=Lunch(begin_s=42000, end_s=45600, after=1),
        ),
    ),
    left_out=(
        LeftOut(
            stop="s2", code="no_room", params={"over_s": 60},
            proof=(Try(team="a", day=1, after=1, extra_s=900, extra_m=4000, code="shift_over"),),
            hints=(Hint(changes=(("extend_day", {"minutes": 1}),), team="a", day=1, after=1, extra_s=900),),
        ),
    ),
    figures=Figures(stops=1, left_out=1, villages=1, villages_in_all=2, priority=1, travel_s=1200, distance_m=14000,
                    service_s=1500, wait_s=1200, working_s=15800, spread_percent=0.0),
    matrix={"kind": "line", "estimated": True},
    solver="pyvrp", seed=1, iterations=10, seconds=0.5,
)  # fmt: skip


@pytest.mark.parametrize("value", [PROBLEM, PLAN], ids=["problem", "plan"])
def test_what_is_written_reads_the_same(value: Problem | Plan):
    written = to_json(value)
    assert from_json(type(value), written) == value
    assert to_json(from_json(type(value), written)) == written


def test_a_field_of_a_later_version_is_passed_over_and_a_wrong_value_is_not():
    assert from_json(Stop, {"id": "s", "name": "n", "colour": "red"}) == Stop(id="s", name="n")
    with pytest.raises((TypeError, ValueError)):
        from_json(Problem, {**orjson.loads(to_json(PROBLEM)), "objectives": ["speed"]})


def test_what_a_route_comes_to_follows_from_its_calls():
    route = PLAN.routes[0]
    assert (route.travel_s, route.distance_m, route.working_s) == (1200, 14000, 50000 - 30600 - 3600)


def test_only_those_who_may_work_on_a_day_have_a_shift():
    assert [(team.id, day) for team, day in PROBLEM.shifts()] == [("a", 1), ("b", 1), ("b", 2)]
