"""An OSM extract by osmium; runs only in the child.

Twice through the file: first the ways that may be roads, then the nodes that they are made of. Only these are held.
"""

from array import array
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import osmium

from villagemap.errors import BadInputError, TooLargeError
from villagemap.readers.contract import Limits, Parsed, ParsedRow

WAY_TAGS = (
    "highway", "route", "motorcar", "motor_vehicle", "vehicle", "access", "oneway", "junction", "maxspeed", "tracktype",
    "area", "bridge", "tunnel", "layer",
)  # fmt: skip
NODE_TAGS = ("barrier", "motorcar", "motor_vehicle", "vehicle", "access")
COLUMNS = (*WAY_TAGS, "barrier", "refs", "lonlat")
"""``refs`` are ids of nodes, ``lonlat`` as many pairs in 1e-7 degrees, all between spaces; a barrier has one."""
_BYTES_A_REF = 40
_LONGEST_TAG = 200


class _Ways(NamedTuple):
    """Ways by their ids and tags; way i has the nodes ``refs[offset[i]:offset[i + 1]]``."""

    ids: list[int]
    tags: list[list[str]]
    refs: "np.typing.NDArray[np.int64]"
    offset: list[int]


def read_osm(file: str, limits: Limits) -> Parsed:
    """A row for each way that may be a road (numbered by its OSM id), and for each barrier on one.

    A way of which the extract lacks nodes comes in pieces.

    Raises
    ------
    BadInputError
        ``osm_broken``
    TooLargeError
        ``table_too_long`` for more ways than rows are allowed, ``parser_memory``
    """
    try:
        ways = _ways(file, limits)
        nodes, barriers = _nodes(file, ways)
    except (RuntimeError, ValueError, OSError) as fault:
        if "bad_alloc" in str(fault):
            raise MemoryError from fault
        raise BadInputError("osm_broken", where=str(fault)[:100]) from fault
    head = {"columns": list(COLUMNS), "crs": "EPSG:4326"}
    return Parsed(head, _rows(ways, nodes, barriers))


def _ways(file: str, limits: Limits) -> _Ways:
    ids: list[int] = []
    tags: list[list[str]] = []
    refs, offset = array("q"), [0]
    way: Any  # osmium says only that it is one of all kinds
    for way in osmium.FileProcessor(file, osmium.osm.WAY).with_filter(osmium.filter.KeyFilter("highway", "route")):
        if "highway" not in way.tags and way.tags.get("route") != "ferry":
            continue
        ids.append(way.id)
        tags.append([_tag(way, key) for key in WAY_TAGS])
        refs.extend([node.ref for node in way.nodes])
        offset.append(len(refs))
        if len(ids) > limits.rows or len(refs) * _BYTES_A_REF > limits.memory_bytes:
            raise TooLargeError("table_too_long", limit=limits.rows)
    return _Ways(ids, tags, np.frombuffer(refs, np.int64) if refs else np.zeros(0, np.int64), offset)


def _tag(thing: Any, key: str) -> str:  # noqa: ANN401 - a way or node of osmium
    return str(thing.tags.get(key, ""))[:_LONGEST_TAG]


def _nodes(file: str, ways: _Ways) -> tuple["np.typing.NDArray[np.int64]", list[tuple[int, list[str]]]]:
    """Of each ref lon and lat in 1e-7 degrees, shape (n, 2), -2^62 where the extract lacks it; and barriers by id."""
    wanted = np.unique(ways.refs)
    places = np.full((len(wanted), 2), -(1 << 62), np.int64)
    barriers: list[tuple[int, list[str]]] = []
    found, lonlat = array("q"), array("q")
    only = osmium.filter.IdFilter(wanted.tolist())
    node: Any
    for node in osmium.FileProcessor(file, osmium.osm.NODE).with_filter(only):
        place = node.location
        if not place.valid():
            continue
        found.append(node.id)
        lonlat.extend((place.x, place.y))
        if len(node.tags) and "barrier" in node.tags:
            barriers.append((node.id, [_tag(node, key) for key in NODE_TAGS]))
    if found:
        at = np.searchsorted(wanted, np.frombuffer(found, np.int64))
        places[at] = np.frombuffer(lonlat, np.int64).reshape(-1, 2)
    return places[np.searchsorted(wanted, ways.refs)], barriers


def _rows(ways: _Ways, places: Any, barriers: list[tuple[int, list[str]]]) -> Iterator[ParsedRow]:  # noqa: ANN401
    for number, tags, first, last in zip(ways.ids, ways.tags, ways.offset, ways.offset[1:], strict=False):
        known = places[first:last, 0] > -(1 << 62)
        breaks = [0, *(np.flatnonzero(known[1:] != known[:-1]) + 1).tolist(), last - first]
        for begin, end in pairwise(breaks):
            if end - begin > 1 and known[begin]:
                part = slice(first + begin, first + end)
                lonlat = " ".join(map(str, places[part].ravel().tolist()))
                yield number, [*tags, "", " ".join(map(str, ways.refs[part].tolist())), lonlat], None, ""
    blank = [""] * len(WAY_TAGS)
    for number, values in barriers:
        tags = blank.copy()
        for key, value in zip(NODE_TAGS[1:], values[1:], strict=True):
            tags[WAY_TAGS.index(key)] = value
        yield number, [*tags, values[0], str(number), ""], None, ""
