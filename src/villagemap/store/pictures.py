"""What pictures are recognised by, and which issues a picture belongs to."""

import sqlite3
from collections.abc import Sequence

import orjson

from villagemap.likeness import Fingerprint


def keep_fingerprint(connection: sqlite3.Connection, county: str, sha256: str, kept: Fingerprint) -> None:
    """Keep a picture's fingerprint; the same picture has it already."""
    connection.execute(
        "INSERT INTO fingerprints (county, sha256, width, height, marks, grey) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (county, sha256, kept.width, kept.height, kept.marks, kept.grey),
    )


def marks(connection: sqlite3.Connection, county: str) -> list[tuple[str, bytes]]:
    """SHA-256 and marks of every picture, in the order in which they came."""
    rows = connection.execute("SELECT sha256, marks FROM fingerprints WHERE county = ? ORDER BY rowid", (county,))
    return [(row["sha256"], row["marks"]) for row in rows]


def fingerprints(connection: sqlite3.Connection, county: str, hashes: Sequence[str]) -> dict[str, Fingerprint]:
    """The whole fingerprints of a few pictures."""
    rows = connection.execute(
        "SELECT * FROM fingerprints WHERE county = ? AND sha256 IN (SELECT value FROM json_each(?))",
        (county, orjson.dumps(list(hashes)).decode()),
    )
    return {
        row["sha256"]: Fingerprint(width=row["width"], height=row["height"], grey=row["grey"], marks=row["marks"])
        for row in rows
    }


def uses(connection: sqlite3.Connection, county: str, hashes: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Picture to the (issue, stage) of each of its uses."""
    rows = connection.execute(
        "SELECT sha256, issue_id, stage FROM photos WHERE county = ? AND sha256 IN (SELECT value FROM json_each(?))",
        (county, orjson.dumps(list(hashes)).decode()),
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row["sha256"], []).append((row["issue_id"], row["stage"]))
    return found
