"""A4 route sheets and check sheets as PDF, made by typst's wheel (the extra ``print``) from ``sheet.typ``.

All that a person wrote goes to Typst as JSON in ``sys.inputs`` and is set as a string: it is never markup. The template
imports no package and reads no file, so nothing is fetched. Fonts are embedded, as subsets.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import orjson
import segno

from villagemap.errors import WrongUseError
from villagemap.sheets.amap import guide_to
from villagemap.sheets.drawing import draw_map
from villagemap.sheets.view import CallView, LeftOutView, OpenIssue, PlanView, RouteView
from villagemap.sheets.words import (
    clock,
    day_label,
    km,
    lasting,
    minutes,
    one_line,
    route_title,
    short_title,
    standing,
    where,
)
from villagemap.texts import catalog, text

if TYPE_CHECKING:
    import typst

FONTS = (
    "Source Han Sans SC",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "DengXian",
    "SimSun",
    "Noto Serif CJK SC",
)
"""Families with all Chinese characters; the first that is installed is taken."""

SHOWN_ISSUES = 4
"""At a stop in the table; its check sheet has them all."""

_LONGEST_NAME = 80
_LONGEST_TEXT = 48
_IN_MARGIN = 28
"""Characters at a page's head: what is longer stands whole on the page."""

_BLANK_ROWS = 4

_PICTOGRAPHS = re.compile("[\U0001f000-\U0001faff\ufe0e\ufe0f\u200d\U000e0000-\U000e007f]")
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010fffd]")
_UNBROKEN = re.compile(r"[!-~]{13,}")


def pdf(view: PlanView, *, checks: bool = True) -> bytes:
    """The sheets of all routes; where there are several, or something was left out, an overview before them.

    Parameters
    ----------
    checks
        Whether each village's blank check sheet follows its route.

    Raises
    ------
    WrongUseError
        ``print_missing`` without typst, ``print_no_font`` without a Chinese font.
    """
    fonts, family = _chinese()
    import typst  # noqa: PLC0415 - an extra

    data = orjson.dumps(_sheets(view, family, checks=checks)).decode()
    template = resources.files("villagemap.sheets").joinpath("sheet.typ").read_bytes()
    compiled = typst.compile(template, font_paths=fonts, sys_inputs={"sheets": data}, format="pdf")
    return bytes(compiled)


@cache
def _fonts() -> "typst.Fonts":
    try:
        import typst  # noqa: PLC0415 - an extra
    except ImportError as fault:
        raise WrongUseError("print_missing") from fault
    return typst.Fonts()


def _chinese() -> tuple["typst.Fonts", str]:
    """The system's fonts, and the family to set Chinese in."""
    fonts = _fonts()
    known = set(fonts.families())
    family = next((family for family in FONTS if family in known), "")
    if not family:
        raise WrongUseError("print_no_font", known=", ".join(FONTS))
    return fonts, family


def _said(text_of_a_person: str, most: int = 2000) -> str:
    """A person's text as it can be printed.

    Pictographs have no place in a text font and are left out; a character of somebody's own font becomes a geta mark,
    as printers do; a long word may break anywhere.
    """
    bare = _PRIVATE.sub("\u3013", _PICTOGRAPHS.sub("", one_line(text_of_a_person)))
    cut = bare if len(bare) <= most else bare[: most - 1] + "…"
    return _UNBROKEN.sub(lambda word: "\u200b".join(word[0]), cut)


def _sheets(view: PlanView, family: str, *, checks: bool) -> dict[str, Any]:
    """All that the template sets."""
    overview = len(view.routes) != 1 or view.left_out
    return {
        "lang": view.lang,
        "family": family,
        "title": _said(view.title, _LONGEST_NAME),
        "county": _said(view.county_name, _LONGEST_NAME),
        "standing": _said(standing(view), _IN_MARGIN),
        "demo": text("sheets.demo", view.lang) if view.demo else "",
        "matrix": _said(view.matrix, _LONGEST_NAME),
        "words": catalog("sheets", view.lang)["print"],
        "overview": _overview(view) if overview else None,
        "routes": [_route(view, route, checks=checks) for route in view.routes],
    }


