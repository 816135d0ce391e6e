"""GeoJSON (RFC 7946, WGS 84): stops as points, legs as lines, told apart by ``kind``."""

from collections.abc import Iterator
from typing import Any

import orjson

from villagemap.sheets.view import CallView, Line, PlanView, Point, RouteView
from villagemap.sheets.words import clock, plain


def geojson(view: PlanView) -> bytes:
    """A FeatureCollection; what holds for all of it stands in its members ``title``, ``matrix`` and ``estimated``."""
    collection = {
        "type": "FeatureCollection",
        "title": plain(view.title),
        "matrix": plain(view.matrix),
        "estimated": view.estimated,
        "demo": view.demo,
        "features": [feature for route in view.routes for feature in _route(view, route)],
    }
    return orjson.dumps(collection) + b"\n"


def _route(view: PlanView, route: RouteView) -> Iterator[dict[str, Any]]:
    whose = {"team": plain(route.team), "team_name": plain(route.team_name), "day": route.day, "on": route.on}
    legs = [(call.line, call.leg_s, call.leg_m) for call in route.calls]
    legs.append((route.back_line, route.back_leg_s, route.back_leg_m))
    for call in route.calls:
        yield _feature("stop", _point(call.at), whose | _stop(call))
    for order, (line, leg_s, leg_m) in enumerate(legs):
        told = {"order": order, "leg_s": leg_s, "leg_m": leg_m, "estimated": view.estimated}
        yield _feature("leg", _line(line), whose | told)


def _stop(call: CallView) -> dict[str, Any]:
    return {
        "order": call.order,
        "stop": plain(call.stop),
        "name": plain(call.name),
        "village": plain(call.village),
        "town": plain(call.town),
        "arrive": clock(call.arrive_s),
        "begin": clock(call.begin_s),
        "leave": clock(call.leave_s),
        "leg_s": call.leg_s,
        "leg_m": call.leg_m,
        "wait_s": call.wait_s,
        "service_s": call.service_s,
        "must": call.must,
        "issues": [plain(issue.number) for issue in call.issues],
    }


def _feature(kind: str, geometry: dict[str, Any] | None, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": {"kind": kind} | properties}


def _point(at: Point | None) -> dict[str, Any] | None:
    return {"type": "Point", "coordinates": [round(at[0], 7), round(at[1], 7)]} if at else None


def _line(line: Line) -> dict[str, Any] | None:
    if not line:
        return None
    return {"type": "LineString", "coordinates": [[round(lon, 7), round(lat, 7)] for lon, lat in line]}
