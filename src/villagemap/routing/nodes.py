"""Stops that are called at together: a village's, or a spot's, as one node of the problem with a tour inside.

A node is entered at its first stop and left from its last; what is driven inside is part of its work. Windows, rules,
locks and must part the stops of a village; so does size, where they are more work than a shift has room for.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from villagemap.plans import NEVER, Window
from villagemap.routing.terms import Terms

TWO_OPT_UP_TO = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Stops in the order of their tour. ``work_s`` is set-ups, services and the ``inner_s`` driven between them.

    ``windows`` are when it may begin: so that each of its stops begins within its own. ``family`` is the number of the
    group of stops that it takes something of: of one family at most one node is called at.
    """

    stops: tuple[str, ...]
    work_s: int
    inner_s: int
    windows: tuple[Window, ...]
    family: int
    open_to: frozenset[int]


def grouped(terms: Terms, *, samples: bool) -> list[Node]:
    """The problem's nodes; stops that no shift can call at are in none.

    With ``samples`` a village of several stops can also be called at by its quickest stop alone, as another node of the
    same family: where not everything fits, that covers more villages.
    """
    nodes: list[Node] = []
    family = 0
    for stops in _together(terms):
        for tour in _parts(terms, _tour(terms, stops)):
            node = _node(terms, tour, family)
            if node is None:
                nodes += [one for n, stop in enumerate(tour) if (one := _node(terms, [stop], family + n))]
                family += len(tour)
                continue
            nodes.append(node)
            if samples and len(tour) > 1 and terms.stop[tour[0]].village:
                quickest = min(tour, key=lambda stop: terms.stop[stop].service_s)
                one = _node(terms, [quickest], family)
                nodes += [one] if one else []
            family += 1
    return nodes


def _together(terms: Terms) -> list[list[str]]:
    """Stops by where they are and what is asked of them, in the problem's order."""
    groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for stop in terms.problem.stops:
        if not terms.open_to[stop.id]:
            continue
        village = "" if terms.problem.split_villages else stop.village
        home = ("village", village) if village else ("spot", stop.spot) if stop.spot else ("stop", stop.id)
        alone = stop.id if stop.id in terms.position else ""
        asked = (tuple(sorted(stop.windows, key=lambda w: (w.start_s, w.end_s))), terms.open_to[stop.id])
        groups[*home, *asked, stop.must, stop.id in terms.kept, alone].append(stop.id)
    return list(groups.values())


def _cost(terms: Terms, before: str, stop: str) -> int:
    return terms.timetable.leg_s(before, stop) + terms.timetable.setup_s(stop, before)


def _tour(terms: Terms, stops: Sequence[str]) -> list[str]:
    """A short way through all stops, begun and ended anywhere: nearest neighbours, then turning pieces round."""
    if len(stops) == 1:
        return list(stops)
    cost = {(a, b): _cost(terms, a, b) for a in stops for b in stops if a != b}
    starts = stops if len(stops) <= TWO_OPT_UP_TO else stops[:1]
    best = min((_nearest(start, stops, cost) for start in starts), key=lambda tour: _length(tour, cost))
    return _turned(best, cost) if len(stops) <= TWO_OPT_UP_TO else best


def _nearest(start: str, stops: Sequence[str], cost: dict[tuple[str, str], int]) -> list[str]:
    tour, left = [start], [stop for stop in stops if stop != start]
    while left:
        here = tour[-1]
        following = min(left, key=lambda stop: cost[here, stop])
        left.remove(following)
        tour.append(following)
    return tour


def _length(tour: Sequence[str], cost: dict[tuple[str, str], int]) -> int:
    return sum(cost[leg] for leg in pairwise(tour))


def _turned(tour: list[str], cost: dict[tuple[str, str], int]) -> list[str]:
    """The tour with pieces turned round for as long as that makes it shorter, some rounds at most."""
    best = _length(tour, cost)
    for _ in range(4):
        before = best
        for first in range(len(tour) - 1):
            for last in range(first + 2, len(tour) + 1):
                turned = tour[:first] + tour[first:last][::-1] + tour[last:]
                length = _length(turned, cost)
                if length < best:
                    tour, best = turned, length
        if best == before:
            break
    return tour


def _parts(terms: Terms, tour: list[str]) -> list[list[str]]:
    """The tour cut where there is no way on, and into even pieces where it is more than one shift can do."""
    pieces, piece = list[list[str]](), [tour[0]]
    for before, stop in pairwise(tour):
        if terms.timetable.leg_s(before, stop) >= NEVER:
            pieces.append(piece)
            piece = []
        piece.append(stop)
    pieces.append(piece)
    return [part for piece in pieces for part in _cut(terms, piece)]


def _cut(terms: Terms, tour: list[str]) -> list[list[str]]:
    room_s, most = _room(terms, tour[0])
    works = [terms.timetable.work_s(tour[0], None)]
    for before, stop in pairwise(tour):
        works.append(terms.timetable.leg_s(before, stop) + terms.timetable.work_s(stop, before))
    count = max(-(-sum(works) // max(room_s, 1)), -(-len(tour) // most))
    if count <= 1:
        return [tour]
    share, parts, done = sum(works) / count, [list[str]()], 0
    for stop, work in zip(tour, works, strict=True):
        full = done + work / 2 > share * len(parts) or len(parts[-1]) >= most
        if parts[-1] and full:
            parts.append([])
        parts[-1].append(stop)
        done += work
    return parts


def _room(terms: Terms, stop: str) -> tuple[int, int]:
    """The most working time that a shift has for a stop, behind the drive there and back, and the most stops."""
    rooms, most = [1], [1]
    for number in terms.open_to[stop]:
        team, _ = terms.shifts[number]
        drive = terms.timetable.leg_s(team.start, stop) + terms.timetable.leg_s(stop, team.end)
        lunch = team.lunch.duration_s if team.lunch and team.day_end_s > team.lunch.latest_s else 0
        rooms.append(team.day_end_s - team.day_start_s - lunch - drive)
        most.append(team.most_stops or len(terms.stop))
    return max(rooms), max(most)


def _node(terms: Terms, tour: Sequence[str], family: int) -> Node | None:
    """A tour as a node; None where its stops' windows can't all be met one after another."""
    at = begun = inner = 0
    before = None
    for stop in tour:
        if before is not None:
            leg = terms.timetable.leg_s(before, stop)
            at, inner = at + leg, inner + leg
        begun = at
        at += terms.timetable.work_s(stop, before)
        before = stop
    asked = terms.stop[tour[0]].windows
    windows = tuple(Window(w.start_s, w.end_s - begun) for w in asked if w.end_s - begun >= w.start_s)
    if asked and not windows:
        return None
    return Node(
        stops=tuple(tour),
        work_s=at,
        inner_s=inner,
        windows=windows,
        family=family,
        open_to=terms.open_to[tour[0]],
    )
