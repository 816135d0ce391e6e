"""Pages and addresses of a day's work: my tasks, an issue's story, the verifier's queue, a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from villagemap.api.deps import Asked, lang_given
from villagemap.api.documents import answers, takes
from villagemap.api.forms import ACTION_FIELDS, CAPTURE_FIELDS, KEY_FIELDS, Sent, capture_of, given_of, received
from villagemap.api.frame import TAP_CSP, framed, grouped_categories, own_town
from villagemap.api.language import lang_of
from villagemap.api.problems import wants_page
from villagemap.auth import Policy, permit
from villagemap.errors import VillagemapError, WrongUseError
from villagemap.flows.cases.actions import Possible, may_take, possible_actions, take_action
from villagemap.flows.cases.evidence import add_photo, grades_by_photo
from villagemap.flows.cases.issues import card, note_of
from villagemap.flows.cases.tasks import Report, Task, my_tasks, report_issue, verifiers_queue
from villagemap.flows.narrowing import seen_issue
from villagemap.flows.registry import Session
from villagemap.model import Issue
from villagemap.settings import TIME_ZONE
from villagemap.texts import catalog, text

router = APIRouter(tags=["work"])

JSON = "application/json"
ACTED = {"id": "019c0000-0000-7000-8000-000000000001", "status": "submitted", "revision": 3}
GRADED = {"sha256": "0" * 64, "stage": "after", "grade": "B", "reasons": ["It was chosen from the album."]}
REPORTED = {"id": "019c0000-0000-7000-8000-000000000001", "status": "reported"}
REPORT_FIELDS = {
    "id": "a UUID chosen by the sender: the same again is the same report",
    "category": "code of its category",
    "description": "what is wrong",
    "location_text": "where it is, in words",
    "village": "code or name of the village, where no position tells it",
    "severity": "1 slight to 5 grave",
    "quantity_found": "how many, in the category's unit",
}

WITH_PHOTO = frozenset({"submit", "interim", "progress"})
"""Actions whose form takes a photo along."""

PHOTO_STAGE = {"submit": "after", "interim": "interim", "progress": "during"}

Lang = Annotated[str, Depends(lang_given)]


@dataclass(frozen=True, slots=True)
class Line:
    """One issue in a list, in the reader's words."""

    href: str
    number: str
    category: str
    place: str
    urgency: str
    urgency_code: str
    due_on: str
    days_left: int | None
    status: str
    because: str
    before: str
    after: str
    act: str
    decide: str
    revision: int


@router.get("/tasks", summary="My tasks", responses=answers("text/html"))
def tasks_page(request: Request, session: Asked, lang: Lang) -> Response:
    """What the reader's units still have to work on."""
    tasks, count = my_tasks(session)
    return framed(request, "tasks.html", session, {"lines": _lines(request, session, tasks), "count": count}, lang=lang)


@router.get("/queue", summary="The verifier's queue", responses=answers("text/html"))
def queue_page(request: Request, session: Asked, lang: Lang) -> Response:
    """What was submitted, before and after side by side."""
    tasks, count = verifiers_queue(session)
    actions = catalog("workflow", lang or lang_of(request.scope))["actions"]
    return framed(
        request,
        "queue.html",
        session,
        {"lines": _lines(request, session, tasks), "count": count, "actions": actions},
        lang=lang,
    )


def _lines(request: Request, session: Session, tasks: Sequence[Task]) -> list[Line]:
    lang, words = lang_of(request.scope), session.workspace.vocabulary
    by_id = session.workspace.gazetteer().by_id
    lines = []
    for task in tasks:
        issue = task.issue
        place = by_id.get(issue.village_id or issue.town_id or "")
        shown = _pictures(session, issue)
        lines.append(
            Line(
                href=f"/issues/{issue.id}/story",
                number=issue.number or issue.id[:8],
                category=words.label("categories", issue.category, lang),
                place=" ".join(filter(None, (place.name if place else "", issue.location_text))),
                urgency=words.label("urgencies", task.urgency, lang),
                urgency_code=task.urgency.value,
                due_on=issue.due_on.isoformat() if issue.due_on else "",
                days_left=task.days_left,
                status=words.label("statuses", issue.status, lang),
                because=task.returned_because,
                before=shown.get("before", ""),
                after=shown.get("after", ""),
                act=f"/issues/{issue.id}/actions",
                decide=_decision(session, issue),
                revision=issue.revision,
            )
        )
    return lines


