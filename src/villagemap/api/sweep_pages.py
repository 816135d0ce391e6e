"""Pages of a sweep: all campaigns, one campaign's board, and the check-in on a phone."""

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import orjson
import shapely
from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response
from uuid_utils import uuid7

from villagemap.api.deps import Asked, lang_given
from villagemap.api.documents import answers, takes
from villagemap.api.forms import CAPTURE_FIELDS, Sent, capture_of, received, sent
from villagemap.api.frame import TAP_CSP, framed, grouped_categories
from villagemap.api.language import lang_of
from villagemap.api.problems import wants_page
from villagemap.api.sweeps import SWEEP, VISIT
from villagemap.auth import Policy, allows, permit
from villagemap.errors import VillagemapError, WrongUseError
from villagemap.flows.campaigns.sweep_views import (
    PlaceLine,
    Sweep,
    SweepState,
    VisitLine,
    coverage,
    find_listed,
    list_sweeps,
    scope_in,
    told_sweep,
    visit_fields,
)
from villagemap.flows.campaigns.sweeps import (
    Position,
    begin_sweep,
    check_in,
    close_sweep,
    mark_unreachable,
    visit_by_photo,
)
from villagemap.flows.cases.evidence import add_photo
from villagemap.flows.cases.tasks import Report, report_issue
from villagemap.flows.registry import Session
from villagemap.model import Level
from villagemap.outlines import draw_outlines
from villagemap.reach import proof_of_visit
from villagemap.settings import TIME_ZONE
from villagemap.sweeps import VISITED, Coverage, Outcome
from villagemap.texts import catalog, text

router = APIRouter(tags=["sweeps"])

JSON = "application/json"
MOST_KEY = 100
MOST_OPEN = 60
"""A board with at most so many places still to visit shows them all; with more, each town's are folded away."""

KEY = "a UUID chosen by the sender: a retry with the same gets the same answer (or header Idempotency-Key)"
BEGIN_FIELDS = {
    "id": KEY,
    "name": "what it is called",
    "town": "codes or names of towns, with commas between them; all that one may sweep where blank",
    "hamlets": "1 to list hamlets beside their villages",
    "category": "code of the one category to look for",
    "from_issue": "number or id of the finding that it starts from",
}
VISIT_FIELDS = {
    "id": KEY,
    "place": "a listed place: code, id or name",
    "issues": "1 where something was found",
    "note": "what else there is to say",
    "reason": "why the place can't be reached; no position is asked for then",
    "category": "code of the category of what was found: it is reported as an issue, with the photo",
}

Lang = Annotated[str, Depends(lang_given)]


async def place_given(
    place: Annotated[
        str,
        Query(
            default_factory=str,
            description="a listed place: code, id or name",
            openapi_examples={"example": {"value": "990001001200"}},
        ),
    ],
) -> str:
    """A place of a sweep's list, as it was written."""
    return place


Listed = Annotated[str, Depends(place_given)]


@dataclass(frozen=True, slots=True)
class Head:
    """A sweep in a list: its address, and what there is to know of it in one line."""

    href: str
    title: str
    begun: str
    closed: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a town's bar: which, how many, where it lies in percent of the bar's width."""

    kind: str
    label: str
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Spot:
    """A listed place on the board: where its check-in is ("" if the reader may not), and what was said of it."""

    name: str
    href: str
    said: str


# All campaigns


@router.get("/campaigns", summary="Sweeps as a page", responses=answers("text/html"))
def campaigns_page(request: Request, session: Asked, lang: Lang) -> Response:
    """Every sweep that the reader may see, and the form that begins one."""
    return framed(request, "sweeps.html", session, _campaigns(session, lang or lang_of(request.scope)), lang=lang)


def _campaigns(session: Session, lang: str) -> dict[str, Any]:
    gazetteer = session.workspace.gazetteer()
    towns = [town for town in gazetteer.level(Level.TOWN) if _may_sweep_in(session, town.place_id)]
    return {
        "s": catalog("sweeps", lang)["page"],
        "sweeps": [_head(state, lang) for state in list_sweeps(session)],
        "may_begin": Policy.SWEEP in session.actor.may,
        "towns": [(town.code or town.name, town.name) for town in towns],
        "groups": grouped_categories(session, lang),
        "key": str(uuid7()),
    }


def _may_sweep_in(session: Session, town_id: str) -> bool:
    return any(
        not grant.places or town_id in grant.places for grant in session.actor.grants if Policy.SWEEP in grant.policies
    )


def _head(state: SweepState, lang: str) -> Head:
    sweep = state.sweep
    closed = f"{sweep.closed_at.astimezone(TIME_ZONE):%Y-%m-%d}" if sweep.closed_at else ""
    return Head(_board(sweep), _title(state, lang), sweep.begins_on.isoformat(), closed)


def _board(sweep: Sweep) -> str:
    return f"/sweeps/{sweep.id}/board"


def _title(state: SweepState, lang: str) -> str:
    """What there is to know of a sweep, in one line."""
    told = told_sweep(state)
    hamlets = any(line.place.level is Level.HAMLET for line in state.places)
    listed = text("sweeps.page.places" if hamlets else "sweeps.page.villages", lang, count=told["listed"])
    counts = {"visited": told["visited"], "missed": told["missed"]}
    title = text("sweeps.page.title", lang, name=state.sweep.name, listed=listed, **counts)
    if told["unreachable"]:
        title += text("sweeps.page.title_unreachable", lang, count=told["unreachable"])
    return title


@router.post(
    "/campaigns",
    summary="Begin a sweep",
    responses=answers(JSON, 409, example=SWEEP, status=201),
    openapi_extra=takes(BEGIN_FIELDS),
)
async def begin(request: Request, session: Asked) -> Response:
    """Begin a sweep over a list that is frozen now; by the page's form or as JSON, once for a key."""
    said = await sent(request)
    return await run_in_threadpool(_begin, request, session, said)


