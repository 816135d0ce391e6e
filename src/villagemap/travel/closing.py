"""Closed roads: whole edges by their id, and whatever of a road lies within a drawn area."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import shapely

from villagemap.errors import BadInputError
from villagemap.travel.cutting import Closure
from villagemap.travel.graph import QUARTERS, RoadGraph
from villagemap.travel.paths import measure

Closed = str | Mapping[str, Any]
"""An edge's id, or a GeoJSON Polygon or MultiPolygon (bare, or as a Feature)."""

_MOST_POINTS = 20_000


def edge_id(edge: int) -> str:
    """What an edge is called; it holds for one graph."""
    return f"e{edge}"


def closures_of(graph: RoadGraph, closed: Sequence[Closed]) -> list[Closure]:
    """The stretches that are closed.

    Raises
    ------
    BadInputError
        ``closed_unreadable`` for what is neither an edge of this graph nor an area.
    """
    closures = []
    areas = []
    for one in closed:
        if isinstance(one, str):
            edge = _edge(graph, one)
            closures.append(Closure(edge, 0, int(graph.length[edge])))
        else:
            areas.append(_area(one))
    if areas:
        closures += _within(graph, shapely.union_all(areas))
    return closures


def _edge(graph: RoadGraph, word: str) -> int:
    number = word.removeprefix("e")
    if not (number.isascii() and number.isdecimal() and len(number) < 10 and int(number) < len(graph.start)):  # noqa: PLR2004
        raise BadInputError("closed_unreadable", value=word[:60])
    return int(number)


def _area(said: Mapping[str, Any]) -> shapely.Geometry:
    shape = said.get("geometry") if said.get("type") == "Feature" else said
    try:
        area = shapely.from_geojson(orjson.dumps(shape))
        sound = area.geom_type in {"Polygon", "MultiPolygon"} and not area.is_empty
    except (shapely.GEOSException, TypeError, ValueError) as fault:
        raise BadInputError("closed_unreadable", value=str(said)[:60]) from fault
    bounds = area.bounds if sound else (np.inf,)
    if not np.isfinite(bounds).all() or shapely.get_num_coordinates(area) > _MOST_POINTS:
        raise BadInputError("closed_unreadable", value=str(said)[:60])
    return shapely.force_2d(shapely.make_valid(area))


def _within(graph: RoadGraph, area: shapely.Geometry) -> list[Closure]:
    """Stretches inside an area."""
    edge = np.repeat(np.arange(len(graph.start)), np.diff(graph.offset))
    shapes = shapely.linestrings(np.column_stack([graph.lon, graph.lat]), indices=edge)
    shapely.prepare(area)
    closures = []
    for at in np.flatnonzero(shapely.intersects(area, shapes)).tolist():
        whole = int(graph.length[at])
        if shapely.contains(area, shapes[at]):
            closures.append(Closure(at, 0, whole))
            continue
        closures += [Closure(at, first, last) for first, last in _stretches(graph, at, shapes[at], area)]
    return closures


def _stretches(graph: RoadGraph, edge: int, line: shapely.Geometry, area: shapely.Geometry) -> list[tuple[int, int]]:
    """First and last quarter of each part of a line within an area, at least one apart."""
    part = slice(graph.offset[edge], graph.offset[edge + 1])
    lon, lat = graph.lon[part], graph.lat[part]
    degrees = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(lon), np.diff(lat)))])
    metres, whole = measure(lon, lat), int(graph.length[edge])
    outside = shapely.get_parts(shapely.difference(line, area))
    ends = [[shapely.line_locate_point(line, shapely.get_point(one, at)) for at in (0, -1)] for one in outside]
    free = sorted(tuple(sorted(pair)) for pair in ends)
    borders = [0.0, *(at for pair in free for at in pair), float(degrees[-1])]
    found = []
    for begin, end in zip(borders[::2], borders[1::2], strict=True):
        if end > begin:
            first, last = (int(np.rint(np.interp(at, degrees, metres) * QUARTERS)) for at in (begin, end))
            found.append((min(first, whole - 1), min(max(last, first + 1), whole)))
    return found
