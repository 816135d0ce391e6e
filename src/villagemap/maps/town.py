"""The map of one town: its issues, drawn from the server's tiles or from what the page holds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import orjson

from villagemap.errors import BadInputError
from villagemap.maps.frame import FramedMap, Ground, Look, basemap_shown, check_basemap
from villagemap.model import BBox, Counts, Urgency
from villagemap.settings import Basemap
from villagemap.texts import catalog
from villagemap.vocabulary import Vocabulary

INLINE_CARDS = 10_000
"""A self-contained file holds at most so many issues; above that it draws clusters."""

STYLES = ("leaflet/leaflet.css", "villagemap.css", "map-frame.css", "map.css")
MODULES = (
    "page.js",
    "controls.js",
    "marks.js",
    "panel.js",
    "places.js",
    "popup.js",
    "tile-source.js",
    "inline-source.js",
    "declutter.js",
    "issues-layer.js",
    "map.js",
)
"""Our modules in the order in which they may be written one after another: each imports from those before it."""

SHAPES = frozenset({"cleanup", "livestock", "toilets", "garbage", "sewage", "gardens", "roads", "households"})
"""Groups that have a shape of their own in ``marks.js``; a county's own group gets the spare one."""

Card = Mapping[str, Any]
Cluster = Sequence[Any]
"""``[lon, lat, count, [overdue, behind, near, in_time, submitted, closed]]``, degrees WGS 84."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Addresses on our own server that the page fetches from or leads to, without a slash at the end."""

    tiles: str = "/tiles/issues"
    issues: str = "/issues"
    items: str = "/collections/issues/items"
    towns: str = "/collections/towns/items"
    villages: str = "/collections/villages/items"
    export: str = "/export.geojson"
    home: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineTown:
    """All that a page without a server draws; the GeoJSON is UTF-8 bytes, WGS 84.

    ``cards`` are issue cards as ``/issues/{id}`` answers them. For more than `INLINE_CARDS` issues give none,
    and ``clusters`` by group code instead, at the finest grid that the page shall show.
    """

    boundary: bytes
    villages: bytes
    neighbours: bytes | None = None
    cards: Sequence[Card] = ()
    clusters: Mapping[str, Sequence[Cluster]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TownView:
    """One town as it stands on ``today``; ``data_on`` is the day of the newest change in the data.

    Exactly one of ``links`` (the page fetches) and ``inline`` (the page holds) is given. ``withheld`` is how many
    counted issues an inline page doesn't hold because its readers may not see them; the page says so.
    """

    code: str
    name: str
    county_name: str
    lang: str
    today: date
    data_on: date | None
    bbox: BBox
    counts: Counts
    vocabulary: Vocabulary
    demo: bool = False
    approximate: bool = False
    basemap: Basemap = field(default_factory=Basemap)
    review_number: str = ""
    withheld: int = 0
    links: Links | None = None
    inline: InlineTown | None = None


def town_map(view: TownView) -> "TownMap":
    """The map of a town, ready to be rendered for a server, a file or a notebook.

    Raises
    ------
    BadInputError
        If the basemap isn't in WGS 84 or its address has unknown parts, or more than `INLINE_CARDS` cards are given.
    """
    check_basemap(view.basemap)
    if view.inline is not None and len(view.inline.cards) > INLINE_CARDS:
        raise BadInputError("inline_cards", count=len(view.inline.cards), most=INLINE_CARDS)
    return TownMap(view)


class TownMap(FramedMap):
    """A Folium map of one town; see `FramedMap`."""

    look = Look(
        key="town",
        styles=STYLES,
        modules=MODULES,
        before='<header id="vm-head" class="vm-card"></header>\n<section id="vm-figures" class="vm-card"></section>\n',
        after='<aside id="vm-legend"></aside>\n',
    )

    def __init__(self, view: TownView) -> None:
        self.view = view
        groups = [f"group-{index}" for index in range(len(view.vocabulary.groups))]
        layers = ("town", "villages", "names", *groups)
        super().__init__(Ground(lang=view.lang, bbox=view.bbox, basemap=view.basemap, layers=layers))

    def title(self) -> str:
        """The town's name."""
        return self.view.name

    def whole(self) -> bool:
        """Whether the page holds all that it draws."""
        return self.view.inline is not None

    def blocks(self) -> Mapping[str, object]:
        """What the page says, and the town itself where it fetches nothing."""
        page = {"villagemap-page": _page(self.view)}
        return page | ({"villagemap-town": _town(self.view.inline)} if self.view.inline else {})


def _page(view: TownView) -> dict[str, Any]:
    words = view.vocabulary
    return {
        "lang": view.lang,
        "town": {"code": view.code, "name": view.name, "county": view.county_name},
        "today": view.today,
        "data_on": view.data_on,
        "bbox": list(view.bbox),
        "counts": asdict(view.counts),
        "demo": view.demo,
        "approximate": view.approximate,
        "review_number": view.review_number,
        "withheld": view.withheld,
        "basemap": basemap_shown(view.basemap, served=view.links is not None),
        "groups": [
            {"code": code, "label": labels[view.lang], "shape": code if code in SHAPES else "other"}
            for code, labels in words.groups.items()
        ],
        "categories": {
            code: {"group": entry.group, "label": entry.labels[view.lang]} for code, entry in words.categories.items()
        },
        "urgencies": [str(urgency) for urgency in Urgency],
        "labels": _labels(words, view.lang),
        "texts": catalog("maps", view.lang)["page"],
        "links": asdict(view.links) if view.links else None,
    }


def _labels(words: Vocabulary, lang: str) -> dict[str, dict[str, str]]:
    labels = {
        kind: {code: words.label(kind, code, lang) for code in words.words[kind]}
        for kind in ("urgencies", "sources", "statuses", "units")
    }
    labels["subdefects"] = {
        f"{category.code}.{code}": names[lang]
        for category in words.categories.values()
        for code, names in category.subdefects.items()
    }
    return labels


def _town(town: InlineTown) -> dict[str, Any]:
    return {
        "boundary": orjson.loads(town.boundary),
        "villages": orjson.loads(town.villages),
        "neighbours": orjson.loads(town.neighbours) if town.neighbours else None,
        "cards": [dict(card) for card in town.cards],
        "clusters": town.clusters,
    }
