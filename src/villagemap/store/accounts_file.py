"""The file below accounts: SQLite beside the county's data, readable by its owner only, synced at every commit.

One connection reads and one writes, each for one thread at a time: what is asked here takes microseconds.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from villagemap.errors import WorkspaceError
from villagemap.store.disk import restrict_file, store_error

APPLICATION_ID = 1447051602
BUSY_MS = 10_000


class AccountsFile:
    """An open accounts.sqlite of the newest schema."""

    def __init__(self, path: Path) -> None:
        """Open a file, and bring an older one up to date.

        Raises
        ------
        WorkspaceError
            ``store_foreign``, ``schema_newer``: the file is left as it was.
        """
        self.path = path
        self._reading, self._writing = threading.Lock(), threading.Lock()
        self._writer = _connect(path)
        try:
            _upgrade(self._writer, path)
            self._reader = _connect(path)
        except BaseException:
            self._writer.close()
            raise
        self._reader.execute("PRAGMA query_only = 1")

    @classmethod
    def create(cls, path: Path) -> None:
        """Make a new file without anybody in it."""
        path.touch(mode=0o600, exist_ok=False)
        restrict_file(path)
        connection = _connect(path)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            _migrate(connection, 0, path)
        finally:
            connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to ask with."""
        with self._reading:
            yield self._reader

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of the block is on disk at its end, or nothing is."""
        with self._writing:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException as fault:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                if isinstance(fault, sqlite3.Error) and not isinstance(fault, sqlite3.IntegrityError):
                    raise store_error(fault, self.path) from fault
                raise

    def close(self) -> None:
        """Close both connections."""
        with self._reading, self._writing:
            self._reader.close()
            self._writer.close()


def migrations() -> list[Path]:
    """All migrations in their order; ``user_version`` is how many have run."""
    return sorted((Path(__file__).parent / "accounts_migrations").glob("*.sql"))


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, check_same_thread=False)
    connection.isolation_level = None
    connection.row_factory = sqlite3.Row
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = 1")
    except sqlite3.DatabaseError as fault:
        connection.close()
        if isinstance(fault, sqlite3.OperationalError):
            raise
        raise WorkspaceError("store_foreign", path=str(path)) from fault
    return connection


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        known = int(connection.execute("PRAGMA application_id").fetchone()[0]) in {0, APPLICATION_ID}
        tables = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as fault:
        raise WorkspaceError("store_foreign", path=str(path)) from fault
    if not known or "access_log" not in tables or version < 1:
        raise WorkspaceError("store_foreign", path=str(path))
    newest = len(migrations())
    if version > newest:
        raise WorkspaceError("schema_newer", path=str(path), version=version, newest=newest)
    if version < newest:
        _into_wal(connection)
        _migrate(connection, version, path)


def _into_wal(connection: sqlite3.Connection) -> None:
    """Switch the journal; unlike other statements, this one doesn't wait for others by itself."""
    deadline = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _migrate(connection: sqlite3.Connection, version: int, path: Path) -> None:
    """Run the migrations after ``version`` in one transaction."""
    newest = len(migrations())
    script = "".join(path.read_text(encoding="utf-8") for path in migrations()[version:])
    try:
        connection.executescript(f"BEGIN IMMEDIATE;{script}PRAGMA user_version = {newest};COMMIT;")
    except sqlite3.Error as fault:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        # another process may have done it between our look and our turn
        if connection.execute("PRAGMA user_version").fetchone()[0] != newest:
            raise store_error(fault, path) from fault
