"""Times of a route against a search over every minute, and what is said of orders that can't be driven."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.plans import NEVER, LunchRule, Matrix, MatrixKind, Problem, Site, Stop, Team, Window
from villagemap.routing.schedule import Begun, Fault, time_route

HOUR = 3600
END = 40


def bare(ids, seconds) -> Matrix:
    seconds = np.array(seconds, np.int64)
    return Matrix(ids=tuple(ids), duration_s=seconds, distance_m=seconds * 10, kind=MatrixKind.GIVEN)


def a_problem(stops, team, **more) -> Problem:
    sites = tuple(Site(id=site, name=site) for site in sorted({team.start, team.end}))
    return Problem(name="x", days=(date(2026, 3, 2),), teams=(team,), stops=tuple(stops), sites=sites, **more)


@st.composite
def days(draw):
    count = draw(st.integers(1, 4))
    small = st.integers(0, 6)
    ids = ["depot", "home", *(f"s{n}" for n in range(count))]
    seconds = [[0 if a == b else draw(small) for b in ids] for a in ids]
    windows = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8)), max_size=2)
    stops = [
        Stop(
            id=stop,
            name=stop,
            service_s=draw(st.integers(1, 4)),
            windows=tuple(Window(start, start + length) for start, length in draw(windows)),
            spot=draw(st.sampled_from(["", "a", "b"])),
        )
        for stop in ids[2:]
    ]
    earliest = draw(st.integers(0, 16))
    latest = earliest + draw(st.integers(0, 5))
    lunch = LunchRule(duration_s=draw(st.integers(1, 4)), earliest_s=earliest, latest_s=latest)
    team = Team(
        id="t",
        name="t",
        start="depot",
        end=draw(st.sampled_from(["depot", "home"])),
        day_start_s=draw(st.integers(0, 6)),
        day_end_s=draw(st.integers(25, 35)),
        lunch=draw(st.sampled_from([None, lunch])),
    )
    return a_problem(stops, team, setup_s=draw(st.integers(0, 2))), bare(ids, seconds)


def every_way(problem, matrix):
    """(back, -leave) of every way to drive the stops in their order, waiting a whole number of seconds anywhere."""
    team, stops, row = problem.teams[0], problem.stops, matrix.index()
    rule, best = team.lunch, []
    waiting = [(left, 0, left, False) for left in range(team.day_start_s, END)]
    known = set(waiting)
    while waiting:
        at, place, left, had = waiting.pop()
        done, driven = divmod(place, 2)  # whether the drive to the next is done, too
        if driven and done == len(stops):
            if had or not rule or not left < rule.latest_s < at:
                best.append((at, -left))
            continue
        following = [(at + 1, place, left, had)]
        if rule and not had and rule.earliest_s <= at <= rule.latest_s:
            following.append((at + rule.duration_s, place, left, True))
        here = team.start if done == 0 else stops[done - 1].id
        if not driven:
            there = team.end if done == len(stops) else stops[done].id
            following.append((at + int(matrix.duration_s[row[here], row[there]]), place + 1, left, had))
        elif inside(stops[done], at):
            shared = done and stops[done].spot and stops[done - 1].spot == stops[done].spot
            work = stops[done].service_s + (0 if shared else problem.setup_s)
            following.append((at + work, place + 1, left, had))
        waiting += [state for state in following if state[0] <= END and state not in known]
        known.update(following)
    return best


def inside(stop, at):
    return not stop.windows or any(w.start_s <= at <= w.end_s for w in stop.windows)


@given(days())
def test_times_are_as_good_as_a_search_over_every_second(day):
    problem, matrix = day
    team = problem.teams[0]
    timed = time_route(problem, matrix, team, 1, [stop.id for stop in problem.stops])
    ways = [way for way in every_way(problem, matrix) if way[0] <= team.day_end_s]
    if timed.fault:
        assert ways == []
    else:
        assert (timed.route.back_s, -timed.route.leave_s) == min(ways)


@given(days())
def test_a_timed_route_adds_up(day):
    problem, matrix = day
    team, stops = problem.teams[0], {stop.id: stop for stop in problem.stops}
    timed = time_route(problem, matrix, team, 1, list(stops))
    route, lunch = timed.route, timed.route.lunch
    row, at, here = matrix.index(), route.leave_s, team.start
    for done, call in enumerate(route.calls):
        if lunch and lunch.after == done and lunch.before_drive:
            assert lunch.begin_s >= at
            at = lunch.end_s
        assert call.leg_s == matrix.duration_s[row[here], row[call.stop]]
        assert call.arrive_s == at + call.leg_s
        lunch_s = 0
        if lunch and lunch.after == done and not lunch.before_drive:
            assert lunch.begin_s >= call.arrive_s
            assert lunch.end_s <= call.begin_s
            lunch_s = lunch.end_s - lunch.begin_s
        assert call.begin_s == call.arrive_s + call.wait_s + lunch_s
        assert call.leave_s == call.begin_s + call.setup_s + stops[call.stop].service_s
        assert inside(stops[call.stop], call.begin_s) or timed.fault
        at, here = call.leave_s, call.stop
    if lunch and lunch.after == len(route.calls):
        at = lunch.end_s
    assert route.back_s == at + route.back_leg_s
    if lunch and team.lunch:
        assert team.lunch.earliest_s <= lunch.begin_s <= team.lunch.latest_s
    elif team.lunch and not timed.fault:
        assert route.leave_s >= team.lunch.latest_s or route.back_s <= team.lunch.latest_s


def office(**more) -> Team:
    return Team(id="t", name="t", start="depot", end="depot", day_start_s=8 * HOUR, day_end_s=17 * HOUR, **more)


def two_stops(*, far_s=HOUR, **more) -> tuple[Problem, Matrix]:
    stops = [Stop(id=name, name=name, service_s=HOUR, **more) for name in ("a", "b")]
    seconds = [[0, far_s, far_s], [far_s, 0, 600], [far_s, 600, 0]]
    return a_problem(stops, office(), setup_s=300), bare(["depot", "a", "b"], seconds)


def test_a_morning_that_is_over_by_lunch_has_none_and_starts_no_sooner_than_it_must():
    problem, matrix = two_stops(windows=(Window(10 * HOUR, 11 * HOUR + 900),))
    route = time_route(problem, matrix, problem.teams[0], 1, ["a"]).route
    assert (route.leave_s, route.calls[0].begin_s, route.back_s) == (9 * HOUR, 10 * HOUR, 12 * HOUR + 300)
    assert route.lunch is None


def test_lunch_fills_a_wait():
    problem, matrix = two_stops(windows=(Window(9 * HOUR, 9 * HOUR), Window(13 * HOUR, 14 * HOUR)))
    route = time_route(problem, matrix, problem.teams[0], 1, ["a", "b"]).route
    assert route.lunch is not None
    assert (route.lunch.after, route.lunch.end_s) == (1, 12 * HOUR + 1800)
    assert [call.begin_s for call in route.calls] == [9 * HOUR, 13 * HOUR]
    assert sum(call.wait_s for call in route.calls) == 13 * HOUR - (10 * HOUR + 300) - 600 - HOUR


@pytest.mark.parametrize(
    ("change", "far_s", "fault"),
    [
        ({}, NEVER, Fault(code="no_way", params={"start": "depot", "end": "a"})),
        ({"most_stops": 1}, HOUR, Fault(code="too_many_stops", params={"over": 1})),
        ({"day_start_s": 10 * HOUR}, HOUR, Fault(code="window_missed", params={"stop": "b", "late_s": 1800})),
        ({"day_end_s": 12 * HOUR}, HOUR, Fault(code="shift_over", params={"over_s": 1200})),
        ({"day_end_s": 14 * HOUR, "lunch": LunchRule()}, 2 * HOUR - 600, Fault(code="no_lunch")),
    ],
)
def test_what_is_wrong_with_an_order_is_said_and_its_times_are_given(change, far_s, fault):
    early = "day_start_s" in change
    problem, matrix = two_stops(far_s=far_s, windows=(Window(8 * HOUR, 11 * HOUR + 2700),) if early else ())
    team = replace(office(lunch=None), **change)
    timed = time_route(problem, matrix, team, 1, ["a", "b"])
    assert timed.fault == fault
    assert [call.stop for call in timed.route.calls] == ["a", "b"]
    assert timed.route.back_s < 24 * HOUR


def test_what_has_begun_stays_and_the_rest_follows():
    problem, matrix = two_stops()
    team = problem.teams[0]
    morning = time_route(problem, matrix, team, 1, ["a"]).route
    begun = Begun(leave_s=morning.leave_s, free_s=13 * HOUR + 60, calls=morning.calls)
    route = time_route(problem, matrix, team, 1, ["b"], begun=begun).route
    assert [call.done for call in route.calls] == [True, False]
    assert replace(route.calls[0], done=False) == morning.calls[0]
    assert route.lunch is not None  # later than the rule has it, but as soon as can be
    assert (route.lunch.after, route.lunch.begin_s) == (1, 13 * HOUR + 60)
    assert time_route(problem, matrix, team, 1, ["b"], begun=replace(begun, lunch=route.lunch)).route.back_s == (
        route.back_s - HOUR
    )


def test_a_day_without_calls_stays_at_home():
    problem, matrix = two_stops()
    timed = time_route(problem, matrix, problem.teams[0], 1, [])
    assert timed.fault is None
    assert timed.route.working_s == 0
