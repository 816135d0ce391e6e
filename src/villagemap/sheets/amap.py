"""Amap (高德) links, which open navigation on a phone: ``uri.amap.com/navigation``, GCJ-02.

It takes one via point, so a longer route is several links, each of two legs. Without ``from`` it starts where the phone
is. WeChat's browser can't open the app: a link is to be copied, or scanned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote, urlencode

import numpy as np

from villagemap.crs import wgs84_to_gcj02
from villagemap.sheets.view import Point, RouteView
from villagemap.sheets.words import one_line

ADDRESS = "https://uri.amap.com/navigation"
DIGITS = 6
"""Decimals of a coordinate: 0.1 m; Amap takes no more."""

_LEGS = 2
"""Of a link: to its via point and on."""

_SHORT_NAME = 6
"""Characters of a name in a code to scan: more make its squares too small for a phone over a bumpy road."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a day that one link guides along: from one order to another, by the order between or None.

    Order 0 is the start, one more than the calls the end.
    """

    start: int
    via: int | None
    end: int
    link: str


def stages(route: RouteView) -> list[Stage]:
    """The day as links of at most one via point; a stop without a position parts them, and no link goes by it."""
    points = [
        (one_line(route.start.name), route.start.at),
        *((one_line(call.name), call.at) for call in route.calls),
        (one_line(route.end.name), route.end.at),
    ]
    found: list[Stage] = []
    for run in _runs([point is not None for _, point in points]):
        for first in range(run.start, run.stop - 1, _LEGS):
            last = min(first + _LEGS, run.stop - 1)
            via = first + 1 if last - first == _LEGS else None
            named = [_named(*points[order]) for order in (first, last)]
            middle = {"via": _named(*points[via])} if via is not None else {}
            link = _link({"from": named[0], "to": named[1], **middle})
            found.append(Stage(start=first, via=via, end=last, link=link))
    return found


def guide_to(name: str, at: Point | None, *, short: bool = False) -> str:
    """The link that guides to one point from wherever the phone is; "" without a position.

    ``short`` cuts the name, for a code to scan.
    """
    name = one_line(name)
    return _link({"to": _named(name[:_SHORT_NAME] if short else name, at)}) if at else ""


def _runs(here: Sequence[bool]) -> list[range]:
    """Longest runs of what is true."""
    edges = [n for n, (before, now) in enumerate(pairwise([False, *here, False])) if before != now]
    return [range(*edges[n : n + 2]) for n in range(0, len(edges), 2)]


def _named(name: str, at: Point | None) -> str:
    """``lon,lat,name`` in GCJ-02; a comma in the name would read as one more part."""
    lon, lat = at or (0.0, 0.0)
    east, north = wgs84_to_gcj02(np.asarray(lon), np.asarray(lat))
    place = f"{float(east):.{DIGITS}f},{float(north):.{DIGITS}f}"
    bare = name.replace(",", " ").strip()
    return f"{place},{bare}" if bare else place


def _link(parts: dict[str, str]) -> str:
    rest = {"mode": "car", "coordinate": "gaode", "src": "villagemap", "callnative": "1"}
    return f"{ADDRESS}?{urlencode(parts | rest, quote_via=quote, safe=',')}"