def _decision(session: Session, issue: Issue) -> str:
    """What passes a submission on, as far as this reader may: the county's closing, or the town's check."""
    return next((code for code in ("close", "check") if may_take(session, code, issue)), "")


def _pictures(session: Session, issue: Issue) -> dict[str, str]:
    """Stage to the address of its newest picture."""
    photos = session.workspace.store.photos(issue.id)
    return {photo.stage: f"/issues/{issue.id}/photos/{photo.sha256[:16]}" for photo in photos}


@router.get("/issues/{issue_id}/story", summary="An issue's page", responses=answers("text/html", 404))
def story_page(request: Request, session: Asked, issue_id: str, lang: Lang) -> Response:
    """An issue's story in plain words, its photos, and every action that the reader may take now."""
    permit(session.actor, Policy.READ, "issues.show")
    return framed(request, "issue.html", session, _story(request, session, issue_id), lang=lang)


def _story(request: Request, session: Session, issue_id: str) -> dict[str, Any]:
    lang, workspace = lang_of(request.scope), session.workspace
    issue = seen_issue(session, issue_id, "issues.story")
    events = workspace.store.events(f"issue/{issue.id}")
    shown = card(session, issue, events, workspace.store.photos(issue.id), workspace.settings.day())
    words = workspace.vocabulary
    labels = {
        "category": words.label("categories", issue.category, lang),
        "status": words.label("statuses", issue.status, lang),
        "urgency": words.label("urgencies", shown["urgency"], lang),
        "lead_unit": words.label("units", issue.lead_unit, lang),
        "help_units": [words.label("units", unit, lang) for unit in issue.help_units],
        "sources": [words.label("sources", source, lang) for source in shown["sources"]],
    }
    return {
        "issue": issue,
        "card": shown,
        "labels": labels,
        "photos": _graded(session, issue, lang),
        "steps": [
            _step(event.kind, event.at.astimezone(TIME_ZONE), event.actor, note_of(event), lang) for event in events
        ],
        "actions": [_button(possible, lang) for possible in possible_actions(session, issue)],
        "may_add": any(p in session.actor.may for p in (Policy.WORK, Policy.REPORT, Policy.VERIFY)),
    }


def _step(kind: str, at: Any, actor: str, note: str, lang: str) -> dict[str, str]:  # noqa: ANN401 - a local instant
    code = kind.partition(".")[2]
    known = catalog("workflow", lang)["actions"]
    said = known.get(code) if kind.startswith("issue.") else text("work.photo_added", lang)
    return {"at": at.strftime("%Y-%m-%d %H:%M"), "what": said or code, "who": actor, "note": note}


def _graded(session: Session, issue: Issue, lang: str) -> list[dict[str, Any]]:
    grades = grades_by_photo(session, issue)
    stages = catalog("work", lang)["stages"]
    return [
        {
            "href": f"/issues/{issue.id}/photos/{photo.sha256[:16]}",
            "stage": stages.get(photo.stage, photo.stage),
            "letter": grade.letter.value if grade else "",
            "reasons": [reason.sentence(lang) for reason in grade.reasons] if grade else [],
        }
        for photo in session.workspace.store.photos(issue.id)
        for grade in [grades.get(photo.sha256)]
    ]


def _button(possible: Possible, lang: str) -> dict[str, Any]:
    lacking = {code: text(f"work.lacking.{code}", lang) for code in possible.lacking}
    return {
        "code": possible.code,
        "label": text(f"workflow.actions.{possible.code}", lang),
        "needs": possible.needs,
        "lacking": list(lacking.values()),
        "photo": possible.code in WITH_PHOTO,
        "quantity": possible.code in {"submit", "progress"},
    }


@router.post(
    "/issues/{issue_id}/actions/{code}",
    summary="Take an action",
    responses=answers(JSON, 404, 409, example=ACTED),
    openapi_extra=takes(
        {"revision": "the revision that was looked at", **ACTION_FIELDS, **KEY_FIELDS, **CAPTURE_FIELDS}, photo=True
    ),
)
async def act(request: Request, session: Asked, issue_id: str, code: str) -> Response:
    """One step of an issue's life, by the page's form or as JSON; a retry with the same key gets the same answer."""
    async with received(request) as said:
        return await run_in_threadpool(_act, request, session, issue_id, code, said)


