"""The verifier: plans made by hand pass, whatever is wrong with one is found, and `schedule` means the same times."""

from dataclasses import fields, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from small_plans import HOUR, MINUTE, a_problem, a_stop, a_team, as_plan, given_matrix, on_a_line, planned, problems
from villagemap.plan_check import check_plan
from villagemap.plans import NEVER, Call, Figures, LeftOut, Lock, Lunch, LunchRule, Plan, Route, Window
from villagemap.routing.schedule import time_route

CLOCK = ("leg_s", "leg_m", "arrive_s", "begin_s", "leave_s", "wait_s", "setup_s")


def codes(problem, matrix, plan) -> set[str]:
    return {breach.code for breach in check_plan(problem, matrix, plan)}


def by_hand():
    """A morning at 甲 (its window opens at 9), lunch there, and 乙 in the afternoon; 丙 is left out."""
    stops = [
        a_stop("甲", service_s=9000, priority=3, village="v1", windows=(Window(9 * HOUR, 10 * HOUR),)),
        a_stop("乙", service_s=3600, priority=2, village="v2"),
        a_stop("丙", village="v3"),
    ]
    problem = a_problem(stops, [a_team(lunch=LunchRule(), skills=frozenset({"水质"}))], setup_s=300)
    matrix = on_a_line({"depot": 0, "甲": 30, "乙": 40, "丙": 900})
    first = Call(
        stop="甲",
        leg_s=1800,
        leg_m=18000,
        arrive_s=9 * HOUR - 600,
        begin_s=9 * HOUR,
        leave_s=9 * HOUR + 9300,
        wait_s=600,
        setup_s=300,
    )
    lunch = Lunch(begin_s=9 * HOUR + 9300, end_s=10 * HOUR + 9300, after=1)
    arrive = lunch.end_s + 600
    second = Call(stop="乙", leg_s=600, leg_m=6000, arrive_s=arrive, begin_s=arrive, leave_s=arrive + 3900, setup_s=300)
    route = Route(
        team="t",
        day=1,
        leave_s=9 * HOUR - 2400,
        calls=(first, second),
        back_leg_s=2400,
        back_leg_m=24000,
        back_s=arrive + 6300,
        lunch=lunch,
    )
    worked = route.back_s - route.leave_s - 3600
    figures = Figures(
        stops=2,
        left_out=1,
        villages=2,
        villages_in_all=3,
        priority=5,
        travel_s=4800,
        distance_m=48000,
        service_s=13200,
        wait_s=600,
        working_s=worked,
        spread_percent=0.0,
    )
    plan = Plan(
        routes=(route,),
        left_out=(LeftOut(stop="丙", code=""),),
        figures=figures,
        matrix={},
        solver="",
        seed=0,
        iterations=0,
        seconds=0,
    )
    return problem, matrix, plan


def test_a_plan_made_by_hand_passes():
    assert check_plan(*by_hand()) == []


@given(planned())
@settings(max_examples=60)
def test_what_is_timed_well_passes_and_times_are_those_of_the_schedule(case):
    problem, matrix, plan = case
    assert check_plan(problem, matrix, plan) == []


@given(problems(most=4), st.data())
@settings(max_examples=120)
def test_a_route_has_a_fault_just_where_the_verifier_finds_one(case, data):
    problem, matrix = case
    assume(problem.shifts())
    team, day = data.draw(st.sampled_from(problem.shifts()))
    stops = data.draw(st.permutations([stop.id for stop in problem.stops]))
    fault = time_route(problem, matrix, team, day, stops).fault
    found = codes(problem, matrix, as_plan(problem, matrix, {(team.id, day): stops}))
    timing = {"no_way", "window_missed", "lunch_missing", "shift_over", "too_many_stops"}
    assert (fault is None) == (not found & timing), (fault, found)
    assert found <= timing | {
        "skill_missing", "team_not_allowed", "day_not_allowed",
        "lock_team", "lock_day", "lock_not_day", "lock_first", "lock_last",
    }  # fmt: skip


