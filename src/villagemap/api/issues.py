"""One issue as people read it, its pictures, and all issues as a file."""

import re
from itertools import chain
from typing import Annotated
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from villagemap.api.deps import Asked, IssueQuery, audience_given, datum_given, issue_filter, places_meant
from villagemap.api.documents import GEOJSON, answers
from villagemap.api.tiles import has_tag
from villagemap.errors import NotFoundError
from villagemap.flows.cases.issues import export_geojson, open_photo, show_issue
from villagemap.model import Audience

router = APIRouter(tags=["issues"])

SHOWN_TYPES = frozenset({"image/jpeg", "image/png", "image/webp"})
"""What we give to a browser as a picture; nothing that could hold a script."""

CARD = {
    "id": "019c0000-0000-7000-8000-000000000001", "number": "2026-00001", "category": "toilet_dry", "subdefects": [],
    "severity": 3, "status": "rectifying", "urgency": "overdue", "town": "甲镇", "village": "东村委会", "place": "上东",
    "location_text": "村口", "description": "村口旱厕未拆", "quantity_found": 1.0, "quantity_done": 0.0, "unit": "座",
    "found_on": "2026-02-01", "sources": ["town_sweep"], "due_on": "2026-02-28", "days_left": -20,
    "lead_unit": "county_agriculture", "located": "inside", "lon": 111.15, "lat": 20.65,
    "photos": [{"stage": "before", "href": "/issues/019c0000-0000-7000-8000-000000000001/photos/0123456789abcdef"}],
    "events": [{"seq": 41, "at": "2026-03-01T01:00:00Z", "kind": "issue.register", "actor": "owner", "note": ""}],
}  # fmt: skip


@router.get("/issues/{issue_id}", summary="One issue's card", responses=answers("application/json", 404, example=CARD))
def issue(session: Asked, issue_id: str) -> Response:
    """All that a person wants to know of one issue, with its events; codes and ISO dates, labels are the reader's."""
    return Response(orjson.dumps(show_issue(session, issue_id)), media_type="application/json")


@router.get("/issues/{issue_id}/photos/{start}", summary="A picture of an issue", responses=answers("image/jpeg", 404))
def photo(request: Request, session: Asked, issue_id: str, start: str) -> Response:
    """A picture by the start of its hash, only under its own issue."""
    if not re.fullmatch(r"[0-9a-f]{16,64}", start):
        raise NotFoundError("photo_missing", sha256=start[:64])
    content, media_type = open_photo(session, issue_id, start)
    shown = media_type if media_type in SHOWN_TYPES else "application/octet-stream"
    headers = {"etag": f'"{start}"', "cache-control": "private, no-cache"}
    if has_tag(request, headers["etag"]):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=shown)


@router.get("/export.geojson", summary="Issues as a file", responses=answers(GEOJSON))
def export(
    session: Asked,
    asked: IssueQuery,
    audience: Annotated[Audience, Depends(audience_given)],
    datum: Annotated[str, Depends(datum_given)],
) -> Response:
    """All issues by filter as one GeoJSON file (RFC 7946), streamed; one in another datum says so in its name."""
    chunks = export_geojson(session, issue_filter(session, asked, audience), datum=datum)
    first = next(chunks)  # so that a refusal comes before the answer has begun
    towns, _ = places_meant(session, asked.where)
    parts = [
        session.workspace.settings.county,
        *(town.code for town in towns[:1]),
        session.workspace.settings.day().isoformat(),
    ]
    name = file_name(parts, datum)
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "private, no-store"}
    return StreamingResponse(chain([first], chunks), headers=headers, media_type=GEOJSON)


def file_name(parts: list[str], datum: str) -> str:
    """A name that no file system and no header trips over; what isn't WGS 84 says so."""
    plain = (re.sub(r"[^A-Za-z0-9-]+", "-", part).strip("-") for part in parts)
    ending = "geojson" if datum == "wgs84" else f"{datum}.geojson"
    return f"{'_'.join(part for part in plain if part) or 'issues'}.{quote(ending)}"
