"""Flows that look at issues: counts, one issue, pages of features, tiles, GeoJSON out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
import shapely

from villagemap.auth import Policy
from villagemap.counts import county_counts, town_counts
from villagemap.deadlines import deadline, urgency
from villagemap.errors import NotFoundError
from villagemap.exports import geojson, without_phones
from villagemap.flows.narrowing import may_on, seen_issue, sees_no_text, visible
from villagemap.flows.registry import Session, flow
from villagemap.flows.standing.moments import columns_then, moment_of
from villagemap.model import Audience, Counts, Event, Issue, IssueFilter, Level, Photo, Place
from villagemap.places import place_number
from villagemap.store.protocol import FeaturePage, State

Card = dict[str, Any]

CARD_FIELDS = (
    "id", "number", "category", "subdefects", "severity", "status", "location_text", "description", "quantity_found",
    "quantity_done", "unit", "found_on", "due_on", "lead_unit", "help_units", "claimed_closed_on", "closed_on",
    "deferred_until", "interim_on", "located", "relapse_of", "revision",
)  # fmt: skip
"""What a card tells of an issue as it stands."""


@dataclass(frozen=True, slots=True)
class TownRow:
    """A town and its counts; ``town`` is None for the cases outside every town."""

    town: Place | None
    counts: Counts


@flow("issues.count", Policy.READ)
def county_table(
    session: Session, today: date | None = None, *, as_of: datetime | None = None
) -> tuple[Counts, list[TownRow]]:
    """The county's counts, and each town's in the order of their codes; as they stood at ``as_of`` if it is given."""
    workspace, moment = session.workspace, moment_of(session, as_of, today)
    columns, day = columns_then(session, moment), moment.day
    by_town = town_counts(columns, day)
    rows = [
        TownRow(town, by_town.get(place_number(town), Counts()))
        for town in workspace.gazetteer().level(Level.TOWN)
        if town.valid_to is None or town.valid_to >= day or place_number(town) in by_town
    ]
    if 0 in by_town:
        rows.append(TownRow(None, by_town[0]))
    return county_counts(columns, day), rows


@flow("issues.page", Policy.READ)
def feature_page(session: Session, where: IssueFilter, *, limit: int, after: int = 0) -> FeaturePage:
    """One page of issues as GeoJSON texts, in keyset order."""
    where = visible(session, where)
    page = session.workspace.store.feature_page(where, limit=limit, after=after)
    return page if where.audience is Audience.OWNER else page._replace(features=[*map(without_phones, page.features)])


@flow("issues.matched", Policy.READ)
def count_issues(session: Session, where: IssueFilter) -> int:
    """How many issues a filter matches."""
    return session.workspace.store.count(visible(session, where))


@flow("issues.list", Policy.READ_ALL)
def list_issues(session: Session, where: IssueFilter, *, limit: int, after: int = 0) -> list[Issue]:
    """Issues with all that is known of them."""
    return session.workspace.store.issues(visible(session, where, Policy.READ_ALL), limit=limit, after=after)


@flow("issues.feature", Policy.READ)
def show_feature(session: Session, issue_id: str) -> str:
    """One issue's GeoJSON text."""
    issue = seen_issue(session, issue_id, "issues.feature")
    text = session.workspace.store.feature(issue.id)
    if text is None:
        raise NotFoundError("unknown_issue", word=issue_id)
    if sees_no_text(session):
        feature = orjson.loads(text)
        feature["properties"]["description"] = None
        return orjson.dumps(feature).decode()
    return text if may_on(session, Policy.READ_ALL, issue) else without_phones(text)


@flow("issues.show", Policy.READ)
def show_issue(session: Session, issue_id: str, today: date | None = None) -> Card:
    """One issue with its events, as popups and people read it; dates and codes are texts, labels the reader's."""
    issue = seen_issue(session, issue_id, "issues.show")
    workspace = session.workspace
    events = workspace.store.events(f"issue/{issue.id}")
    photos = workspace.store.photos(issue.id)
    return card(session, issue, events, photos, today or workspace.settings.day())


