"""Replays a county's chain against its rows and names the first that was changed behind its back.

First the chain itself (order and hashes), then each subject's events are folded and held against its row: issues
with their sightings, photos and GeoJSON text, places, operations. Subjects are read in key order, so memory stays flat.
"""

import gc
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from villagemap.chain import Fields, fold, genesis, instant_text, issue_fields, link, place_fields, reveal
from villagemap.model import Issue
from villagemap.store import reading
from villagemap.store.protocol import Broken, Replay
from villagemap.store.records import RECORD_TYPES, records
from villagemap.store.rows import Names, centres, feature_text, geometry_json, shapes_of

_BLOCK = 2000
_TOLD = ("seq", "subject", "kind", "at", "actor", "operation")
"""What an event's row says that its body says too."""

State = tuple[Fields, int, int]
"""Folded fields, how many events of the row itself, seq of the last of them."""


@dataclass(frozen=True, slots=True)
class _Block:
    """What a block of issues is held against."""

    names: Names
    states: dict[str, State]
    personal: Mapping[str, tuple[str, str]]
    photos: Mapping[str, Fields]


class _Found(Exception):  # noqa: N818 - not an error: the answer, from deep inside the replay
    def __init__(self, table: str, key: str, fault: str) -> None:
        super().__init__(fault)
        self.broken = Broken(table, key, fault)


def replay(connection: sqlite3.Connection, county: str) -> Replay:
    """The first event or row that doesn't follow from the chain, or None; and how many personal values are erased."""
    erased = 0
    collecting = gc.isenabled()
    gc.disable()  # millions of short-lived dictionaries and no cycle: looking for one costs a tenth of the time
    try:
        _check_chain(connection, county)
        _check_places(connection, county)  # first: issues' texts show their names
        erased = _check_issues(connection, county)
        _check_operations(connection, county)
        _check_records(connection, county)
    except _Found as found:
        return Replay(found.broken, erased)
    finally:
        if collecting:
            gc.enable()
    return Replay(None, erased)


def hash_of(connection: sqlite3.Connection, county: str, seq: int) -> str | None:
    """The hash of event ``seq``, made anew from the bodies of all events up to it; None if one of them is missing."""
    digest, count = genesis(county), 0
    rows = _plain(connection).execute(
        "SELECT seq, body FROM events WHERE county = ? AND seq <= ? ORDER BY seq", (county, seq)
    )
    for number, body in rows:
        count += 1
        if number != count:
            return None
        digest = link(digest, body)
    return digest if count == seq else None


def _check_chain(connection: sqlite3.Connection, county: str) -> None:
    previous, expected = genesis(county), 1
    rows = _plain(connection).execute("SELECT seq, body, hash FROM events WHERE county = ? ORDER BY seq", (county,))
    for seq, body, digest in rows:
        if seq != expected:
            raise _Found("events", str(expected), "event_missing")
        previous = link(previous, body)
        if previous != digest:
            raise _Found("events", str(seq), "event_changed")
        expected += 1


def _check_issues(connection: sqlite3.Connection, county: str) -> int:
    """How many personal values of the issues are erased."""
    names = reading.place_names(connection, county)
    after, erased = "", 0
    while True:
        rows = connection.execute(
            f"SELECT i.*, f.feature FROM issues i LEFT JOIN issue_features f USING (fid)"
            f" WHERE county = ? AND id > ? ORDER BY id LIMIT {_BLOCK}",
            (county, after),
        ).fetchall()
        last = rows[-1]["id"] if rows else "~"
        span = (f"issue/{after}", f"issue/{last}")
        block = _Block(
            names=names,
            states=_states(connection, county, *span),
            personal=_personal_values(connection, county, *span),
            photos=_photos(connection, county, after, last),
        )
        erased += _check_block(rows, reading.issues_of(connection, rows), block)
        for subject in block.states:
            raise _Found("issues", subject, "row_missing")
        if not rows:
            return erased
        after = last


def _check_block(rows: Sequence[sqlite3.Row], issues: Sequence[Issue], block: _Block) -> int:
    shapes = shapes_of(issues)
    middle = centres(shapes)
    erased = 0
    for position, (row, issue) in enumerate(zip(rows, issues, strict=True)):
        erased += _check_issue(row, issue, block)
        geometry = geometry_json(issue.geometry, shapes[position])
        if row["feature"] != feature_text(issue, issue.number, issue.revision, block.names, geometry):
            raise _Found("issue_features", issue.number or issue.id, "row_changed")
    shown = np.array([(row["lon"], row["lat"]) for row in rows], np.float64).reshape(-1, 2)
    moved = ~((shown == middle) | (np.isnan(shown) & np.isnan(middle))).all(axis=1)
    for position in np.flatnonzero(moved).tolist():
        raise _Found("issues", issues[position].number or issues[position].id, "row_changed")
    return erased


