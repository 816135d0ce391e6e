"""What a store does, whichever database is below it. One contract suite in the tests holds every store to this."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from villagemap.chain import Fields
from villagemap.likeness import Fingerprint
from villagemap.model import BBox, Change, Event, Issue, IssueFilter, Level, Operation, Photo, Place, Record


class Head(NamedTuple):
    """The last event of a county's chain; its seq is the key of every cache."""

    seq: int
    hash: str


class Broken(NamedTuple):
    """The first thing that doesn't follow from the chain: which row of which table, and what is wrong with it."""

    table: str
    key: str
    fault: str


class Replay(NamedTuple):
    """What a replay of the chain found: the first thing that doesn't follow from it, and how many values are erased."""

    broken: Broken | None
    erased: int


class FeaturePage(NamedTuple):
    """Stored GeoJSON texts, and the key after which the next page starts (None at the end)."""

    features: list[str]
    after: int | None


class State(NamedTuple):
    """What an issue's GeoJSON text doesn't tell; days and instants as stored texts ("" for none)."""

    id: str
    located: str
    deferred_until: str
    changed_at: str


class ClosedCase(NamedTuple):
    """A verified closing and where it was; ``wkb`` in WGS 84, None without a position."""

    id: str
    category: str
    village_id: str
    closed_on: date
    wkb: bytes | None


class Duty(NamedTuple):
    """Whose an issue is; ids and names "" for none."""

    id: str
    number: str
    category: str
    status: str
    town_id: str
    village_id: str
    lead_unit: str
    responsible: str


@dataclass(frozen=True, slots=True)
class IssueColumns:
    """Issues as arrays of equal length n, for tiles, counts and scores; ``seq`` is the last event they hold.

    ``fid`` int64; ``lon``, ``lat`` float64 degrees (nan where there is no position; the representative point of
    lines and polygons); ``category`` indexes ``categories``; ``status`` indexes `workflow.STATUSES`; ``town`` and
    ``village`` are the numbers in place ids (0 for none); ``found``, ``due`` day numbers (`workflow.NO_DAY` for none,
    a deferral's end for the deadline); ``progress`` 1 where work has begun; ``located`` indexes `model.Located`;
    ``privacy`` indexes `model.Privacy`; ``shape`` 1 for lines and polygons;
    ``held`` 1 where an interim measure or deferral stands. ``source`` indexes ``sources``; ``claimed``, ``closed`` are
    the days of the last claim and closing that still stand; ``relapse`` 1 for a relapse of an earlier case;
    ``returns`` counts returns by a verifier, ``reopened`` is 1 where a re-check failed.
    """

    seq: int
    categories: tuple[str, ...]
    sources: tuple[str, ...]
    fid: npt.NDArray[np.int64]
    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    category: npt.NDArray[np.int16]
    status: npt.NDArray[np.int8]
    town: npt.NDArray[np.int32]
    village: npt.NDArray[np.int32]
    found: npt.NDArray[np.int32]
    due: npt.NDArray[np.int32]
    progress: npt.NDArray[np.int8]
    located: npt.NDArray[np.int8]
    privacy: npt.NDArray[np.int8]
    shape: npt.NDArray[np.int8]
    held: npt.NDArray[np.int8]
    source: npt.NDArray[np.int16]
    claimed: npt.NDArray[np.int32]
    closed: npt.NDArray[np.int32]
    relapse: npt.NDArray[np.int8]
    returns: npt.NDArray[np.int16]
    reopened: npt.NDArray[np.int8]


class Writer(Protocol):
    """One transaction. Everything written through it is durable when the block ends, or nothing is."""

    def record(self, changes: Sequence[Change], operation: int | None = None) -> int:
        """Write each change as an event and its issue's row; number what is registered. Returns how many events.

        Several changes of one issue may stand in one batch, in their order. ``Issue.revision`` of what is handed in
        is the revision it was read at (0 and 1 alike for a new one).

        Raises
        ------
        ConflictError
            If an issue was changed by somebody else since.
        """

    def put_places(self, places: Sequence[Place], *, actor: str, at: datetime, operation: int | None = None) -> int:
        """Add or replace places by place_id, with an event each. Returns how many differed from what stood there."""

    def next_place_number(self) -> int:
        """The number for the next new place id."""

    def add_photos(self, photos: Sequence[Photo], *, actor: str, at: datetime, operation: int | None = None) -> None:
        """Tie pictures (already in the PhotoStore) to their issues."""

    def put_record(self, record: Record, *, kind: str, actor: str, at: datetime, note: str = "") -> int:
        """Write a record's whole fields with an event "<type>.<kind>"; returns the event's seq.

        Raises
        ------
        ConflictError
            If the record isn't at ``record.revision`` any more (0 for a new one).
        """

    def keep_fingerprint(self, sha256: str, kept: Fingerprint) -> None:
        """Keep what a picture is recognised by."""

    def answer_to(self, key: str) -> str | None:
        """What a request with this key was answered before, or None."""

    def keep_answer(self, key: str, answer: str, *, actor: str, flow: str, at: datetime) -> None:
        """Keep a request's answer for its retries."""

    def add_operation(self, operation: Operation) -> int:
        """Note an import or bulk edit; returns its number (the given one is ignored)."""

    def finish_operation(self, number: int, counts: Mapping[str, int], *, actor: str, at: datetime) -> None:
        """Set what an operation came to, and write its event."""


