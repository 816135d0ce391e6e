"""What every page of a day's work has around it: who is here, where they may go, and what the browser may load."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.responses import HTMLResponse

from villagemap.api.language import lang_of
from villagemap.api.problems import PAGE_CSP
from villagemap.api.templates import render
from villagemap.auth import Policy
from villagemap.chain import number_text
from villagemap.flows.people.accounts import who
from villagemap.flows.registry import Session
from villagemap.texts import catalog, text

FORM_CSP = f"{PAGE_CSP}; script-src 'self'"
"""These pages have one script of ours: it adds the phone's position and clock to what is sent."""

TAP_CSP = FORM_CSP.replace("img-src 'self'", "img-src 'self' data:") + "; connect-src 'self'"
"""Where a map may be opened to tap on: Leaflet's own blank pictures are data, and borders are fetched from here."""

DOORS = {
    "/tasks": ("nav_tasks", frozenset({Policy.WORK})),
    "/queue": ("nav_queue", frozenset({Policy.VERIFY, Policy.CHECK})),
    "/report": ("nav_report", frozenset({Policy.REPORT})),
    "/campaigns": ("nav_sweeps", frozenset({Policy.SWEEP})),
    "/routes": ("nav_routes", frozenset({Policy.PLAN})),
}
"""Pages of a day's work: address to its word and what one must be allowed, any of it."""


@dataclass(frozen=True, slots=True)
class Door:
    """A link to a page that its reader may open."""

    href: str
    label: str


def doors(session: Session, lang: str) -> list[Door]:
    """The pages of a day's work that the reader may open."""
    may, words = session.actor.may, catalog("work", lang)
    return [Door(href, words[word]) for href, (word, any_of) in DOORS.items() if any_of & may]


def framed(
    request: Request,
    name: str,
    session: Session,
    values: Mapping[str, Any],
    status: int = 200,
    *,
    lang: str = "",
    csp: str = FORM_CSP,
) -> HTMLResponse:
    """The page ``name`` with its ``values``, in ``lang`` or else in the reader's language."""
    shown, settings = lang or lang_of(request.scope), session.workspace.settings
    fixed = {
        "w": catalog("work", shown),
        "county": settings.name,
        "demo": settings.demo,
        "demo_badge": text("maps.page.demo", shown),
        "who": who(session).name,
        "path": request.url.path,
        "fault": "",
        "number": number_text,
        "doors": doors(session, shown),
    }
    headers = {
        "content-security-policy": csp,
        "permissions-policy": "camera=(self), geolocation=(self), microphone=()",
        "cache-control": "no-store",
        "vary": "Accept-Language, Cookie",
        "content-language": shown,
    }
    return HTMLResponse(render(name, shown, **{**fixed, **values}), status, headers)


def grouped_categories(session: Session, lang: str) -> dict[str, list[tuple[str, str]]]:
    """Codes and labels of all categories, by the label of their group."""
    words = session.workspace.vocabulary
    groups: dict[str, list[tuple[str, str]]] = {}
    for code, category in words.categories.items():
        groups.setdefault(words.label("groups", category.group, lang), []).append((code, category.labels[lang]))
    return groups


def own_town(session: Session) -> str:
    """Code of the one town that the reader was given a part in; "" where it is none, several or the whole county."""
    gazetteer = session.workspace.gazetteer()
    given = [gazetteer.by_id.get(place) for grant in session.actor.grants for place in grant.places]
    towns = {town.code for place in given if place for town in [gazetteer.town_of(place)] if town and town.code}
    return towns.pop() if len(towns) == 1 and all(grant.places for grant in session.actor.grants) else ""