def mutations(plan):
    """Plans with one thing changed, and its name."""
    for number, route in enumerate(plan.routes):
        for name, other in route_mutations(route):
            routes = (*plan.routes[:number], *other, *plan.routes[number + 1 :])
            yield name, replace(plan, routes=routes)
    for left in plan.left_out:
        yield "left out dropped", replace(plan, left_out=tuple(one for one in plan.left_out if one is not left))
        yield "left out twice", replace(plan, left_out=(*plan.left_out, left))
    for figure in fields(Figures):
        said = getattr(plan.figures, figure.name)
        if said is not None:
            yield figure.name, replace(plan, figures=replace(plan.figures, **{figure.name: said + 1}))


def route_mutations(route):
    yield "route dropped", ()
    yield "route twice", (route, route)
    for name in ("leave_s", "back_leg_s", "back_leg_m", "back_s"):
        for step in (-1, 1):
            yield f"{name} {step}", (replace(route, **{name: getattr(route, name) + step}),)
    if route.lunch:
        yield "lunch dropped", (replace(route, lunch=None),)
        yield "lunch elsewhere", (replace(route, lunch=replace(route.lunch, after=route.lunch.after + 1)),)
        for name in ("begin_s", "end_s"):
            for step in (-1, 1):
                moved = replace(route.lunch, **{name: getattr(route.lunch, name) + step})
                yield f"lunch {name} {step}", (replace(route, lunch=moved),)
    for at, call in enumerate(route.calls):
        before, behind = route.calls[:at], route.calls[at + 1 :]
        yield "call dropped", (replace(route, calls=before + behind),)
        yield "call twice", (replace(route, calls=(*before, call, call, *behind)),)
        yield "call unknown", (replace(route, calls=(*before, replace(call, stop="?"), *behind)),)
        if behind:
            yield "calls swapped", (replace(route, calls=(*before, behind[0], call, *behind[1:])),)
            names = replace(call, stop=behind[0].stop), replace(behind[0], stop=call.stop)
            yield "stops swapped", (replace(route, calls=(*before, *names, *behind[1:])),)
        for name in CLOCK:
            for step in (-1, 1):
                other = replace(call, **{name: getattr(call, name) + step})
                yield f"{name} {step}", (replace(route, calls=(*before, other, *behind)),)


def test_whatever_is_changed_in_a_plan_made_by_hand_is_found():
    problem, matrix, plan = by_hand()
    unseen = [name for name, other in mutations(plan) if not check_plan(problem, matrix, other)]
    assert unseen == []


@given(planned(most=4))
@settings(max_examples=40)
def test_whatever_is_changed_in_any_plan_is_found(case):
    problem, matrix, plan = case
    for name, other in mutations(plan):
        if name == "stops swapped" and _alike(problem, matrix, other):
            continue
        assert check_plan(problem, matrix, other), name


def _alike(problem, matrix, plan) -> bool:
    """Whether a plan is one that the schedule makes too: two stops at one place may be exchanged."""
    orders = {(route.team, route.day): [call.stop for call in route.calls] for route in plan.routes}
    return as_plan(problem, matrix, orders).routes == plan.routes


@pytest.mark.parametrize(
    ("lock", "code"),
    [
        (Lock(stop="a", team="u"), "lock_team"),
        (Lock(stop="a", day=2), "lock_day"),
        (Lock(stop="a", not_day=1), "lock_not_day"),
        (Lock(stop="b", position="first"), "lock_first"),
        (Lock(stop="a", position="last"), "lock_last"),
        (Lock(stop="c", keep=True), "lock_keep"),
    ],
)
def test_a_lock_that_is_broken_is_named(lock, code):
    stops = [a_stop("a"), a_stop("b"), a_stop("c")]
    matrix = on_a_line({"depot": 0, "a": 1, "b": 2, "c": 3})
    problem = a_problem(stops, [a_team(), a_team("u")], days=2)
    plan = as_plan(problem, matrix, {("t", 1): ["a", "b"]})
    assert check_plan(problem, matrix, plan) == []
    assert codes(replace(problem, locks=(lock,)), matrix, plan) == {code}


