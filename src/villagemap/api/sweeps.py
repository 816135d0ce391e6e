"""Sweeps for programs and phones: what there is, how far one is, a check-in, the end."""

from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from villagemap.api.deps import Asked
from villagemap.api.documents import GEOJSON, answers
from villagemap.api.forms import Sent, sent
from villagemap.api.language import lang_of
from villagemap.errors import WrongUseError
from villagemap.flows.campaigns.sweep_views import (
    VisitLine,
    coverage,
    coverage_map,
    list_sweeps,
    told_places,
    told_sweep,
    visit_fields,
)
from villagemap.flows.campaigns.sweeps import Position, check_in, close_sweep, mark_unreachable, visit_by_photo
from villagemap.flows.registry import Session
from villagemap.reach import proof_of_visit
from villagemap.texts import text

router = APIRouter(tags=["sweeps"])

JSON = "application/json"
MOST_KEY = 100
SWEEP = {
    "id": "019c0000-0000-7000-8000-000000000007", "name": "spring 2026", "category": "", "from_issue": "",
    "begins_on": "2026-03-01", "begun_by": "owner", "digest": "0" * 64, "closed_at": None, "listed": 301,
    "visited": 300, "unreachable": 0, "missed": 1,
    "towns": [{"town_id": "t1", "town": "Example", "listed": 301, "with_issues": 120, "clean": 180, "unreachable": 0,
               "missed": 1, "unproven": 1, "visited": 300}],
}  # fmt: skip
VISIT = {
    "id": "019c0000-0000-7000-8000-000000000008", "place": "v4", "outcome": "visited_clean", "by": "u7",
    "at": "2026-03-09T01:00:00.000000Z", "proofs": [{"kind": "check_in", "distance_m": 0, "accuracy_m": 12}],
    "counts": True, "why": "",
}  # fmt: skip


@router.get("/sweeps", summary="All sweeps", responses=answers(JSON, example={"sweeps": [SWEEP]}))
def sweeps(session: Asked) -> Response:
    """Each sweep with its coverage by town, as far as the asker may see; the latest first."""
    return _json({"sweeps": [told_sweep(state) for state in list_sweeps(session)]})


@router.get("/sweeps/{sweep}", summary="How far a sweep is", responses=answers(JSON, 404, example=SWEEP))
def sweep_state(session: Asked, sweep: str) -> Response:
    """A sweep by id or name: coverage by town, and each place with its outcome, its visits and their proofs."""
    state = coverage(session, sweep)
    return _json({**told_sweep(state), "places": told_places(state.places)})


@router.get("/sweeps/{sweep}/map", summary="A sweep as a map", responses=answers(GEOJSON, 404))
def sweep_map(session: Asked, sweep: str) -> Response:
    """Every listed place with its outcome; ``approximate`` areas were drawn from points and are no boundaries."""
    return Response(orjson.dumps(coverage_map(session, sweep)), media_type=GEOJSON)


@router.post("/sweeps/{sweep}/visits", summary="Record a visit", responses=answers(JSON, 404, example=VISIT))
async def visit(request: Request, session: Asked, sweep: str) -> Response:
    """A visit, as a form or JSON: ``place`` and one of

    - ``lon``, ``lat``, ``accuracy_m`` (and ``tapped=1`` where the position was tapped on a map),
    - ``issue`` and ``photo_sha256`` of a graded photo there,
    - ``reason`` why it can't be reached.

    ``issues=1`` says that something was found, ``device_at`` when it was (milliseconds since 1970), ``note`` what else.
    A retry with the same ``Idempotency-Key`` (or ``key``) gets the same answer. What proves nothing is recorded too:
    ``counts`` is false then, and ``why`` says why.
    """  # noqa: D400 - a list follows
    said = await sent(request)
    key = _key(request, said)
    line = await run_in_threadpool(_visited, session, sweep, said, key)
    proof = proof_of_visit(line.proofs)
    why = text(f"sweeps.proofs.{proof.fault}", lang_of(request.scope)) if proof and proof.fault else ""
    return _json({"id": line.id, **visit_fields(line), "counts": not why, "why": why}, 201)


@router.post("/sweeps/{sweep}/close", summary="Close a sweep", responses=answers(JSON, 404, 409, example=SWEEP))
async def close(request: Request, session: Asked, sweep: str) -> Response:
    """Close a sweep; 409 ``sweep_missed`` names the places that are missed."""
    said = await sent(request)
    key = _key(request, said)
    return _json(await run_in_threadpool(_closed, session, sweep, key))


def _closed(session: Session, sweep: str, key: str) -> dict[str, Any]:
    return told_sweep(coverage(session, close_sweep(session, sweep, key=key).id))


def _visited(session: Session, sweep: str, said: Sent, key: str) -> VisitLine:
    place, issues = said.text("place"), said.text("issues").lower() in {"1", "true"}
    photo, reason = said.text("photo_sha256"), said.text("reason")
    lon, lat = said.number("lon"), said.number("lat")
    if not place:
        raise WrongUseError("field_unreadable", name="place", value="")
    if photo:
        return visit_by_photo(session, sweep, place, said.text("issue"), photo, issues=issues, key=key)
    if reason:
        return mark_unreachable(session, sweep, place, reason, key=key)
    if lon is None or lat is None:
        raise WrongUseError("visit_without_proof")
    tapped = said.text("tapped").lower() in {"1", "true"}
    position = Position(lon=lon, lat=lat, accuracy_m=said.number("accuracy_m"), measured=not tapped)
    at, note = said.instant("device_at"), said.text("note")
    return check_in(session, sweep, place, position, issues=issues, at=at, note=note, key=key)


def _key(request: Request, said: Sent) -> str:
    return (request.headers.get("idempotency-key", "") or said.text("key"))[:MOST_KEY]


def _json(told: Any, status: int = 200) -> Response:  # noqa: ANN401 - anything that JSON can say
    return Response(orjson.dumps(told), status, media_type=JSON)
