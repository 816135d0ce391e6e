"""Land, sea and river of the fictional county, and how towns and villages grow over the land.

All lengths are kilometres on a flat plane whose origin is 111.0 E, 20.5 N: ``x`` runs east, ``y`` north. Rasters
have shape (ROWS, COLUMNS), row 0 in the south; a cell is ``CELL`` wide.
"""

import heapq
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from shapely import LineString, MultiPolygon, Polygon, contains_xy, union_all

Raster = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int32]

WEST, SOUTH = 111.0, 20.5
KM_PER_DEGREE_LON, KM_PER_DEGREE_LAT = 104.101, 110.690
CELL = 0.1
COLUMNS, ROWS = 622, 550
SEA, ABROAD, FRAME = 0, -1, -2
"""Labels of what is no part of the county: the sea, neighbouring land, and the rim of the raster."""


def cell_centres() -> tuple[Raster, Raster]:
    """The x and y of every cell's centre, km."""
    x, y = np.meshgrid((np.arange(COLUMNS) + 0.5) * CELL, (np.arange(ROWS) + 0.5) * CELL)
    return x, y


def fbm(x: Raster, y: Raster, wavelength: float, octaves: int, rng: np.random.Generator) -> Raster:
    """Fractal value noise of mean 0 and standard deviation 1 at the given points."""
    total = np.zeros_like(x)
    for octave in range(octaves):
        size = wavelength / 2**octave
        lattice = rng.standard_normal((int(60 / size) + 5, int(70 / size) + 5))
        u, v = x / size + 1, y / size + 1
        column, row = u.astype(int), v.astype(int)
        fu, fv = u - column, v - row
        fu, fv = fu**3 * (fu * (6 * fu - 15) + 10), fv**3 * (fv * (6 * fv - 15) + 10)
        south = lattice[row, column] * (1 - fu) + lattice[row, column + 1] * fu
        north = lattice[row + 1, column] * (1 - fu) + lattice[row + 1, column + 1] * fu
        total += (south * (1 - fv) + north * fv) * 0.55**octave
    spread = total.std()
    return total / (spread if spread > 0 else 1.0)


def lobe(x: Raster, y: Raster, centre: tuple[float, float], radii: tuple[float, float], turn: float) -> Raster:
    """A smooth hill of height 1 round ``centre``, its first radius turned ``turn`` degrees from east."""
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    dx, dy = x - centre[0], y - centre[1]
    return np.exp(-(((dx * cos + dy * sin) / radii[0]) ** 2) - ((dy * cos - dx * sin) / radii[1]) ** 2)


def land_and_sea(rng: np.random.Generator) -> Labels:
    """1 on the county's land, `SEA` and `ABROAD` elsewhere: a coast with bays in the south-east, one island."""
    plain_x, plain_y = cell_centres()
    x = plain_x + 0.8 * fbm(plain_x, plain_y, 5.5, 6, rng)
    y = plain_y + 0.8 * fbm(plain_x, plain_y, 5.5, 6, rng)
    shore = (y - 1.5) * 0.80 - (x - 8.0) * 0.60 + 2.0 * fbm(x, y, 11.0, 6, rng)
    shore += 15.0 * lobe(x, y, (43.0, 21.0), (8.5, 2.9), -42) - 10.0 * lobe(x, y, (31.0, 22.5), (8.0, 2.4), 112)
    shore += 6.5 * lobe(x, y, (22.5, 9.0), (5.0, 2.6), -50) - 9.0 * lobe(x, y, (50.0, 36.0), (8.0, 2.4), 128)
    isle = lobe(x, y, (32.0, 10.3), (3.5, 1.9), 28) + 0.06 * fbm(x, y, 4.0, 5, rng)
    shore = np.where(isle > 0.5, 1.0, np.where(isle > 0.33, -1.0, shore))
    west = x - 4.6 + 1.7 * fbm(x, y, 16.0, 6, rng)
    north = 51.6 - y + 1.7 * fbm(x, y, 17.0, 6, rng)
    east = 58.0 - x + 1.2 * fbm(x, y, 12.0, 6, rng)
    south = y - 3.0 + 0.6 * fbm(x, y, 8.0, 5, rng)
    corner = (x - 4.0) * 0.72 - (y - 43.0) * 0.69 + 2.0 * fbm(x, y, 13.0, 6, rng)
    margin = np.minimum.reduce([plain_x, 62.2 - plain_x, plain_y, 55.0 - plain_y]) - 1.2
    county = np.minimum.reduce([west, north, east, south, corner, margin]) > 0
    land = np.where(shore > 0, np.where(county, 1, ABROAD), SEA).astype(np.int32)
    return _without_specks(land)


def _without_specks(land: Labels) -> Labels:
    """Fill lakes and drop skerries: keep the sea whole, the mainland, and one island."""
    rim = np.zeros(land.shape, bool)
    rim[[0, -1], :] = rim[:, [0, -1]] = True
    for value in (SEA, ABROAD):
        parts = connected_parts(land == value)
        land[(parts > 0) & ~np.isin(parts, np.unique(parts[rim]))] = 1
    parts = connected_parts(land == 1)
    largest = np.argsort(-np.bincount(parts[parts > 0]), kind="stable")[:2]
    land[(parts > 0) & ~np.isin(parts, largest)] = SEA
    return land


