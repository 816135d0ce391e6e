"""What of a plan has happened at a moment: calls done and under way, frozen with their times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from villagemap.plans import Call, Lunch, Plan, Problem, Route, Stop
from villagemap.routing.schedule import Begun
from villagemap.routing.standing import Shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where things stand on ``day`` at ``now_s``.

    Parameters
    ----------
    done
        Stops called at today. Those of earlier days count as done as they were planned, but for ``missed``.
    under_way
        Team to the stop that it is at, or on its way to. A team without one stands where it was last.
    late_s
        Team to how much longer than planned its stop under way takes, or its standing still.
    broken
        Teams whose car is out of service for the rest of today.
    new_stops
        Stops that have come up; the matrix has their rows.
    """

    day: int
    now_s: int
    done: tuple[str, ...] = ()
    under_way: Mapping[str, str] = field(default_factory=dict)
    late_s: Mapping[str, int] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    new_stops: tuple[Stop, ...] = ()
    missed: frozenset[str] = frozenset()


def frozen(problem: Problem, plan: Plan, now: Situation) -> dict[Shift, Begun]:
    """By shift what has happened: all of earlier days but what was missed, and today's calls done and under way.

    A stop that was done although it wasn't planned for today stands last with its team, or the first that drives today.
    """
    found = {}
    for route in plan.routes:
        begun = _earlier(route, now) if route.day < now.day else None
        if begun:
            found[route.team, route.day] = begun
    today = {route.team: route for route in plan.routes if route.day == now.day}
    driving = [team.id for team, day in problem.shifts() if day == now.day]
    odd = _unplanned(plan, now, driving)
    start = {team.id: team.day_start_s for team in problem.teams}
    for team in driving:
        calls = [*_done(today.get(team), now, team), *odd.get(team, [])]
        calls += _under_way(problem, today.get(team), now, team, calls)
        found[team, now.day] = _begun(today.get(team), now, team, calls, start[team])
    return found


def _earlier(route: Route, now: Situation) -> Begun | None:
    """A route of an earlier day, without what was missed; what was missed took no time."""
    calls = [replace(call, done=True) for call in route.calls if call.stop not in now.missed]
    if not calls:
        return None
    lunch = _shifted(route, calls)
    free_s = max(calls[-1].leave_s, lunch.end_s if lunch else 0)
    return Begun(leave_s=route.leave_s, free_s=free_s, calls=tuple(calls), lunch=lunch)


def _shifted(route: Route, calls: Sequence[Call]) -> Lunch | None:
    """A route's lunch among some of its calls."""
    if route.lunch is None:
        return None
    earlier = {call.stop for call in route.calls[: route.lunch.after]}
    after = sum(call.stop in earlier for call in calls)
    return replace(route.lunch, after=after, before_drive=route.lunch.before_drive or after == len(calls))


def _unplanned(plan: Plan, now: Situation, driving: Sequence[str]) -> dict[str, list[Call]]:
    """Calls that were made today though they weren't planned for today, by team: at no more than this moment."""
    home = {call.stop: route for route in plan.routes for call in route.calls}
    found: dict[str, list[Call]] = {}
    for stop in now.done:
        route = home.get(stop)
        if (route and route.day <= now.day) or stop in now.under_way.values() or not driving:
            continue
        team = route.team if route and route.team in driving else driving[0]
        found.setdefault(team, []).append(_moment(stop, now.now_s, now.now_s))
    return found


def _moment(stop: str, begin_s: int, leave_s: int) -> Call:
    return Call(stop=stop, leg_s=0, leg_m=0, arrive_s=begin_s, begin_s=begin_s, leave_s=leave_s, done=True)


def _done(route: Route | None, now: Situation, team: str) -> list[Call]:
    """Calls that were made as planned, none of them later than this moment."""
    done, under_way = set(now.done), now.under_way.get(team)
    calls = (
        [call for call in route.calls if call.stop != under_way and (call.done or call.stop in done)] if route else []
    )
    return [_by(call, now.now_s) for call in calls]


def _by(call: Call, now_s: int) -> Call:
    """A call done, at the latest by now; one that an earlier new plan has frozen stays as it is."""
    if call.done:
        return call
    arrive, begin, leave = (min(at, now_s) for at in (call.arrive_s, call.begin_s, call.leave_s))
    return replace(call, arrive_s=arrive, begin_s=begin, leave_s=leave, done=True)


def _under_way(problem: Problem, route: Route | None, now: Situation, team: str, done: Sequence[Call]) -> list[Call]:
    """The stop that a team is at or on its way to, with how much longer it takes."""
    stop = next((stop for stop in problem.stops if stop.id == now.under_way.get(team)), None)
    if stop is None:
        return []
    late_s = now.late_s.get(team, 0)
    planned = next((call for call in route.calls if call.stop == stop.id), None) if route else None
    call = planned or _moment(stop.id, now.now_s, now.now_s + problem.setup_s + stop.service_s)
    arrive = max(call.arrive_s, done[-1].leave_s if done else 0)
    begin = max(call.begin_s, arrive)
    leave = max(call.leave_s + late_s, begin, now.now_s)
    return [replace(call, arrive_s=arrive, begin_s=begin, leave_s=leave, done=True)]


def _begun(route: Route | None, now: Situation, team: str, calls: Sequence[Call], start_s: int) -> Begun:
    """Where a team stands today: free when its last call and lunch are over, and not before now."""
    standing = team not in now.under_way
    late_s = now.late_s.get(team, 0) if standing else 0
    if not calls or route is None:
        leave = calls[0].arrive_s if calls else start_s
        last = calls[-1].leave_s if calls else start_s
        return Begun(leave_s=leave, free_s=max(now.now_s, last) + late_s, calls=tuple(calls))
    lunch = _shifted(route, calls)
    had = lunch and (lunch.after < len(calls) or (standing and lunch.begin_s <= now.now_s))
    lunch = lunch if had else None
    free_s = max(now.now_s, calls[-1].leave_s, lunch.end_s if lunch else 0) + late_s
    return Begun(leave_s=min(route.leave_s, calls[0].arrive_s), free_s=free_s, calls=tuple(calls), lunch=lunch)
