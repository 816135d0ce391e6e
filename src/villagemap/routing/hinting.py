"""One change, or two together, that make room for a stop left out: each proven by timing the route so changed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from villagemap.plans import Hint, Stop, Team
from villagemap.plans.plan import Params
from villagemap.routing.changes import ON_STOP, ON_TEAM, Change, changed
from villagemap.routing.schedule import Timed, Timetable
from villagemap.routing.standing import Need, Shift, Standing

MOST_EXTRA_S = 3 * 3600
"""A day isn't asked to be longer by more, nor to begin earlier by more than `MOST_EARLY_S`."""
MOST_EARLY_S = 2 * 3600
MOST_LATE_LUNCH_S = 2 * 3600
DAY_S = 24 * 3600
SHORTEST_S = 300
HINTS = 5
TRIES = 3
"""How many shifts one kind of change is tried on, the likeliest first."""
PAIRS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A stop tried in a shift at its best place: what forbids it (``needs``), and what the clock says.

    ``fault`` is "" where there is time; ``over_s`` is how long after the shift's end the team would be back.
    """

    shift: Shift
    at: int
    needs: tuple[Need, ...]
    fault: str
    params: Params
    over_s: int
    extra_s: int
    extra_m: int


def hints_of(standing: Standing, stop: Stop, cases: Sequence[Case]) -> tuple[Hint, ...]:
    """What would help a stop, one change before two, the smaller ones first; () where nothing so small does."""
    prover = _Prover(standing, stop)
    fits = [case for case in cases if not case.needs and not case.fault]
    if fits:
        return tuple(prover.proven((), case) for case in sorted(fits, key=_extra)[:1] if prover.proves((), case))
    found = _firsts(prover, _singles(prover, cases))
    if len(found) < HINTS:
        found += _one(_another_day(prover))
    if not found:
        found = _firsts(prover, _pairs(prover, cases))[:PAIRS]
    return tuple(found[:HINTS])


def _firsts(prover: "_Prover", ways: Iterator[tuple[str, Case, Callable[[], list[Change] | None]]]) -> list[Hint]:
    """The first proven change of each kind, trying each kind on so many shifts."""
    found: dict[str, Hint] = {}
    tried: dict[str, int] = {}
    for kind, case, way in ways:
        if kind in found or tried.get(kind, 0) >= TRIES:
            continue
        tried[kind] = tried.get(kind, 0) + 1
        changes = way()
        if changes is not None and prover.proves(changes, case):
            found[kind] = prover.proven(changes, case)
    return list(found.values())


def _one(found: Iterator[Hint]) -> list[Hint]:
    first = next(found, None)
    return [first] if first else []


def _extra(case: Case) -> tuple[int, int, Shift]:
    return case.over_s, case.extra_s, (case.shift[0], case.shift[1])


def _singles(prover: "_Prover", cases: Sequence[Case]) -> Iterator[tuple[str, Case, Callable[[], list[Change] | None]]]:
    """Single changes, the likeliest shifts first: time where only time is short, a permission where only that is."""
    for case in sorted(cases, key=_extra):
        if not case.needs:
            for kind, way in TIME.get(case.fault, {}).items():
                yield kind, case, partial(_with, (), way, prover, case)
        elif len(case.needs) == 1 and not case.fault and case.needs[0].change:
            change = case.needs[0].change
            yield change[0], case, partial(list[Change], [change])


def _pairs(prover: "_Prover", cases: Sequence[Case]) -> Iterator[tuple[str, Case, Callable[[], list[Change] | None]]]:
    """Two changes: two permissions, a permission and time, or time on two sides."""
    for case in sorted(cases, key=_extra):
        given = [need.change for need in case.needs if need.change]
        if len(given) < len(case.needs) or len(given) > 2:  # noqa: PLR2004 - two together, no more
            continue
        if len(given) == 2 and not case.fault:  # noqa: PLR2004 - as above
            yield f"{given[0][0]}+{given[1][0]}", case, partial(list[Change], given)
        elif len(given) == 1 and case.fault:
            for kind, way in TIME.get(case.fault, {}).items():
                name = f"{given[0][0]}+{kind}"
                yield name, case, partial(_with, given, way, prover, case)
        elif not given and case.fault in TIME:
            for kind, both in TIME_TWICE[case.fault].items():
                yield kind, case, partial(both, prover, case)


def _with(given: Sequence[Change], way: "Way", prover: "_Prover", case: Case) -> list[Change] | None:
    """What is given and a way's change; None where it has none."""
    change = way(prover, case)
    return None if change is None else [*given, change]


