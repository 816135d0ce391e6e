"""New plans during the day: what has happened stays, the rest keeps its order, nothing is lost."""

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_plans import HOUR, MINUTE, a_problem, a_stop, a_team, as_plan, on_a_line, planned
from test_routing_explaining import a_county
from villagemap.plan_check import check_plan
from villagemap.plans import NEVER, Lock
from villagemap.routing.changelog import Change, changes_of, stability_of
from villagemap.routing.replanning import Situation, replan


def orders(plan):
    return {(route.team, route.day): [call.stop for call in route.calls] for route in plan.routes}


def a_day(**team):
    """甲组 calls at a, b, c and 乙组 at d, each an hour, on a road of 10 minutes between neighbours."""
    matrix = on_a_line({"depot": 0, "a": 10, "b": 20, "c": 30, "d": 40, "new": 25})
    stops = [a_stop(stop, service_s=55 * MINUTE) for stop in "abcd"]
    problem = a_problem(stops, [a_team(**team), a_team("u", **team)], days=2)
    return problem, matrix, as_plan(problem, matrix, {("t", 1): ["a", "b", "c"], ("u", 1): ["d"]})


def test_where_nothing_happened_nothing_changes():
    problem, matrix, plan = a_day()
    new = replan(problem, matrix, plan, Situation(day=1, now_s=7 * HOUR))
    assert (new.stability, new.changes, new.plan.routes) == (1.0, (), plan.routes)


def test_an_overrun_pushes_what_no_longer_fits_to_where_it_fits_and_says_so():
    problem, matrix, plan = a_day(day_end_s=13 * HOUR)
    late = Situation(day=1, now_s=9 * HOUR, under_way={"t": "a"}, late_s={"t": 150 * MINUTE})
    new = replan(problem, matrix, plan, late)
    assert check_plan(new.problem, matrix, new.plan) == []
    first = new.plan.routes[0].calls[0]
    planned_first = plan.routes[0].calls[0]
    assert (first.stop, first.done, first.leave_s) == ("a", True, planned_first.leave_s + 150 * MINUTE)
    assert new.plan.left_out == ()
    moved = {change.stop: (change.kind, change.was) for change in new.changes}
    assert moved
    assert all(kind == "moved" and was[:2] == ("t", 1) for kind, was in moved.values())
    assert 0 < new.stability < 1


def test_a_broken_car_hands_its_stops_on():
    problem, matrix, plan = a_day()
    now = Situation(day=1, now_s=10 * HOUR, done=("a",), broken=frozenset({"t"}))
    new = replan(problem, matrix, plan, now)
    assert check_plan(new.problem, matrix, new.plan) == []
    assert orders(new.plan)["t", 1] == ["a"]
    assert sorted(orders(new.plan)["u", 1]) == ["b", "c", "d"]
    assert {change.stop for change in new.changes} == {"b", "c"}


def test_an_urgent_stop_comes_in_today_and_the_rest_keeps_its_order():
    problem, matrix, plan = a_day()
    urgent = a_stop("new", must=True, service_s=600)
    new = replan(problem, matrix, plan, Situation(day=1, now_s=8 * HOUR, new_stops=(urgent,)))
    assert check_plan(new.problem, matrix, new.plan) == []
    assert [(change.stop, change.kind) for change in new.changes] == [("new", "came_in")]
    assert new.changes[0].now[1] == 1
    assert new.stability > 0.7


def test_where_there_is_no_room_the_less_important_is_dropped_with_a_reason():
    problem, matrix, plan = a_day(day_end_s=11 * HOUR + 50 * MINUTE, days=(1,))
    problem = replace(problem, teams=problem.teams[:1], stops=problem.stops[:3])
    plan = as_plan(problem, matrix, {("t", 1): ["a", "b", "c"]})
    urgent = a_stop("new", must=True, service_s=55 * MINUTE)
    new = replan(problem, matrix, plan, Situation(day=1, now_s=8 * HOUR, new_stops=(urgent,)))
    assert check_plan(new.problem, matrix, new.plan) == []
    assert [left.code != "" for left in new.plan.left_out] == [True]
    kinds = {change.stop: change.kind for change in new.changes}
    assert kinds["new"] == "came_in"
    assert kinds[new.plan.left_out[0].stop] == "dropped"


