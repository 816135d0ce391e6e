"""The fictional county's roads: a connected network in which every hamlet can be reached.

A junction is a point (6 decimals) that two lines share, at their ends or between, as in OpenStreetMap.
"""

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
import shapely.ops
from county_borders import to_degrees, to_plane
from county_names import TOWNS
from county_settle import Village
from shapely import LineString, MultiPoint, MultiPolygon, Point, Polygon, STRtree

Node = tuple[float, float]
"""A point of the plane, km, that is exactly a 6-decimal point in degrees."""

TRUNKS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    # class, number, name, towns on the way; roads of 国道 and 省道 go on to the border at both ends
    ("国道", "G989", "国道 G989 线（示例）", ("107", "106", "001", "109", "111", "112")),
    ("省道", "S993", "省道 S993 线（示例）", ("103", "104", "100", "001", "110")),
    ("省道", "S995", "省道 S995 线（示例）", ("102", "101", "100")),
)
CLASSES = ("国道", "省道", "县道", "乡道", "村道")


@dataclass(slots=True)
class Road:
    """A line of plane points, km."""

    kind: str
    number: str
    name: str
    points: list[Node]


def snapped(x: float, y: float) -> Node:
    """The plane point of the nearest 6-decimal position."""
    lon_lat = to_degrees([(x, y)])
    plane = to_plane(lon_lat)
    return float(plane[0, 0]), float(plane[0, 1])


