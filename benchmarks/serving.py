"""A served county of a million issues: tiles over HTTP, and a town's map from navigation to drawn in Chromium.

Beside it stands stock Folium with its FastMarkerCluster on the same points. Its page names foreign hosts; here they are
answered from files where a wheel or package has them, so that only its own work is measured.
"""

import http.client
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from table import Row

SERVE = """
import sys
from pathlib import Path
from villagemap.api.server import serve
from villagemap.flows.workspace import open_workspace
serve(open_workspace(Path(sys.argv[1])), "127.0.0.1", 0, ready=lambda address: print(address, flush=True))
"""
ROUNDS = 20
COUNTY_ZOOM, TOWN_ZOOM = 9, 12


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """Address of a server of our own, warmed up by one map page and one tile."""
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(workspace)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def rows(workspace: Path, count: int, browser: str) -> list[Row]:
    """Tiles for the county and for one town, and the town's page."""
    with served(workspace) as address:
        town = _asked(address, "/collections/towns/items?limit=20")["features"][2]
        west, south, east, north = _bbox(town)
        county = [_tile(COUNTY_ZOOM, 111.3, 20.75)]
        near = [_tile(TOWN_ZOOM, lon, lat) for lon in (west, (west + east) / 2, east) for lat in (south, north)]
        code = town["properties"]["code"]
        _asked(address, f"/tiles/issues/{county[0]}")
        found = [
            _tiles(address, [f"/tiles/issues/{tile}" for tile in county], f"county tile at {count:,} issues", 60.0),
            _tiles(
                address, [f"/tiles/issues/{tile}?town={code}" for tile in set(near)],
                f"town tile at {count:,} issues", 10.0,
            ),
        ]  # fmt: skip
        drawn = _drawn(f"{address}/towns/{code}/map", browser) if browser else math.nan
    stock = _stock_folium(workspace, browser) if browser else math.nan
    page = Row(
        work=f"town map page at {count:,} issues, navigation to drawn", figure=drawn, unit="s", most=1.5,
        peer="stock Folium, FastMarkerCluster", peer_figure=stock, notes="the peer draws all of the county's points",
    )  # fmt: skip
    return [*found, page]


def _asked(address: str, path: str) -> Any:
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    connection.request("GET", path)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def _bbox(feature: dict[str, Any]) -> tuple[float, float, float, float]:
    def points(part: Any) -> Iterator[tuple[float, float]]:
        if isinstance(part[0], (int, float)):
            yield part[0], part[1]
        else:
            for inner in part:
                yield from points(inner)

    lons, lats = zip(*points(feature["geometry"]["coordinates"]), strict=True)
    return min(lons), min(lats), max(lons), max(lats)


def _tile(zoom: int, lon: float, lat: float) -> str:
    x = int((lon + 180) / 360 * 2**zoom)
    y = int((0.5 - math.log(math.tan(math.pi / 4 + math.radians(lat) / 2)) / (2 * math.pi)) * 2**zoom)
    return f"{zoom}/{x}/{y}"


def _tiles(address: str, paths: list[str], work: str, most: float) -> Row:
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    times = []
    for _ in range(ROUNDS):
        for path in paths:
            began = time.perf_counter()
            connection.request("GET", path)
            connection.getresponse().read()
            times.append((time.perf_counter() - began) * 1000)
    connection.close()
    worst = float(np.quantile(times, 0.95))
    return Row(
        work=work, figure=statistics.median(times), unit="ms", most=most,
        notes=f"p50 of {len(times)} over HTTP, p95 {worst:.1f} ms",
    )  # fmt: skip


def _drawn(url: str, browser: str) -> float:
    """Median of five fresh visits, until the page says that its first view is drawn."""
    from playwright.sync_api import sync_playwright

    times = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(6):
            page = chromium.new_page(viewport={"width": 1280, "height": 800})
            began = time.perf_counter()
            page.goto(url, wait_until="commit")
            page.wait_for_selector(".folium-map[data-drawn]")
            times.append(time.perf_counter() - began)
            page.close()
        chromium.close()
    return statistics.median(times[1:])


def _stock_folium(workspace: Path, browser: str) -> float:
    """Folium's own FastMarkerCluster on the same points, until its clusters stand; nan without its scripts."""
    assets = _assets()
    if assets is None:
        return math.nan
    page = workspace.parent / "stock.html"
    script = (
        "import sys, sqlite3, folium\nfrom folium.plugins import FastMarkerCluster\n"
        "c = sqlite3.connect(sys.argv[1])\n"
        "points = c.execute('SELECT lat, lon FROM issues WHERE lon IS NOT NULL').fetchall()\n"
        "m = folium.Map([20.75, 111.3], zoom_start=11, tiles=None)\nFastMarkerCluster(points).add_to(m)\n"
        "m.save(sys.argv[2])\n"
    )
    subprocess.run([sys.executable, "-c", script, workspace / "villagemap.gpkg", page], check=True)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        tab = chromium.new_page(viewport={"width": 1280, "height": 800})
        tab.route("http*://**", lambda route: _answered(route, assets))
        tab.set_default_timeout(180_000)
        began = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="commit")
        tab.wait_for_selector(".marker-cluster")
        took = time.perf_counter() - began
        chromium.close()
    page.unlink()
    return took


def _answered(route: Any, assets: dict[str, Path]) -> None:
    name = urlsplit(route.request.url).path.rpartition("/")[2]
    if name in assets:
        route.fulfill(path=assets[name])
    else:
        route.fulfill(status=200, content_type="text/css" if name.endswith(".css") else "text/javascript", body="")


def _assets() -> dict[str, Path] | None:
    """The peer's scripts by file name, from packages that carry them; None where they aren't to be had."""
    folder = Path(__file__).parent / ".peer"
    if not (folder / "package" / "dist" / "leaflet.markercluster.js").exists():
        folder.mkdir(exist_ok=True)
        packed = subprocess.run(
            ["npm", "pack", "leaflet.markercluster@1.5.3", "--silent"], cwd=folder, capture_output=True, check=False
        )
        if packed.returncode:
            return None
        subprocess.run(["tar", "xzf", "leaflet.markercluster-1.5.3.tgz"], cwd=folder, check=True)
    from villagemap.maps import vendor_asset

    dist = folder / "package" / "dist"
    own = {name: vendor_asset(f"leaflet/{name}") for name in ("leaflet.js", "leaflet.css")}
    return own | {"leaflet.markercluster.js": dist / "leaflet.markercluster.js"}