def test_a_closed_road_takes_out_what_it_cuts_off():
    problem, matrix, plan = a_day()
    cut = matrix.duration_s.copy()
    at = matrix.index()["b"]
    cut[at, :], cut[:, at] = NEVER, NEVER
    cut[at, at] = 0
    figures = {"duration_s": cut, "distance_m": np.where(cut >= NEVER, NEVER, matrix.distance_m)}
    closed = replace(matrix, **figures, about={"closed": 1})
    new = replan(problem, closed, plan, Situation(day=1, now_s=8 * HOUR))
    assert check_plan(new.problem, closed, new.plan) == []
    assert [(left.stop, left.code) for left in new.plan.left_out] == [("b", "no_road")]
    assert orders(new.plan)["t", 1] == ["a", "c"]
    assert new.plan.matrix["about"] == {"closed": 1}, "the plan says on which roads it was made"


def test_a_stop_locked_not_today_goes_to_another_day():
    problem, matrix, plan = a_day()
    problem = replace(problem, locks=(Lock(stop="b", not_day=1),))
    new = replan(problem, matrix, plan, Situation(day=1, now_s=8 * HOUR))
    assert check_plan(new.problem, matrix, new.plan) == []
    assert [(change.stop, change.now[1]) for change in new.changes] == [("b", 2)]


def test_a_stop_locked_first_or_last_since_goes_there():
    problem, matrix, plan = a_day()
    locked = replace(problem, locks=(Lock(stop="c", position="first"), Lock(stop="a", position="last")))
    new = replan(locked, matrix, plan, Situation(day=1, now_s=7 * HOUR))
    assert check_plan(new.problem, matrix, new.plan) == []
    assert orders(new.plan)["t", 1] == ["c", "b", "a"]


def test_what_must_be_kept_takes_the_place_of_another_when_its_car_breaks():
    problem, matrix, plan = a_day(day_end_s=10 * HOUR + 30 * MINUTE, days=(1,))
    plan = as_plan(problem, matrix, {("t", 1): ["a"], ("u", 1): ["b"]})
    locked = replace(problem, locks=(Lock(stop="a", keep=True),))
    new = replan(locked, matrix, plan, Situation(day=1, now_s=7 * HOUR, broken=frozenset({"t"})))
    assert orders(new.plan) == {("u", 1): ["a"]}
    assert check_plan(new.problem, matrix, new.plan) == []


def test_what_was_missed_yesterday_is_planned_again_and_the_rest_of_it_stays():
    problem, matrix, plan = a_day()
    new = replan(problem, matrix, plan, Situation(day=2, now_s=8 * HOUR, missed=frozenset({"b"})))
    assert check_plan(new.problem, matrix, new.plan) == []
    assert orders(new.plan)["t", 1] == ["a", "c"]
    assert [(change.stop, change.kind, change.now[1]) for change in new.changes] == [("b", "moved", 2)]


def test_stability_counts_homes_and_neighbours():
    was = {("t", 1): ["a", "b", "c"], ("u", 1): []}
    assert stability_of(was, was) == 1
    assert stability_of(was, {("t", 1): ["a", "c"], ("u", 1): ["b"]}) == pytest.approx((2 / 3 + 0) / 2)
    assert stability_of(was, {("t", 1): ["a", "b"], ("u", 1): ["c"]}) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert stability_of({}, was) == 1
    assert changes_of(was, {("t", 1): ["b", "c", "a"]}, ()) == (
        Change(stop="a", kind="moved", was=("t", 1, 1), now=("t", 1, 3)),
    )


