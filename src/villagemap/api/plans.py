"""Plans of routes for programs and the route page: ask for one, look, change, take along."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from villagemap.api.deps import Asked, Kinds, Where, kinds_given, overdue_given, places_given, places_meant
from villagemap.api.documents import GEOJSON, answers
from villagemap.api.jobs import JOB, job_answer
from villagemap.api.language import lang_of
from villagemap.errors import BadInputError, WrongUseError
from villagemap.flows.registry import Session
from villagemap.flows.routes.candidates import candidates
from villagemap.flows.routes.kept import KeptPlan, list_plans, show_plan, told_head, undo
from villagemap.flows.routes.legs import plan_legs
from villagemap.flows.routes.telling import tell_plan
from villagemap.flows.routes.working import begin_plan
from villagemap.model import IssueFilter

router = APIRouter(tags=["plans"])

JSON = "application/json"
MOST_KEY = 100
PLAN_ID = "019c0000-0000-7000-8000-00000000000b"
HEAD = {
    "id": PLAN_ID, "name": "spring 2026", "made_at": "2026-03-20T01:00:00.000000Z", "made_by": "u7", "sealed": False,
    "sweep": "", "days": 5, "teams": 2, "stops": 60, "left_out": 2,
}  # fmt: skip
PLAN = {
    "id": PLAN_ID, "name": "spring 2026", "revision": 1, "made_at": "2026-03-20T01:00:00.000000Z", "made_by": "u7",
    "sealed": False, "sweep": "", "digest": "0" * 64, "can_undo": False, "problem": {}, "plan": {}, "findings": [],
    "told": {"left_out": {}, "breaches": [], "matrix": "straight line × 1.3 at 38 km/h (an estimate)"},
}  # fmt: skip
REQUEST = {"days": {"first": "2026-03-21", "count": 5}, "teams": [{"name": "A"}, {"name": "B"}],
           "choose": {"villages": "all"}}  # fmt: skip


@router.get("/plans", summary="All plans", responses=answers(JSON, example=[HEAD]))
def plans(session: Asked) -> Response:
    """Kept plans, the latest first."""
    return _json([told_head(head) for head in list_plans(session)])


@router.post(
    "/plans",
    summary="Ask for a plan",
    responses=answers(JSON, 409, example={**JOB, "status": "queued", "href": f"/jobs/{JOB['id']}"}, status=202),
    status_code=202,
    openapi_extra={"requestBody": {"content": {JSON: {"schema": {"type": "object"}, "example": REQUEST}}}},
)
async def plan_asked(request: Request, session: Asked) -> Response:
    """Plan as ``docs/request.schema.json`` says; the answer is a job. A retry with its ``Idempotency-Key`` gets it."""
    said = await body(request)
    key = request.headers.get("idempotency-key", "")[:MOST_KEY]
    return job_answer(request, await run_in_threadpool(begin_plan, session, said, key=key), 202)


@router.get("/plans/{plan}", summary="A plan", responses=answers(JSON, 404, example=PLAN))
def plan(request: Request, session: Asked, plan: str) -> Response:
    """A plan by id or name: problem, routes, findings, and sentences about what was left out and what is wrong."""
    return told(request, session, show_plan(session, plan))


@router.get("/plans/{plan}/legs", summary="A plan's legs as lines", responses=answers(GEOJSON, 404))
def legs(session: Asked, plan: str) -> Response:
    """Each leg from the start over the calls back, with its seconds and metres; ``estimated`` are straight lines."""
    return Response(orjson.dumps(plan_legs(session, show_plan(session, plan))), media_type=GEOJSON)


@router.post("/plans/{plan}/undo", summary="Go back by a revision", responses=answers(JSON, 404, 409, example=PLAN))
async def undone(request: Request, session: Asked, plan: str) -> Response:
    """The revision before, as a new one; ``revision`` is the one that the asker has seen."""
    said = await document(request)
    kept = await run_in_threadpool(undo, session, plan, revision=whole_number(said, "revision"))
    return await run_in_threadpool(told, request, session, kept)


@router.get("/stops.geojson", summary="What can be chosen for a plan", responses=answers(GEOJSON))
def stops(
    session: Asked,
    where: Annotated[Where, Depends(places_given)],
    kinds: Annotated[Kinds, Depends(kinds_given)],
    overdue: Annotated[bool, Depends(overdue_given)],
) -> Response:
    """Villages and open issues as points; the filters are those of issues, and towns cut villages too."""
    towns, villages = places_meant(session, where)
    asked = IssueFilter(
        towns=tuple(place.place_id for place in towns),
        villages=tuple(place.place_id for place in villages),
        categories=kinds.categories,
        statuses=kinds.statuses,
        overdue_on=session.workspace.settings.day() if overdue else None,
    )
    return Response(orjson.dumps(candidates(session, asked)), media_type=GEOJSON)


# What the routes share


def told(request: Request, session: Session, kept: KeptPlan) -> Response:
    """A plan as JSON, with its sentences in the reader's language."""
    return _json(tell_plan(session, kept, lang_of(request.scope)))


async def body(request: Request) -> bytes:
    """A request's JSON text; a form of another page can't send one.

    Raises
    ------
    BadInputError
        ``body_unreadable`` if it isn't said to be JSON.
    """
    if not request.headers.get("content-type", "").startswith(JSON):
        raise BadInputError("body_unreadable")
    return await request.body()


async def document(request: Request) -> dict[str, Any]:
    """A request's JSON object; raises ``body_unreadable`` for anything else."""
    try:
        value = orjson.loads(await body(request) or b"{}")
    except orjson.JSONDecodeError as fault:
        raise BadInputError("body_unreadable") from fault
    if not isinstance(value, dict):
        raise BadInputError("body_unreadable")
    return value


def whole_number(said: dict[str, Any], name: str) -> int:
    """A member that must be a whole number; raises ``field_unreadable``."""
    value = said.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongUseError("field_unreadable", name=name, value=str(value)[:60])
    return value


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - anything that JSON can say
    return Response(orjson.dumps(value), status, media_type=JSON)
