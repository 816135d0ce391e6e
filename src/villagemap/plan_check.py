"""Does a plan keep what its problem asks? An arithmetic of its own, written from the words in `plans` alone.

It shares no code with what makes plans, so that a fault there can't hide here. Pure: values in, `Breach`es out.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from villagemap.plans import NEVER, Call, Lock, LunchRule, Matrix, Plan, Problem, Route, Stop, Team


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One thing that a plan has wrong: ``code`` is a key under ``routes.breaches``, ``params`` its values."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)
    stop: str = ""
    team: str = ""
    day: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """A problem by ids, with its matrix's rows."""

    problem: Problem
    matrix: Matrix
    row: Mapping[str, int]
    stops: Mapping[str, Stop]
    teams: Mapping[str, Team]

    def leg(self, start: str, end: str) -> tuple[int, int]:
        """Seconds and metres from site to site; `NEVER` where there is no way or no row."""
        if start not in self.row or end not in self.row:
            return NEVER, NEVER
        at = self.row[start], self.row[end]
        return int(self.matrix.duration_s[at]), int(self.matrix.distance_m[at])


def check_plan(problem: Problem, matrix: Matrix, plan: Plan) -> list[Breach]:
    """Everything that is wrong with a plan, first what concerns all of it, then route by route; [] for a good one.

    What has happened (calls with ``done``) is taken as it is: its legs, windows, set-up and lunch aren't measured, and
    what can't be helped any more (a shift that ends late with nothing left to do, a lunch that nobody had) is no
    breach. It stands first in its route, in order of time, and counts for all else.
    """
    teams = {team.id: team for team in problem.teams}
    asked = _Asked(problem, matrix, matrix.index(), {stop.id: stop for stop in problem.stops}, teams)
    known = [route for route in plan.routes if route.team in teams and 1 <= route.day <= len(problem.days)]
    return [
        *_each_stop_once(asked, plan),
        *_each_shift_once(asked, plan),
        *_villages(asked, known),
        *_locks(asked, plan),
        *_figures(asked, plan),
        *(breach for route in known for breach in _route(asked, route)),
    ]


def _each_stop_once(asked: _Asked, plan: Plan) -> Iterator[Breach]:
    """Every stop is in one route or left out, once."""
    told = Counter(call.stop for route in plan.routes for call in route.calls)
    told.update(left.stop for left in plan.left_out)
    for stop in asked.stops:
        if told[stop] == 0:
            yield Breach(code="stop_missing", stop=stop, params={"stop": stop})
    for stop, times in told.items():
        if stop not in asked.stops:
            yield Breach(code="stop_unknown", stop=stop, params={"stop": stop})
        elif times > 1:
            yield Breach(code="stop_twice", stop=stop, params={"stop": stop, "times": times})


def _each_shift_once(asked: _Asked, plan: Plan) -> Iterator[Breach]:
    """Nobody drives twice on a day, on a day off, or without being a team of the problem."""
    for (team, day), times in Counter((route.team, route.day) for route in plan.routes).items():
        where = {"team": team, "day": day}
        if team not in asked.teams or not 1 <= day <= len(asked.problem.days):
            yield Breach(code="shift_unknown", params=where, team=team, day=day)
            continue
        if times > 1:
            yield Breach(code="shift_twice", params=where, team=team, day=day)
        if asked.teams[team].days and day not in asked.teams[team].days:
            yield Breach(code="day_off", params=where, team=team, day=day)


def _villages(asked: _Asked, routes: Sequence[Route]) -> Iterator[Breach]:
    """A village belongs to one team a day, unless it may be split; what has happened doesn't bind the rest."""
    if asked.problem.split_villages:
        return
    teams: dict[tuple[str, int], set[str]] = defaultdict(set)
    named: dict[str, str] = {}
    for route in routes:
        for call in route.calls:
            stop = asked.stops.get(call.stop)
            if stop and stop.village and not call.done:
                teams[stop.village, route.day].add(route.team)
                named[stop.village] = stop.village_name or stop.village
    for (village, day), those in teams.items():
        if len(those) > 1:
            params = {"village": named[village], "day": day, "teams": sorted(those)}
            yield Breach(code="village_torn", params=params, day=day)


