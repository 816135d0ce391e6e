"""Writing places: rows, codes, aliases, index, and the GeoJSON texts of issues that show their names."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import shapely

from villagemap.chain import difference, place_fields
from villagemap.model import Issue, Place
from villagemap.store import reading
from villagemap.store.appending import ChainEnd
from villagemap.store.rows import Names, blob_of_wkb, bounds_rows, feature_text, geometry_json, shapes_of


def put_places(
    connection: sqlite3.Connection,
    chain: ChainEnd,
    places: Sequence[Place],
    *,
    actor: str,
    at: datetime,
    operation: int | None,
) -> int:
    """Add or replace places, with an event for each that differs from what stood there; how many did."""
    stored = {place.place_id: place for place in reading.places(connection, chain.county)}
    renamed: set[str] = set()
    differing: list[Place] = []
    for place in places:
        before = stored.get(place.place_id)
        changed = difference(place_fields(before) if before else {}, place_fields(place))
        if before is not None and not changed:
            continue
        differing.append(place)
        if before is not None and (before.code, before.name) != (place.code, place.name):
            renamed.add(place.place_id)
        chain.append(f"place/{place.place_id}", "place.put", changed, at=at, actor=actor, operation=operation)
    chain.flush()
    for place in differing:
        _put_place(connection, chain.county, place)
    _refresh_features(connection, chain.county, renamed)
    return len(differing)


def _put_place(connection: sqlite3.Connection, county: str, place: Place) -> None:
    fid = _put_row(connection, county, place)
    shape = shapely.from_wkb([place.geometry])
    connection.execute("DELETE FROM rtree_places_geom WHERE id = ?", (fid,))
    connection.executemany("INSERT INTO rtree_places_geom VALUES (?, ?, ?, ?, ?)", bounds_rows([fid], shape))
    key = (county, place.place_id)
    for table in ("place_codes", "place_aliases"):
        connection.execute(f"DELETE FROM {table} WHERE county = ? AND place_id = ?", key)
    connection.executemany(
        "INSERT INTO place_codes (county, code, place_id, position) VALUES (?, ?, ?, ?)",
        [(county, code, place.place_id, n) for n, code in enumerate(place.former_codes)],
    )
    connection.executemany(
        "INSERT INTO place_aliases VALUES (?, ?, ?, ?)", [(*key, n, alias) for n, alias in enumerate(place.aliases)]
    )


def _put_row(connection: sqlite3.Connection, county: str, place: Place) -> int:
    seat_lon, seat_lat = place.seat or (None, None)
    row = {
        "geom": blob_of_wkb(place.geometry),
        "place_id": place.place_id,
        "county": county,
        "level": place.level.value,
        "code": place.code,
        "name": place.name,
        "short_name": place.short_name,
        "parent_id": place.parent_id,
        "households": place.households,
        "approximate": place.approximate,
        "seat_lon": seat_lon,
        "seat_lat": seat_lat,
        "valid_from": place.valid_from and place.valid_from.isoformat(),
        "valid_to": place.valid_to and place.valid_to.isoformat(),
    }
    updates = ",".join(f"{name} = excluded.{name}" for name in row if name not in {"place_id", "county"})
    cursor = connection.execute(
        f"INSERT INTO places ({','.join(row)}) VALUES ({','.join('?' * len(row))})"
        f" ON CONFLICT (county, place_id) DO UPDATE SET {updates} RETURNING fid",
        list(row.values()),
    )
    return int(cursor.fetchone()["fid"])


def _refresh_features(connection: sqlite3.Connection, county: str, place_ids: set[str]) -> None:
    """GeoJSON texts hold names and codes of places: write them anew where those changed."""
    marks = orjson.dumps(list(place_ids)).decode()
    chosen = "(town_id IN (SELECT value FROM json_each(?1)) OR village_id IN (SELECT value FROM json_each(?1)))"
    names = reading.place_names(connection, county)
    after = 0
    while place_ids:
        rows = connection.execute(
            f"SELECT * FROM issues WHERE {chosen} AND fid > ?2 ORDER BY fid LIMIT 2000", (marks, after)
        ).fetchall()
        if not rows:
            return
        issues = reading.issues_of(connection, rows)
        connection.executemany(
            "UPDATE issue_features SET feature = ? WHERE fid = ?",
            [
                (_feature(issue, names, shape), row["fid"])
                for row, issue, shape in zip(rows, issues, shapes_of(issues), strict=True)
            ],
        )
        after = rows[-1]["fid"]


def _feature(issue: Issue, names: Names, shape: Any) -> str:  # noqa: ANN401 - shapely has no types
    return feature_text(issue, issue.number, issue.revision, names, geometry_json(issue.geometry, shape))
