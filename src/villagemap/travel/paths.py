"""The way itself: which pieces it takes, as a line to draw."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.sparse.csgraph import dijkstra

from villagemap.travel.cutting import FARTHEST, Network
from villagemap.travel.graph import QUARTERS, RoadGraph
from villagemap.travel.lines import Ints
from villagemap.travel.plane import Floats, step_m
from villagemap.travel.reducing import links_of
from villagemap.travel.ways import sparse

LonLat = tuple[float, float]
_NOWHERE = -9999
"""scipy's predecessor of a node that has none."""
_SOURCES_CELLS = 4_000_000


def paths_between(graph: RoadGraph, network: Network, pairs: Sequence[tuple[int, int]]) -> list[list[LonLat] | None]:
    """Points (lon, lat) along the quickest way from stop to stop (rows of ``network.node``); None for no way."""
    links = links_of(network)
    matrix = sparse(links.one, links.other, links.there, links.back, network.nodes)
    pieces = _Pieces(network)
    paths: list[list[LonLat] | None] = [None] * len(pairs)
    by_source: dict[int, list[int]] = {}
    for at, (source, target) in enumerate(pairs):
        if network.node[source] >= 0 and network.node[target] >= 0:
            by_source.setdefault(int(network.node[source]), []).append(at)
    sources = list(by_source)
    step = max(1, _SOURCES_CELLS // max(1, network.nodes))
    for first in range(0, len(sources), step):
        some = sources[first : first + step]
        weights, before = dijkstra(matrix, directed=True, indices=some, return_predecessors=True)
        for row, source in enumerate(some):
            for at in by_source[source]:
                target = int(network.node[pairs[at][1]])
                if weights[row, target] < FARTHEST:
                    paths[at] = _drawn(graph, network, pieces, _nodes(before[row], source, target))
    return paths


def _nodes(before: "np.typing.NDArray[np.int32]", source: int, target: int) -> list[int]:
    nodes = [target]
    while nodes[-1] != source and before[nodes[-1]] != _NOWHERE:
        nodes.append(int(before[nodes[-1]]))
    return nodes[::-1]


class _Pieces:
    """Finds the best piece from one node to the next."""

    def __init__(self, network: Network) -> None:
        count = len(network.start)
        start, end = np.concatenate([network.start, network.end]), np.concatenate([network.end, network.start])
        weight = np.concatenate([network.forward, network.backward])
        order = np.lexsort((weight, end, start))
        self.key: Ints = start[order] * network.nodes + end[order]
        self.piece: Ints = order % count
        self.turned = order >= count
        self.nodes = network.nodes

    def find(self, one: int, other: int) -> tuple[int, bool]:
        """A piece, and whether it is driven against its drawing."""
        at = int(np.searchsorted(self.key, one * self.nodes + other))
        return int(self.piece[at]), bool(self.turned[at])


def _drawn(graph: RoadGraph, network: Network, pieces: _Pieces, nodes: Sequence[int]) -> list[LonLat]:
    path: list[LonLat] = []
    for one, other in pairwise(nodes):
        piece, turned = pieces.find(one, other)
        stretch = stretch_of(graph, int(network.edge[piece]), int(network.first[piece]), int(network.last[piece]))
        points = stretch[::-1] if turned else stretch
        path += points[1:] if path and path[-1] == points[0] else points
    return path


def stretch_of(graph: RoadGraph, edge: int, first: int, last: int) -> list[LonLat]:
    """The points of an edge between two places on it, in quarters from its start."""
    part = slice(graph.offset[edge], graph.offset[edge + 1])
    lon, lat = graph.lon[part], graph.lat[part]
    measured = measure(lon, lat)
    begin, end = first / QUARTERS, last / QUARTERS
    if last >= graph.length[edge]:
        end = float(measured[-1])
    inner = (measured > begin) & (measured < end)
    at = np.concatenate([[begin], measured[inner], [end]])
    east, north = np.interp(at, measured, lon), np.interp(at, measured, lat)
    return list(zip(np.round(east, 7).tolist(), np.round(north, 7).tolist(), strict=True))


def measure(lon: Floats, lat: Floats) -> Floats:
    """Metres along a line to each of its points."""
    return np.concatenate([[0.0], np.cumsum(step_m(lon, lat))])
