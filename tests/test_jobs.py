"""Long work: on disk before it is acknowledged, done once, stopped early, and never hanging on a dead worker."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from villagemap import jobs as jobs_room
from villagemap.errors import ConflictError, NotFoundError
from villagemap.jobs import Job, Jobs, Report, Status, work

QUIET = [sys.executable, "-c", "pass"]
PATIENCE_S = 20.0


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    yield Jobs(tmp_path / "jobs.sqlite")
    for process in jobs_room._started:
        process.wait(PATIENCE_S)
    jobs_room._started.clear()


def echo(job: Job, report: Report) -> Mapping[str, Any]:
    report({"fraction": 1.0})
    return {"said": job.inputs.decode()}


def refuse(_job: Job, _report: Report) -> Mapping[str, Any]:
    raise NotFoundError("unknown_plan", word="x")


def stumble(_job: Job, _report: Report) -> Mapping[str, Any]:
    raise RuntimeError("boom")


def until_told(_job: Job, report: Report) -> Mapping[str, Any]:
    """Goes on until it is told to stop."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if report({"fraction": 0.5, "stops": 3}):
            return {"stopped": True}
        time.sleep(0.01)
    return {"stopped": False}


RUNNERS = {"echo": echo, "refuse": refuse, "stumble": stumble, "wait": until_told}


def ended(jobs: Jobs, job: Job) -> Job:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = jobs.get(job.id)
        if found.status not in {Status.QUEUED, Status.RUNNING}:
            return found
        time.sleep(0.02)
    raise AssertionError(found)


def test_jobs_are_done_in_their_order_and_hold_what_came_of_them(jobs):
    asked = [jobs.add(kind, "u1", b"hello") for kind in ("echo", "refuse", "stumble")]
    assert [jobs.get(job.id).status for job in asked] == [Status.QUEUED] * 3
    work(jobs, RUNNERS, linger_s=0)
    good, refused, fell = (jobs.get(job.id) for job in asked)
    assert (good.status, good.result, good.fault) == (Status.DONE, {"said": "hello"}, None)
    assert (refused.status, refused.fault) == (Status.FAILED, ("unknown_plan", {"word": "x"}))
    assert (fell.status, fell.fault) == (Status.FAILED, ("job_fault", {"kind": "RuntimeError", "fault": "boom"}))


def test_a_key_asks_once(jobs):
    first = jobs.add("echo", "u1", b"a", "key")
    assert jobs.add("echo", "u1", b"a", "key").id == first.id
    assert jobs.add("echo", "u2", b"a", "key").id != first.id
    with pytest.raises(ConflictError):
        jobs.add("echo", "u1", b"b", "key")


def test_stopping_cancels_what_waits_and_ends_what_runs(jobs):
    running, waiting = jobs.add("wait", "u1", b""), jobs.add("wait", "u1", b"")
    jobs.stop(waiting.id)
    assert jobs.get(waiting.id).status is Status.CANCELLED
    worker = threading.Thread(target=work, args=(jobs, RUNNERS), kwargs={"linger_s": 0})
    worker.start()
    while jobs.get(running.id).progress.get("stops") != 3:
        time.sleep(0.02)
    assert jobs.get(running.id).status is Status.RUNNING
    jobs.stop(running.id)
    assert ended(jobs, running).result == {"stopped": True}
    worker.join(PATIENCE_S)


def test_a_worker_that_died_is_told_and_the_next_goes_on(jobs):
    job, following = jobs.add("echo", "u1", b"a"), jobs.add("echo", "u1", b"b")
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    assert jobs.claim(int(dead.stdout)).id == job.id
    found = jobs.get(job.id)
    assert (found.status, found.fault) == (Status.FAILED, ("job_died", {}))
    work(jobs, RUNNERS, linger_s=0)
    assert jobs.get(following.id).status is Status.DONE


def test_a_worker_that_says_nothing_is_dead(jobs, monkeypatch):
    job = jobs.add("echo", "u1", b"a")
    jobs.claim(os.getpid())
    assert jobs.get(job.id).status is Status.RUNNING
    monkeypatch.setattr(jobs_room, "DEAD_AFTER_S", -1.0)
    assert jobs.get(job.id).status is Status.FAILED


def test_what_nobody_begins_is_given_up(jobs, monkeypatch):
    job = jobs.add("echo", "u1", b"a")
    assert jobs.get(job.id).status is Status.QUEUED
    monkeypatch.setattr(jobs_room, "UNSTARTED_AFTER_S", -1.0)
    assert jobs.get(job.id).fault == ("job_unstarted", {})


def test_workers_are_started_when_something_waits_and_no_more_than_a_few(jobs):
    jobs.ensure_worker(QUIET)
    assert jobs_room._started == []
    for _ in range(4):
        jobs.add("echo", "u1", b"")
    sleeper = [sys.executable, "-c", "import time; time.sleep(1)"]
    for _ in range(4):
        jobs.ensure_worker(sleeper)
    assert 1 <= len(jobs_room._started) <= jobs_room.AT_ONCE


def test_a_job_is_claimed_once(jobs):
    asked = {jobs.add("echo", "u1", b"").id for _ in range(12)}
    claimed: list[str] = []

    def take(pid: int) -> None:
        while (job := jobs.claim(pid)) is not None:
            claimed.append(job.id)

    threads = [threading.Thread(target=take, args=(os.getpid(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(asked)


def test_old_jobs_are_forgotten(jobs, monkeypatch):
    job = jobs.add("echo", "u1", b"")
    work(jobs, RUNNERS, linger_s=0)
    monkeypatch.setattr(jobs_room, "KEPT_S", -1.0)
    jobs.add("echo", "u1", b"")
    assert jobs.get(job.id) is None


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_the_file_is_its_owners(jobs):
    jobs.add("echo", "u1", b"")
    assert jobs.path.stat().st_mode & 0o777 == 0o600
