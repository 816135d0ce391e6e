"""Nodes and shifts as PyVRP's data, and its solutions as lists of stops.

All shifts share the clock of one day. Lunch is pressed out of it: a shift is shorter by it, and what lies behind it in
the day is earlier by it; whether it really fits is seen when the routes are timed. Who may not call at a node drives in
a profile where every leg to it takes longer than a plan.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyvrp import Client, ClientGroup, Depot, Location, ProblemData, Route, Solution, VehicleType

from villagemap.plans import NEVER, LunchRule, Team, Window
from villagemap.routing.nodes import Node
from villagemap.routing.terms import Terms

FORBIDDEN_S = 10 * 86_400
MOST_PROFILES_BYTES = 400_000_000


@dataclass(frozen=True, slots=True)
class Model:
    """PyVRP's data, and what its clients and vehicle types stand for: a node each, a shift each."""

    data: ProblemData
    nodes: Sequence[Node]
    shifts: Sequence[int]

    def routes(self, solution: Solution) -> dict[int, list[str]]:
        """Stops in order by shift."""
        found = {}
        for route in solution.routes():
            clients = [activity.idx for activity in route if activity.is_client()]
            found[self.shifts[route.vehicle_type()]] = [stop for c in clients for stop in self.nodes[c].stops]
        return found

    def solution(self, routes: dict[int, list[str]]) -> Solution:
        """Those of the nodes that lie whole in one of the routes, in their order."""
        client_of: dict[str, list[int]] = defaultdict(list)
        for client, node in enumerate(self.nodes):
            client_of[node.stops[0]].append(client)
        planned, taken = [], set[int]()
        for vehicle, shift in enumerate(self.shifts):
            within, visits = set(routes.get(shift, ())), list[int]()
            for stop in routes.get(shift, ()):
                whole = (c for c in client_of[stop] if within.issuperset(self.nodes[c].stops))
                client = max(whole, key=lambda c: len(self.nodes[c].stops), default=None)
                if client is not None and self.nodes[client].family not in taken:
                    taken.add(self.nodes[client].family)
                    visits.append(client)
            if visits:
                planned.append(Route(self.data, visits, vehicle))
        return Solution(self.data, planned)


def built(terms: Terms, nodes: Sequence[Node], longest_s: dict[int, int] | None = None) -> Model:
    """The model of ``nodes``; ``longest_s`` bounds a shift's working time, by its number."""
    clock = _Clock(terms)
    copies = [(node, window) for node in nodes for window in (node.windows or (None,))]
    many = Counter(node.family for node, _ in copies)
    families = {family: number for number, family in enumerate(f for f, count in many.items() if count > 1)}
    of_nodes = [node for node, _ in copies]
    places = list(nodes)
    place_of = {id(node): place for place, node in enumerate(places)}
    prizes = _prizes(terms, nodes)
    bounded = any(team.most_stops is not None for team, _ in terms.shifts)
    clients = [
        Client(
            place_of[id(node)],
            delivery=[len(node.stops)] if bounded else [],
            service_duration=node.work_s,
            **clock.of(window),
            prize=prizes[id(node)],
            required=False,
            group=families.get(node.family),
        )
        for node, window in copies
    ]
    groups = [ClientGroup([], required=False) for _ in families]
    for number, node in enumerate(of_nodes):
        if node.family in families:
            groups[families[node.family]].add_client(number)
    shifts = [n for n in range(len(terms.shifts)) if any(n in node.open_to for node in nodes)]
    sites = sorted({site for n in shifts for site in (terms.shifts[n][0].start, terms.shifts[n][0].end)})
    depots = [Depot(len(places) + n) for n in range(len(sites))]
    legs, profile_of = _profiles(terms, places, sites, shifts)
    vehicles = [
        VehicleType(
            1,
            [team.most_stops if team.most_stops is not None else len(terms.stop)] if bounded else [],
            sites.index(team.start),
            sites.index(team.end),
            **clock.shift(team),
            **({"shift_duration": longest_s[n]} if longest_s and n in longest_s else {}),
            profile=profile_of[n],
        )
        for n in shifts
        for team in (terms.shifts[n][0],)
    ]
    spots = [Location(0, 0)] * (len(places) + len(sites))
    return Model(ProblemData(spots, clients, depots, vehicles, legs, legs, groups), of_nodes, shifts)


