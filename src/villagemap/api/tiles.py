"""What a map's viewport needs: tiles of issues (clusters or singles) and of places (whole features)."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from villagemap.api.deps import Asked, TileAsked, tile_asked, tile_filter
from villagemap.api.documents import GEOJSON, TILE, answers
from villagemap.flows.registry import Session
from villagemap.flows.tiles import issue_tile, place_tile, tiles_version
from villagemap.model import Level

router = APIRouter(prefix="/tiles", tags=["tiles"])

MADE_BY = version("villagemap")
"""Part of every tag: a new version may draw another tile from the same data."""


@router.get("/issues/{zoom}/{x}/{y}", summary="Issues in one tile", responses=answers("application/json", example=TILE))
def issues(
    request: Request, session: Asked, zoom: int, x: int, y: int, asked: Annotated[TileAsked, Depends(tile_asked)]
) -> Response:
    """Clusters ``[lon, lat, count, [by urgency]]`` where issues are dense, single issues where they aren't.

    Tiles are those of web mercator (XYZ). Urgencies are overdue, behind, near, in_time, submitted, closed. A single
    issue is ``[id, lon, lat, category, urgency]``; lines and polygons stand under ``shapes`` by id.
    """
    where = tile_filter(session, asked)
    return _tagged(request, session, "application/json", lambda: issue_tile(session, zoom, x, y, where))


def _places(level: Level) -> Callable[..., Response]:
    def places(request: Request, session: Asked, zoom: int, x: int, y: int) -> Response:
        """The places that touch the tile, whole, as GeoJSON."""
        return _tagged(request, session, GEOJSON, lambda: place_tile(session, level, zoom, x, y))

    return places


for _name, _level in (("towns", Level.TOWN), ("villages", Level.VILLAGE), ("hamlets", Level.HAMLET)):
    _documented: dict[str, Any] = {"summary": f"{_name.title()} in one tile", "responses": answers(GEOJSON)}
    router.get(f"/{_name}/{{zoom}}/{{x}}/{{y}}", name=f"{_name}_tile", **_documented)(_places(_level))


def _tagged(request: Request, session: Session, media_type: str, draw: Callable[[], bytes]) -> Response:
    """A tile with its tag, or 304 where the browser's is still good: same last event, same day."""
    tag = f'"{tiles_version(session)}-{MADE_BY}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if has_tag(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(draw(), headers=headers, media_type=media_type)


def has_tag(request: Request, tag: str) -> bool:
    """Whether the browser holds this version already (RFC 9110, 13.1.2)."""
    given = request.headers.get("if-none-match", "")
    return given == "*" or tag in (part.strip().removeprefix("W/") for part in given.split(","))
