"""A graph cut at stops and closures: what is measured on.

A weight holds time and length in one number: ticks × 2^26 + quarters, below 2^53 and so exact in a float64. The
quickest way is found by it, and of equally quick ones the shortest, with the length for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from villagemap.travel.graph import RoadGraph
from villagemap.travel.lines import Flags, Ints
from villagemap.travel.plane import Floats
from villagemap.travel.snapping import Snaps

QUARTER_BITS = 26
FARTHEST = float(1 << 53)
"""Weights from here on (37 hours) aren't exact: no way."""


@dataclass(frozen=True, slots=True)
class Closure:
    """A stretch of an edge that is closed, in quarters from its start."""

    edge: int
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """p pieces between ``nodes`` nodes: ``forward`` and ``backward`` are weights, inf where it can't be driven.

    ``edge``, ``first`` and ``last`` tell which stretch of the graph a piece is. ``node`` is each stop's, -1 for one
    outside the roads.
    """

    nodes: int
    start: Ints
    end: Ints
    forward: Floats
    backward: Floats
    edge: Ints
    first: Ints
    last: Ints
    node: Ints


def cut(graph: RoadGraph, ticks: Ints, snaps: Snaps, closures: Sequence[Closure] = ()) -> Network:
    """The graph with a node wherever a stop lies, and without what is closed."""
    stops = np.flatnonzero(snaps.edge >= 0)
    edge = np.concatenate([snaps.edge[stops], _column(closures, "edge"), _column(closures, "edge")])
    along = np.concatenate([snaps.along[stops], _column(closures, "first"), _column(closures, "last")])
    cuts, of_cut = np.unique(np.column_stack([edge, along]), axis=0, return_inverse=True)
    cut_node = _cut_nodes(graph, cuts)
    node = np.full(len(snaps.edge), -1, np.int64)
    node[stops] = cut_node[of_cut.ravel()[: len(stops)]]
    start, end, edge, first, last = _pieces(graph, cuts, cut_node)
    open_ = ~_closed(edge, first, last, closures)
    start, end, edge, first, last = (part[open_] for part in (start, end, edge, first, last))
    weight = _weights(graph, ticks, edge, first, last)
    return Network(
        nodes=len(graph.node_lon) + len(cuts),
        start=start,
        end=end,
        forward=np.where(graph.forward[edge], weight, np.inf),
        backward=np.where(graph.backward[edge], weight, np.inf),
        edge=edge,
        first=first,
        last=last,
        node=node,
    )


def _column(closures: Sequence[Closure], name: str) -> Ints:
    return np.array([getattr(closure, name) for closure in closures], np.int64)


def _cut_nodes(graph: RoadGraph, cuts: Ints) -> Ints:
    """Node of each cut: the edge's own at its ends, else a new one."""
    edge, along = cuts[:, 0], cuts[:, 1]
    new = len(graph.node_lon) + np.arange(len(cuts))
    return np.where(along <= 0, graph.start[edge], np.where(along >= graph.length[edge], graph.end[edge], new))


def _pieces(graph: RoadGraph, cuts: Ints, cut_node: Ints) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Start, end, edge, first and last quarter of all pieces, in the order of edges."""
    inside = (cuts[:, 1] > 0) & (cuts[:, 1] < graph.length[cuts[:, 0]])
    cuts, cut_node = cuts[inside], cut_node[inside]
    every = np.arange(len(graph.start))
    edge = np.concatenate([every, cuts[:, 0], every])
    along = np.concatenate([np.zeros(len(every), np.int64), cuts[:, 1], graph.length])
    node = np.concatenate([graph.start, cut_node, graph.end])
    order = np.lexsort((along, edge))
    edge, along, node = edge[order], along[order], node[order]
    follows = np.flatnonzero(edge[:-1] == edge[1:])
    return node[follows], node[follows + 1], edge[follows], along[follows], along[follows + 1]


def _closed(edge: Ints, first: Ints, last: Ints, closures: Sequence[Closure]) -> Flags:
    closed = np.zeros(len(edge), bool)
    for closure in closures:
        of = slice(*np.searchsorted(edge, [closure.edge, closure.edge + 1]))
        closed[of] |= (first[of] >= closure.first) & (last[of] <= closure.last)
    return closed


def _weights(graph: RoadGraph, ticks: Ints, edge: Ints, first: Ints, last: Ints) -> Floats:
    """Time by share of the edge, so that the pieces of an edge add up to it."""
    whole = graph.length[edge]
    before, until = (np.rint(ticks[edge] * (at / whole)).astype(np.int64) for at in (first, last))
    return (((until - before) << QUARTER_BITS) + (last - first)).astype(float)
