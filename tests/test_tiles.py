"""Map tiles: every issue in one tile of each zoom, clusters that add up, and a bounded answer."""

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from villagemap.deadlines import NO_DAY, URGENCIES, urgencies
from villagemap.model import BBox, Located, Part, Privacy, Status
from villagemap.store.protocol import IssueColumns
from villagemap.tiles import (
    BITS,
    MAX_ZOOM,
    MOST_SINGLES,
    SINGLES,
    Chosen,
    Tile,
    TileIndex,
    lonlat,
    mercator,
    morton,
    tile_bbox,
)
from villagemap.workflow import STATUSES

TODAY = date(2026, 3, 20)
CODES = ("toilet_dry", "black_water", "haul_late")


def columns(lon: np.ndarray, lat: np.ndarray, seed: int = 0) -> IssueColumns:
    """Issues at given positions, everything else drawn from a seed."""
    n, random = len(lon), np.random.default_rng(seed)

    def drawn(most: int, kind: type) -> np.ndarray:
        return random.integers(0, most, n).astype(kind)

    return IssueColumns(
        seq=1,
        categories=CODES,
        fid=np.arange(1, n + 1, dtype=np.int64),
        lon=np.asarray(lon, float),
        lat=np.asarray(lat, float),
        category=drawn(len(CODES), np.int16),
        status=drawn(5, np.int8),
        town=drawn(4, np.int32),
        village=drawn(10, np.int32),
        found=(20_500 + drawn(60, np.int32)).astype(np.int32),
        due=np.where(drawn(5, np.int32) == 0, NO_DAY, 20_500 + drawn(90, np.int32)).astype(np.int32),
        progress=drawn(2, np.int8),
        located=np.where(np.isnan(lon), list(Located).index(Located.UNLOCATED), 0).astype(np.int8),
        privacy=drawn(3, np.int8),
        shape=np.zeros(n, np.int8),
        held=drawn(2, np.int8),
        sources=("town_sweep", "exposure_film"),
        source=drawn(2, np.int16),
        claimed=np.full(n, NO_DAY, np.int32),
        closed=np.full(n, NO_DAY, np.int32),
        relapse=drawn(2, np.int8),
        returns=drawn(3, np.int16),
        reopened=drawn(2, np.int8),
    )


