"""Map tiles of issues: grid clusters where they are dense, single issues where they are not.

Takes columns, returns values; never sees the store. Positions are kept as web-mercator integers in the order of a
quadtree, so that a tile of any zoom is one slice of the arrays and a county's tile costs one pass over it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from villagemap.deadlines import URGENCIES, urgencies
from villagemap.model import BBox, Located, Part
from villagemap.store.columns import inside
from villagemap.store.protocol import IssueColumns
from villagemap.workflow import NO_CASES, STATUSES

BITS = 31
"""Bits of a web-mercator coordinate: 2 cm at the equator."""

MAX_ZOOM = 22
CELLS = 8
"""A tile's grid of clusters: 8 × 8 cells, 64 pixels each in a tile of 512."""

SINGLES = 120
"""A tile with at most so many issues shows each of them."""

SINGLES_FROM_ZOOM = 17
"""From this tile zoom on (about 0.6 m a pixel) every issue is shown, up to `MOST_SINGLES`."""

MOST_SINGLES = 400

LOCATED = tuple(Located)

Ints = npt.NDArray[np.int64]


class Cluster(NamedTuple):
    """Issues of one grid cell: their mean position, how many, and how many of each `URGENCIES`."""

    lon: float
    lat: float
    size: int
    urgencies: list[int]


class Single(NamedTuple):
    """One issue; ``category`` and ``urgency`` are codes, ``held`` says that an interim measure or deferral stands."""

    fid: int
    lon: float
    lat: float
    category: str
    urgency: str
    held: bool


class Tile(NamedTuple):
    """What one tile shows."""

    clusters: list[Cluster]
    singles: list[Single]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which issues a tile is asked for: indexes into the columns' lists; empty means all."""

    towns: tuple[int, ...] = ()
    villages: tuple[int, ...] = ()
    categories: tuple[int, ...] = ()
    statuses: tuple[int, ...] = ()
    urgencies: tuple[int, ...] = ()
    within: tuple[Part, ...] | None = None
    """Parts of the county that may be shown; None for all of it."""


class TileIndex:
    """All cases of a county that have a place on the map, on one day, in quadtree order.

    ``seats`` gives a village's number its lon, lat: where a case that is bound to its village is drawn.
    """

    def __init__(self, columns: IssueColumns, today: date, seats: Mapping[int, tuple[float, float]]) -> None:
        self._lon, self._lat = _with_seats(columns, seats)
        drawn = ~np.isnan(self._lon) & ~np.isin(columns.status, [STATUSES.index(status) for status in NO_CASES])
        placed = np.flatnonzero(drawn)
        x, y = mercator(self._lon[placed], self._lat[placed])
        keys = morton(x, y)
        order = np.argsort(keys, kind="stable")
        rows = placed[order]
        self._keys, self._x, self._y = keys[order], x[order], y[order]
        self._columns, self._rows = columns, rows
        self._urgency = urgencies(columns.status, columns.found, columns.due, columns.progress, today)[rows]
        self._town, self._village = columns.town[rows], columns.village[rows]
        self._category, self._status = columns.category[rows], columns.status[rows]
        self._privacy = columns.privacy[rows]

    def tile(self, zoom: int, x: int, y: int, chosen: Chosen) -> Tile:
        """What tile (zoom, x, y) of the usual web-mercator scheme shows."""
        kept = self._in_tile(zoom, x, y, chosen)
        if len(kept) <= SINGLES or (zoom >= SINGLES_FROM_ZOOM and len(kept) <= MOST_SINGLES):
            return Tile([], self._singles(kept))
        clusters, alone = self._cells(kept, zoom)
        return Tile([cluster for cluster in clusters if cluster.size > 1], self._singles(alone))

    def grid(self, bbox: BBox, zoom: int, chosen: Chosen) -> list[Cluster]:
        """Clusters of all tiles of ``zoom`` that touch ``bbox``; an issue alone in its cell is a cluster of one."""
        corner_x, corner_y = mercator(np.array([bbox.west, bbox.east]), np.array([bbox.north, bbox.south]))
        columns, rows = (corner >> (BITS - zoom) for corner in (corner_x, corner_y))
        clusters: list[Cluster] = []
        for x in range(int(columns[0]), int(columns[1]) + 1):
            for y in range(int(rows[0]), int(rows[1]) + 1):
                kept = self._in_tile(zoom, x, y, chosen)
                if len(kept):
                    clusters += self._cells(kept, zoom)[0]
        return clusters

    def _in_tile(self, zoom: int, x: int, y: int, chosen: Chosen) -> Ints:
        shift = 2 * (BITS - zoom)
        first = int(morton(np.array([x]), np.array([y]))[0]) << shift
        start, end = np.searchsorted(self._keys, [first, first + (1 << shift)])
        return self._kept(int(start), int(end), chosen)

    def _kept(self, start: int, end: int, chosen: Chosen) -> Ints:
        mask: npt.NDArray[np.bool_] | None = None
        for column, wanted in (
            (self._town, chosen.towns),
            (self._village, chosen.villages),
            (self._category, chosen.categories),
            (self._status, chosen.statuses),
            (self._urgency, chosen.urgencies),
        ):
            if wanted:
                part = column[start:end]
                fits = part == wanted[0] if len(wanted) == 1 else np.isin(part, wanted)
                mask = fits if mask is None else mask & fits
        if chosen.within is not None:
            seen = inside(
                chosen.within,
                self._columns.categories,
                self._town[start:end],
                self._village[start:end],
                self._category[start:end],
                self._privacy[start:end],
            )
            mask = seen if mask is None else mask & seen
        return np.arange(start, end) if mask is None else np.flatnonzero(mask) + start

    def _cells(self, kept: Ints, zoom: int) -> tuple[list[Cluster], Ints]:
        """A cluster for each grid cell, and the issues that are alone in theirs."""
        down = max(BITS - zoom - 3, 0)
        whole = len(kept) == kept[-1] - kept[0] + 1
        part: slice | Ints = slice(int(kept[0]), int(kept[-1]) + 1) if whole else kept
        # quadtree order keeps a cell's issues together, so cells are runs: no sorting, no hashing
        cells = self._keys[part] >> (2 * down)
        starts = np.flatnonzero(np.diff(cells, prepend=cells[0] - 1))
        counts = np.diff(starts, append=len(kept))
        mean_x = np.add.reduceat(self._x[part], starts) / counts
        mean_y = np.add.reduceat(self._y[part], starts) / counts
        run = np.repeat(np.arange(len(starts)), counts)
        shares = np.bincount(run * len(URGENCIES) + self._urgency[part], minlength=len(starts) * len(URGENCIES))
        lon, lat = lonlat(mean_x, mean_y)
        rows = zip(
            lon.tolist(), lat.tolist(), counts.tolist(), shares.reshape(-1, len(URGENCIES)).tolist(), strict=True
        )
        clusters = [Cluster(round(a, 6), round(b, 6), n, each) for a, b, n, each in rows]
        return clusters, kept[starts[counts == 1]]

    def _singles(self, kept: Ints) -> list[Single]:
        columns, rows = self._columns, self._rows[kept]
        return [
            Single(
                fid, round(lon, 7), round(lat, 7), columns.categories[category], URGENCIES[urgency].value, bool(held)
            )
            for fid, lon, lat, category, urgency, held in zip(
                columns.fid[rows].tolist(),
                self._lon[rows].tolist(),
                self._lat[rows].tolist(),
                self._category[kept].tolist(),
                self._urgency[kept].tolist(),
                columns.held[rows].tolist(),
                strict=True,
            )
        ]


