"""Plans: the best that is known of tiny problems, and what every plan keeps to."""

import itertools
import time
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from villagemap.plan_check import check_plan
from villagemap.plans import (
    NEVER,
    Lock,
    LunchRule,
    Matrix,
    MatrixKind,
    Objective,
    Plan,
    Problem,
    Site,
    Stop,
    Team,
    Window,
)
from villagemap.routing.bounds import missing_team_days
from villagemap.routing.nodes import grouped
from villagemap.routing.solving import Budget, Progress, solve
from villagemap.routing.terms import Terms

HOUR = 3600
FEW = Budget(iterations=60)


def on_a_plane(spots: dict[str, tuple[float, float]], *, never: tuple[str, ...] = ()) -> Matrix:
    """Travel at 10 m/s as the crow flies; no way to or from those ``never``."""
    xy = np.array(list(spots.values()))
    metres = np.hypot(*(xy[:, None] - xy).transpose(2, 0, 1)).round().astype(np.int64)
    seconds = metres // 10
    for site in never:
        row = list(spots).index(site)
        for legs in (metres, seconds):
            legs[row, :] = legs[:, row] = NEVER
            legs[row, row] = 0
    return Matrix(ids=tuple(spots), duration_s=seconds, distance_m=metres, kind=MatrixKind.GIVEN)


def office(name="t1", **more) -> Team:
    day = {"day_start_s": 8 * HOUR, "day_end_s": 17 * HOUR, "start": "depot", "end": "depot"} | more
    return Team(id=name, name=name, **day)


def a_problem(stops, teams, *, days=1, **more) -> Problem:
    sites = tuple(Site(id=site, name=site) for site in sorted({s for t in teams for s in (t.start, t.end)}))
    dates = tuple(date(2026, 3, 2 + n) for n in range(days))
    return Problem(name="x", days=dates, teams=tuple(teams), stops=tuple(stops), sites=sites, **more)


def county(count=30, *, villages=0, seed=1, teams=2, days=2, **more) -> tuple[Problem, Matrix]:
    """Stops strewn over 40 km, each a village or in one of some."""
    random = np.random.default_rng(seed)
    homes = random.uniform(0, 40_000, (villages or count, 2))
    spots, stops = {"depot": (20_000.0, 20_000.0)}, []
    for n in range(count):
        village = n % len(homes)
        spots[f"s{n}"] = tuple(homes[village] + random.normal(0, 300, 2))
        stops.append(Stop(id=f"s{n}", name=f"s{n}", village=f"v{village}", priority=1 + n % 5))
    crew = [office(f"t{n}") for n in range(teams)]
    return a_problem(stops, crew, days=days, **more), on_a_plane(spots)


def called(plan: Plan) -> dict[str, tuple[str, int]]:
    return {call.stop: (route.team, route.day) for route in plan.routes for call in route.calls}


# Every plan


