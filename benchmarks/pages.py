"""A town's map in Chromium, from navigation to drawn, beside stock Folium's FastMarkerCluster on the same issues."""

import importlib.util
import math
import shutil
import statistics
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from serving import served
from table import Row

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

ROOT = Path(__file__).parents[1]
VIEWPORT = {"width": 1280, "height": 800}
OURS = ".folium-map[data-drawn]"
STOCK = ".marker-cluster"
WAIT_MS = 300_000
MARKERCLUSTER = "leaflet.markercluster@1.5.3"
AWESOME = "L.AwesomeMarkers = { icon: () => new L.Icon.Default() };"
"""Folium makes an icon of a further library for each marker; no wheel has it, so Leaflet's own stands in for it."""
SEEN = """selector => {
  const waiting = performance.getEntriesByName('painting').length || !document.querySelector(selector);
  if (waiting) return window.seen || window.fault;
  performance.mark('painting');
  requestAnimationFrame(() => requestAnimationFrame(() => { performance.mark('seen'); window.seen = true; }));
}"""
"""Asked at every frame: marks the second one after something is there, since it has been painted by then."""


def rows(folder: Path, workspace: Path, count: int, runs: int) -> list[Row]:
    """Our page of the town with most issues, with and without assets in the cache; stock pages of town and county."""
    browser_path = _browser()
    work = f"town map at {count:,} issues, navigation to drawn"
    if browser_path is None:
        return [Row(work=work, figure=math.nan, unit="s", most=1.5, notes="no Chrome, Chromium or Edge found")]
    code, inside, everything = _points(workspace)
    with _browsing(browser_path) as browser:
        with served(workspace) as address:
            url = f"{address}/towns/{code}/map"
            first = _ours(browser, url)
            cold = statistics.median(_ours(browser, url) for _ in range(runs))
        peers = {"town": _stock(browser, folder, inside), "county": _stock(browser, folder, everything)}
    known = "needs XStatic-Leaflet-MarkerCluster, or npm" if math.isnan(peers["town"]) else ""
    return [
        Row(
            work=work, figure=cold, unit="s", most=1.5, peer=f"FastMarkerCluster, its {len(inside):,} issues",
            peer_figure=peers["town"], notes=known or f"nothing cached; {first:.2f} s just after the server's start",
        ),
        Row(
            work=work, figure=cold, unit="s", peer=f"FastMarkerCluster, all {len(everything):,}",
            peer_figure=peers["county"], notes=known,
        ),
    ]  # fmt: skip


def _browser() -> str | None:
    sys.path.insert(0, str(ROOT))
    from run import find_browser

    return find_browser()


@contextmanager
def _browsing(path: str) -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def _ours(browser: "Browser", url: str) -> float:
    """Seconds for a visitor who was never here."""
    context = browser.new_context(viewport=VIEWPORT, locale="zh-CN")
    drawn_s = _drawn(context.new_page(), url, OURS)
    context.close()
    return drawn_s


def _drawn(page: "Page", url: str, selector: str) -> float:
    """Seconds until the first mark is painted; raises what the page itself raises."""
    page.add_init_script("addEventListener('error', (event) => { window.fault = event.message; });")
    page.goto(url, wait_until="commit", timeout=WAIT_MS)
    page.wait_for_function(SEEN, arg=selector, timeout=WAIT_MS)
    if fault := page.evaluate("window.fault"):
        raise RuntimeError(fault)
    return page.evaluate("performance.getEntriesByName('seen')[0].startTime") / 1000


def _stock(browser: "Browser", folder: Path, points: Sequence[Sequence[float]]) -> float:
    """Seconds for Folium's own clusters."""
    scripts = _scripts(folder)
    if scripts is None:
        return math.nan
    import folium
    from folium.plugins import FastMarkerCluster

    lats, lons = zip(*points, strict=True)
    drawn = folium.Map([statistics.mean(lats), statistics.mean(lons)], zoom_start=12, tiles=None, maxZoom=19)
    FastMarkerCluster(points).add_to(drawn)
    path = folder / "stock.html"
    drawn.save(path)
    context = browser.new_context(viewport=VIEWPORT)
    context.route(lambda url: urlsplit(url).scheme.startswith("http"), lambda route: _answer(route, scripts))
    drawn_s = _drawn(context.new_page(), path.as_uri(), STOCK)
    context.close()
    path.unlink()
    return drawn_s


def _scripts(folder: Path) -> Sequence[Traversable] | None:
    """Folders with Leaflet and MarkerCluster: the latter from a wheel, else from npm; None where neither is there."""
    leaflet = files("js_lib_leaflet") / "static" / "js_lib_leaflet"
    if importlib.util.find_spec("xstatic"):
        with suppress(ModuleNotFoundError):
            return leaflet, files("xstatic.pkg.leaflet_markercluster") / "data"
    npm = shutil.which("npm")
    if npm is None:
        return None
    words = [npm, "pack", MARKERCLUSTER, "--silent"]
    packed = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if packed.returncode:
        return None
    with tarfile.open(folder / packed.stdout.strip()) as package:
        package.extractall(folder / "npm", filter="data")
    return leaflet, folder / "npm" / "package" / "dist"


def _answer(route: "Route", scripts: Sequence[Traversable]) -> None:
    """Leaflet and MarkerCluster for whatever address Folium names; what a map doesn't need is blank."""
    name = urlsplit(route.request.url).path.rpartition("/")[2]
    found = next((path for path in (folder / name for folder in scripts) if path.is_file()), None)
    blank = AWESOME if name == "leaflet.awesome-markers.js" else ""
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    route.fulfill(content_type=kind, body=found.read_bytes() if found else blank.encode())


def _points(workspace: Path) -> tuple[str, list[list[float]], list[list[float]]]:
    """The code of the town with most issues, and lat, lon of its issues and of all."""
    import numpy as np

    from villagemap.flows.workspace import open_workspace

    opened = open_workspace(workspace)
    columns = opened.columns()
    placed = ~np.isnan(columns.lon)
    latlon = np.column_stack([columns.lat, columns.lon])
    most = int(np.bincount(columns.town[columns.town > 0]).argmax())
    code = opened.gazetteer().by_id[f"t{most}"].code
    opened.close()
    return code, latlon[placed & (columns.town == most)].tolist(), latlon[placed].tolist()
