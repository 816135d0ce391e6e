"""A connection whose bulk inserts run in a thread of their own, while the caller prepares the next rows.

SQLite works without Python's lock for as long as one statement runs, so rows go in by the hundred with each
statement. Everything else that is asked of the connection waits until the rows before it are in; what went wrong with
them is raised there.
"""

import queue
import sqlite3
import threading
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

BULK_ROWS = 500
"""Fewer rows go in at once: a thread isn't worth its start."""

STATEMENT_ROWS = 1000
WAITING = 12
"""So many inserts may wait, which bounds memory to a batch or two."""

Rows = Sequence[tuple[Any, ...]]


class QueuedConnection(sqlite3.Connection):
    """See the module; used by one caller at a time."""

    _waiting: "queue.Queue[tuple[str, Rows, str] | None] | None" = None
    _fault: Exception | None = None

    def insert(self, into: str, rows: Rows, otherwise: str = "") -> None:
        """Insert rows of equal length, now or soon.

        Parameters
        ----------
        into
            Table, with its columns where not all are given.
        otherwise
            An ``ON CONFLICT`` clause.
        """
        if len(rows) < BULK_ROWS and self._waiting is None:
            if rows:
                super().executemany(_statement(into, len(rows[0]), 1, otherwise), rows)
            return
        if self._waiting is None:
            self._waiting = queue.Queue(WAITING)
            threading.Thread(target=self._work, args=(self._waiting,), name="villagemap-insert", daemon=True).start()
        if rows:
            self._waiting.put((into, rows, otherwise))

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401 - as in sqlite3
        """Wait for the rows before, then execute; a rollback takes back what went wrong with them too."""
        self._settle(raising=sql != "ROLLBACK")
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:  # noqa: ANN401 - as in sqlite3
        """Wait for the rows before, then execute."""
        self._settle(raising=True)
        return super().executemany(sql, parameters)

    def close(self) -> None:
        """Wait for the rows before, whatever becomes of them, then close."""
        self._settle(raising=False)
        super().close()

    def _settle(self, *, raising: bool) -> None:
        """Let the thread finish, and end it: between transactions there is none."""
        if self._waiting is None:
            return
        self._waiting.put(None)
        self._waiting.join()
        self._waiting = None
        fault, self._fault = self._fault, None
        if fault and raising:
            raise fault

    def _work(self, waiting: "queue.Queue[tuple[str, Rows, str] | None]") -> None:
        while True:
            given = waiting.get()
            if given and self._fault is None:
                try:
                    self._insert_bulk(*given)
                except Exception as fault:  # noqa: BLE001 - whatever it is, the caller must hear of it
                    self._fault = fault
            waiting.task_done()
            if given is None:
                return

    def _insert_bulk(self, into: str, rows: Rows, otherwise: str) -> None:
        """Rows in as few statements of about equal size as the limit of parameters allows."""
        width = len(rows[0])
        most = min(self.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // width, STATEMENT_ROWS)
        parts = -(-len(rows) // most)
        size = -(-len(rows) // parts)
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            statement = _statement(into, width, len(part), otherwise)
            super().execute(statement, tuple(chain.from_iterable(part)))


@lru_cache(64)
def _statement(into: str, width: int, rows: int, otherwise: str) -> str:
    marks = f"({','.join('?' * width)})"
    return f"INSERT INTO {into} VALUES {','.join([marks] * rows)} {otherwise}"