@st.composite
def problems(draw):
    spots = {"depot": (0.0, 0.0), "hall": (9_000.0, 0.0)}
    count, days = draw(st.integers(0, 9)), draw(st.integers(1, 2))
    names = [f"s{n}" for n in range(count)]
    at = st.tuples(st.integers(-20_000, 20_000), st.integers(-20_000, 20_000))
    spots |= {name: draw(at) for name in names}
    windows = [(), (Window(9 * HOUR, 10 * HOUR),), (Window(8 * HOUR, 9 * HOUR), Window(14 * HOUR, 15 * HOUR))]
    stops = [
        Stop(
            id=name,
            name=name,
            service_s=draw(st.sampled_from([600, 1800, 3 * HOUR])),
            priority=draw(st.integers(0, 9)),
            must=draw(st.booleans()),
            windows=draw(st.sampled_from(windows)),
            skill=draw(st.sampled_from(["", "", "x"])),
            teams=draw(st.sampled_from([(), (), ("t0",)])),
            days=draw(st.sampled_from([(), (), (1,)])),
            village=draw(st.sampled_from(["", "a", "b"])),
            spot=draw(st.sampled_from(["", "p"])),
        )
        for name in names
    ]
    hours = st.tuples(st.sampled_from([8, 9, 12, 13]), st.sampled_from([3, 5, 9]))
    lunch = st.sampled_from([None, LunchRule(), LunchRule(duration_s=1800, earliest_s=12 * HOUR)])
    teams = []
    for n in range(draw(st.integers(0, 3))):
        start, length = draw(hours)
        teams.append(
            office(
                f"t{n}",
                day_start_s=start * HOUR,
                day_end_s=(start + length) * HOUR,
                lunch=draw(lunch),
                end=draw(st.sampled_from(["depot", "hall"])),
                skills=draw(st.sampled_from([frozenset(), frozenset({"x"})])),
                most_stops=draw(st.sampled_from([None, None, 2])),
                days=draw(st.sampled_from([(), (), (1,)])),
            )
        )
    teams = [replace(team, days=tuple(day for day in team.days if day <= days)) for team in teams]
    stops = [replace(s, teams=tuple(t for t in s.teams if any(t == team.id for team in teams))) for s in stops]
    locks = []
    for name in draw(st.lists(st.sampled_from(names), max_size=3, unique=True)) if names else ():
        kind = draw(st.sampled_from(["team", "day", "first", "last", "not_day"]))
        value = {"team": {"team": "t0"}, "day": {"day": 1}, "not_day": {"not_day": 1}}
        if kind != "team" or teams:
            locks.append(Lock(stop=name, **value.get(kind, {"position": kind})))
    orders = [(Objective.COVER, Objective.PRIORITY, Objective.TRAVEL), (Objective.PRIORITY, Objective.TRAVEL),
              (Objective.COVER, Objective.TRAVEL, Objective.FAIRNESS), (Objective.TRAVEL, Objective.COVER)]  # fmt: skip
    problem = a_problem(
        stops,
        teams,
        days=days,
        objectives=draw(st.sampled_from(orders)),
        split_villages=draw(st.booleans()),
        locks=tuple(locks),
        setup_s=draw(st.sampled_from([0, 300])),
    )
    never = tuple(draw(st.lists(st.sampled_from(names), max_size=1))) if names else ()
    return problem, on_a_plane(spots, never=never)


@settings(max_examples=150, deadline=None)
@given(problems())
def test_every_plan_keeps_to_the_rules_and_tells_what_it_left_out(asked):
    hold_to_the_rules(*asked, vroom=False)


@settings(max_examples=8, deadline=None)
@given(problems())
def test_so_does_a_plan_begun_with_vroom_s(asked):
    hold_to_the_rules(*asked, vroom=True)


def hold_to_the_rules(problem: Problem, matrix: Matrix, *, vroom: bool):
    plan = solve(problem, matrix, FEW, vroom=vroom)
    assert check_plan(problem, matrix, plan) == []
    everywhere = [*called(plan), *(left.stop for left in plan.left_out)]
    assert sorted(everywhere) == sorted(stop.id for stop in problem.stops)
    assert plan.lower_bound_s is None or plan.lower_bound_s <= plan.figures.travel_s


# The best of tiny problems


def test_the_shortest_way_of_one_day_is_found():
    problem, matrix = county(6, teams=1, days=1, seed=5)
    row = matrix.index()
    ways = itertools.permutations([stop.id for stop in problem.stops])
    legs = ([row[site] for site in ("depot", *way, "depot")] for way in ways)
    best = min(sum(int(matrix.duration_s[leg]) for leg in itertools.pairwise(way)) for way in legs)
    plan = solve(problem, matrix, FEW)
    assert plan.left_out == ()
    assert plan.figures.travel_s == best
    assert plan.lower_bound_s is not None
    assert 0.5 * best < plan.lower_bound_s <= best


def test_the_stops_of_a_village_go_to_one_team_unless_it_may_be_split():
    problem, matrix = county(24, villages=4, teams=2, days=2)
    where = called(solve(problem, matrix, FEW))
    homes = {stop.id: stop.village for stop in problem.stops}
    assert len({(homes[stop], shift) for stop, shift in where.items()}) == 4
    nodes = grouped(Terms(replace(problem, split_villages=True), matrix), samples=False)
    assert len(nodes) == 24


def test_a_village_of_more_work_than_a_shift_is_split_over_days():
    stops = [Stop(id=f"s{n}", name="", service_s=2 * HOUR, village="a") for n in range(6)]
    problem = a_problem(stops, [office()], days=3)
    plan = solve(problem, on_a_plane({"depot": (0, 0)} | {stop.id: (5000, 0) for stop in stops}), FEW)
    assert plan.left_out == ()
    assert check_plan(problem, on_a_plane({"depot": (0, 0)} | {stop.id: (5000, 0) for stop in stops}), plan) == []