def _locks(asked: _Asked, plan: Plan) -> Iterator[Breach]:
    """What a person has fixed holds; done calls are beyond it."""
    where = {call.stop: (route, at) for route in plan.routes for at, call in enumerate(route.calls)}
    for lock in asked.problem.locks:
        if lock.stop not in where:
            if lock.keep:
                yield Breach(code="lock_keep", params={"stop": lock.stop}, stop=lock.stop)
            continue
        route, at = where[lock.stop]
        if not route.calls[at].done:
            yield from _lock(lock, route, at)


def _lock(lock: Lock, route: Route, at: int) -> Iterator[Breach]:
    broken = {
        "lock_team": lock.team not in ("", route.team),
        "lock_day": lock.day not in (0, route.day),
        "lock_not_day": lock.not_day == route.day,
        "lock_first": lock.position == "first" and not all(call.done for call in route.calls[:at]),
        "lock_last": lock.position == "last" and at < len(route.calls) - 1,
    }
    values = {"stop": lock.stop, "team": lock.team, "day": lock.not_day or lock.day}
    for code, so in broken.items():
        if so:
            yield Breach(code=code, params=values, stop=lock.stop, team=route.team, day=route.day)


def _figures(asked: _Asked, plan: Plan) -> Iterator[Breach]:
    """The totals are the sums of what they total."""
    called = [asked.stops[call.stop] for route in plan.routes for call in route.calls if call.stop in asked.stops]
    calls = [call for route in plan.routes for call in route.calls]
    worked = dict.fromkeys((team.id for team, _ in asked.problem.shifts()), 0)
    for route in plan.routes:
        worked[route.team] = worked.get(route.team, 0) + _worked(route)
    longest = max(worked.values(), default=0)
    spread = 100 * (longest - min(worked.values())) / longest if longest else 0.0
    right = {
        "stops": len(calls),
        "left_out": len(plan.left_out),
        "villages": len({stop.village for stop in called} - {""}),
        "villages_in_all": len({stop.village for stop in asked.problem.stops} - {""}),
        "priority": sum(stop.priority for stop in called),
        "travel_s": sum(call.leg_s for call in calls) + sum(route.back_leg_s for route in plan.routes),
        "distance_m": sum(call.leg_m for call in calls) + sum(route.back_leg_m for route in plan.routes),
        "service_s": sum(call.leave_s - call.begin_s for call in calls),
        "wait_s": sum(call.wait_s for call in calls),
        "working_s": sum(worked.values()),
    }
    for figure, value in right.items():
        said = getattr(plan.figures, figure)
        if said != value:
            yield Breach(code="figure_wrong", params={"figure": figure, "said": said, "right": value})
    if abs(plan.figures.spread_percent - spread) > 0.1:  # noqa: PLR2004 - it may be rounded to a tenth
        params = {"figure": "spread_percent", "said": plan.figures.spread_percent, "right": round(spread, 1)}
        yield Breach(code="figure_wrong", params=params)


def _worked(route: Route) -> int:
    return route.back_s - route.leave_s - (route.lunch.end_s - route.lunch.begin_s if route.lunch else 0)


def _route(asked: _Asked, route: Route) -> Iterator[Breach]:
    """What one route has wrong, in the order of the day."""
    team = asked.teams[route.team]
    found = [*_allowed(asked, route, team)]
    if route.calls or route.back_leg_s or route.back_leg_m or route.lunch or route.back_s != route.leave_s:
        found += [*_legs(asked, route, team), *_clock(asked, route), *_shift(route, team), *_lunch(route, team)]
    for breach in found:
        yield Breach(code=breach.code, params=breach.params, stop=breach.stop, team=route.team, day=route.day)


def _allowed(asked: _Asked, route: Route, team: Team) -> Iterator[Breach]:
    """Skills, teams and days of each call, the bound on stops, and that what has happened stands first."""
    if team.most_stops is not None and len(route.calls) > team.most_stops:
        over = len(route.calls) - team.most_stops
        yield Breach(code="too_many_stops", params={"team": team.id, "most": team.most_stops, "over": over})
    for before, call in pairwise(route.calls):
        if call.done and not before.done:
            yield Breach(code="done_order", params={"stop": call.stop}, stop=call.stop)
    for call in route.calls:
        stop = asked.stops.get(call.stop)
        if call.done or stop is None:
            continue
        params = {"stop": stop.id, "team": team.id, "day": route.day}
        if stop.skill and stop.skill not in team.skills:
            yield Breach(code="skill_missing", params=params | {"skill": stop.skill}, stop=stop.id)
        if stop.teams and team.id not in stop.teams:
            yield Breach(code="team_not_allowed", params=params, stop=stop.id)
        if stop.days and route.day not in stop.days:
            yield Breach(code="day_not_allowed", params=params, stop=stop.id)


