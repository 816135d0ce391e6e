"""Long work for programs and pages: how far it is, and an early end."""

from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from villagemap.api.deps import Asked
from villagemap.api.documents import answers
from villagemap.api.language import lang_of
from villagemap.errors import VillagemapError
from villagemap.flows.routes.working import show_job, stop_job
from villagemap.jobs import Job

router = APIRouter(tags=["jobs"])

JSON = "application/json"
JOB = {
    "id": "019c0000-0000-7000-8000-00000000000a", "kind": "plan", "status": "running",
    "progress": {"fraction": 0.4, "seconds": 4.0, "iterations": 12000, "stops": 60, "left_out": 2, "travel_s": 31000,
                 "feasible": True},
    "result": None, "fault": None, "stopping": False,
}  # fmt: skip


@router.get("/jobs/{job}", summary="How far a job is", responses=answers(JSON, 404, example=JOB))
def job_state(request: Request, session: Asked, job: str) -> Response:
    """A job's status (queued, running, done, failed, cancelled), its progress, and its result or fault at the end."""
    return job_answer(request, show_job(session, job))


@router.post("/jobs/{job}/stop", summary="End a job early", responses=answers(JSON, 404, example=JOB))
def job_stop(request: Request, session: Asked, job: str) -> Response:
    """What waits is cancelled; what runs ends soon and keeps the best so far."""
    return job_answer(request, stop_job(session, job))


def job_answer(request: Request, job: Job, status: int = 200) -> Response:
    """A job as JSON, its fault in the reader's language."""
    return Response(orjson.dumps(_told(job, lang_of(request.scope))), status, media_type=JSON)


def _told(job: Job, lang: str) -> dict[str, Any]:
    code, params = job.fault or ("", {})
    sentence = VillagemapError(code, **params).sentence(lang) if code else ""
    return {
        "id": job.id,
        "kind": job.kind,
        "status": job.status.value,
        "progress": dict(job.progress),
        "result": job.result,
        "fault": {"code": code, "sentence": sentence} if code else None,
        "stopping": job.stopping,
        "href": f"/jobs/{job.id}",
    }
