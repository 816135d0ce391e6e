"""The map of a plan: its routes by team and day, the stops and what was left out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import orjson

from villagemap.maps.frame import FramedMap, Ground, Look, basemap_shown, check_basemap
from villagemap.model import BBox
from villagemap.settings import Basemap
from villagemap.texts import catalog

STYLES = ("leaflet/leaflet.css", "villagemap.css", "map-frame.css", "route.css")
MODULES = (
    "page.js",
    "controls.js",
    "places.js",
    "route-looks.js",
    "route-plan.js",
    "route-source.js",
    "route-job.js",
    "lasso.js",
    "route-marks.js",
    "route-map.js",
    "route-table.js",
    "route-panel.js",
    "route-drag.js",
    "route-stop.js",
    "route-trial.js",
    "route-replan.js",
    "route-page.js",
)
"""Our modules in the order in which they may be written one after another: each imports from those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteLinks:
    """Addresses on our own server that the page fetches from or leads to, without a slash at the end."""

    plans: str = "/plans"
    routes: str = "/routes"
    towns: str = "/collections/towns/items"
    villages: str = "/collections/villages/items"
    home: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineRoutes:
    """All that a page without a server draws.

    ``plan`` is what ``/plans/{id}`` answers; ``legs``, ``towns`` and ``villages`` are GeoJSON, UTF-8, WGS 84.
    """

    plan: Mapping[str, Any]
    legs: bytes
    towns: bytes
    villages: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutesView:
    """One plan to be shown; exactly one of ``links`` (the page fetches) and ``inline`` (the page holds) is given.

    ``doors`` are addresses and words of the pages that the reader may go to.
    """

    plan_id: str
    name: str
    county_name: str
    lang: str
    today: date
    bbox: BBox
    demo: bool = False
    approximate: bool = False
    basemap: Basemap = field(default_factory=Basemap)
    review_number: str = ""
    who: str = ""
    doors: Sequence[tuple[str, str]] = ()
    links: RouteLinks | None = None
    inline: InlineRoutes | None = None


def route_map(view: RoutesView) -> "RouteMap":
    """The map of a plan, ready to be rendered for a server, a file or a notebook.

    Raises
    ------
    BadInputError
        If the basemap isn't in WGS 84 or its address has unknown parts.
    """
    check_basemap(view.basemap)
    return RouteMap(view)


class RouteMap(FramedMap):
    """A Folium map of one plan; see `FramedMap`."""

    look = Look(
        key="routes",
        styles=STYLES,
        modules=MODULES,
        before='<header id="vm-head" class="vm-card"></header>\n',
        after='<aside id="vm-panel" tabindex="-1"></aside>\n',
    )

    def __init__(self, view: RoutesView) -> None:
        self.view = view
        layers = ("towns", "villages", "names")
        super().__init__(Ground(lang=view.lang, bbox=view.bbox, basemap=view.basemap, layers=layers))

    def title(self) -> str:
        """The plan's name."""
        return self.view.name

    def whole(self) -> bool:
        """Whether the page holds all that it draws."""
        return self.view.inline is not None

    def blocks(self) -> Mapping[str, object]:
        """What the page says, and the plan itself where it fetches nothing."""
        page = {"villagemap-page": _page(self.view)}
        return page | ({"villagemap-routes": _held(self.view.inline)} if self.view.inline else {})


def _page(view: RoutesView) -> dict[str, Any]:
    shared = catalog("maps", view.lang)["page"]
    return {
        "lang": view.lang,
        "plan": {"id": view.plan_id, "name": view.name},
        "county": view.county_name,
        "today": view.today,
        "bbox": list(view.bbox),
        "demo": view.demo,
        "approximate": view.approximate,
        "review_number": view.review_number,
        "basemap": basemap_shown(view.basemap, served=view.links is not None),
        "who": view.who,
        "doors": list(view.doors),
        "texts": shared | catalog("route_page", view.lang)["page"],
        "labels": {},
        "links": asdict(view.links) if view.links else None,
    }


def _held(routes: InlineRoutes) -> dict[str, Any]:
    return {
        "plan": dict(routes.plan),
        "legs": orjson.loads(routes.legs),
        "towns": orjson.loads(routes.towns),
        "villages": orjson.loads(routes.villages),
    }
