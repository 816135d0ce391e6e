"""Long work about plans: asked for as a job, done by a worker process, looked at by whoever may plan."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from villagemap.auth import NOBODY, OWNER, Policy
from villagemap.errors import NotFoundError
from villagemap.flows.people.accounts import actor_of_account
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.kept import find_plan
from villagemap.flows.routes.planning import make_plan, told_progress
from villagemap.flows.routes.replanning import read_happened, replan_day, told_changes
from villagemap.flows.routes.request import read_request
from villagemap.flows.workspace import open_workspace
from villagemap.jobs import LINGER_S, Job, Jobs, Report, work
from villagemap.routing.solving import Progress
from villagemap.texts import DEFAULT_LANG

JOBS_FILE = "jobs.sqlite"
COMMAND = "run-jobs"
"""The command line's hidden word for a worker."""


def jobs_of(session: Session) -> Jobs:
    """The jobs of a workspace."""
    return Jobs(session.workspace.folder / JOBS_FILE)


def begin(session: Session, kind: str, inputs: Mapping[str, Any], key: str) -> Job:
    """Put a job down, and see that somebody does it."""
    jobs = jobs_of(session)
    job = jobs.add(kind, session.actor.id, orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS), key)
    jobs.ensure_worker(worker_command(session.workspace.folder))
    return job


def worker_command(folder: Path) -> list[str]:
    """How a worker is started."""
    return [sys.executable, "-m", "villagemap", COMMAND, "--dir", str(folder.resolve())]


@flow("jobs.plan", Policy.PLAN)
def begin_plan(session: Session, said: bytes | Mapping[str, Any], *, key: str = "") -> Job:
    """Ask for a plan as a job; its result is ``{"plan": id}``.

    Raises
    ------
    UnreadableRequestError
        ``request_unreadable``
    ConflictError
        ``key_used``
    """
    request = read_request(said)
    return begin(session, "plan", orjson.loads(request.model_dump_json(exclude_defaults=True)), key)


@flow("jobs.replan", Policy.PLAN)
def begin_replan(
    session: Session, word: str, said: bytes | Mapping[str, Any], *, lang: str = DEFAULT_LANG, key: str = ""
) -> Job:
    """Ask for a new plan during the day as a job; its result is ``{"plan": id, "changes": {…}}``.

    Raises
    ------
    UnreadableRequestError
        ``request_unreadable``
    NotFoundError
        ``unknown_plan``
    ConflictError
        ``key_used``
    """
    happened = read_happened(said)
    plan = find_plan(session, word).subject.removeprefix("plan/")
    told = orjson.loads(happened.model_dump_json(exclude_defaults=True))
    return begin(session, "replan", {"plan": plan, "lang": lang, "happened": told}, key)


@flow("jobs.show", Policy.PLAN)
def show_job(session: Session, job_id: str) -> Job:
    """A job as it stands; where it waits and nobody works, somebody is called.

    Raises
    ------
    NotFoundError
        ``unknown_job``
    """
    jobs = jobs_of(session)
    job = jobs.get(job_id)
    if job is None:
        raise NotFoundError("unknown_job", word=job_id[:100])
    if job.status == "queued":
        jobs.ensure_worker(worker_command(session.workspace.folder))
    return job


@flow("jobs.stop", Policy.PLAN)
def stop_job(session: Session, job_id: str) -> Job:
    """End a job early: one that waits is cancelled, one that runs keeps the best so far; raises as `show_job` does."""
    show_job(session, job_id)
    jobs_of(session).stop(job_id)
    return show_job(session, job_id)


def run_jobs(folder: Path, *, linger_s: float = LINGER_S) -> None:
    """Be a worker of a workspace until nothing has come for a while.

    No flow: it works as whoever asked for each job, and every flow asks their policy again.
    """
    workspace = open_workspace(folder)
    local = Session(workspace, OWNER)

    def plan(job: Job, report: Report) -> Mapping[str, Any]:
        request = read_request(job.inputs)

        def watch(progress: Progress) -> bool:
            return report(told_progress(progress, request))

        return {"plan": make_plan(_as_asker(local, job), request, watch=watch).id}

    def new_plan(job: Job, _report: Report) -> Mapping[str, Any]:
        said = orjson.loads(job.inputs)
        new = replan_day(_as_asker(local, job), said["plan"], read_happened(said["happened"]))
        return {"plan": new.kept.id, "changes": told_changes(new, said["lang"])}

    try:
        work(jobs_of(local), {"plan": plan, "replan": new_plan}, linger_s=linger_s)
    finally:
        workspace.close()


def _as_asker(local: Session, job: Job) -> Session:
    """Whoever asked for a job, with what they may do today."""
    return Session(local.workspace, actor_of_account(local, job.owner) or NOBODY)