class Store(Protocol):
    """A county's memory. Reads see one consistent state; writes go through `writing`."""

    county: str

    def writing(self) -> AbstractContextManager[Writer]:
        """Begin a write transaction; commit at the end of the block, roll back on any exception."""

    def head(self) -> Head:
        """The last event of the chain (seq 0 and the genesis hash for none)."""

    def head_by(self, instant: datetime) -> Head:
        """The last event, in the chain's order, whose time is before ``instant`` (as `head` for none).

        The order is that of ``seq``: where a clock was set back, what stands between belongs to it too.
        """

    def last_event_at(self) -> datetime | None:
        """When the last event was written."""

    def places(self, level: Level | None = None) -> list[Place]:
        """All places, or those of one level, by code."""

    def places_seq(self) -> int:
        """The last event that changed a place (0 for none)."""

    def issue(self, issue_id: str) -> Issue | None:
        """One issue with its sightings, by id or readable number."""

    def issues(self, where: IssueFilter, *, limit: int, after: int = 0) -> list[Issue]:
        """Issues with their sightings, in keyset order."""

    def most_urgent(self, where: IssueFilter, *, limit: int) -> list[Issue]:
        """Issues with their sightings, the earliest deadline first, those without one last."""

    def feature(self, issue_id: str) -> str | None:
        """One issue's stored GeoJSON text."""

    def features(self, where: IssueFilter) -> Iterator[list[str]]:
        """Stored GeoJSON texts in keyset order, streamed in blocks from one consistent state."""

    def states(self, where: IssueFilter) -> Iterator[list[State]]:
        """What no GeoJSON text tells of issues, streamed in keyset order from one consistent state."""

    def feature_page(self, where: IssueFilter, *, limit: int, after: int = 0) -> FeaturePage:
        """One page of stored GeoJSON texts."""

    def count(self, where: IssueFilter) -> int:
        """How many issues there are."""

    def columns(self, since: IssueColumns | None = None) -> IssueColumns:
        """All issues as arrays; ``since`` is what the caller already holds, so that only changed rows are read."""

    def columns_at(self, seq: int) -> IssueColumns:
        """All issues as arrays, as they stood after event ``seq``."""

    def states_at(self, seq: int) -> Iterator[list[tuple[int, Issue]]]:
        """(fid, issue) of all issues as they stood after event ``seq``, streamed in blocks in order of fid."""

    def records_at(self, record_type: str, seq: int) -> list[Record]:
        """Records of a type as they stood after event ``seq``, in the order of their subjects."""

    def places_at(self, seq: int) -> dict[str, Fields]:
        """What `chain.place_fields` told of each place after event ``seq``, by place id."""

    def closed_cases(self, *, category: str = "", bbox: BBox | None = None, village: str = "") -> list[ClosedCase]:
        """All verified closings; with ``category`` only those of it that may touch ``bbox`` or lie in ``village``."""

    def duties(self, fids: Sequence[int]) -> dict[int, Duty]:
        """Fid to whose it is; persons' names are in it, for the caller to keep from who may not see them."""

    def briefs(self, fids: Sequence[int]) -> dict[int, tuple[str, str | None]]:
        """Fid to (id, GeoJSON geometry of a line or polygon)."""

    def events(self, subject: str) -> list[Event]:
        """A subject's events ("issue/<id>", "place/<id>"), oldest first."""

    def known_rows(self, row_keys: Sequence[str]) -> set[str]:
        """Those of ``row_keys`` that a sighting already has."""

    def known_ids(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that are issues already."""

    def photos(self, issue_id: str) -> list[Photo]:
        """The pictures of an issue."""

    def record(self, subject: str) -> Record | None:
        """One record by its subject."""

    def records(self, record_type: str, parent: str | None = None) -> list[Record]:
        """Records of a type, or those that belong to ``parent``, in the order of their subjects."""

    def picture_marks(self) -> list[tuple[str, bytes]]:
        """SHA-256 and marks of every picture, in the order in which they came."""

    def fingerprints(self, hashes: Sequence[str]) -> dict[str, Fingerprint]:
        """The whole fingerprints of a few pictures."""

    def picture_uses(self, hashes: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Picture to the (issue, stage) of each of its uses."""

    def operations(self) -> list[Operation]:
        """Imports and bulk edits, oldest first."""

    def photo_hashes(self) -> list[str]:
        """SHA-256 of every picture that an event names, in order."""

    def replay(self) -> Replay:
        """Replay the whole chain against the rows, and count the personal values that were erased."""

    def hash_of(self, seq: int) -> str | None:
        """The hash of event ``seq`` as the events up to it give it, replayed (None if one of them is missing)."""

    def verify(self) -> Broken | None:
        """Replay the whole chain against the rows; the first that was changed behind its back, or None."""

    def close(self) -> None:
        """Close all connections."""
