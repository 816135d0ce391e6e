"""Times and distances between stops on roads: Dijkstra from every distinct position on a network made small."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from villagemap.plans import NEVER
from villagemap.travel.cutting import FARTHEST, QUARTER_BITS, Network
from villagemap.travel.graph import QUARTERS, TICKS
from villagemap.travel.lines import Ints
from villagemap.travel.plane import Floats
from villagemap.travel.reducing import MOST_NEIGHBOURS, Links, links_of, reduce_links

APPROACH_FREE_M = 50.0
APPROACH_DETOUR = 1.3
APPROACH_KM_H = 15.0
"""Beyond the first metres to the road a stop is approached on a track that isn't drawn."""
_SOURCES_CELLS = 8_000_000
_ROWS = 256


def weights_between(network: Network, *, most: int = MOST_NEIGHBOURS) -> Floats:
    """Weights between all stops of a network, shape (n, n), inf for no way; ``most`` 0 leaves nothing out."""
    on = np.flatnonzero(network.node >= 0)
    places, of = np.unique(network.node[on], return_inverse=True)
    kept = np.zeros(network.nodes, bool)
    kept[places] = True
    links = links_of(network)
    if most:
        links = reduce_links(links, network.nodes, kept, most)
    between = _dijkstra(links, places)
    weights = np.full((len(network.node), len(network.node)), np.inf)
    weights[np.ix_(on, on)] = between[np.ix_(of, of)]
    np.fill_diagonal(weights, 0.0)
    return weights


def _dijkstra(links: Links, places: Ints) -> Floats:
    """Weights from every place to every other, shape (k, k)."""
    names, ends = np.unique(np.concatenate([links.one, links.other, places]), return_inverse=True)
    count = len(links.one)
    matrix = sparse(ends[:count], ends[count : 2 * count], links.there, links.back, len(names))
    at = ends[2 * count :]
    between = np.empty((len(places), len(places)))
    step = max(1, _SOURCES_CELLS // max(1, len(names)))
    for first in range(0, len(places), step):
        rows = slice(first, first + step)
        between[rows] = dijkstra(matrix, directed=True, indices=at[rows])[:, at]
    between[between >= FARTHEST] = np.inf
    return between


def sparse(one: Ints, other: Ints, there: Floats, back: Floats, nodes: int) -> csr_array:
    """Weights as scipy's Dijkstra takes them; no pair may stand twice."""
    start, end, weight = np.concatenate([one, other]), np.concatenate([other, one]), np.concatenate([there, back])
    used = np.isfinite(weight)
    return csr_array((weight[used], (start[used], end[used])), shape=(nodes, nodes))


def figures(weights: Floats, off_m: Floats) -> tuple[Ints, Ints]:
    """Seconds and metres of weights, rounded up, with the approach from each stop to its road (metres) and back.

    `NEVER` for no way; 0 on the diagonal. Rounding up keeps a way round from being shorter than the way.
    """
    far = np.maximum(np.where(np.isfinite(off_m), off_m, 0.0) - APPROACH_FREE_M, 0.0) * APPROACH_DETOUR
    ticks = np.rint(far * 3.6 / APPROACH_KM_H * TICKS).astype(np.int64)
    quarters = np.rint(far * QUARTERS).astype(np.int64)
    seconds, metres = np.full(weights.shape, NEVER, np.int64), np.full(weights.shape, NEVER, np.int64)
    for first in range(0, len(weights), _ROWS):  # a few rows at a time: thousands of stops fill the memory otherwise
        rows = slice(first, first + _ROWS)
        way = np.isfinite(weights[rows])
        whole = np.where(way, weights[rows], 0).astype(np.int64)
        time = (whole >> QUARTER_BITS) + ticks[rows, None] + ticks
        length = (whole & ((1 << QUARTER_BITS) - 1)) + quarters[rows, None] + quarters
        seconds[rows][way] = -(-time[way] // TICKS)
        metres[rows][way] = -(-length[way] // QUARTERS)
    np.fill_diagonal(seconds, 0)
    np.fill_diagonal(metres, 0)
    return seconds, metres
