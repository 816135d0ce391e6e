"""A drawing becomes a graph: ends snapped to what they nearly touch, lines cut where they cross, none at bridges.

A bureau's lines have no topology. Ends within `SNAP_M` of each other are one node; an end within it of a line's middle
cuts that line there; lines that cross are cut where they do. A bridge or tunnel meets others at its ends only, and
lines of different layers never meet by crossing.

A road that ends at a bridge's middle, with nothing to go on from there, is taken for a road on the bridge. Where a
bridge's end and the road that goes on from it lie close to a third line, that is either a crossroads at the
abutment or a road below. Centre lines of roads that pass below are not nearer than half their width, so the third line
is joined only within `AT_BRIDGE_M`.
"""

from dataclasses import replace

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from villagemap.travel.graph import RoadGraph, build_graph
from villagemap.travel.lines import Flags, Ints, RoadLines
from villagemap.travel.plane import Floats, metres_per_degree

SNAP_M = 3.0
AT_BRIDGE_M = 1.5

Shapes = np.ndarray[tuple[int], np.dtype[np.object_]]


def graph_by_drawing(lines: RoadLines) -> RoadGraph:
    """The graph of lines that only their drawing joins."""
    if not len(lines.kind):
        return build_graph(lines, np.full(len(lines.lon), -1))
    return _Noding(lines).graph()


