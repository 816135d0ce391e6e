"""A plan changed by hand: stops moved, taken out, put back; what that costs, and what it breaks."""

from collections.abc import Sequence
from dataclasses import dataclass

from villagemap.errors import ConflictError, NotFoundError
from villagemap.plan_check import Breach, check_plan
from villagemap.plans import LeftOut, Matrix, Plan, Problem
from villagemap.routing.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Put a stop behind ``after`` calls of a team's day (counted without it), or take it ``out``."""

    stop: str
    team: str = ""
    day: int = 0
    after: int = 0
    out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What an edit adds to the totals: seconds, metres, stops; less than 0 where it saves."""

    travel_s: int
    distance_m: int
    working_s: int
    stops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The plan after an edit, whether it can be driven or not, what that costs, and all that the plan now breaks."""

    plan: Plan
    delta: Delta
    breaches: tuple[Breach, ...]


def move(problem: Problem, matrix: Matrix, plan: Plan, moves: Sequence[Move]) -> Edited:
    """Make the moves one after another and time the routes they touch; the other routes stay as they are.

    A stop that is taken out is left out with the reason ``taken_out``; reasons and hints of the others are those of the
    plan as it was, `explaining.explain` renews them. The bound and the shortfall are dropped where other stops are
    called at.

    Raises
    ------
    NotFoundError
        ``unknown_stop`` (stop), ``unknown_shift`` (team, day)
    ConflictError
        ``stop_is_done`` (stop): it has happened, or is under way.
    """
    standing = Standing(problem, matrix, plan)
    left_out = {left.stop: left for left in plan.left_out}
    touched = set()
    for one in moves:
        _known(standing, one)
        for shift, stops in standing.orders.items():
            if one.stop in stops:
                stops.remove(one.stop)
                touched.add(shift)
        if one.out:
            left_out[one.stop] = LeftOut(stop=one.stop, code="taken_out")
            continue
        left_out.pop(one.stop, None)
        shift = one.team, one.day
        begun = standing.begun.get(shift)
        order = standing.orders[shift]
        at = max(0, one.after - (len(begun.calls) if begun else 0))
        order.insert(min(at, len(order)), one.stop)
        touched.add(shift)
    for shift in touched:
        standing.put(shift, standing.orders[shift])
    edited = standing.written(plan, list(left_out.values()))
    return Edited(plan=edited, delta=_delta(plan, edited), breaches=tuple(check_plan(problem, matrix, edited)))


def _known(standing: Standing, one: Move) -> None:
    if one.stop not in standing.stop:
        raise NotFoundError("unknown_stop", stop=one.stop)
    if any(call.stop == one.stop for begun in standing.begun.values() for call in begun.calls):
        raise ConflictError("stop_is_done", stop=standing.stop[one.stop].name)
    if not one.out and (one.team, one.day) not in standing.orders:
        raise NotFoundError("unknown_shift", team=one.team, day=one.day)


def _delta(before: Plan, after: Plan) -> Delta:
    was, now = before.figures, after.figures
    return Delta(
        travel_s=now.travel_s - was.travel_s,
        distance_m=now.distance_m - was.distance_m,
        working_s=now.working_s - was.working_s,
        stops=now.stops - was.stops,
    )
