"""Outlines as SVG paths: a small map that needs no script, for pages that are read on any phone and printed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import shapely

WIDTH = 600.0
"""Units across; heights follow."""
FINE = 1.0
"""What is smaller than so many units isn't drawn."""
DOT = 4.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """A view box's width and height, and a path for each shape given ("" for none)."""

    width: float
    height: float
    paths: tuple[str, ...]


def draw_outlines(shapes: Sequence[Any]) -> Drawing:
    """Paths of shapely geometries in degrees WGS 84 (None allowed), north up.

    Longitudes shrink by the cosine of the middle latitude (equirectangular), which is true to shape within a county.
    """
    placed = [shape for shape in shapes if shape is not None]
    if not placed:
        return Drawing(WIDTH, 0.0, tuple("" for _ in shapes))
    west, south, east, north = shapely.total_bounds(placed).tolist()
    shrink = math.cos(math.radians((south + north) / 2))
    scale = WIDTH / max((east - west) * shrink, 1e-9)
    height = min((north - south) * scale, 4 * WIDTH)

    def onto(points: Any) -> Any:  # noqa: ANN401 - shapely has no types
        points[:, 0] = (points[:, 0] - west) * shrink * scale
        points[:, 1] = (north - points[:, 1]) * scale
        return points

    paths = []
    for shape in shapes:
        flat = None if shape is None else shapely.transform(shape, onto)
        paths.append("" if flat is None else _path(flat))
    return Drawing(WIDTH, height, tuple(paths))


def _path(shape: Any) -> str:  # noqa: ANN401 - shapely has no types
    """Rings of an area, simplified; a small square for a point."""
    if shape.geom_type == "Point":
        return f"M{shape.x - DOT / 2:.1f} {shape.y - DOT / 2:.1f}h{DOT}v{DOT}h-{DOT}z"
    simple = shapely.simplify(shape, FINE)
    rings = [ring for part in shapely.get_parts(simple) for ring in shapely.get_rings(part)]
    return "".join(
        "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in shapely.get_coordinates(ring)[:-1]) + "z" for ring in rings
    )
