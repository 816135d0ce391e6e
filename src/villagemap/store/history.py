"""Issues as they stood after any event of the chain.

A row is the sum of its events, so a row that no later event touched stood then as it stands now. Only the issues that
were changed since are folded anew from their events. Personal values that were erased in the meantime stay erased.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any

import orjson

from villagemap.chain import Fields, fold, reveal
from villagemap.deadlines import day_number, deadline, has_progress
from villagemap.model import Issue, Located, Privacy, Record, Sighting, Status
from villagemap.store import columns, reading
from villagemap.store.protocol import IssueColumns
from villagemap.store.rows import centres, shapes_of
from villagemap.workflow import STATUSES

BLOCK = 2000
_CODES = {"status": STATUSES, "located": tuple(Located), "privacy": tuple(Privacy)}
_DAYS = frozenset(f.name for kind in (Issue, Sighting) for f in fields(kind) if f.type == date | None)
_NUMBERS = frozenset({"quantity_found", "quantity_done", "accuracy_m"})
_LISTS = frozenset({"subdefects", "help_units", "checked"})
_KINDS = {"status": Status, "located": Located, "privacy": Privacy}


def columns_at(connection: sqlite3.Connection, county: str, seq: int) -> IssueColumns:
    """All issues as arrays, as they stood after event ``seq``."""
    met: columns.Met = {"categories": {}, "sources": {}}
    unchanged = columns.read(connection, county, met, seq, f"i.changed_seq <= {int(seq)}")
    changed = [
        columns.arrays(_rows(connection, county, block, seq), met) for block in _changed(connection, county, seq)
    ]
    whole = unchanged
    for part in changed:
        whole = columns.laid_over(whole, part)
    return columns.columns_of(seq, met, whole)


def states_at(connection: sqlite3.Connection, county: str, seq: int) -> Iterator[list[tuple[int, Issue]]]:
    """(fid, issue) of all issues as they stood after event ``seq``, in blocks in order of fid."""
    after = 0
    while True:
        rows = connection.execute(
            "SELECT * FROM issues WHERE county = ? AND fid > ? ORDER BY fid LIMIT ?", (county, after, BLOCK)
        ).fetchall()
        if not rows:
            return
        after = rows[-1]["fid"]
        stood = {i.id: i for i in reading.issues_of(connection, [row for row in rows if row["changed_seq"] <= seq])}
        later = [(row["fid"], row["id"]) for row in rows if row["changed_seq"] > seq]
        stood |= {issue.id: issue for _, issue in _folded(connection, county, later, seq)}
        yield [(row["fid"], stood[row["id"]]) for row in rows if row["id"] in stood]


def records_at(connection: sqlite3.Connection, county: str, record_type: str, seq: int) -> list[Record]:
    """Records of a type as they stood after event ``seq``, in the order of their subjects."""
    kept = connection.execute(
        "SELECT subject, parent FROM records WHERE county = ? AND type = ? ORDER BY subject", (county, record_type)
    )
    parents = {row["subject"]: row["parent"] for row in kept}
    told = _sums(connection, county, record_type, seq)
    return [
        Record(subject=subject, type=record_type, parent=parents.get(subject, ""), fields=fields, revision=revision)
        for subject, (fields, revision) in sorted(told.items())
    ]


def places_at(connection: sqlite3.Connection, county: str, seq: int) -> dict[str, Fields]:
    """What `chain.place_fields` told of each place after event ``seq``, by place id."""
    told = _sums(connection, county, "place", seq)
    return {subject.removeprefix("place/"): fields for subject, (fields, _) in told.items()}


def _sums(connection: sqlite3.Connection, county: str, kind: str, seq: int) -> dict[str, tuple[Fields, int]]:
    """The sum of the events up to ``seq``, and how many they were, by subject of one kind."""
    state: dict[str, Fields] = defaultdict(dict)
    count: dict[str, int] = defaultdict(int)
    events = connection.execute(
        "SELECT subject, body FROM events WHERE county = ? AND subject > ? AND subject < ? AND seq <= ? ORDER BY seq",
        (county, f"{kind}/", f"{kind}/~", seq),
    )
    for row in events:
        fold(state[row["subject"]], orjson.loads(row["body"])["set"])
        count[row["subject"]] += 1
    return {subject: (fields, count[subject]) for subject, fields in state.items()}


def _changed(connection: sqlite3.Connection, county: str, seq: int) -> Iterator[list[tuple[int, Issue]]]:
    """(fid, issue) as it stood, of the issues that a later event touched, in blocks."""
    rows = connection.execute(
        "SELECT fid, id FROM issues WHERE county = ? AND changed_seq > ? ORDER BY fid", (county, seq)
    ).fetchall()
    for start in range(0, len(rows), BLOCK):
        yield _folded(connection, county, [(row["fid"], row["id"]) for row in rows[start : start + BLOCK]], seq)


def _folded(
    connection: sqlite3.Connection, county: str, wanted: Sequence[tuple[int, str]], seq: int
) -> list[tuple[int, Issue]]:
    """(fid, issue) from the events up to ``seq``; what began later is left out."""
    subjects = orjson.dumps([f"issue/{issue_id}" for _, issue_id in wanted]).decode()
    state: dict[str, Fields] = defaultdict(dict)
    revision: dict[str, int] = defaultdict(int)
    events = connection.execute(
        "SELECT subject, body FROM events WHERE county = ? AND subject IN (SELECT value FROM json_each(?))"
        " AND seq <= ? AND kind <> 'photo.add' ORDER BY subject, seq",
        (county, subjects, seq),
    )
    for row in events:
        fold(state[row["subject"]], orjson.loads(row["body"])["set"])
        revision[row["subject"]] += 1
    values = _personal_values(connection, county, subjects)
    return [
        (fid, issue_of_fields(county, issue_id, reveal(state[key], values)[0], revision[key]))
        for fid, issue_id in wanted
        if (key := f"issue/{issue_id}") in state
    ]


def _personal_values(connection: sqlite3.Connection, county: str, subjects: str) -> dict[str, tuple[str, str]]:
    rows = connection.execute(
        "SELECT hash, salt, value FROM personal_values WHERE county = ?"
        " AND subject IN (SELECT value FROM json_each(?))",
        (county, subjects),
    )
    return {row["hash"]: (row["salt"], row["value"]) for row in rows}


def issue_of_fields(county: str, issue_id: str, told: Mapping[str, Any], revision: int) -> Issue:
    """The issue that `chain.issue_fields` tells of."""
    values = {name: _value(name, value) for name, value in told.items() if name != "sightings"}
    sightings = tuple(
        Sighting(**{name: _value(name, value) for name, value in sighting.items()})
        for sighting in told.get("sightings", ())
    )
    return Issue(id=issue_id, county=county, revision=revision, sightings=sightings, **values)


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 - what JSON holds, and what a field takes
    if name in _DAYS:
        return date.fromisoformat(value)
    if name in _NUMBERS:
        return float(value)
    if name in _LISTS:
        return tuple(value)
    return _KINDS[name](value) if name in _KINDS else value


def _rows(
    connection: sqlite3.Connection, county: str, stood: Sequence[tuple[int, Issue]], seq: int
) -> list[tuple[Any, ...]]:
    """Rows in the order of `columns.TYPES`."""
    issues = [issue for _, issue in stood]
    shapes = shapes_of(issues)
    failed = _failures(connection, county, issues, seq)
    return [
        (
            issue.category, issue.source, fid, lon, lat, STATUSES.index(issue.status), _number(issue.town_id),
            _number(issue.village_id), day_number(issue.found_on), day_number(deadline(issue)), has_progress(issue),
            _CODES["located"].index(issue.located), _CODES["privacy"].index(issue.privacy),
            shape is not None and shape.geom_type != "Point",
            issue.interim_on is not None or issue.status is Status.DEFERRED, day_number(issue.claimed_closed_on),
            day_number(issue.closed_on), issue.relapse_of is not None, *failed.get(f"issue/{issue.id}", (0, 0)),
        )
        for (fid, issue), shape, (lon, lat) in zip(stood, shapes, centres(shapes).tolist(), strict=True)
    ]  # fmt: skip


def _failures(
    connection: sqlite3.Connection, county: str, issues: Sequence[Issue], seq: int
) -> dict[str, tuple[int, int]]:
    """Times returned, and whether a re-check failed, by subject."""
    rows = connection.execute(
        "SELECT subject, sum(kind = 'issue.return') AS returns, max(kind = 'issue.reopen') AS reopened FROM events"
        f" WHERE county = ? AND {columns.FAILURES} AND seq <= ? AND subject IN (SELECT value FROM json_each(?))"
        " GROUP BY subject",
        (county, seq, orjson.dumps([f"issue/{issue.id}" for issue in issues]).decode()),
    )
    return {row["subject"]: (row["returns"], row["reopened"]) for row in rows}


def _number(place_id: str | None) -> int:
    return int(place_id[1:]) if place_id else 0
