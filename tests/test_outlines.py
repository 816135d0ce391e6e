"""Small maps as SVG: north is up, shapes keep their proportions, nothing is drawn for what has no place."""

import re

import pytest
import shapely

from villagemap.outlines import WIDTH, draw_outlines


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]


def test_north_is_up_and_east_is_right() -> None:
    south_west, north_east = shapely.box(111.0, 20.5, 111.1, 20.6), shapely.box(111.2, 20.7, 111.3, 20.8)
    drawing = draw_outlines([south_west, north_east])
    low, high = (points(path) for path in drawing.paths)
    assert max(x for x, _ in low) < min(x for x, _ in high)
    assert min(y for _, y in low) > max(y for _, y in high)


def test_a_square_kilometre_looks_square() -> None:
    side_lat, side_lon = 0.09, 0.09 / 0.9355
    (path,) = draw_outlines([shapely.box(111.0, 20.64, 111.0 + side_lon, 20.64 + side_lat)]).paths
    xs, ys = zip(*points(path), strict=True)
    assert max(xs) - min(xs) == pytest.approx(WIDTH, abs=1)
    assert max(ys) - min(ys) == pytest.approx(WIDTH, rel=0.01)


def test_holes_points_and_nothing_at_all() -> None:
    ring = shapely.box(111.0, 20.5, 111.3, 20.8).difference(shapely.box(111.1, 20.6, 111.2, 20.7))
    drawing = draw_outlines([ring, shapely.Point(111.05, 20.55), None])
    assert drawing.paths[0].count("M") == 2
    assert drawing.paths[1].startswith("M")
    assert drawing.paths[2] == ""
    assert draw_outlines([None]).paths == ("",)
    assert draw_outlines([]).paths == ()
