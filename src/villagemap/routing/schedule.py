"""When a team that calls at stops in a given order leaves, arrives, begins, has lunch and is back.

Times are as good as the order allows: back as early as can be, then leaving as late as doesn't delay that. Waiting is
allowed anywhere. One forward and one backward pass with two states (lunch had or not) find them in O(n), because an
earlier arrival never makes a later time worse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from villagemap.plans import NEVER, Call, Lunch, LunchRule, Matrix, Problem, Route, Team, Window

LATER = 1 << 40
"""A time that never comes; no sum of legs reaches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a sequence can't be driven: the first that holds of

    ``no_way`` (start, end: sites), ``too_many_stops`` (over), ``no_lunch``: all would do if only nobody had to eat,
    ``window_missed`` (stop, late_s: the first that begins late), ``shift_over`` (over_s).
    """  # noqa: D400

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A route with its times, and what is wrong with it.

    With a fault the times are what they would be: begun late where a window is missed, without the lunch that
    there is no time for, and in no time where there is no way.
    """

    route: Route
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What of a route has happened: it left at ``leave_s``, made ``calls`` and can go on from the last at ``free_s``.

    Without calls it still stands at its start. Who is busy beyond the latest beginning of lunch without having had it
    has it as soon as ``free_s``.
    """

    leave_s: int
    free_s: int
    calls: tuple[Call, ...] = ()
    lunch: Lunch | None = None


@dataclass(frozen=True, slots=True)
class _Break:
    """Lunch that begins at ``begin_s`` before or after the drive of leg ``leg``."""

    leg: int
    before_drive: bool
    begin_s: int


@dataclass(frozen=True, slots=True)
class _Sequence:
    """Stops in order as figures: n stops, n + 1 legs; ``setups`` are part of ``works``."""

    stops: Sequence[str]
    legs_s: Sequence[int]
    legs_m: Sequence[int]
    works: Sequence[int]
    setups: Sequence[int]
    windows: Sequence[Sequence[Window]]


class Timetable:
    """Times routes of one problem on one matrix; keep it where many are timed."""

    def __init__(self, problem: Problem, matrix: Matrix) -> None:
        self.problem, self.matrix = problem, matrix
        self.row = matrix.index()
        self.stop = {stop.id: stop for stop in problem.stops}
        self._duration, self._distance = matrix.duration_s.data, matrix.distance_m.data
        self._windows = {stop.id: sorted(stop.windows, key=lambda window: window.start_s) for stop in problem.stops}

    def leg_s(self, start: str, end: str) -> int:
        """Seconds from site to site, `NEVER` where there is no way."""
        return self._duration[self.row[start], self.row[end]]

    def leg_m(self, start: str, end: str) -> int:
        """Metres from site to site, `NEVER` where there is no way."""
        return self._distance[self.row[start], self.row[end]]

    def work_s(self, stop: str, before: str | None) -> int:
        """Set-up, where one is due behind the stop ``before``, and service."""
        return self.setup_s(stop, before) + self.stop[stop].service_s

    def setup_s(self, stop: str, before: str | None) -> int:
        """Set-up of a stop behind another (None: the first of its route)."""
        spot = self.stop[stop].spot
        shared = spot != "" and before is not None and self.stop[before].spot == spot
        return 0 if shared else self.problem.setup_s

    def time(
        self, team: Team, day: int, stops: Sequence[str], *, leave_at: int | None = None, begun: Begun | None = None
    ) -> Timed:
        """See `time_route`."""
        calls = begun.calls if begun else ()
        if not stops and not calls:
            return Timed(route=_nothing(team, day))
        sequence, gap = self._sequence(team, stops, calls[-1].stop if calls else None)
        start = begun.free_s if begun else max(team.day_start_s, leave_at or 0)
        left = begun.leave_s if calls and begun else None
        had = begun.lunch if begun else None
        rule = None if had else team.lunch
        leave, lunch, fault = _best(sequence, start, left, rule, team.day_end_s)
        route = _written(team, day, sequence, leave, lunch)
        if begun and calls:
            route = _joined(route, begun)
        return Timed(route=route, fault=_first_fault(gap, sequence, team, route, fault))

    def _sequence(
        self, team: Team, stops: Sequence[str], before: str | None
    ) -> tuple[_Sequence, tuple[str, str] | None]:
        """The figures of an order, and the first leg that has no way (it takes no time then)."""
        sites = [before or team.start, *stops, team.end]
        pairs = list(pairwise(sites))
        legs = [(self.leg_s(*pair), self.leg_m(*pair)) for pair in pairs]
        gap = next((pair for pair, leg in zip(pairs, legs, strict=True) if leg[0] >= NEVER), None)
        if gap:
            legs = [(0, 0) if leg[0] >= NEVER else leg for leg in legs]
        setups = [self.setup_s(stop, last) for stop, last in zip(stops, [before, *stops], strict=False)]
        works = [setup + self.stop[stop].service_s for setup, stop in zip(setups, stops, strict=True)]
        seconds, metres = [leg[0] for leg in legs], [leg[1] for leg in legs]
        return _Sequence(stops, seconds, metres, works, setups, [self._windows[stop] for stop in stops]), gap


def time_route(
    problem: Problem,
    matrix: Matrix,
    team: Team,
    day: int,
    stops: Sequence[str],
    *,
    leave_at: int | None = None,
    begun: Begun | None = None,
) -> Timed:
    """Time a team's day in the order of ``stops`` (behind those that have ``begun``).

    Parameters
    ----------
    leave_at
        Don't leave before it (by itself not before the shift begins), seconds after midnight.
    begun
        What of the route has happened; it stands first in the route that comes back, with ``done`` set.

    Notes
    -----
    A day without calls doesn't leave its start. ``leave_s`` of a route whose lunch comes before its first drive is
    when that lunch begins. Lunch is had where it lets the team be back earliest; a team that is back as early if it
    leaves only at the latest beginning of lunch does that, and has none.
    """
    return Timetable(problem, matrix).time(team, day, stops, leave_at=leave_at, begun=begun)


def _best(
    sequence: _Sequence, start: int, left: int | None, rule: LunchRule | None, end: int
) -> tuple[int, _Break | None, str | None]:
    """When to leave, where to have lunch, and "window_missed" or "no_lunch" where that can't be helped.

    ``left`` is when a route that has begun left its start; it can't leave later any more. ``end`` is the shift's.
    """
    if left is not None and rule:
        rule = replace(rule, latest_s=max(rule.latest_s, start)) if left < rule.latest_s else None
    back = _back(sequence, start, strict=True)
    if rule is None or back <= rule.latest_s or (left is None and start >= rule.latest_s):
        if back >= LATER:
            return start, None, "window_missed"
        return (_latest_leave(sequence, back) if left is None else start), None, None
    fed = _with_lunch(sequence, start, rule, strict=True)[0]
    afternoon = _back(sequence, rule.latest_s, strict=True) if left is None else LATER
    if back <= end < min(fed, afternoon):
        return start, None, "no_lunch"
    if min(fed, afternoon) >= LATER:
        morning = _back(sequence, start, strict=False) <= rule.latest_s
        return start, None if morning else _with_lunch(sequence, start, rule, strict=False)[1], "window_missed"
    if afternoon <= fed:
        return _latest_leave(sequence, afternoon), None, None
    leave = _latest_leave_hungry(sequence, fed, rule) if left is None else start
    return leave, _with_lunch(sequence, leave, rule, strict=True)[1], None


def _begin(windows: Sequence[Window], at: int, *, strict: bool) -> int:
    """The first time from ``at`` on that lies in a window; where none does, `LATER`, or ``at`` if not strict."""
    for window in windows:
        if at <= window.end_s:
            return max(at, window.start_s)
    return LATER if windows and strict else at


def _back(sequence: _Sequence, at: int, *, strict: bool) -> int:
    """The earliest time to be back when leaving at ``at``, without lunch."""
    for leg, work, windows in zip(sequence.legs_s, sequence.works, sequence.windows, strict=False):
        at = _begin(windows, at + leg, strict=strict) + work
        if at >= LATER:
            return LATER
    return at + sequence.legs_s[-1]


def _with_lunch(sequence: _Sequence, at: int, rule: LunchRule, *, strict: bool) -> tuple[int, _Break | None]:
    """The earliest time to be back with lunch, and where it is had; (`LATER`, None) where it fits nowhere."""
    hungry, fed, lunch = at, LATER, None
    last = len(sequence.works)
    for leg, seconds in enumerate(sequence.legs_s):
        for before_drive in (True, False):
            begin = max(hungry, rule.earliest_s)
            place = before_drive or leg < last
            if place and begin <= rule.latest_s and begin + rule.duration_s < fed:
                fed, lunch = begin + rule.duration_s, _Break(leg, before_drive, begin)
            if before_drive:
                hungry, fed = hungry + seconds, fed + seconds
        if leg < last:
            windows, work = sequence.windows[leg], sequence.works[leg]
            hungry = _begin(windows, hungry, strict=strict) + work
            fed = _begin(windows, fed, strict=strict) + work
    return (fed, lunch) if lunch and fed < LATER else (LATER, None)


def _last_begin(windows: Sequence[Window], by: int) -> int:
    """The last time up to ``by`` that lies in a window; -`LATER` where none does."""
    return max((min(by, window.end_s) for window in windows if window.start_s <= by), default=-LATER if windows else by)


def _latest_leave(sequence: _Sequence, back: int) -> int:
    """The latest time to leave and be back at ``back``, without lunch."""
    by = back - sequence.legs_s[-1]
    for leg in range(len(sequence.works) - 1, -1, -1):
        by = _last_begin(sequence.windows[leg], by - sequence.works[leg]) - sequence.legs_s[leg]
    return by


def _latest_leave_hungry(sequence: _Sequence, back: int, rule: LunchRule) -> int:
    """The latest time to leave and be back at ``back``, having had lunch on the way."""
    hungry, fed = -LATER, back
    last = len(sequence.works)
    for leg in range(last, -1, -1):
        if leg < last:
            windows, work = sequence.windows[leg], sequence.works[leg]
            hungry, fed = (_last_begin(windows, by - work) for by in (hungry, fed))
            hungry = max(hungry, _lunch_by(fed, rule))
        hungry, fed = hungry - sequence.legs_s[leg], fed - sequence.legs_s[leg]
        hungry = max(hungry, _lunch_by(fed, rule))
    return hungry


def _lunch_by(by: int, rule: LunchRule) -> int:
    """The latest time to begin lunch and be done by ``by``; -`LATER` where there is none."""
    begin = min(rule.latest_s, by - rule.duration_s)
    return begin if begin >= rule.earliest_s else -LATER


def _written(team: Team, day: int, sequence: _Sequence, leave: int, lunch: _Break | None) -> Route:
    """The route that leaves at ``leave``, each call begun as early as can be, late where a window is missed."""
    at, calls = leave, list[Call]()
    for leg, stop in enumerate(sequence.stops):
        if lunch and lunch.leg == leg and lunch.before_drive:
            at = _end_of(lunch, team)
        at = arrive = at + sequence.legs_s[leg]
        fed_s = 0
        if lunch and lunch.leg == leg and not lunch.before_drive:
            at = _end_of(lunch, team)
            fed_s = at - lunch.begin_s
        begin = _begin(sequence.windows[leg], at, strict=False)
        at = begin + sequence.works[leg]
        calls.append(
            Call(
                stop=stop,
                leg_s=sequence.legs_s[leg],
                leg_m=sequence.legs_m[leg],
                arrive_s=arrive,
                begin_s=begin,
                leave_s=at,
                wait_s=begin - arrive - fed_s,
                setup_s=sequence.setups[leg],
            )
        )
    if lunch and lunch.leg == len(calls):
        at = _end_of(lunch, team)
    return Route(
        team=team.id,
        day=day,
        leave_s=leave,
        calls=tuple(calls),
        back_leg_s=sequence.legs_s[-1],
        back_leg_m=sequence.legs_m[-1],
        back_s=at + sequence.legs_s[-1],
        lunch=Lunch(begin_s=lunch.begin_s, end_s=_end_of(lunch, team), after=lunch.leg, before_drive=lunch.before_drive)
        if lunch
        else None,
    )


def _end_of(lunch: _Break, team: Team) -> int:
    return lunch.begin_s + (team.lunch.duration_s if team.lunch else 0)


def _nothing(team: Team, day: int) -> Route:
    """A day on which a team stays where it is."""
    at = team.day_start_s
    return Route(team=team.id, day=day, leave_s=at, calls=(), back_leg_s=0, back_leg_m=0, back_s=at)


def _joined(route: Route, begun: Begun) -> Route:
    """What comes next behind what has happened."""
    lunch = route.lunch and replace(route.lunch, after=route.lunch.after + len(begun.calls))
    done = tuple(replace(call, done=True) for call in begun.calls)
    return replace(route, leave_s=begun.leave_s, calls=done + route.calls, lunch=begun.lunch or lunch)


def _first_fault(
    gap: tuple[str, str] | None, sequence: _Sequence, team: Team, route: Route, code: str | None
) -> Fault | None:
    if gap:
        return Fault(code="no_way", params={"start": gap[0], "end": gap[1]})
    if team.most_stops is not None and len(route.calls) > team.most_stops:
        return Fault(code="too_many_stops", params={"over": len(route.calls) - team.most_stops})
    if code == "window_missed":
        calls = route.calls[len(route.calls) - len(sequence.stops) :]
        ends = [(call, max(w.end_s for w in ws)) for call, ws in zip(calls, sequence.windows, strict=True) if ws]
        stop, late = next((call.stop, call.begin_s - end) for call, end in ends if call.begin_s > end)
        return Fault(code=code, params={"stop": stop, "late_s": late})
    if code:
        return Fault(code=code)
    if route.back_s > team.day_end_s:
        return Fault(code="shift_over", params={"over_s": route.back_s - team.day_end_s})
    return None
