"""The words of the field as frozen dataclasses: what passes between rooms.

Positions are WGS 84 longitude, latitude in degrees, kept to 7 decimals (about 1 cm). Dates end in
``_on`` (``datetime.date``, Asia/Shanghai calendar), instants in ``_at`` (aware UTC datetimes).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple


class Level(StrEnum):
    """Administrative level of a place."""

    COUNTY = "county"
    TOWN = "town"
    VILLAGE = "village"
    HAMLET = "hamlet"


class Status(StrEnum):
    """Where an issue stands in its life; the moves between them are in ``workflow``."""

    REPORTED = "reported"
    REGISTERED = "registered"
    RECTIFYING = "rectifying"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    CLOSED = "closed"
    DEFERRED = "deferred"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class Urgency(StrEnum):
    """What colour says on a map; depends on the day, so it is never stored."""

    OVERDUE = "overdue"
    BEHIND = "behind"
    NEAR = "near"
    IN_TIME = "in_time"
    SUBMITTED = "submitted"
    CLOSED = "closed"


class Located(StrEnum):
    """What is known about where an issue is."""

    INSIDE = "inside"
    """Has a position, inside a known village (or bound to one by its category)."""
    OUTSIDE = "outside"
    """Has a position, outside every known village."""
    UNLOCATED = "unlocated"
    """Needs a position and has none."""


class Privacy(StrEnum):
    """Who may see where it is: ``open`` a public place, ``office`` somebody's home, ``restricted`` households."""

    OPEN = "open"
    OFFICE = "office"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a county, cut by place, category group, privacy and issue; an empty tuple cuts nothing.

    ``places`` are ids of towns or villages, ``categories`` the codes of ``groups`` (None: not spelt out, or all),
    ``issues`` ids.
    """

    places: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    most_private: Privacy = Privacy.OFFICE
    issues: tuple[str, ...] = ()
    categories: tuple[str, ...] | None = None


class Audience(StrEnum):
    """For whom something is written."""

    OWNER = "owner"
    OFFICE = "office"
    PUBLIC = "public"


class BBox(NamedTuple):
    """West, south, east, north in degrees, WGS 84."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A county, town, village or hamlet.

    ``place_id`` never changes; ``code`` is the code valid today ("" if none is known), ``former_codes``
    those it had. ``geometry`` is WKB (polygon, multipolygon or point) in WGS 84; ``approximate`` says that the
    area was drawn by us from points and is no legal boundary. ``seat`` is the (lon, lat) of the village committee.
    """

    place_id: str
    county: str
    level: Level
    code: str
    name: str
    short_name: str
    parent_id: str | None = None
    aliases: tuple[str, ...] = ()
    former_codes: tuple[str, ...] = ()
    households: int | None = None
    geometry: bytes | None = None
    seat: tuple[float, float] | None = None
    approximate: bool = False
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One list, visit or report that names an issue, with what it said.

    ``given_x, given_y`` are the coordinates as given in ``datum`` (degrees, or metres for projected tables),
    kept as the very text of the source. ``row_key`` identifies the source row, so that the same file read again
    changes nothing.
    """

    id: str
    source: str
    list_name: str = ""
    list_number: str = ""
    found_on: date | None = None
    found_by: str = ""
    given_x: str = ""
    given_y: str = ""
    datum: str = "wgs84"
    accuracy_m: float | None = None
    row_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One case: something wrong at a place, with all that is known of it today.

    ``geometry`` is WKT in WGS 84 with at most 7 decimals, or None (unlocated, or bound to its village).
    ``village_id`` and ``town_id`` are place ids; ``place_id`` is the finest place known (a hamlet, else the
    village). ``responsible`` and ``phone`` are personal values: they never enter an event's body.
    """

    id: str
    county: str
    category: str
    status: Status
    source: str
    number: str = ""
    subdefects: tuple[str, ...] = ()
    severity: int = 3
    quantity_found: float = 1.0
    quantity_done: float = 0.0
    unit: str = ""
    place_id: str | None = None
    village_id: str | None = None
    town_id: str | None = None
    place_code_given: str = ""
    located: Located = Located.UNLOCATED
    geometry: str | None = None
    location_text: str = ""
    description: str = ""
    found_on: date | None = None
    lead_unit: str = ""
    help_units: tuple[str, ...] = ()
    responsible: str = ""
    phone: str = ""
    due_on: date | None = None
    hard_due_on: date | None = None
    claimed_closed_on: date | None = None
    closed_on: date | None = None
    deferred_until: date | None = None
    interim_on: date | None = None
    privacy: Privacy = Privacy.OPEN
    relapse_of: str | None = None
    duplicate_of: str | None = None
    facility: str = ""
    checked: tuple[str, ...] = ()
    revision: int = 1
    sightings: tuple[Sighting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change, as it stands in the chain: ``body`` is the very text that was hashed."""

    county: str
    seq: int
    subject: str
    kind: str
    at: datetime
    actor: str
    body: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A picture that belongs to an issue; its bytes are in the PhotoStore under ``sha256``."""

    sha256: str
    issue_id: str
    stage: str
    taken_at: datetime | None = None
    media_type: str = "image/jpeg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A small thing with a history of its own: a sweep, a visit, a meeting, an objection.

    ``subject`` is "<type>/<id>", ``parent`` what it belongs to and is asked for by ("" for none); ``fields`` are JSON
    values without floats, the sum of its events.
    """

    subject: str
    type: str
    parent: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What an import or bulk edit did, so that it can be told (and one day taken back) as a whole."""

    number: int
    kind: str
    actor: str
    at: datetime
    file_name: str = ""
    file_sha256: str = ""
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueFilter:
    """Which issues: every part that is given must hold. Place parts are place ids; dates are inclusive.

    ``overdue_on`` keeps issues that are overdue on that day. ``text`` is no part of it: filters name columns only.
    ``within`` keeps what lies in any of these parts of the county: what an actor may see (None: all of it).
    """

    towns: tuple[str, ...] = ()
    villages: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    severities: tuple[int, ...] = ()
    located: tuple[str, ...] = ()
    overdue_on: date | None = None
    found_from: date | None = None
    found_to: date | None = None
    bbox: BBox | None = None
    audience: Audience = Audience.OWNER
    within: tuple[Part, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An issue as it stands after one step of its life; a batch of them is how anything is written."""

    kind: str
    issue: Issue
    at: datetime
    actor: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many cases (件, never units). ``open`` includes ``submitted``; ``claimed`` includes ``verified``."""

    found: int = 0
    open: int = 0
    overdue: int = 0
    claimed: int = 0
    verified: int = 0
    deferred: int = 0
    unlocated: int = 0
    outside: int = 0
