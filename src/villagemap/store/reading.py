"""Queries of the GeoPackage store: each takes a connection and returns values."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import orjson
import shapely

from villagemap.chain import genesis, instant_text
from villagemap.model import BBox, Event, Issue, IssueFilter, Level, Operation, Photo, Place, Sighting
from villagemap.store.filters import feature_sql, where_sql
from villagemap.store.protocol import ClosedCase, Duty, FeaturePage, Head, State
from villagemap.store.rows import Names, issue_of, place_of, sighting_of, wkb_of_blob, wkts_of

BLOCK = 2000
"""Rows fetched at a time by streams."""


def head(connection: sqlite3.Connection, county: str) -> Head:
    """The last event of the chain."""
    row = connection.execute(
        "SELECT seq, hash FROM events WHERE county = ? ORDER BY seq DESC LIMIT 1", (county,)
    ).fetchone()
    return Head(row["seq"], row["hash"]) if row else Head(0, genesis(county))


def head_by(connection: sqlite3.Connection, county: str, instant: datetime) -> Head:
    """The last event by seq whose time is before ``instant``: times in one form compare as texts."""
    row = connection.execute(
        "SELECT seq, hash FROM events WHERE county = ? AND at < ? ORDER BY seq DESC LIMIT 1",
        (county, instant_text(instant)),
    ).fetchone()
    return Head(row["seq"], row["hash"]) if row else Head(0, genesis(county))


def last_event_at(connection: sqlite3.Connection, county: str) -> datetime | None:
    """When the last event was written."""
    row = connection.execute("SELECT at FROM events WHERE county = ? ORDER BY seq DESC LIMIT 1", (county,)).fetchone()
    return datetime.fromisoformat(row["at"]) if row else None


def places(connection: sqlite3.Connection, county: str, level: Level | None = None) -> list[Place]:
    """All places, or those of one level, by code."""
    condition, values = ("AND level = ?", [county, level.value]) if level else ("", [county])
    codes: dict[str, list[str]] = defaultdict(list)
    for place_id, code in connection.execute(
        "SELECT place_id, code FROM place_codes WHERE county = ? ORDER BY place_id, position", (county,)
    ):
        codes[place_id].append(code)
    aliases: dict[str, list[str]] = defaultdict(list)
    for place_id, alias in connection.execute(
        "SELECT place_id, alias FROM place_aliases WHERE county = ? ORDER BY place_id, position", (county,)
    ):
        aliases[place_id].append(alias)
    rows = connection.execute(f"SELECT * FROM places WHERE county = ? {condition} ORDER BY code, place_id", values)
    return [place_of(row, codes.get(row["place_id"], ()), aliases.get(row["place_id"], ())) for row in rows]


def place_names(connection: sqlite3.Connection, county: str, ids: Iterable[str] | None = None) -> Names:
    """place_id to (code, name) of towns and villages, or of the places with ``ids``."""
    chosen, values = "level IN ('town', 'village')", [county]
    if ids is not None:
        chosen, values = "place_id IN (SELECT value FROM json_each(?))", [county, orjson.dumps(list(ids)).decode()]
    rows = connection.execute(f"SELECT place_id, code, name FROM places WHERE county = ? AND {chosen}", values)
    return {row["place_id"]: (row["code"], row["name"]) for row in rows}


def places_seq(connection: sqlite3.Connection, county: str) -> int:
    """The last event that changed a place; 0 for none."""
    row = connection.execute(
        "SELECT max(seq) FROM events WHERE county = ? AND subject > 'place/' AND subject < 'place0'", (county,)
    ).fetchone()
    return int(row[0] or 0)


def issue(connection: sqlite3.Connection, county: str, issue_id: str) -> Issue | None:
    """One issue, by id or readable number."""
    rows = connection.execute(
        "SELECT * FROM issues WHERE county = ?1 AND id = ?2 UNION ALL"
        " SELECT * FROM issues WHERE county = ?1 AND number = ?2 LIMIT 1",
        (county, issue_id),
    ).fetchall()
    found = issues_of(connection, rows)
    return found[0] if found else None


def issues(connection: sqlite3.Connection, where: IssueFilter, *, limit: int, after: int = 0) -> list[Issue]:
    """Issues in keyset order."""
    condition, values = where_sql(where)
    rows = connection.execute(
        f"SELECT i.* FROM issues i WHERE i.fid > ? AND {condition} ORDER BY i.fid LIMIT ?", [after, *values, limit]
    ).fetchall()
    return issues_of(connection, rows)


def most_urgent(connection: sqlite3.Connection, where: IssueFilter, *, limit: int) -> list[Issue]:
    """Issues by deadline (a deferral's end stands for it), the earliest first, those without one last."""
    condition, values = where_sql(where)
    rows = connection.execute(
        f"SELECT i.* FROM issues i WHERE {condition}"
        " ORDER BY coalesce(i.deferred_until, i.due_on) IS NULL, coalesce(i.deferred_until, i.due_on), i.fid LIMIT ?",
        [*values, limit],
    ).fetchall()
    return issues_of(connection, rows)


def issues_of(connection: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> list[Issue]:
    """The issues that rows of ``issues`` stand for, with their sightings."""
    if not rows:
        return []
    sightings: dict[str, list[Sighting]] = defaultdict(list)
    marks = orjson.dumps([row["id"] for row in rows]).decode()
    for row in connection.execute(
        "SELECT * FROM sightings WHERE county = ? AND issue_id IN (SELECT value FROM json_each(?))"
        " ORDER BY issue_id, position",
        (rows[0]["county"], marks),
    ):
        sightings[row["issue_id"]].append(sighting_of(row))
    geometries = wkts_of([row["geom"] for row in rows])
    return [
        issue_of(row, geometry, tuple(sightings.get(row["id"], ())))
        for row, geometry in zip(rows, geometries, strict=True)
    ]


def feature(connection: sqlite3.Connection, county: str, issue_id: str) -> str | None:
    """One issue's stored GeoJSON text."""
    row = connection.execute(
        "SELECT f.feature FROM issues i JOIN issue_features f USING (fid) WHERE i.county = ? AND i.id = ?",
        (county, issue_id),
    ).fetchone()
    return row["feature"] if row else None


def features(connection: sqlite3.Connection, where: IssueFilter) -> Iterator[list[str]]:
    """Stored GeoJSON texts in keyset order, in blocks of at most `BLOCK`."""
    condition, values = where_sql(where)
    source = "issue_features f" if condition == "1" else "issues i JOIN issue_features f USING (fid)"
    connection.row_factory = None
    cursor = connection.execute(
        f"SELECT {feature_sql(where.audience)} FROM {source} WHERE {condition} ORDER BY f.fid", values
    )
    while block := cursor.fetchmany(BLOCK):
        yield [text for (text,) in block]


def states(connection: sqlite3.Connection, where: IssueFilter) -> Iterator[list[State]]:
    """What no GeoJSON text tells of issues, in the order of `features`."""
    condition, values = where_sql(where)
    connection.row_factory = None
    cursor = connection.execute(
        "SELECT i.id, i.located, coalesce(i.deferred_until, ''), e.at"
        " FROM issues i JOIN events e ON e.county = i.county AND e.seq = i.changed_seq"
        f" WHERE {condition} ORDER BY i.fid",
        values,
    )
    while block := cursor.fetchmany(BLOCK):
        yield list(map(State._make, block))


def feature_page(connection: sqlite3.Connection, where: IssueFilter, *, limit: int, after: int) -> FeaturePage:
    """One page of stored GeoJSON texts; one row more is asked for, to know whether there is a next page."""
    condition, values = where_sql(where)
    rows = connection.execute(
        f"SELECT i.fid, {feature_sql(where.audience)} AS feature FROM issues i JOIN issue_features f USING (fid)"
        f" WHERE i.fid > ? AND {condition} ORDER BY i.fid LIMIT ?",
        [after, *values, limit + 1],
    ).fetchall()
    more = len(rows) > limit
    rows = rows[:limit]
    return FeaturePage([row["feature"] for row in rows], rows[-1]["fid"] if more else None)


def count(connection: sqlite3.Connection, where: IssueFilter) -> int:
    """How many issues there are."""
    condition, values = where_sql(where)
    return int(connection.execute(f"SELECT count(*) FROM issues i WHERE {condition}", values).fetchone()[0])


def closed_cases(
    connection: sqlite3.Connection, county: str, category: str, bbox: BBox | None, village: str
) -> list[ClosedCase]:
    """Verified closings; with a category those near a box (by the R-tree) or in a village."""
    condition: str = ""
    values: list[Any] = [county]
    if category:
        west, south, east, north = bbox or (1.0, 1.0, 0.0, 0.0)
        condition = (
            " AND category = ? AND fid IN (SELECT id FROM rtree_issues_geom WHERE maxx >= ? AND minx <= ?"
            " AND maxy >= ? AND miny <= ? UNION SELECT fid FROM issues WHERE village_id = ?)"
        )
        values += [category, west, east, south, north, village]
    rows = connection.execute(
        "SELECT id, category, coalesce(village_id, '') AS village, closed_on, geom FROM issues"
        f" WHERE +county = ? AND status = 'closed' AND closed_on IS NOT NULL{condition}",
        values,
    )
    return [
        ClosedCase(
            row["id"], row["category"], row["village"], date.fromisoformat(row["closed_on"]), wkb_of_blob(row["geom"])
        )
        for row in rows
    ]


def duties(connection: sqlite3.Connection, fids: Sequence[int]) -> dict[int, Duty]:
    """Fid to whose it is."""
    cursor = connection.cursor()
    cursor.row_factory = None
    cursor.execute(
        "SELECT fid, id, coalesce(number, ''), category, status, coalesce(town_id, ''), coalesce(village_id, ''),"
        " lead_unit, responsible FROM issues WHERE fid IN (SELECT value FROM json_each(?))",
        (orjson.dumps(list(fids)).decode(),),
    )
    return {row[0]: Duty(*row[1:]) for row in cursor}


def briefs(connection: sqlite3.Connection, fids: Sequence[int]) -> dict[int, tuple[str, str | None]]:
    """Fid to (id, GeoJSON geometry of a line or polygon, None for a point)."""
    rows = connection.execute(
        "SELECT fid, id, CASE WHEN length(geom) > 29 THEN geom END AS shape FROM issues"
        " WHERE fid IN (SELECT value FROM json_each(?))",
        (orjson.dumps(list(fids)).decode(),),
    )
    return {row["fid"]: (row["id"], _shape_json(row["shape"])) for row in rows}


def _shape_json(blob: bytes | None) -> str | None:
    return None if blob is None else str(shapely.to_geojson(shapely.from_wkb(wkb_of_blob(blob))))


def events(connection: sqlite3.Connection, county: str, subject: str) -> list[Event]:
    """A subject's events, oldest first."""
    rows = connection.execute("SELECT * FROM events WHERE county = ? AND subject = ? ORDER BY seq", (county, subject))
    return [event_of(row) for row in rows]


def event_of(row: sqlite3.Row) -> Event:
    """The event that a row stands for."""
    return Event(
        county=row["county"],
        seq=row["seq"],
        subject=row["subject"],
        kind=row["kind"],
        at=datetime.fromisoformat(row["at"]),
        actor=row["actor"],
        body=row["body"],
        hash=row["hash"],
    )


def known_rows(connection: sqlite3.Connection, county: str, row_keys: Sequence[str]) -> set[str]:
    """Those of ``row_keys`` that a sighting already has."""
    rows = connection.execute(
        "SELECT row_key FROM sightings WHERE county = ? AND row_key <> ''"
        " AND row_key IN (SELECT value FROM json_each(?))",
        (county, orjson.dumps(list(row_keys)).decode()),
    )
    return {row["row_key"] for row in rows}


def known_ids(connection: sqlite3.Connection, county: str, ids: Sequence[str]) -> set[str]:
    """Those of ``ids`` that are issues already."""
    rows = connection.execute(
        "SELECT id FROM issues WHERE county = ? AND id IN (SELECT value FROM json_each(?))",
        (county, orjson.dumps(list(ids)).decode()),
    )
    return {row["id"] for row in rows}


def photos(connection: sqlite3.Connection, county: str, issue_id: str) -> list[Photo]:
    """The pictures of an issue, by stage and time."""
    rows = connection.execute(
        "SELECT * FROM photos WHERE county = ? AND issue_id = ? ORDER BY taken_at, sha256", (county, issue_id)
    )
    return [photo_of(row) for row in rows]


def photo_hashes(connection: sqlite3.Connection, county: str) -> list[str]:
    """SHA-256 of every picture that an event names, in order: the originals, and the copies to serve."""
    rows = connection.execute(
        "SELECT sha256 FROM photos WHERE county = ?1 UNION SELECT json_extract(fields, '$.served') FROM records"
        " WHERE county = ?1 AND type = 'photo' AND json_extract(fields, '$.served') <> '' ORDER BY 1",
        (county,),
    )
    return [row["sha256"] for row in rows]


def photo_of(row: sqlite3.Row) -> Photo:
    """The picture that a row stands for."""
    return Photo(
        sha256=row["sha256"],
        issue_id=row["issue_id"],
        stage=row["stage"],
        taken_at=datetime.fromisoformat(row["taken_at"]) if row["taken_at"] else None,
        media_type=row["media_type"],
    )


def operations(connection: sqlite3.Connection, county: str) -> list[Operation]:
    """Imports and bulk edits, oldest first."""
    rows = connection.execute("SELECT * FROM operations WHERE county = ? ORDER BY number", (county,))
    return [operation_of(row) for row in rows]


def operation_of(row: Any) -> Operation:  # noqa: ANN401 - a row, however it is made
    """The operation that a row stands for."""
    return Operation(
        number=row["number"],
        kind=row["kind"],
        actor=row["actor"],
        at=datetime.fromisoformat(row["at"]),
        file_name=row["file_name"],
        file_sha256=row["file_sha256"],
        counts=orjson.loads(row["counts"]),
    )
