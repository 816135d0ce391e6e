"""Every way to put any of many stops into one shift, at once: when the team would then be back, and by how much late.

The rules are those of `schedule`, carried in numpy over all stops and places together: three clocks run side by side,
without lunch, with it, and leaving only when none is due any more. So that what a proof says of a shift is said of
every place in it, for hundreds of stops in milliseconds. Tests hold it against `schedule` place by place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from villagemap.plans import NEVER, LunchRule, Stop, Team
from villagemap.routing.schedule import LATER, Timetable
from villagemap.routing.standing import Shift, Standing

Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Ends = Sequence[tuple[Whole | int, Whole | int]]
"""Windows in order: their starts and ends, for one stop or for many."""

DRIVE = 1 << 20
"""More than any detour in seconds that is driven: what ranks two ways that are back at one time."""


@dataclass(frozen=True, slots=True)
class Ways:
    """For m stops and each of k places in a shift, shape (m, k).

    ``back_s`` is when the team is back at the earliest, `LATER` where a window is missed or no time is left for lunch.
    ``late_s`` is by how much windows are missed in all, ``drive_s`` what driving is added; ``gap`` marks where there is
    no way.
    """

    back_s: Whole
    late_s: Whole
    drive_s: Whole
    gap: Flags

    def best(self, end_s: int, allowed: Flags) -> Whole:
        """Each stop's best place, shape (m,): the least driving of those that do; else the least late, soonest back."""
        free = allowed & ~self.gap
        fits = free & (self.back_s <= end_s)
        cost = np.where(fits, np.minimum(self.drive_s, DRIVE - 1) - 4 * DRIVE, self.back_s * 8)
        cost = np.where(~fits & (self.back_s >= LATER), (LATER + np.minimum(self.late_s, LATER)) * 16, cost)
        where: Whole = np.argmin(np.where(free, cost, np.iinfo(np.int64).max), axis=1)
        return where


class Visitors:
    """Stops as columns, ready to be put in somewhere."""

    def __init__(self, table: Timetable, stops: Sequence[Stop]) -> None:
        self.stops = stops
        self.row = np.array([table.row[stop.id] for stop in stops], np.intp)
        self.service_s = np.array([stop.service_s for stop in stops], np.int64)
        self.spot = np.array([stop.spot for stop in stops], np.str_)
        most = max((len(stop.windows) for stop in stops), default=0)
        always = (0, 2 * LATER)
        ordered = [sorted((window.start_s, window.end_s) for window in stop.windows) or [always] for stop in stops]
        padded = np.array([[*ends, *[ends[-1]] * (most - len(ends))] for ends in ordered], np.int64)
        self.windows: Ends = [(padded[:, n, 0, None], padded[:, n, 1, None]) for n in range(most)]


def ways(standing: Standing, shift: Shift, visitors: Visitors, *, instead: bool = False) -> Ways:
    """All ways to put each visitor behind 0, 1, … of the shift's calls to come, or ``instead`` of each of these."""
    return _Day(standing, shift, visitors).run(2 if instead else 1)