def _begin(request: Request, session: Session, said: Sent) -> Response:
    try:
        begun = begin_sweep(
            session,
            said.text("name"),
            towns=[town for town in said.text("town").split(",") if town],
            hamlets=said.text("hamlets") == "1",
            category=said.text("category"),
            from_issue=said.text("from_issue"),
            key=_key(request, said),
        )
    except VillagemapError as fault:
        if not wants_page(request.headers):
            raise
        lang = lang_of(request.scope)
        values = {**_campaigns(session, lang), "fault": fault.sentence(lang)}
        return framed(request, "sweeps.html", session, values, fault.status)
    if wants_page(request.headers):
        return RedirectResponse(_board(begun), 303)
    return Response(orjson.dumps(told_sweep(coverage(session, begun.id))), 201, media_type=JSON)


# One campaign's board


@router.get("/sweeps/{sweep}/board", summary="A sweep's board", responses=answers("text/html", 404))
def board_page(request: Request, session: Asked, sweep: str, lang: Lang, place: Listed) -> Response:
    """How far a sweep is, by town; who is missed, each with its check-in; ``place`` was visited just now."""
    values = _board_values(session, sweep, lang or lang_of(request.scope), just=place)
    return framed(request, "sweep.html", session, values, lang=lang)


def _board_values(session: Session, word: str, lang: str, *, just: str = "") -> dict[str, Any]:
    state = coverage(session, word)
    sweep, words = state.sweep, session.workspace.vocabulary
    missed: dict[str, list[Spot]] = {}
    for line in state.missed:
        missed.setdefault(line.place.town, []).append(_spot(session, sweep, line, lang))
    return {
        "s": catalog("sweeps", lang)["page"],
        "outcomes": catalog("sweeps", lang)["outcomes"],
        "title": _title(state, lang),
        "sweep": sweep,
        "board": _board(sweep),
        "category": words.label("categories", sweep.category, lang) if sweep.category else "",
        "closed_on": f"{sweep.closed_at.astimezone(TIME_ZONE):%Y-%m-%d}" if sweep.closed_at else "",
        "towns": [(town, _bar(town, lang)) for town in state.towns],
        **_drawn(session, state, lang),
        "missed": missed,
        "unfolded": len(state.missed) <= MOST_OPEN or len(missed) == 1,
        "unreachable": [_unreachable(line) for line in state.places if line.outcome is Outcome.UNREACHABLE],
        "just": _just(session, state, just, lang) if just else "",
        "may_close": sweep.closed_at is None and _may_all(session, sweep),
    }


