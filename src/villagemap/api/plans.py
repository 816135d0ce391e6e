"""Plans of routes for programs and the route page: ask for one, look, change, take along."""

from dataclasses import asdict
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends, Query, Request
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from villagemap.api.deps import NUMBER, Asked, Kinds, Where, kinds_given, overdue_given, places_given, places_meant
from villagemap.api.documents import GEOJSON, answers
from villagemap.api.jobs import JOB, job_answer
from villagemap.api.language import lang_of
from villagemap.api.problems import MEDIA_TYPE, problem_response
from villagemap.errors import BadInputError, WrongUseError
from villagemap.flows.registry import Session
from villagemap.flows.routes.candidates import candidates
from villagemap.flows.routes.corridor import WITHIN_M
from villagemap.flows.routes.editing import PlanBreaksError, keep_moves, set_locks, try_moves
from villagemap.flows.routes.exporting import MEDIA_TYPES, export_plan
from villagemap.flows.routes.kept import KeptPlan, list_plans, show_plan, told_head, undo
from villagemap.flows.routes.legs import issues_beside, plan_legs
from villagemap.flows.routes.request import MOST_STOPS, LockTold, UnreadableRequestError, faults_of, parsed
from villagemap.flows.routes.telling import tell_plan, told_breaches
from villagemap.flows.routes.working import begin_plan, begin_replan
from villagemap.model import IssueFilter
from villagemap.plans import Lock
from villagemap.plans.codec import to_json
from villagemap.routing.editing import Move

Part = TypeVar("Part")

router = APIRouter(tags=["plans"])


def _query(description: str, example: str) -> Any:  # noqa: ANN401 - FastAPI's own Query is untyped
    return Query(default_factory=str, description=description, openapi_examples={"example": {"value": example}})


async def shift_given(
    team: Annotated[str, _query("Only this team's routes, by its id", "t1")],
    day: Annotated[str, _query("Only this day's routes, by its number from 1", "1")],
) -> tuple[str, int]:
    """A team and a day, "" and 0 for all."""
    if day and not (day.isascii() and day.isdecimal() and len(day) <= 2):  # noqa: PLR2004 - digits of a day's number
        raise WrongUseError("parameter_unreadable", name="day", value=day[:60])
    return team, int(day or 0)


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
TRIED = {
    "delta": {"travel_s": 180, "distance_m": 2100, "working_s": 180, "stops": 0}, "breaches": [], "plan": {},
}  # fmt: skip
HAPPENED = {
    "day": 1,
    "now": "13:20",
    "done": ["v4", "v5"],
    "under_way": {"t1": "v6"},
    "late": {"t1": 40},
    "broken": ["t2"],
}
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


@router.post("/plans/{plan}/try", summary="Try a change", responses=answers(JSON, 404, 409, example=TRIED))
async def tried(request: Request, session: Asked, plan: str) -> Response:
    """What ``moves`` would come to, and what they break; nothing is kept."""
    moves = moves_of(await document(request))
    kept, edited = await run_in_threadpool(try_moves, session, plan, moves)
    return _json(
        {
            "delta": asdict(edited.delta),
            "breaches": told_breaches(kept.problem, edited.breaches, lang_of(request.scope)),
            "plan": orjson.loads(to_json(edited.plan)),
        }
    )


@router.post("/plans/{plan}/moves", summary="Change a plan", responses=answers(JSON, 404, 409, example=PLAN))
async def moved(request: Request, session: Asked, plan: str) -> Response:
    """Make ``moves`` and keep the plan; 409 ``plan_breaks`` tells what they break, unless ``force`` is true."""
    said = await document(request)
    revision, moves = whole_number(said, "revision"), moves_of(said)
    force = said.get("force") is True
    try:
        kept = await run_in_threadpool(keep_moves, session, plan, moves, revision=revision, force=force)
    except PlanBreaksError as fault:
        return await run_in_threadpool(_breaks, request, session, plan, fault)
    return await run_in_threadpool(told, request, session, kept)


def _breaks(request: Request, session: Session, plan: str, fault: PlanBreaksError) -> Response:
    """The problem document, with what would break."""
    answer = problem_response(request.scope, fault)
    if answer.media_type != MEDIA_TYPE:
        return answer
    problem = show_plan(session, plan).problem
    said = orjson.loads(bytes(answer.body)) | {
        "breaches": told_breaches(problem, fault.breaches, lang_of(request.scope))
    }
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return Response(orjson.dumps(said), answer.status_code, headers, MEDIA_TYPE)


