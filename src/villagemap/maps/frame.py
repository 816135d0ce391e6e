"""What every map of ours shares: Folium's frame of constants, the files it may name, one page from disk or a server."""

import html
import math
import os
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
from villagemap.model import BBox
from villagemap.settings import Basemap, shown_files
from villagemap.texts import text

VENDOR = "/static/vendor/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One kind of page: constants all of them, for they pass through Jinja.

    Parameters
    ----------
    key
        Stands in names: the map is ``map_<key>`` in JavaScript, the body's class ``vm-<key>``.
    styles, modules
        Files of ours (and Leaflet's) in the order in which they may be written one after another: a module imports
        from those before it; the last one starts.
    before, after
        Markup of the body around the map.
    """

    key: str
    styles: tuple[str, ...]
    modules: tuple[str, ...]
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a frame needs to know of a page: language, extent, basemap, and its layers by constant keys."""

    lang: str
    bbox: BBox
    basemap: Basemap
    layers: tuple[str, ...]


def check_basemap(basemap: Basemap) -> None:
    """Refuse a basemap that would lie or break.

    Raises
    ------
    BadInputError
        If it isn't in WGS 84 or its address has unknown parts.
    """
    if basemap.url and basemap.datum != "wgs84":
        raise BadInputError("basemap_datum", datum=basemap.datum)
    unknown = set(re.findall(r"\{(.*?)\}", basemap.url)) - {"s", "z", "x", "y", "r"}
    if unknown:
        raise BadInputError("basemap_url", url=basemap.url, parts=", ".join(sorted(unknown)))


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

    def __init__(self, framed: "FramedMap", control: folium.LayerControl, layers: Sequence[DrawnLayer]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name, self._id = "Handover", framed.look.key
        self.map_name, self.control_name = framed.get_name(), control.get_name()
        self.layer_names = {layer.layer_name: layer.get_name() for layer in layers}


class OwnAssets(Element):
    """A figure's header that takes no link but to the files we have, and writes none itself."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.known = {VENDOR + path for path in _VENDORED} | {_address(name) for name in (*look.styles, *look.modules)}

    def add_child(self, child: Element, name: str | None = None, index: int | None = None) -> Element:
        """Add an element; a link to one of our own files is dropped here, because the page writes those itself.

        Raises
        ------
        WrongUseError
            If the link leads to anything that we don't have.
        """
        if not isinstance(child, Link):
            return super().add_child(child, name=name, index=index)
        if child.url not in self.known:
            raise WrongUseError("foreign_asset", url=child.url)
        return self


class PageFigure(Figure):
    """Our own page around Folium's map; the two comments are where the assets and the data go after Jinja."""

    _template = Template(
        '<!DOCTYPE html>\n<html lang="{{ this.lang }}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<!--assets-->\n'
        '{{ this.header.render(**kwargs) }}\n</head>\n<body class="vm-page vm-map vm-{{ this.look.key }}">\n'
        '{{ this.look.before }}<main id="vm-map">\n{{ this.html.render(**kwargs) }}\n'
        '<div id="vm-fault" role="alert" hidden></div>\n</main>\n'
        "{{ this.look.after }}<!--data-->\n<script>\n"
        "L.Control.Scale.mergeOptions({ imperial: false });\nL.Control.Attribution.mergeOptions({ prefix: false });\n"
        "{{ this.script.render(**kwargs) }}\n</script>\n<!--module-->\n</body>\n</html>\n"
    )

    def __init__(self, look: Look, lang: str) -> None:
        super().__init__()
        self.look = look
        self.lang = {"zh": "zh-CN"}.get(lang, lang)
        self.header = OwnAssets(look)
        self.header._parent = self  # noqa: SLF001 - how branca's own figure does it


class FramedMap(folium.Map):
    """A Folium map that names no address but our own; a kind of page says its `look` and what its `blocks` hold.

    `page` is for the server; `page_inline`, `save` and Jupyter give one self-contained file. Folium layers without
    assets of their own may be added; whoever adds one vouches for the text in it.
    """

    default_js = [("leaflet", VENDOR + "leaflet/leaflet.js")]  # noqa: RUF012 - folium's own way
    default_css = [("leaflet_css", VENDOR + "leaflet/leaflet.css")]  # noqa: RUF012

    look: Look

    def __init__(self, ground: Ground) -> None:
        west, south, east, north = (_finite(value) for value in ground.bbox)
        super().__init__(
            location=[(south + north) / 2, (west + east) / 2],
            tiles=None,
            control_scale=True,
            font_size="14px",
            maxZoom=19,
            minZoom=6,
            zoomSnap=1 if ground.basemap.url else 0.25,
        )
        self._id = self.look.key
        self.ground = ground
        layers = [DrawnLayer(key) for key in ground.layers]
        for layer in layers:
            self.add_child(layer)
        control = folium.LayerControl(collapsed=True)
        control._id = self.look.key  # noqa: SLF001 - a fixed name makes equal pages equal bytes
        self.add_child(control)
        self.add_child(Handover(self, control, layers))

    def blocks(self) -> Mapping[str, object]:
        """What the page says and draws: ids of JSON blocks to their values."""
        raise NotImplementedError

    def title(self) -> str:
        """What the map is of, by name."""
        raise NotImplementedError

    def whole(self) -> bool:
        """Whether the page holds all that it draws, so that it needs no server."""
        raise NotImplementedError

    def page(self, nonce: str) -> str:
        """The page for a server: assets under ``/static``, inline parts carrying ``nonce`` for its CSP."""
        tag = html.escape(nonce, quote=True)
        styles = "".join(f'<link rel="stylesheet" href="{_address(name)}">\n' for name in self.look.styles)
        leaflet = f'<script nonce="{tag}" src="{VENDOR}leaflet/leaflet.js"></script>\n'
        module = f'<script type="module" nonce="{tag}" src="{_address(self.look.modules[-1])}"></script>\n'
        return self._compose(tag, _ICON + styles + leaflet, module)

    def page_inline(self) -> str:
        """One self-contained page that opens from disk and asks no network for anything.

        Raises
        ------
        WrongUseError
            If the view has links and no data: such a page only works on a server.
        """
        if not self.whole():
            raise WrongUseError("map_without_data", name=self.title())
        style, leaflet, script = inline_assets(self.look)
        nonce = self._own_nonce()
        policy = f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:"
        head = (
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            f'<style nonce="{nonce}">\n{style}\n</style>\n<script nonce="{nonce}">\n{leaflet}\n</script>\n'
        )
        return self._compose(nonce, head, f'<script type="module" nonce="{nonce}">\n{script}\n</script>\n')

    def csp(self, nonce: str) -> str:
        """The Content-Security-Policy header that fits `page`; only an administrator's basemap adds a host."""
        images = " ".join(["'self'", "data:", *_hosts(self.ground.basemap.url)])
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
        figure = PageFigure(self.look, self.ground.lang)
        figure.add_child(self)
        frame = _FOLIUM_VIEWPORT.sub("", figure.render())
        frame = _INLINE_TAG.sub(rf'<\1 nonce="{nonce}"', frame)
        head, _, rest = frame.partition("<!--assets-->")
        middle, _, rest = rest.partition("<!--data-->")
        script, _, tail = rest.partition("<!--module-->")
        return f"{head}{assets}{middle}{self._data()}{script}{module}{tail}"

    def _data(self) -> str:
        """What the page says and draws, as JSON blocks that no text in them can leave."""
        hint = html.escape(text("maps.need_script", self.ground.lang))
        blocks = "".join(json_block(name, value) for name, value in self.blocks().items())
        return f"<noscript>{hint}</noscript>\n{blocks}"

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


@cache
def inline_assets(look: Look) -> tuple[str, str, str]:
    """Style, Leaflet and our modules as one script, without anything that a browser would fetch."""
    said = re.sub(r"/\*.*?\*/", "", "\n".join(_read(name) for name in look.styles), flags=re.DOTALL)
    style = re.sub(r"url\((?:images/|#)[^)]*\)", "none", said)
    leaflet = re.sub(r"^//# sourceMappingURL=.*$", "", _read("leaflet/leaflet.js"), flags=re.MULTILINE)
    joined = "\n".join(_read(name) for name in look.modules)
    bare = re.sub(r"^import [^;]*;\n", "", joined, flags=re.MULTILINE)
    return style, leaflet, re.sub(r"^export (?=function|const|class|async)", "", bare, flags=re.MULTILINE)


def json_block(block_id: str, value: object) -> str:
    """A value as a JSON block of a page, escaped so that no text in it can end the block."""
    content = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode().translate(_ESCAPED)
    return f'<script type="application/json" id="{block_id}">{content}</script>\n'


def basemap_shown(basemap: Basemap, *, served: bool) -> dict[str, Any] | None:
    """A basemap as a page is told of it; a file on disk has none."""
    return asdict(basemap) if basemap.url and served else None


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


def _address(name: str) -> str:
    return (VENDOR if name in _VENDORED else "/static/") + name


def _read(name: str) -> str:
    path = vendor_asset(name) if name in _VENDORED else shown_files("static") / name
    return path.read_text(encoding="utf-8")


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
