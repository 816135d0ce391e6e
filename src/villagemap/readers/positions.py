"""Where a row says something is: its coordinates as given, and the same in WGS 84."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from villagemap.crs import LOOKS_SWAPPED, OK, check_lonlat, parse_datum, to_wgs84
from villagemap.errors import BadInputError
from villagemap.readers.cells import Cells
from villagemap.readers.columns import parse_coordinate, parse_lonlat
from villagemap.readers.findings import Finding
from villagemap.readers.sandbox import Row

Shapes = npt.NDArray[np.object_]
_IN_DEGREES = frozenset({"wgs84", "cgcs2000", "gcj02", "bd09"})


@dataclass(slots=True)
class Position:
    """A row's position in ``datum``: a pair x, y (lon, lat, or easting, northing) or a shape as WKT, or nothing.

    ``given`` holds the very texts of the cells.
    """

    row: int
    datum: str
    x: float | None = None
    y: float | None = None
    shape: str | None = None
    given: tuple[str, str] = ("", "")


def read_position(cells: Cells, row: Row, datum: str) -> Position:
    """The position that a row gives; ``datum`` where it doesn't name one itself."""
    position = Position(row.number, datum)
    word = cells.text("datum")
    if word:
        try:
            position.datum = parse_datum(word)
        except BadInputError as fault:
            cells.reject("datum_unusable", "datum", word, why=fault.code)
            return position
    if row.fault:
        cells.reject(row.fault)
    elif row.geometry:
        position.shape = row.geometry
    elif cells.text("lonlat"):
        pair = cells.parsed("lonlat", parse_lonlat)
        if pair:
            position.x, position.y = pair
            position.given = (repr(pair[0]), repr(pair[1]))
    else:
        position.x, position.y = cells.parsed("lon", parse_coordinate), cells.parsed("lat", parse_coordinate)
        position.given = (cells.text("lon"), cells.text("lat"))
        if (position.x is None) != (position.y is None):
            cells.warn("half_a_position", "lon" if position.x is None else "lat")
    return position


def wgs84_shapes(positions: Sequence[Position], findings: Sequence[list[Finding]]) -> Shapes:
    """Shapely geometries in WGS 84, shape (n,), None where there is none.

    A position that can't be one (out of range, axes swapped) is told in its row's ``findings`` and rejects the row.
    """
    shapes: Shapes = np.full(len(positions), None, object)
    by_datum: dict[str, list[int]] = {}
    for number, position in enumerate(positions):
        if position.shape or (position.x is not None and position.y is not None):
            by_datum.setdefault(position.datum, []).append(number)
    for datum, numbers in by_datum.items():
        points = [n for n in numbers if positions[n].shape is None]
        _place_points(shapes, positions, points, datum, findings)
        others = [n for n in numbers if positions[n].shape is not None]
        _place_shapes(shapes, positions, others, datum, findings)
    return shapes


def _place_points(
    shapes: Shapes, positions: Sequence[Position], numbers: list[int], datum: str, findings: Sequence[list[Finding]]
) -> None:
    x = np.array([positions[n].x for n in numbers], float)
    y = np.array([positions[n].y for n in numbers], float)
    lon, lat = to_wgs84(x, y, datum)
    faults = check_lonlat(lon, lat)
    if datum in _IN_DEGREES:
        faults = np.where(check_lonlat(x, y) == LOOKS_SWAPPED, LOOKS_SWAPPED, faults)
    shapes[numbers] = shapely.points(lon, lat)
    _refuse(shapes, positions, numbers, faults, findings)


def _place_shapes(
    shapes: Shapes, positions: Sequence[Position], numbers: list[int], datum: str, findings: Sequence[list[Finding]]
) -> None:
    given = shapely.force_2d(shapely.from_wkt([positions[n].shape for n in numbers]))
    if datum != "wgs84":
        given = shapely.transform(given, lambda at: np.column_stack(to_wgs84(at[:, 0], at[:, 1], datum)))
    bounds = shapely.bounds(given).reshape(-1, 4)
    lower = check_lonlat(bounds[:, 0], bounds[:, 1])
    faults = np.where(lower == OK, check_lonlat(bounds[:, 2], bounds[:, 3]), lower)
    shapes[numbers] = given
    _refuse(shapes, positions, numbers, faults, findings)


def _refuse(
    shapes: Shapes,
    positions: Sequence[Position],
    numbers: list[int],
    faults: npt.NDArray[np.int8],
    findings: Sequence[list[Finding]],
) -> None:
    for at in np.flatnonzero(faults != OK).tolist():
        number = numbers[at]
        position = positions[number]
        given = position.shape or ", ".join(position.given)
        code = "axes_swapped" if faults[at] == LOOKS_SWAPPED else "position_impossible"
        findings[number].append(Finding(position.row, code, value=given[:60], rejects=True))
        shapes[number] = None
