"""What a graph is like before anybody plans on it: its parts, and ways that are suspiciously long."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from villagemap.plans import NEVER, Matrix, Site
from villagemap.travel.graph import QUARTERS, RoadGraph
from villagemap.travel.line import positions
from villagemap.travel.lines import Ints
from villagemap.travel.plane import distance_m, metres_per_degree

NEIGHBOURS = 6
SUSPICIOUS = 3.0
LEAST_EXTRA_S = 600
"""A way between neighbours is suspicious beyond so many times the straight line and so much time more than that."""
_LINE_KM_H = 38.0


@dataclass(frozen=True, slots=True)
class Part:
    """Roads that hang together: their length, its share of all, and a point on them (degrees)."""

    km: float
    share: float
    lon: float
    lat: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """Two neighbours that are far apart by road: ids, metres by road and straight, seconds by road."""

    one: str
    other: str
    road_m: int
    straight_m: int
    road_s: int

    @property
    def times(self) -> float:
        """Road ÷ straight line."""
        return self.road_m / max(self.straight_m, 1)


def parts_of(graph: RoadGraph) -> list[Part]:
    """The graph's parts that no road joins, the longest first."""
    if not len(graph.start):
        return []
    part = weak_parts(graph)[graph.start]
    metres = np.bincount(part, graph.length / QUARTERS)
    first = np.full(len(metres), len(part))
    np.minimum.at(first, part, np.arange(len(part)))
    order = [int(at) for at in np.argsort(-metres, kind="stable") if metres[at] > 0]
    whole = float(metres.sum())
    points = graph.offset[first[order]]
    return [
        Part(float(metres[at]) / 1000, float(metres[at]) / whole, float(graph.lon[point]), float(graph.lat[point]))
        for at, point in zip(order, points, strict=True)
    ]


def weak_parts(graph: RoadGraph) -> Ints:
    """The part that each node is in, whatever the direction of its roads."""
    count = len(graph.node_lon)
    links = coo_array((np.ones(len(graph.start), np.int8), (graph.start, graph.end)), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def detours(sites: Sequence[Site], matrix: Matrix) -> list[Detour]:
    """Neighbours whose way is suspiciously long, the worst first; each pair once, by its longer direction."""
    lon, lat = positions(sites)
    known = np.flatnonzero(np.isfinite(lon))
    if len(known) < 2:  # noqa: PLR2004 - nobody has a neighbour
        return []
    east, north = metres_per_degree(np.array([float(np.mean(lat[known]))]))
    at = np.column_stack([lon[known] * east, lat[known] * north])
    _, near = cKDTree(at).query(at, k=min(NEIGHBOURS + 1, len(known)))
    found = {}
    for row, others in zip(known.tolist(), known[near].tolist(), strict=True):
        for other in others:
            pair = (min(row, other), max(row, other))
            if row == other or pair in found:
                continue
            there, back = int(matrix.duration_s[row, other]), int(matrix.duration_s[other, row])
            one, two = (row, other) if there >= back else (other, row)
            straight = float(distance_m(lon[[one]], lat[[one]], lon[[two]], lat[[two]])[0])
            found[pair] = Detour(
                one=sites[one].id,
                other=sites[two].id,
                road_m=int(matrix.distance_m[one, two]),
                straight_m=round(straight),
                road_s=max(there, back),
            )
    odd = [pair for pair in found.values() if _is_odd(pair)]
    return sorted(odd, key=lambda pair: (-pair.times, pair.one, pair.other))


def _is_odd(pair: Detour) -> bool:
    extra = pair.road_s - pair.straight_m * 3.6 / _LINE_KM_H
    return pair.road_s < NEVER and pair.road_m > SUSPICIOUS * pair.straight_m and extra > LEAST_EXTRA_S
