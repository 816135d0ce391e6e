"""Where a row says something is: its coordinates as given, and the same in WGS 84."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from villagemap.crs import LOOKS_SWAPPED, OK, check_lonlat, parse_datum, to_wgs84
from villagemap.errors import BadInputError
from villagemap.readers.cells import Cells
from villagemap.readers.columns import parse_coordinate, parse_lonlat

Shapes = npt.NDArray[np.object_]
_IN_DEGREES = frozenset({"wgs84", "cgcs2000", "gcj02", "bd09"})


@dataclass(slots=True)
class Positions:
    """Positions of n rows, each in its ``datum``: x, y (lon, lat, or easting, northing), a shape as WKT, or nothing.

    ``given_x, given_y`` are the very texts of the cells.
    """

    datum: list[str]
    x: list[float | None]
    y: list[float | None]
    shape: list[str | None]
    given_x: list[str]
    given_y: list[str]


def read_positions(cells: Cells, datum: str) -> Positions:
    """The positions that a batch's rows give; ``datum`` for rows that don't name one themselves.

    Whichever comes first counts: the row's geometry, both coordinates in one cell, one cell for each.
    """
    count = len(cells.rows)
    positions = Positions([datum] * count, [None] * count, [None] * count, [None] * count, [""] * count, [""] * count)
    done = _unusable(cells, positions)
    for number, row in enumerate(cells.rows):
        if number not in done and (row.fault or row.geometry):
            done.add(number)
            positions.shape[number] = row.geometry
            if row.fault:
                cells.reject(number, row.fault)
                positions.shape[number] = None
    for number, pair in enumerate(cells.parsed("lonlat", parse_lonlat, done)):
        if pair:
            positions.x[number], positions.y[number] = pair
            positions.given_x[number], positions.given_y[number] = repr(pair[0]), repr(pair[1])
    done.update(number for number, text in enumerate(cells.texts("lonlat")) if text)
    _read_pairs(cells, positions, done)
    return positions


def _unusable(cells: Cells, positions: Positions) -> set[int]:
    """Set each row's own datum; the rows whose datum no position can be taken from."""
    unusable: set[int] = set()
    for number, word in enumerate(cells.texts("datum") if cells.has("datum") else ()):
        if word:
            try:
                positions.datum[number] = parse_datum(word)
            except BadInputError as fault:
                cells.reject(number, "datum_unusable", "datum", word, why=fault.code)
                unusable.add(number)
    return unusable


def _read_pairs(cells: Cells, positions: Positions, done: Collection[int]) -> None:
    """One cell for each coordinate, for the rows that aren't ``done``."""
    x, y = cells.parsed("lon", parse_coordinate, done), cells.parsed("lat", parse_coordinate, done)
    for number, (east, north) in enumerate(zip(x, y, strict=True)):
        if (east is None) != (north is None):
            cells.warn(number, "half_a_position", "lon" if east is None else "lat")
    if not done:
        positions.x, positions.y = x, y
        positions.given_x, positions.given_y = cells.texts("lon"), cells.texts("lat")
    for number in range(len(x)) if done else ():
        if number not in done:
            positions.x[number], positions.y[number] = x[number], y[number]
            positions.given_x[number] = cells.texts("lon")[number]
            positions.given_y[number] = cells.texts("lat")[number]


def wgs84_shapes(cells: Cells, positions: Positions) -> Shapes:
    """Shapely geometries in WGS 84, shape (n,), None where there is none.

    A position that can't be one (out of range, axes swapped) is told in its row's findings and rejects the row.
    """
    shapes: Shapes = np.full(len(positions.datum), None, object)
    points: dict[str, list[int]] = {}
    others: dict[str, list[int]] = {}
    for number, (datum, x, y, shape) in enumerate(
        zip(positions.datum, positions.x, positions.y, positions.shape, strict=True)
    ):
        if shape is not None:
            others.setdefault(datum, []).append(number)
        elif x is not None and y is not None:
            points.setdefault(datum, []).append(number)
    for datum, numbers in points.items():
        _place_points(shapes, cells, positions, numbers, datum)
    for datum, numbers in others.items():
        _place_shapes(shapes, cells, positions, numbers, datum)
    return shapes


def _place_points(shapes: Shapes, cells: Cells, positions: Positions, numbers: list[int], datum: str) -> None:
    x = np.array([positions.x[n] for n in numbers], float)
    y = np.array([positions.y[n] for n in numbers], float)
    lon, lat = to_wgs84(x, y, datum)
    faults = check_lonlat(lon, lat)
    if datum in _IN_DEGREES:
        faults = np.where(check_lonlat(x, y) == LOOKS_SWAPPED, LOOKS_SWAPPED, faults)
    shapes[numbers] = shapely.points(lon, lat)
    _refuse(shapes, cells, positions, numbers, faults)


def _place_shapes(shapes: Shapes, cells: Cells, positions: Positions, numbers: list[int], datum: str) -> None:
    given = shapely.force_2d(shapely.from_wkt([positions.shape[n] for n in numbers]))
    if datum != "wgs84":
        given = shapely.transform(given, lambda at: np.column_stack(to_wgs84(at[:, 0], at[:, 1], datum)))
    bounds = shapely.bounds(given).reshape(-1, 4)
    lower = check_lonlat(bounds[:, 0], bounds[:, 1])
    faults = np.where(lower == OK, check_lonlat(bounds[:, 2], bounds[:, 3]), lower)
    shapes[numbers] = given
    _refuse(shapes, cells, positions, numbers, faults)


def _refuse(
    shapes: Shapes, cells: Cells, positions: Positions, numbers: list[int], faults: npt.NDArray[np.int8]
) -> None:
    for at in np.flatnonzero(faults != OK).tolist():
        number = numbers[at]
        given = positions.shape[number] or f"{positions.given_x[number]}, {positions.given_y[number]}"
        code = "axes_swapped" if faults[at] == LOOKS_SWAPPED else "position_impossible"
        cells.reject(number, code, value=given[:60])
        shapes[number] = None
