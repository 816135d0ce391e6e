"""A day as a text to copy into a chat: numbered stops with their times, then the links."""

from collections.abc import Iterator

from villagemap.sheets.amap import stages
from villagemap.sheets.view import CallView, PlanView, RouteView
from villagemap.sheets.words import clock, day_label, km, minutes, one_line, route_title, standing, where
from villagemap.texts import text


def message(view: PlanView) -> str:
    """All routes of a view, a blank line between them; ends with a newline."""
    return "\n\n".join("\n".join(_route(view, route)) for route in view.routes) + "\n"


def _route(view: PlanView, route: RouteView) -> Iterator[str]:
    lang, lunch = view.lang, route.lunch
    if view.demo:
        yield text("sheets.demo", lang)
    yield route_title(view, route)
    yield f"{one_line(view.title)} · {day_label(route, lang)}"
    if view.estimated and view.matrix:
        yield view.matrix
    yield from route.breaches
    yield ""
    yield text("sheets.message.leave", lang, at=clock(route.leave_s), place=one_line(route.start.name))
    for call in route.calls:
        if lunch and lunch.after == call.order - 1:
            yield text("sheets.message.lunch", lang, begin=clock(lunch.begin_s), end=clock(lunch.end_s))
        yield from _call(view, call)
    if lunch and lunch.after == len(route.calls):
        yield text("sheets.message.lunch", lang, begin=clock(lunch.begin_s), end=clock(lunch.end_s))
    yield text(
        "sheets.message.back",
        lang,
        at=clock(route.back_s),
        place=one_line(route.end.name),
        km=km(route.back_leg_m),
        minutes=minutes(route.back_leg_s),
    )
    yield ""
    yield from _links(view, route)
    yield standing(view)


def _call(view: PlanView, call: CallView) -> Iterator[str]:
    place = where(call)
    yield text(
        "sheets.message.call",
        view.lang,
        order=call.order,
        arrive=clock(call.arrive_s),
        leave=clock(call.leave_s),
        name=one_line(call.name),
        where=text("sheets.message.where", view.lang, where=place) if place else "",
        km=km(call.leg_m),
        minutes=minutes(call.leg_s),
    )
    for issue in call.issues:
        yield f"   - {one_line(issue.number)} {one_line(issue.category)}"


def _links(view: PlanView, route: RouteView) -> Iterator[str]:
    ends = {0: text("sheets.start", view.lang), len(route.calls) + 1: text("sheets.end", view.lang)}
    found = stages(route)
    if found:
        yield text("sheets.message.links", view.lang)
    for stage in found:
        orders = [order for order in (stage.start, stage.via, stage.end) if order is not None]
        yield f"{' → '.join(ends.get(order, str(order)) for order in orders)}"
        yield stage.link
    lost = [str(call.order) for call in route.calls if call.at is None]
    if lost:
        yield text("sheets.message.no_position", view.lang, orders=", ".join(lost))
