"""The map of one town: Folium frames it, our own script draws it.

branca runs everything inside a Folium object through Jinja twice, and Folium's popups are JavaScript template
literals. So no user's text ever enters one: Folium renders a frame of constants, and names, counts and issues
follow it as escaped JSON that ``static/*.js`` draws with ``textContent``.
"""

import html
import math
import os
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import folium
import orjson
from branca.element import Element, Figure, Link, MacroElement
from folium.map import Layer
from folium.template import Template

from villagemap.errors import BadInputError, NotFoundError, WrongUseError
from villagemap.model import BBox, Counts, Urgency
from villagemap.settings import Basemap, shown_files
from villagemap.texts import catalog, text
from villagemap.vocabulary import Vocabulary

INLINE_CARDS = 10_000
"""A self-contained file holds at most so many issues; above that it draws clusters."""

VENDOR = "/static/vendor/"
STYLES = ("leaflet/leaflet.css", "villagemap.css", "map.css")
MODULES = (
    "page.js",
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
    basemap = view.basemap
    if basemap.url and basemap.datum != "wgs84":
        raise BadInputError("basemap_datum", datum=basemap.datum)
    unknown = set(re.findall(r"\{(.*?)\}", basemap.url)) - {"s", "z", "x", "y", "r"}
    if unknown:
        raise BadInputError("basemap_url", url=basemap.url, parts=", ".join(sorted(unknown)))
    if view.inline is not None and len(view.inline.cards) > INLINE_CARDS:
        raise BadInputError("inline_cards", count=len(view.inline.cards), most=INLINE_CARDS)
    return TownMap(view)


class DrawnLayer(Layer):
    """A layer that Folium frames and names by a constant, and that our own script fills and labels."""

    _template = Template("{% macro script(this, kwargs) %}var {{ this.get_name() }} = L.layerGroup([]);{% endmacro %}")

    def __init__(self, key: str) -> None:
        super().__init__(name=key, overlay=True)
        self._name = "DrawnLayer"
        self._id = key.replace("-", "_")


class Handover(MacroElement):
    """Tells our script which JavaScript names Folium gave to the map, its control and its layers."""

    _template = Template(
        "{% macro script(this, kwargs) %}var villagemap_frame = { map: {{ this.map_name }}, control: "
        "{{ this.control_name }}, layers: { {% for key, name in this.layer_names.items() %}"
        "{{ key|tojson }}: {{ name }}, {% endfor %} } };{% endmacro %}"
    )

    def __init__(self, framed: folium.Map, control: folium.LayerControl, layers: Sequence[DrawnLayer]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name, self._id = "Handover", "town"
        self.map_name, self.control_name = framed.get_name(), control.get_name()
        self.layer_names = {layer.layer_name: layer.get_name() for layer in layers}


class OwnAssets(Element):
    """A figure's header that takes no link but to the files we have, and writes none itself."""

    def add_child(self, child: Element, name: str | None = None, index: int | None = None) -> Element:
        """Add an element; a link to one of our own files is dropped here, because the page writes those itself.

        Raises
        ------
        WrongUseError
            If the link leads to anything that we don't have.
        """
        if not isinstance(child, Link):
            return super().add_child(child, name=name, index=index)
        if child.url not in _own_addresses():
            raise WrongUseError("foreign_asset", url=child.url)
        return self


class PageFigure(Figure):
    """Our own page around Folium's map; the two comments are where the assets and the data go after Jinja."""

    _template = Template(
        '<!DOCTYPE html>\n<html lang="{{ this.lang }}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<!--assets-->\n'
        '{{ this.header.render(**kwargs) }}\n</head>\n<body class="vm-page vm-town">\n'
        '<header id="vm-head" class="vm-card"></header>\n<section id="vm-figures" class="vm-card"></section>\n'
        '<main id="vm-map">\n{{ this.html.render(**kwargs) }}\n<div id="vm-fault" role="alert" hidden></div>\n</main>\n'
        '<aside id="vm-legend"></aside>\n<!--data-->\n<script>\n'
        "L.Control.Scale.mergeOptions({ imperial: false });\nL.Control.Attribution.mergeOptions({ prefix: false });\n"
        "{{ this.script.render(**kwargs) }}\n</script>\n<!--module-->\n</body>\n</html>\n"
    )

    def __init__(self, lang: str) -> None:
        super().__init__()
        self.lang = {"zh": "zh-CN"}.get(lang, lang)
        self.header = OwnAssets()
        self.header._parent = self  # noqa: SLF001 - how branca's own figure does it


class TownMap(folium.Map):
    """A Folium map of one town that names no address but our own.

    `page` is for the server; `page_inline`, `save` and Jupyter give one self-contained file. Folium layers without
    assets of their own may be added; whoever adds one vouches for the text in it.
    """

    default_js = [("leaflet", VENDOR + "leaflet/leaflet.js")]  # noqa: RUF012 - folium's own way
    default_css = [("leaflet_css", VENDOR + "leaflet/leaflet.css")]  # noqa: RUF012

    def __init__(self, view: TownView) -> None:
        west, south, east, north = (_finite(value) for value in view.bbox)
        super().__init__(
            location=[(south + north) / 2, (west + east) / 2],
            tiles=None,
            control_scale=True,
            font_size="14px",
            maxZoom=19,
            minZoom=6,
            zoomSnap=1 if view.basemap.url else 0.25,
        )
        self._id = "town"
        self.view = view
        layers = [DrawnLayer(key) for key in self._layer_keys()]
        for layer in layers:
            self.add_child(layer)
        control = folium.LayerControl(collapsed=True)
        control._id = "town"  # noqa: SLF001 - a fixed name makes equal pages equal bytes
        self.add_child(control)
        self.add_child(Handover(self, control, layers))

    def _layer_keys(self) -> list[str]:
        groups = [f"group-{index}" for index in range(len(self.view.vocabulary.groups))]
        return ["town", "villages", "names", *groups]

    def page(self, nonce: str) -> str:
        """The page for a server: assets under ``/static``, inline parts carrying ``nonce`` for its CSP."""
        tag = html.escape(nonce, quote=True)
        styles = "".join(f'<link rel="stylesheet" href="{_address(name)}">\n' for name in STYLES)
        leaflet = f'<script nonce="{tag}" src="{VENDOR}leaflet/leaflet.js"></script>\n'
        module = f'<script type="module" nonce="{tag}" src="/static/map.js"></script>\n'
        return self._compose(tag, _ICON + styles + leaflet, module)

    def page_inline(self) -> str:
        """One self-contained page that opens from disk and asks no network for anything.

        Raises
        ------
        WrongUseError
            If the view has links and no data: such a page only works on a server.
        """
        if self.view.inline is None:
            raise WrongUseError("map_without_data", town=self.view.name)
        style, leaflet, script = _inline_assets()
        nonce = self._own_nonce()
        policy = f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:"
        head = (
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            f'<style nonce="{nonce}">\n{style}\n</style>\n<script nonce="{nonce}">\n{leaflet}\n</script>\n'
        )
        return self._compose(nonce, head, f'<script type="module" nonce="{nonce}">\n{script}\n</script>\n')

    def csp(self, nonce: str) -> str:
        """The Content-Security-Policy header that fits `page`; only an administrator's basemap adds a host."""
        images = " ".join(["'self'", "data:", *_hosts(self.view.basemap.url)])
        return (
            f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
            f"img-src {images}; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
        )

    def save(self, outfile: str | bytes | Path | BinaryIO, close_file: bool = True, **_kwargs: object) -> None:
        """Write the self-contained page, UTF-8."""
        content = self.page_inline().encode()
        if isinstance(outfile, str | bytes | Path):
            Path(os.fsdecode(outfile)).write_bytes(content)
            return
        outfile.write(content)
        if close_file:
            outfile.close()

    def _repr_html_(self, **_kwargs: object) -> str:
        """The self-contained page in a frame of its own, for a notebook."""
        source = html.escape(self.page_inline(), quote=True)
        return f'<iframe srcdoc="{source}" style="width:100%;height:640px;border:0"></iframe>'

    def _compose(self, nonce: str, assets: str, module: str) -> str:
        """Folium's frame with assets, data and module put in after its last pass through Jinja."""
        figure = PageFigure(self.view.lang)
        figure.add_child(self)
        frame = _FOLIUM_VIEWPORT.sub("", figure.render())
        frame = _INLINE_TAG.sub(rf'<\1 nonce="{nonce}"', frame)
        head, _, rest = frame.partition("<!--assets-->")
        middle, _, rest = rest.partition("<!--data-->")
        script, _, tail = rest.partition("<!--module-->")
        return f"{head}{assets}{middle}{self._data()}{script}{module}{tail}"

    def _data(self) -> str:
        """What the page says and draws, as JSON blocks that no text in them can leave."""
        hint = html.escape(text("maps.need_script", self.view.lang))
        blocks = f"<noscript>{hint}</noscript>\n" + _block("villagemap-page", _page(self.view))
        if self.view.inline is not None:
            blocks += _block("villagemap-town", _town(self.view.inline))
        return blocks

    def _own_nonce(self) -> str:
        """A nonce from all that the page holds: equal pages are equal, and no text in it can foretell it."""
        return b64encode(sha256(self._data().encode()).digest()[:18], b"-_").decode()


def vendor_asset(path: str) -> Path:
    """Where ``/static/vendor/<path>`` lies in the installed wheel.

    Raises
    ------
    NotFoundError
        If ``path`` isn't on the fixed list of files that we serve.
    """
    if path not in _VENDORED:
        raise NotFoundError("unknown_asset", path=path)
    return Path(str(files("js_lib_leaflet"))) / "static" / "js_lib_leaflet" / _VENDORED[path]


_VENDORED = {
    f"leaflet/{name}": name
    for name in (
        "leaflet.js",
        "leaflet.css",
        "images/layers.png",
        "images/layers-2x.png",
        "images/marker-icon.png",
        "images/marker-icon-2x.png",
        "images/marker-shadow.png",
    )
}
_ICON = (
    "<link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M8 1 15 14H1Z' fill='%232166AC'/%3E%3C/svg%3E\">\n"
)
_INLINE_TAG = re.compile(r"<(script|style)(?=>)")
_FOLIUM_VIEWPORT = re.compile(r'<meta name="viewport"[^>]*user-scalable=no[^>]*/>')
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_ESCAPED = str.maketrans(_ESCAPES)


def _own_addresses() -> frozenset[str]:
    own = {VENDOR + path for path in _VENDORED} | {_address(name) for name in (*STYLES, *MODULES)}
    return frozenset(own)


def _address(name: str) -> str:
    return (VENDOR if name in _VENDORED else "/static/") + name


def _read(name: str) -> str:
    path = vendor_asset(name) if name in _VENDORED else shown_files("static") / name
    return path.read_text(encoding="utf-8")


@cache
def _inline_assets() -> tuple[str, str, str]:
    """Style, Leaflet and our modules as one script, without anything that a browser would fetch."""
    said = re.sub(r"/\*.*?\*/", "", "\n".join(_read(name) for name in STYLES), flags=re.DOTALL)
    style = re.sub(r"url\((?:images/|#)[^)]*\)", "none", said)
    leaflet = re.sub(r"^//# sourceMappingURL=.*$", "", _read("leaflet/leaflet.js"), flags=re.MULTILINE)
    joined = "\n".join(_read(name) for name in MODULES)
    bare = re.sub(r"^import [^;]*;\n", "", joined, flags=re.MULTILINE)
    return style, leaflet, re.sub(r"^export (?=function|const|class|async)", "", bare, flags=re.MULTILINE)


def _block(block_id: str, value: object) -> str:
    content = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode().translate(_ESCAPED)
    return f'<script type="application/json" id="{block_id}">{content}</script>\n'


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
        "basemap": asdict(view.basemap) if view.basemap.url and view.links else None,
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


def _hosts(url: str) -> list[str]:
    """The origin of a basemap as a CSP source; ``t{s}.example.org`` becomes ``*.example.org``."""
    parts = urlsplit(url)
    if not parts.netloc:
        return []
    host = re.sub(r"^[^.]*\{[^.]*\}[^.]*", "*", parts.netloc)
    if re.search(r"[^a-z0-9.:*-]", host, flags=re.IGNORECASE) or parts.scheme not in {"http", "https"}:
        raise BadInputError("basemap_url", url=url, parts=parts.netloc)
    return [f"{parts.scheme}://{host}"]


def _finite(degrees: float) -> float:
    if not math.isfinite(degrees):
        raise BadInputError("bbox_not_finite", value=degrees)
    return float(degrees)
