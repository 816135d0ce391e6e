"""The API's own description: OpenAPI 3.0, with examples, and nothing in it that 3.0 doesn't know."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from villagemap.api.problems import MEDIA_TYPE as PROBLEM

GEOJSON = "application/geo+json"
SCHEMA = "application/schema+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
OPENAPI_VERSION = "3.0.3"

ABOUT = """\
Issues found in a county's villages, and its towns, villages and hamlets. Positions are WGS 84, longitude first; dates
are days of Asia/Shanghai. Every fault is a problem document (RFC 9457) with a stable `code`, in the language of
`Accept-Language`. Parameters that aren't listed here are refused."""

FEATURE = {
    "type": "Feature",
    "id": "019c0000-0000-7000-8000-000000000001",
    "geometry": {"type": "Point", "coordinates": [111.15, 20.65]},
    "properties": {
        "id": "019c0000-0000-7000-8000-000000000001", "number": "2026-00001", "town_code": "990001001", "town": "甲镇",
        "village_code": "990001001200", "village": "东村委会", "category": "toilet_dry", "status": "rectifying",
        "severity": 3, "quantity_found": 1.0, "quantity_done": 0.0, "unit": "座", "source": "town_sweep",
        "found_on": "2026-02-01", "due_on": "2026-02-28", "claimed_closed_on": None, "closed_on": None,
        "description": "村口旱厕未拆", "lead_unit": "county_agriculture", "revision": 2,
    },
}  # fmt: skip
TILE = {
    "clusters": [[111.15, 20.65, 12, [3, 1, 2, 4, 1, 1]]],
    "features": [[FEATURE["id"], 111.15, 20.65, "toilet_dry", "overdue"]],
    "shapes": {},
}
PROBLEM_EXAMPLE = {
    "type": "urn:villagemap:problem:parameter_unknown",
    "title": "Bad request",
    "status": 400,
    "detail": "There is no parameter “colour” here.",
    "code": "parameter_unknown",
    "instance": "/collections/issues/items",
    "params": {"name": "colour"},
}
EXAMPLES: dict[str, Any] = {
    GEOJSON: {"type": "FeatureCollection", "features": [FEATURE], "numberReturned": 1, "links": []},
    "application/vnd.villagemap.tile+json": TILE,
}
_FAULTS = {
    400: "The request can't be meant so",
    403: "Whoever asks may not",
    404: "There is no such thing",
    409: "It can't be done as things stand",
}


def answers(
    media_type: str,
    *faults: int,
    example: Any = None,  # noqa: ANN401 - anything that JSON can say
    status: int = 200,
) -> dict[int | str, dict[str, Any]]:
    """What a route answers, for its description; ``status`` where all is well."""
    shown = example if example is not None else EXAMPLES.get(media_type)
    content: dict[str, Any] = {"schema": {} if media_type.startswith(("text/", "image/")) else {"type": "object"}}
    if shown is not None:
        content["example"] = shown
    told: dict[int | str, dict[str, Any]] = {status: {"description": "OK", "content": {media_type: content}}}
    for fault in (400, *faults):
        problem = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": PROBLEM_EXAMPLE}
        told[fault] = {"description": _FAULTS[fault], "content": {PROBLEM: problem}}
    return told


def takes(fields: Mapping[str, str], *, photo: bool = False) -> dict[str, Any]:
    """What a route is sent, for its description: a JSON object or a form with these fields, name to meaning."""
    properties: dict[str, Any] = {name: {"type": "string", "description": told} for name, told in fields.items()}
    picture = {"photo": {"type": "string", "format": "binary", "description": "JPEG, PNG or HEIC"}} if photo else {}
    form = {"schema": {"type": "object", "properties": {**properties, **picture}}}
    plain = {"schema": {"type": "object", "properties": properties}}
    return {"requestBody": {"content": {"application/json": plain, "multipart/form-data": form}}}


_PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; programs go by it"},
        "instance": {"type": "string"},
        "params": {"type": "object"},
    },
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once; FastAPI's own 422 is left out because nothing answers it."""
    if app.openapi_schema is None:
        told = get_openapi(
            title=app.title, version=app.version, openapi_version=OPENAPI_VERSION, description=ABOUT, routes=app.routes
        )
        told["components"] = {"schemas": {"Problem": _PROBLEM_SCHEMA}}
        for path in told["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        app.openapi_schema = told
    return app.openapi_schema


def openapi_json(request: Request) -> Response:
    """The API's description."""
    return Response(orjson.dumps(describe(request.app)), media_type=OPENAPI)
