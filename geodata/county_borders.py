"""Borders between labelled raster areas as shared lines, so that areas tile without gap or overlap.

Each line between two areas is smoothed and thinned once, and both areas take the same points.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from county_terrain import CELL, FRAME, KM_PER_DEGREE_LAT, KM_PER_DEGREE_LON, SOUTH, WEST, Labels
from shapely import GeometryCollection, LineString, MultiPolygon, Polygon

Corner = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Border:
    """A line in degrees between the areas of two labels."""

    sides: tuple[int, int]
    line: LineString


def to_degrees(points: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Longitude and latitude, rounded to 6 decimals, of plane points (n, 2) in km."""
    plane = np.asarray(points, float).reshape(-1, 2)
    return np.round(plane / [KM_PER_DEGREE_LON, KM_PER_DEGREE_LAT] + [WEST, SOUTH], 6)


def to_plane(points: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Plane coordinates in km of longitudes and latitudes, shape (n, 2)."""
    return (np.asarray(points, float).reshape(-1, 2) - [WEST, SOUTH]) * [KM_PER_DEGREE_LON, KM_PER_DEGREE_LAT]


def borders(labels: Labels, thin: Callable[[tuple[int, int]], float]) -> list[Border]:
    """All borders of a label raster; ``thin`` gives the tolerance in km for a pair of labels."""
    links = _corner_links(np.pad(labels, 1, constant_values=FRAME))
    nodes = {corner for corner, ends in links.items() if len(ends) != 2 or len(set(ends.values())) > 1}
    plane = _smoothed(links)
    found = []
    for path, sides in _paths(links, nodes):
        line = shapely.simplify(LineString([plane[corner] for corner in path]), thin(sides))
        found.append(Border(sides, LineString(to_degrees(shapely.get_coordinates(line)))))
    return found


def _corner_links(framed: Labels) -> dict[Corner, dict[Corner, tuple[int, int]]]:
    """For each raster corner its neighbours along a border, with the labels on both sides."""
    links: dict[Corner, dict[Corner, tuple[int, int]]] = defaultdict(dict)
    for row, column in np.argwhere(framed[:, 1:] != framed[:, :-1]).tolist():
        _link(links, (row, column + 1), (row + 1, column + 1), framed[row, column], framed[row, column + 1])
    for row, column in np.argwhere(framed[1:] != framed[:-1]).tolist():
        _link(links, (row + 1, column), (row + 1, column + 1), framed[row, column], framed[row + 1, column])
    return links


def _link(links: dict[Corner, dict[Corner, tuple[int, int]]], a: Corner, b: Corner, one: int, two: int) -> None:
    sides = (min(int(one), int(two)), max(int(one), int(two)))
    links[a][b] = links[b][a] = sides


def _paths(
    links: dict[Corner, dict[Corner, tuple[int, int]]], nodes: set[Corner]
) -> Iterable[tuple[list[Corner], tuple[int, int]]]:
    """Walk every border once: from node to node first, then the closed loops that touch no node."""
    done: set[tuple[Corner, Corner]] = set()
    for start in [*sorted(nodes), *sorted(links)]:
        for second in sorted(links[start]):
            if (start, second) in done:
                continue
            path, sides = [start, second], links[start][second]
            while path[-1] not in nodes and path[-1] != start:
                path.append(next(c for c in links[path[-1]] if c != path[-2]))
            done.update(pairwise(path))
            done.update(zip(path[1:], path, strict=False))
            yield path, sides


def _smoothed(links: dict[Corner, dict[Corner, tuple[int, int]]]) -> dict[Corner, tuple[float, float]]:
    """Where each corner lies (km) once the raster's steps are rounded off; the raster's rim stays put.

    Every corner, junctions too, moves half way to the mean of its neighbours, five times, all at once.
    """
    corners = sorted(links)
    index = {corner: i for i, corner in enumerate(corners)}
    ends = np.array([[index[a], index[b]] for a in corners for b in links[a]])
    degree = np.bincount(ends[:, 0])[:, None]
    free = np.array([all(FRAME not in sides for sides in links[c].values()) for c in corners])[:, None]
    points = (np.array(corners, float)[:, ::-1] - 1) * CELL
    for _ in range(5):
        mean = np.column_stack([np.bincount(ends[:, 0], points[ends[:, 1], axis]) for axis in (0, 1)]) / degree
        points = np.where(free, (points + mean) / 2, points)
    return dict(zip(corners, map(tuple, points.tolist()), strict=True))


def area(lines: Iterable[Border], members: set[int]) -> Polygon | MultiPolygon:
    """The area of the labels in ``members``: everything between borders with exactly one side among them."""
    rim = [b.line for b in lines if (b.sides[0] in members) != (b.sides[1] in members)]
    built = shapely.normalize(shapely.build_area(GeometryCollection(rim)))
    if not built.is_valid or built.is_empty:
        raise ValueError(f"borders of {sorted(members)[:3]} don't close: {shapely.is_valid_reason(built)}")
    return shapely.orient_polygons(built)
