"""Flows about places: read them in, find one, list them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import shapely

from villagemap.auth import Policy
from villagemap.errors import BadInputError, NotFoundError
from villagemap.flows.registry import NothingNew, Session, flow
from villagemap.model import BBox, Level, Operation, Place
from villagemap.places import Gazetteer, with_areas
from villagemap.readers.columns import ColumnMapping, match_columns
from villagemap.readers.findings import Finding
from villagemap.readers.place_drafts import PlaceDraft, draft_places, with_identity
from villagemap.readers.sandbox import open_table
from villagemap.settings import now


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesReport:
    """What became of the rows: read = stored + unchanged + rejected."""

    read: int
    stored: int
    unchanged: int
    rejected: int
    levels: dict[str, int]
    approximate: int
    findings: list[Finding] = field(default_factory=list)
    unmatched: tuple[str, ...] = ()


@flow("places.import", Policy.WRITE)
def import_places(
    session: Session,
    paths: Sequence[Path],
    *,
    mapping: ColumnMapping | None = None,
    level: Level | None = None,
    datum: str = "",
) -> PlacesReport:
    """Read towns, villages and hamlets from files, all in one transaction; points get approximate areas.

    Files that bring nothing new leave no trace.

    Raises
    ------
    BadInputError
        ``no_rows`` for a file without any; nothing is written then.
    """
    mapping = mapping or ColumnMapping()
    workspace = session.workspace
    drafts: list[PlaceDraft] = []
    unmatched: list[str] = []
    digests = []
    for path in paths:
        with open_table(path) as table:
            match = match_columns(table.columns, "places", mapping.columns)
            rows = draft_places(table, match, mapping, workspace.vocabulary, workspace.settings.county, level, datum)
            if not rows:
                raise BadInputError("no_rows", file=table.file)
            drafts += rows
            unmatched += match.unmatched
            digests.append(table.sha256)
    at, actor = now(), session.actor.id
    with suppress(NothingNew), workspace.store.writing() as writer:
        known = Gazetteer(workspace.store.places())
        identified = with_identity(drafts, known, writer.next_place_number)
        given = [place for _, place in identified if place is not None]
        places = _all_with_areas(known, given)
        report = _report(identified, places, unmatched)
        if not places:
            raise NothingNew
        names = ", ".join(path.name for path in paths)
        number = writer.add_operation(
            Operation(number=0, kind="places", actor=actor, at=at, file_name=names, file_sha256=" ".join(digests))
        )
        writer.put_places(places, actor=actor, at=at, operation=number)
        counts = {"read": report.read, "stored": report.stored, "rejected": report.rejected}
        writer.finish_operation(number, counts, actor=actor, at=at)
    return report


def _all_with_areas(known: Gazetteer, given: Sequence[Place]) -> list[Place]:
    """The places that differ from what is known once areas are shared out again."""
    merged = {place.place_id: place for place in (*known.places, *given)}
    whole = with_areas(list(merged.values()), known.by_id)
    return [place for place in whole if known.by_id.get(place.place_id) != place]


def _report(
    identified: Sequence[tuple[PlaceDraft, Place | None]],
    places: Sequence[Place],
    unmatched: Sequence[str],
) -> PlacesReport:
    changed = {place.place_id for place in places}
    kept = [place for _, place in identified if place is not None]
    levels = {level.value: sum(place.level is level for place in kept) for level in Level}
    stored = sum(place.place_id in changed for place in kept)
    return PlacesReport(
        read=len(identified),
        stored=stored,
        unchanged=len(kept) - stored,
        rejected=len(identified) - len(kept),
        levels={name: count for name, count in levels.items() if count},
        approximate=sum(place.approximate for place in places),
        findings=[finding for draft, _ in identified for finding in draft.findings],
        unmatched=tuple(dict.fromkeys(unmatched)),
    )


@flow("places.find", Policy.READ)
def find_place(session: Session, word: str, level: Level, town: str = "") -> Place:
    """The one place of a level that a code or name means; raises NotFoundError or AmbiguousError."""
    gazetteer = session.workspace.gazetteer()
    inside = gazetteer.find(town, Level.TOWN) if town else None
    return gazetteer.find(word, level, inside)


@flow("places.list", Policy.READ)
def list_places(
    session: Session,
    level: Level,
    *,
    town: str = "",
    bbox: BBox | None = None,
    limit: int | None = None,
    after: int = 0,
) -> tuple[list[str], int | None]:
    """GeoJSON features of a level's places in the order of their codes, and where the next page starts."""
    gazetteer = session.workspace.gazetteer()
    chosen = _chosen(gazetteer, level, town, bbox)
    page = chosen[after : None if limit is None else after + limit]
    following = after + len(page)
    return [place_feature(place, gazetteer) for place in page], following if following < len(chosen) else None


@flow("places.count", Policy.READ)
def count_places(session: Session, level: Level, *, town: str = "", bbox: BBox | None = None) -> int:
    """How many places `list_places` has in all its pages."""
    return len(_chosen(session.workspace.gazetteer(), level, town, bbox))


def _chosen(gazetteer: Gazetteer, level: Level, town: str, bbox: BBox | None) -> list[Place]:
    inside = gazetteer.find(town, Level.TOWN) if town else None
    return [
        place
        for place in gazetteer.level(level)
        if (inside is None or gazetteer.town_of(place) == inside) and (bbox is None or _touches(place, bbox))
    ]


@flow("places.extent", Policy.READ)
def places_extent(session: Session) -> BBox | None:
    """The extent of all places; None where nothing has a position."""
    return session.workspace.gazetteer().bbox()


@flow("places.show", Policy.READ)
def show_place(session: Session, level: Level, code: str) -> tuple[str, str]:
    """A place's GeoJSON feature by any code that it has or had (or its place id), and its code today.

    A place without a code has its place id for one.

    Raises
    ------
    NotFoundError
        If no place of this level has or had the code.
    AmbiguousError
        If several had it: its place was split.
    """
    gazetteer = session.workspace.gazetteer()
    place = gazetteer.by_id.get(code) or gazetteer.find_code(code, level)
    if place.level is not level:
        raise NotFoundError(f"unknown_{level}", word=code)
    return place_feature(place, gazetteer), place.code or place.place_id


def place_feature(place: Place, gazetteer: Gazetteer) -> str:
    """A place as a GeoJSON feature."""
    geometry = str(shapely.to_geojson(shapely.from_wkb(place.geometry))) if place.geometry else "null"
    parent = gazetteer.by_id.get(place.parent_id or "")
    properties = {
        "place_id": place.place_id,
        "code": place.code,
        "name": place.name,
        "short_name": place.short_name,
        "level": place.level.value,
        "parent_code": parent.code if parent else None,
        "aliases": ";".join(place.aliases),
        "former_codes": ";".join(place.former_codes),
        "households": place.households,
        "approximate": place.approximate,
        "seat": place.seat,
        "valid_from": place.valid_from,
        "valid_to": place.valid_to,
    }
    code = orjson.dumps(place.code or place.place_id).decode()
    return (
        f'{{"type":"Feature","id":{code},"geometry":{geometry},'
        f'"properties":{orjson.dumps(properties, option=orjson.OPT_SERIALIZE_NUMPY).decode()}}}'
    )


def _touches(place: Place, bbox: BBox) -> bool:
    return place.geometry is not None and bool(shapely.intersects(shapely.from_wkb(place.geometry), shapely.box(*bbox)))
