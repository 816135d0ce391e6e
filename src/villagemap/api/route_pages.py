"""Pages of routes: all plans with the form that asks for one, a plan on its map, and that map as one file."""

import secrets
from typing import Annotated, Any
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, Response

from villagemap.api.deps import Asked, lang_given
from villagemap.api.documents import answers
from villagemap.api.frame import FORM_CSP, doors, framed, grouped_categories
from villagemap.api.language import lang_of
from villagemap.auth import Policy
from villagemap.flows.campaigns.sweep_views import list_sweeps
from villagemap.flows.people.accounts import who
from villagemap.flows.registry import Session
from villagemap.flows.routes.kept import show_plan
from villagemap.flows.routes.legs import plan_legs
from villagemap.flows.routes.maps import Held, county_bbox, plan_map
from villagemap.flows.routes.telling import tell_plan
from villagemap.model import Level
from villagemap.texts import catalog, text

router = APIRouter(tags=["routes"])

VARY = "Accept-Language, Cookie"
CHOOSE_CSP = FORM_CSP.replace("img-src 'self'", "img-src 'self' data:") + "; connect-src 'self'"
"""The form has a map: Leaflet's own blank pictures are data, and what it draws is fetched from here."""

LINKS = {
    "plans": "/plans",
    "routes": "/routes",
    "towns": "/collections/towns/items",
    "villages": "/collections/villages/items",
    "stops": "/stops.geojson",
}

Lang = Annotated[str, Depends(lang_given)]


@router.get("/routes", summary="Plans of routes as a page", responses=answers("text/html"))
def routes_page(request: Request, session: Asked, lang: Lang) -> Response:
    """Every plan, and the form that asks for a new one."""
    shown = lang or lang_of(request.scope)
    return framed(request, "routes.html", session, _form(session, shown), lang=lang, csp=CHOOSE_CSP)


def _form(session: Session, lang: str) -> dict[str, Any]:
    from villagemap.maps import json_block  # noqa: PLC0415 - Folium takes two seconds to import

    told = _told(session, lang)  # asks whether the reader may plan
    workspace, may_sweep = session.workspace, Policy.SWEEP in session.actor.may
    running = [state.sweep for state in list_sweeps(session) if state.sweep.closed_at is None] if may_sweep else []
    towns = workspace.gazetteer().level(Level.TOWN)
    return {
        "s": catalog("route_page", lang)["page"],
        "need_script": text("maps.need_script", lang),
        "today": workspace.settings.day().isoformat(),
        "towns": [(town.code or town.name, town.name) for town in towns],
        "groups": grouped_categories(session, lang),
        "sweeps": [(sweep.id, sweep.name) for sweep in running],
        "block": json_block("villagemap-page", told),
    }


def _told(session: Session, lang: str) -> dict[str, Any]:
    """What the form's script is told."""
    settings, words = session.workspace.settings, session.workspace.vocabulary
    villages = session.workspace.gazetteer().level(Level.VILLAGE)
    return {
        "lang": lang,
        "links": LINKS,
        "bbox": list(county_bbox(session)),
        "texts": catalog("maps", lang)["page"] | catalog("route_page", lang)["page"],
        "categories": {code: category.labels[lang] for code, category in words.categories.items()},
        "labels": {},
        "demo": settings.demo,
        "approximate": any(village.approximate for village in villages),
        "review_number": settings.map_review_number,
        "basemap": None,
    }


@router.get("/routes/{plan}.html", summary="A plan's map as one file", responses=answers("text/html", 404))
def route_file(request: Request, session: Asked, plan: str, lang: Lang) -> Response:
    """A plan's map that opens from disk without any network."""
    shown, kept = lang or lang_of(request.scope), show_plan(session, plan)
    held = Held(answer=tell_plan(session, kept, shown), legs=orjson.dumps(plan_legs(session, kept)))
    name = quote(f"{kept.name}.html")
    headers = {
        "content-disposition": f"attachment; filename=routes.html; filename*=UTF-8''{name}",
        "cache-control": "no-store",
    }
    return HTMLResponse(plan_map(session, kept.id, shown, held=held).page_inline(), headers=headers)


@router.get("/routes/{plan}", summary="A plan on its map", responses=answers("text/html", 404))
def route_page(request: Request, session: Asked, plan: str, lang: Lang) -> Response:
    """A plan's routes on a map, its tables beside it; changed, locked, replanned, printed from there."""
    shown, nonce = lang or lang_of(request.scope), secrets.token_urlsafe(16)
    to = [(door.href, door.label) for door in doors(session, shown)]
    drawn = plan_map(session, plan, shown, doors=to, who=who(session).name)
    headers = {
        "content-security-policy": drawn.csp(nonce),
        "cache-control": "no-store",
        "vary": VARY,
        "content-language": shown,
    }
    return HTMLResponse(drawn.page(nonce), headers=headers)