def _check_issue(row: sqlite3.Row, issue: Issue, block: _Block) -> int:
    key = issue.number or issue.id
    state = block.states.pop(f"issue/{issue.id}", None)
    if state is None:
        raise _Found("issues", key, "no_events")
    folded, count, seq = state
    photos = {name: folded.pop(name) for name in list(folded) if name.startswith("photo:")}
    expected, erased = reveal(folded, block.personal)
    actual = issue_fields(issue)
    if erased:
        _check_erased(actual, erased, key)
    if actual != expected or row["revision"] != count or row["changed_seq"] != seq:
        raise _Found("issues", key, "row_changed")
    if photos != block.photos.get(issue.id, {}):
        raise _Found("photos", key, "row_changed")
    return len(erased)


def _check_erased(actual: Fields, erased: set[str], key: str) -> None:
    """What was erased from the chain must be gone from the row too."""
    sightings = actual.get("sightings", ())
    if any(actual.get(name) or any(name in sighting for sighting in sightings) for name in erased):
        raise _Found("personal_values", key, "personal_changed")


def _personal_values(connection: sqlite3.Connection, county: str, after: str, last: str) -> dict[str, tuple[str, str]]:
    rows = _plain(connection).execute(
        "SELECT hash, salt, value FROM personal_values WHERE county = ? AND subject > ? AND subject <= ?",
        (county, after, last),
    )
    return {digest: (salt, value) for digest, salt, value in rows}


def _photos(connection: sqlite3.Connection, county: str, after: str, last: str) -> dict[str, Fields]:
    rows = connection.execute(
        "SELECT * FROM photos WHERE county = ? AND issue_id > ? AND issue_id <= ?", (county, after, last)
    )
    found: dict[str, Fields] = defaultdict(dict)
    for photo in map(reading.photo_of, rows):
        taken = instant_text(photo.taken_at) if photo.taken_at else ""
        found[photo.issue_id][f"photo:{photo.sha256}"] = [photo.stage, taken, photo.media_type]
    return found


def _check_places(connection: sqlite3.Connection, county: str) -> None:
    states = _states(connection, county, "place/", "place/~")
    for place in reading.places(connection, county):
        folded, _, _ = states.pop(f"place/{place.place_id}", ({}, 0, 0))
        if place_fields(place) != folded:
            raise _Found("places", place.code or place.place_id, "row_changed")
    for subject in states:
        raise _Found("places", subject, "row_missing")


def _check_operations(connection: sqlite3.Connection, county: str) -> None:
    states = _states(connection, county, "operation/", "operation/~")
    for operation in reading.operations(connection, county):
        told = {
            "kind": operation.kind,
            "file_name": operation.file_name,
            "file_sha256": operation.file_sha256,
            "counts": operation.counts,
        }
        folded, _, _ = states.pop(f"operation/{operation.number}", ({}, 0, 0))
        if told != folded:
            raise _Found("operations", str(operation.number), "row_changed")
    for subject in states:
        raise _Found("operations", subject, "row_missing")


def _check_records(connection: sqlite3.Connection, county: str) -> None:
    for record_type in RECORD_TYPES:
        states = _states(connection, county, f"{record_type}/", f"{record_type}/~")
        for record in records(connection, county, record_type):
            folded, count, _ = states.pop(record.subject, ({}, 0, 0))
            if record.fields != folded or record.revision != count:
                raise _Found("records", record.subject, "row_changed")
        for subject in states:
            raise _Found("records", subject, "row_missing")


def _states(connection: sqlite3.Connection, county: str, after: str, last: str) -> dict[str, State]:
    """Folded states of the subjects after ``after`` up to ``last``."""
    folded: dict[str, Fields] = defaultdict(dict)
    counts: dict[str, int] = defaultdict(int)
    seqs: dict[str, int] = defaultdict(int)
    rows = _plain(connection).execute(
        f"SELECT body, {', '.join(_TOLD)} FROM events"
        " WHERE county = ? AND subject > ? AND subject <= ? ORDER BY subject, seq",
        (county, after, last),
    )
    for text, *shown in rows:
        body = orjson.loads(text)
        seq, subject, kind = shown[:3]
        if shown != [*map(body.get, _TOLD)]:
            raise _Found("events", str(seq), "event_changed")
        fold(folded[subject], body["set"])
        if kind != "photo.add":
            counts[subject] += 1
            seqs[subject] = seq
    return {subject: (state, counts[subject], seqs[subject]) for subject, state in folded.items()}


def _plain(connection: sqlite3.Connection) -> sqlite3.Cursor:
    """A cursor whose rows are bare tuples, which are a third quicker to take apart."""
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor
