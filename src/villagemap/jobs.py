"""Long work: a job is a row in a small file of its own, done by a worker process and seen by all of them.

Its inputs are on disk before it is acknowledged. A worker takes the oldest that waits, says every second that it lives
and how far it is, and is told there to stop early. One that died is told so: nothing waits for ever.
"""

import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
from uuid_utils import uuid7

from villagemap.errors import ConflictError, VillagemapError
from villagemap.store.disk import restrict_file, store_error

AT_ONCE = 2
"""So many jobs are done at a time; the others wait."""
DEAD_AFTER_S = 15.0
"""A worker that hasn't said a word for so long is dead."""
UNSTARTED_AFTER_S = 120.0
"""A job that waits for so long while nobody works is given up."""
LINGER_S = 30.0
"""So long a worker waits for another job: it takes a second or two to start one."""
KEPT_S = 7 * 24 * 3600.0
BEAT_S = 1.0
BUSY_S = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, made_at REAL NOT NULL,
  ended_at REAL, worker INTEGER, inputs BLOB NOT NULL, progress TEXT NOT NULL DEFAULT '{}', result TEXT,
  fault TEXT, stop INTEGER NOT NULL DEFAULT 0, key TEXT, UNIQUE (owner, key)
) STRICT;
CREATE TABLE IF NOT EXISTS workers (pid INTEGER PRIMARY KEY, beat_at REAL NOT NULL, job TEXT) STRICT;
"""

_started: list[subprocess.Popen[bytes]] = []
"""Workers that this process started, so that the system can forget those that have ended."""


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A piece of long work. ``fault`` is the code and values of an error, None where there was none."""

    id: str
    owner: str
    kind: str
    status: Status
    inputs: bytes
    progress: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    fault: tuple[str, Mapping[str, Any]] | None = None
    stopping: bool = False


Report = Callable[[Mapping[str, Any]], bool]
"""Takes a job's progress and answers whether to stop early."""
Runner = Callable[[Job, Report], Mapping[str, Any]]
"""Does a job and gives its result; raises a `VillagemapError` where it can't."""


class Jobs:
    """The jobs of one workspace, in its ``jobs.sqlite``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, kind: str, owner: str, inputs: bytes, key: str = "") -> Job:
        """A new job, on disk before this returns; with a ``key`` of before, the job of before.

        Raises
        ------
        ConflictError
            ``key_used`` for a key that came with something else.
        """
        with self._writing() as connection:
            if key:
                row = connection.execute("SELECT * FROM jobs WHERE owner = ? AND key = ?", (owner, key)).fetchone()
                if row is not None and (row["kind"], row["inputs"]) != (kind, inputs):
                    raise ConflictError("key_used")
                if row is not None:
                    return _job(row)
            job_id = str(uuid7())
            connection.execute("DELETE FROM jobs WHERE ended_at < ?", (time.time() - KEPT_S,))
            connection.execute(
                "INSERT INTO jobs (id, owner, kind, status, made_at, inputs, key) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (job_id, owner, kind, Status.QUEUED, time.time(), inputs, key or None),
            )
        return Job(id=job_id, owner=owner, kind=kind, status=Status.QUEUED, inputs=inputs)

    def get(self, job_id: str) -> Job | None:
        """A job as it stands; one whose worker died has failed."""
        with self._writing() as connection:
            _bury(connection)
            row = connection.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return _job(row) if row else None

    def stop(self, job_id: str) -> None:
        """Ask for an early end: what waits is cancelled, what runs ends with the best so far."""
        with self._writing() as connection:
            connection.execute("UPDATE jobs SET stop = 1 WHERE id = ? AND status = 'running'", (job_id,))
            connection.execute(
                "UPDATE jobs SET status = 'cancelled', ended_at = ? WHERE id = ? AND status = 'queued'",
                (time.time(), job_id),
            )

    def ensure_worker(self, command: Sequence[str]) -> None:
        """Start a worker where a job waits and there is room for one."""
        _started[:] = [process for process in _started if process.poll() is None]
        with self._writing() as connection:
            _bury(connection)
            waiting = connection.execute("SELECT count(*) FROM jobs WHERE status = 'queued'").fetchone()[0]
            idle = connection.execute("SELECT count(*) FROM workers WHERE job IS NULL").fetchone()[0]
            workers = connection.execute("SELECT count(*) FROM workers").fetchone()[0]
            if waiting > idle and workers < AT_ONCE:
                process = subprocess.Popen(  # noqa: S603 - our own program
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=os.name != "nt",
                )
                _started.append(process)
                _beat(connection, process.pid, None)

    # The worker's side

    def claim(self, pid: int) -> Job | None:
        """The oldest job that waits, now this worker's; None for none."""
        with self._writing() as connection:
            _bury(connection)
            row = connection.execute("SELECT * FROM jobs WHERE status = 'queued' ORDER BY made_at, id").fetchone()
            _beat(connection, pid, row["id"] if row else None)
            if row is None:
                return None
            connection.execute("UPDATE jobs SET status = 'running', worker = ? WHERE id = ?", (pid, row["id"]))
        return _job({**dict(row), "status": Status.RUNNING})

    def beat(self, pid: int, job_id: str, progress: Mapping[str, Any]) -> bool:
        """Say that a worker lives and how far its job is; whether to stop early."""
        with self._writing() as connection:
            _beat(connection, pid, job_id)
            told = orjson.dumps(progress, option=orjson.OPT_SERIALIZE_NUMPY).decode()
            row = connection.execute(
                "UPDATE jobs SET progress = ? WHERE id = ? AND status = 'running' RETURNING stop", (told, job_id)
            ).fetchone()
        return row is None or bool(row["stop"])

    def end(self, pid: int, job_id: str, *, result: Mapping[str, Any] | None = None, fault: object = None) -> None:
        """Note how a job ended."""
        status = Status.FAILED if fault is not None else Status.DONE
        with self._writing() as connection:
            _beat(connection, pid, None)
            connection.execute(
                "UPDATE jobs SET status = ?, result = ?, fault = ?, ended_at = ? WHERE id = ? AND status = 'running'",
                (status, _text(result), _text(fault), time.time(), job_id),
            )

    def leave(self, pid: int) -> bool:
        """End a worker, unless a job waits; whether it may go."""
        with self._writing() as connection:
            if connection.execute("SELECT 1 FROM jobs WHERE status = 'queued'").fetchone():
                return False
            connection.execute("DELETE FROM workers WHERE pid = ?", (pid,))
        return True

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, durable at its end; the file is made where it isn't there yet."""
        new = not self.path.exists()
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)) as connection:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA synchronous = FULL")
                if new:
                    restrict_file(self.path)
                    connection.executescript(_SCHEMA)
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
        except sqlite3.Error as fault:
            raise store_error(fault, self.path) from fault


