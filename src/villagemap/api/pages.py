"""Pages for people: the county's home page and a town's map."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response

from villagemap.api.deps import Asked, format_given, lang_given
from villagemap.api.documents import answers
from villagemap.api.features import landing
from villagemap.api.frame import doors
from villagemap.api.language import COOKIE, lang_of
from villagemap.api.problems import PAGE_CSP
from villagemap.api.templates import figure, render
from villagemap.auth import Policy
from villagemap.flows.cases.issues import county_table
from villagemap.flows.maps import town_map
from villagemap.flows.people.accounts import who
from villagemap.flows.places import find_place
from villagemap.flows.registry import Session
from villagemap.flows.upkeep.admin import state
from villagemap.model import Counts, Level, Place
from villagemap.settings import TIME_ZONE
from villagemap.texts import text

router = APIRouter(tags=["pages"])

VARY = "Accept, Accept-Language, Cookie"
PROGRAMS = ("OWSLib",)
"""Programs that read JSON alone and don't say so in their requests."""

A_YEAR_S = 365 * 24 * 3600

Lang = Annotated[str, Depends(lang_given)]


@router.get("/", summary="The county", responses=answers("text/html"))
def home(request: Request, session: Asked, lang: Lang, form: Annotated[str, Depends(format_given)]) -> Response:
    """The home page; the landing document where a program asks for JSON."""
    if (form or preferred(request.headers)) == "json":
        return Response(orjson.dumps(landing(request, session)), media_type="application/json", headers={"vary": VARY})
    shown = lang_of(request.scope)
    page = render("home.html", shown, **home_values(session, shown))
    headers = {"content-security-policy": PAGE_CSP, "vary": VARY, "content-language": shown}
    return _remembering(HTMLResponse(page, headers=headers), lang)


def preferred(headers: Headers) -> str:
    """``json`` where the Accept header rates it above HTML, else ``html``."""
    if headers.get("user-agent", "").startswith(PROGRAMS):
        return "json"
    ratings = {"html": 0.0, "json": 0.0}
    for part in headers.get("accept", "").split(",")[:30]:
        media_type, *parameters = (word.strip().lower() for word in part.split(";"))
        form = {"text/html": "html", "application/xhtml+xml": "html", "application/json": "json"}.get(media_type)
        weight = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
        if form and re.fullmatch(r"[01](\.\d{0,3})?", weight, re.ASCII):
            ratings[form] = max(ratings[form], float(weight))
    return "json" if ratings["json"] > ratings["html"] else "html"


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a bar: which, how many, and where it lies in percent of the bar's width."""

    kind: str
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the home page's table; ``key`` is the town's code, or its name where it has none."""

    name: str
    key: str
    counts: Counts
    bar: Sequence[Share]


def home_values(session: Session, lang: str) -> dict[str, Any]:
    """What the home page shows."""
    settings, seen = session.workspace.settings, state(session)
    total, rows = county_table(session)
    lines = [Line(row.town.name if row.town else "", _key(row.town), row.counts, bar_of(row.counts)) for row in rows]
    towns = [line for line in lines if line.key]
    return {
        "county": settings.name,
        "title": _title(settings.name, total, towns, lang),
        "demo": settings.demo,
        "who": who(session).name,
        "doors": doors(session, lang),
        "demo_badge": text("maps.page.demo", lang),
        "today": settings.day().isoformat(),
        "data_on": seen.changed_at.astimezone(TIME_ZONE).date().isoformat() if seen.changed_at else "",
        "total": total,
        "whole": Line("", "", total, bar_of(total)),
        "lines": lines,
        "has_towns": bool(towns),
    }


def _title(county: str, total: Counts, towns: Sequence[Line], lang: str) -> str:
    """What there is to know, in one line; no town is named, because raw counts would rank them unfairly."""
    if not total.found:
        return text("pages.home.title_empty", lang, county=county)
    if not total.open:
        return text("pages.home.title_clear", lang, county=county)
    if not total.overdue:
        return text("pages.home.title_in_time", lang, county=county, open=figure(total.open))
    late = sum(1 for town in towns if town.counts.overdue)
    values = {"open": figure(total.open), "overdue": figure(total.overdue), "towns": late, "all": len(towns)}
    return text("pages.home.title", lang, county=county, **values)


def _key(town: Place | None) -> str:
    return quote(town.code or town.name, safe="") if town else ""


def bar_of(counts: Counts) -> list[Share]:
    """A row's cases as one bar of 100: verified, submitted, open in time, overdue."""
    submitted = counts.claimed - counts.verified
    parts = {
        "verified": counts.verified,
        "submitted": submitted,
        "open": counts.open - submitted - counts.overdue,
        "overdue": counts.overdue,
    }
    whole, start, bar = max(counts.found, 1), 0.0, []
    for kind, count in parts.items():
        width = 100 * count / whole
        if count > 0:
            bar.append(Share(kind, count, round(start, 2), round(width, 2)))
        start += width
    return bar


@router.get("/towns/{town:path}/map", summary="A town's map", responses=answers("text/html", 404))
def map_of_town(request: Request, session: Asked, town: str, lang: Lang) -> Response:
    """A town's map by code or name; what isn't its code today leads to it."""
    place = find_place(session, town, Level.TOWN)
    if place.code and place.code != town:
        query = f"?{urlencode({'lang': lang})}" if lang else ""
        return RedirectResponse(f"/towns/{quote(place.code, safe='')}/map{query}", 308)
    shown, nonce = lang_of(request.scope), secrets.token_urlsafe(16)
    drawn = town_map(session, town, shown)
    headers = {"content-security-policy": drawn.csp(nonce), "vary": VARY, "content-language": shown}
    return _remembering(HTMLResponse(drawn.page(nonce), headers=headers), lang)


def _remembering(response: Response, lang: str) -> Response:
    """Keep a language that was chosen in the address for the pages that follow."""
    if lang:
        response.set_cookie(COOKIE, lang, max_age=A_YEAR_S, httponly=True, samesite="lax")
    return response


@router.get("/health", summary="Whether the server is well", responses=answers("application/json"))
def health(session: Asked) -> Response:
    """That the server answers, for a watchdog; the county and its last event for whoever may look at it."""
    told: dict[str, Any] = {"status": "ok"}
    if Policy.READ in session.actor.may:
        seen = state(session)
        told |= {"county": seen.county, "last_event": seen.seq}
    return Response(
        orjson.dumps(told),
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )
