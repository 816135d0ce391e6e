"""KML 2.2, for Google Earth, Ovital and the like: a folder for each team's day, its stops and its legs, WGS 84."""

from villagemap.sheets.view import CallView, Line, PlanView, Point, RouteView
from villagemap.sheets.words import clock, km, minutes, one_line, route_title, short_title, standing, where
from villagemap.sheets.xml import document, element, joined, leaf
from villagemap.texts import text

NAMESPACE = "http://www.opengis.net/kml/2.2"
COLOURS = ("ac6621", "1a0a8b", "37781b", "3aa3f2", "7a3a6a", "6e6a00")
"""Of teams in turn, blue green red as KML writes them; the first is ours, #2166AC."""


def kml(view: PlanView) -> bytes:
    """All routes of a view, by day and team; a team keeps its colour."""
    teams = list(dict.fromkeys(route.team for route in view.routes))
    style = {team: f"team{n}" for n, team in enumerate(teams)}
    styles = [_style(f"team{n}", COLOURS[n % len(COLOURS)]) for n in range(len(teams))]
    notes = [standing(view), view.matrix, text("sheets.demo", view.lang) if view.demo else ""]
    head = leaf("name", one_line(view.title)) + leaf("description", " · ".join(note for note in notes if note))
    folders = [_folder(view, route, style[route.team]) for route in view.routes]
    return document(element("kml", element("Document", head, joined(["", *styles, *folders, ""])), xmlns=NAMESPACE))


def _style(name: str, colour: str) -> str:
    line = element("LineStyle", leaf("color", f"ff{colour}"), leaf("width", "4"))
    icon = element("IconStyle", leaf("color", f"ff{colour}"))
    return element("Style", icon, line, id=name)


def _folder(view: PlanView, route: RouteView, style: str) -> str:
    parts = [_depot(route.start.name, route.start.at, text("sheets.start", view.lang), clock(route.leave_s), style)]
    for call in route.calls:
        parts += [_leg(view, call.order, call.line, (call.leg_m, call.leg_s), style), _stop(view, call, style)]
    back = route.back_leg_m, route.back_leg_s
    parts.append(_leg(view, len(route.calls) + 1, route.back_line, back, style))
    parts.append(_depot(route.end.name, route.end.at, text("sheets.end", view.lang), clock(route.back_s), style))
    head = leaf("name", short_title(route)) + leaf("description", route_title(view, route))
    return element("Folder", head, joined(["", *(part for part in parts if part), ""]))


def _stop(view: PlanView, call: CallView, style: str) -> str:
    times = text("sheets.from_to", view.lang, begin=clock(call.arrive_s), end=clock(call.leave_s))
    issues = [f"{one_line(i.number)} {one_line(i.category)} {one_line(i.what)}".strip() for i in call.issues]
    told = "\n".join(part for part in (times, where(call), *issues) if part)
    return _point(f"{call.order} {one_line(call.name)}", told, call.at, style)


def _depot(name: str, at: Point | None, label: str, when: str, style: str) -> str:
    return _point(f"{label} {one_line(name)}".strip(), when, at, style) if at else ""


def _point(name: str, told: str, at: Point | None, style: str) -> str:
    """A placemark; without a position it has no geometry, which KML allows: it stands in the list."""
    place = element("Point", leaf("coordinates", _coordinates((at,)))) if at else ""
    return element("Placemark", leaf("name", name), leaf("description", told), leaf("styleUrl", f"#{style}"), place)


def _leg(view: PlanView, order: int, line: Line, cost: tuple[int, int], style: str) -> str:
    if not line:
        return ""
    name = text("sheets.leg", view.lang, order=order, km=km(cost[0]), minutes=minutes(cost[1]))
    drawn = element("LineString", leaf("tessellate", "1"), leaf("coordinates", _coordinates(line)))
    return element("Placemark", leaf("name", name), leaf("styleUrl", f"#{style}"), drawn)


def _coordinates(line: Line) -> str:
    return " ".join(f"{lon:.6f},{lat:.6f}" for lon, lat in line)