class _Noding:
    """Marks on lines (where: line and metres along), and pairs of marks that are one node.

    The first 2 n marks are the lines' ends: mark 2 i the start of line i, 2 i + 1 its end.
    """

    def __init__(self, lines: RoadLines) -> None:
        self.lines = lines
        east, north = metres_per_degree(np.array([float(lines.lat.min() + lines.lat.max()) / 2]))
        self.points = np.column_stack([lines.lon * east, lines.lat * north])
        self.shapes: Shapes = shapely.linestrings(self.points, indices=lines.line_of_point())
        self.long: Floats = shapely.length(self.shapes)
        self.tree = shapely.STRtree(self.shapes)
        count = len(self.shapes)
        self.mark_line: list[Ints] = [np.repeat(np.arange(count), 2)]
        self.mark_along: list[Floats] = [np.column_stack([np.zeros(count), self.long]).ravel()]
        self.marks = 2 * count
        self.pairs: list[tuple[Ints, Ints]] = []

    def graph(self) -> RoadGraph:
        ends = self._ends()
        joined = self._join_ends(ends)
        self._join_to_middles(ends, joined)
        self._join_crossings()
        return self._cut()

    def _ends(self) -> Floats:
        """Positions of all ends, shape (2 n, 2)."""
        offset = self.lines.offset
        return self.points[np.column_stack([offset[:-1], offset[1:] - 1]).ravel()]

    def _join_ends(self, ends: Floats) -> Ints:
        """Join ends to ends; the group of each."""
        near = cKDTree(ends).query_pairs(SNAP_M, output_type="ndarray").astype(np.int64).reshape(-1, 2)
        self.pairs.append((near[:, 0], near[:, 1]))
        return _groups(len(ends), near[:, 0], near[:, 1])

    def _join_to_middles(self, ends: Floats, group: Ints) -> None:
        """Join ends to the nearest other line that they don't already meet end to end."""
        points = shapely.points(ends)
        end, line = self.tree.query(points, predicate="dwithin", distance=SNAP_M)
        met = (group[end] == group[2 * line]) | (group[end] == group[2 * line + 1])
        end, line = end[(line != end // 2) & ~met], line[(line != end // 2) & ~met]
        far: Floats = shapely.distance(self.shapes[line], points[end])
        raised, layer = self.lines.raised, self.lines.layer
        alone = np.bincount(group)[group[end]] == 1
        level = ~raised[line] | (alone & (layer[line] == layer[end // 2]))
        joins = level & (far <= self._reach(group)[end])
        end, line, far = end[joins], line[joins], far[joins]
        order = np.lexsort((far, end))
        end, first = np.unique(end[order], return_index=True)
        line = line[order[first]]
        along: Floats = shapely.line_locate_point(self.shapes[line], points[end])
        self.pairs.append((end.astype(np.int64), self._at(line, along)))

    def _reach(self, group: Ints) -> Floats:
        """How near a line's middle must be to each end: less where a bridge and another line end together."""
        raised = np.repeat(self.lines.raised, 2)
        at_bridge = np.bincount(group, raised) > 0
        several = np.bincount(group) > 1
        return np.where((at_bridge & several)[group], AT_BRIDGE_M, SNAP_M)

    def _join_crossings(self) -> None:
        """Join lines to lines where they cross and are on one level."""
        one, other = self.tree.query(self.shapes, predicate="intersects")
        raised, layer = self.lines.raised, self.lines.layer
        level = (one < other) & ~raised[one] & ~raised[other] & (layer[one] == layer[other])
        one, other = one[level], other[level]
        crossings = shapely.intersection(self.shapes[one], self.shapes[other])
        parts, of = shapely.get_parts(crossings, return_index=True)
        ends = np.concatenate([_first_point(parts), _last_point(parts)])
        of = np.concatenate([of, of])
        known = ~shapely.is_missing(ends)
        ends, of = ends[known], of[known]
        one, other = one[of], other[of]
        marks = [
            self._at(line, np.asarray(shapely.line_locate_point(self.shapes[line], ends), float))
            for line in (one, other)
        ]
        self.pairs.append((marks[0], marks[1]))

    def _at(self, line: Ints, along: Floats) -> Ints:
        """Marks at places of lines: a line's end where that is within reach, else new ones."""
        marks = np.empty(len(line), np.int64)
        from_end = self.long[line] - along
        end = np.minimum(along, from_end) <= SNAP_M
        marks[end] = 2 * line[end] + (from_end < along)[end]
        marks[~end] = self._mark(line[~end], along[~end])
        return marks

    def _mark(self, line: Ints, along: Floats) -> Ints:
        marks = self.marks + np.arange(len(line))
        self.mark_line.append(line)
        self.mark_along.append(along)
        self.marks += len(line)
        return marks

    def _cut(self) -> RoadGraph:
        """Points for all marks put in where they belong, each at the middle of its node's marks."""
        line, along = np.concatenate(self.mark_line), np.concatenate(self.mark_along)
        joined = [np.concatenate(side) for side in zip(*self.pairs, strict=True)]
        node = _groups(self.marks, joined[0], joined[1])
        ends, lines = 2 * len(self.shapes), self.lines
        measured = self._measured()
        start = measured[lines.offset[:-1]]
        at = start[line] + along
        at[:ends] = measured[np.column_stack([lines.offset[:-1], lines.offset[1:] - 1]).ravel()]
        lon, lat = np.interp(at, measured, lines.lon), np.interp(at, measured, lines.lat)
        counts = np.bincount(node)
        lon, lat = np.bincount(node, lon) / counts, np.bincount(node, lat) / counts
        inner = _inner(lines)
        where = np.concatenate([measured[inner], at])
        owner = np.concatenate([lines.line_of_point()[inner], line])
        label = np.concatenate([np.full(int(inner.sum()), -1), node])
        order = np.lexsort((where, owner))
        label = label[order]
        new_lon = np.concatenate([lines.lon[inner], lon[node]])[order]
        new_lat = np.concatenate([lines.lat[inner], lat[node]])[order]
        offset = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(self.shapes)))])
        return build_graph(replace(lines, lon=new_lon, lat=new_lat, offset=offset), label)

    def _measured(self) -> Floats:
        """Metres to each point along all lines laid one behind the other, a metre apart."""
        step = np.hypot(*np.diff(self.points, axis=0).T)
        step[self.lines.offset[1:-1] - 1] = 1.0
        return np.concatenate([[0.0], np.cumsum(step)])


def _inner(lines: RoadLines) -> Flags:
    """Points that are no line's end."""
    inner = np.ones(len(lines.lon), bool)
    inner[lines.offset[:-1]] = False
    inner[lines.offset[1:] - 1] = False
    return inner


def _groups(count: int, one: Ints, other: Ints) -> Ints:
    """Numbers of the groups that pairs make of 0 to ``count`` - 1."""
    links = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _first_point(parts: Shapes) -> Shapes:
    is_point = shapely.get_type_id(parts) == shapely.GeometryType.POINT
    return np.asarray(np.where(is_point, parts, shapely.get_point(parts, 0)), object)


def _last_point(parts: Shapes) -> Shapes:
    """The end of a shared stretch; None for a point, which `_first_point` has."""
    return np.asarray(shapely.get_point(parts, -1), object)