def _overview(view: PlanView) -> dict[str, Any]:
    stops, metres = sum(len(r.calls) for r in view.routes), sum(r.distance_m for r in view.routes)
    finding = text(
        "sheets.plan_finding",
        view.lang,
        title=_said(view.title, _LONGEST_NAME),
        routes=len(view.routes),
        stops=stops,
        km=km(metres),
        left_out=len(view.left_out),
    )
    rows = [
        [
            day_label(route, view.lang),
            _said(route.team_name, _LONGEST_NAME),
            str(len(route.calls)),
            km(route.distance_m),
            lasting(route.travel_s, view.lang),
            lasting(route.working_s, view.lang),
            f"{clock(route.leave_s)}–{clock(route.back_s)}",
        ]
        for route in view.routes
    ]
    return {
        "head": _said(view.title, _IN_MARGIN),
        "finding": finding,
        "rows": rows,
        "left_out": [_left_out(view, one) for one in view.left_out],
        "notices": _notices(view, (f"{short_title(r)} · {breach}" for r in view.routes for breach in r.breaches)),
    }


def _left_out(view: PlanView, one: LeftOutView) -> dict[str, Any]:
    place = " · ".join(_said(part, _LONGEST_NAME) for part in (one.town, one.village) if part and part != one.name)
    return {
        "name": _said(one.name, _LONGEST_NAME),
        "where": place,
        "must": text("sheets.columns.must", view.lang) if one.must else "",
        "why": _said(one.why),
        "hints": [_said(hint) for hint in one.hints],
    }


def _notices(view: PlanView, breaches: Iterable[str]) -> list[str]:
    """What must not be read past: that times are an estimate, and what a day breaks."""
    return [*([_said(view.matrix)] if view.estimated and view.matrix else []), *(_said(one) for one in breaches)]


def _route(view: PlanView, route: RouteView, *, checks: bool) -> dict[str, Any]:
    lang, words = view.lang, catalog("sheets", view.lang)["print"]
    figures = [
        (words["stops"], str(len(route.calls))),
        (words["open"], str(route.open_issues)),
        (words["distance"], f"{km(route.distance_m)}\u202fkm"),
        (words["driving"], lasting(route.travel_s, lang)),
        (words["working"], lasting(route.working_s, lang)),
        (words["leave"], clock(route.leave_s)),
        (words["back"], clock(route.back_s)),
    ]
    return {
        "head": _said(short_title(route), _IN_MARGIN),
        "finding": _said(route_title(view, route), 2 * _LONGEST_NAME),
        "day": day_label(route, lang),
        "people": text("sheets.list", lang).join(_said(name) for name in route.people),
        "figures": figures,
        "notices": _notices(view, route.breaches),
        "map": _map(view, route),
        "rows": list(_rows(view, route)),
        "checks": list(_checks(view, route)) if checks else [],
    }


def _map(view: PlanView, route: RouteView) -> dict[str, Any] | None:
    picture = draw_map(view, route)
    if picture is None:
        return None
    caption = [text("sheets.map.key", view.lang), _said(view.ground_source)]
    caption += [text("sheets.map.approximate", view.lang)] if view.approximate and view.ground else []
    caption += [_said(standing(view), _LONGEST_NAME)]
    return {
        "svg": picture.svg,
        "width": picture.width,
        "height": picture.height,
        "caption": " · ".join(part for part in caption if part),
        "labels": [
            {
                "said": _said(label.said),
                "style": label.style,
                "x": label.box.x - label.box.width / 2,
                "y": label.box.y - label.box.height / 2,
                "width": label.box.width,
                "height": label.box.height,
            }
            for label in picture.labels
        ],
    }


def _rows(view: PlanView, route: RouteView) -> Iterator[dict[str, Any]]:
    """The day's lines: start, calls with lunch between them, end."""
    lang, lunch = view.lang, route.lunch
    start, end = (_said(depot.name, _LONGEST_NAME) for depot in (route.start, route.end))
    yield {"kind": "line", "time": clock(route.leave_s), "said": text("sheets.print_leave", lang, place=start)}
    for call in route.calls:
        if lunch and lunch.after == call.order - 1:
            yield _lunch(view, route)
        yield _call(view, call)
    if lunch and lunch.after == len(route.calls):
        yield _lunch(view, route)
    yield {
        "kind": "line",
        "time": clock(route.back_s),
        "said": text("sheets.print_back", lang, place=end),
        "leg": _leg(view, route.back_leg_m, route.back_leg_s),
        "code": _code(guide_to(route.end.name, route.end.at, short=True)),
    }


