"""Stops on roads: the nearest edge, and where on it."""

from dataclasses import dataclass

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from villagemap.travel.graph import RoadGraph
from villagemap.travel.lines import Flags, Ints
from villagemap.travel.plane import Floats, metres_per_degree

FARTHEST_M = 3000.0
"""Beyond this from any road a stop is outside the roads."""
RATHER_MAIN_M = 200.0
"""A road that leads nowhere is passed over for one of the main net that is no more than this farther off."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snaps:
    """n stops on edges: ``edge`` (-1: outside the roads), ``along`` (quarters from the edge's start), ``off_m``."""

    edge: Ints
    along: Ints
    off_m: Floats


def main_edges(graph: RoadGraph) -> Flags:
    """Which edges belong to the largest part within which every place can be reached from every other, and back."""
    if not len(graph.start):
        return np.zeros(0, bool)
    start = np.concatenate([graph.start[graph.forward], graph.end[graph.backward]])
    end = np.concatenate([graph.end[graph.forward], graph.start[graph.backward]])
    count = len(graph.node_lon)
    links = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(count, count))
    part = connected_components(links, directed=True, connection="strong")[1]
    weight = np.bincount(part[graph.start], graph.length * (part[graph.start] == part[graph.end]))
    main = part == int(np.argmax(weight))
    return np.asarray(main[graph.start] & main[graph.end], bool)


class Snapper:
    """Finds edges near points, again and again; ``usable`` are edges that a car may drive at all."""

    def __init__(self, graph: RoadGraph, main: Flags) -> None:
        self.graph, self.main = graph, main
        middle = float(graph.lat.min() + graph.lat.max()) / 2 if len(graph.lat) else 0.0
        east, north = metres_per_degree(np.array([middle]))
        self.scale = np.array([east[0], north[0]])
        at = np.column_stack([graph.lon, graph.lat]) * self.scale
        edge = np.repeat(np.arange(len(graph.start)), np.diff(graph.offset))
        self.shapes = shapely.linestrings(at, indices=edge) if len(at) else np.zeros(0, object)
        usable = graph.forward | graph.backward
        self.usable, self.chosen = np.flatnonzero(usable), np.flatnonzero(usable & main)
        self.all_tree = shapely.STRtree(self.shapes[self.usable])
        self.main_tree = shapely.STRtree(self.shapes[self.chosen])

    def snap(self, lon: Floats, lat: Floats) -> Snaps:
        """Where points (degrees; NaN for none) lie on the roads."""
        points = shapely.points(np.column_stack([lon, lat]) * self.scale)
        points[~(np.isfinite(lon) & np.isfinite(lat))] = None
        any_edge, any_off = _nearest(self.all_tree, self.usable, points)
        main_edge, main_off = _nearest(self.main_tree, self.chosen, points)
        rather = (main_edge >= 0) & (main_off <= any_off + RATHER_MAIN_M)
        edge, off = np.where(rather, main_edge, any_edge), np.where(rather, main_off, any_off)
        along = np.zeros(len(edge), np.int64)
        on = np.flatnonzero(edge >= 0)
        share = shapely.line_locate_point(self.shapes[edge[on]], points[on], normalized=True)
        along[on] = np.rint(np.nan_to_num(share) * self.graph.length[edge[on]]).astype(np.int64)
        return Snaps(edge=edge, along=along, off_m=off)


def _nearest(tree: shapely.STRtree, edges: Ints, points: "np.typing.NDArray[np.object_]") -> tuple[Ints, Floats]:
    """The nearest edge of a tree to each point, the first of several, and how far off; -1 and inf beyond reach."""
    edge, off = np.full(len(points), -1), np.full(len(points), np.inf)
    if len(edges):
        found, far = tree.query_nearest(points, max_distance=FARTHEST_M, return_distance=True, all_matches=True)
        order = np.lexsort((edges[found[1]], found[0]))
        at, first = np.unique(found[0][order], return_index=True)
        edge[at], off[at] = edges[found[1][order[first]]], far[order[first]]
    return edge, off