def _legs(asked: _Asked, route: Route, team: Team) -> Iterator[Breach]:
    """Each leg is the matrix's between the sites that it joins."""
    sites = [team.start, *(call.stop for call in route.calls), team.end]
    said = [(call.leg_s, call.leg_m) for call in route.calls] + [(route.back_leg_s, route.back_leg_m)]
    frozen = [call.done for call in route.calls] + [bool(route.calls) and route.calls[-1].done]
    for (start, end), (said_s, said_m), done in zip(pairwise(sites), said, frozen, strict=True):
        if done:
            continue
        leg_s, leg_m = asked.leg(start, end)
        stop = end if end in asked.stops else start if start in asked.stops else ""
        if leg_s >= NEVER:
            yield Breach(code="no_way", params={"start": start, "end": end}, stop=stop)
        elif (said_s, said_m) != (leg_s, leg_m):
            params = {"start": start, "end": end, "said_s": said_s, "said_m": said_m, "leg_s": leg_s, "leg_m": leg_m}
            yield Breach(code="leg_wrong", params=params, stop=stop)


def _clock(asked: _Asked, route: Route) -> Iterator[Breach]:
    """Arriving, waiting, beginning and leaving follow from each other, by the legs as they are said."""
    at, frozen = route.leave_s, False
    for number, call in enumerate(route.calls):
        if call.done:
            if not at <= call.arrive_s <= call.begin_s <= call.leave_s:
                yield Breach(code="done_order", params={"stop": call.stop}, stop=call.stop)
        else:
            yield from _arriving(route, number, at, frozen=frozen)
            yield from _calling(asked, route, number)
        at, frozen = call.leave_s, call.done
    at, frozen = _after_lunch(route, len(route.calls), at, frozen=frozen)
    right = at + route.back_leg_s
    if route.back_s < right or (route.back_s > right and not frozen):
        yield Breach(code="back_wrong", params={"said_clock": route.back_s, "right_clock": right})


def _after_lunch(route: Route, leg: int, at: int, *, frozen: bool) -> tuple[int, bool]:
    """When a leg is set out on: behind the call before it, or behind lunch; whether that is known only from below."""
    lunch = route.lunch
    return (max(at, lunch.end_s) if lunch and lunch.after == leg and lunch.before_drive else at), frozen


def _arriving(route: Route, number: int, at: int, *, frozen: bool) -> Iterator[Breach]:
    """A call's arrival and waiting. Behind a call that has happened a team may set out later than it was done."""
    call, lunch = route.calls[number], route.lunch
    at, frozen = _after_lunch(route, number, at, frozen=frozen)
    right = at + call.leg_s
    if call.arrive_s < right or (call.arrive_s > right and not frozen):
        params = {"stop": call.stop, "said_clock": call.arrive_s, "right_clock": right}
        yield Breach(code="arrive_wrong", params=params, stop=call.stop)
    here = lunch is not None and lunch.after == number and not lunch.before_drive
    wait_s = call.begin_s - call.arrive_s - (lunch.end_s - lunch.begin_s if here and lunch else 0)
    if wait_s < 0:
        params = {"stop": call.stop, "said_clock": call.begin_s, "right_clock": call.begin_s - wait_s}
        yield Breach(code="begin_wrong", params=params, stop=call.stop)
    elif call.wait_s != wait_s:
        params = {"stop": call.stop, "said_s": call.wait_s, "right_s": wait_s}
        yield Breach(code="wait_wrong", params=params, stop=call.stop)