def _leg(view: PlanView, metres: int, seconds: int) -> list[str]:
    return [f"{km(metres)}\u202fkm", text("sheets.minutes", view.lang, minutes=minutes(seconds))]


def _lunch(view: PlanView, route: RouteView) -> dict[str, Any]:
    lunch = route.lunch
    times = f"{clock(lunch.begin_s)}\n{clock(lunch.end_s)}" if lunch else ""
    return {"kind": "line", "time": times, "said": text("sheets.print_lunch", view.lang)}


def _call(view: PlanView, call: CallView) -> dict[str, Any]:
    lang = view.lang
    more = len(call.issues) - SHOWN_ISSUES
    notes = [text("sheets.columns.must", lang)] if call.must else []
    notes += [text("sheets.waits", lang, minutes=minutes(call.wait_s))] if minutes(call.wait_s) else []
    notes += [text("sheets.done", lang)] if call.done else []
    notes += [text("sheets.no_position", lang)] if call.at is None else []
    return {
        "kind": "call",
        "order": str(call.order),
        "time": f"{clock(call.arrive_s)}\n{clock(call.leave_s)}",
        "name": _said(call.name, _LONGEST_NAME),
        "where": _said(where(call), _LONGEST_NAME),
        "notes": text("sheets.list", lang).join(notes),
        "issues": [_issue(view, issue, _LONGEST_TEXT) for issue in call.issues[:SHOWN_ISSUES]],
        "more": text("sheets.more", lang, count=more) if more > 0 else "",
        "leg": _leg(view, call.leg_m, call.leg_s),
        "code": _code(guide_to(call.name, call.at, short=True)),
    }


def _issue(view: PlanView, issue: OpenIssue, most: int = 400) -> dict[str, Any]:
    due = text("sheets.due", view.lang, day=issue.due_on.isoformat()) if issue.due_on else ""
    return {
        "number": _said(issue.number, _LONGEST_TEXT),
        "category": _said(issue.category, _LONGEST_TEXT),
        "what": _said(issue.what, most),
        "duty": _said(issue.duty_unit, _LONGEST_NAME),
        "due": due,
        "overdue": text("sheets.columns.overdue", view.lang) if issue.overdue else "",
    }


def _checks(view: PlanView, route: RouteView) -> Iterator[dict[str, Any]]:
    """A sheet for each village in the order of the day, with all its stops."""
    villages: dict[str, list[CallView]] = {}
    for call in route.calls:
        villages.setdefault(call.village_id or call.stop, []).append(call)
    for calls in villages.values():
        first = calls[0]
        yield {
            "village": _said(first.village or first.name, _LONGEST_NAME),
            "town": _said(first.town, _LONGEST_NAME),
            "stops": [_checked(view, call) for call in calls],
            "issues": [_issue(view, issue) for call in calls for issue in call.issues],
            "blank": _BLANK_ROWS,
        }


def _checked(view: PlanView, call: CallView) -> dict[str, Any]:
    """A stop on its village's sheet: the code opens the first issue's or the village's page, else it guides there."""
    page = next((view.link(path) for path in _pages(call) if view.link(path)), "")
    return {
        "order": str(call.order),
        "name": _said(call.name, _LONGEST_NAME),
        "time": f"{clock(call.arrive_s)}–{clock(call.leave_s)}",
        "code": _code(page or guide_to(call.name, call.at, short=True)),
        "opens": text("sheets.code_page" if page else "sheets.code_guide", view.lang),
    }


def _pages(call: CallView) -> Sequence[str]:
    """The village's page where it has one, else its only issue's."""
    return (call.path, *(issue.path for issue in call.issues[:1]))


def _code(link: str) -> str:
    """A QR code as SVG, whose edge is for the paper to give; "" for no link."""
    if not link:
        return ""
    code = segno.make(link, micro=False, error="m", boost_error=False)
    return code.svg_inline(border=0, omitsize=True)
