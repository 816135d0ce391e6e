"""What a problem allows and what its stops are worth, worked out once: who may call where, and prizes in seconds.

Objectives are lexicographic in the person's order. The search weighs them: one second of driving costs 1, and what
stands before travel is worth ten usual detours and any trip there alone, and tens of times that for each step up
(village, must, keep); what stands behind travel is worth about one usual detour: it is had where it lies at hand.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from villagemap.plans import NEVER, Matrix, Objective, Problem, Stop, Team
from villagemap.routing.schedule import Timetable

DETOURS = 10
"""How many usual detours a stop of mean priority is worth, where priority stands before travel (1-3 units a point)."""
STEP = 30
"""How much more a village counts than a stop, a must than a village, a kept stop than a must."""

SAMPLE = 300
"""Of so many stops, evenly taken, a usual detour is the median."""

Worth = tuple[int, ...]
Seconds = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Weights:
    """Seconds of driving that a thing is worth: a priority of 1, any stop at all, a village, a must, a kept stop."""

    point: float
    stop: int
    village: int
    must: int
    kept: int


class Terms:
    """A problem's rules by stop and shift; shifts are known by their number in ``shifts``."""

    def __init__(self, problem: Problem, matrix: Matrix) -> None:
        self.problem, self.matrix = problem, matrix
        self.timetable = Timetable(problem, matrix)
        self.stop: dict[str, Stop] = {stop.id: stop for stop in problem.stops}
        self.shifts: list[tuple[Team, int]] = problem.shifts()
        self.villages: dict[str, list[str]] = defaultdict(list)
        for stop in problem.stops:
            self.villages[stop.village].append(stop.id)
        self.kept = {lock.stop for lock in problem.locks if lock.keep}
        self.position = {lock.stop: lock.position for lock in problem.locks if lock.position}
        self.room_s = [team.day_end_s - team.day_start_s - lunch_s(team) for team, _ in self.shifts]
        self._reach = _Reach(self)
        self.open_to = self._open()
        self.weights = self._weighed()

    def _open(self) -> dict[str, frozenset[int]]:
        """The shifts that may call at each stop: rules, locks, a way there and back, and time enough for it alone."""
        locks = {stop.id: [lock for lock in self.problem.locks if lock.stop == stop.id] for stop in self.problem.stops}
        return {
            stop.id: frozenset(
                number
                for number, (team, day) in enumerate(self.shifts)
                if (not stop.skill or stop.skill in team.skills)
                and (not stop.teams or team.id in stop.teams)
                and (not stop.days or day in stop.days)
                and all(
                    lock.team in ("", team.id) and lock.day in (0, day) and lock.not_day != day
                    for lock in locks[stop.id]
                )
                and self._reach.fits(team, stop)
            )
            for stop in self.problem.stops
        }

    def _weighed(self) -> Weights:
        wanted = [self.stop[stop] for stop, shifts in self.open_to.items() if shifts]
        if not wanted:
            return Weights(1.0, 1, 1, 1, 1)
        detour = _usual_detour(self.matrix, wanted)
        trips = (min(self._reach.trip_s(self.shifts[n][0], s) for n in self.open_to[s.id]) for s in wanted)
        points = sum(stop.priority for stop in wanted) / len(wanted) or 1.0
        order = self.problem.objectives
        first = order.index(Objective.TRAVEL) if Objective.TRAVEL in order else len(order)
        cover, priority = Objective.COVER in order, Objective.PRIORITY in order
        early_cover = cover and order.index(Objective.COVER) < first
        early_priority = not priority or order.index(Objective.PRIORITY) < first
        stop = max(detour * DETOURS, *trips) if early_priority else detour
        village = stop * STEP if cover else 0
        if cover and not early_cover:
            village = 2 * detour
        elif cover and priority and order.index(Objective.PRIORITY) < order.index(Objective.COVER):
            village = detour
        top = max(stop, village)
        point = 0.0 if not priority else stop / points
        return Weights(point, detour if priority else stop, village, top * STEP, top * STEP * STEP)

    def prize(self, stop: Stop) -> int:
        """What calling at a stop is worth, its village apart."""
        weights = self.weights
        worth = weights.stop + round(weights.point * stop.priority)
        worth += weights.must if stop.must else 0
        return worth + (weights.kept if stop.id in self.kept else 0)

    def always(self, stop: Stop) -> bool:
        """Whether a stop is called at whenever it fits, whatever it costs to drive there."""
        order = self.problem.objectives
        if stop.must or stop.id in self.kept or Objective.TRAVEL not in order:
            return True
        return Objective.PRIORITY not in order or order.index(Objective.PRIORITY) < order.index(Objective.TRAVEL)

    def worth(self, called: Iterable[str], travel_s: int) -> Worth:
        """How good a plan is, to be compared from the left: kept and must stops, then the objectives in their order."""
        stops = [self.stop[stop] for stop in called]
        villages = len({stop.village for stop in stops} - {""})
        priority = sum(stop.priority for stop in stops)
        gained = {Objective.COVER: villages, Objective.PRIORITY: priority}
        order = [objective for objective in self.problem.objectives if objective is not Objective.FAIRNESS]
        cut = order.index(Objective.TRAVEL) if Objective.TRAVEL in order else len(order)
        soft = sum(round(self.weights.point * stop.priority) for stop in stops if Objective.PRIORITY in order[cut:])
        soft += villages * self.weights.village if Objective.COVER in order[cut:] else 0
        counted = len(stops) if Objective.PRIORITY not in order[cut:] else 0
        return (
            sum(stop.id in self.kept for stop in stops),
            sum(stop.must for stop in stops),
            *(gained[objective] for objective in order[:cut]),
            counted,
            soft - travel_s,
        )


