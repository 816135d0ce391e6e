"""Moves by hand: what they cost and break, and that nothing gets lost."""

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_plans import HOUR, MINUTE, a_problem, a_stop, a_team, as_plan, on_a_line, planned
from test_routing_explaining import a_county
from villagemap.errors import ConflictError, NotFoundError
from villagemap.plan_check import check_plan
from villagemap.plans import Window
from villagemap.routing.editing import Delta, Move, move
from villagemap.routing.replanning import Situation, replan


def three():
    matrix = on_a_line({"depot": 0, "a": 10, "b": 20, "c": 30})
    problem = a_problem([a_stop("a"), a_stop("b"), a_stop("c", windows=(Window(8 * HOUR, 9 * HOUR),))], [a_team()])
    return problem, matrix, as_plan(problem, matrix, {("t", 1): ["c", "b"]})


def order(plan):
    return [call.stop for route in plan.routes for call in route.calls]


def test_a_move_tells_what_it_costs_and_breaks():
    edited = move(*three(), [Move(stop="a", team="t", day=1, after=1), Move(stop="c", team="t", day=1, after=2)])
    assert order(edited.plan) == ["a", "b", "c"]
    assert edited.delta == Delta(travel_s=0, distance_m=0, working_s=25 * MINUTE, stops=1)
    assert [(breach.code, breach.stop, breach.params["late_s"]) for breach in edited.breaches] == [
        ("window_missed", "c", 20 * MINUTE)
    ]
    back = move(*three()[:2], edited.plan, [Move(stop="c", team="t", day=1), Move(stop="a", out=True)])
    assert order(back.plan) == ["c", "b"]
    assert back.breaches == ()
    assert {left.stop: left.code for left in back.plan.left_out} == {"a": "taken_out"}
    assert back.plan.routes == three()[2].routes


@pytest.mark.parametrize(("after", "wanted"), [(-(2**63), ["a", "c", "b"]), (2**64 - 1, ["c", "b", "a"])])
def test_a_place_beyond_the_ends_of_a_route_is_its_end(after, wanted):
    assert order(move(*three(), [Move(stop="a", team="t", day=1, after=after)]).plan) == wanted


def test_what_a_plan_does_not_have_is_refused_by_name():
    with pytest.raises(NotFoundError, match="no such stop"):
        move(*three(), [Move(stop="?", out=True)])
    with pytest.raises(NotFoundError, match="no shift on day 2"):
        move(*three(), [Move(stop="a", team="t", day=2)])


def test_what_has_happened_stays():
    problem, matrix, plan = three()
    noon = replan(problem, matrix, plan, Situation(day=1, now_s=12 * HOUR, done=("c",)))
    with pytest.raises(ConflictError):
        move(noon.problem, matrix, noon.plan, [Move(stop="c", out=True)])
    edited = move(noon.problem, matrix, noon.plan, [Move(stop="b", team="t", day=1, after=0)])
    assert order(edited.plan)[0] == "c"


@given(planned(), st.data())
@settings(max_examples=50, deadline=None)
def test_nothing_is_lost_whatever_is_moved(case, data):
    problem, matrix, plan = case
    stops, shifts = [stop.id for stop in problem.stops], [(team.id, day) for team, day in problem.shifts()]
    moves = []
    for _ in range(data.draw(st.integers(1, 4))):
        stop = data.draw(st.sampled_from(stops))
        if shifts and data.draw(st.booleans()):
            team, day = data.draw(st.sampled_from(shifts))
            moves.append(Move(stop=stop, team=team, day=day, after=data.draw(st.integers(0, 4))))
        else:
            moves.append(Move(stop=stop, out=True))
    edited = move(problem, matrix, plan, moves)
    assert sorted([*order(edited.plan), *(left.stop for left in edited.plan.left_out)]) == sorted(stops)
    assert list(edited.breaches) == check_plan(problem, matrix, edited.plan)
    lies = {"figure_wrong", "leg_wrong", "arrive_wrong", "wait_wrong", "leave_wrong", "back_wrong", "setup_wrong"}
    assert not lies & {breach.code for breach in edited.breaches}


def test_an_edit_of_400_stops_is_quick():
    problem, matrix, plan = a_county(400, 4, 5)
    stop, route = plan.left_out[0].stop, plan.routes[3]
    start = perf_counter()
    for _ in range(10):
        move(problem, matrix, plan, [Move(stop=stop, team=route.team, day=route.day, after=2)])
    assert (perf_counter() - start) / 10 < 0.1  # about 5 ms alone on a quiet machine