def connected_parts(mask: npt.NDArray[np.bool_]) -> Labels:
    """Numbers from 1 for the 4-connected parts of ``mask``; 0 outside it."""
    parts = np.zeros(mask.shape, np.int32)
    number = 0
    for start in map(tuple, np.argwhere(mask).tolist()):
        if parts[start]:
            continue
        number += 1
        parts[start] = number
        stack = [start]
        while stack:
            row, column = stack.pop()
            for near in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                if 0 <= near[0] < ROWS and 0 <= near[1] < COLUMNS and mask[near] and not parts[near]:
                    parts[near] = number
                    stack.append(near)
    return parts


def meander(knots: Sequence[tuple[float, float]], swing: float, rng: np.random.Generator) -> LineString:
    """A winding line through ``knots``: Catmull-Rom, with bends of about ``swing`` km; its ends stay put."""
    points = np.array([knots[0], *knots, knots[-1]], float)
    t = np.linspace(0, 1, 24, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(points, points[1:], points[2:], points[3:], strict=False):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    line = np.vstack([*pieces, points[-1:]])
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    across = np.gradient(line, axis=0)[:, ::-1] * [1, -1]
    across /= np.hypot(*across.T)[:, None]
    wave = np.sin(along * 2 * math.pi / 3.1 + 1.5 * np.sin(along / 2.3 + rng.uniform(0, 6)))
    fade = np.clip(np.minimum(along, along[-1] - along) / 1.5, 0, 1)
    return LineString(line + across * (swing * wave * fade)[:, None])


def river_area(rivers: Sequence[tuple[LineString, float, float]]) -> Polygon | MultiPolygon:
    """The water of rivers that widen from their first to their second width (km) along the line."""
    pieces = []
    for line, start, end in rivers:
        steps = 40
        cuts = [line.interpolate(i / steps, normalized=True) for i in range(steps + 1)]
        coords = list(line.coords)
        marks = [line.project(cut) for cut in cuts]
        along = np.concatenate([[0], np.cumsum([math.dist(a, b) for a, b in pairwise(coords)])])
        for i in range(steps):
            middle = [c for c, m in zip(coords, along, strict=True) if marks[i] < m < marks[i + 1]]
            reach = LineString([cuts[i].coords[0], *middle, cuts[i + 1].coords[0]])
            pieces.append(reach.buffer((start + (end - start) * (i / steps) ** 2) / 2, quad_segs=3))
    return union_all(pieces)


def inside(area: Polygon | MultiPolygon) -> npt.NDArray[np.bool_]:
    """Which cells have their centre in ``area``."""
    x, y = cell_centres()
    return np.asarray(contains_xy(area, x, y), bool)


def distance_to(mask: npt.NDArray[np.bool_]) -> Raster:
    """Distance in km from each cell to the nearest cell of ``mask`` (chamfer 3-4, at most 8 % off)."""
    far = np.where(mask, 0.0, 1e6)
    for axis_rows in (range(1, ROWS), range(ROWS - 2, -1, -1)):
        step = -1 if axis_rows.step > 0 else 1
        for row in axis_rows:
            before, here = far[row + step], far[row]
            np.minimum(here, before + 1.0, out=here)
            here[1:] = np.minimum(here[1:], before[:-1] + 4 / 3)
            here[:-1] = np.minimum(here[:-1], before[1:] + 4 / 3)
            ramp = np.arange(COLUMNS)
            here[:] = np.minimum.accumulate(here - ramp) + ramp
            here[:] = (np.minimum.accumulate(here[::-1] - ramp) + ramp)[::-1]
    return far * CELL


def grow(seeds: Sequence[tuple[int, int]], region: Labels, slowness: Raster, head_start: Sequence[float]) -> Labels:
    """The seed (number from 1) that reaches each cell first, walking only between cells of the same ``region``.

    Fast marching: the front moves at 1 / ``slowness``, so borders run irregularly but every area is connected.
    Cells with a region below 1 stay 0.
    """
    labels = np.zeros((ROWS, COLUMNS), np.int32)
    where, cost = region.tolist(), slowness.tolist()
    reached = [[math.inf] * COLUMNS for _ in range(ROWS)]
    owner = [[0] * COLUMNS for _ in range(ROWS)]
    heap = [(-head_start[i], row, column, i + 1) for i, (row, column) in enumerate(seeds)]
    heapq.heapify(heap)
    while heap:
        when, row, column, label = heapq.heappop(heap)
        if owner[row][column]:
            continue
        owner[row][column], reached[row][column] = label, when
        home = where[row][column]
        for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if 0 <= r < ROWS and 0 <= c < COLUMNS and not owner[r][c] and where[r][c] == home > 0:
                arrival = _front(reached, owner, (r, c), label, cost[r][c])
                heapq.heappush(heap, (arrival, r, c, label))
    labels[:] = owner
    return labels


def _front(reached: list[list[float]], owner: list[list[int]], cell: tuple[int, int], label: int, slow: float) -> float:
    """Arrival time at a cell from its settled neighbours of one label: the upwind eikonal step."""
    r, c = cell
    across = min(
        reached[r][c - 1] if c > 0 and owner[r][c - 1] == label else math.inf,
        reached[r][c + 1] if c + 1 < COLUMNS and owner[r][c + 1] == label else math.inf,
    )
    along = min(
        reached[r - 1][c] if r > 0 and owner[r - 1][c] == label else math.inf,
        reached[r + 1][c] if r + 1 < ROWS and owner[r + 1][c] == label else math.inf,
    )
    first, second = (across, along) if across < along else (along, across)
    step = slow * CELL
    if second - first >= step:
        return first + step
    return (first + second + math.sqrt(2 * step * step - (second - first) ** 2)) / 2