def work(jobs: Jobs, runners: Mapping[str, Runner], *, linger_s: float = LINGER_S) -> None:
    """Do what waits, one after the other, until nothing has come for ``linger_s``."""
    pid, idle_since = os.getpid(), time.monotonic()
    while True:
        job = jobs.claim(pid)
        if job is not None:
            _do(jobs, pid, job, runners)
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since > linger_s and jobs.leave(pid):
            return
        else:
            time.sleep(0.1)


def _do(jobs: Jobs, pid: int, job: Job, runners: Mapping[str, Runner]) -> None:
    """Do one job; whatever it raises becomes its fault, and a thread says meanwhile that the worker lives."""
    told: dict[str, Any] = {}
    stop, over = threading.Event(), threading.Event()

    def beating() -> None:
        while not over.wait(BEAT_S / 2 if told else 0.05):
            with suppress(VillagemapError):  # the file was busy: the next beat says it
                if jobs.beat(pid, job.id, dict(told)):
                    stop.set()

    def report(progress: Mapping[str, Any]) -> bool:
        told.update(progress)
        return stop.is_set()

    thread = threading.Thread(target=beating, name="beat", daemon=True)
    thread.start()
    ended: dict[str, Any]
    try:
        ended = {"result": runners[job.kind](job, report)}
    except VillagemapError as fault:
        ended = {"fault": [fault.code, {k: v for k, v in fault.params.items() if isinstance(v, str | int | float)}]}
    except Exception as fault:  # noqa: BLE001 - a worker outlives the fault of one job
        ended = {"fault": ["job_fault", {"kind": type(fault).__name__, "fault": str(fault)[:200]}]}
    finally:
        over.set()
        thread.join()
    jobs.end(pid, job.id, **ended)


def _bury(connection: sqlite3.Connection) -> None:
    """Forget workers that are dead, fail their jobs, and those that nobody ever began."""
    instant = time.time()
    workers = connection.execute("SELECT * FROM workers").fetchall()
    dead = [w["pid"] for w in workers if w["beat_at"] < instant - DEAD_AFTER_S or not _lives(w["pid"])]
    for pid in dead:
        connection.execute("DELETE FROM workers WHERE pid = ?", (pid,))
    _fail(connection, "job_died", "status = 'running' AND worker NOT IN (SELECT pid FROM workers)")
    if len(dead) == len(workers):
        _fail(connection, "job_unstarted", "status = 'queued' AND made_at < ?", instant - UNSTARTED_AFTER_S)


def _fail(connection: sqlite3.Connection, code: str, where: str, *values: float) -> None:
    connection.execute(
        f"UPDATE jobs SET status = 'failed', fault = ?, ended_at = ? WHERE {where}",
        (_text([code, {}]), time.time(), *values),
    )


def _lives(pid: int) -> bool:
    """Whether there is such a process; Windows isn't asked, because there asking would end it."""
    if os.name == "nt":
        return True
    for process in _started:
        if process.pid == pid:
            return process.poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _beat(connection: sqlite3.Connection, pid: int, job: str | None) -> None:
    connection.execute("INSERT OR REPLACE INTO workers VALUES (?, ?, ?)", (pid, time.time(), job))


def _text(value: object) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _job(row: Mapping[str, Any] | sqlite3.Row) -> Job:
    fault = orjson.loads(row["fault"]) if row["fault"] else None
    return Job(
        id=row["id"],
        owner=row["owner"],
        kind=row["kind"],
        status=Status(row["status"]),
        inputs=row["inputs"],
        progress=orjson.loads(row["progress"]),
        result=orjson.loads(row["result"]) if row["result"] else None,
        fault=(fault[0], fault[1]) if fault else None,
        stopping=bool(row["stop"]),
    )
