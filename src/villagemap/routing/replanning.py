"""A new plan in the middle of a day: what has happened stays, the rest keeps its order as far as it can."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter

import numpy as np

from villagemap.plans import NEVER, LeftOut, Matrix, Objective, Plan, Problem, Stop
from villagemap.routing.changelog import Change, changes_of, stability_of
from villagemap.routing.explaining import explain
from villagemap.routing.happened import Situation, frozen
from villagemap.routing.insertion import DRIVE, Visitors, ways
from villagemap.routing.standing import Shift, Standing

__all__ = ["Change", "Replanned", "Situation", "replan"]

OTHER_TEAM_S = 600
"""Driving that another team must save to be given a stop; so much again for every day it comes later."""
OTHER_DAY_S = 1800
MOVE_S = 900
"""Driving that moving a stop of the plan must save."""
LONGER_S = 300
"""By how much a leg must take longer than planned for its stops to look for another place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanned:
    """The new plan, the problem that it answers (with the new stops), what changed, and how much stayed.

    ``stability`` is 1 where nothing that was still to come has changed, see `changelog.stability_of`.
    """

    problem: Problem
    plan: Plan
    changes: tuple[Change, ...]
    stability: float


def replan(problem: Problem, matrix: Matrix, plan: Plan, now: Situation, *, seconds: float = 1.5) -> Replanned:
    """Plan the rest of a day and the days after it anew, on a matrix that may have changed.

    Done calls and the stop under way are frozen with their times. What no longer fits is taken out, the least important
    first; that, what is new and what was left out before is put in where it costs least, and what is worth more may
    take another's place. Then such stops, and those whose way has become longer, are moved where that saves more
    driving than the change is worth. Every stop is in a route or left out with a reason afterwards. ``seconds`` bounds
    exchanging and moving; all else takes what it takes (well under a second for a county).
    """
    known = {stop.id for stop in problem.stops}
    problem = replace(problem, stops=(*problem.stops, *(stop for stop in now.new_stops if stop.id not in known)))
    end = perf_counter() + seconds
    rest = _Rest(problem, matrix, plan, now)
    rest.repair()
    rest.fill()
    rest.exchange(end)
    rest.improve(end)
    return rest.replanned()


