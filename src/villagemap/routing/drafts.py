"""A plan while it is worked on: stops in order by shift, mended, filled and shortened one at a time.

What the search found is put to the test of the real day here: rules, one team a day for a village, lunch, windows.
Nothing here looks at the clock, so that the same routes always become the same plan.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from villagemap.plans import NEVER, Route
from villagemap.routing.schedule import Timed
from villagemap.routing.terms import Terms, Worth

TRIES = 20
IN_VAIN = 300
SHUFFLE_UP_TO = 40
REUNITED = 40
PRESSED, NEAREST = 12, 6
MOVING_ROUNDS, MOVED_TO = 4, 8


class Draft:
    """Stops in order by number of shift; ``out`` are those nowhere, in the problem's order."""

    def __init__(self, terms: Terms, routes: dict[int, list[str]] | None = None) -> None:
        self.terms = terms
        self.routes: list[list[str]] = [[] for _ in terms.shifts]
        self._timed: dict[tuple[int, tuple[str, ...]], Timed] = {}
        self._driven: dict[tuple[int, tuple[str, ...]], int] = {}
        self._home: dict[str, int] = {}
        wanted = [(shift, stop) for shift, stops in (routes or {}).items() for stop in stops if stop in terms.stop]
        claims: dict[tuple[str, int], Counter[int]] = defaultdict(Counter)
        for shift, stop in wanted:
            claims[terms.stop[stop].village, terms.shifts[shift][1]][shift] += terms.prize(terms.stop[stop])
        for shift, stop in wanted:
            village, day = terms.stop[stop].village, terms.shifts[shift][1]
            claimed = village and not terms.problem.split_villages
            mine = not claimed or claims[village, day].most_common(1)[0][0] == shift
            if mine and stop not in self._home and self._may(stop, shift):
                self._put(stop, shift, len(self.routes[shift]))

    def copy(self) -> "Draft":
        """Another draft with the same routes."""
        twin = Draft(self.terms)
        twin.routes = [list(route) for route in self.routes]
        twin._home = dict(self._home)
        twin._timed, twin._driven = self._timed, self._driven
        return twin

    @property
    def out(self) -> list[str]:
        """Stops that are nowhere."""
        return [stop for stop in self.terms.stop if stop not in self._home]

    def time(self, shift: int, stops: Sequence[str] | None = None) -> Timed:
        """The times of a shift's route, or of another order for it."""
        order = tuple(self.routes[shift] if stops is None else stops)
        key = (shift, order)
        if key not in self._timed:
            team, day = self.terms.shifts[shift]
            self._timed[key] = self.terms.timetable.time(team, day, order)
        return self._timed[key]

    def written(self) -> tuple[Route, ...]:
        """The routes with calls, by day and team as the problem names them."""
        return tuple(self.time(shift).route for shift, stops in enumerate(self.routes) if stops)

    def travel_s(self, shift: int, stops: Sequence[str]) -> int:
        """Driving time of an order of stops."""
        if not stops:
            return 0
        key = (shift, tuple(stops))
        if key not in self._driven:
            team, _ = self.terms.shifts[shift]
            sites = [team.start, *stops, team.end]
            self._driven[key] = sum(self.terms.timetable.leg_s(*leg) for leg in pairwise(sites))
        return self._driven[key]

    def by_shift(self) -> dict[int, list[str]]:
        """The routes with calls, by number of shift."""
        return {shift: list(stops) for shift, stops in enumerate(self.routes) if stops}

    def driving_s(self) -> int:
        """Driving time of all routes."""
        return sum(self.travel_s(shift, stops) for shift, stops in enumerate(self.routes))

    def worth(self) -> Worth:
        """See `Terms.worth`."""
        return self.terms.worth(self._home, self.driving_s())

    def made(self, *, even: bool = False) -> "Draft":
        """The draft itself, mended, filled and shortened; ``even`` leaves villages with the teams they are with."""
        self.mend()
        self.fill()
        for shift in range(len(self.routes)):
            self.shorten(shift)
        self.fill()
        self._reunite()
        self._press_in()
        for _ in range(0 if even else MOVING_ROUNDS):
            if not self._move_about():
                break
            self.fill()
        return self

    def units(self, shift: int) -> list[list[str]]:
        """Stops of a route that go together: those of one village, others alone."""
        units: dict[str, list[str]] = {}
        for stop in self.routes[shift]:
            village = "" if self.terms.problem.split_villages else self.terms.stop[stop].village
            units.setdefault(village or f"\0{stop}", []).append(stop)
        return list(units.values())

    def _move_about(self) -> bool:
        """Less driving by moving villages from one route to another, one time each; whether there was any."""
        moved = False
        for shift in range(len(self.routes)):
            for unit in self.units(shift):
                moved |= self._move(unit, shift)
        return moved

    def _move(self, unit: Sequence[str], shift: int) -> bool:
        route = list(self.routes[shift])
        rest = [stop for stop in route if stop not in unit]
        saved = self.travel_s(shift, route) - self.travel_s(shift, rest)
        if saved <= 0 or not (not rest or self.fits(shift, rest)):
            return False
        self.set(shift, rest)
        others = [other for other in range(len(self.routes)) if other != shift]
        for extra, to, at in self.places(unit[0], others)[:MOVED_TO]:
            there = list(self.routes[to])
            longer = [*there[:at], *unit, *there[at:]]
            if extra >= saved:
                break
            if self.travel_s(to, longer) - self.travel_s(to, there) < saved:
                self.set(to, [])
                if self.takes(to, longer):
                    return True
                self.set(to, there)
        self.set(shift, route)
        return False

    def _press_in(self) -> None:
        """Put musts, and a stop of each village left out, where others give way to them, if that is worth more."""
        terms, counted = self.terms, self.terms.weights.village > 0
        left = [stop for stop in self.out if terms.open_to[stop]]
        urgent = [stop for stop in left if terms.stop[stop].must or stop in terms.kept]
        fresh = {terms.stop[stop].village: stop for stop in reversed(left) if counted and self._new_village(stop)}
        gained = False
        for stop in [*urgent[:PRESSED], *list(fresh.values())[:PRESSED]]:
            nearest = dict.fromkeys(shift for _, shift, _ in self.places(stop, terms.open_to[stop], any_length=True))
            for shift in list(nearest)[:NEAREST]:
                other = self.copy()
                if stop not in self._home and other.press(stop, shift) and other.worth() > self.worth():
                    self.set_all(other.by_shift())
                    gained = True
        if gained:
            self.fill()

    def press(self, stop: str, shift: int) -> bool:
        """Put a stop into a shift, leaving out what is worth least until all fits; False where it goes itself."""
        _, _, at = self.places(stop, [shift], any_length=True)[0]
        self._put(stop, shift, at)
        while stop in self._home and not self.fits(shift, self.routes[shift]):
            self.take_out(self._weakest(shift))
        return stop in self._home

    def _reunite(self) -> None:
        """Villages of which something is left out are put in anew, all of it at once, where that gains something."""
        homes = dict.fromkeys(self.terms.stop[stop].village for stop in self.out if self.terms.open_to[stop])
        torn = [v for v in homes if v and any(stop in self._home for stop in self.terms.villages[v])]
        for village in torn[:REUNITED]:
            other = self.copy()
            stops = self.terms.villages[village]
            left = {stop for stop in stops if stop not in self._home}
            for stop in set(stops) - left:
                other.take_out(stop)
            narrow = sorted(stops, key=lambda stop: (len(self.terms.open_to[stop]), -self.terms.stop[stop].priority))
            if all(other.insert(stop) or stop in left for stop in narrow) and other.worth() > self.worth():
                self.set_all(other.by_shift())

    # What may be where

    def _may(self, stop: str, shift: int) -> bool:
        """Whether rules and locks let a shift call at a stop, and no other team of that day is in its village."""
        if shift not in self.terms.open_to[stop]:
            return False
        village = self.terms.stop[stop].village
        if not village or self.terms.problem.split_villages:
            return True
        _, day = self.terms.shifts[shift]
        return not any(
            other != shift and self.terms.shifts[other][1] == day
            for other in {self._home[one] for one in self.terms.villages[village] if one in self._home}
        )

    def _in_place(self, stops: Sequence[str]) -> bool:
        position = self.terms.position
        if not position:
            return True
        return all(
            (position.get(stop) != "first" or at == 0) and (position.get(stop) != "last" or at == len(stops) - 1)
            for at, stop in enumerate(stops)
        )

    def fits(self, shift: int, stops: Sequence[str]) -> bool:
        """Whether a shift can drive this order."""
        return self._in_place(stops) and self.time(shift, stops).fault is None

    # Putting in and taking out

    def _put(self, stop: str, shift: int, at: int) -> None:
        self.routes[shift].insert(at, stop)
        self._home[stop] = shift

    def take_out(self, stop: str) -> None:
        """Leave a stop out."""
        self.routes[self._home.pop(stop)].remove(stop)

    def set(self, shift: int, stops: Sequence[str]) -> None:
        """Give a shift another order of stops, which are nowhere else."""
        for stop in self.routes[shift]:
            self._home.pop(stop, None)
        self.routes[shift] = list(stops)
        self._home |= dict.fromkeys(stops, shift)

    def set_all(self, routes: dict[int, list[str]]) -> None:
        """Give every shift its order of stops."""
        for shift in range(len(self.routes)):
            self.set(shift, [])
        for shift, stops in routes.items():
            self.set(shift, stops)

    def takes(self, shift: int, stops: Sequence[str]) -> bool:
        """Give an empty shift these stops, which are nowhere, if rules, locks and the day allow it."""
        if not all(self._may(stop, shift) for stop in stops) or (stops and not self.fits(shift, stops)):
            return False
        self.set(shift, stops)
        return True

    def places(self, stop: str, shifts: Iterable[int], *, any_length: bool = False) -> list[tuple[int, int, int]]:
        """(extra driving time, shift, how many calls before it) wherever a stop might go, cheapest first.

        Where a shift has no room for it isn't told of, but with ``any_length``.
        """
        leg_s, found = self.terms.timetable.leg_s, list[tuple[int, int, int]]()
        work = self._work_s(stop)
        for shift in shifts:
            if not self._may(stop, shift):
                continue
            team, _ = self.terms.shifts[shift]
            route = self.routes[shift]
            spare = self._spare(shift) - work
            if spare < 0 and not any_length:
                continue
            sites = [team.start, *route, team.end]
            for at in range(len(route) + 1):
                before, after = sites[at], sites[at + 1]
                whole = leg_s(before, after) if route else 0
                extra = leg_s(before, stop) + leg_s(stop, after) - whole
                if (extra <= spare or any_length) and extra < NEVER // 2:
                    found.append((extra, shift, at))
        return sorted(found)

    def _spare(self, shift: int) -> int:
        """A shift's length beyond driving, work and lunch: no more than that can come in."""
        route = self.time(shift).route
        work = sum(call.leave_s - call.begin_s for call in route.calls)
        return self.terms.room_s[shift] - route.travel_s - work

    def _work_s(self, stop: str) -> int:
        """A stop's least work: a set-up may be shared by those of its spot."""
        one = self.terms.stop[stop]
        return one.service_s if one.spot else one.service_s + self.terms.problem.setup_s

    def _fitting(self, stops: Sequence[str]) -> list[str]:
        """Those of the stops that some shift has room enough to drive to and serve, whatever else may forbid it."""
        if not stops:
            return []
        row, legs = self.terms.timetable.row, self.terms.matrix.duration_s
        rows = np.array([row[stop] for stop in stops], np.intp)
        work = np.array([self._work_s(stop) for stop in stops], np.int64)
        fitting = np.zeros(len(stops), bool)
        for shift, (team, _) in enumerate(self.terms.shifts):
            route = self.routes[shift]
            sites = np.array([row[site] for site in (team.start, *route, team.end)], np.intp)
            whole = legs[sites[:-1], sites[1:]] if route else np.zeros(1, np.int64)
            extra = legs[np.ix_(sites[:-1], rows)] + legs[np.ix_(rows, sites[1:])].T - whole[:, None]
            fitting |= extra.min(axis=0) + work <= self._spare(shift)
        return [stop for stop, fits in zip(stops, fitting, strict=True) if fits]

    def insert(self, stop: str, shifts: Iterable[int] | None = None) -> bool:
        """Put a stop in where it costs the least driving of what fits; False where it fits nowhere."""
        tried = self.places(stop, self.terms.open_to[stop] if shifts is None else shifts)
        for extra, shift, at in tried[:TRIES]:
            route = self.routes[shift]
            if not self._worth_it(stop, extra):
                return False
            if self.fits(shift, [*route[:at], stop, *route[at:]]):
                self._put(stop, shift, at)
                return True
        return False

    def _worth_it(self, stop: str, extra: int) -> bool:
        one = self.terms.stop[stop]
        if self.terms.always(one):
            return True
        return self.terms.prize(one) + (self.terms.weights.village if self._new_village(stop) else 0) > extra

    def _new_village(self, stop: str) -> bool:
        village = self.terms.stop[stop].village
        return bool(village) and not any(one in self._home for one in self.terms.villages[village])

    def fill(self) -> None:
        """Put in whatever of ``out`` fits, the worthiest first, the first of a village before its others."""
        prize, village = self.terms.prize, self.terms.weights.village
        while True:
            left = self._fitting([stop for stop in self.out if self.terms.open_to[stop]])
            left.sort(key=lambda stop: (-prize(self.terms.stop[stop]), self.terms.stop[stop].service_s))
            fresh, rest, seen = list[str](), list[str](), set[str]()
            for stop in left:
                home = self.terms.stop[stop].village
                first = home and home not in seen and self._new_village(stop)
                seen |= {home} if first else set()
                (fresh if first and village else rest).append(stop)
            urgent = [stop for stop in left if self.terms.stop[stop].must or stop in self.terms.kept]
            order = dict.fromkeys([*urgent, *fresh, *rest])
            if not self._put_in(order):
                return

    def _put_in(self, stops: Iterable[str]) -> bool:
        """Put in one stop after another until many in a row have not fitted; whether any did."""
        any_did, in_vain = False, 0
        for stop in stops:
            did = self.insert(stop)
            any_did, in_vain = any_did or did, 0 if did else in_vain + 1
            if in_vain == IN_VAIN:
                break
        return any_did

    # Mending and shortening

    def mend(self) -> None:
        """Make every route one that can be driven, by another order or by leaving out what is worth least."""
        for shift in range(len(self.routes)):
            self._replace_positions(shift)
            while self.routes[shift] and not self.fits(shift, self.routes[shift]):
                better = next((order for order in self._orders(shift) if self.fits(shift, order)), None)
                if better:
                    self.set(shift, better)
                else:
                    self.take_out(self._weakest(shift))

    def _replace_positions(self, shift: int) -> None:
        """First and last where locks want them; a second first or last is left out."""
        position, route = self.terms.position, list(self.routes[shift])
        for wanted in ("first", "last"):
            locked = [stop for stop in route if position.get(stop) == wanted]
            for stop in locked[1:]:
                self.take_out(stop)
                route.remove(stop)
        order = {"first": 0, "last": 2}
        self.set(shift, sorted(route, key=lambda stop: order.get(position.get(stop, ""), 1)))

    def _orders(self, shift: int) -> Iterator[list[str]]:
        """The route with one of its stops somewhere else."""
        route = self.routes[shift]
        if len(route) > SHUFFLE_UP_TO:
            return
        for at, stop in enumerate(route):
            rest = route[:at] + route[at + 1 :]
            for to in range(len(route)):
                if to != at:
                    yield [*rest[:to], stop, *rest[to:]]

    def _weakest(self, shift: int) -> str:
        """The stop to leave out: the least worthy whose absence mends the route, or the least worthy for its time."""
        route, terms = self.routes[shift], self.terms
        last = Counter(terms.stop[stop].village for stop in route)

        def loss(stop: str) -> tuple[float, int]:
            one = terms.stop[stop]
            village = terms.weights.village if one.village and last[one.village] == 1 else 0
            return (terms.prize(one) + village) / (one.service_s + 600), route.index(stop)

        ranked = sorted(route, key=loss)
        mending = (stop for stop in ranked if self.fits(shift, [one for one in route if one != stop]))
        return next(mending, ranked[0])

    def shorten(self, shift: int) -> None:
        """Less driving on one route: a stop elsewhere, a piece turned round, as long as that can be driven."""
        route = self.routes[shift]
        if not 1 < len(route) <= SHUFFLE_UP_TO:
            return
        length = self.travel_s(shift, route)
        for _ in range(5):
            shorter = sorted(
                (new, order) for order in self._turns(shift) if (new := self.travel_s(shift, order)) < length
            )
            chosen = next(((new, order) for new, order in shorter[:10] if self.fits(shift, order)), None)
            if chosen is None:
                return
            length, order = chosen
            self.set(shift, order)

    def _turns(self, shift: int) -> Iterator[list[str]]:
        yield from self._orders(shift)
        route = self.routes[shift]
        for first in range(len(route) - 1):
            for last in range(first + 2, len(route) + 1):
                yield route[:first] + route[first:last][::-1] + route[last:]
