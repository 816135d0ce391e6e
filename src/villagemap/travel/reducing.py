"""A network made smaller without changing a single way between its stops.

A node that is no stop can go when its neighbours are linked with each other by what led through it: a dead end leaves
nothing, a bend or a chain one link, a crossing of three roads three, of four six. Nodes of at most
`MOST_NEIGHBOURS` neighbours go, many at a time (never two that touch), until few are left that can.
"""

from dataclasses import dataclass

import numpy as np

from villagemap.travel.cutting import Network
from villagemap.travel.lines import Flags, Ints
from villagemap.travel.plane import Floats

MOST_NEIGHBOURS = 4
_MOST_ROUNDS = 200
_LEAST_GAIN = 0.004


@dataclass(frozen=True, slots=True)
class Links:
    """Links between pairs of nodes, each pair once with ``one`` < ``other``: weights there and back, inf for none."""

    one: Ints
    other: Ints
    there: Floats
    back: Floats


def links_of(network: Network) -> Links:
    """The best link between every two nodes."""
    return _best(network.start, network.end, network.forward, network.backward)


def reduce_links(links: Links, nodes: int, kept: Flags, most: int = MOST_NEIGHBOURS) -> Links:
    """Links among ``kept`` nodes and those that couldn't go; ways between kept nodes weigh what they did."""
    dice = np.random.default_rng(1)
    for _ in range(_MOST_ROUNDS):
        degree = np.bincount(links.one, minlength=nodes) + np.bincount(links.other, minlength=nodes)
        can = ~kept & (degree > 0) & (degree <= most)
        rank = np.where(can, dice.permutation(nodes) + nodes * degree, np.iinfo(np.int64).max)
        least = np.full(nodes, np.iinfo(np.int64).max)
        np.minimum.at(least, links.one, rank[links.other])
        np.minimum.at(least, links.other, rank[links.one])
        going = can & (rank < least)
        count = int(going.sum())
        if not count or (count < _LEAST_GAIN * int((degree > 0).sum()) and not (going & (degree <= 2)).any()):  # noqa: PLR2004
            break
        links = _without(links, going)
    return links


def _without(links: Links, going: Flags) -> Links:
    """Links with shortcuts in place of the nodes that go; no two of those are linked."""
    gone_one, gone_other = going[links.one], going[links.other]
    stay = ~(gone_one | gone_other)
    middle = np.concatenate([links.one[gone_one], links.other[gone_other]])
    outer = np.concatenate([links.other[gone_one], links.one[gone_other]])
    inward = np.concatenate([links.back[gone_one], links.there[gone_other]])
    outward = np.concatenate([links.there[gone_one], links.back[gone_other]])
    order = np.argsort(middle, kind="stable")
    middle, outer, inward, outward = middle[order], outer[order], inward[order], outward[order]
    one, other = _pairs(middle)
    return _best(
        np.concatenate([links.one[stay], outer[one]]),
        np.concatenate([links.other[stay], outer[other]]),
        np.concatenate([links.there[stay], inward[one] + outward[other]]),
        np.concatenate([links.back[stay], inward[other] + outward[one]]),
    )


def _pairs(middle: Ints) -> tuple[Ints, Ints]:
    """Every two positions with the same value, of a sorted array whose values repeat a few times."""
    ones, others = [], []
    step = 1
    while True:
        at = np.flatnonzero(middle[:-step] == middle[step:]) if step < len(middle) else np.zeros(0, np.int64)
        if not len(at):
            break
        ones.append(at)
        others.append(at + step)
        step += 1
    empty = [np.zeros(0, np.int64)]
    return np.concatenate(ones or empty), np.concatenate(others or empty)


def _best(start: Ints, end: Ints, forward: Floats, backward: Floats) -> Links:
    """Links of pieces: loops left out, parallels merged by the lesser weight."""
    turned, apart = start > end, start != end
    one, other = np.where(turned, end, start)[apart], np.where(turned, start, end)[apart]
    there, back = np.where(turned, backward, forward)[apart], np.where(turned, forward, backward)[apart]
    if not len(one):
        return Links(one, other, there, back)
    order = np.lexsort((other, one))
    one, other, there, back = one[order], other[order], there[order], back[order]
    first = np.flatnonzero(np.concatenate([[True], (one[1:] != one[:-1]) | (other[1:] != other[:-1])]))
    there, back = np.minimum.reduceat(there, first), np.minimum.reduceat(back, first)
    used = np.isfinite(there) | np.isfinite(back)
    return Links(one[first][used], other[first][used], there[used], back[used])