class _Rest:
    """What is still to come, as it is planned anew."""

    def __init__(self, problem: Problem, matrix: Matrix, plan: Plan, now: Situation) -> None:
        self.problem, self.plan, self.now = problem, plan, now
        begun = frozen(problem, plan, now)
        gone = {call.stop for one in begun.values() for call in one.calls}
        closed = {(team.id, day) for team, day in problem.shifts() if day < now.day}
        closed |= {(team, now.day) for team in now.broken}
        self.standing = Standing(problem, matrix, plan, begun=begun, closed=closed)
        self.was = {
            shift: [stop for stop in order if stop not in gone] for shift, order in self.standing.orders.items()
        }
        for shift, order in self.was.items():
            self.standing.orders[shift] = [] if shift in closed else list(order)
            if shift[1] < now.day and shift in begun and not self.was[shift]:
                route = self.standing.routes[shift]
                self.standing.routes[shift] = replace(route, calls=begun[shift].calls)
            else:
                self.standing.put(shift, self.standing.orders[shift])
        self.home = {stop: shift for shift, order in self.was.items() for stop in order}
        on = {stop for order in self.standing.orders.values() for stop in order}
        self.pool = [stop for stop in problem.stops if stop.id not in gone | on]
        self.loose = {stop.id for stop in self.pool} | self._detoured()

    def _detoured(self) -> set[str]:
        """Stops to come at either end of a leg that takes clearly longer than it was planned."""
        found, table = set(), self.standing.table
        for route in self.plan.routes:
            for before, call in pairwise(route.calls):
                if call.leg_s + LONGER_S < table.leg_s(before.stop, call.stop) < NEVER:
                    found |= {before.stop, call.stop}
        return found

    # Worth

    def covered(self) -> set[str]:
        """Villages that are called at."""
        stops = [stop for order in self.standing.orders.values() for stop in order]
        stops += [call.stop for begun in self.standing.begun.values() for call in begun.calls]
        return {self.standing.stop[stop].village for stop in stops} - {""}

    def worth(self, stop: Stop, covered: set[str]) -> tuple[bool, bool, int, int]:
        """What is kept rather: locks to keep, musts, and then by the order of the objectives."""
        kept = any(lock.keep for lock in self.standing.locks.get(stop.id, []))
        cover = int(Objective.COVER in self.problem.objectives and stop.village not in covered | {""})
        ranks = cover, stop.priority
        asked = [one for one in self.problem.objectives if one in {Objective.COVER, Objective.PRIORITY}]
        first, second = ranks[::-1] if asked[:1] == [Objective.PRIORITY] else ranks
        return kept, stop.must, first, second

    # Steps

    def repair(self) -> None:
        """Take out what makes a route impossible, or may not be where it is, until all routes can be driven."""
        for shift in self.standing.shifts:
            self._expel(shift)
            order = self._ends_kept(shift)
            while order and self.standing.timed(shift, order).fault:
                order = self._without(shift, order)
            self.standing.put(shift, order)

    def _expel(self, shift: Shift) -> None:
        """Stops that a lock made since forbids their shift."""
        for stop in list(self.standing.orders[shift]):
            needs = {need.code for need in self.standing.needs(self.standing.stop[stop], shift)}
            if needs - {"too_many_stops"}:
                self.standing.orders[shift].remove(stop)
                self.loose.add(stop)
                self.pool.append(self.standing.stop[stop])

    def _ends_kept(self, shift: Shift) -> list[str]:
        """A shift's order with who is locked first or last there; of several that are, one."""
        order = list(self.standing.orders[shift])
        begun = self.standing.begun.get(shift)
        first = [stop for stop in order if self.standing.fixed(stop, "first")]
        last = [stop for stop in order if self.standing.fixed(stop, "last")]
        if first and not (begun and begun.calls):
            order.sort(key=lambda stop: stop != first[0])
        if last:
            order.sort(key=lambda stop: stop == last[-1])
        return order

    def _without(self, shift: Shift, order: Sequence[str]) -> list[str]:
        """The order without one stop: the least worth of those that cure it, or else the one that helps most."""
        covered = self.covered() - {self.standing.stop[stop].village for stop in order}
        found = []
        for at, stop in enumerate(order):
            rest = [*order[:at], *order[at + 1 :]]
            timed = self.standing.timed(shift, rest)
            worth = self.worth(self.standing.stop[stop], covered)
            cured = timed.fault is None
            gap = timed.fault is not None and timed.fault.code == "no_way"
            found.append((not cured, worth if cured else (gap, timed.route.back_s, *worth), at))
        at = min(found)[2]
        self.loose.add(order[at])
        self.pool.append(self.standing.stop[order[at]])
        return [*order[:at], *order[at + 1 :]]

    def fill(self) -> None:
        """Put in what fits, the most important first, and of those the one that loses most by waiting (regret)."""
        offers: dict[Shift, list[tuple[int, int]]] = {}
        stale = set(self.standing.shifts)
        while self.pool:
            visitors = Visitors(self.standing.table, self.pool)
            for shift in stale:
                offers[shift] = self._offers(shift, visitors)
            chosen = self._choice(offers)
            if chosen is None:
                return
            m, shift, at = chosen
            stop = self.pool.pop(m)
            for one in offers.values():
                one.pop(m)
            order = self.standing.orders[shift]
            self.standing.put(shift, [*order[:at], stop.id, *order[at:]])
            village = stop.village if not self.problem.split_villages else ""
            stale = {shift} | {one for one in offers if village and one[1] == shift[1]}

    def _choice(self, offers: Mapping[Shift, Sequence[tuple[int, int]]]) -> tuple[int, Shift, int] | None:
        """Who goes where next: number in the pool, shift and place; None where nobody fits anywhere."""
        covered, best = self.covered(), None
        for m, stop in enumerate(self.pool):
            costs = sorted((one[m][0], shift, one[m][1]) for shift, one in offers.items() if one[m][0] < DRIVE)
            if not costs:
                continue
            regret = (costs[1][0] if len(costs) > 1 else DRIVE) - costs[0][0]
            key = (self.worth(stop, covered), regret, -costs[0][0])
            if best is None or key > best[0]:
                best = key, (m, costs[0][1], costs[0][2])
        return best[1] if best else None

    def _offers(self, shift: Shift, visitors: Visitors) -> list[tuple[int, int]]:
        """For each stop the cost of its best place in a shift, `DRIVE` and more where there is none, and the place."""
        standing, end_s = self.standing, self.standing.teams[shift[0]].day_end_s
        found = ways(standing, shift, visitors)
        allowed = np.array([standing.places(stop.id, shift) for stop in visitors.stops], np.bool_)
        best = found.best(end_s, allowed)
        lanes = np.arange(len(best))
        fits = allowed[lanes, best] & ~found.gap[lanes, best] & (found.back_s[lanes, best] <= end_s)
        cost = np.where(fits, found.drive_s[lanes, best], DRIVE).tolist()
        offers = []
        for stop, drive, at in zip(visitors.stops, cost, best.tolist(), strict=True):
            barred = drive < DRIVE and bool(standing.needs(stop, shift))
            offers.append((DRIVE if barred or drive >= DRIVE else drive + self._change_s(stop, shift), at))
        return offers

    def _change_s(self, stop: Stop, shift: Shift) -> int:
        """What it costs to give a stop to a shift that isn't its own."""
        home = self.home.get(stop.id)
        if home is None:
            return OTHER_DAY_S * (shift[1] - self.now.day)
        return OTHER_TEAM_S * (home[0] != shift[0]) + OTHER_DAY_S * abs(shift[1] - max(home[1], self.now.day))

    def exchange(self, end: float) -> None:
        """Let what is worth more take the place of what is worth less, which may then go elsewhere."""
        covered = self.covered()
        for stop in sorted(self.pool, key=lambda stop: self.worth(stop, covered), reverse=True):
            found = self._replaceable(stop, self.covered()) if perf_counter() < end else None
            if found:
                shift, at = found
                order = self.standing.orders[shift]
                others = [one for one in self.pool if one.id != stop.id]
                self.loose.add(order[at])
                self.pool = [self.standing.stop[order[at]]]
                self.standing.put(shift, [*order[:at], stop.id, *order[at + 1 :]])
                self.fill()
                self.pool += others
        self.fill()  # an exchange may have left room for a third

    def _replaceable(self, stop: Stop, covered: set[str]) -> tuple[Shift, int] | None:
        """The call of the least worth below that of a stop that it could take the place of."""
        visitors, best = Visitors(self.standing.table, [stop]), None
        worth = self.worth(stop, covered)
        for shift in self.standing.shifts:
            order = self.standing.orders[shift]
            needs = {need.code for need in self.standing.needs(stop, shift)} - {"too_many_stops"}
            if not order or needs or any(lock.position for lock in self.standing.locks.get(stop.id, [])):
                continue
            found = ways(self.standing, shift, visitors, instead=True)
            fits = (found.back_s <= self.standing.teams[shift[0]].day_end_s) & ~found.gap
            for at in np.flatnonzero(fits[0]).tolist():
                if self.standing.locks.get(order[at]):
                    continue
                loss = self.worth(self.standing.stop[order[at]], covered - self._alone(order[at]))
                key = (loss, int(found.drive_s[0, at]), shift, at)
                if loss < worth and (best is None or key < best):
                    best = key
        return best and (best[2], best[3])

    def _alone(self, stop: str) -> set[str]:
        """The village of a stop, where no other stop of it is called at."""
        village = self.standing.stop[stop].village
        on = [one for order in self.standing.orders.values() for one in order]
        on += [call.stop for begun in self.standing.begun.values() for call in begun.calls]
        return set() if sum(self.standing.stop[one].village == village for one in on) > 1 else {village}

    def improve(self, end: float) -> None:
        """Move single stops where that saves more driving than `MOVE_S`, until none does or time is up.

        Only those that have lost their place anyway, or whose way has become longer: the rest keeps its order.
        """
        better = True
        while better:
            better = False
            for shift in self.standing.shifts:
                for stop in [stop for stop in self.standing.orders[shift] if stop in self.loose]:
                    if perf_counter() > end:
                        return
                    better |= self._moved(stop, shift)

    def _moved(self, stop: str, shift: Shift) -> bool:
        """Move one stop to where it costs clearly less, if there is such a place."""
        if self.standing.locks.get(stop):
            return False
        order = self.standing.orders[shift]
        at = order.index(stop)
        rest = [*order[:at], *order[at + 1 :]]
        saved = self.standing.routes[shift].travel_s - self.standing.timed(shift, rest).route.travel_s
        if saved <= MOVE_S or self.standing.timed(shift, rest).fault:
            return False
        self.standing.put(shift, rest)
        visitors = Visitors(self.standing.table, [self.standing.stop[stop]])
        offers = [(*self._offers(one, visitors)[0], one) for one in self.standing.shifts]
        cost, place, best = min(offers, key=lambda offer: (offer[0], offer[2]))
        if cost + MOVE_S >= saved + self._change_s(self.standing.stop[stop], shift):
            self.standing.put(shift, order)
            return False
        there = self.standing.orders[best]
        self.standing.put(best, [*there[:place], stop, *there[place:]])
        return True

    # The result

    def replanned(self) -> Replanned:
        """The plan, explained, with what changed."""
        for shift, begun in self.standing.begun.items():
            if begun.calls and not self.standing.orders[shift]:  # at home since, for all we know
                lunch_s = begun.lunch.end_s if begun.lunch else 0
                self.standing.begun[shift] = replace(begun, free_s=max(begun.calls[-1].leave_s, lunch_s))
                self.standing.put(shift, [])
        reasons = {left.stop: left for left in self.plan.left_out}
        left_out = [reasons.get(stop.id, LeftOut(stop=stop.id, code="")) for stop in self.pool]
        matrix = self.standing.table.matrix
        plan = explain(
            self.problem,
            matrix,
            replace(self.standing.written(self.plan, left_out), matrix=matrix.source()),
            begun=self.standing.begun,
            closed=self.standing.closed,
        )
        now = {shift: list(order) for shift, order in self.standing.orders.items()}
        new = [stop.id for stop in self.now.new_stops]
        return Replanned(
            problem=self.problem,
            plan=plan,
            changes=changes_of(self.was, now, new),
            stability=stability_of(self.was, now),
        )