@router.post("/plans/{plan}/locks", summary="Fix stops", responses=answers(JSON, 404, 409, example=PLAN))
async def locked(request: Request, session: Asked, plan: str) -> Response:
    """Put ``locks`` in the place of all that there are; a new plan goes by them."""
    said = await document(request)
    revision, locks = whole_number(said, "revision"), parts_of(LockTold, said, "locks")
    kept = await run_in_threadpool(set_locks, session, plan, [Lock(**dict(lock)) for lock in locks], revision=revision)
    return await run_in_threadpool(told, request, session, kept)


@router.post(
    "/plans/{plan}/replan",
    summary="A new plan during the day",
    responses=answers(JSON, 404, 409, example={**JOB, "status": "queued"}, status=202),
    status_code=202,
    openapi_extra={"requestBody": {"content": {JSON: {"schema": {"type": "object"}, "example": HAPPENED}}}},
)
async def replanned(request: Request, session: Asked, plan: str) -> Response:
    """A job that plans the rest of a day anew; its result tells what was moved, dropped or came in."""
    said, lang = await body(request), lang_of(request.scope)
    key = request.headers.get("idempotency-key", "")[:MOST_KEY]
    job = await run_in_threadpool(begin_replan, session, plan, said, lang=lang, key=key)
    return job_answer(request, job, 202)


@router.get("/plans/{plan}/sheet.{form}", summary="A plan to take along", responses=answers("application/pdf", 404))
def sheet(
    request: Request, session: Asked, plan: str, form: str, part: Annotated[tuple[str, int], Depends(shift_given)]
) -> Response:
    """Sheets for printing (pdf), xlsx, gpx, kml, geojson, txt; of one team or day where they are given."""
    kept = show_plan(session, plan)
    address = f"{request.url.scheme}://{request.headers['host']}"
    made = export_plan(session, kept, form, lang=lang_of(request.scope), team=part[0], day=part[1], address=address)
    name = quote(f"{kept.name}.{form}")
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(made, headers=headers, media_type=MEDIA_TYPES[form])


async def width_given(
    within_m: Annotated[str, _query("Metres from the way, 200 if not said", "200")],
) -> float:
    """How far beside a way is looked."""
    if not within_m:
        return WITHIN_M
    if not NUMBER.fullmatch(within_m):
        raise WrongUseError("parameter_unreadable", name="within_m", value=within_m[:60])
    return float(within_m)


@router.get("/plans/{plan}/corridor", summary="Open issues beside a plan's way", responses=answers(JSON, 404))
def corridor(
    session: Asked,
    plan: str,
    within_m: Annotated[float, Depends(width_given)],
    part: Annotated[tuple[str, int], Depends(shift_given)],
) -> Response:
    """Open issues that a plan, or one team's or day's part of it, passes without calling, in the order of passing."""
    found = issues_beside(session, show_plan(session, plan), within_m=within_m, team=part[0], day=part[1])
    return _json({"issues": [asdict(one) for one in found]})


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
        value = parsed(await body(request) or b"{}")
    except UnreadableRequestError as fault:
        raise BadInputError("body_unreadable") from fault
    if not isinstance(value, dict):
        raise BadInputError("body_unreadable")
    return value


def moves_of(said: dict[str, Any]) -> list[Move]:
    """The member ``moves``; raises ``field_unreadable``."""
    return parts_of(Move, said, "moves")


def parts_of(kind: type[Part], said: dict[str, Any], name: str) -> list[Part]:
    """A member that is a list of ``kind``; raises ``field_unreadable`` for anything else."""
    value = said.get(name)
    if not isinstance(value, list) or len(value) > MOST_STOPS:
        raise WrongUseError("field_unreadable", name=name, value=str(value)[:60])
    try:
        adapter = TypeAdapter(list[kind])  # type: ignore[valid-type]
        return adapter.validate_python(value)
    except ValidationError as fault:
        raise UnreadableRequestError(faults_of(fault)) from fault


def whole_number(said: dict[str, Any], name: str) -> int:
    """A member that must be a whole number; raises ``field_unreadable``."""
    value = said.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongUseError("field_unreadable", name=name, value=str(value)[:60])
    return value


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - anything that JSON can say
    return Response(orjson.dumps(value), status, media_type=JSON)