def test_skills_teams_days_and_the_bound_on_stops_are_kept():
    matrix = on_a_line({"depot": 0, "a": 1, "b": 2})
    stops = [a_stop("a", skill="水质", teams=("u",), days=(2,)), a_stop("b")]
    problem = a_problem(stops, [a_team(most_stops=1, days=(2,)), a_team("u")], days=2)
    plan = as_plan(problem, matrix, {("t", 1): ["a", "b"]})
    found = codes(problem, matrix, plan)
    assert found == {"skill_missing", "team_not_allowed", "day_not_allowed", "too_many_stops", "day_off"}


def test_a_village_belongs_to_one_team_a_day_unless_it_is_split():
    matrix = on_a_line({"depot": 0, "a": 1, "b": 2})
    problem = a_problem([a_stop("a", village="v"), a_stop("b", village="v")], [a_team(), a_team("u")], days=2)
    torn = as_plan(problem, matrix, {("t", 1): ["a"], ("u", 1): ["b"]})
    assert codes(problem, matrix, torn) == {"village_torn"}
    assert codes(replace(problem, split_villages=True), matrix, torn) == set()
    assert codes(problem, matrix, as_plan(problem, matrix, {("t", 1): ["a"], ("u", 2): ["b"]})) == set()


def test_a_stop_that_no_road_leads_to_is_told_and_not_measured():
    problem = a_problem([a_stop("a")], [a_team()])
    matrix = given_matrix(["depot", "a"], [[0, NEVER], [NEVER, 0]])
    assert codes(problem, matrix, as_plan(problem, matrix, {("t", 1): ["a"]})) == {"no_way"}


def test_what_has_happened_is_taken_as_it_is():
    matrix = on_a_line({"depot": 0, "a": 10, "b": 20})
    problem = a_problem([a_stop("a", windows=(Window(0, 9 * HOUR),)), a_stop("b")], [a_team()])
    plan = as_plan(problem, matrix, {("t", 1): ["a", "b"]})
    route = plan.routes[0]
    clock = ("arrive_s", "begin_s", "leave_s")
    late = [replace(call, **{name: getattr(call, name) + HOUR for name in clock}) for call in route.calls]
    longer = replace(route, calls=tuple(late), back_s=route.back_s + HOUR)
    figures = replace(plan.figures, working_s=plan.figures.working_s + HOUR)
    pending = replace(plan, routes=(longer,), figures=figures)
    assert codes(problem, matrix, pending) == {"arrive_wrong", "window_missed"}
    happened = replace(pending, routes=(replace(longer, calls=(replace(late[0], done=True), late[1])),))
    assert codes(problem, matrix, happened) == set()
    backwards = replace(pending, routes=(replace(longer, calls=(late[0], replace(late[1], done=True))),))
    assert "done_order" in codes(problem, matrix, backwards)


def test_lateness_is_told_in_seconds():
    matrix = on_a_line({"depot": 0, "a": 90, "b": 90})
    problem = a_problem([a_stop("a", windows=(Window(0, 9 * HOUR),)), a_stop("b", service_s=8 * HOUR)], [a_team()])
    found = check_plan(problem, matrix, as_plan(problem, matrix, {("t", 1): ["a", "b"]}))
    told = {breach.code: breach for breach in found}
    assert told["window_missed"].params["late_s"] == 30 * MINUTE
    assert told["window_missed"].stop == "a"
    over = 90 + 25 + 5 + 480 + 90 - 9 * 60
    assert told["shift_over"].params["over_s"] == over * MINUTE