def test_where_not_all_fits_every_village_is_called_at_before_any_in_full():
    problem, matrix = county(40, villages=8, teams=1, days=1)
    problem = replace(problem, stops=tuple(replace(stop, service_s=1500) for stop in problem.stops))
    first = solve(problem, matrix, Budget(iterations=400))
    priority = (Objective.PRIORITY, Objective.COVER, Objective.TRAVEL)
    other = solve(replace(problem, objectives=priority), matrix, Budget(iterations=400))
    assert first.left_out != ()
    assert first.figures.villages > other.figures.villages
    assert first.figures.priority < other.figures.priority


def test_a_must_goes_before_all_that_is_none():
    stops = [Stop(id=f"s{n}", name="", service_s=HOUR, priority=100, village=f"v{n}") for n in range(12)]
    spots = {"depot": (0.0, 0.0)} | {stop.id: (1000.0 + n, 0.0) for n, stop in enumerate(stops)}
    far = Stop(id="far", name="", service_s=HOUR, priority=0, must=True)
    problem = a_problem([*stops, far], [office()])
    assert "far" in called(solve(problem, on_a_plane(spots | {"far": (60_000.0, 0.0)}), FEW))


def test_stops_of_one_spot_share_a_set_up():
    stops = [Stop(id=name, name="", spot="p") for name in ("a", "b", "c")]
    plan = solve(
        a_problem(stops, [office()]), on_a_plane({"depot": (0, 0), "a": (9, 0), "b": (8, 1), "c": (9, 1)}), FEW
    )
    assert sorted(call.setup_s for call in plan.routes[0].calls) == [0, 0, 300]


def test_locks_are_honoured():
    problem, matrix = county(8, teams=2, days=2)
    locks = [
        Lock(stop="s1", team="t1", day=2),
        Lock(stop="s2", position="first", keep=True),
        Lock(stop="s3", not_day=1),
    ]
    locks.append(Lock(stop="s4", position="last", keep=True))
    plan = solve(replace(problem, locks=tuple(locks)), matrix, FEW)
    where = called(plan)
    assert where["s1"] == ("t1", 2)
    assert where["s3"][1] == 2
    routes = {(route.team, route.day): [call.stop for call in route.calls] for route in plan.routes}
    assert routes[where["s2"]][0] == "s2"
    assert routes[where["s4"]][-1] == "s4"


def test_even_working_time_has_its_price():
    problem, matrix = county(30, teams=3, days=1, seed=3)
    uneven = solve(problem, matrix, Budget(iterations=1500))
    fair = replace(problem, objectives=(*problem.objectives, Objective.FAIRNESS))
    even = solve(fair, matrix, Budget(iterations=1500))
    assert uneven.figures.fairness_price_s is None
    assert even.figures.stops == uneven.figures.stops == 30
    assert even.figures.spread_percent <= 10
    assert even.figures.fairness_price_s is not None
    assert even.figures.travel_s >= uneven.figures.travel_s - even.figures.fairness_price_s


# Runs


@pytest.mark.parametrize("objectives", [(Objective.COVER, Objective.TRAVEL), (Objective.TRAVEL, Objective.FAIRNESS)])
def test_a_timed_run_is_made_again_by_its_iterations(objectives):
    problem, matrix = county(40, villages=25, objectives=objectives)
    timed = solve(problem, matrix, Budget(seconds=1.0), seed=7)
    again = solve(problem, matrix, Budget(iterations=timed.iterations), seed=7)
    assert timed.seconds < 1.5
    assert timed.iterations > 100
    assert (again.routes, again.left_out, again.figures) == (timed.routes, timed.left_out, timed.figures)


def test_a_plan_to_begin_with_is_kept_or_bettered():
    problem, matrix = county(40, teams=2, days=2)
    good = solve(problem, matrix, Budget(iterations=2000))
    warmed = solve(problem, matrix, Budget(iterations=0), seed=2, warm=good, vroom=False)
    cold = solve(problem, matrix, Budget(iterations=0), seed=2, vroom=False)
    assert warmed.figures.travel_s <= good.figures.travel_s < cold.figures.travel_s


