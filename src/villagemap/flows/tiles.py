"""Flows below every map: tiles of issues and of places."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import orjson

from villagemap.auth import Policy
from villagemap.deadlines import URGENCIES
from villagemap.errors import WrongUseError
from villagemap.flows.narrowing import reach_of, reach_tag
from villagemap.flows.places import list_places
from villagemap.flows.registry import Session, flow
from villagemap.flows.workspace import Workspace
from villagemap.model import Level, Place
from villagemap.places import place_number
from villagemap.tiles import MAX_ZOOM, Chosen, Tile, TileIndex, tile_bbox
from villagemap.workflow import STATUSES

NO_SUCH = -1
"""An index that no issue has: a filter for a category without issues matches none, not all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TileFilter:
    """Which issues a tile shows, by codes; empty means all."""

    towns: tuple[Place, ...] = ()
    villages: tuple[Place, ...] = ()
    categories: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    urgencies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TileCache:
    """The newest tile index of a workspace, by last event and day."""

    key: tuple[int, date]
    index: TileIndex
    categories: tuple[str, ...]


@flow("tiles.version", Policy.READ)
def tiles_version(session: Session) -> str:
    """What an ETag is made of: the last event, the day, and what of the county this actor may see."""
    workspace = session.workspace
    return f"{workspace.store.head().seq}-{workspace.settings.day().isoformat()}{reach_tag(session)}"


@flow("tiles.show", Policy.READ)
def issue_tile(session: Session, zoom: int, x: int, y: int, where: TileFilter) -> bytes:
    """One map tile of issues as JSON: clusters, single issues, shapes of lines and polygons.

    Raises
    ------
    WrongUseError
        If there is no such tile.
    """
    _check_tile(zoom, x, y)
    cache = tile_index(session.workspace)
    tile = cache.index.tile(zoom, x, y, chosen(session, where, cache.categories))
    briefs = session.workspace.store.briefs([single.fid for single in tile.singles])
    return _tile_json(tile, briefs)


@flow("tiles.places", Policy.READ)
def place_tile(session: Session, level: Level, zoom: int, x: int, y: int) -> bytes:
    """The places of a level that touch one map tile, whole, as a GeoJSON FeatureCollection.

    Raises
    ------
    WrongUseError
        If there is no such tile.
    """
    _check_tile(zoom, x, y)
    features, _ = list_places(session, level, bbox=tile_bbox(zoom, x, y))
    return ('{"type":"FeatureCollection","features":[' + ",".join(features) + "]}").encode()


def _check_tile(zoom: int, x: int, y: int) -> None:
    if not 0 <= zoom <= MAX_ZOOM or not 0 <= x < 1 << zoom or not 0 <= y < 1 << zoom:
        raise WrongUseError("no_such_tile", zoom=zoom, x=x, y=y)


_INDEXING = threading.Lock()


def tile_index(workspace: Workspace) -> TileCache:
    """The tile index as of the last event and today; built once, however many tiles ask for it together."""
    columns = workspace.columns()
    key = (columns.seq, workspace.settings.day())
    with _INDEXING:
        cache = workspace.tiles
        if not isinstance(cache, TileCache) or cache.key != key:
            villages = workspace.gazetteer().level(Level.VILLAGE)
            seats = {place_number(village): village.seat for village in villages if village.seat}
            cache = TileCache(key, TileIndex(columns, key[1], seats), columns.categories)
            workspace.tiles = cache
        return cache


def chosen(session: Session, where: TileFilter, categories: Sequence[str]) -> Chosen:
    """A filter by codes as the tile index takes it, cut down to what this actor may see."""
    numbers = {code: number for number, code in enumerate(categories)}
    statuses = {status.value: number for number, status in enumerate(STATUSES)}
    urgencies = {urgency.value: number for number, urgency in enumerate(URGENCIES)}
    return Chosen(
        towns=tuple(place_number(town) for town in where.towns),
        villages=tuple(place_number(village) for village in where.villages),
        categories=tuple(numbers.get(code, NO_SUCH) for code in where.categories),
        statuses=tuple(statuses[code] for code in where.statuses),
        urgencies=tuple(urgencies[code] for code in where.urgencies),
        within=reach_of(session),
    )


def _tile_json(tile: Tile, briefs: Mapping[int, tuple[str, str | None]]) -> bytes:
    shapes = {briefs[s.fid][0]: orjson.Fragment(shape) for s in tile.singles if (shape := briefs[s.fid][1])}
    singles = [(briefs[s.fid][0], s.lon, s.lat, s.category, s.urgency, s.held) for s in tile.singles]
    clusters = [tuple(cluster) for cluster in tile.clusters]  # orjson takes no named tuples
    return orjson.dumps({"clusters": clusters, "features": singles, "shapes": shapes})