def card(session: Session, issue: Issue, events: list[Event], photos: list[Photo], today: date) -> Card:
    """What a popup shows of an issue."""
    by_id = session.workspace.gazetteer().by_id
    names = {name: by_id[key].name if key in by_id else None for name, key in _places(issue).items()}
    last_day = deadline(issue)
    point = shapely.point_on_surface(shapely.from_wkt(issue.geometry)) if issue.geometry else None
    personal, hushed = may_on(session, Policy.READ_ALL, issue), sees_no_text(session)
    shown = {
        **{name: getattr(issue, name) for name in CARD_FIELDS},
        **names,
        "urgency": urgency(issue, today),
        "days_left": (last_day - today).days if last_day else None,
        "sources": list(dict.fromkeys([issue.source, *(sighting.source for sighting in issue.sightings)])),
        "responsible": issue.responsible,
        "lon": round(point.x, 7) if point is not None else None,
        "lat": round(point.y, 7) if point is not None else None,
        "photos": [{"stage": p.stage, "href": f"/issues/{issue.id}/photos/{p.sha256[:16]}"} for p in photos],
        "events": [event_line(event) | ({"note": ""} if hushed else {}) for event in events],
        **({"location_text": "", "description": ""} if hushed else {}),
    }
    return shown if personal else without_persons(shown)


def without_persons(shown: Card) -> Card:
    """A card for whoever may not see persons: no name of one, and no telephone number in its texts."""
    return {
        **shown,
        "responsible": "",
        "location_text": without_phones(shown["location_text"]),
        "description": without_phones(shown["description"]),
        "events": [{**event, "note": without_phones(event["note"])} for event in shown["events"]],
    }


def _places(issue: Issue) -> Mapping[str, str]:
    return {"town": issue.town_id or "", "village": issue.village_id or "", "place": issue.place_id or ""}


def event_line(event: Event) -> Card:
    """One event as people read it."""
    return {"seq": event.seq, "at": event.at, "kind": event.kind, "actor": event.actor, "note": note_of(event)}


def note_of(event: Event) -> str:
    """What somebody said with an event: a reason, an explanation; "" for nothing."""
    return str(orjson.loads(event.body).get("note", ""))


@flow("issues.photo", Policy.READ)
def open_photo(session: Session, issue_id: str, start: str) -> tuple[bytes, str]:
    """A picture of an issue by the start of its hash: its bytes and media type; only under its issue's permission."""
    issue = seen_issue(session, issue_id, "issues.photo")
    for photo in session.workspace.store.photos(issue.id):
        if photo.sha256.startswith(start):
            with session.workspace.photos.open(photo.sha256) as file:
                return file.read(), photo.media_type
    raise NotFoundError("photo_missing", sha256=start)


@flow("issues.export", Policy.READ)
def export_geojson(session: Session, where: IssueFilter, *, datum: str = "wgs84") -> Iterator[bytes]:
    """Issues as one GeoJSON file, streamed; without an audience the owner gets all rows, and that is noted."""
    where = visible(session, where)
    if where.audience is Audience.OWNER:
        session.workspace.log_access(session.actor.id, "issues.export", "*")
    return geojson(session.workspace.store.features(where), audience=where.audience, datum=datum)


@flow("issues.table", Policy.READ)
def issue_table(session: Session, where: IssueFilter) -> tuple[Iterator[list[str]], Iterator[list[State]]]:
    """Issues for a table: their GeoJSON texts, and what those don't tell, each streamed in keyset order.

    The two are read one after the other, so an issue that comes in between is only in the second.
    """
    where = visible(session, where)
    if where.audience is Audience.OWNER:
        session.workspace.log_access(session.actor.id, "issues.table", "*")
    store = session.workspace.store
    return store.features(where), store.states(where)