class _Prover:
    """Times one stop's insertion under changes."""

    def __init__(self, standing: Standing, stop: Stop) -> None:
        self.standing, self.stop = standing, stop

    def team(self, changes: Sequence[Change], shift: Shift) -> Team:
        """The shift's team with those changes that are about it."""
        team = self.standing.teams[shift[0]]
        for code, said in changes:
            if code in ON_TEAM and said["team"] == team.id:
                team = ON_TEAM[code](team, said)
        return team

    def order(self, case: Case) -> list[str]:
        """The shift's calls to come with the stop at its place."""
        order = self.standing.orders.get(case.shift, [])
        return [*order[: case.at], self.stop.id, *order[case.at :]]

    def timed(self, changes: Sequence[Change], case: Case) -> Timed:
        """The route with the stop, under the changes."""
        team, order = self.team(changes, case.shift), self.order(case)
        if not any(code in ON_STOP for code, _ in changes):
            return self.standing.timed(case.shift, order, team=team)
        return self._table(changes, case).time(team, case.shift[1], order, begun=self.standing.begun.get(case.shift))

    def _table(self, changes: Sequence[Change], case: Case) -> Timetable:
        """A timetable of this route's stops, so changed."""
        begun = self.standing.begun.get(case.shift)
        ids = [*self.order(case), *((call.stop for call in begun.calls) if begun else ())]
        stops = tuple(self.standing.stop[stop] for stop in ids)
        few = replace(self.standing.problem, stops=stops, locks=())
        return Timetable(changed(few, changes), self.standing.table.matrix)

    def proves(self, changes: Sequence[Change], case: Case) -> bool:
        """Whether the route with the stop can be driven under the changes."""
        return self.timed(changes, case).fault is None

    def proven(self, changes: Sequence[Change], case: Case) -> Hint:
        """The hint, with what its route then costs."""
        before = self.standing.routes.get(case.shift)
        begun = self.standing.begun.get(case.shift)
        after = case.at + (len(begun.calls) if begun else 0)
        extra_s = self.timed(changes, case).route.working_s - (before.working_s if before else 0)
        return Hint(changes=tuple(changes), team=case.shift[0], day=case.shift[1], after=after, extra_s=extra_s)

    def least(self, most: int, change: Callable[[int], Change], case: Case, *others: Change) -> Change | None:
        """The change by the fewest minutes that makes it possible, None where ``most`` don't."""
        if not self.proves([*others, change(most)], case):
            return None
        low, high = 0, most
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.proves([*others, change(middle)], case) else (middle, high)
        return change(high)


