"""Durable writes from eight clients at once, beside a bare loop of begin, insert, commit on the same disk."""

import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from measuring import run
from table import Row

from villagemap.flows.workspace import open_workspace
from villagemap.model import Change, IssueFilter
from villagemap.settings import now

CLIENTS, EACH = 8, 40


def rows(folder: Path, county: Path) -> list[Row]:
    """Writes a second: a change with its event, row, index and GeoJSON text, against one bare row."""
    target = folder / "writes"
    shutil.copytree(county, target)
    workspace = open_workspace(target)
    issues = workspace.store.issues(IssueFilter(), limit=CLIENTS)

    def client(number: int) -> None:
        issue = issues[number]
        for turn in range(EACH):
            issue = replace(issue, severity=turn % 5 + 1)
            with workspace.store.writing() as writer:
                writer.record([Change(kind="assign", issue=issue, at=now(), actor="owner")])
            issue = replace(issue, revision=issue.revision + 1)

    ours = _rate(client)
    broken = workspace.store.verify()
    workspace.close()
    if broken is not None:
        raise RuntimeError(broken)
    bare = _rate(_bare(folder / "bare.sqlite"))
    return [
        Row(
            work=f"durable write with its event, {CLIENTS} clients: bare loop ÷ ours", figure=bare / ours, unit="×",
            most=round(1 / 0.6, 2), notes=f"ours {ours:,.0f} writes/s, bare {bare:,.0f}; synchronous=FULL both",
        )
    ]  # fmt: skip


def _rate(client: Callable[[int], None]) -> float:
    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return CLIENTS * EACH / (time.perf_counter() - began)


def _bare(path: Path) -> Callable[[int], None]:
    with sqlite3.connect(path) as first:
        first.execute("PRAGMA journal_mode = WAL")
        first.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)")
    first.close()

    def client(_number: int) -> None:
        connection = sqlite3.connect(path, isolation_level=None, timeout=60)
        connection.execute("PRAGMA synchronous = FULL")
        for _ in range(EACH):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO notes (body) VALUES (?)", ("x" * 600,))
            connection.execute("COMMIT")
        connection.close()

    return client


def small_county(folder: Path) -> Path:
    """A sample county of 1,000 issues to write into."""
    county = folder / "small"
    run([sys.executable, "-m", "villagemap", "demo", "--issues", "1000", "--no-serve", "--dir", county])
    return county
