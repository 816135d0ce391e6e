"""Bulk rows on their way into the file: all of them or none, in order, whoever asks in between."""

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import MORNING, tiny_issue, tiny_places
from villagemap.errors import WorkspaceError
from villagemap.flows.workspace import Workspace
from villagemap.model import Change, Issue, IssueFilter, Status
from villagemap.store.queued import BULK_ROWS, STATEMENT_ROWS, QueuedConnection

MANY = 3 * STATEMENT_ROWS + 7


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[QueuedConnection]:
    connection = QueuedConnection(tmp_path / "some.sqlite", isolation_level=None, check_same_thread=False)
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, word TEXT)")
    yield connection
    connection.close()


def numbers(first: int, count: int) -> list[tuple[int, str]]:
    return [(n, f"第{n}行") for n in range(first, first + count)]


@pytest.mark.parametrize("count", [0, 1, BULK_ROWS - 1, BULK_ROWS, STATEMENT_ROWS + 1, MANY])
def test_every_row_is_there_for_the_next_question(connection: QueuedConnection, count: int):
    connection.insert("t", numbers(0, count))
    assert connection.execute("SELECT * FROM t ORDER BY n").fetchall() == numbers(0, count)


def test_order_is_kept_between_large_and_small(connection: QueuedConnection):
    connection.execute("BEGIN")
    for word in "先后再":
        connection.insert("t", [(n, word) for n in range(MANY)], "ON CONFLICT DO UPDATE SET word = excluded.word")
        connection.insert("t (n, word)", [(0, "一")], "ON CONFLICT DO UPDATE SET word = excluded.word")
    connection.executemany("DELETE FROM t WHERE n = ?", [(1,)])
    connection.execute("COMMIT")
    assert connection.execute("SELECT word, count(*) FROM t GROUP BY word").fetchall() == [("一", 1), ("再", MANY - 2)]


def test_a_fault_shows_at_the_next_step_and_is_taken_back(connection: QueuedConnection):
    connection.execute("BEGIN")
    connection.insert("t", numbers(0, MANY))
    connection.insert("t", numbers(MANY - 1, MANY))
    connection.insert("t", numbers(3 * MANY, MANY))
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("SELECT 1")
    connection.execute("ROLLBACK")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_fault_that_is_not_the_database_s_shows_too(connection: QueuedConnection):
    connection.insert("t", [*numbers(0, MANY), (1 << 80, "too large")])
    with pytest.raises(OverflowError):
        connection.execute("SELECT 1")


def test_a_rollback_forgets_a_fault_that_nobody_saw(connection: QueuedConnection):
    connection.execute("BEGIN")
    connection.insert("t", numbers(0, MANY))
    connection.insert("t", numbers(0, MANY))
    connection.execute("ROLLBACK")
    connection.insert("t", numbers(0, 3))
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (3,)


def test_no_thread_outlives_its_rows(connection: QueuedConnection):
    connection.insert("t", numbers(0, MANY))
    connection.execute("SELECT 1")
    connection.insert("t", numbers(MANY, MANY))
    connection.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "villagemap-insert"] == []


def issues(count: int) -> list[Issue]:
    places = tiny_places()
    return [replace(tiny_issue(n, places), id=f"019c0002-0000-7000-8000-{n:012d}") for n in range(count)]


def registered(some: list[Issue]) -> list[Change]:
    plain = {"status": Status.REGISTERED, "quantity_done": 0.0, "claimed_closed_on": None, "closed_on": None}
    return [Change(kind="register", issue=replace(issue, **plain), at=MORNING, actor="owner") for issue in some]


def test_what_one_transaction_wrote_in_bulk_it_can_change_again(tiny: Workspace):
    many = issues(1200)
    with tiny.store.writing() as writer:
        writer.record(registered(many))
        writer.record([Change(kind="start", issue=issue, at=MORNING, actor="owner") for issue in many[:700]])
        writer.record(registered([replace(issue, id=issue.id.replace("0002", "0003", 1)) for issue in many]))
    assert tiny.store.count(IssueFilter()) == 60 + 2400
    assert tiny.store.verify() is None
    first = tiny.store.issue(many[0].id)
    assert (first.revision, len(first.sightings)) == (2, 1)


def test_a_failing_bulk_leaves_nothing(tiny: Workspace):
    head = tiny.store.head()
    many = issues(1200)
    with pytest.raises(WorkspaceError), tiny.store.writing() as writer:
        writer._last_fid = 10  # the next rows get fids that are taken
        writer.record(registered(many))
        writer.record(registered([replace(issue, id=issue.id.replace("0002", "0003", 1)) for issue in many]))
    assert tiny.store.head() == head
    assert tiny.store.count(IssueFilter()) == 60
    with tiny.store.writing() as writer:
        writer.record(registered(many))
    assert tiny.store.verify() is None


def test_an_interrupted_bulk_leaves_nothing(tiny: Workspace):
    with pytest.raises(KeyboardInterrupt), tiny.store.writing() as writer:
        writer.record(registered(issues(1200)))
        raise KeyboardInterrupt
    assert tiny.store.count(IssueFilter()) == 60
    assert tiny.store.verify() is None
