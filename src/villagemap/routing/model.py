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

from villagemap.plans import NEVER, Team, Window
from villagemap.routing.nodes import Node
from villagemap.routing.terms import Seconds, Terms, lunch_s

FORBIDDEN_S = 10 * 86_400
DAY_S = 86_400
WHOLE_DAY = Window(0, DAY_S)
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
                client = max(whole, key=lambda c: len(self.nodes[c].stops), default=-1)
                if client >= 0 and self.nodes[client].family not in taken:
                    taken.add(self.nodes[client].family)
                    visits.append(client)
            if visits:
                planned.append(Route(self.data, visits, vehicle))
        return Solution(self.data, planned)


def built(terms: Terms, nodes: Sequence[Node], longest_s: dict[int, int] | None = None) -> Model:
    """The model of ``nodes``; ``longest_s`` bounds a shift's working time, by its number."""
    clock = _Clock(terms)
    clients, groups, of_clients = _clients(terms, nodes, clock)
    shifts = [n for n in range(len(terms.shifts)) if any(n in node.open_to for node in nodes)]
    sites = sorted({site for n in shifts for site in (terms.shifts[n][0].start, terms.shifts[n][0].end)})
    profiles, profile_of = _profiles(terms, nodes, sites, shifts)
    vehicles = []
    for n in shifts:
        team, _ = terms.shifts[n]
        start, end = clock.shift(team)
        vehicles.append(
            VehicleType(
                capacity=[team.most_stops if team.most_stops is not None else len(terms.stop)],
                start_depot=sites.index(team.start),
                end_depot=sites.index(team.end),
                tw_early=start,
                tw_late=end,
                shift_duration=(longest_s or {}).get(n, DAY_S),
                profile=profile_of[n],
            )
        )
    places = [Location(0, 0)] * (len(nodes) + len(sites))
    depots = [Depot(len(nodes) + n) for n in range(len(sites))]
    data = ProblemData(places, clients, depots, vehicles, profiles, profiles, groups)  # type: ignore[arg-type]
    return Model(data, of_clients, shifts)


def _clients(
    terms: Terms, nodes: Sequence[Node], clock: "_Clock"
) -> tuple[list[Client], list[ClientGroup], list[Node]]:
    """A client for each node and window of it, the groups of those that exclude each other, and each client's node."""
    prizes = _prizes(terms, nodes)
    copies = [(place, window) for place, node in enumerate(nodes) for window in (node.windows or (WHOLE_DAY,))]
    many = Counter(nodes[place].family for place, _ in copies)
    group_of = {family: number for number, family in enumerate(f for f, count in many.items() if count > 1)}
    groups = [ClientGroup([], required=False) for _ in group_of]
    clients = []
    for number, (place, window) in enumerate(copies):
        node = nodes[place]
        group = group_of.get(node.family)
        clients.append(
            Client(
                place,
                delivery=[len(node.stops)],
                service_duration=node.work_s,
                tw_early=clock.pressed(window.start_s),
                tw_late=clock.pressed(window.end_s),
                prize=prizes[place],
                required=False,
                group=group,
            )
        )
        if group is not None:
            groups[group].add_client(number)
    return clients, groups, [nodes[place] for place, _ in copies]


def _prizes(terms: Terms, nodes: Sequence[Node]) -> list[int]:
    """What each node is worth; a village's own worth stands with the family that is done quickest."""
    quickest: dict[str, tuple[int, int]] = {}
    for node in nodes:
        village = terms.stop[node.stops[0]].village
        if village:
            quickest[village] = min(quickest.get(village, (1 << 60, 0)), (node.work_s, node.family))
    families = {family for _, family in quickest.values()}
    prizes = []
    for node in nodes:
        prize = sum(terms.prize(terms.stop[stop]) for stop in node.stops) - node.inner_s
        prizes.append(max(1, prize + (terms.weights.village if node.family in families else 0)))
    return prizes


def legs_between(terms: Terms, nodes: Sequence[Node], sites: Sequence[str], never_s: int) -> Seconds:
    """Seconds from the last stop of each node to the first of each other, and behind them the depots.

    Shape (nodes + sites, nodes + sites), ``never_s`` where there is no way.
    """
    row = terms.matrix.index()
    out = np.array([row[node.stops[-1]] for node in nodes] + [row[site] for site in sites], np.intp)
    into = np.array([row[node.stops[0]] for node in nodes] + [row[site] for site in sites], np.intp)
    legs = terms.matrix.duration_s[np.ix_(out, into)]
    legs = np.where(legs >= NEVER, never_s, legs)
    np.fill_diagonal(legs, 0)
    return legs


def _profiles(
    terms: Terms, nodes: Sequence[Node], sites: Sequence[str], shifts: Sequence[int]
) -> tuple[list[Seconds], dict[int, int]]:
    """Legs by profile, and the profile of each shift.

    Where there would be more profiles than memory should hold, the rarest are taken for one that is open to all: their
    routes are mended when they are timed.
    """
    legs, count = legs_between(terms, nodes, sites, FORBIDDEN_S), len(nodes)
    for number, node in enumerate(nodes):
        position = terms.position.get(node.stops[0])
        if position == "first":
            legs[:count, number] = FORBIDDEN_S
        elif position == "last":
            legs[number, :count] = FORBIDDEN_S
        legs[number, number] = 0
    masks = {n: tuple(m for m, node in enumerate(nodes) if n not in node.open_to) for n in shifts}
    kept = [mask for mask, _ in Counter(masks.values()).most_common(max(1, MOST_PROFILES_BYTES // legs.nbytes))]
    if () not in kept and set(kept) != set(masks.values()):
        kept.append(())
    profiles = []
    for mask in kept:
        profile = legs.copy()
        profile[list(mask), :] = FORBIDDEN_S
        profile[:, list(mask)] = FORBIDDEN_S
        profile[range(count), range(count)] = 0
        profiles.append(profile)
    number_of = {mask: number for number, mask in enumerate(kept)}
    return profiles, {n: number_of[mask] if mask in number_of else number_of[()] for n, mask in masks.items()}


class _Clock:
    """Times of day with the lunch of most teams pressed out: what is later than its middle comes earlier by it."""

    def __init__(self, terms: Terms) -> None:
        rules = Counter(team.lunch for team, _ in terms.shifts if lunch_s(team))
        windows = any(stop.windows for stop in terms.problem.stops)
        self._rule = rules.most_common(1)[0][0] if rules and windows else None
        self._noon = (self._rule.earliest_s + self._rule.latest_s) // 2 if self._rule else 0

    def pressed(self, at: int) -> int:
        """Where a time of day lies on this clock."""
        if self._rule is None or at <= self._noon:
            return at
        return max(self._noon, at - self._rule.duration_s)

    def shift(self, team: Team) -> tuple[int, int]:
        """A vehicle's shift: without lunch, or the morning or afternoon alone where that is longer."""
        start, end, lunch = team.day_start_s, team.day_end_s, team.lunch
        if lunch is None or not lunch_s(team):
            return (self.pressed(start) if start > self._noon else start), end
        start, end = max(
            (start, end - lunch.duration_s),
            (start, lunch.latest_s),
            (lunch.latest_s, end),
            key=lambda half: half[1] - half[0],
        )
        return (self.pressed(start), end) if start != lunch.latest_s else (self.pressed(start), self.pressed(end))