def _drawn(session: Session, state: SweepState, lang: str) -> dict[str, Any]:
    """The sweep as a small map: what was not looked at is hatched, so that it never looks like nothing found."""
    by_id = session.workspace.gazetteer().by_id
    places = [by_id.get(line.place.place_id) for line in state.places]
    shapes = [shapely.from_wkb(place.geometry) if place and place.geometry else None for place in places]
    drawing = draw_outlines(shapes)
    areas = [
        (path, line.outcome.value, f"{line.place.name}: {text(f'sweeps.outcomes.{line.outcome.value}', lang)}")
        for path, line in zip(drawing.paths, state.places, strict=True)
        if path
    ]
    approximate = any(place is not None and place.approximate for place in places)
    return {"drawing": drawing, "areas": areas, "approximate": approximate}


def _may_all(session: Session, sweep: Sweep) -> bool:
    return all(allows(session.actor, Policy.SWEEP, scope_in(session, sweep, place)) for place in sweep.listed)


def _bar(town: Coverage, lang: str) -> list[Part]:
    """A town's places as one bar of 100: with issues, clean, unreachable, missed."""
    counts = {
        "visited_with_issues": town.with_issues,
        "visited_clean": town.clean,
        "unreachable": town.unreachable,
        "pending": town.missed,
    }
    start, parts = 0.0, []
    for kind, count in counts.items():
        width = 100 * count / max(town.listed, 1)
        if count:
            parts.append(Part(kind, text(f"sweeps.outcomes.{kind}", lang), count, round(start, 2), round(width, 2)))
        start += width
    return parts


def _spot(session: Session, sweep: Sweep, line: PlaceLine, lang: str) -> Spot:
    may = sweep.closed_at is None and allows(session.actor, Policy.SWEEP, scope_in(session, sweep, line.place))
    href = f"/sweeps/{sweep.id}/check-in?{urlencode({'place': line.place.place_id})}" if may else ""
    return Spot(line.place.name, href, _why_not(line.visits[-1], lang) if line.visits else "")


def _why_not(visit: VisitLine, lang: str) -> str:
    """Why a visit doesn't count; "" where it does."""
    if visit.outcome not in VISITED:
        return ""
    proof = proof_of_visit(visit.proofs)
    if proof is None:
        return text("sweeps.visits.no_proof", lang)
    return text(f"sweeps.proofs.{proof.fault}", lang) if proof.fault else ""


def _unreachable(line: PlaceLine) -> dict[str, str]:
    reason = next((v.reason for v in reversed(line.visits) if v.outcome is Outcome.UNREACHABLE), "")
    return {"town": line.place.town, "name": line.place.name, "reason": reason}


def _just(session: Session, state: SweepState, word: str, lang: str) -> str:
    """What became of the place that the reader has just checked in at."""
    place = find_listed(session, state.sweep, word)
    line = next((line for line in state.places if line.place.place_id == place.place_id), None)
    if line is None or not line.visits:
        return ""
    why = "" if line.outcome in VISITED else _why_not(line.visits[-1], lang)
    if why:
        return text("sweeps.page.not_counted", lang, place=place.name, why=why)
    return text("sweeps.page.counted", lang, place=place.name, outcome=text(f"sweeps.outcomes.{line.outcome}", lang))


@router.post(
    "/sweeps/{sweep}/board",
    summary="Close a sweep by its page",
    responses=answers("text/html", 404, 409),
    openapi_extra=takes({"id": KEY}),
)
async def close(request: Request, session: Asked, sweep: str) -> Response:
    """The board's close button; the refusal stands on the board and names the missed."""
    said = await sent(request)
    return await run_in_threadpool(_close, request, session, sweep, said)


def _close(request: Request, session: Session, sweep: str, said: Sent) -> Response:
    try:
        closed = close_sweep(session, sweep, key=_key(request, said))
    except VillagemapError as fault:
        if not wants_page(request.headers) or fault.status == 404:  # noqa: PLR2004 - there is no board to show it on
            raise
        lang = lang_of(request.scope)
        values = {**_board_values(session, sweep, lang), "fault": fault.sentence(lang)}
        return framed(request, "sweep.html", session, values, fault.status)
    return RedirectResponse(_board(closed), 303)


# The check-in


@router.get("/sweeps/{sweep}/check-in", summary="Check in at a place", responses=answers("text/html", 404))
def check_in_page(request: Request, session: Asked, sweep: str, place: Listed, lang: Lang) -> Response:
    """The form for a phone: where it is, and whether something was found."""
    values = _check_in_values(session, sweep, place, lang or lang_of(request.scope))
    return framed(request, "checkin.html", session, values, lang=lang, csp=TAP_CSP)


