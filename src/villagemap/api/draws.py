"""Draws, seals and what lies along a route, for programs: all but what was opened is for who may plan."""

from dataclasses import asdict
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from villagemap.api.deps import Asked
from villagemap.api.documents import answers, takes
from villagemap.api.forms import Sent, sent
from villagemap.api.language import lang_of
from villagemap.draws import Kind
from villagemap.errors import BadInputError, WrongUseError
from villagemap.flows.registry import Session
from villagemap.flows.routes.corridor import issues_along
from villagemap.flows.routes.draw_views import list_draws, show_draw, told_draw, told_head
from villagemap.flows.routes.draws import Asked as AskedDraw
from villagemap.flows.routes.draws import check_draw, freeze_draw, make_draw, open_draw, record_result
from villagemap.flows.routes.seals import check_seal, list_seals, make_seal, open_seal
from villagemap.texts import text

router = APIRouter(tags=["draws"])

JSON = "application/json"
TRUE = frozenset({"1", "true", "True"})
FALSE = frozenset({"0", "false", "False"})
HASH = "0" * 64
DRAW = {
    "id": "019c0000-0000-7000-8000-000000000009", "name": "March", "register": HASH, "number": "4711", "seed": HASH,
    "result_sha256": HASH, "frozen_at": "2026-03-09T01:00:00.000000Z", "frozen_by": "u2",
    "drawn_at": "2026-03-09T01:05:00.000000Z", "opened_at": "", "seal": "", "candidates": 350,
    "rules": {"kind": "villages", "size": 20, "each": 2, "day": "2026-03-09", "towns": [], "categories": [],
              "since": "", "households": False},
}  # fmt: skip
SEAL = {
    "id": "019c0000-0000-7000-8000-00000000000a", "commitment": HASH, "sealed_at": "2026-03-09T01:00:00.000000Z",
    "sealed_by": "u2", "seq": 812, "opened_at": "", "subject": "", "salt": "",
}  # fmt: skip
CHECK = {"seal": SEAL, "holds": True, "intact": True, "changed": [], "content": HASH}
LOOKED = {
    "passed": True, "at": "2026-03-09T01:00:00.000000Z", "on": "2026-03-09", "by": "u7", "recorded_by": "u7",
    "note": "", "reopened": False,
}  # fmt: skip
BESIDE = {
    "id": "019c0000-0000-7000-8000-000000000001", "number": "2026-00001", "category": "toilet_dry",
    "status": "registered", "town_id": "t1", "village_id": "v4", "lon": 111.15, "lat": 20.65, "leg": 0, "off_m": 120,
    "along_m": 5211,
}  # fmt: skip
DRAW_FIELDS = {
    "kind": "cases or villages",
    "size": "how many to draw",
    "each": "how many inspectors go to each, 1 if not given",
    "towns": "codes or names, with commas between them; all without",
    "categories": "of cases: codes or labels, with commas between them; all without",
    "since": "of cases: only those closed on this day or later",
    "inspectors": "accounts, with commas between them; all that hold an inspector's grant without",
    "name": "a name for the draw",
    "number": "the number spoken in the room; without it the list is only frozen",
}
RESULT_FIELDS = {
    "target": "number or id of the case; id, code or name of the village",
    "passed": "1 or 0",
    "by": "the inspector's account, the asker's if not given",
    "note": "what was seen; the reason where the case is reopened",
    "reopen": "1 to send a case that failed back to work",
    "correct": "1 to take the place of what was recorded",
}
SEAL_FIELDS = {"salt": "for what is kept elsewhere: the salt", "sha256": "for what is kept elsewhere: its SHA-256"}


@router.get("/draws", summary="All draws", responses=answers(JSON, example={"draws": [DRAW]}))
def draws(session: Asked) -> Response:
    """The draws that the asker may see, the latest first."""
    return _json({"draws": [told_head(draw) for draw in list_draws(session)]})


@router.post(
    "/draws",
    summary="Freeze a list, and draw",
    responses=answers(JSON, example=DRAW, status=201),
    openapi_extra=takes(DRAW_FIELDS),
)
async def new_draw(request: Request, session: Asked) -> Response:
    """Freeze what is drawn from; with ``number`` draw at once, else ``register`` is what is read out before."""
    said = await sent(request)
    return _json(await run_in_threadpool(_made, session, said), 201)


@router.get("/draws/{draw}", summary="A draw", responses=answers(JSON, 404, example=DRAW))
def draw(session: Asked, draw: str) -> Response:
    """A draw by id or name: strata with chances and failure rates, what was drawn, who goes, who can't and why."""
    return _json(told_draw(show_draw(session, draw)))


@router.post(
    "/draws/{draw}/number",
    summary="Draw by a spoken number",
    responses=answers(JSON, 404, 409, example=DRAW),
    openapi_extra=takes({"number": DRAW_FIELDS["number"]}),
)
async def spoken(request: Request, session: Asked, draw: str) -> Response:
    """Draw out of what was frozen."""
    said = await sent(request)
    return _json(await run_in_threadpool(_drawn, session, draw, said.text("number")))


@router.get("/draws/{draw}/check", summary="Draw again and compare", responses=answers(JSON, 404, 409))
def checked(request: Request, session: Asked, draw: str) -> Response:
    """Make a draw again from the chain, byte for byte: ``differences`` is empty where it is the same."""
    found, lang = check_draw(session, draw), lang_of(request.scope)
    wrong = [
        {"code": one.code, "sentence": text(f"draws.faults.{one.code}", lang, **one.params)}
        for one in found.differences
    ]
    return _json({"draw": found.draw, "result_sha256": found.result_sha256, "differences": wrong})


