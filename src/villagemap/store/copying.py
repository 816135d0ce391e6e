"""Copies of databases that others are writing to, and what a copy of any schema tells of itself."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from villagemap.errors import ConflictError, WorkspaceError
from villagemap.store.disk import restrict_file, store_error
from villagemap.store.protocol import Head
from villagemap.store.reading import head
from villagemap.store.schema import schema_of

BUSY_S = 10.0


class Told(NamedTuple):
    """What a county's file says of itself, whatever its schema."""

    county: str
    schema: int
    head: Head


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as it stands at one moment; whoever writes to it goes on meanwhile.

    In one step, because a copy in several begins anew whenever somebody writes, and so may never end.

    Raises
    ------
    DiskFullError
        If there is no room for the copy.
    WorkspaceError
        ``store_damaged`` if the source can't be read to its end.
    """
    target.touch(mode=0o600, exist_ok=False)
    restrict_file(target)
    with _reading(source) as there, closing(sqlite3.connect(target)) as here:
        try:
            there.backup(here)
        except sqlite3.OperationalError as fault:
            raise store_error(fault, target) from fault


def told_by(path: Path, *, still: bool = False) -> Told:
    """County, schema and head of a file of ours, also of an older schema; ``still`` for a copy that nobody has open.

    Raises
    ------
    WorkspaceError
        ``store_foreign``, ``store_damaged``
    """
    with _reading(path, still=still) as connection:
        schema, county = schema_of(connection, path)
        return Told(county, schema, head(connection, county))


def user_version(path: Path) -> int:
    """The number that a database keeps for its program."""
    with _reading(path) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_unused(path: Path) -> None:
    """Make sure that no other program has a database open: it alone may leave the write-ahead log.

    Raises
    ------
    ConflictError
        ``county_in_use``
    """
    with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as fault:
            raise ConflictError("county_in_use", folder=str(path.parent)) from fault
        except sqlite3.DatabaseError:
            return  # a damaged file is nobody's, and a backup is what mends it


@contextmanager
def _reading(path: Path, *, still: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection to read with; one that could write, because only such a one clears its log away when it closes."""
    uri = path.resolve().as_uri() + ("?immutable=1" if still else "?mode=rw")
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S)) as connection:
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("PRAGMA query_only = 1")
            yield connection
        except sqlite3.OperationalError as fault:
            raise store_error(fault, path) from fault
        except sqlite3.DatabaseError as fault:
            raise WorkspaceError("store_damaged", path=str(path)) from fault
