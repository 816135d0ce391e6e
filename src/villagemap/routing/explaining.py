"""Why a stop is left out: a code, a proof for every shift, and what would help; all of this very plan."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from villagemap.plans import NEVER, Hint, LeftOut, Matrix, Objective, Plan, Problem, Stop, Try
from villagemap.plans.plan import Params
from villagemap.routing.bounds import missing_team_days
from villagemap.routing.changes import changed
from villagemap.routing.hinting import Case, hints_of
from villagemap.routing.insertion import Visitors, Ways, Whole, ways
from villagemap.routing.schedule import LATER, Begun
from villagemap.routing.standing import Shift, Standing

PAIRS = 6_000
"""How many pairs of a stop and a shift are proven by default."""
KEPT = frozenset({"taken_out"})
"""Reasons that a person gave: they stay."""


def explain(
    problem: Problem,
    matrix: Matrix,
    plan: Plan,
    *,
    pairs: int = PAIRS,
    begun: Mapping[Shift, Begun] | None = None,
    closed: Collection[Shift] = frozenset(),
) -> Plan:
    """The plan with a reason, a proof and hints for each stop left out, and how much is missing for every village.

    Parameters
    ----------
    pairs
        Bounds the work: the most important stops get a proof for every shift and hints, until so many pairs of a stop
        and a shift are examined; for each of the others the likeliest shift alone is examined, and ``params`` say so
        by ``examined`` (shifts) of ``shifts``.
    begun, closed
        What has happened of shifts, and those that take nothing more, where the plan is made during the day.

    Notes
    -----
    Reasons, the first that holds: ``no_shift``, ``no_road``, ``no_skill``, ``not_allowed``, ``locked``, ``ruled_out``
    (by several of these), ``too_long``, ``window_never``, ``too_far`` (even alone in a shift), ``taken_out``, ``fits``,
    ``village_elsewhere``, ``full``, ``window_full``, ``less_worth``, ``no_time``, ``no_room``.
    """
    standing = Standing(problem, matrix, plan, begun=begun, closed=closed)
    known = [left for left in plan.left_out if left.stop in standing.stop]
    ranked = sorted(known, key=lambda left: _worth(standing.stop[left.stop]), reverse=True)
    room = max(1, pairs // max(1, len(standing.shifts)))
    told: dict[str, LeftOut] = {}
    for few, whole in ((ranked[:room], True), (ranked[room:], False)):
        if few:
            told |= _Examination(standing, few, whole=whole).told()
    left_out = tuple(told.get(left.stop, left) for left in plan.left_out)
    missing = plan.shortfall
    if Objective.COVER in problem.objectives and plan.figures.villages < plan.figures.villages_in_all:
        missing = missing_team_days(problem, matrix, plan)
    return replace(plan, left_out=left_out, shortfall=missing)


def apply_hint(problem: Problem, matrix: Matrix, plan: Plan, stop: str, hint: Hint) -> tuple[Problem, Plan]:
    """The problem with a hint's changes made, and the plan with the stop put in as the hint says."""
    new = changed(problem, hint.changes)
    standing = Standing(new, matrix, plan)
    shift = hint.team, hint.day
    done = standing.begun.get(shift)
    at = hint.after - (len(done.calls) if done else 0)
    order = standing.orders[shift]
    standing.put(shift, [*order[:at], stop, *order[at:]])
    return new, standing.written(plan, [left for left in plan.left_out if left.stop != stop])


def _worth(stop: Stop) -> tuple[bool, int]:
    return stop.must, stop.priority


@dataclass(frozen=True, slots=True)
class _Alone:
    """Of each stop in an otherwise empty shift: when it would be back, and whether a window is what forbids that."""

    back_s: int
    late: bool


