"""Small problems of routes and whole plans of them, shared by the tests of routes."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from hypothesis import strategies as st

from villagemap.plans import (
    NEVER,
    LeftOut,
    Lock,
    LunchRule,
    Matrix,
    MatrixKind,
    Plan,
    Problem,
    Site,
    Stop,
    Team,
    Window,
)
from villagemap.routing.figures import figures_of
from villagemap.routing.schedule import time_route

HOUR = 3600
MINUTE = 60
WINDOWS = (
    (),
    (),
    (Window(9 * HOUR, 10 * HOUR),),
    (Window(0, 9 * HOUR), Window(12 * HOUR, 13 * HOUR)),
)


def days_of(count):
    return tuple(date(2026, 3, 2) + timedelta(days=n) for n in range(count))


def given_matrix(ids, seconds) -> Matrix:
    seconds = np.array(seconds, np.int64)
    metres = np.where(seconds >= NEVER, NEVER, seconds * 10)
    return Matrix(ids=tuple(ids), duration_s=seconds, distance_m=metres, kind=MatrixKind.GIVEN)


def on_a_line(minutes) -> Matrix:
    """Sites by id at so many minutes along one road."""
    at = np.array(list(minutes.values()), np.int64) * MINUTE
    return given_matrix(minutes, np.abs(at[:, None] - at[None, :]))


def a_team(name="t", **more) -> Team:
    said = {"start": "depot", "end": "depot", "day_start_s": 8 * HOUR, "day_end_s": 17 * HOUR, "lunch": None}
    return Team(id=name, name=f"{name}组", **(said | more))


def a_problem(stops, teams, *, days=1, **more) -> Problem:
    sites = tuple(
        Site(id=site, name=site) for site in sorted({end for team in teams for end in (team.start, team.end)})
    )
    return Problem(name="x", days=days_of(days), teams=tuple(teams), stops=tuple(stops), sites=sites, **more)


def a_stop(stop, **more) -> Stop:
    return Stop(id=stop, name=f"{stop}村", **({"service_s": 1200} | more))


def as_plan(problem, matrix, orders) -> Plan:
    """The plan that drives ``orders``, (team, day) to stops, whether it can be driven or not."""
    teams = {team.id: team for team in problem.teams}
    routes = tuple(
        time_route(problem, matrix, teams[team], day, stops).route for (team, day), stops in orders.items() if stops
    )
    called = {call.stop for route in routes for call in route.calls}
    return Plan(
        routes=routes,
        left_out=tuple(LeftOut(stop=stop.id, code="") for stop in problem.stops if stop.id not in called),
        figures=figures_of(problem, routes),
        matrix={"kind": matrix.kind.value, "digest": "", "estimated": matrix.estimated, "about": {}},
        solver="by hand",
        seed=0,
        iterations=0,
        seconds=0.0,
    )


@st.composite
def problems(draw, *, most=8, locks=True):
    """A problem that is tight enough to leave stops out, for many reasons, and its matrix."""
    count = draw(st.integers(1, most))
    ids = ["depot", "home", *(f"s{n}" for n in range(count))]
    here = [(draw(st.integers(0, 40)), draw(st.integers(0, 40))) for _ in ids]
    seconds = [[MINUTE * (abs(a[0] - b[0]) + abs(a[1] - b[1])) for b in here] for a in here]
    if draw(st.integers(0, 5)) == 0:
        seconds = [[NEVER if i != j and 2 in (i, j) else s for j, s in enumerate(row)] for i, row in enumerate(seconds)]
    days = draw(st.integers(1, 2))
    teams = [
        a_team(
            f"t{n}",
            end=draw(st.sampled_from(["depot", "home"])),
            day_start_s=8 * HOUR + draw(st.integers(0, 4)) * 15 * MINUTE,
            day_end_s=draw(st.integers(11, 16)) * HOUR,
            lunch=draw(st.sampled_from([None, LunchRule()])),
            skills=draw(st.sampled_from([frozenset(), frozenset({"水质"})])),
            most_stops=draw(st.sampled_from([None, None, 1, 2, 3])),
            days=draw(st.sampled_from([(), (), (1,)])),
        )
        for n in range(draw(st.integers(1, 3)))
    ]
    names = [team.id for team in teams]
    stops = [
        a_stop(
            stop,
            service_s=draw(st.integers(1, 8)) * 20 * MINUTE + draw(st.integers(0, 59)),
            priority=draw(st.integers(0, 5)),
            must=draw(st.integers(0, 4)) == 0,
            windows=draw(st.sampled_from(WINDOWS)),
            skill=draw(st.sampled_from(["", "", "", "水质"])),
            teams=draw(st.sampled_from([(), (), (names[-1],)])),
            days=draw(st.sampled_from([(), (), (days,)])),
            village=draw(st.sampled_from(["", "v1", "v2"])),
            spot=draw(st.sampled_from(["", "a", "b"])),
        )
        for stop in ids[2:]
    ]  # fmt: skip
    fixed = [
        Lock(stop=draw(st.sampled_from(ids[2:])), **draw(st.sampled_from(_fixings(names, days))))
        for _ in range(draw(st.integers(0, 2)) if locks else 0)
    ]
    problem = a_problem(stops, teams, days=days, setup_s=draw(st.sampled_from([0, 300])), locks=tuple(fixed))
    return replace(problem, split_villages=draw(st.booleans())), given_matrix(ids, seconds)


def _fixings(teams, days):
    return [{"team": teams[0]}, {"day": days}, {"not_day": 1}, {"position": "first"}, {"position": "last"}]


@st.composite
def planned(draw, **more):
    """A problem, its matrix and a plan that keeps all that it asks, filled stop by stop as chance has it."""
    from villagemap.plan_check import check_plan

    problem, matrix = draw(problems(**more))
    orders = {(team.id, day): [] for team, day in problem.shifts()}
    for stop in draw(st.permutations([stop.id for stop in problem.stops])):
        if not orders or draw(st.integers(0, 5)) == 0:
            continue
        shift = draw(st.sampled_from(sorted(orders)))
        at = draw(st.integers(0, len(orders[shift])))
        orders[shift].insert(at, stop)
        if check_plan(problem, matrix, as_plan(problem, matrix, orders)):
            orders[shift].pop(at)
    return problem, matrix, as_plan(problem, matrix, orders)
