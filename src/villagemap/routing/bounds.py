"""What no plan can do better: the least driving for the same stops, and the team-days missing for every village."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from villagemap.plans import NEVER, Matrix, Plan, Problem, Route, Shortfall, Stop
from villagemap.routing.terms import Terms

MOST_ASSIGNED, MOST_SPANNED = 1000, 1500
ROUNDS = 80
FAR = 1 << 40

Seconds = npt.NDArray[np.int64]


def least_driving(problem: Problem, matrix: Matrix, routes: Sequence[Route]) -> int | None:
    """A lower bound of the driving time of any plan that calls at the stops of ``routes``, seconds.

    The larger of two relaxations. *Assignment*: each stop has one leg in and one leg out, and each shift at most one
    of each, whether they join up or not. *Spanning trees* (Held and Karp's 1-trees [1]_, with k routes through one
    depot that is as near as the nearest start or end, each leg as short as its shorter direction): n stops in k routes
    are n + k legs that hang together, so a tree of n legs and k ≥ 1 more, whatever is charged for a stop's having more
    than two.

    .. [1] M. Held, R. M. Karp (1971). The traveling-salesman problem and minimum spanning trees, part II. Mathematical
       Programming 1, 6-25.

    Returns
    -------
    int or None
        None above 1,500 stops, where it would take too long.
    """
    row = matrix.index()
    stops = np.array([row[call.stop] for route in routes for call in route.calls], np.intp)
    if not len(stops):
        return 0
    if len(stops) > MOST_SPANNED:
        return None
    shifts = problem.shifts()
    starts = np.array([row[team.start] for team, _ in shifts], np.intp)
    ends = np.array([row[team.end] for team, _ in shifts], np.intp)
    driven = sum(route.travel_s for route in routes)
    best = _spanned(matrix.duration_s, stops, starts, ends, driven)
    if len(stops) <= MOST_ASSIGNED:
        best = max(best, _assigned(matrix.duration_s, stops, starts, ends))
    return min(best, driven)


def _assigned(
    legs: Seconds, stops: npt.NDArray[np.intp], starts: npt.NDArray[np.intp], ends: npt.NDArray[np.intp]
) -> int:
    """The cheapest successor for each stop and start, so that each stop and end is one's."""
    count, shifts = len(stops), len(starts)
    cost = np.zeros((count + shifts, count + shifts), np.int64)
    cost[:count, :count] = legs[np.ix_(stops, stops)]
    cost[range(count), range(count)] = NEVER
    cost[:count, count:] = legs[np.ix_(stops, ends)]
    cost[count:, :count] = legs[np.ix_(starts, stops)]
    rows, columns = linear_sum_assignment(cost)
    return int(cost[rows, columns].sum())


def _spanned(
    legs: Seconds, stops: npt.NDArray[np.intp], starts: npt.NDArray[np.intp], ends: npt.NDArray[np.intp], driven: int
) -> int:
    """The best bound by spanning trees over some rounds of charging stops for their degree; the depot is last."""
    count = len(stops)
    cost = np.full((count + 1, count + 1), float(NEVER))
    between = legs[np.ix_(stops, stops)]
    cost[:count, :count] = np.minimum(between, between.T)
    cost[:count, count] = np.minimum(legs[np.ix_(starts, stops)].min(axis=0), legs[np.ix_(stops, ends)].min(axis=1))
    cost[count, :count] = cost[:count, count]
    np.fill_diagonal(cost, FAR)
    charge = np.zeros(count + 1)
    best, pace = 0.0, 1.0
    for _ in range(max(10, min(ROUNDS, 40_000 // count))):
        charged = cost + charge[:, None] + charge
        total, degree = _tree(charged)
        least = np.unravel_index(int(charged.argmin()), charged.shape)
        extra = charged[least]
        degree[list(least)] += 1
        bound = total + (extra if extra > 0 else extra * len(starts)) - 2 * charge.sum()
        if bound > best:
            best = bound
        else:
            pace *= 0.9
        over = np.append(degree[:count] - 2, 0)
        if not over.any():
            break
        charge = charge + pace * max(driven - bound, 1.0) / float((over**2).sum()) * over
    return int(np.ceil(best - 1e-6))


def _tree(cost: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.int64]]:
    """Cost of the cheapest spanning tree, by Prim's method, and the degrees in it."""
    count = len(cost)
    near, into = cost[0].copy(), np.zeros(count, np.intp)
    inside = np.zeros(count, bool)
    inside[0] = True
    degree, total = np.zeros(count, np.int64), 0.0
    for _ in range(count - 1):
        following = int(np.where(inside, np.inf, near).argmin())
        total += near[following]
        degree[[following, into[following]]] += 1
        inside[following] = True
        closer = cost[following] < near
        near[closer], into[closer] = cost[following][closer], following
    return total, degree


def missing_team_days(problem: Problem, matrix: Matrix, plan: Plan) -> Shortfall | None:
    """How many team-days are missing to call at every village; None where none is left that a shift could reach.

    The bound holds for any plan: each village takes at least its quickest stop and the shortest leg to any of its
    stops from elsewhere, each team-day has at most its shift without lunch and without the shortest way back to its
    end. The estimate goes by how many villages a team-day of this plan calls at.
    """
    terms = Terms(problem, matrix)
    called = {call.stop for route in plan.routes for call in route.calls}
    homes = {village: [s for s in stops if terms.open_to[s]] for village, stops in terms.villages.items() if village}
    homes = {village: stops for village, stops in homes.items() if stops}
    left = [village for village, stops in homes.items() if not called.intersection(terms.villages[village])]
    if not left or not terms.shifts:
        return None
    need = {village: _least_work(terms, stops) for village, stops in homes.items()}
    room = _rooms(terms, [stop for stops in homes.values() for stop in stops])
    lacking = sum(need.values()) - sum(room)
    bound = -(-lacking // max(*room, 1)) if lacking > 0 else 0
    a_day = (len(homes) - len(left)) / max(len(plan.routes), 1)
    by_pace = -(-len(left) // max(1, round(a_day)))
    needed, spare = (
        sum(need[village] for village in left),
        sum(room) - sum(need[v] for v in homes if v not in set(left)),
    )
    return Shortfall(
        villages=len(left), bound=bound, estimate=max(bound, by_pace, 1), need_s=needed, spare_s=max(0, spare)
    )


def _least_work(terms: Terms, stops: Sequence[str]) -> int:
    """The least time that a village takes: its quickest stop, set-up where none can be shared, and the way there."""
    row, legs = terms.timetable.row, terms.matrix.duration_s
    own = np.array([row[stop] for stop in terms.villages[terms.stop[stops[0]].village]], np.intp)
    rows = np.array([row[stop] for stop in stops], np.intp)
    entering = legs[:, rows]
    entering[own] = NEVER  # from elsewhere
    return min(_work(terms, terms.stop[stop]) + int(leg) for stop, leg in zip(stops, entering.min(axis=0), strict=True))


def _work(terms: Terms, stop: Stop) -> int:
    return stop.service_s + (0 if stop.spot else terms.problem.setup_s)


def _rooms(terms: Terms, stops: Sequence[str]) -> list[int]:
    """Each shift's working time without the shortest way back to its end."""
    row, legs = terms.timetable.row, terms.matrix.duration_s
    rows = np.array([row[stop] for stop in stops], np.intp)
    return [
        max(0, room - int(legs[rows, row[team.end]].min()))
        for room, (team, _) in zip(terms.room_s, terms.shifts, strict=True)
    ]