def _prizes(terms: Terms, nodes: Sequence[Node]) -> dict[int, int]:
    """What each node is worth, by its id; a village's own worth stands with the family that is done quickest."""
    quickest: dict[str, tuple[int, int]] = {}
    for node in nodes:
        village = terms.stop[node.stops[0]].village
        if village:
            quickest[village] = min(quickest.get(village, (1 << 60, 0)), (node.work_s, node.family))
    families = {family for _, family in quickest.values()}
    return {
        id(node): max(
            1,
            sum(terms.prize(terms.stop[stop]) for stop in node.stops)
            + (terms.weights.village if node.family in families else 0)
            - node.inner_s,
        )
        for node in nodes
    }


def _profiles(
    terms: Terms, places: Sequence[Node], sites: Sequence[str], shifts: Sequence[int]
) -> tuple[list[np.typing.NDArray[np.int64]], dict[int, int]]:
    """Seconds between nodes and depots by profile, and the profile of each shift.

    From a node one leaves its last stop, to a node one comes at its first. Where there would be more profiles than
    memory should hold, the rarest are taken for the open one: their routes are mended when they are timed.
    """
    row = terms.matrix.index()
    out = np.array([row[node.stops[-1]] for node in places] + [row[site] for site in sites], np.intp)
    into = np.array([row[node.stops[0]] for node in places] + [row[site] for site in sites], np.intp)
    legs = terms.matrix.duration_s[np.ix_(out, into)]
    legs = np.where(legs >= NEVER, FORBIDDEN_S, legs).astype(np.int64)
    np.fill_diagonal(legs, 0)
    count = len(places)
    for number, node in enumerate(places):
        position = terms.position.get(node.stops[0])
        if position == "first":
            legs[:count, number] = FORBIDDEN_S
        elif position == "last":
            legs[number, :count] = FORBIDDEN_S
        legs[number, number] = 0
    masks = {n: tuple(m for m, node in enumerate(places) if n not in node.open_to) for n in shifts}
    most = max(1, MOST_PROFILES_BYTES // max(legs.nbytes, 1))
    kept = [mask for mask, _ in Counter(masks.values()).most_common(most)]
    profiles = []
    for mask in kept:
        profile = legs.copy()
        profile[list(mask), :] = FORBIDDEN_S
        profile[:, list(mask)] = FORBIDDEN_S
        profile[range(count), range(count)] = 0
        profiles.append(profile)
    if set(kept) != set(masks.values()) and () not in kept:
        profiles.append(legs)
        kept.append(())
    open_one = kept.index(()) if () in kept else 0
    return profiles, {n: kept.index(mask) if mask in kept else open_one for n, mask in masks.items()}


class _Clock:
    """Times of day with the lunch of most teams pressed out: what is later than its middle comes earlier by it."""

    def __init__(self, terms: Terms) -> None:
        rules = Counter(team.lunch for team, _ in terms.shifts if _eats(team))
        windows = any(stop.windows for stop in terms.problem.stops)
        self._rule: LunchRule | None = rules.most_common(1)[0][0] if rules and windows else None
        self._noon = (self._rule.earliest_s + self._rule.latest_s) // 2 if self._rule else 0

    def pressed(self, at: int) -> int:
        """Where a time of day lies on this clock."""
        if self._rule is None or at <= self._noon:
            return at
        return max(self._noon, at - self._rule.duration_s)

    def of(self, window: Window | None) -> dict[str, int]:
        """A client's window."""
        if window is None:
            return {}
        return {"tw_early": self.pressed(window.start_s), "tw_late": self.pressed(window.end_s)}

    def shift(self, team: Team) -> dict[str, int]:
        """A vehicle's shift: without lunch, or the morning or afternoon alone where that is longer."""
        start, end, lunch = team.day_start_s, team.day_end_s, team.lunch
        if lunch is None or not _eats(team):
            return {"tw_early": self.pressed(start) if start > self._noon else start, "tw_late": end}
        halves = [(start, lunch.latest_s), (lunch.latest_s, end)]
        half = max(halves, key=lambda half: half[1] - half[0])
        if half[1] - half[0] > end - start - lunch.duration_s:
            return {"tw_early": self.pressed(half[0]), "tw_late": self.pressed(half[1])}
        return {"tw_early": start, "tw_late": end - lunch.duration_s}


def _eats(team: Team) -> bool:
    return team.lunch is not None and team.day_start_s < team.lunch.latest_s < team.day_end_s
