"""Records: small things with a history of their own (sweeps, visits, meetings), each the sum of its events."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from villagemap.chain import Fields, difference, fold
from villagemap.errors import ConflictError
from villagemap.model import Record
from villagemap.store.appending import ChainEnd

RECORD_TYPES = (
    "draw", "meeting", "objection", "photo", "plan", "recheck", "revisit", "roads", "seal", "sweep", "track", "visit",
)  # fmt: skip
"""What may be a record's type: its subject is "<type>/<id>"."""


def put_record(
    connection: sqlite3.Connection, chain: ChainEnd, record: Record, *, kind: str, at: datetime, actor: str, note: str
) -> int:
    """Write a record's whole fields: an event with what changed, and the row. Returns the event's seq."""
    row = connection.execute(
        "SELECT * FROM records WHERE county = ? AND subject = ?", (chain.county, record.subject)
    ).fetchone()
    if row and row["revision"] != record.revision:
        raise ConflictError("record_changed", subject=record.subject, revision=row["revision"])
    before: Fields = orjson.loads(row["fields"]) if row else {}
    changed = difference(before, record.fields)
    seq = chain.append(record.subject, f"{record.type}.{kind}", changed, at=at, actor=actor, note=note)
    state = dict(before)
    fold(state, changed)
    connection.execute(
        "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET fields = excluded.fields,"
        " revision = excluded.revision, changed_seq = excluded.changed_seq",
        (
            chain.county, record.subject, record.type, record.parent, fields_text(state),
            (row["revision"] if row else 0) + 1, seq,
        ),
    )  # fmt: skip
    return seq


def fields_text(fields: Mapping[str, Any]) -> str:
    """A record's fields as they stand in its row."""
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()


def record_of(row: sqlite3.Row) -> Record:
    """The record that a row stands for."""
    return Record(
        subject=row["subject"],
        type=row["type"],
        parent=row["parent"],
        fields=orjson.loads(row["fields"]),
        revision=row["revision"],
    )


def record(connection: sqlite3.Connection, county: str, subject: str) -> Record | None:
    """One record by its subject."""
    row = connection.execute("SELECT * FROM records WHERE county = ? AND subject = ?", (county, subject)).fetchone()
    return record_of(row) if row else None


def records(connection: sqlite3.Connection, county: str, record_type: str, parent: str | None = None) -> list[Record]:
    """Records of a type, or those that belong to ``parent``, in the order of their subjects."""
    condition, values = ("AND parent = ?", [parent]) if parent is not None else ("", [])
    rows = connection.execute(
        f"SELECT * FROM records WHERE county = ? AND type = ? {condition} ORDER BY subject",
        [county, record_type, *values],
    )
    return [record_of(row) for row in rows]


def answer_to(connection: sqlite3.Connection, county: str, key: str) -> str | None:
    """What a request with this key was answered, or None."""
    row = connection.execute("SELECT answer FROM requests WHERE county = ? AND key = ?", (county, key)).fetchone()
    return row["answer"] if row else None