def test_the_solver_says_whose_plan_it_began_with():
    problem, matrix = county(20, teams=1, days=2)
    assert solve(problem, matrix, Budget(iterations=0), vroom=False).solver == "pyvrp 0.14.1"
    pytest.importorskip("vroom")
    assert solve(problem, matrix, Budget(iterations=0)).solver in ("pyvrp 0.14.1", "pyvrp 0.14.1 + vroom")


def test_whoever_watches_is_told_and_can_stop():
    problem, matrix = county(60)
    told: list[Progress] = []
    began = time.perf_counter()
    plan = solve(problem, matrix, Budget(seconds=20), watch=lambda progress: told.append(progress) or len(told) == 2)
    assert time.perf_counter() - began < 5
    assert plan.stopped
    assert [progress.stops + progress.left_out for progress in told] == [60, 60]
    assert check_plan(problem, matrix, plan) == []


def test_a_first_plan_of_400_stops_is_there_within_two_seconds():
    problem, matrix = county(400, teams=3, days=5)
    plan = solve(problem, matrix, Budget(iterations=0))
    assert plan.first_s is not None
    assert plan.first_s < 2
    assert check_plan(problem, matrix, plan) == []


def test_5000_stops_end_in_time():
    problem, matrix = county(5000, villages=900, teams=3, days=5)
    began = time.perf_counter()
    plan = solve(problem, matrix, Budget(seconds=3))
    assert time.perf_counter() - began < 9
    assert plan.figures.stops > 100


# Bad input


def test_nobody_and_nothing():
    problem, matrix = county(5)
    for empty in (replace(problem, teams=()), replace(problem, stops=()), replace(problem, teams=(), stops=())):
        plan = solve(empty, matrix, Budget(seconds=1), vroom=False)
        assert plan.routes == ()
        assert len(plan.left_out) == len(empty.stops)


def test_what_can_t_be_reached_is_left_out_and_the_rest_is_planned():
    problem, _ = county(6)
    spots = {"depot": (0.0, 0.0)} | {stop.id: (1000.0 * n, 500.0) for n, stop in enumerate(problem.stops)}
    matrix = on_a_plane(spots, never=("s1", "s4"))
    problem = replace(problem, stops=tuple(replace(s, village="one", must=s.id == "s1") for s in problem.stops))
    plan = solve(problem, matrix, FEW)
    assert {left.stop for left in plan.left_out} == {"s1", "s4"}


def test_a_shift_shorter_than_one_visit_plans_nothing():
    problem, matrix = county(4, teams=1)
    brief = replace(problem.teams[0], day_end_s=8 * HOUR + 900)
    assert solve(replace(problem, teams=(brief,)), matrix, Budget(seconds=1)).routes == ()


def test_two_stops_at_one_point():
    stops = [Stop(id="a", name=""), Stop(id="b", name="")]
    plan = solve(a_problem(stops, [office()]), on_a_plane({"depot": (0, 0), "a": (0, 0), "b": (0, 0)}), FEW)
    assert plan.left_out == ()
    assert plan.figures.travel_s == plan.lower_bound_s == 0


# What is missing


def test_missing_team_days_are_bounded_from_below():
    problem, matrix = county(60, teams=1, days=1)
    plan = solve(problem, matrix, Budget(iterations=300))
    missing = missing_team_days(problem, matrix, plan)
    assert missing is not None
    assert missing.villages == 60 - plan.figures.villages
    assert 1 <= missing.bound <= missing.estimate
    enough = a_problem(problem.stops, problem.teams, days=1 + missing.estimate + 1)
    assert missing_team_days(enough, matrix, solve(enough, matrix, Budget(iterations=300))) is None
    fewer = a_problem(problem.stops, problem.teams, days=missing.bound)  # one less than the bound and today
    assert solve(fewer, matrix, Budget(iterations=300)).figures.villages < 60


def test_a_vroom_that_doesn_t_end_is_done_without(monkeypatch):
    problem, matrix = county(20, teams=1, days=2)
    monkeypatch.setattr("villagemap.routing.warm.WAIT_S", 0.01)
    plan = solve(problem, matrix, FEW)
    assert plan.solver == "pyvrp 0.14.1"
    assert plan.routes == solve(problem, matrix, FEW, vroom=False).routes