def lunch_s(team: Team) -> int:
    """What lunch takes at least from a team's shift: its time, or the half of the day that it is spared by."""
    lunch = team.lunch
    if lunch is None or not team.day_start_s < lunch.latest_s < team.day_end_s:
        return 0
    return min(lunch.duration_s, team.day_end_s - lunch.latest_s, lunch.latest_s - team.day_start_s)


class _Reach:
    """The least time from each team's start to each stop and from there to its end, over whatever lies between."""

    def __init__(self, terms: Terms) -> None:
        self._row = terms.matrix.index()
        self._setup_s = terms.problem.setup_s
        seconds = terms.matrix.duration_s
        sites = {team.start for team in terms.problem.teams} | {team.end for team in terms.problem.teams}
        backwards = np.ascontiguousarray(seconds.T)
        self._from = {site: _least(seconds[self._row[site]], seconds) for site in sorted(sites)}
        self._to = {site: _least(seconds[:, self._row[site]], backwards) for site in sorted(sites)}

    def trip_s(self, team: Team, stop: Stop) -> int:
        """The least driving time to the stop alone and back."""
        row = self._row[stop.id]
        return int(self._from[team.start][row] + self._to[team.end][row])

    def fits(self, team: Team, stop: Stop) -> bool:
        """Whether the team could call at the stop if it were the only one; exact where the matrix is metric."""
        row = self._row[stop.id]
        there, back = int(self._from[team.start][row]), int(self._to[team.end][row])
        if there >= NEVER or back >= NEVER or team.most_stops == 0:
            return False
        arrive = team.day_start_s + there
        setup = 0 if stop.spot else self._setup_s
        begins = [max(arrive, window.start_s) for window in stop.windows if window.end_s >= arrive]
        begin = min(begins, default=arrive if not stop.windows else NEVER)
        return begin + setup + stop.service_s + back <= team.day_end_s


def _least(direct: Seconds, legs: Seconds) -> Seconds:
    """Shortest times from one site over any others, by the method of Bellman and Ford; (n,), `NEVER` where none.

    Only sites that have come nearer are looked at again; where legs are metric, that is one round.
    """
    best = np.minimum(direct, NEVER)
    near = np.flatnonzero(best < NEVER)
    while len(near):
        better = best.copy()
        for site in near:
            np.minimum(better, best[site] + legs[site], out=better)
        near = np.flatnonzero(better < best)
        best = better
    return best


def _usual_detour(matrix: Matrix, stops: Sequence[Stop]) -> int:
    """Median over the stops of the way to the nearest that lies in another village and back; at least a minute."""
    row = matrix.index()
    some = stops[:: max(1, len(stops) // SAMPLE)]
    rows = np.array([row[stop.id] for stop in stops], np.intp)
    ours = np.array([row[stop.id] for stop in some], np.intp)
    number: dict[str, int] = {}
    home = np.array([number.setdefault(stop.village or stop.id, len(number)) for stop in stops])
    same = np.array([number[stop.village or stop.id] for stop in some])[:, None] == home
    there = np.where(same, NEVER, matrix.duration_s[np.ix_(ours, rows)]).min(axis=1)
    back = np.where(same, NEVER, matrix.duration_s[np.ix_(rows, ours)].T).min(axis=1)
    both = (there + back)[(there < NEVER) & (back < NEVER)]
    return max(60, int(np.median(both))) if len(both) else 600