class _Day:
    """One shift as figures: n calls to come, n + 1 legs, and the clocks behind each call."""

    def __init__(self, standing: Standing, shift: Shift, visitors: Visitors) -> None:
        table, team, begun = standing.table, standing.teams[shift[0]], standing.begun.get(shift)
        self.visitors, self.setup_s = visitors, standing.problem.setup_s
        self.order = [standing.stop[stop] for stop in standing.orders[shift]]
        before = begun.calls[-1].stop if begun and begun.calls else None
        self.before = standing.stop[before] if before else None
        self.stays = not self.order and not before
        self.start = begun.free_s if begun else team.day_start_s
        left = begun.leave_s if begun and begun.calls else None
        self.rule = _rule(team, self.start, left, had=bool(begun and begun.lunch))
        self.gone = left is not None
        sites = [before or team.start, *(stop.id for stop in self.order), team.end]
        self.legs = [table.leg_s(*pair) for pair in pairwise(sites)]
        rows = np.array([table.row[site] for site in sites], np.intp)
        duration = table.matrix.duration_s
        self.there: Whole = duration[rows[:-1, None], visitors.row[None, :]]
        self.onward: Whole = duration[visitors.row[:, None], rows[None, 1:]].T
        works = [table.work_s(stop.id, last.id if last else None) for stop, last in self._pairs()]
        self.works = [*works, 0]
        self.windows: list[Ends] = [sorted((w.start_s, w.end_s) for w in stop.windows) for stop in self.order]

    def _pairs(self) -> list[tuple[Stop, Stop | None]]:
        return list(zip(self.order, [self.before, *self.order], strict=False))

    def run(self, step: int) -> Ways:
        """Lane j leaves the route behind its j-th call, calls, and goes on to call j + ``step``."""
        n, m = len(self.order), len(self.visitors.stops)
        lanes = n + 2 - step
        clock, late = np.empty((3, m, lanes), np.int64), np.zeros((3, m, lanes), np.int64)
        drive, gap = np.zeros((m, lanes), np.int64), np.zeros((m, lanes), np.bool_)
        on, on_late = self._started(), np.array([0, LATER, 0], np.int64)[:, None, None]
        behind = []
        for i in range(n + 2):
            behind.append((on, on_late))
            lane = i - step
            if lane >= 0:
                come, come_late = self._called(lane, *behind[lane])
                base = 0 if self.stays else sum(self.legs[lane:i])
                drive[:, lane] = self.there[lane] + self.onward[i - 1] - base
                gap[:, lane] = (self.there[lane] >= NEVER) | (self.onward[i - 1] >= NEVER)
                clock[:, :, lane], late[:, :, lane] = come[:, :, 0], come_late[:, :, 0]
                legs = np.full((m, lane + 1), self.legs[i - 1], np.int64)
                legs[:, lane] = self.onward[i - 1]
                live = clock[:, :, : lane + 1], late[:, :, : lane + 1]
                works = self._works(i - 1, lane) if i <= n else 0
                ends = self.windows[i - 1] if i <= n else []
                clock[:, :, : lane + 1], late[:, :, : lane + 1] = self._leg(*live, legs, ends, works, last=i > n)
            if i and i <= n:
                on, on_late = self._leg(on, on_late, self.legs[i - 1], self.windows[i - 1], self.works[i - 1])
                behind[-1] = (on, on_late)
        return self._ways(clock, late, drive, gap)

    def _started(self) -> Whole:
        noon = max(self.start, self.rule.latest_s) if self.rule and not self.gone else LATER
        return np.array([self.start, LATER, noon], np.int64)[:, None, None]

    def _called(self, lane: int, clock: Whole, late: Whole) -> tuple[Whole, Whole]:
        """Clocks behind a visitor's call, that follows the lane's; shape (3, m, 1)."""
        last = self.order[lane - 1] if lane else self.before
        spot = last.spot if last else ""
        shared = (self.visitors.spot == spot) & (spot != "")
        works = np.where(shared, 0, self.setup_s) + self.visitors.service_s
        return self._leg(clock, late, self.there[lane][:, None], self.visitors.windows, works[:, None])

    def _works(self, call: int, lane: int) -> Whole:
        """Set-up and service of a call in every lane: in the last it follows the visitor."""
        stop = self.order[call]
        works = np.full((len(self.visitors.stops), lane + 1), self.works[call], np.int64)
        shared = (self.visitors.spot == stop.spot) & (stop.spot != "")
        works[:, lane] = np.where(shared, 0, self.setup_s) + stop.service_s
        return works

    def _leg(
        self, clock: Whole, late: Whole, leg: Whole | int, ends: Ends, works: Whole | int, *, last: bool = False
    ) -> tuple[Whole, Whole]:
        """Lunch or not, the drive, lunch or not, and the call."""
        clock, late = self._eaten(clock, late)
        clock = clock + leg
        late = np.broadcast_to(late, clock.shape)
        if last:
            return clock, late
        return _served(*self._eaten(clock, late), ends, works)

    def _eaten(self, clock: Whole, late: Whole) -> tuple[Whole, Whole]:
        if self.rule is None:
            return clock, late
        begin = np.maximum(clock[0], self.rule.earliest_s)
        end = begin + self.rule.duration_s
        sooner = (late[0] < late[1]) | ((late[0] == late[1]) & (end < clock[1]))
        better = (begin <= self.rule.latest_s) & sooner
        fed = np.where(better, end, clock[1])
        fed_late = np.where(better, late[0], late[1])
        return np.stack([clock[0], fed, clock[2]]), np.stack([late[0], fed_late, late[2]])

    def _ways(self, clock: Whole, late: Whole, drive: Whole, gap: Flags) -> Ways:
        """The clock that counts: none is due, or the better of having lunch and of leaving after it."""
        rule = self.rule
        back, missed = clock[0], late[0]
        if rule and (self.gone or self.start < rule.latest_s):
            strict = np.where(late > 0, LATER, clock)
            fed = (strict[1] < strict[2]) | ((strict[1] == strict[2]) & (late[1] < late[2]))
            then, then_late = np.where(fed, clock[1], clock[2]), np.where(fed, late[1], late[2])
            due = np.where(late[0] > 0, LATER, clock[0]) > rule.latest_s
            back, missed = np.where(due, then, back), np.where(due, then_late, missed)
        return Ways(np.where((missed > 0) | (back >= NEVER), LATER, back), missed, drive, gap)


def _rule(team: Team, start: int, left: int | None, *, had: bool) -> LunchRule | None:
    """The rule of lunch for what is still to come; a team that has been held up beyond it has it at once."""
    rule = None if had else team.lunch
    if rule is None or left is None:
        return rule
    return replace(rule, latest_s=max(rule.latest_s, start)) if left < rule.latest_s else None


def _served(clock: Whole, late: Whole, ends: Ends, works: Whole | int) -> tuple[Whole, Whole]:
    """Clocks behind a call that begins in its first window from then on, or late."""
    if not ends:
        return clock + works, late
    begin = clock
    missed = np.maximum(clock - ends[-1][1], 0)
    for start, end in reversed(ends):
        begin = np.where(clock <= end, np.maximum(clock, start), begin)
    return begin + works, late + missed
