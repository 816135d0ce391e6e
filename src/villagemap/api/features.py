"""Collections of issues, towns, villages and hamlets, on the addresses of OGC API - Features (OGC 17-069r4).

Features come as the texts that the store keeps; only the page around them is made here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from villagemap.api.deps import (
    Asked,
    IssueQuery,
    IssuesAsked,
    Page,
    after_of,
    bbox_given,
    count_given,
    cursor_of,
    issue_filter,
    page_given,
    town_given,
    town_meant,
)
from villagemap.api.documents import FEATURE, GEOJSON, OPENAPI, SCHEMA, answers
from villagemap.api.language import lang_of
from villagemap.errors import NotFoundError
from villagemap.flows.cases.issues import count_issues, feature_page, show_feature
from villagemap.flows.places import count_places, list_places, places_extent, show_place
from villagemap.flows.registry import Session
from villagemap.flows.upkeep.admin import state
from villagemap.model import BBox, Level, Status
from villagemap.settings import now
from villagemap.texts import text

router = APIRouter(tags=["features"])

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
CONFORMS_TO = tuple(
    f"http://www.opengis.net/spec/{part}"
    for part in (
        "ogcapi-common-1/1.0/conf/core",
        "ogcapi-common-2/1.0/conf/collections",
        "ogcapi-features-1/1.0/conf/core",
        "ogcapi-features-1/1.0/conf/geojson",
        "ogcapi-features-1/1.0/conf/oas30",
        "ogcapi-features-3/1.0/conf/queryables",
        "ogcapi-features-3/1.0/conf/queryables-query-parameters",
    )
)
QUICK_EVENTS = 200_000
"""A county of at most so many events, and so of fewer issues, is counted in some 20 ms by any filter."""

PLACES = {"towns": Level.TOWN, "villages": Level.VILLAGE, "hamlets": Level.HAMLET}
COLLECTIONS = ("issues", *PLACES)

Link = Mapping[str, str]


def link(request: Request, path: str, rel: str, media_type: str) -> Link:
    """A link of ours with its whole address."""
    return {"href": str(request.base_url).rstrip("/") + path, "rel": rel, "type": media_type}


def landing(request: Request, session: Asked) -> dict[str, Any]:
    """Where programs begin."""
    lang = lang_of(request.scope)
    return {
        "title": text("api.landing.title", lang, county=session.workspace.settings.name),
        "description": text("api.landing.description", lang),
        "links": [
            link(request, "/?f=json", "self", "application/json"),
            link(request, "/", "alternate", "text/html"),
            link(request, "/openapi.json", "service-desc", OPENAPI),
            link(request, "/conformance", "conformance", "application/json"),
            link(request, "/collections", "data", "application/json"),
        ],
    }


@router.get("/conformance", summary="What of the standards is kept", responses=answers("application/json"))
def conformance() -> Response:
    """The conformance classes of OGC API - Features that this server keeps."""
    return _json({"conformsTo": CONFORMS_TO})


@router.get("/collections", summary="All collections", responses=answers("application/json"))
def collections(request: Request, session: Asked) -> Response:
    """What there is, with the extent of the county."""
    bbox, lang = places_extent(session), lang_of(request.scope)
    links = [link(request, "/collections", "self", "application/json")]
    return _json({"links": links, "collections": [_collection(request, name, bbox, lang) for name in COLLECTIONS]})


@router.get("/collections/{collection}", summary="One collection", responses=answers("application/json", 404))
def collection(request: Request, session: Asked, collection: str) -> Response:
    """One collection, with links to its features and its queryables."""
    _check_collection(collection)
    return _json(_collection(request, collection, places_extent(session), lang_of(request.scope)))


def _check_collection(name: str) -> None:
    if name not in COLLECTIONS:
        raise NotFoundError("collection_unknown", name=name[:100], known=", ".join(COLLECTIONS))


def _collection(request: Request, name: str, bbox: BBox | None, lang: str) -> dict[str, Any]:
    at = f"/collections/{name}"
    extent = {"extent": {"spatial": {"bbox": [[round(degrees, 7) for degrees in bbox]], "crs": CRS84}}} if bbox else {}
    return {
        "id": name,
        "title": text(f"api.collections.{name}", lang),
        "description": text(f"api.described.{name}", lang),
        "itemType": "feature",
        "crs": [CRS84],
        **extent,
        "links": [
            link(request, at, "self", "application/json"),
            link(request, f"{at}/items", "items", GEOJSON),
            link(request, f"{at}/queryables", QUERYABLES, SCHEMA),
        ],
    }


@router.get("/collections/{collection}/queryables", summary="What can be asked for", responses=answers(SCHEMA, 404))
def queryables(request: Request, session: Asked, collection: str) -> Response:
    """The properties of a collection that are query parameters too, as a JSON Schema."""
    _check_collection(collection)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{str(request.base_url).rstrip('/')}/collections/{collection}/queryables",
        "type": "object",
        "title": text(f"api.collections.{collection}", lang_of(request.scope)),
        "properties": _queryables(collection, list(session.workspace.vocabulary.categories)),
        "additionalProperties": False,
    }
    return _json(schema, SCHEMA)


def _queryables(collection: str, categories: Sequence[str]) -> dict[str, Any]:
    town = {"town": {"type": "string", "title": "town"}} if collection != "towns" else {}
    if collection != "issues":
        return {"geometry": {"format": "geometry-any"}, **town}
    return {
        "geometry": {"format": "geometry-any"},
        **town,
        "village": {"type": "string", "title": "village"},
        "category": {"type": "string", "title": "category", "enum": categories},
        "status": {"type": "string", "title": "status", "enum": list(Status)},
        "severity": {"type": "integer", "title": "severity", "minimum": 1, "maximum": 5},
    }


@router.get("/collections/issues/items", summary="Issues by filter", responses=answers(GEOJSON))
def issue_items(
    request: Request,
    session: Asked,
    asked: IssueQuery,
    page: Annotated[Page, Depends(page_given)],
    count: Annotated[bool | None, Depends(count_given)],
) -> Response:
    """A page of issues as GeoJSON, in a stable order; follow the ``next`` link for more.

    ``numberMatched`` stands on the first page where counting is quick; ``count`` says otherwise.
    """
    where = issue_filter(session, asked)
    found = feature_page(session, where, limit=page.limit, after=after_of("issues", page))
    if page.cursor is None and found.after is None:
        matched: int | None = len(found.features)
    elif count or (count is None and page.cursor is None and _counts_quickly(session, asked)):
        matched = count_issues(session, where)
    else:
        matched = None
    return _features(request, "issues", Found(found.features, found.after, matched))


def _counts_quickly(session: Session, asked: IssuesAsked) -> bool:
    """Places are indexed; any other filter reads all rows, which takes its time in a large county (0.3 s a million)."""
    return asked.narrowed_by_places_alone() or state(session).seq <= QUICK_EVENTS


@router.get(
    "/collections/issues/items/{issue_id}", summary="One issue", responses=answers(GEOJSON, 404, example=FEATURE)
)
def issue_item(request: Request, session: Asked, issue_id: str) -> Response:
    """One issue as a GeoJSON feature, by id or number; with its events it is at ``/issues/{id}``."""
    return _feature(request, "issues", show_feature(session, issue_id))


@router.get("/collections/{collection}/items", summary="Towns, villages, hamlets", responses=answers(GEOJSON, 404))
def place_items(
    request: Request,
    session: Asked,
    collection: str,
    town: Annotated[str, Depends(town_given)],
    bbox: Annotated[BBox | None, Depends(bbox_given)],
    page: Annotated[Page, Depends(page_given)],
) -> Response:
    """A page of places as GeoJSON, by code; also those of one town, or those that touch an extent."""
    level, inside, after = _level(collection), town_meant(session, town), after_of(collection, page)
    features, following = list_places(session, level, town=inside, bbox=bbox, limit=page.limit, after=after)
    matched = count_places(session, level, town=inside, bbox=bbox)
    return _features(request, collection, Found(features, following, matched))


@router.get("/collections/{collection}/items/{code}", summary="One place", responses=answers(GEOJSON, 404))
def place_item(request: Request, session: Asked, collection: str, code: str) -> Response:
    """One place as a GeoJSON feature; a code that it had once leads to the one that it has."""
    feature, current = show_place(session, _level(collection), code)
    if current != code:
        return RedirectResponse(f"/collections/{collection}/items/{quote(current, safe='')}", 308)
    return _feature(request, collection, feature)


def _level(collection: str) -> Level:
    _check_collection(collection)
    return PLACES[collection]


@dataclass(frozen=True, slots=True)
class Found:
    """A page of features, the key that it ended at, and how many there are in all (None: not counted)."""

    features: Sequence[str]
    after: int | None
    matched: int | None


def _features(request: Request, collection: str, found: Found) -> Response:
    links = [_self(request), link(request, f"/collections/{collection}", "collection", "application/json")]
    if found.after is not None:
        others = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        query = urlencode([*others, ("cursor", cursor_of(collection, found.after))])
        links.append(link(request, f"{request.url.path}?{query}", "next", GEOJSON))
    about: dict[str, Any] = {"links": links, "numberReturned": len(found.features), "timeStamp": now().isoformat()}
    if found.matched is not None:
        about["numberMatched"] = found.matched
    text_of_all = ",\n".join(found.features)
    members = orjson.dumps(about).decode().removeprefix("{")
    return Response(f'{{"type":"FeatureCollection","features":[\n{text_of_all}\n],{members}\n', media_type=GEOJSON)


def _feature(request: Request, collection: str, feature: str) -> Response:
    links = [_self(request), link(request, f"/collections/{collection}", "collection", "application/json")]
    return Response(f'{feature.removesuffix("}")},"links":{orjson.dumps(links).decode()}}}', media_type=GEOJSON)


def _self(request: Request) -> Link:
    query = f"?{request.url.query}" if request.url.query else ""
    return link(request, quote(request.url.path) + query, "self", GEOJSON)


def _json(value: object, media_type: str = "application/json") -> Response:
    return Response(orjson.dumps(value), media_type=media_type)