class RoadBuilder:
    """Builds the network from trunk roads down to hamlets; every road starts from what is already there."""

    def __init__(
        self,
        villages: list[Village],
        county: Polygon | MultiPolygon,
        water: Polygon | MultiPolygon,
        rng: np.random.Generator,
    ) -> None:
        self.villages, self.county, self.water, self.rng = villages, county, water, rng
        self.seats = [snapped(*village.seat) for village in villages]
        self.roads: list[Road] = []
        self.drawn: dict[tuple[int, int], list[Node]] = {}
        self.used: set[tuple[int, int]] = set()
        shapely.prepare(county)
        self.links = self._links()

    def build(self) -> list[Road]:
        """All roads, biggest class first, with every crossing made a junction."""
        self._trunk_roads()
        self._county_roads()
        self._town_roads()
        self._village_roads()
        return joined(self.roads)

    def _links(self) -> dict[int, dict[int, float]]:
        """Which village seats could be joined directly, with the cost: length, dearer over water."""
        corners = MultiPoint(self.seats)
        index = {seat: i for i, seat in enumerate(self.seats)}
        links: dict[int, dict[int, float]] = defaultdict(dict)
        for edge in shapely.get_parts(shapely.delaunay_triangles(corners, only_edges=True)):
            a, b = (index[c] for c in edge.coords)
            if edge.length < 9 and self.county.covers(edge):
                links[a][b] = links[b][a] = edge.length * self.rng.uniform(0.9, 1.25) + self._over_water(edge)
        return self._with_bridges(links)

    def _over_water(self, line: LineString) -> float:
        return 1.2 if line.intersects(self.water) else 0.0

    def _with_bridges(self, links: dict[int, dict[int, float]]) -> dict[int, dict[int, float]]:
        """Join parts that only the sea divides, each over its shortest gap."""
        while len(group := _reached(links, 0)) < len(self.seats):
            gaps = [
                (math.dist(self.seats[i], self.seats[j]), i, j)
                for i in group
                for j in range(len(self.seats))
                if j not in group
            ]
            length, i, j = min(gaps)
            links[i][j] = links[j][i] = length + 1.2
        return links

    def _line(self, a: int, b: int) -> list[Node]:
        """The way between two seats: drawn once, the same in both directions."""
        key = (min(a, b), max(a, b))
        if key not in self.drawn:
            self.drawn[key] = winding(self.seats[key[0]], self.seats[key[1]], self.county, self.rng)
        points = self.drawn[key]
        return points if a == key[0] else points[::-1]

    def _lay(self, way: list[int], kind: str, number: str, name: str) -> None:
        """Add those stretches of ``way`` that no earlier road takes."""
        stretch: list[Node] = []
        for a, b in pairwise(way):
            key = (min(a, b), max(a, b))
            if key in self.used:
                self._close(stretch, kind, number, name)
                stretch = []
                continue
            self.used.add(key)
            line = self._line(a, b)
            stretch = [*stretch, *line[1:]] if stretch else list(line)
        self._close(stretch, kind, number, name)

    def _close(self, stretch: list[Node], kind: str, number: str, name: str) -> None:
        if stretch:
            self.roads.append(Road(kind, number, name, stretch))

    def _way(self, start: int, goals: set[int]) -> list[int]:
        """The cheapest way over the links to any of ``goals``; roads that exist are cheap to follow."""
        best = {start: 0.0}
        back: dict[int, int] = {}
        heap = [(0.0, start)]
        while heap:
            cost, here = heapq.heappop(heap)
            if here in goals:
                way = [here]
                while way[-1] != start:
                    way.append(back[way[-1]])
                return way[::-1]
            for there, length in sorted(self.links[here].items()):
                factor = 0.6 if (min(here, there), max(here, there)) in self.used else 1.0
                if cost + length * factor < best.get(there, math.inf):
                    best[there], back[there] = cost + length * factor, here
                    heapq.heappush(heap, (best[there], there))
        raise ValueError(f"no way from {start}")

    def _town_seat(self, code: str) -> int:
        _, _, _, x, y, _, _ = next(t for t in TOWNS if t[0] == code)
        return min(range(len(self.seats)), key=lambda i: math.dist(self.seats[i], (x, y)))

    def _trunk_roads(self) -> None:
        for kind, number, name, towns in TRUNKS:
            seats = [self._town_seat(code) for code in towns]
            for a, b in pairwise(seats):
                self._lay(self._way(a, {b}), kind, number, name)
            for end, before in ((seats[0], seats[1]), (seats[-1], seats[-2])):
                self._to_border(end, before, kind, number, name)

    def _to_border(self, end: int, before: int, kind: str, number: str, name: str) -> None:
        """Go on from a trunk road's last town to the county's border, away from where it came from."""
        (x, y), (px, py) = self.seats[end], self.seats[before]
        far = 3 * max(math.dist((x, y), (px, py)), 6)
        angles = math.atan2(y - py, x - px) + np.linspace(-0.9, 0.9, 13)
        outline = self.county.boundary
        rays = [LineString([(x, y), (x + far * math.cos(a), y + far * math.sin(a))]) for a in angles]
        hits = [
            shapely.ops.nearest_points(Point(x, y), ray.intersection(outline))[1]
            for ray in rays
            if ray.intersects(outline)
        ]
        land = [h for h in hits if h.x < 6.5 or h.y > 46 or h.x > 57]
        goal = min(land, key=lambda h: h.distance(Point(x, y)), default=None)
        if goal is not None and goal.distance(Point(x, y)) < 14:
            inland = snapped(x + (goal.x - x) * 0.998, y + (goal.y - y) * 0.998)
            self.roads.append(Road(kind, number, name, winding((x, y), inland, self.county, self.rng)))

    def _county_roads(self) -> None:
        """Roads between towns that are neighbours (Gabriel graph of their seats), numbered from X801."""
        seats = [self._town_seat(code) for code, *_ in TOWNS]
        names = [short for _, _, short, *_ in TOWNS]
        at = [self.seats[s] for s in seats]
        number = 801
        for i in range(len(seats)):
            for j in range(i + 1, len(seats)):
                middle = ((at[i][0] + at[j][0]) / 2, (at[i][1] + at[j][1]) / 2)
                reach = math.dist(at[i], at[j]) / 2
                if all(math.dist(middle, p) >= reach for k, p in enumerate(at) if k not in (i, j)):
                    before = len(self.roads)
                    self._lay(self._way(seats[i], {seats[j]}), "县道", f"X{number}", f"{names[i][0]}{names[j][0]}线")
                    number += len(self.roads) > before

    def _town_roads(self) -> None:
        """Join every other village seat to the network, nearest first, then close some loops."""
        on_network = {i for key in self.used for i in key}
        number = 1
        while len(on_network) < len(self.seats):
            _, here, there = min(
                (cost, i, j) for i in on_network for j, cost in self.links[i].items() if j not in on_network
            )
            self._lay([here, there], "乡道", f"Y{number:03d}", f"{self.villages[there].stem}路")
            on_network.add(there)
            number += 1
        spare = sorted((c, i, j) for i, ends in self.links.items() for j, c in ends.items() if i < j)
        for cost, i, j in spare:
            if (i, j) not in self.used and cost < 3.2 and self.rng.random() < 0.22:
                self._lay([i, j], "乡道", f"Y{number:03d}", f"{self.villages[i].stem}至{self.villages[j].stem}路")
                number += 1

    def _village_roads(self) -> None:
        """Join each hamlet to the nearest point of the network, the nearest hamlets first."""
        waiting = [(v, h) for v in self.villages for h in v.hamlets]
        for last in (False, False, False, True):
            lines = [LineString(road.points) for road in self.roads]
            tree = STRtree(lines)
            later = []
            for village, hamlet in waiting:
                spot = snapped(*hamlet.seat)
                nearest = int(tree.nearest(Point(spot)))
                if lines[nearest].distance(Point(spot)) > 0.9 and not last:
                    later.append((village, hamlet))
                    continue
                self._spur(spot, nearest, lines[nearest], f"{village.stem}村道")
            waiting = later

    def _spur(self, spot: Node, target: int, line: LineString, name: str) -> None:
        """A village road from a hamlet to a point of another road, which becomes a vertex of that road."""
        foot = line.interpolate(line.project(Point(spot)))
        joint = insert_vertex(self.roads[target].points, snapped(foot.x, foot.y))
        if joint != spot:
            self.roads.append(Road("村道", "", name, winding(spot, joint, self.county, self.rng)))