@st.composite
def situations(draw):
    """A planned problem and a moment in it: some stops done, one under way, a delay, a broken car, a closed road."""
    problem, matrix, plan = draw(planned())
    day = draw(st.integers(1, len(problem.days)))
    done, under_way, late = [], {}, {}
    now = draw(st.integers(7, 16)) * HOUR + draw(st.integers(0, 59)) * MINUTE
    for route in plan.routes:
        if route.day == day and route.calls:
            count = draw(st.integers(0, len(route.calls)))
            done += [call.stop for call in route.calls[:count]]
            if count < len(route.calls) and draw(st.booleans()):
                under_way[route.team] = route.calls[count].stop
            late[route.team] = draw(st.sampled_from([0, 0, 30, 200])) * MINUTE
    teams = [team.id for team in problem.teams]
    broken = frozenset(draw(st.lists(st.sampled_from(teams), max_size=1)))
    missed = frozenset(
        call.stop for route in plan.routes if route.day < day for call in route.calls if draw(st.booleans())
    )
    where = [stop for stop in problem.stops if draw(st.integers(0, 4)) == 0 and stop.id not in {*done, *missed}]
    planned_ = {call.stop for route in plan.routes for call in route.calls}
    fresh = tuple(stop for stop in where if stop.id not in planned_)
    known = tuple(stop for stop in problem.stops if stop not in fresh)
    locks = tuple(lock for lock in problem.locks if lock.stop not in {stop.id for stop in fresh})
    plan = replace(plan, left_out=tuple(left for left in plan.left_out if left.stop in {stop.id for stop in known}))
    if draw(st.integers(0, 3)) == 0:
        seconds = matrix.duration_s.copy()
        a, b = draw(st.integers(0, len(seconds) - 1)), draw(st.integers(0, len(seconds) - 1))
        seconds[a, b] = seconds[b, a] = 0 if a == b else NEVER
        matrix = replace(matrix, duration_s=seconds)
    now_ = Situation(
        day=day,
        now_s=now,
        done=tuple(done),
        under_way=under_way,
        late_s=late,
        broken=broken,
        new_stops=fresh,
        missed=missed,
    )
    return replace(problem, stops=known, locks=locks), matrix, plan, now_


@given(situations())
@settings(max_examples=80, deadline=None)
def test_whatever_happens_the_new_plan_can_be_driven_and_loses_nothing(case):
    problem, matrix, plan, now = case
    new = replan(problem, matrix, plan, now)
    assert check_plan(new.problem, matrix, new.plan) == []
    stops = [call.stop for route in new.plan.routes for call in route.calls]
    stops += [left.stop for left in new.plan.left_out]
    assert sorted(stops) == sorted([*(stop.id for stop in problem.stops), *(stop.id for stop in now.new_stops)])
    assert all(left.code for left in new.plan.left_out)
    assert 0 <= new.stability <= 1
    frozen = {call.stop for route in new.plan.routes for call in route.calls if call.done}
    assert {*now.done, *now.under_way.values()} <= frozen
    for route in new.plan.routes:
        pending = [call for call in route.calls if not call.done]
        assert not pending or route.day > now.day or pending[0].arrive_s - pending[0].leg_s >= now.now_s
        assert not pending or route.day > now.day or route.team not in now.broken
        assert not pending or route.day >= now.day
    before = {call.stop for route in plan.routes for call in route.calls} - frozen
    gone = {change.stop for change in new.changes if change.kind == "dropped"}
    assert gone == before & {left.stop for left in new.plan.left_out}


def test_a_day_with_three_teams_is_planned_anew_in_time():
    problem, matrix, plan = a_county(110, 3, 3)
    route = plan.routes[0]
    now = Situation(
        day=1,
        now_s=11 * HOUR,
        done=tuple(call.stop for call in route.calls[:3]),
        under_way={route.team: route.calls[3].stop},
        late_s={route.team: 45 * MINUTE},
        broken=frozenset({"t2"}),
    )
    start = perf_counter()
    new = replan(problem, matrix, plan, now)
    assert perf_counter() - start < 3
    assert check_plan(new.problem, matrix, new.plan) == []
    assert new.stability > 0.5
