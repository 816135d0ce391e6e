"""The end of a county's chain inside one transaction: new events, their personal values, counters."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from villagemap.chain import BODY_VERSION, Fields, PersonalValue, body_text, instant_text, link
from villagemap.settings import TIME_ZONE
from villagemap.store import reading
from villagemap.store.protocol import Head
from villagemap.store.queued import QueuedConnection


class ChainEnd:
    """Appends events in order; `flush` writes what is held back."""

    def __init__(self, connection: QueuedConnection, county: str) -> None:
        self._connection = connection
        self.county = county
        self._head = reading.head(connection, county)
        self._counters: dict[str, int] = {}
        self._events: list[tuple[Any, ...]] = []
        self._personal: list[tuple[Any, ...]] = []

    def append(
        self,
        subject: str,
        kind: str,
        changed: Fields,
        *,
        at: datetime,
        actor: str,
        operation: int | None = None,
        note: str = "",
    ) -> int:
        """Link one event to the chain and return its seq."""
        seq = self._head.seq + 1
        when = instant_text(at)
        body: Fields = {
            "v": BODY_VERSION, "county": self.county, "seq": seq, "subject": subject, "kind": kind, "at": when,
            "actor": actor, "set": changed,
        }  # fmt: skip
        if operation is not None:
            body["operation"] = operation
        if note:
            body["note"] = note
        written = body_text(body)
        self._head = Head(seq, link(self._head.hash, written))
        self._events.append((self.county, seq, subject, kind, when, actor, operation, written, self._head.hash))
        return seq

    def keep_personal(self, subject: str, values: Iterable[PersonalValue]) -> None:
        """Hold the personal values that an event names by hash."""
        self._personal += [(self.county, v.hash, subject, v.field, v.salt, v.value) for v in values]

    def next_number(self, name: str) -> int:
        """The next value of a counter: 1, 2, 3 … and never the same twice."""
        if name not in self._counters:
            row = self._connection.execute(
                "SELECT value FROM counters WHERE county = ? AND name = ?", (self.county, name)
            ).fetchone()
            self._counters[name] = row["value"] if row else 0
        self._counters[name] += 1
        return self._counters[name]

    def next_issue_number(self, at: datetime) -> str:
        """A readable number: the year of registration in Asia/Shanghai and a running number."""
        year = str(at.astimezone(TIME_ZONE).year)
        return f"{year}-{self.next_number(year):05d}"

    def flush(self) -> None:
        """Write the events, personal values and counters that are held back."""
        counters = [(self.county, name, value) for name, value in self._counters.items()]
        self._connection.insert("events", self._events)
        self._connection.insert("personal_values", self._personal)
        self._connection.insert("counters", counters, "ON CONFLICT DO UPDATE SET value = excluded.value")
        self._events, self._personal = [], []
