"""The GeoPackage store's writer: events and the rows that follow from them, in one transaction."""

import sqlite3
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import orjson

from villagemap.chain import Fields, conceal, difference, instant_text, issue_fields
from villagemap.errors import ConflictError
from villagemap.likeness import Fingerprint
from villagemap.model import Change, Issue, Operation, Photo, Place, Record, Status
from villagemap.store import pictures, place_writing, reading, records
from villagemap.store.appending import ChainEnd
from villagemap.store.queued import BULK_ROWS, QueuedConnection
from villagemap.store.rows import (
    ISSUE_COLUMNS,
    Names,
    blobs,
    bounds_rows,
    centres,
    feature_text,
    geometry_json,
    issue_row,
    plain_shapes,
    sighting_rows,
)


@dataclass(slots=True)
class _Latest:
    """An issue as the batch has brought it so far; ``seq`` is its last event."""

    issue: Issue
    number: str
    revision: int
    fields: Fields
    seq: int = 0
    shape: Any = None


class GeoPackageWriter:
    """One transaction; see `protocol.Writer` for what each method promises."""

    def __init__(self, connection: QueuedConnection, county: str, committed: sqlite3.Connection) -> None:
        self._connection, self._committed = connection, committed
        self._county = county
        self._chain = ChainEnd(connection, county)
        self._written: set[str] = set()
        self._names: Names | None = None
        self._last_fid = _last_fid(connection)

    def finish(self) -> None:
        """Write what is still held back, and shut the door for other writers."""
        self._chain.flush()
        self._connection.execute("UPDATE villagemap_writer SET open = 0")

    def record(self, changes: Sequence[Change], operation: int | None = None) -> int:
        """Write changes as events, and the rows that follow."""
        stored = self._stored({change.issue.id for change in changes})
        self._written.update(change.issue.id for change in changes)
        shapes, texts = plain_shapes([change.issue for change in changes])
        latest: dict[str, _Latest] = {}
        for change, shape, wkt in zip(changes, shapes, texts, strict=True):
            issue = change.issue if change.issue.geometry == wkt else replace(change.issue, geometry=wkt)
            before = latest.get(issue.id) or _checked(stored.get(issue.id), issue)
            latest[issue.id] = after = self._step(change, issue, before, operation)
            after.shape = shape
        self._chain.flush()
        self._write_rows(list(latest.values()), stored.keys())
        return len(changes)

    def _stored(self, ids: set[str]) -> dict[str, Issue]:
        """Those issues that are there; of what this transaction hasn't touched another connection knows as well.

        It is asked instead, because ours would first wait for all rows that are on their way in.
        """
        own = self._committed.in_transaction or not self._written.isdisjoint(ids)
        connection = self._connection if own else self._committed
        rows = connection.execute(
            "SELECT * FROM issues WHERE county = ? AND id IN (SELECT value FROM json_each(?))",
            (self._county, orjson.dumps(list(ids)).decode()),
        ).fetchall()
        return {issue.id: issue for issue in reading.issues_of(connection, rows)}

    def _step(self, change: Change, issue: Issue, before: _Latest | None, operation: int | None) -> _Latest:
        number, revision = (before.number, before.revision + 1) if before else ("", 1)
        if not number and issue.status is not Status.REPORTED:
            number = self._chain.next_issue_number(change.at)
        fields = issue_fields(issue)
        fields["number"] = number
        if not number:
            del fields["number"]
        changed, personal = conceal(difference(before.fields, fields) if before else fields, issue.privacy)
        subject = f"issue/{issue.id}"
        self._chain.keep_personal(subject, personal)
        kind = f"issue.{change.kind}"
        seq = self._chain.append(
            subject, kind, changed, at=change.at, actor=change.actor, operation=operation, note=change.note
        )
        return _Latest(issue, number, revision, fields, seq)

    def _write_rows(self, latest: Sequence[_Latest], stored: AbstractSet[str]) -> None:
        """Rows of the issues themselves; those in ``stored`` have one, and keep its fid."""
        fresh = [entry for entry in latest if entry.issue.id not in stored]
        changed = [entry for entry in latest if entry.issue.id in stored]
        fids = self._insert(fresh) + (self._update(changed) if changed else [])
        latest = fresh + changed
        names = self._place_names(latest)
        features = [(fid, _feature(entry, names)) for fid, entry in zip(fids, latest, strict=True)]
        self._connection.insert("issue_features", features, "ON CONFLICT DO UPDATE SET feature = excluded.feature")
        self._connection.insert(
            "rtree_issues_geom", bounds_rows(fids, np.array([entry.shape for entry in latest], dtype=object))
        )
        self._connection.insert("sightings", [row for entry in latest for row in sighting_rows(entry.issue)])

    def _place_names(self, latest: Sequence[_Latest]) -> Names:
        """Names for these issues' texts: of all places for a bulk, of theirs for a single one."""
        if self._names is not None:
            return self._names
        if len(latest) < BULK_ROWS:
            wanted = {place for entry in latest for place in (entry.issue.town_id, entry.issue.village_id) if place}
            return reading.place_names(self._connection, self._county, wanted)
        self._names = reading.place_names(self._connection, self._county)
        return self._names

    def _insert(self, latest: Sequence[_Latest]) -> list[int]:
        """New rows under the next free fids."""
        fids = list(range(self._last_fid + 1, self._last_fid + 1 + len(latest)))
        self._last_fid += len(latest)
        rows = [(fid, *values) for fid, values in zip(fids, _rows(latest), strict=True)]
        self._connection.insert(f"issues (fid,{','.join(ISSUE_COLUMNS)})", rows)
        return fids

    def _update(self, latest: Sequence[_Latest]) -> list[int]:
        """Rows that are there already; what stands beside them is taken away, to be written anew."""
        updates = ",".join(f"{name} = ?" for name in ISSUE_COLUMNS)
        self._connection.executemany(
            f"UPDATE issues SET {updates} WHERE county = ? AND id = ?",
            [(*values, self._county, entry.issue.id) for entry, values in zip(latest, _rows(latest), strict=True)],
        )
        found = self._connection.execute(
            "SELECT id, fid FROM issues WHERE county = ? AND id IN (SELECT value FROM json_each(?))",
            (self._county, orjson.dumps([entry.issue.id for entry in latest]).decode()),
        )
        fids = {row["id"]: row["fid"] for row in found}
        # the R-tree is kept by us, not by triggers: nobody else can write, and bulk is three times as quick
        self._connection.executemany("DELETE FROM rtree_issues_geom WHERE id = ?", [(fid,) for fid in fids.values()])
        self._connection.executemany(
            "DELETE FROM sightings WHERE county = ? AND issue_id = ?", [(self._county, issue_id) for issue_id in fids]
        )
        return [fids[entry.issue.id] for entry in latest]

    def put_places(self, places: Sequence[Place], *, actor: str, at: datetime, operation: int | None = None) -> int:
        """Add or replace places, with an event for each that differs from what stood there."""
        self._names = None
        return place_writing.put_places(self._connection, self._chain, places, actor=actor, at=at, operation=operation)

    def next_place_number(self) -> int:
        """The number for the next new place id."""
        return self._chain.next_number("place")

    def add_photos(self, photos: Sequence[Photo], *, actor: str, at: datetime, operation: int | None = None) -> None:
        """Tie pictures to their issues."""
        for photo in photos:
            taken = instant_text(photo.taken_at) if photo.taken_at else ""
            changed = {f"photo:{photo.sha256}": [photo.stage, taken, photo.media_type]}
            subject = f"issue/{photo.issue_id}"
            self._chain.append(subject, "photo.add", changed, at=at, actor=actor, operation=operation)
            self._connection.execute(
                "INSERT INTO photos VALUES (?, ?, ?, ?, ?, ?)",
                (self._county, photo.issue_id, photo.sha256, photo.stage, taken, photo.media_type),
            )
        self._chain.flush()

    def put_record(self, record: Record, *, kind: str, actor: str, at: datetime, note: str = "") -> int:
        """Write a record's whole fields with an event; its revision is the one it was read at."""
        return records.put_record(self._connection, self._chain, record, kind=kind, at=at, actor=actor, note=note)

    def keep_fingerprint(self, sha256: str, kept: Fingerprint) -> None:
        """Keep what a picture is recognised by."""
        pictures.keep_fingerprint(self._connection, self._county, sha256, kept)

    def answer_to(self, key: str) -> str | None:
        """What a request with this key was answered before, or None."""
        return records.answer_to(self._connection, self._county, key)

    def keep_answer(self, key: str, answer: str, *, actor: str, flow: str, at: datetime) -> None:
        """Keep a request's answer for its retries."""
        self._connection.execute(
            "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?)", (self._county, key, actor, flow, answer, instant_text(at))
        )

    def add_operation(self, operation: Operation) -> int:
        """Note an import or bulk edit; its counts come with `finish_operation`."""
        cursor = self._connection.execute(
            "INSERT INTO operations (county, kind, actor, at, file_name, file_sha256, counts)"
            " VALUES (?, ?, ?, ?, ?, ?, '{}') RETURNING number",
            (
                self._county, operation.kind, operation.actor, instant_text(operation.at), operation.file_name,
                operation.file_sha256,
            ),
        )  # fmt: skip
        return int(cursor.fetchone()["number"])

    def finish_operation(self, number: int, counts: Mapping[str, int], *, actor: str, at: datetime) -> None:
        """Set what an operation came to, and write its event."""
        row = self._connection.execute(
            "UPDATE operations SET counts = ? WHERE number = ? RETURNING *",
            (orjson.dumps(dict(counts), option=orjson.OPT_SORT_KEYS).decode(), number),
        ).fetchone()
        told = {"kind": row["kind"], "file_name": row["file_name"], "file_sha256": row["file_sha256"]}
        self._chain.append(
            f"operation/{number}", "operation.done", {**told, "counts": dict(counts)}, at=at, actor=actor,
            operation=number,
        )  # fmt: skip
        self._chain.flush()


def _last_fid(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'issues'").fetchone()
    return int(row["seq"]) if row else 0


def _checked(stored: Issue | None, given: Issue) -> _Latest | None:
    """The stored issue to start from, if ``given`` was read at its revision."""
    if stored is None:
        return None
    if stored.revision != given.revision:
        raise ConflictError("issue_changed", number=stored.number or stored.id, revision=stored.revision)
    return _Latest(stored, stored.number, stored.revision, issue_fields(stored))


def _rows(latest: Sequence[_Latest]) -> list[tuple[Any, ...]]:
    shapes = np.array([entry.shape for entry in latest], dtype=object)
    middle = centres(shapes)
    lonlats = [(lon, lat) if lon == lon else (None, None) for lon, lat in middle.tolist()]  # noqa: PLR0124 - nan
    return [
        issue_row(entry.issue, entry.number, entry.revision, entry.seq, blob, lonlat)
        for entry, blob, lonlat in zip(latest, blobs(shapes), lonlats, strict=True)
    ]


def _feature(entry: _Latest, names: Names) -> str:
    geometry = geometry_json(entry.issue.geometry, entry.shape)
    return feature_text(entry.issue, entry.number, entry.revision, names, geometry)
