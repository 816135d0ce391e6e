"""All ways to put a stop in, at once, against timing each by itself."""

from dataclasses import replace

from hypothesis import given, settings

from small_plans import planned
from villagemap.plans import NEVER
from villagemap.routing.insertion import Visitors, ways
from villagemap.routing.schedule import LATER
from villagemap.routing.standing import Standing


def by_itself(standing, shift, order):
    """When the team is back, by `schedule`; LATER where a window is missed or lunch has no place."""
    timed = standing.timed(shift, order)
    if timed.fault is None or timed.fault.code in {"shift_over", "too_many_stops"}:
        return timed.route.back_s
    return LATER


@given(planned(most=6))
@settings(max_examples=100)
def test_every_place_says_what_timing_it_says(case):
    problem, matrix, plan = case
    relaxed = [replace(team, most_stops=None, day_end_s=10**9) for team in problem.teams]
    standing = Standing(problem, matrix, plan)
    standing.teams = {team.id: team for team in relaxed}
    out = [standing.stop[left.stop] for left in plan.left_out]
    if not out:
        return
    visitors = Visitors(standing.table, out)
    for shift in standing.shifts:
        order = standing.orders[shift]
        found = ways(standing, shift, visitors)
        swapped = ways(standing, shift, visitors, instead=True)
        for m, stop in enumerate(out):
            for at in range(len(order) + 1):
                right = by_itself(standing, shift, [*order[:at], stop.id, *order[at:]])
                assert found.gap[m, at] or found.back_s[m, at] == right
            for at in range(len(order)):
                right = by_itself(standing, shift, [*order[:at], stop.id, *order[at + 1 :]])
                assert swapped.gap[m, at] or swapped.back_s[m, at] == right


@given(planned(most=5))
@settings(max_examples=40)
def test_added_driving_and_missing_roads_are_told(case):
    problem, matrix, plan = case
    standing = Standing(problem, matrix, plan)
    out = [standing.stop[left.stop] for left in plan.left_out]
    if not out:
        return
    visitors = Visitors(standing.table, out)
    for shift in standing.shifts:
        order, found = standing.orders[shift], ways(standing, shift, visitors)
        before = standing.timed(shift).route.travel_s
        for m, stop in enumerate(out):
            for at in range(len(order) + 1):
                timed = standing.timed(shift, [*order[:at], stop.id, *order[at:]])
                gap = timed.fault is not None and timed.fault.code == "no_way"
                assert found.gap[m, at] == gap
                assert gap or found.drive_s[m, at] == timed.route.travel_s - before < NEVER
