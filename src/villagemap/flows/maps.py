"""Flows that draw: the tiles below a map, and a town's map, linked to the server or as one file."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import orjson

from villagemap.auth import Policy
from villagemap.counts import town_counts
from villagemap.errors import WrongUseError
from villagemap.flows.issues import Card, card, place_number
from villagemap.flows.places import list_places, place_feature
from villagemap.flows.registry import Session, flow
from villagemap.flows.workspace import Workspace
from villagemap.model import BBox, Counts, IssueFilter, Level, Place, Privacy
from villagemap.places import Gazetteer
from villagemap.settings import TIME_ZONE
from villagemap.tiles import MAX_ZOOM, Chosen, Tile, TileIndex, tile_bbox
from villagemap.workflow import STATUSES, URGENCIES

if TYPE_CHECKING:
    from villagemap.maps import InlineTown, TownMap

NO_SUCH = -1
"""An index that no issue has: a filter for a category without issues matches none, not all."""

INLINE_ZOOM = 12
"""Tile zoom of the clusters in a self-contained map of more issues than it may hold: cells of about 1 km."""

Collection = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TileFilter:
    """Which issues a tile shows, by codes; empty means all."""

    towns: tuple[Place, ...] = ()
    villages: tuple[Place, ...] = ()
    categories: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    urgencies: tuple[str, ...] = ()


@dataclass(slots=True)
class TileCache:
    """The newest tile index of a workspace, by last event and day."""

    key: tuple[int, date] | None = None
    index: TileIndex | None = None
    categories: tuple[str, ...] = field(default=())


@flow("tiles.version", Policy.READ)
def tiles_version(session: Session) -> str:
    """What an ETag is made of: the last event and the day."""
    workspace = session.workspace
    return f"{workspace.store.head().seq}-{workspace.settings.day().isoformat()}"


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
    assert cache.index is not None  # noqa: S101 - tile_index has just made it
    tile = cache.index.tile(zoom, x, y, _chosen(session, where, cache.categories))
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
    return _collection(features)


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
            cache = TileCache(key, TileIndex(columns, key[1]), columns.categories)
            workspace.tiles = cache
        return cache


def _chosen(session: Session, where: TileFilter, categories: Sequence[str]) -> Chosen:
    numbers = {code: number for number, code in enumerate(categories)}
    statuses = {status.value: number for number, status in enumerate(STATUSES)}
    urgencies = {urgency.value: number for number, urgency in enumerate(URGENCIES)}
    seen_by_all = Policy.READ_ALL in session.actor.may
    return Chosen(
        towns=tuple(place_number(town) for town in where.towns),
        villages=tuple(place_number(village) for village in where.villages),
        categories=tuple(numbers.get(code, NO_SUCH) for code in where.categories),
        statuses=tuple(statuses[code] for code in where.statuses),
        urgencies=tuple(urgencies[code] for code in where.urgencies),
        most_private=list(Privacy).index(Privacy.RESTRICTED if seen_by_all else Privacy.OFFICE),
    )


def _tile_json(tile: Tile, briefs: Mapping[int, tuple[str, str | None]]) -> bytes:
    shapes = {briefs[s.fid][0]: orjson.Fragment(shape) for s in tile.singles if (shape := briefs[s.fid][1])}
    singles = [(briefs[s.fid][0], s.lon, s.lat, s.category, s.urgency) for s in tile.singles]
    return orjson.dumps({"clusters": tile.clusters, "features": singles, "shapes": shapes})


@flow("map.town", Policy.READ)
def town_map(session: Session, word: str, lang: str, *, inline: bool = False) -> "TownMap":
    """A town's map by code or name: linked to the server, or ``inline`` as one self-contained page.

    Raises
    ------
    WrongUseError
        If neither the town nor any issue in it has a position.
    """
    from villagemap.maps import Links, TownView  # noqa: PLC0415 - Folium takes two seconds to import
    from villagemap.maps import town_map as drawn  # noqa: PLC0415

    workspace = session.workspace
    settings, gazetteer = workspace.settings, workspace.gazetteer()
    town = gazetteer.find(word, Level.TOWN)
    bbox = gazetteer.bbox(town)
    if bbox is None:
        raise WrongUseError("town_without_area", town=town.name)
    last = workspace.store.last_event_at()
    view = TownView(
        code=town.code,
        name=town.name,
        county_name=settings.name,
        lang=lang,
        today=settings.day(),
        data_on=last.astimezone(TIME_ZONE).date() if last else None,
        bbox=bbox,
        counts=town_counts(workspace.columns(), settings.day()).get(place_number(town), Counts()),
        vocabulary=workspace.vocabulary,
        demo=settings.demo,
        approximate=_approximate(gazetteer, town),
        basemap=settings.basemap,
        review_number=settings.map_review_number,
        links=None if inline else Links(),
        inline=_inline(session, gazetteer, town, bbox) if inline else None,
    )
    return drawn(view)


def _approximate(gazetteer: Gazetteer, town: Place) -> bool:
    below = (village for village in gazetteer.level(Level.VILLAGE) if village.parent_id == town.place_id)
    return town.approximate or any(village.approximate for village in below)


def _inline(session: Session, gazetteer: Gazetteer, town: Place, bbox: BBox) -> "InlineTown":
    from villagemap.maps import INLINE_CARDS, InlineTown  # noqa: PLC0415

    villages = [v for v in gazetteer.level(Level.VILLAGE) if v.parent_id == town.place_id]
    neighbours = [t for t in gazetteer.level(Level.TOWN) if t.place_id != town.place_id and t.geometry]
    where = IssueFilter(towns=(town.place_id,))
    many = session.workspace.store.count(where) > INLINE_CARDS
    return InlineTown(
        boundary=_collection([place_feature(town, gazetteer)]),
        villages=_collection([place_feature(village, gazetteer) for village in villages]),
        neighbours=_collection([place_feature(neighbour, gazetteer) for neighbour in neighbours]),
        cards=() if many else _cards(session, where, INLINE_CARDS),
        clusters=_clusters(session, town, bbox) if many else None,
    )


def _collection(features: Collection) -> bytes:
    return ('{"type":"FeatureCollection","features":[' + ",".join(features) + "]}").encode()


def _cards(session: Session, where: IssueFilter, most: int) -> list[Card]:
    workspace = session.workspace
    today = workspace.settings.day()
    issues = workspace.store.issues(where, limit=most)
    cards = []
    for issue in issues:
        if issue.privacy is Privacy.RESTRICTED:
            continue  # a file travels further than its owner
        events = workspace.store.events(f"issue/{issue.id}")[-1:]
        shown: dict[str, Any] = card(session, issue, events, [], today)
        cards.append(shown)
    return cards


def _clusters(session: Session, town: Place, bbox: BBox) -> dict[str, list[list[Any]]]:
    """Grid clusters by group, for a town of more issues than a file may hold."""
    cache = tile_index(session.workspace)
    assert cache.index is not None  # noqa: S101
    vocabulary = session.workspace.vocabulary
    clusters: dict[str, list[list[Any]]] = {}
    for group in vocabulary.groups:
        codes = tuple(code for code, entry in vocabulary.categories.items() if entry.group == group)
        chosen = _chosen(session, TileFilter(towns=(town,), categories=codes), cache.categories)
        clusters[group] = [list(cluster) for cluster in cache.index.grid(bbox, INLINE_ZOOM, chosen)]
    return clusters
