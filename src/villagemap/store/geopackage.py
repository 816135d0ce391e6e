"""The embedded store: one GeoPackage file (SQLite, WAL, R-tree) that QGIS and GDAL open as it is.

Readers have a connection for each thread; one writer connection serves all threads in turn. Commits are FULL-synced,
so that what was acknowledged survives a power cut. Other programs may read while we serve; guards refuse their
writes with a sentence.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from villagemap.chain import Fields
from villagemap.errors import WorkspaceError
from villagemap.likeness import Fingerprint
from villagemap.model import BBox, Event, Issue, IssueFilter, Level, Operation, Photo, Place, Record
from villagemap.store import columns, history, pictures, reading, records
from villagemap.store.disk import store_error
from villagemap.store.protocol import Broken, ClosedCase, Duty, FeaturePage, Head, IssueColumns, Replay, State, Writer
from villagemap.store.queued import QueuedConnection
from villagemap.store.schema import check_schema, migrate, migrations, schema_of
from villagemap.store.verifying import hash_of, replay
from villagemap.store.writing import GeoPackageWriter

APPLICATION_ID = 0x47504B47
GPKG_VERSION = 10300
SQLITE_MAGIC = b"SQLite format 3\x00"
BUSY_MS = 10_000
PAGE_BYTES = 8192
"""A row and its texts are about 1 kB: larger pages make fewer, and importing a sixth quicker."""
WRITER_CACHE_KB = 64_000
"""What holds the inner pages of all indexes of a million issues, so that bulk writes don't read them back."""


