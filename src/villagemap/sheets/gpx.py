"""GPX 1.1: a day as a route (its stops) and a track (its legs' geometry), WGS 84, for a navigator or a phone's app.

The schema wants ``metadata``, then all ``rte``, then all ``trk``, and in a point ``name``, ``cmt``, ``desc``, ``type``
in this order. A stop without a position can't be in a GPX.
"""

from collections.abc import Iterator

from villagemap.sheets.view import CallView, Line, PlanView, Point, RouteView
from villagemap.sheets.words import clock, one_line, route_title, short_title, standing, where
from villagemap.sheets.xml import document, element, joined, leaf
from villagemap.texts import text

NAMESPACE = "http://www.topografix.com/GPX/1/1"


def gpx(view: PlanView) -> bytes:
    """All routes of a view."""
    name = leaf("name", one_line(view.title))
    notes = [standing(view), view.matrix, text("sheets.demo", view.lang) if view.demo else ""]
    about = leaf("desc", " · ".join(note for note in notes if note))
    routes = [_route(view, route) for route in view.routes]
    tracks = [_track(route) for route in view.routes if any(_lines(route))]
    head = element("metadata", name, about)
    return document(
        element("gpx", joined(["", head, *routes, *tracks, ""]), version="1.1", creator="villagemap", xmlns=NAMESPACE)
    )


def _route(view: PlanView, route: RouteView) -> str:
    points = [_depot("rtept", route.start.name, route.start.at, view.lang, clock(route.leave_s))]
    points += [_stop(call, view.lang) for call in route.calls]
    points.append(_depot("rtept", route.end.name, route.end.at, view.lang, clock(route.back_s)))
    head = leaf("name", short_title(route)) + leaf("desc", route_title(view, route))
    return element("rte", head, joined(["", *(point for point in points if point), ""]))


def _stop(call: CallView, lang: str) -> str:
    if call.at is None:
        return ""
    name = leaf("name", f"{call.order} {one_line(call.name)}")
    times = text("sheets.from_to", lang, begin=clock(call.arrive_s), end=clock(call.leave_s))
    issues = [f"{one_line(i.number)} {one_line(i.category)} {one_line(i.what)}".strip() for i in call.issues]
    inner = name + leaf("cmt", times) + leaf("desc", "\n".join([where(call), *issues]).strip())
    return element("rtept", inner, **_position(call.at))


def _depot(tag: str, name: str, at: Point | None, lang: str, when: str) -> str:
    if at is None:
        return ""
    said = one_line(name) or text("sheets.start", lang)
    return element(tag, leaf("name", said), leaf("cmt", when), **_position(at))


def _track(route: RouteView) -> str:
    parts = [
        element("trkseg", joined(element("trkpt", **_position(point)) for point in line))
        for line in _lines(route)
        if line
    ]
    return element("trk", leaf("name", short_title(route)), joined(["", *parts, ""]))


def _lines(route: RouteView) -> Iterator[Line]:
    yield from (call.line for call in route.calls)
    yield route.back_line


def _position(point: Point) -> dict[str, str]:
    return {"lat": f"{point[1]:.6f}", "lon": f"{point[0]:.6f}"}
