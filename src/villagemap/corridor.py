"""What lies along a way: points within so many metres of its lines, in the order in which one passes them.

Pure. Metres are measured on a plane touching the ellipsoid at the way's middle latitude (series of the ellipsoid's
degree lengths at a latitude), within 0.2 % over a county.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]
Indexes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passed:
    """Points near a way, in the order of passing; arrays of equal length k.

    ``point`` and ``line`` index what was given; ``off_m`` is the distance from the way, ``along_m`` from its begin to
    the foot on it, both in metres. A point that is passed twice stands where the way first comes nearest to it.
    """

    point: Indexes
    line: Indexes
    off_m: Floats
    along_m: Floats


def passed(lines: Sequence[Floats], lon: Floats, lat: Floats, within_m: float) -> Passed:
    """The points that lie within ``within_m`` of a way.

    Parameters
    ----------
    lines
        The way's lines in the order in which they are driven, each of shape (m, 2): lon, lat in degrees WGS 84. Where
        one doesn't begin where the last ended, nothing is driven in between. A line of one point is a halt.
    lon, lat
        The points, shape (n,), degrees WGS 84; nan for none.
    """
    starts, ends, line = _segments(lines)
    if not len(starts):
        return _nothing()
    latitudes = np.concatenate((starts[:, 1], ends[:, 1]))
    scale = _metres_per_degree((latitudes.min() + latitudes.max()) / 2)
    near = _in_box(starts, ends, lon, lat, within_m / scale * 1.01)
    points = np.column_stack((lon[near], lat[near])) * scale
    starts, ends = starts * scale, ends * scale
    tree = shapely.STRtree(shapely.linestrings(np.stack((starts, ends), axis=1)))
    found, off_m = tree.query_nearest(shapely.points(points), max_distance=max(within_m, 1e-9), return_distance=True)
    order = np.lexsort((found[1], found[0]))  # of the segments that are equally near, the first
    which, first = np.unique(found[0][order], return_index=True)
    segment = found[1][order][first]
    steps = ends - starts
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    before = np.cumsum(lengths) - lengths
    along_m = before[segment] + _foot(points[which] - starts[segment], steps[segment], lengths[segment])
    sorting = np.lexsort((near[which], along_m))
    return Passed(
        point=near[which][sorting],
        line=line[segment][sorting],
        off_m=off_m[order][first][sorting],
        along_m=along_m[sorting],
    )


def _segments(lines: Sequence[Floats]) -> tuple[Floats, Floats, Indexes]:
    """Begin and end of each segment, shapes (s, 2), and its line's number, shape (s,)."""
    parts = [(line, line) if len(line) == 1 else (line[:-1], line[1:]) for line in lines]
    numbers = [np.full(len(start), n, np.int64) for n, (start, _) in enumerate(parts)]
    if not any(len(number) for number in numbers):
        return np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, np.int64)
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), np.concatenate(numbers)


def _metres_per_degree(latitude: float) -> Floats:
    """Of longitude and latitude, shape (2,)."""
    phi = np.radians(latitude)
    per_lat = 111_132.954 - 559.822 * np.cos(2 * phi) + 1.175 * np.cos(4 * phi)
    per_lon = 111_412.84 * np.cos(phi) - 93.5 * np.cos(3 * phi) + 0.118 * np.cos(5 * phi)
    return np.array([per_lon, per_lat])


def _in_box(starts: Floats, ends: Floats, lon: Floats, lat: Floats, margin: Floats) -> Indexes:
    """The points in the box of the way and its margin, in degrees: a quick no to most."""
    corners = np.concatenate((starts, ends))
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    inside = (lon >= low[0]) & (lon <= high[0]) & (lat >= low[1]) & (lat <= high[1])
    return np.flatnonzero(inside)


def _foot(away: Floats, steps: Floats, lengths: Floats) -> Floats:
    """How far along its segment each point's foot lies, metres."""
    with np.errstate(invalid="ignore", divide="ignore"):
        along = (away * steps).sum(axis=1) / lengths
    return np.where(lengths > 0, np.clip(along, 0, lengths), 0.0)


def _nothing() -> Passed:
    return Passed(point=np.zeros(0, np.int64), line=np.zeros(0, np.int64), off_m=np.zeros(0), along_m=np.zeros(0))