def winding(start: Node, end: Node, county: Polygon | MultiPolygon, rng: np.random.Generator) -> list[Node]:
    """A slightly winding line by midpoint displacement; straighter where it would leave the county."""
    span = math.dist(start, end)
    levels = 1 if span < 0.7 else 2 if span < 2.2 else 3 if span < 6 else 4
    swings = rng.normal(0, 0.09, 2**levels)
    ashore = county.covers(LineString([start, end]))
    for strength in (1.0, 0.6, 0.3, 0.0) if ashore else (0.15,):
        points = _displaced(start, end, levels, swings * strength)
        if not ashore or county.covers(LineString(points)):
            break
    return [start, *(snapped(*p) for p in points[1:-1]), end]


def _displaced(start: Node, end: Node, levels: int, swings: np.ndarray) -> list[Node]:
    points, nth = [start, end], 0
    for level in range(levels):
        finer = [points[0]]
        for (ax, ay), (bx, by) in pairwise(points):
            swing = float(swings[nth]) * 0.9**level
            finer += [((ax + bx) / 2 - (by - ay) * swing, (ay + by) / 2 + (bx - ax) * swing), (bx, by)]
            nth += 1
        points = finer
    return points


def insert_vertex(points: list[Node], node: Node) -> Node:
    """Make ``node`` a vertex of the line; an existing vertex within 15 m is taken instead and returned."""
    nearest = min(points, key=lambda p: math.dist(p, node))
    if math.dist(nearest, node) < 0.015:
        return nearest
    place = Point(node)
    gaps = [LineString(pair).distance(place) for pair in pairwise(points)]
    points.insert(gaps.index(min(gaps)) + 1, node)
    return node


def joined(roads: list[Road]) -> list[Road]:
    """The same roads with every crossing made a shared vertex."""
    lines = [LineString(road.points) for road in roads]
    for i, j in STRtree(lines).query(lines, predicate="intersects").T.tolist():
        if i >= j:
            continue
        for cross in shapely.get_parts(lines[i].intersection(lines[j])):
            if cross.geom_type == "Point":
                node = snapped(cross.x, cross.y)
                one = insert_vertex(roads[i].points, node)
                _take(roads[j].points, node, one)
    return roads


def _take(points: list[Node], node: Node, agreed: Node) -> None:
    """Make ``agreed`` a vertex of the line near ``node`` (an inner vertex that is very near moves there)."""
    if agreed in points:
        return
    place = Point(node)
    gaps = [LineString(pair).distance(place) for pair in pairwise(points)]
    points.insert(gaps.index(min(gaps)) + 1, agreed)


def _reached(links: dict[int, dict[int, float]], start: int) -> set[int]:
    seen, stack = {start}, [start]
    while stack:
        for there in links[stack.pop()]:
            if there not in seen:
                seen.add(there)
                stack.append(there)
    return seen