def _check_in_values(session: Session, word: str, place: str, lang: str) -> dict[str, Any]:
    sweep = coverage(session, word).sweep
    listed, gazetteer = find_listed(session, sweep, place), session.workspace.gazetteer()
    permit(session.actor, Policy.SWEEP, "sweeps.check_in", scope_in(session, sweep, listed))
    known, town = gazetteer.by_id.get(listed.place_id), gazetteer.by_id.get(listed.town_id)
    return {
        "s": catalog("sweeps", lang)["page"],
        "sweep": sweep,
        "board": _board(sweep),
        "place": listed,
        "tap_town": town.code if town else "",
        "near": known.seat if known else None,
        "groups": grouped_categories(session, lang),
        "category": sweep.category,
        "key": str(uuid7()),
    }


@router.post(
    "/sweeps/{sweep}/check-in",
    summary="Check in by the page",
    responses=answers(JSON, 404, 409, example=VISIT, status=201),
    openapi_extra=takes(VISIT_FIELDS | CAPTURE_FIELDS, photo=True),
)
async def checked_in(request: Request, session: Asked, sweep: str) -> Response:
    """A visit as ``/sweeps/{sweep}/visits`` takes it; with ``category`` and a photo the finding is reported as well.

    The photo is graded, and proves the visit where its grade and its own clock suffice.
    """
    async with received(request) as said:
        return await run_in_threadpool(_checked_in, request, session, sweep, said)


def _checked_in(request: Request, session: Session, sweep: str, said: Sent) -> Response:
    place, key = said.text("place"), _key(request, said)
    try:
        visit = _visited(session, sweep, said, key)
        if said.text("category") and said.text("issues") == "1":
            _reported(session, sweep, said, key)
    except VillagemapError as fault:
        lang = lang_of(request.scope)
        if not wants_page(request.headers) or fault.status == 404:  # noqa: PLR2004 - there is no place to check in at
            raise
        lacking = fault.code == "visit_without_proof"  # its sentence is for the command line
        sentence = text("sweeps.page.no_position", lang) if lacking else fault.sentence(lang)
        values = {**_check_in_values(session, sweep, place, lang), "fault": sentence}
        return framed(request, "checkin.html", session, values, fault.status, csp=TAP_CSP)
    if wants_page(request.headers):
        return RedirectResponse(f"/sweeps/{quote(visit.sweep)}/board?{urlencode({'place': visit.place_id})}", 303)
    why = _why_not(visit, lang_of(request.scope))
    told = {"id": visit.id, **visit_fields(visit), "counts": not why, "why": why}
    return Response(orjson.dumps(told), 201, media_type=JSON)


def _visited(session: Session, sweep: str, said: Sent, key: str) -> VisitLine:
    place, reason, lonlat = said.text("place"), said.text("reason"), said.lonlat()
    if not place:
        raise WrongUseError("field_unreadable", name="place", value="")
    if reason:
        return mark_unreachable(session, sweep, place, reason, key=key)
    if lonlat is None:
        raise WrongUseError("visit_without_proof")
    measured = said.text("tapped") != "1"
    position = Position(lon=lonlat[0], lat=lonlat[1], accuracy_m=said.number("accuracy_m"), measured=measured)
    issues, at = said.text("issues") == "1", said.instant("device_at")
    return check_in(session, sweep, place, position, issues=issues, at=at, note=said.text("note"), key=key)


def _reported(session: Session, sweep: str, said: Sent, key: str) -> None:
    """Report what was found, with its photo; a photo that knows its time proves the visit too."""
    campaign = coverage(session, sweep).sweep
    listed = find_listed(session, campaign, said.text("place"))
    village = session.workspace.gazetteer().by_id.get(campaign.villages.get(listed.place_id, ""))
    told = Report(
        category=said.text("category"),
        description=said.text("note"),
        lonlat=said.lonlat(),
        accuracy_m=said.number("accuracy_m"),
        tapped=said.text("tapped") == "1",
        village=village.code if village else "",
    )
    issue = report_issue(session, told, issue_id=key)
    if said.photo is None:
        return
    photo, _ = add_photo(session, issue.id, "before", said.photo, said.photo_name, capture_of(said))
    if photo.taken_at is not None and listed.place_id in {issue.place_id, issue.village_id}:
        visit_by_photo(
            session, sweep, listed.place_id, issue.id, photo.sha256, key=f"{key}-photo"[-MOST_KEY:] if key else ""
        )


def _key(request: Request, said: Sent) -> str:
    return (request.headers.get("idempotency-key", "") or said.text("id"))[:MOST_KEY]