class _Examination:
    """Some stops left out, tried in every shift (``whole``), or each in the likeliest."""

    def __init__(self, standing: Standing, left: Sequence[LeftOut], *, whole: bool) -> None:
        self.standing, self.left, self.whole = standing, left, whole
        self.stops = [standing.stop[one.stop] for one in left]
        self.shifts = standing.shifts
        self.cases: dict[str, list[Case]] = defaultdict(list)
        self.alone: dict[str, dict[Shift, _Alone]] = defaultdict(dict)
        self.instead: dict[str, list[str]] = defaultdict(list)

    def told(self) -> dict[str, LeftOut]:
        """Stop id to why it is left out."""
        visitors = Visitors(self.standing.table, self.stops)
        self._try_alone(visitors)
        if self.whole:
            for shift in self.shifts:
                self._try_shift(shift, self.stops, visitors)
                self._try_instead(shift, visitors)
        else:
            for shift, stops in self._likeliest(visitors).items():
                self._try_shift(shift, stops, Visitors(self.standing.table, stops))
        return {left.stop: self._told(left) for left in self.left}

    def _told(self, left: LeftOut) -> LeftOut:
        stop, cases = self.standing.stop[left.stop], self.cases[left.stop]
        code, params = (left.code, left.params) if left.code in KEPT else self._reason(stop)
        if not self.whole:
            params = {**params, "examined": len(cases), "shifts": len(self.shifts)}
        hints = hints_of(self.standing, stop, cases) if self.whole and code != "no_road" else ()
        proof = tuple(_written(self.standing, case) for case in sorted(cases, key=lambda case: case.shift[::-1]))
        return LeftOut(stop=left.stop, code=code, params=params, proof=proof, hints=hints)

    # Trying

    def _try_alone(self, visitors: Visitors) -> None:
        """Each stop in each shift as if nothing else were in it."""
        bare = Standing.__new__(Standing)
        bare.__dict__.update(self.standing.__dict__)
        bare.orders, bare.begun = {shift: [] for shift in self.shifts}, {}
        for shift in self.shifts:
            found = ways(bare, shift, visitors)
            for stop, back, late in zip(self.stops, found.back_s[:, 0], found.late_s[:, 0], strict=True):
                self.alone[stop.id][shift] = _Alone(int(back), bool(late > 0))

    def _likeliest(self, visitors: Visitors) -> dict[Shift, list[Stop]]:
        """The shift of the smallest detour for each stop, by shift; one that it may go to, if there is one."""
        best = np.full(len(self.stops), LATER)
        chosen = np.zeros(len(self.stops), np.int64)
        for at, shift in enumerate(self.shifts):
            detour = _detours(self.standing, shift, visitors)
            barred = [self._barred(stop, shift) for stop in self.stops]
            cost = detour + np.where(barred, NEVER, 0)
            chosen, best = np.where(cost < best, at, chosen), np.minimum(cost, best)
        found: dict[Shift, list[Stop]] = defaultdict(list)
        for stop, at in zip(self.stops, chosen.tolist(), strict=True):
            if self.shifts:
                found[self.shifts[at]].append(stop)
        return found

    def _barred(self, stop: Stop, shift: Shift) -> bool:
        team = self.standing.teams[shift[0]]
        return bool(
            (stop.skill and stop.skill not in team.skills)
            or (stop.teams and team.id not in stop.teams)
            or (stop.days and shift[1] not in stop.days)
        )

    def _try_shift(self, shift: Shift, stops: Sequence[Stop], visitors: Visitors) -> None:
        """Each stop at its best place in a shift."""
        found, team = ways(self.standing, shift, visitors), self.standing.teams[shift[0]]
        allowed = np.array([self.standing.places(stop.id, shift) for stop in stops], np.bool_)
        for m, at in enumerate(found.best(team.day_end_s, allowed).tolist()):
            self.cases[stops[m].id].append(self._case(shift, stops[m], m, at, found, free=bool(allowed[m].any())))

    def _case(self, shift: Shift, stop: Stop, m: int, at: int, found: Ways, *, free: bool) -> Case:
        standing = self.standing
        order, team = standing.orders[shift], standing.teams[shift[0]]
        before = standing.routes.get(shift)
        back_s, gap = int(found.back_s[m, at]), bool(found.gap[m, at])
        fault, over_s, extra_s, extra_m = "", 0, 0, 0
        params: Params = {}
        if not free:
            fault = "order"
        elif gap:
            fault = "no_way"
        else:
            timed = standing.timed(shift, [*order[:at], stop.id, *order[at:]], team=replace(team, most_stops=None))
            extra_s = timed.route.working_s - (before.working_s if before else 0)
            extra_m = timed.route.distance_m - (before.distance_m if before else 0)
            if timed.fault and back_s >= LATER:
                fault, params, over_s = timed.fault.code, timed.fault.params, LATER
            elif back_s > team.day_end_s:
                fault, over_s = "shift_over", back_s - team.day_end_s
                params = {"over_s": over_s}
        return Case(
            shift=shift,
            at=at,
            needs=tuple(standing.needs(stop, shift)),
            fault=fault,
            params=params,
            over_s=over_s,
            extra_s=extra_s,
            extra_m=extra_m,
        )

    def _try_instead(self, shift: Shift, visitors: Visitors) -> None:
        """Which calls of a shift each stop could take the place of."""
        order = self.standing.orders[shift]
        if not order:
            return
        found = ways(self.standing, shift, visitors, instead=True)
        fits = (found.back_s <= self.standing.teams[shift[0]].day_end_s) & ~found.gap
        for m, at in np.argwhere(fits).tolist():
            if not self._barred(self.stops[m], shift):
                self.instead[self.stops[m].id].append(order[at])

    # Reasons

    def _reason(self, stop: Stop) -> tuple[str, Params]:
        """The first reason that holds."""
        if not self.shifts:
            return "no_shift", {}
        if self._cut(stop):
            return "no_road", {}
        return self._barring(stop) or self._even_alone(stop) or self._in_this_plan(stop)

    def _cut(self, stop: Stop) -> bool:
        """Whether no team's start leads to the stop, or the stop to no team's end."""
        table = self.standing.table
        return all(
            table.leg_s(self.standing.teams[team].start, stop.id) >= NEVER
            or table.leg_s(stop.id, self.standing.teams[team].end) >= NEVER
            for team, _ in self.shifts
        )

    def _barring(self, stop: Stop) -> tuple[str, Params] | None:
        """What forbids every shift whatever else is in it."""
        barred = [
            {need.code for need in self.standing.needs(stop, shift)} & {"skill", "team", "day", "lock"}
            for shift in self.shifts
        ]
        if not all(barred):
            return None
        if all("skill" in those for those in barred):
            return "no_skill", {"skill": stop.skill}
        if all(those & {"team", "day"} for those in barred):
            return "not_allowed", {}
        return ("locked", {}) if all("lock" in those for those in barred) else ("ruled_out", {})

    def _even_alone(self, stop: Stop) -> tuple[str, Params] | None:
        """What forbids every shift that it may go to even if nothing else were in it."""
        teams = self.standing.teams
        open_to = [
            (shift, alone)
            for shift, alone in self.alone[stop.id].items()
            if not {need.code for need in self.standing.needs(stop, shift)} & {"skill", "team", "day", "lock"}
        ]
        if any(alone.back_s <= teams[shift[0]].day_end_s for shift, alone in open_to):
            return None
        longest = max(teams[shift[0]].day_end_s - teams[shift[0]].day_start_s for shift, _ in open_to)
        work_s = stop.service_s + self.standing.problem.setup_s
        if work_s > longest:
            return "too_long", {"service_s": work_s, "shift_s": longest}
        if all(alone.late for _, alone in open_to):
            return "window_never", {}
        return "too_far", {"service_s": work_s, "shift_s": longest}

    def _in_this_plan(self, stop: Stop) -> tuple[str, Params]:
        """What forbids the shifts that it may go to, beside what is in them."""
        cases = [
            case
            for case in self.cases[stop.id]
            if not {need.code for need in case.needs} & {"skill", "team", "day", "lock"}
        ]
        if any(not case.needs and not case.fault for case in cases):
            return "fits", {}
        first = Counter(case.needs[0].code if case.needs else case.fault for case in cases)
        if set(first) == {"village"}:
            return "village_elsewhere", {"village": stop.village_name or stop.village}
        if set(first) == {"too_many_stops"}:
            return "full", {}
        if set(first) == {"window_missed"}:
            return "window_full", {}
        if self.whole and self.instead[stop.id]:
            least = min(
                (self.standing.stop[one] for one in self.instead[stop.id]), key=lambda one: (_worth(one), one.id)
            )
            if _worth(least) > _worth(stop):
                return "less_worth", {"instead": least.id}
        return ("no_time", {}) if set(first) <= {"shift_over", "window_missed", "no_lunch"} else ("no_room", {})


def _detours(standing: Standing, shift: Shift, visitors: Visitors) -> Whole:
    """The least driving that each visitor adds to a shift, shape (m,); `NEVER` or more where there is no way."""
    table, team = standing.table, standing.teams[shift[0]]
    sites = [team.start, *standing.orders[shift], team.end]
    rows = np.array([table.row[site] for site in sites], np.intp)
    duration = table.matrix.duration_s
    there, onward = duration[rows[:-1, None], visitors.row], duration[visitors.row[:, None], rows[None, 1:]].T
    base = duration[rows[:-1], rows[1:]][:, None]
    least: Whole = (there + onward - np.minimum(base, NEVER)).min(axis=0)
    return least


def _written(standing: Standing, case: Case) -> Try:
    """A case as a plan tells it: by what forbids it first."""
    begun = standing.begun.get(case.shift)
    need = case.needs[0] if case.needs else None
    params = need.params if need else case.params
    return Try(
        team=case.shift[0],
        day=case.shift[1],
        after=case.at + (len(begun.calls) if begun else 0),
        extra_s=case.extra_s,
        extra_m=case.extra_m,
        code=need.code if need else case.fault or "fits",
        params=params,
    )
