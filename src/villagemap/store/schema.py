"""The file's schema: numbered migrations, and the guards that let nobody but our writer write."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from villagemap.errors import WorkspaceError
from villagemap.texts import LANGS, text

GUARDED = (
    "issues", "issue_features", "sightings", "places", "place_codes", "place_aliases", "personal_values",
    "operations", "photos", "counters", "villagemap", "records", "requests", "fingerprints",
)  # fmt: skip


def migrations() -> list[Path]:
    """All migrations in their order; the schema's version is how many have run."""
    return sorted((Path(__file__).parent / "migrations").glob("*.sql"))


def schema_of(connection: sqlite3.Connection, path: Path) -> tuple[int, str]:
    """The file's schema version and county.

    Raises
    ------
    WorkspaceError
        ``store_foreign`` if the file isn't ours.
    """
    try:
        known = dict(connection.execute("SELECT key, value FROM villagemap").fetchall())
        return int(known["schema"]), str(known["county"])
    except (sqlite3.DatabaseError, KeyError, ValueError) as fault:
        raise WorkspaceError("store_foreign", path=str(path)) from fault


def check_schema(connection: sqlite3.Connection, path: Path) -> str:
    """The county of a file of today's schema; older and newer ones are refused."""
    version, county = schema_of(connection, path)
    newest = len(migrations())
    if version != newest:
        code = "schema_newer" if version > newest else "schema_older"
        raise WorkspaceError(code, path=str(path), version=version, newest=newest)
    return county


def migrate(connection: sqlite3.Connection, version: int, county: str) -> None:
    """Run the migrations after ``version`` and set the guards anew, in one transaction."""
    script = "".join(path.read_text(encoding="utf-8") for path in migrations()[version:])
    doors = "UPDATE villagemap_writer SET open = {};"
    connection.executescript("BEGIN IMMEDIATE;" + (doors.format(1) if version else "") + script)
    marks = [("schema", str(len(migrations()))), ("county", county)]
    if not version:
        marks.append(("made_at", datetime.now(UTC).isoformat()))
    connection.executemany("INSERT OR REPLACE INTO villagemap VALUES (?, ?)", marks)
    for statement in _guards():
        connection.execute(statement)
    connection.execute(doors.format(0))
    connection.execute("COMMIT")


def _guards() -> Iterator[str]:
    """Triggers that refuse every write but our writer's, and any change of an event."""
    sentence = _quoted("foreign_write")
    for table in (*GUARDED, "events"):
        for verb in ("INSERT", "UPDATE", "DELETE"):
            name = f"guard_{table}_{verb.lower()}"
            yield f"DROP TRIGGER IF EXISTS {name}"
            yield (
                f"CREATE TRIGGER {name} BEFORE {verb} ON {table}"
                f" WHEN (SELECT open FROM villagemap_writer) IS NOT 1"
                f" BEGIN SELECT RAISE(ABORT, {sentence}); END"
            )
    sentence = _quoted("append_only")
    for verb in ("UPDATE", "DELETE"):
        name = f"append_only_events_{verb.lower()}"
        yield f"DROP TRIGGER IF EXISTS {name}"
        yield f"CREATE TRIGGER {name} BEFORE {verb} ON events BEGIN SELECT RAISE(ABORT, {sentence}); END"


def _quoted(key: str) -> str:
    both = " / ".join(text(f"store.{key}", lang) for lang in LANGS)
    return "'" + both.replace("'", "''") + "'"
