"""Flows that draw: a town's map, linked to the server or as one self-contained file."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import shapely

from villagemap.auth import Policy
from villagemap.counts import town_counts
from villagemap.errors import WrongUseError
from villagemap.flows.cases.issues import Card, card, without_persons
from villagemap.flows.narrowing import columns_seen, visible
from villagemap.flows.places import place_feature
from villagemap.flows.registry import Session, flow
from villagemap.flows.tiles import TileFilter, chosen, tile_index
from villagemap.model import Audience, BBox, Counts, Issue, IssueFilter, Level, Part, Place, Privacy, Status
from villagemap.places import Gazetteer, place_number
from villagemap.settings import TIME_ZONE
from villagemap.workflow import NO_CASES

if TYPE_CHECKING:
    from villagemap.maps import InlineTown, TownMap

INLINE_ZOOM = 12
"""Tile zoom of the clusters in a self-contained map of more issues than it may hold: cells of about 1 km."""


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
    bbox = gazetteer.bbox(town) or _extent(session, town)
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
        counts=town_counts(columns_seen(session), settings.day()).get(place_number(town), Counts()),
        vocabulary=workspace.vocabulary,
        demo=settings.demo,
        approximate=_approximate(gazetteer, town),
        basemap=settings.basemap,
        review_number=settings.map_review_number,
        links=None if inline else Links(),
        inline=_inline(session, gazetteer, town, bbox) if inline else None,
        withheld=_withheld(session, town) if inline else 0,
    )
    return drawn(view)


def _extent(session: Session, town: Place) -> BBox | None:
    """The extent of a town's issues; None where none has a position."""
    columns = columns_seen(session)
    here = (columns.town == place_number(town)) & ~np.isnan(columns.lon)
    lon, lat = columns.lon[here], columns.lat[here]
    return BBox(*map(float, (lon.min(), lat.min(), lon.max(), lat.max()))) if len(lon) else None


def _withheld(session: Session, town: Place) -> int:
    """How many cases of households a file leaves out: it travels further than its owner."""
    store, where = (
        session.workspace.store,
        visible(session, replace(_for_office(session, town), audience=Audience.OWNER)),
    )
    return store.count(where) - store.count(_for_office(session, town))


def _for_office(session: Session, town: Place) -> IssueFilter:
    cases = tuple(status.value for status in Status if status not in NO_CASES)
    return visible(session, IssueFilter(towns=(town.place_id,), statuses=cases, audience=Audience.OFFICE))


def _approximate(gazetteer: Gazetteer, town: Place) -> bool:
    below = (village for village in gazetteer.level(Level.VILLAGE) if village.parent_id == town.place_id)
    return town.approximate or any(village.approximate for village in below)


def _inline(session: Session, gazetteer: Gazetteer, town: Place, bbox: BBox) -> "InlineTown":
    from villagemap.maps import INLINE_CARDS, InlineTown  # noqa: PLC0415

    villages = [v for v in gazetteer.level(Level.VILLAGE) if v.parent_id == town.place_id]
    neighbours = [t for t in gazetteer.level(Level.TOWN) if t.place_id != town.place_id and t.geometry]
    where = _for_office(session, town)
    many = session.workspace.store.count(where) > INLINE_CARDS
    return InlineTown(
        boundary=_collection([place_feature(town, gazetteer)]),
        villages=_collection([place_feature(village, gazetteer) for village in villages]),
        neighbours=_collection([place_feature(neighbour, gazetteer) for neighbour in neighbours]),
        cards=() if many else _cards(session, where, INLINE_CARDS),
        clusters=_clusters(session, town, bbox) if many else None,
    )


def _collection(features: Sequence[str]) -> bytes:
    return ('{"type":"FeatureCollection","features":[' + ",".join(features) + "]}").encode()


def _cards(session: Session, where: IssueFilter, most: int) -> list[Card]:
    workspace = session.workspace
    today = workspace.settings.day()
    issues = workspace.store.issues(where, limit=most)
    return [_inline_card(session, issue, today) for issue in issues if issue.status not in NO_CASES]


def _inline_card(session: Session, issue: Issue, today: date) -> Card:
    """A card with its latest event, and the shape of a line or area."""
    events = session.workspace.store.events(f"issue/{issue.id}")[-1:]
    shown = without_persons(card(session, issue, events, [], today))
    if issue.geometry and not issue.geometry.startswith("POINT"):
        shown["geometry"] = orjson.loads(shapely.to_geojson(shapely.from_wkt(issue.geometry)))
    return shown


def _clusters(session: Session, town: Place, bbox: BBox) -> dict[str, list[list[Any]]]:
    """Grid clusters by group, for a town of more issues than a file may hold."""
    cache = tile_index(session.workspace)
    vocabulary = session.workspace.vocabulary
    clusters: dict[str, list[list[Any]]] = {}
    for group in vocabulary.groups:
        codes = tuple(code for code, entry in vocabulary.categories.items() if entry.group == group)
        shown = chosen(session, TileFilter(towns=(town,), categories=codes), cache.categories)
        shown = replace(shown, within=_without_households(shown.within))
        clusters[group] = [list(cluster) for cluster in cache.index.grid(bbox, INLINE_ZOOM, shown)]
    return clusters


def _without_households(parts: Sequence[Part] | None) -> tuple[Part, ...]:
    """What may be shown, less what is restricted: a file travels further than its owner."""
    order = list(Privacy)
    return tuple(
        replace(part, most_private=min(part.most_private, Privacy.OFFICE, key=order.index))
        for part in (parts if parts is not None else [Part()])
    )