def cloud(n: int, seed: int = 0) -> IssueColumns:
    """A county's worth of issues, some of them on one spot, some without position."""
    random = np.random.default_rng(seed)
    lon, lat = random.normal(111.3, 0.08, n), random.normal(20.75, 0.08, n)
    lon[: n // 10], lat[: n // 10] = 111.31, 20.76
    lon[-5:] = np.nan
    return columns(lon, np.where(np.isnan(lon), np.nan, lat), seed)


def tile_of(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    x, y = mercator(np.array([lon]), np.array([lat]))
    return int(x[0]) >> (BITS - zoom), int(y[0]) >> (BITS - zoom)


def size(tile: Tile) -> int:
    return sum(cluster.size for cluster in tile.clusters) + len(tile.singles)


INSIDE = st.tuples(st.floats(-179.9, 179.9), st.floats(-85, 85))


@given(INSIDE)
def test_positions_survive_the_projection_to_two_centimetres(at: tuple[float, float]):
    x, y = mercator(np.array([at[0]]), np.array([at[1]]))
    lon, lat = lonlat(x.astype(float), y.astype(float))
    assert (float(lon[0]), float(lat[0])) == pytest.approx(at, abs=4e-7)


def test_the_formula_is_the_one_of_web_maps():
    assert tile_of(0.0, 0.0, 1) == (1, 1)
    row = (1 - math.asinh(math.tan(math.radians(21.38))) / math.pi) / 2 * 4096  # the slippy map's formula
    assert tile_of(110.25, 21.38, 12) == (int((110.25 + 180) / 360 * 4096), int(row)) == (3302, 1798)
    assert tile_bbox(1, 0, 0) == pytest.approx(BBox(-180.0, 0.0, 0.0, 85.05112877980659))
    west, south, east, north = tile_bbox(12, 3302, 1798)
    assert west <= 110.25 <= east
    assert south <= 21.38 <= north


@given(st.lists(st.tuples(st.integers(0, 2**BITS - 1), st.integers(0, 2**BITS - 1)), min_size=1, max_size=30))
def test_quadtree_order_keeps_every_tile_together(points: list[tuple[int, int]]):
    x, y = np.array(points).T
    keys = morton(x, y)
    assert len(set(keys.tolist())) == len(set(points))
    for zoom in (1, 5, 17):
        tiles = {(a >> (BITS - zoom), b >> (BITS - zoom)) for a, b in points}
        assert {int(key) >> (2 * (BITS - zoom)) for key in keys} == {
            int(morton(np.array([a]), np.array([b]))[0]) for a, b in tiles
        }


@settings(max_examples=40, deadline=None)
@given(points=st.lists(INSIDE, max_size=40), zoom=st.integers(0, 18), seed=st.integers(0, 9))
def test_every_issue_is_in_exactly_one_tile_of_each_zoom(points: list[tuple[float, float]], zoom: int, seed: int):
    lon, lat = np.array(points).reshape(-1, 2).T
    data = columns(lon, lat, seed)
    index = TileIndex(data, TODAY, {})
    tiles = {tile_of(a, b, zoom) for a, b in points}
    shown = [single for x, y in tiles for single in index.tile(zoom, x, y, Chosen()).singles]
    assert sorted(single.fid for single in shown) == data.fid.tolist()
    by_fid = {single.fid: single for single in shown}
    for n, (a, b) in enumerate(points):
        single = by_fid[n + 1]
        assert (single.lon, single.lat) == pytest.approx((a, b), abs=1e-7)
        assert single.category == CODES[data.category[n]]
    for x, y in tiles:
        assert all((x + dx, y) in tiles or not size(index.tile(zoom, x + dx, y, Chosen())) for dx in (0, 1))


@pytest.mark.parametrize("zoom", [0, 6, 9, 11, 13, 15, 17, 20, MAX_ZOOM])
def test_clusters_and_singles_add_up_at_every_zoom(zoom: int):
    data = cloud(20_000)
    index = TileIndex(data, TODAY, {})
    placed = ~np.isnan(data.lon)
    x, y = mercator(data.lon[placed], data.lat[placed])
    tiles = sorted(set(zip((x >> (BITS - zoom)).tolist(), (y >> (BITS - zoom)).tolist(), strict=True)))[:3000]
    answers = [index.tile(zoom, *at, Chosen()) for at in tiles]
    counted = sum(map(size, answers))
    if len(tiles) < 3000:
        assert counted == placed.sum()
        of = urgencies(data.status, data.found, data.due, data.progress, TODAY)[placed]
        told = np.sum([cluster.urgencies for answer in answers for cluster in answer.clusters] or [[0] * 6], axis=0)
        for answer in answers:
            for single in answer.singles:
                told[URGENCIES.index(single.urgency)] += 1
        assert told.tolist() == np.bincount(of, minlength=len(URGENCIES)).tolist()
    for at, answer in zip(tiles, answers, strict=True):
        assert len(answer.clusters) + len(answer.singles) <= MOST_SINGLES
        assert not answer.clusters or len(answer.clusters) + len(answer.singles) <= 64
        west, south, east, north = tile_bbox(zoom, *at)
        for cluster in answer.clusters:
            assert cluster.size == sum(cluster.urgencies) > 1
            assert west - 1e-6 <= cluster.lon <= east + 1e-6
            assert south - 1e-6 <= cluster.lat <= north + 1e-6


def test_few_are_shown_one_by_one_and_many_in_groups():
    few = TileIndex(columns(np.full(SINGLES, 111.3), np.full(SINGLES, 20.7)), TODAY, {})
    many = TileIndex(columns(np.full(SINGLES + 1, 111.3), np.full(SINGLES + 1, 20.7)), TODAY, {})
    at = tile_of(111.3, 20.7, 10)
    assert len(few.tile(10, *at, Chosen()).singles) == SINGLES
    (cluster,) = many.tile(10, *at, Chosen()).clusters
    assert cluster.size == SINGLES + 1
    close = tile_of(111.3, 20.7, 17)
    assert len(many.tile(17, *close, Chosen()).singles) == SINGLES + 1


FILTERS = {
    "town": (Chosen(towns=(1,)), lambda d, _: d.town == 1),
    "two towns": (Chosen(towns=(1, 3)), lambda d, _: np.isin(d.town, [1, 3])),
    "village": (Chosen(villages=(7,)), lambda d, _: d.village == 7),
    "category": (Chosen(categories=(2,)), lambda d, _: d.category == 2),
    "status": (Chosen(statuses=(STATUSES.index(Status.CLOSED),)), lambda d, _: d.status == STATUSES.index("closed")),
    "urgency": (Chosen(urgencies=(0,)), lambda _, u: u == 0),
    "none": (Chosen(categories=(-1,)), lambda d, _: d.category < 0),
    "office": (Chosen(within=(Part(most_private=Privacy.OFFICE),)), lambda d, _: d.privacy < 2),
    "open": (Chosen(within=(Part(most_private=Privacy.OPEN),)), lambda d, _: d.privacy == 0),
    "both": (Chosen(towns=(2,), categories=(0,)), lambda d, _: (d.town == 2) & (d.category == 0)),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_keep_what_they_say(name: str):
    chosen, keeps = FILTERS[name]
    data = cloud(5_000)
    index = TileIndex(data, TODAY, {})
    kept = keeps(data, urgencies(data.status, data.found, data.due, data.progress, TODAY)) & ~np.isnan(data.lon)
    for zoom in (0, 8, 10):
        box = BBox(110.0, 19.5, 112.5, 22.0)
        assert sum(cluster.size for cluster in index.grid(box, zoom, chosen)) == kept.sum()
    assert size(index.tile(0, 0, 0, chosen)) == kept.sum()


def test_what_is_no_case_and_what_has_no_place_is_not_drawn():
    data = columns(np.array([111.3, 111.3, np.nan, np.nan]), np.array([20.7, 20.7, np.nan, np.nan]))
    data.status[:] = [STATUSES.index(s) for s in ("registered", "duplicate", "registered", "registered")]
    data.located[:] = [list(Located).index(where) for where in ("inside", "inside", "unlocated", "inside")]
    data.village[:] = [1, 1, 1, 2]
    shown = TileIndex(data, TODAY, {2: (111.4, 20.8)}).tile(0, 0, 0, Chosen()).singles
    assert sorted((single.fid, single.lon, single.lat) for single in shown) == [(1, 111.3, 20.7), (4, 111.4, 20.8)]


def test_an_empty_county_has_empty_tiles():
    index = TileIndex(columns(np.array([]), np.array([])), TODAY, {})
    assert index.tile(0, 0, 0, Chosen()) == Tile([], [])
    assert index.grid(BBox(111, 20, 112, 21), 12, Chosen()) == []