class GeoPackageStore:
    """A county's memory in one file; see `protocol.Store` for what each method promises."""

    def __init__(self, path: Path) -> None:
        _check_file(path)
        self.path = path
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._readers: dict[threading.Thread, sqlite3.Connection] = {}
        self._lock = threading.RLock()
        self._write_connection: QueuedConnection | None = None
        self._schema = len(migrations())
        try:
            self.county = check_schema(self._reader(), path)
        except BaseException as fault:
            self.close()
            if isinstance(fault, sqlite3.DatabaseError) and not isinstance(fault, sqlite3.OperationalError):
                raise WorkspaceError("store_damaged", path=str(path)) from fault
            raise

    @classmethod
    def create(cls, path: Path, county: str) -> "GeoPackageStore":
        """Make a new, empty file for a county (its slug)."""
        path.touch(mode=0o600, exist_ok=False)
        connection = _connect(path)
        try:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {GPKG_VERSION}")
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection, 0, county)
        finally:
            connection.close()
        return cls(path)

    @staticmethod
    def upgrade(path: Path) -> tuple[int, int]:
        """Bring an older file to today's schema in one transaction; the versions before and after."""
        _check_file(path)
        connection = _connect(path)
        try:
            version, county = schema_of(connection, path)
            newest = len(migrations())
            if version < newest:
                migrate(connection, version, county)
            return version, newest
        finally:
            connection.close()

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in (*self._all, *self._readers.values()):
                connection.close()
            self._all.clear()
            self._readers.clear()
            self._local = threading.local()
            self._write_connection = None

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = _connect(self.path)
            connection.execute("PRAGMA query_only = 1")
            self._local.connection = connection
            with self._lock:
                # a server's threads come and go; what an ended one leaves open would add up to too many files
                for thread in [thread for thread in self._readers if not thread.is_alive()]:
                    self._readers.pop(thread).close()
                self._readers[threading.current_thread()] = connection
        return connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent state for several queries (queries inside it join it)."""
        connection = self._reader()
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Begin a write transaction; see `protocol.Store.writing`."""
        with self._lock:
            if self._write_connection is None:
                self._write_connection = _connect(self.path)
                self._write_connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KB}")
                self._all.append(self._write_connection)
            connection = self._write_connection
            try:
                self._begin(connection)
                writer = GeoPackageWriter(connection, self.county, self._reader())
                yield writer
                writer.finish()
                connection.execute("COMMIT")
            except sqlite3.Error as fault:
                _roll_back(connection)
                raise store_error(fault, self.path) from fault
            except BaseException:
                _roll_back(connection)
                raise

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Open the door; a program that was running when the file was upgraded may write no more."""
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE villagemap_writer SET open = 1")
        version = int(connection.execute("SELECT value FROM villagemap WHERE key = 'schema'").fetchone()["value"])
        if version != self._schema:
            raise WorkspaceError("schema_newer", path=str(self.path), version=version, newest=self._schema)

    def head(self) -> Head:
        """The last event of the chain."""
        return reading.head(self._reader(), self.county)

    def head_by(self, instant: datetime) -> Head:
        """The last event in the chain's order that was written before ``instant``."""
        return reading.head_by(self._reader(), self.county, instant)

    def last_event_at(self) -> datetime | None:
        """When the last event was written."""
        return reading.last_event_at(self._reader(), self.county)

    def places(self, level: Level | None = None) -> list[Place]:
        """All places, or those of one level, by code."""
        with self._reading() as connection:
            return reading.places(connection, self.county, level)

    def places_seq(self) -> int:
        """The last event that changed a place (0 for none): what caches of places are keyed by."""
        return reading.places_seq(self._reader(), self.county)

    def issue(self, issue_id: str) -> Issue | None:
        """One issue with its sightings, by id or readable number."""
        with self._reading() as connection:
            return reading.issue(connection, self.county, issue_id)

    def issues(self, where: IssueFilter, *, limit: int, after: int = 0) -> list[Issue]:
        """Issues with their sightings, in keyset order."""
        with self._reading() as connection:
            return reading.issues(connection, where, limit=limit, after=after)

    def most_urgent(self, where: IssueFilter, *, limit: int) -> list[Issue]:
        """Issues with their sightings, the earliest deadline first."""
        with self._reading() as connection:
            return reading.most_urgent(connection, where, limit=limit)

    def feature(self, issue_id: str) -> str | None:
        """One issue's stored GeoJSON text."""
        return reading.feature(self._reader(), self.county, issue_id)

    def features(self, where: IssueFilter) -> Iterator[list[str]]:
        """Stored GeoJSON texts, streamed in blocks from one consistent state."""
        with self._streaming() as connection:
            yield from reading.features(connection, where)

    def states(self, where: IssueFilter) -> Iterator[list[State]]:
        """What no GeoJSON text tells of issues, streamed in blocks from one consistent state."""
        with self._streaming() as connection:
            yield from reading.states(connection, where)

    @contextmanager
    def _streaming(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own: the consumer may be slow, or leave the stream half-read."""
        connection = _connect(self.path)
        try:
            connection.execute("PRAGMA query_only = 1")
            yield connection
        finally:
            connection.close()

    def feature_page(self, where: IssueFilter, *, limit: int, after: int = 0) -> FeaturePage:
        """One page of stored GeoJSON texts."""
        return reading.feature_page(self._reader(), where, limit=limit, after=after)

    def count(self, where: IssueFilter) -> int:
        """How many issues there are."""
        return reading.count(self._reader(), where)

    def columns(self, since: IssueColumns | None = None) -> IssueColumns:
        """All issues as arrays."""
        with self._reading() as connection:
            return columns.columns(connection, self.county, since)

    def columns_at(self, seq: int) -> IssueColumns:
        """All issues as arrays, as they stood after event ``seq``."""
        with self._reading() as connection:
            return history.columns_at(connection, self.county, seq)

    def states_at(self, seq: int) -> Iterator[list[tuple[int, Issue]]]:
        """(fid, issue) of all issues as they stood after event ``seq``, streamed in blocks."""
        with self._streaming() as connection:
            connection.execute("BEGIN")
            yield from history.states_at(connection, self.county, seq)

    def records_at(self, record_type: str, seq: int) -> list[Record]:
        """Records of a type as they stood after event ``seq``."""
        with self._reading() as connection:
            return history.records_at(connection, self.county, record_type, seq)

    def places_at(self, seq: int) -> dict[str, Fields]:
        """What `chain.place_fields` told of each place after event ``seq``, by place id."""
        with self._reading() as connection:
            return history.places_at(connection, self.county, seq)

    def closed_cases(self, *, category: str = "", bbox: BBox | None = None, village: str = "") -> list[ClosedCase]:
        """Verified closings: all, or those of a category in a place."""
        return reading.closed_cases(self._reader(), self.county, category, bbox, village)

    def duties(self, fids: Sequence[int]) -> dict[int, Duty]:
        """Fid to whose it is, persons' names included."""
        return reading.duties(self._reader(), fids)

    def briefs(self, fids: Sequence[int]) -> dict[int, tuple[str, str | None]]:
        """Fid to (id, GeoJSON geometry of a line or polygon)."""
        return reading.briefs(self._reader(), fids)

    def events(self, subject: str) -> list[Event]:
        """A subject's events, oldest first."""
        return reading.events(self._reader(), self.county, subject)

    def known_rows(self, row_keys: Sequence[str]) -> set[str]:
        """Those of ``row_keys`` that a sighting already has."""
        return reading.known_rows(self._reader(), self.county, row_keys)

    def known_ids(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that are issues already."""
        return reading.known_ids(self._reader(), self.county, ids)

    def photos(self, issue_id: str) -> list[Photo]:
        """The pictures of an issue."""
        return reading.photos(self._reader(), self.county, issue_id)

    def operations(self) -> list[Operation]:
        """Imports and bulk edits, oldest first."""
        return reading.operations(self._reader(), self.county)

    def record(self, subject: str) -> Record | None:
        """One record by its subject."""
        return records.record(self._reader(), self.county, subject)

    def records(self, record_type: str, parent: str | None = None) -> list[Record]:
        """Records of a type, or those that belong to ``parent``."""
        return records.records(self._reader(), self.county, record_type, parent)

    def picture_marks(self) -> list[tuple[str, bytes]]:
        """SHA-256 and marks of every picture."""
        return pictures.marks(self._reader(), self.county)

    def fingerprints(self, hashes: Sequence[str]) -> dict[str, Fingerprint]:
        """The whole fingerprints of a few pictures."""
        return pictures.fingerprints(self._reader(), self.county, hashes)

    def picture_uses(self, hashes: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Picture to the (issue, stage) of each of its uses."""
        return pictures.uses(self._reader(), self.county, hashes)

    def photo_hashes(self) -> list[str]:
        """SHA-256 of every picture that an event names, in order."""
        return reading.photo_hashes(self._reader(), self.county)

    def verify(self) -> Broken | None:
        """Replay the whole chain against the rows."""
        return self.replay().broken

    def replay(self) -> Replay:
        """Replay the whole chain against the rows, and count what was erased."""
        with self._judging() as connection:
            return replay(connection, self.county)

    def hash_of(self, seq: int) -> str | None:
        """The hash of event ``seq`` as the events up to it give it, whatever hashes stand beside them."""
        with self._judging() as connection:
            return hash_of(connection, self.county, seq)

    @contextmanager
    def _judging(self) -> Iterator[sqlite3.Connection]:
        """One consistent state of a file that may be damaged anywhere."""
        try:
            with self._reading() as connection:
                yield connection
        except sqlite3.OperationalError as fault:
            raise store_error(fault, self.path) from fault
        except sqlite3.DatabaseError as fault:
            raise WorkspaceError("store_damaged", path=str(self.path)) from fault


def _connect(path: Path) -> QueuedConnection:
    connection = QueuedConnection(
        path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -32000")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(SQLITE_MAGIC))
    except FileNotFoundError as fault:
        raise WorkspaceError("store_missing", path=str(path)) from fault
    except OSError as fault:
        raise WorkspaceError("store_unreadable", path=str(path), fault=fault.strerror or "") from fault
    if magic != SQLITE_MAGIC:
        raise WorkspaceError("store_foreign", path=str(path))
