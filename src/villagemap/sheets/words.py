"""Figures and names as a sheet says them."""

import re

from villagemap.sheets.view import CallView, PlanView, RouteView
from villagemap.texts import text

DAY_S = 86400
_NEVER_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""What XML 1.0 forbids or discourages (section 2.2); neither paper nor a phone shows it either."""

_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Marks that turn the direction of writing: a name with one could make the figures beside it read backwards."""


def plain(said: str) -> str:
    """A person's text without control characters, lone surrogates and marks of direction."""
    return _DIRECTIONS.sub("", _NEVER_IN_XML.sub("", said))


def one_line(said: str) -> str:
    """`plain`, on one line."""
    return " ".join(plain(said).split())


def clock(seconds: int) -> str:
    """Time of day as 08:30, to the minute that has begun; past midnight it counts on (24:10)."""
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours:02}:{minutes:02}"


def minutes(seconds: int) -> int:
    """Whole minutes, rounded; what takes any time at all takes one."""
    return max(round(seconds / 60), 1) if seconds > 0 else 0


def km(metres: int) -> str:
    """Kilometres to 100 m."""
    return f"{metres / 1000:.1f}"


def lasting(seconds: int, lang: str) -> str:
    """A duration in hours and minutes."""
    hours, rest = divmod(minutes(seconds), 60)
    if not hours:
        return text("sheets.minutes", lang, minutes=rest)
    return text("sheets.hours", lang, hours=hours, minutes=f"{rest:02}")


def where(call: CallView) -> str:
    """Town and village of a stop, without what its name says already."""
    parts = [one_line(part) for part in (call.town, call.village) if part and part != call.name]
    return " · ".join(parts)


def day_label(route: RouteView, lang: str) -> str:
    """A route's date with its weekday."""
    return text("sheets.on", lang, day=route.on.isoformat(), weekday=text(f"sheets.weekdays.{route.on:%u}", lang))


def standing(view: PlanView) -> str:
    """What each page says of its map: the review number, or that it is for internal use."""
    if view.review_number:
        return text("sheets.review_number", view.lang, number=one_line(view.review_number))
    return text("sheets.internal", view.lang)


def route_title(view: PlanView, route: RouteView) -> str:
    """A finding: who, when, how many stops, how far, back when."""
    return text(
        "sheets.finding",
        view.lang,
        team=one_line(route.team_name),
        day=route.on.isoformat(),
        stops=len(route.calls),
        km=km(route.distance_m),
        back=clock(route.back_s),
    )


def short_title(route: RouteView) -> str:
    """Date and team, as folders, tracks and sheets of a workbook are called."""
    return f"{route.on.isoformat()} {one_line(route.team_name)}"
