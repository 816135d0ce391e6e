"""How it stands, for programs: scores with rank and deductions, what is due, outlook, frozen meetings."""

import re
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from villagemap.api.deps import Asked, town_given, town_meant
from villagemap.api.documents import answers
from villagemap.api.forms import sent
from villagemap.api.language import lang_of
from villagemap.errors import WrongUseError
from villagemap.flows.cases.deadlines import MOST_LINES, what_is_due, will_we_make_it
from villagemap.flows.cases.relapses import due_revisits
from villagemap.flows.registry import Session
from villagemap.flows.standing.meetings import freeze_meeting, list_meetings, meeting
from villagemap.flows.standing.moments import instant_meant
from villagemap.flows.standing.score_views import (
    told_again,
    told_deductions,
    told_due,
    told_meeting,
    told_outlook,
    told_rank,
    told_revisits,
    told_scores,
)
from villagemap.flows.standing.scores import deduction_table, rank_table, score_table
from villagemap.model import Level

router = APIRouter(tags=["scores"])

JSON = "application/json"
BY = (Level.TOWN.value, Level.VILLAGE.value)
PLACE = {"place_id": "t1", "code": "449923101", "name": "Example"}
DUE = {"overdue": 9, "behind": 4, "near": 12}
SCORES = {
    "seq": 12124, "day": "2026-03-20", "by": "town",
    "places": [{**PLACE, "found": 535, "open": 535, "claimed": 73, "verified": 0, "left": 462, "claimed_percent": 13.6,
                "verified_percent": 0.0}],
    "rank": [{**PLACE, "rank": 1, "score": 57.4, "tied": False, "small": False, "decided": 107}],
    "deductions": [{**PLACE, "total": 68.9}],
}  # fmt: skip
SHEET = {
    "day": "2026-03-20", "counts": DUE, "towns": [{**PLACE, **DUE}], "units": [{"unit": "county_rural", **DUE}],
    "persons": [], "issues": [], "revisits": [],
}  # fmt: skip
FORECAST = {"deadline": "2026-03-31", "needed": 9.4, "recent": 3.1, "closings": [20, 45], "left": [58, 83]}
OUTLOOK = {"last_on": "2026-03-19", "open": 103, "soft": {"verified": FORECAST, "claimed": FORECAST}, "hard": None}
MEETING = {
    "name": "march", "seq": 12124, "hash": "0" * 64, "anchor": "GS88-MNVH-GCMJ-FDM2-BTW9", "day": "2026-03-20",
    "frozen_at": "2026-03-20T09:00:00+00:00", "frozen_by": "owner", "figures": {},
}  # fmt: skip

Town = Annotated[str, Depends(town_given)]


def _one(description: str, example: str) -> Any:  # noqa: ANN401 - FastAPI's own Query is untyped
    return Query(default_factory=str, description=description, openapi_examples={"example": {"value": example}})


async def as_of_given(
    as_of: Annotated[str, _one("As it stood then: an instant, or a date for its end", "2026-03-31T10:00:00Z")],
) -> datetime | None:
    """The instant to go back to; raises WrongUseError for what is none."""
    return instant_meant(as_of) if as_of else None


async def level_given(by: Annotated[str, _one(f"By what: {', '.join(BY)} (towns if not said)", "village")]) -> Level:
    """By towns or by villages; raises WrongUseError for anything else."""
    if by and by not in BY:
        raise WrongUseError("value_unknown", name="by", word=by[:100], known=", ".join(BY))
    return Level(by or Level.TOWN)


async def lines_given(limit: Annotated[str, _one(f"How many issues to list, at most {MOST_LINES}", "100")]) -> int:
    """How many lines; a limit above the maximum is taken for the maximum."""
    if limit and not re.fullmatch(r"[0-9]{1,9}", limit):
        raise WrongUseError("parameter_unreadable", name="limit", value=limit[:100])
    return min(int(limit or 100), MOST_LINES)


@router.get("/scores", summary="Figures, rank and deductions", responses=answers(JSON, example=SCORES))
def scores(
    session: Asked,
    town: Town,
    by: Annotated[Level, Depends(level_given)],
    as_of: Annotated[datetime | None, Depends(as_of_given)],
) -> Response:
    """Of each town or village: what was found and done, its rank by standardised rates, and its deduction sheet.

    The figures count what the asker may see; ranks and deductions are the same for everybody.
    """
    inside = town_meant(session, town)
    table = told_scores(score_table(session, by=by, town=inside, as_of=as_of))
    rank = told_rank(rank_table(session, by=by, town=inside, as_of=as_of))
    sheet = told_deductions(deduction_table(session, by=by, town=inside, as_of=as_of))
    rules = {name: rank[name] for name in ("quick_cap", "least_cases")} | {"official": sheet["official"]}
    return _json({**table, "rank": rank["places"], "deductions": sheet["places"], "rules": rules})


@router.get("/due", summary="What is due", responses=answers(JSON, example=SHEET))
def due(
    session: Asked,
    town: Town,
    limit: Annotated[int, Depends(lines_given)],
    unit: Annotated[str, _one("A lead unit, by code or name", "county_rural")],
    person: Annotated[str, _one("Who is responsible", "x")],
) -> Response:
    """What is overdue, behind and near its deadline, with counters by town, unit and person, and looks again."""
    inside = town_meant(session, town)
    sheet = what_is_due(session, town=inside, unit=unit, person=person, limit=limit)
    return _json({**told_due(sheet), "revisits": told_revisits(due_revisits(session, town=inside))})


@router.get("/outlook", summary="Will we make it", responses=answers(JSON, example=OUTLOOK))
def outlook(request: Request, session: Asked, town: Town) -> Response:
    """Closings needed a day against the recent rate, verified and claimed, until both deadlines, with a range."""
    told = will_we_make_it(session, town=town_meant(session, town))
    return _json(told_outlook(told, lang_of(request.scope)))


@router.get("/meetings", summary="Frozen meetings", responses=answers(JSON, example={"meetings": [MEETING]}))
def meetings(session: Asked) -> Response:
    """Where the chain stood at each meeting, and the figures of then; the latest first."""
    return _json({"meetings": [told_meeting(one) for one in list_meetings(session)]})


@router.get("/meetings/{name}", summary="A meeting's report again", responses=answers(JSON, 404, example=MEETING))
def meeting_again(session: Asked, name: str) -> Response:
    """A meeting's figures made again from the events (``again``), and whether they are ``equal``."""
    return _json(told_again(meeting(session, name)))


@router.post("/meetings", summary="Freeze a meeting", responses=answers(JSON, 409, example=MEETING))
async def freeze(request: Request, session: Asked) -> Response:
    """Record where the chain stands and what the figures are, under ``name`` (as a form or JSON)."""
    said = await sent(request)
    return _json(await run_in_threadpool(_frozen, session, said.text("name")), 201)


def _frozen(session: Session, name: str) -> dict[str, Any]:
    return told_meeting(freeze_meeting(session, name))


def _json(told: Any, status: int = 200) -> Response:  # noqa: ANN401 - anything that JSON can say
    return Response(orjson.dumps(told), status, media_type=JSON)
