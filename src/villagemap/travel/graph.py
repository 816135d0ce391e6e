"""One directed graph of roads: junctions, and edges between them with their shape.

What lies between two junctions of a drawing or an extract is one edge; points that only bend a road are no nodes.
Times are computed from classes when the graph is read, so a changed table of speeds needs no new import.

Units: a *quarter* is 0.25 m, a *tick* 1 ms. Both are whole numbers, so that sums along different ways are exact.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from villagemap.travel.lines import Flags, Ints, RoadLines
from villagemap.travel.plane import Floats, step_m

QUARTERS = 4
"""Quarters in a metre."""
TICKS = 1000
"""Ticks in a second."""
SLOWEST_KM_H = 3.0
_SHORTEST_LOOP_M = 6.0
_FORM = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoadGraph:
    """n junctions and m edges; edge i is drawn from ``start[i]`` to ``end[i]`` by the points ``offset[i:i + 2]``.

    ``length`` is in quarters, at least 1. ``kind``, ``limit_km_h``, ``forward``, ``backward``, ``number`` are those of
    the line that an edge is part of (`RoadLines`). ``digest`` tells graphs apart by their content.
    """

    node_lon: Floats
    node_lat: Floats
    start: Ints
    end: Ints
    length: Ints
    kind: Ints
    kinds: tuple[str, ...]
    limit_km_h: Floats
    forward: Flags
    backward: Flags
    number: Ints
    offset: Ints
    lon: Floats
    lat: Floats
    digest: str = ""

    def ticks(self, speeds: Mapping[str, float], limit_factor: float = 1.0) -> Ints:
        """Time of each edge, in ticks, at least 1: its length at its own speed, else at its class's.

        ``limit_factor`` is what of a posted limit is driven.
        """
        of_kind = np.array([speeds[kind] for kind in self.kinds], float)
        by_class = of_kind[self.kind] if len(of_kind) else np.zeros(0)
        own = np.isfinite(self.limit_km_h)
        speed = np.where(own, np.where(own, self.limit_km_h, 0.0) * limit_factor, by_class)
        seconds = self.length / QUARTERS * 3.6 / np.maximum(speed, SLOWEST_KM_H)
        return np.maximum(np.rint(seconds * TICKS), 1).astype(np.int64)


def build_graph(lines: RoadLines, arriving: Ints, leaving: Ints | None = None) -> RoadGraph:
    """The graph of lines whose points are labelled: ``arriving`` is a point's node as the end of what comes before it.

    Parameters
    ----------
    arriving
        Node of each point, any whole number; -1 for a point that only bends its line. Both ends of a line have one.
    leaving
        The same as the start of what follows; differs from ``arriving`` where nobody passes.
    """
    leaving = arriving if leaving is None else leaving
    at, line = np.flatnonzero(arriving >= 0), lines.line_of_point()
    first, last = at[:-1], at[1:]
    within = line[first] == line[last]
    first, last = first[within], last[within]
    travelled = _travelled(lines)
    metres = travelled[last] - travelled[first]
    stays = (leaving[first] == arriving[last]) & (metres < _SHORTEST_LOOP_M)
    first, last, metres = first[~stays], last[~stays], metres[~stays]
    names, ends = np.unique(np.concatenate([leaving[first], arriving[last]]), return_inverse=True)
    count = len(first)
    node_lon, node_lat = np.zeros(len(names)), np.zeros(len(names))
    points = np.concatenate([first, last])
    node_lon[ends], node_lat[ends] = lines.lon[points], lines.lat[points]
    lengths = last - first + 1
    offset = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    shape = np.repeat(first - offset[:-1], lengths) + np.arange(offset[-1])
    of = line[first]
    return RoadGraph(
        node_lon=node_lon,
        node_lat=node_lat,
        start=ends[:count].astype(np.int64),
        end=ends[count:].astype(np.int64),
        length=np.maximum(np.rint(metres * QUARTERS), 1).astype(np.int64),
        kind=lines.kind[of],
        kinds=lines.kinds,
        limit_km_h=lines.limit_km_h[of],
        forward=lines.forward[of],
        backward=lines.backward[of],
        number=lines.number[of],
        offset=offset,
        lon=lines.lon[shape],
        lat=lines.lat[shape],
    )


def _travelled(lines: RoadLines) -> Floats:
    """Metres from the first of all points to each, with the jumps from line to line counted too."""
    return np.concatenate([[0.0], np.cumsum(step_m(lines.lon, lines.lat))]) if len(lines.lon) else np.zeros(0)


def graph_by_refs(lines: RoadLines) -> RoadGraph:
    """The graph of lines whose points have numbers: a number that stands twice, or at an end, is a node."""
    ref = lines.ref if lines.ref is not None else np.arange(len(lines.lon))
    names, label, counts = np.unique(ref, return_inverse=True, return_counts=True)
    node = counts[label] > 1
    node[lines.offset[:-1]] = True
    node[lines.offset[1:] - 1] = True
    barred = np.zeros(len(label), bool) if lines.barred is None else np.isin(ref, lines.barred)
    arriving = np.where(node | barred, label, -1)
    leaving = arriving.copy()
    alone = np.flatnonzero(barred)  # nobody passes: every piece that touches it ends at a node of its own
    arriving[alone] = len(names) + 2 * np.arange(len(alone))
    leaving[alone] = arriving[alone] + 1
    return build_graph(lines, arriving, leaving)


def graph_bytes(graph: RoadGraph) -> bytes:
    """A graph as it is kept: a .npz of its arrays."""
    out = io.BytesIO()
    arrays: dict[str, npt.NDArray[np.generic]] = {
        field.name: getattr(graph, field.name) for field in fields(graph) if field.name not in {"kinds", "digest"}
    }
    np.savez(out, form=np.array(_FORM), kinds=np.array(graph.kinds, np.str_), **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def graph_of_bytes(raw: bytes) -> RoadGraph:
    """The graph that `graph_bytes` wrote.

    Raises
    ------
    ValueError
        If it isn't one, or is damaged (every array has a checksum).
    """
    names = {field.name for field in fields(RoadGraph)} - {"kinds", "digest"}
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as kept:
            form, arrays = int(kept["form"]), {name: kept[name] for name in names}
            kinds = tuple(map(str, kept["kinds"].tolist()))
    except Exception as fault:
        raise ValueError(str(fault)) from fault
    if form != _FORM:
        raise ValueError("form")
    return RoadGraph(kinds=kinds, digest=hashlib.sha256(raw).hexdigest(), **arrays)
