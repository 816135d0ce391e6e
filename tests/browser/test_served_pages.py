"""From the home page to an issue's popup, in a real browser against a real server of the sample county."""

import re
import subprocess
import sys
from datetime import date
from urllib.parse import urlsplit

import pytest

from villagemap.sample.building import build_sample

TODAY = date(2026, 11, 23)
MARKS = ".leaflet-marker-pane .vm-mark"
CLUSTERS = ".leaflet-marker-pane .vm-cluster"
SERVE = """
import sys
from pathlib import Path
from villagemap.api.server import serve
from villagemap.flows.workspace import open_workspace
serve(open_workspace(Path(sys.argv[1])), "127.0.0.1", 0, ready=lambda address: print(address, flush=True))
"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Address of a server of 1,500 sample issues."""
    folder = tmp_path_factory.mktemp("served") / "county"
    build_sample(folder, count=1500, seed=1, progress=lambda _done, _total: None, today=TODAY)
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def opened_town(page, sample: str) -> str:
    """Go to the home page and from there to the first town's map; answers the town's name."""
    page.goto(sample)
    link = page.locator("tbody a").first
    name = link.inner_text()
    link.click()
    page.wait_for_selector(".folium-map[data-drawn]")
    return name


def drawn(page) -> int:
    """How many issues the marks on the map stand for."""
    return sum(map(int, page.locator(f"{CLUSTERS} .vm-count").all_inner_texts())) + page.locator(MARKS).count()


@pytest.mark.parametrize("width", [360, 768, 1440, 1920])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_home_page_fits_from_phone_to_wall(page, sample, width, lang):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{sample}/?lang={lang}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "DEMO" in page.locator("header").inner_text()
    assert page.locator("tbody a").count() == 15
    for link in page.locator("tbody a").all():
        box = link.bounding_box()
        assert box["x"] >= 0
        assert box["height"] >= (44 if width < 700 else 24)
    shown = page.locator("thead th:visible").count()
    assert shown == (5 if width < 700 else 7)


@pytest.mark.parametrize("width", [360, 1440])
def test_from_the_table_to_an_issue(page, sample, width):
    page.set_viewport_size({"width": width, "height": 800})
    name = opened_town(page, sample)
    assert name in page.locator("h1").inner_text()
    assert drawn(page) > 50
    town = urlsplit(page.url).path.split("/")[2]
    found = page.request.get(f"{sample}/collections/issues/items?town={town}&located=inside").json()["features"]
    issue = next(each for each in found if (each["geometry"] or {}).get("type") == "Point")
    said = popup_of(page, issue).inner_text()
    assert issue["properties"]["description"] in said
    assert issue["properties"]["village"] in said
    assert not re.search(r"undefined|null|NaN", said)


def popup_of(page, issue):
    """Go near to an issue on the map that is open, and click marks until its popup is there."""
    lon, lat = issue["geometry"]["coordinates"]
    page.evaluate("([lat, lon]) => map_town.setView([lat, lon], 19, { animate: false })", [lat, lon])
    page.locator(MARKS).first.wait_for()
    popup = page.locator(".leaflet-popup .vm-issue")
    for mark in page.locator(MARKS).all():
        mark.click()
        popup.wait_for()
        if issue["properties"]["number"] in popup.inner_text():
            return popup
        page.keyboard.press("Escape")
    raise AssertionError(issue["properties"]["number"])


def test_a_picture_shows_in_its_popup(page, sample):
    found = page.request.get(f"{sample}/collections/issues/items?limit=1500&status=closed").json()["features"]
    points = (each for each in found if (each["geometry"] or {}).get("type") == "Point")
    pictured = next(each for each in points if page.request.get(f"{sample}/issues/{each['id']}").json()["photos"])
    page.goto(f"{sample}/towns/{pictured['properties']['town_code']}/map")
    page.wait_for_selector(".folium-map[data-drawn]")
    picture = popup_of(page, pictured).locator("img").first
    picture.scroll_into_view_if_needed()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=picture.element_handle())


def test_the_map_asks_for_little_and_only_here(page, sample):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    opened_town(page, sample)
    assert all(address.startswith(sample) for address in asked)
    assert sum("/tiles/issues/" in address for address in asked) <= 30
    assert len(page.content().encode()) < 200_000


def test_the_language_goes_along(page, sample):
    page.goto(sample)
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.get_by_role("link", name="English").click()
    assert page.evaluate("document.documentElement.lang") == "en"
    assert "overdue" in page.locator("h1").inner_text()
    page.locator("tbody a").first.click()
    page.wait_for_selector(".folium-map[data-drawn]")
    assert page.evaluate("document.documentElement.lang") == "en"
    assert "open" in page.locator("h1").inner_text()
    page.locator("#vm-head a").click()
    page.wait_for_selector("table")
    assert page.evaluate("document.documentElement.lang") == "en"


def test_the_keyboard_is_enough(page, sample):
    page.goto(sample)
    first = page.locator("tbody a").first
    for _ in range(12):
        page.keyboard.press("Tab")
        if first.evaluate("link => link === document.activeElement"):
            break
    assert first.evaluate("link => getComputedStyle(link).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector(".folium-map[data-drawn]")


def test_an_unknown_town_is_told_to_a_person(page, sample, faults):
    faults.expected = "404"
    page.goto(f"{sample}/towns/nope/map")
    assert "nope" in page.locator("main").inner_text()
    page.get_by_role("link", name="回到首页").click()
    assert page.locator("table").count() == 1


def test_the_print_fits_a_page(page, sample):
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 703, "height": 1000})  # A4 without its margins, in CSS pixels
    page.goto(sample)
    assert page.evaluate("document.documentElement.scrollWidth") <= 703
    assert page.evaluate("document.documentElement.scrollHeight") <= 1030
    assert page.locator(".vm-switch:visible").count() == 0


def test_the_file_is_downloaded_under_its_name(page, sample):
    page.goto(sample)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="GeoJSON").click()
    assert waiting.value.suggested_filename == f"demo_{TODAY.isoformat()}.geojson"