def _act(request: Request, session: Session, issue_id: str, code: str, said: Sent) -> Response:
    key = request.headers.get("idempotency-key", "") or said.text("key")
    revision = said.number("revision")
    try:
        if said.photo is not None and code in PHOTO_STAGE:
            add_photo(session, issue_id, PHOTO_STAGE[code], said.photo, said.photo_name, capture_of(said))
            revision = None  # the photo has just been added by this very request
        given = given_of(said, session.workspace.settings.day())
        issue = take_action(
            session, code, issue_id, given, revision=int(revision) if revision is not None else None, key=key[:100]
        )
    except VillagemapError as fault:
        if not wants_page(request.headers):
            raise
        fault_said = {"fault": fault.sentence(lang_of(request.scope))}
        return framed(
            request, "issue.html", session, {**_story(request, session, issue_id), **fault_said}, fault.status
        )
    if wants_page(request.headers):
        return RedirectResponse(f"/issues/{issue.id}/story", 303)
    return Response(orjson.dumps({"id": issue.id, "status": issue.status, "revision": issue.revision}),
                    media_type=JSON)  # fmt: skip


@router.post(
    "/issues/{issue_id}/photos",
    summary="Add a photo",
    responses=answers(JSON, 404, example=GRADED, status=201),
    openapi_extra=takes({"stage": "before, during, after or interim", **CAPTURE_FIELDS}, photo=True),
)
async def photo(request: Request, session: Asked, issue_id: str) -> Response:
    """A photo of an issue, with how it came; answers with its grade and the reasons."""
    async with received(request) as said:
        if said.photo is None:
            raise WrongUseError("field_unreadable", name="photo", value="")
        kept, grade = await run_in_threadpool(
            add_photo, session, issue_id, said.text("stage"), said.photo, said.photo_name, capture_of(said)
        )
    if wants_page(request.headers):
        return RedirectResponse(f"/issues/{quote(kept.issue_id)}/story", 303)
    lang = lang_of(request.scope)
    told = {"sha256": kept.sha256, "stage": kept.stage, "grade": grade.letter.value,
            "reasons": [reason.sentence(lang) for reason in grade.reasons]}  # fmt: skip
    return Response(orjson.dumps(told), 201, media_type=JSON)


@router.get("/report", summary="Report an issue", responses=answers("text/html"))
def report_page(request: Request, session: Asked, lang: Lang) -> Response:
    """The form for a new report."""
    permit(session.actor, Policy.REPORT, "issue.report")
    return framed(request, "report.html", session, _choices(request, session), lang=lang, csp=TAP_CSP)


def _choices(request: Request, session: Session) -> dict[str, Any]:
    """What a report's form offers: categories by group, and the town whose map is opened to tap on."""
    return {"groups": grouped_categories(session, lang_of(request.scope)), "tap_town": own_town(session)}


@router.post(
    "/report",
    summary="Report an issue",
    responses=answers(JSON, 409, example=REPORTED, status=201),
    openapi_extra=takes(REPORT_FIELDS | CAPTURE_FIELDS, photo=True),
)
async def report(request: Request, session: Asked) -> Response:
    """Take a report in, with its photo; the same id again is the same report."""
    async with received(request) as said:
        return await run_in_threadpool(_report, request, session, said)


def _report(request: Request, session: Session, said: Sent) -> Response:
    told = Report(
        category=said.text("category"),
        description=said.text("description"),
        location_text=said.text("location_text"),
        severity=int(said.number("severity") or 3),
        quantity_found=said.number("quantity_found") or 1.0,
        lonlat=said.lonlat(),
        accuracy_m=said.number("accuracy_m"),
        tapped=said.text("tapped") == "1",
        village=said.text("village"),
    )
    try:
        issue = report_issue(session, told, issue_id=said.text("id"))
        if said.photo is not None:
            add_photo(session, issue.id, "before", said.photo, said.photo_name, capture_of(said))
    except VillagemapError as fault:
        if not wants_page(request.headers):
            raise
        values = {**_choices(request, session), "fault": fault.sentence(lang_of(request.scope))}
        return framed(request, "report.html", session, values, fault.status, csp=TAP_CSP)
    if wants_page(request.headers):
        return RedirectResponse(f"/issues/{issue.id}/story", 303)
    return Response(orjson.dumps({"id": issue.id, "status": issue.status}), 201, media_type=JSON)
