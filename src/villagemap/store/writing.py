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
from villagemap.model import Change, Issue, Operation, Photo, Place, Record, Status
from villagemap.store import place_writing, reading, records
from villagemap.store.appending import ChainEnd
from villagemap.store.rows import (
    ISSUE_COLUMNS,
    SIGHTING_COLUMNS,
    blobs,
    bounds_rows,
    centres,
    feature_text,
    geometry_json,
    issue_row,
    shapes_of,
    sighting_rows,
    with_plain_geometry,
)


@dataclass(slots=True)
class _Latest:
    """An issue as the batch has brought it so far; ``seq`` is its last event."""

    issue: Issue
    fields: Fields
    seq: int = 0


class GeoPackageWriter:
    """One transaction; see `protocol.Writer` for what each method promises."""

    def __init__(self, connection: sqlite3.Connection, county: str) -> None:
        self._connection = connection
        self._county = county
        self._chain = ChainEnd(connection, county)

    def finish(self) -> None:
        """Write what is still held back, and shut the door for other writers."""
        self._chain.flush()
        self._connection.execute("UPDATE villagemap_writer SET open = 0")

    def record(self, changes: Sequence[Change], operation: int | None = None) -> int:
        """Write changes as events, and the rows that follow."""
        stored = self._stored({change.issue.id for change in changes})
        changes = with_plain_geometry(changes)
        latest: dict[str, _Latest] = {}
        for change in changes:
            before = latest.get(change.issue.id) or _checked(stored.get(change.issue.id), change.issue)
            latest[change.issue.id] = self._step(change, before, operation)
        self._chain.flush()
        self._write_rows(list(latest.values()), stored.keys())
        return len(changes)

    def _stored(self, ids: set[str]) -> dict[str, Issue]:
        rows = self._connection.execute(
            "SELECT * FROM issues WHERE county = ? AND id IN (SELECT value FROM json_each(?))",
            (self._county, orjson.dumps(list(ids)).decode()),
        ).fetchall()
        return {issue.id: issue for issue in reading.issues_of(self._connection, rows)}

    def _step(self, change: Change, before: _Latest | None, operation: int | None) -> _Latest:
        issue = change.issue
        number = before.issue.number if before else ""
        if not number and issue.status is not Status.REPORTED:
            number = self._chain.next_issue_number(change.at)
        issue = replace(issue, number=number, revision=before.issue.revision + 1 if before else 1)
        fields = issue_fields(issue)
        changed, personal = conceal(difference(before.fields if before else {}, fields), issue.privacy)
        subject = f"issue/{issue.id}"
        self._chain.keep_personal(subject, personal)
        kind = f"issue.{change.kind}"
        seq = self._chain.append(
            subject, kind, changed, at=change.at, actor=change.actor, operation=operation, note=change.note
        )
        return _Latest(issue, fields, seq)

    def _write_rows(self, latest: Sequence[_Latest], stored: AbstractSet[str]) -> None:
        issues = [entry.issue for entry in latest]
        shapes = shapes_of(issues)
        middle = centres(shapes)
        placed = ~np.isnan(middle[:, 0])
        rows = [
            issue_row(entry.issue, blob, (lon, lat) if has else (None, None), entry.seq)
            for entry, blob, (lon, lat), has in zip(
                latest, blobs(shapes), middle.tolist(), placed.tolist(), strict=True
            )
        ]
        fids = self._upsert(rows, issues)
        names = reading.place_names(self._connection, self._county)
        self._connection.executemany(
            "INSERT INTO issue_features VALUES (?, ?) ON CONFLICT DO UPDATE SET feature = excluded.feature",
            [
                (fid, feature_text(issue, names, geometry_json(issue.geometry, shape)))
                for fid, issue, shape in zip(fids, issues, shapes, strict=True)
            ],
        )
        self._write_index(fids, shapes)
        self._write_sightings(issues, stored)

    def _upsert(self, rows: Sequence[tuple[Any, ...]], issues: Sequence[Issue]) -> list[int]:
        columns = ",".join(ISSUE_COLUMNS)
        marks = ",".join("?" * len(ISSUE_COLUMNS))
        updates = ",".join(f"{name} = excluded.{name}" for name in ISSUE_COLUMNS if name not in {"id", "county"})
        self._connection.executemany(
            f"INSERT INTO issues ({columns}) VALUES ({marks}) ON CONFLICT (county, id) DO UPDATE SET {updates}", rows
        )
        found = self._connection.execute(
            "SELECT id, fid FROM issues WHERE county = ? AND id IN (SELECT value FROM json_each(?))",
            (self._county, orjson.dumps([issue.id for issue in issues]).decode()),
        )
        fids = {row["id"]: row["fid"] for row in found}
        return [fids[issue.id] for issue in issues]

    def _write_index(self, fids: Sequence[int], shapes: Any) -> None:  # noqa: ANN401 - shapely has no types
        """The R-tree is kept by us, not by triggers: nobody else can write, and bulk is three times as quick."""
        self._connection.executemany("DELETE FROM rtree_issues_geom WHERE id = ?", [(fid,) for fid in fids])
        self._connection.executemany("INSERT INTO rtree_issues_geom VALUES (?, ?, ?, ?, ?)", bounds_rows(fids, shapes))

    def _write_sightings(self, issues: Sequence[Issue], stored: AbstractSet[str]) -> None:
        self._connection.executemany(
            "DELETE FROM sightings WHERE county = ? AND issue_id = ?", [(self._county, i) for i in stored]
        )
        marks = ",".join("?" * len(SIGHTING_COLUMNS))
        rows = [row for issue in issues for row in sighting_rows(issue)]
        self._connection.executemany(f"INSERT INTO sightings VALUES ({marks})", rows)

    def put_places(self, places: Sequence[Place], *, actor: str, at: datetime, operation: int | None = None) -> int:
        """Add or replace places, with an event for each that differs from what stood there."""
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

    def keep_fingerprint(self, sha256: str, fingerprint: bytes) -> None:
        """Keep what a picture is recognised by."""
        self._connection.execute(
            "INSERT INTO fingerprints VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (self._county, sha256, fingerprint)
        )

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


def _checked(stored: Issue | None, given: Issue) -> _Latest | None:
    """The stored issue to start from, if ``given`` was read at its revision."""
    if stored is None:
        return None
    if stored.revision != given.revision:
        raise ConflictError("issue_changed", number=stored.number or stored.id, revision=stored.revision)
    return _Latest(stored, issue_fields(stored))