@router.post("/draws/{draw}/open", summary="Make a draw public", responses=answers(JSON, 404, 409, example=DRAW))
def opened(session: Asked, draw: str) -> Response:
    """Let everybody see a draw after the visit; what is sealed is opened by its seal."""
    return _json(told_head(open_draw(session, draw)))


@router.post(
    "/draws/{draw}/results",
    summary="Record what was found",
    responses=answers(JSON, 404, 409, example=LOOKED, status=201),
    openapi_extra=takes(RESULT_FIELDS),
)
async def result(request: Request, session: Asked, draw: str) -> Response:
    """Record the result of a drawn thing; the same once more changes nothing."""
    said = await sent(request)
    return _json(await run_in_threadpool(_recorded, session, draw, said), 201)


@router.get("/seals", summary="All seals", responses=answers(JSON, example={"seals": [SEAL]}))
def seals(session: Asked) -> Response:
    """The seals that the asker may see, the latest first."""
    return _json({"seals": [asdict(seal) for seal in list_seals(session)]})


@router.post(
    "/seals",
    summary="Seal a plan or draw",
    responses=answers(JSON, 404, 409, example=SEAL, status=201),
    openapi_extra=takes({"what": "plan/ID, draw/ID, a draw's name, or a SHA-256"}),
)
async def new_seal(request: Request, session: Asked) -> Response:
    """Commit to a plan or draw before the visit without telling it."""
    said = await sent(request)
    return _json(asdict(await run_in_threadpool(make_seal, session, said.text("what"))), 201)


@router.get("/seals/{seal}", summary="Check a seal", responses=answers(JSON, 404, example=CHECK))
def seal(session: Asked, seal: str) -> Response:
    """Whether what lies here is what was sealed, and when."""
    return _json(asdict(check_seal(session, seal)))


@router.post(
    "/seals/{seal}/open",
    summary="Open a seal",
    responses=answers(JSON, 404, example=CHECK),
    openapi_extra=takes(SEAL_FIELDS),
)
async def seal_opened(request: Request, session: Asked, seal: str) -> Response:
    """Let everybody see what was sealed, and make its commitment again."""
    said = await sent(request)
    return _json(await run_in_threadpool(_unsealed, session, seal, said))


@router.post(
    "/corridor",
    summary="Open issues along a route",
    responses=answers(JSON, example={"issues": [BESIDE]}),
    openapi_extra=takes(
        {"legs": "GeoJSON coordinates of LineStrings, in driving order", "within_m": "metres", "leave_out": "ids"}
    ),
)
async def corridor(request: Request, session: Asked) -> Response:
    """Open issues within ``within_m`` (200 if not given) of ``legs``, in the order in which they are passed."""
    try:
        said = orjson.loads(await request.body() or b"{}")
        legs, within, out = said["legs"], float(said.get("within_m", 200)), set(map(str, said.get("leave_out", ())))
    except (orjson.JSONDecodeError, TypeError, ValueError, KeyError, AttributeError) as fault:
        raise BadInputError("body_unreadable") from fault
    if not isinstance(legs, list):
        raise BadInputError("body_unreadable")
    found = await run_in_threadpool(lambda: issues_along(session, legs, within_m=within, leave_out=out))
    return _json({"issues": [asdict(one) for one in found]})


def _made(session: Session, said: Sent) -> dict[str, Any]:
    asked, number = _asked(said), said.text("number")
    if number:
        return told_draw(show_draw(session, make_draw(session, asked, number).id))
    return told_head(freeze_draw(session, asked))


def _asked(said: Sent) -> AskedDraw:
    kind = said.text("kind")
    if kind not in set(Kind):
        raise WrongUseError("field_unreadable", name="kind", value=kind[:60])
    return AskedDraw(
        kind=Kind(kind),
        size=_whole(said, "size"),
        each=_whole(said, "each", 1),
        towns=_words(said, "towns"),
        categories=_words(said, "categories"),
        since=said.day("since"),
        inspectors=_words(said, "inspectors"),
        name=said.text("name"),
    )


def _whole(said: Sent, name: str, otherwise: int | None = None) -> int:
    word = said.text(name)
    if not word and otherwise is not None:
        return otherwise
    if not (word.isascii() and word.isdigit() and len(word) < 10):  # noqa: PLR2004 - no size has ten digits
        raise WrongUseError("field_unreadable", name=name, value=word[:60])
    return int(word)


def _words(said: Sent, name: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in said.text(name).split(",") if word.strip())


def _drawn(session: Session, word: str, number: str) -> dict[str, Any]:
    return told_draw(show_draw(session, make_draw(session, word, number).id))


def _recorded(session: Session, word: str, said: Sent) -> dict[str, Any]:
    passed = said.text("passed")
    if passed not in TRUE | FALSE:
        raise WrongUseError("field_unreadable", name="passed", value=passed[:60])
    looked = record_result(
        session,
        word,
        said.text("target"),
        passed=passed in TRUE,
        by=said.text("by"),
        note=said.text("note"),
        reopen=said.text("reopen") in TRUE,
        correct=said.text("correct") in TRUE,
    )
    return asdict(looked)


def _unsealed(session: Session, word: str, said: Sent) -> dict[str, Any]:
    return asdict(open_seal(session, word, salt=said.text("salt"), digest=said.text("sha256")))


def _json(told: Any, status: int = 200) -> Response:  # noqa: ANN401 - anything that JSON can say
    return Response(orjson.dumps(told), status, media_type=JSON)