def _calling(asked: _Asked, route: Route, number: int) -> Iterator[Breach]:
    """A call's set-up, service and window."""
    call, stop = route.calls[number], asked.stops.get(route.calls[number].stop)
    if stop is None:
        return
    before = asked.stops.get(route.calls[number - 1].stop) if number else None
    together = before is not None and stop.spot != "" and before.spot == stop.spot
    setup_s = 0 if together else asked.problem.setup_s
    if call.setup_s != setup_s:
        params = {"stop": stop.id, "said_s": call.setup_s, "right_s": setup_s}
        yield Breach(code="setup_wrong", params=params, stop=stop.id)
    right = call.begin_s + setup_s + stop.service_s
    if call.leave_s != right:
        params = {"stop": stop.id, "said_clock": call.leave_s, "right_clock": right}
        yield Breach(code="leave_wrong", params=params, stop=stop.id)
    if stop.windows and not any(window.start_s <= call.begin_s <= window.end_s for window in stop.windows):
        yield _outside(call, stop)


def _outside(call: Call, stop: Stop) -> Breach:
    """A service that begins in no window: late for the last that has begun, or early for the first."""
    ends = [window.end_s for window in stop.windows if window.start_s <= call.begin_s]
    if ends:
        params = {"stop": stop.id, "late_s": call.begin_s - max(ends), "end_at": max(ends)}
        return Breach(code="window_missed", params=params, stop=stop.id)
    start = min(window.start_s for window in stop.windows)
    params = {"stop": stop.id, "early_s": start - call.begin_s, "start_at": start}
    return Breach(code="window_early", params=params, stop=stop.id)


def _shift(route: Route, team: Team) -> Iterator[Breach]:
    """No leaving before the shift begins, and back by its end."""
    begun = bool(route.calls) and route.calls[0].done
    over = bool(route.calls) and route.calls[-1].done
    if route.leave_s < team.day_start_s and not begun:
        params = {"said_at": route.leave_s, "start_at": team.day_start_s, "team": team.id}
        yield Breach(code="left_early", params=params)
    if route.back_s > team.day_end_s and not over:
        params = {"over_s": route.back_s - team.day_end_s, "end_at": team.day_end_s, "team": team.id}
        yield Breach(code="shift_over", params=params)


def _lunch(route: Route, team: Team) -> Iterator[Breach]:
    """Lunch where it is due and only there, as long and as early as the rule says, and standing."""
    rule, lunch = team.lunch, route.lunch
    done = sum(call.done for call in route.calls)
    free_s = route.calls[done - 1].leave_s if done else 0
    due = rule is not None and route.leave_s < rule.latest_s < route.back_s
    if lunch is None:
        if due and rule and not (done and (free_s > rule.latest_s or done == len(route.calls))):
            yield Breach(code="lunch_missing", params={"start_at": rule.earliest_s, "end_at": rule.latest_s})
    elif done and lunch.after < done:
        return
    elif rule is None or not (due or 0 < done == lunch.after):  # straight behind what has happened it may have been had
        yield Breach(code="lunch_undue")
    else:
        yield from _lunch_as_ruled(lunch.begin_s, lunch.end_s, rule, late=0 < done == lunch.after)
        yield from _lunch_standing(route)


def _lunch_as_ruled(begin: int, end: int, rule: LunchRule, *, late: bool) -> Iterator[Breach]:
    """Its time and length; who was held up beyond its latest beginning has it at once (``late``)."""
    if begin < rule.earliest_s or (begin > rule.latest_s and not late):
        params = {"said_at": begin, "start_at": rule.earliest_s, "end_at": rule.latest_s}
        yield Breach(code="lunch_time", params=params)
    if end - begin != rule.duration_s:
        yield Breach(code="lunch_length", params={"said_s": end - begin, "right_s": rule.duration_s})


def _lunch_standing(route: Route) -> Iterator[Breach]:
    """Between two services, not during one nor during a drive, nor when the day is over."""
    lunch, calls = route.lunch, route.calls
    if lunch is None:
        return
    free = None
    if 0 <= lunch.after <= len(calls):
        behind = calls[lunch.after - 1].leave_s if lunch.after else route.leave_s
        if lunch.after < len(calls):
            call = calls[lunch.after]
            free = (behind, call.arrive_s - call.leg_s) if lunch.before_drive else (call.arrive_s, call.begin_s)
        elif lunch.before_drive:
            free = behind, route.back_s - route.back_leg_s
    if free is None or not free[0] <= lunch.begin_s <= lunch.end_s <= free[1]:
        yield Breach(code="lunch_place", params={"said_at": lunch.begin_s})