def _minutes(seconds: int) -> int:
    return -(-seconds // 60)


def _extend(prover: _Prover, case: Case, *others: Change) -> Change | None:
    """Be back later: by what the clock is over, rounded up to a minute."""
    team, day = prover.team(others, case.shift), case.shift[1]
    timed = prover.timed([*others, _longer(team, day, MOST_EXTRA_S // 60)], case)
    if timed.fault:
        return None
    minutes = _minutes(timed.route.back_s - team.day_end_s)
    longer = _longer(team, day, max(minutes, 1))
    return longer if team.day_end_s + minutes * 60 <= DAY_S else None


def _longer(team: Team, day: int, minutes: int) -> Change:
    until = team.day_end_s + minutes * 60
    return "extend_day", {"team": team.id, "day": day, "minutes": minutes, "until_at": until}


def _start_earlier(prover: _Prover, case: Case, *others: Change) -> Change | None:
    """Leave earlier, by the fewest minutes that do; a team that is on its way can't."""
    if case.shift in prover.standing.begun:
        return None
    team = prover.team(others, case.shift)
    most = min(MOST_EARLY_S, team.day_start_s) // 60

    def earlier(minutes: int) -> Change:
        start = team.day_start_s - minutes * 60
        return "start_earlier", {"team": team.id, "day": case.shift[1], "minutes": minutes, "from_at": start}

    return prover.least(most, earlier, case, *others) if most else None


def _shorten(prover: _Prover, case: Case) -> Change | None:
    """Spend less time at the stop, but no less than half."""
    most = (prover.stop.service_s - max(SHORTEST_S, prover.stop.service_s // 2)) // 60

    def shorter(minutes: int) -> Change:
        return "shorten_service", {"stop": prover.stop.id, "minutes": minutes}

    return prover.least(most, shorter, case) if most > 0 else None


def _widen(prover: _Prover, case: Case) -> Change | None:
    """Let the window that is missed end later, at a full minute."""
    timed = prover.timed((), case)
    if timed.fault is None or timed.fault.code != "window_missed":
        return None
    stop = prover.standing.stop[timed.fault.params["stop"]]
    begin = next(call.begin_s for call in timed.route.calls if call.stop == stop.id)
    window = max(stop.windows, key=lambda window: window.end_s)
    until = _minutes(begin) * 60
    return "widen_window", {"stop": stop.id, "from_at": window.start_s, "until_at": until}


def _later_lunch(prover: _Prover, case: Case) -> Change | None:
    """Let lunch begin later."""
    team = prover.standing.teams[case.shift[0]]
    rule = team.lunch
    if rule is None:
        return None

    def later(minutes: int) -> Change:
        return "later_lunch", {"team": team.id, "until_at": rule.latest_s + minutes * 60}

    return prover.least(MOST_LATE_LUNCH_S // 60, later, case)


def _extend_and_start(prover: _Prover, case: Case) -> list[Change] | None:
    """Be back as late as may be asked, and leave earlier for the rest."""
    team, day = prover.standing.teams[case.shift[0]], case.shift[1]
    room = min(MOST_EXTRA_S, DAY_S - team.day_end_s) // 60
    longer = _longer(team, day, room)
    earlier = _start_earlier(prover, case, longer) if room > 0 else None
    return [longer, earlier] if earlier else None


def _widen_and_extend(prover: _Prover, case: Case) -> list[Change] | None:
    wider = _widen(prover, case)
    longer = _extend(prover, case, wider) if wider else None
    return [wider, longer] if wider and longer else None


def _widen_and_start(prover: _Prover, case: Case) -> list[Change] | None:
    wider = _widen(prover, case)
    earlier = _start_earlier(prover, case, wider) if wider else None
    return [wider, earlier] if wider and earlier else None


Way = Callable[[_Prover, Case], Change | None]
TIME: dict[str, dict[str, Way]] = {
    "shift_over": {"extend_day": _extend, "start_earlier": _start_earlier, "shorten_service": _shorten},
    "window_missed": {"widen_window": _widen, "start_earlier": _start_earlier, "shorten_service": _shorten},
    "no_lunch": {"later_lunch": _later_lunch, "start_earlier": _start_earlier, "shorten_service": _shorten},
}
TIME_TWICE: dict[str, dict[str, Callable[[_Prover, Case], list[Change] | None]]] = {
    "shift_over": {"extend_day+start_earlier": _extend_and_start},
    "window_missed": {"widen_window+extend_day": _widen_and_extend, "widen_window+start_earlier": _widen_and_start},
    "no_lunch": {},
}


def _another_day(prover: _Prover) -> Iterator[Hint]:
    """One more shift: a team on a day that it has off, or else one more day."""
    problem, stop = prover.standing.problem, prover.stop
    new = len(problem.days) + 1
    off = [(team, day) for day in range(1, new) for team in problem.teams if team.days and day not in team.days]
    for team, day in off:
        yield from _granted(prover, "extra_shift", team, day)
    if problem.days and not stop.days:
        for team in problem.teams:
            if not team.days:
                yield from _granted(prover, "extra_day", team, new)


def _granted(prover: _Prover, code: str, team: Team, day: int) -> Iterator[Hint]:
    """The hint of a new shift, where the stop may go there and comes back in time."""
    shift = (team.id, day)
    if shift in prover.standing.closed or prover.standing.needs(prover.stop, shift):
        return
    case = Case(shift=shift, at=0, needs=(), fault="", params={}, over_s=0, extra_s=0, extra_m=0)
    change: Change = (code, {"team": team.id, "day": day})
    if prover.proves((), case):
        yield prover.proven([change], case)
