"""A sweep on a phone: check in by GPS or by a tap on the map, see the board change, be refused while one is missed."""

import re
import subprocess
import sys

import pytest

from conftest import TODAY, fill_tiny
from villagemap.auth import OWNER
from villagemap.flows.campaigns.sweeps import begin_sweep
from villagemap.flows.people.accounts import add_user, grant
from villagemap.flows.registry import Session
from villagemap.flows.workspace import init_workspace, open_workspace
from villagemap.settings import Settings

from .test_lives import PASSWORD, enter
from .test_served_pages import SERVE

EAST = {"longitude": 111.15, "latitude": 20.65, "accuracy": 12}
"""Where v4 lies, the first village of the town 甲镇."""


@pytest.fixture(scope="module")
def county(tmp_path_factory):
    """Address of a server with a cadre of the town 甲镇."""
    folder = tmp_path_factory.mktemp("sweeps") / "county"
    init_workspace(folder, Settings(county="tiny", name="小县", today=TODAY))
    workspace = open_workspace(folder)
    fill_tiny(workspace)
    session = Session(workspace, OWNER)
    add_user(session, "cadre", PASSWORD, name="镇干部", units=["town:449923101"])
    grant(session, "cadre", "town_cadre", places=["449923101"])
    for name in ("定位", "点图", "键盘", "结束", "没有位置"):
        begin_sweep(session, name, towns=["甲镇"])
    workspace.close()
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def phone(page, county):
    page.set_viewport_size({"width": 360, "height": 740})
    enter(page, county, "cadre")
    return page


def located(page, county: str) -> None:
    page.context.set_geolocation(EAST)
    page.context.grant_permissions(["geolocation"], origin=county)


def open_board(page, county: str, sweep: str) -> None:
    """From the home page to a sweep's board, as a person goes."""
    page.goto(county)
    page.locator("header .vm-nav a", has_text="大排查").click()
    page.locator("a.vm-task", has_text=f"“{sweep}”").click()
    page.wait_for_selector("table")


def title(page) -> str:
    return page.locator("h1").inner_text()


def test_a_check_in_by_gps_takes_two_taps_and_the_board_changes(phone, county):
    located(phone, county)
    open_board(phone, county, "定位")
    assert "3 个村，已到 0，未到 3" in title(phone)
    phone.locator("#missed a").first.click()
    phone.locator("[data-position]", has_text="已定位").wait_for()
    assert phone.locator("[data-tap]").is_hidden()  # with a position there is nothing to tap
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    phone.get_by_role("button", name="没有问题").click()
    phone.wait_for_selector("#just")
    assert "已查，无问题" in phone.locator("#just").inner_text()
    assert "已到 1，未到 2" in title(phone)
    assert phone.locator("#missed a").count() == 2
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_tap_on_the_map_is_recorded_as_such(phone, county):
    open_board(phone, county, "点图")
    phone.locator("#missed a").first.click()
    asked = []
    phone.on("request", lambda request: asked.append(request.url))
    phone.get_by_role("button", name="在地图上点").click()
    phone.wait_for_selector(".vm-tap-map[data-drawn]")
    assert any("leaflet.js" in address for address in asked)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    phone.locator(".vm-tap-map").click()
    assert "东村村委会" in phone.locator(".vm-tap-said").inner_text()
    assert phone.locator("#check-in [name=tapped]").input_value() == "1"
    phone.get_by_role("button", name="有问题", exact=True).click()
    phone.wait_for_selector("#just")
    assert "点选" in phone.locator("#just").inner_text()
    assert "已到 0，未到 3" in title(phone)
    assert "点选" in phone.locator("#missed li").first.inner_text()


def test_leaflet_comes_only_when_the_map_is_opened(phone, county):
    asked = []
    phone.on("request", lambda request: asked.append(request.url))
    phone.goto(f"{county}/report")
    phone.wait_for_load_state("networkidle")
    assert not [address for address in asked if "leaflet" in address or "/collections/" in address]
    phone.get_by_role("button", name="在地图上点").click()
    phone.wait_for_selector(".vm-tap-map[data-drawn]")
    (fetched,) = [address for address in asked if "/collections/" in address]
    assert "town=449923101" in fetched  # the cadre's own town and no other


def test_the_keyboard_sets_the_cross(phone, county):
    open_board(phone, county, "键盘")
    phone.locator("#missed a").first.click()
    phone.get_by_role("button", name="在地图上点").focus()
    phone.keyboard.press("Enter")
    phone.wait_for_selector(".vm-tap-map[data-drawn]")
    assert phone.locator(".vm-cross").is_visible()
    phone.keyboard.press("Enter")
    first = float(phone.locator("#check-in [name=lon]").input_value())
    phone.keyboard.press("ArrowRight")
    phone.keyboard.press("Enter")
    east = float(phone.locator("#check-in [name=lon]").input_value()) - first
    phone.keyboard.press("Shift+ArrowRight")
    phone.keyboard.press("Enter")
    farther = float(phone.locator("#check-in [name=lon]").input_value()) - first
    assert 0 < east < 0.01  # at the village's own scale
    assert farther == pytest.approx(5 * east, rel=0.05)
    assert "/check-in" in phone.url  # Enter on the map sends nothing


def test_without_a_position_the_page_says_what_to_do(phone, county, faults):
    faults.expected = "400"
    open_board(phone, county, "没有位置")
    phone.locator("#missed a").first.click()
    phone.get_by_role("button", name="没有问题").click()
    assert "在地图上点" in phone.locator("#fault").inner_text()
    assert phone.locator("#check-in").count() == 1


def test_closing_is_refused_by_name_until_all_are_visited_or_out_of_reach(phone, county, faults):
    faults.expected = "409"
    located(phone, county)
    open_board(phone, county, "结束")
    phone.locator("#close button").click()
    said = phone.locator("#fault").inner_text()
    assert "甲镇 东村村委会" in said
    assert "甲镇 西村村委会" in said
    for _ in range(3):
        phone.locator("#missed a").first.click()
        phone.locator("#unreachable summary").click()
        phone.fill("#unreachable [name=reason]", "山洪冲断公路")
        phone.locator("#unreachable button").click()
        phone.wait_for_url(re.compile("/board"))
    assert "未到 0，到不了 3" in title(phone)
    assert phone.locator("#unreachable dd").all_inner_texts() == ["山洪冲断公路"] * 3
    phone.locator("#close button").click()
    phone.wait_for_selector("#close", state="detached")
    phone.goto(f"{county}/campaigns")
    assert "已结束" in phone.locator("a.vm-task", has_text="“结束”").inner_text()


def test_a_sweep_is_begun_from_the_page(phone, county):
    phone.goto(f"{county}/campaigns")
    phone.locator("#begin summary").click()
    phone.fill("#begin [name=name]", "举一反三")
    phone.locator("#begin [name=town]").select_option("449923101")
    phone.locator("#begin [name=hamlets]").check()
    phone.locator("#begin button").click()
    phone.wait_for_url(re.compile("/board"))
    assert "12 个点，已到 0，未到 12" in title(phone)
