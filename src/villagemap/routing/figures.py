"""Totals over a plan's routes: one place that says what `Figures` counts."""

from collections.abc import Sequence

from villagemap.plans import Figures, Problem, Route


def figures_of(problem: Problem, routes: Sequence[Route], *, fairness_price_s: int | None = None) -> Figures:
    """The totals of ``routes``; what isn't in them is left out.

    ``service_s`` is the time on the spot, set-up and service. A team that has a shift but no route works 0 s,
    and counts in the spread.
    """
    stop_of = {stop.id: stop for stop in problem.stops}
    calls = [call for route in routes for call in route.calls]
    called = [stop_of[call.stop] for call in calls]
    worked = dict.fromkeys((team.id for team, _ in problem.shifts()), 0)
    for route in routes:
        worked[route.team] = worked.get(route.team, 0) + route.working_s
    longest, shortest = max(worked.values(), default=0), min(worked.values(), default=0)
    return Figures(
        stops=len(calls),
        left_out=len(problem.stops) - len(calls),
        villages=len({stop.village for stop in called} - {""}),
        villages_in_all=len({stop.village for stop in problem.stops} - {""}),
        priority=sum(stop.priority for stop in called),
        travel_s=sum(route.travel_s for route in routes),
        distance_m=sum(route.distance_m for route in routes),
        service_s=sum(call.leave_s - call.begin_s for call in calls),
        wait_s=sum(call.wait_s for call in calls),
        working_s=sum(worked.values()),
        spread_percent=round(100 * (longest - shortest) / longest, 1) if longest else 0.0,
        fairness_price_s=fairness_price_s,
    )