def _with_seats(
    columns: IssueColumns, seats: Mapping[int, tuple[float, float]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Positions in which cases bound to a village stand at its seat."""
    size = max([*seats, int(columns.village.max(initial=0))], default=0) + 1
    table = np.full((size, 2), np.nan)
    for number, seat in seats.items():
        table[number] = seat
    bound = np.isnan(columns.lon) & (columns.located == LOCATED.index(Located.INSIDE))
    at_seat = table[columns.village]
    return np.where(bound, at_seat[:, 0], columns.lon), np.where(bound, at_seat[:, 1], columns.lat)


def mercator(lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64]) -> tuple[Ints, Ints]:
    """Degrees to web-mercator integers of `BITS` bits, y downwards (EPSG:3857's spherical formula)."""
    size = 1 << BITS
    sine = np.sin(np.radians(np.clip(lat, -85.05, 85.05)))
    x = (lon + 180.0) / 360.0 * size
    y = (0.5 - np.log((1 + sine) / (1 - sine)) / (4 * np.pi)) * size
    return np.clip(x, 0, size - 1).astype(np.int64), np.clip(y, 0, size - 1).astype(np.int64)


def lonlat(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
    """Web-mercator integers (or means of them) back to degrees."""
    size = 1 << BITS
    lon = x / size * 360.0 - 180.0
    lat = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * y / size))))
    return lon, lat


def morton(x: Ints, y: Ints) -> Ints:
    """Bits of x and y in turn, y first: the order of a quadtree (Morton, 1966)."""
    return _spread(x) | (_spread(y) << 1)


def _spread(value: Ints) -> Ints:
    """Put a zero before each of 31 bits."""
    value = value.astype(np.int64)
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        value = (value | (value << shift)) & mask
    return value


def tile_bbox(zoom: int, x: int, y: int) -> BBox:
    """A tile's extent in degrees."""
    size = float(1 << (BITS - zoom))
    lon, lat = lonlat(np.array([x, x + 1]) * size, np.array([y + 1, y]) * size)
    return BBox(float(lon[0]), float(lat[0]), float(lon[1]), float(lat[1]))
