"""Routes in a real browser: lasso stops, plan, drag one elsewhere, keep, undo, lock, replan, print; phone and keys."""

import re
import subprocess
import sys

import pytest

from conftest import TODAY, fill_tiny
from route_page_sample import sample_routes
from villagemap.flows.workspace import init_workspace, open_workspace
from villagemap.maps import route_map
from villagemap.settings import Settings

from .test_served_pages import SERVE

CHINESE = re.compile(r"[\u4e00-\u9fff]+")
NAMES = re.compile("[上中下]?[东中西]村(村委会)?|[甲乙丙]镇|[甲乙丙]|小县|三组")


@pytest.fixture(scope="module")
def county(tmp_path_factory):
    """Address of a server of the tiny county, whose owner asks."""
    folder = tmp_path_factory.mktemp("routes") / "county"
    init_workspace(folder, Settings(county="tiny", name="小县", today=TODAY))
    workspace = open_workspace(folder)
    fill_tiny(workspace)
    workspace.close()
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def made(county, chromium):
    """Address of a plan that two teams drive on two days, made by the form."""
    window = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    page = window.new_page()
    open_form(page, county)
    fill(page, name="现成", days=2, teams=2)
    address = planned(page)
    window.close()
    return address


def open_form(page, county: str) -> None:
    """From the home page, as a person goes."""
    page.goto(county)
    page.locator("header .vm-nav a", has_text="巡查路线").click()
    page.wait_for_selector("#choose-map[data-drawn]")


def fill(page, *, name: str, days: int = 1, teams: int = 1) -> None:
    page.fill("#ask [name=name]", name)
    page.fill("#ask [name=count]", str(days))
    page.fill("#ask [name=seconds]", "1")
    for _ in range(teams - 1):
        page.click("#add-team")


def planned(page) -> str:
    """Plan, and wait for the plan's own page; its address."""
    page.click("#ask-go")
    page.wait_for_url(re.compile("/routes/[0-9a-f-]{36}"), timeout=30_000)
    shown(page)
    return page.url


def shown(page) -> None:
    page.wait_for_selector(".folium-map[data-drawn]")


def see(page, address: str, width: int = 1440, height: int = 900) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(address)
    shown(page)


def drag(page, start, end) -> None:
    a, b = start.bounding_box(), end.bounding_box()
    page.mouse.move(a["x"] + a["width"] / 2, a["y"] + a["height"] / 2)
    page.mouse.down()
    page.mouse.move(a["x"] + 30, a["y"] + 30, steps=4)
    page.mouse.move(b["x"] + b["width"] / 2 + 3, b["y"] + b["height"] / 2 + 3, steps=8)
    page.mouse.up()


def labels(page) -> list[str]:
    """What stands on the marks of stops, in order: A1, A2, B1."""
    return sorted(page.locator(".vm-stop:not(.vm-left) b").all_text_contents())


def counts(page) -> list[int]:
    """How many stops each route has."""
    said = page.locator(".vm-route .vm-totals").all_inner_texts()
    return [int(re.match(r"\d+", line)[0]) for line in said]


def fits(page, width: int) -> bool:
    return page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_lasso_chooses_and_a_plan_comes_of_it(page, county):
    open_form(page, county)
    page.check("input[value=hand]")
    page.locator("#choose-map").scroll_into_view_if_needed()
    page.click("#choose-lasso")
    box = page.locator("#choose-map").bounding_box()
    corners = [(0.01, 0.02), (0.99, 0.02), (0.99, 0.97), (0.01, 0.97), (0.01, 0.3)]
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*at[1])
    page.mouse.down()
    for corner in at[2:] + at[:1]:
        page.mouse.move(*corner, steps=8)
    page.mouse.up()
    assert "已选 9 个" in page.locator("#choose-count").inner_text()
    page.locator(".vm-choose-list summary").click()
    page.locator("#choose-list label").first.click()
    assert "已选 8 个" in page.locator("#choose-count").inner_text()
    fill(page, name="圈出来的", teams=2)
    planned(page)
    assert "圈出来的：2 组 1 天" in page.locator("h1").inner_text()
    said = page.locator("#vm-summary").inner_text()
    assert "估算" in said  # without roads every figure is one, and says so
    assert len(labels(page)) == 8
    page.goto(f"{county}/routes")
    assert "圈出来的" in page.locator("#plans").inner_text()


def test_a_stop_is_dragged_kept_and_undone(page, made):
    see(page, made)
    before, stands = counts(page), labels(page)
    first, second = (page.locator(".vm-stop", has_text=re.compile(f"^{name}$")).first for name in ("A1", "B1"))
    drag(page, first, second)
    page.wait_for_selector("#vm-trial:visible")
    assert re.search(r"[+\u2212]?\d+\u202f分钟", page.locator("#vm-trial").inner_text())
    assert "公里" in page.locator("#vm-trial").inner_text()
    assert sorted(counts(page)) != sorted(before) or labels(page) != stands
    page.locator("#vm-trial .vm-go").click()
    page.wait_for_selector("#vm-trial", state="hidden")
    page.wait_for_selector("#vm-undo:enabled")
    changed = counts(page)
    page.reload()
    shown(page)
    assert counts(page) == changed, "what was kept is there the next time"
    page.click("#vm-undo")
    page.wait_for_selector(".vm-told:visible")
    assert (counts(page), labels(page)) == (before, stands)


def test_a_row_is_dragged_by_its_grip_and_what_is_cancelled_leaves_no_trace(page, made):
    see(page, made, height=1400)
    card = page.locator("details.vm-route").first
    card.locator("summary").click()
    rows = card.locator("tr[data-stop]")
    names = rows.locator(".vm-name-button").all_inner_texts()
    drag(page, rows.nth(0).locator(".vm-grip"), rows.nth(1).locator(".vm-leg"))
    page.wait_for_selector("#vm-trial:visible")
    assert rows.locator(".vm-name-button").all_inner_texts()[:2] == names[1::-1]
    page.get_by_role("button", name="取消").click()
    assert page.locator("#vm-trial").is_hidden()
    assert rows.locator(".vm-name-button").all_inner_texts() == names


def test_keys_alone_move_and_lock_a_stop(page, made):
    see(page, made)
    page.locator("details.vm-route summary").first.focus()
    page.keyboard.press("Enter")
    more = page.locator(".vm-more").first
    more.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    page.get_by_role("button", name="下移一站").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#vm-trial:visible")
    assert page.locator("dialog").count() == 0
    page.keyboard.press("Control+z")
    page.wait_for_selector("#vm-trial", state="hidden")
    stop = page.locator("tr[data-stop]").first.get_attribute("data-stop")
    page.locator(f"tr[data-stop={stop}] .vm-more").focus()
    page.keyboard.press("Enter")
    page.locator("dialog [name=lock_team]").select_option(index=1)
    page.get_by_role("button", name="锁定", exact=True).click()
    page.wait_for_selector(".vm-told:visible")
    assert "已锁定" in page.locator(f"tr[data-stop={stop}]").inner_text()
    page.reload()
    shown(page)
    page.locator("details.vm-route summary").first.click()
    page.locator(f"tr[data-stop={stop}] .vm-more").click()
    page.get_by_role("button", name="解除锁定").click()
    page.wait_for_selector(".vm-told:visible")
    assert "已锁定" not in page.locator(f"tr[data-stop={stop}]").inner_text()


def test_a_day_is_replanned_with_a_broken_car(page, made):
    see(page, made)
    page.get_by_role("button", name="当天重排").click()
    page.fill("dialog [name=now]", "10:00")
    page.locator("dialog [name=now]").dispatch_event("change")
    page.locator("dialog [name=broken]").last.check()
    page.locator("dialog .vm-go").click()
    page.locator("dialog a.vm-go").wait_for(timeout=20_000)
    said = page.locator("dialog").inner_text()
    assert "原有次序保留" in said
    page.locator("dialog a.vm-go").click()
    page.wait_for_selector("dialog", state="detached")
    shown(page)
    page.click("#vm-undo")
    page.wait_for_selector(".vm-told:visible")


def test_keys_alone_draw_a_lasso_and_a_second_one_takes_the_place_of_the_first(page, county):
    open_form(page, county)
    page.check("input[value=hand]")
    page.get_by_text("图上可选 9 个").wait_for()
    page.click("#choose-lasso")
    page.click("#choose-lasso")
    assert page.locator(".vm-lasso-said").count() == 1
    page.keyboard.press("Escape")
    assert page.locator(".vm-lasso-said").count() == 0
    page.locator("#choose-lasso").focus()
    page.keyboard.press("Enter")
    for key, times in (("ArrowUp", 4), ("ArrowLeft", 6), ("ArrowRight", 12), ("ArrowDown", 8), ("ArrowLeft", 12)):
        for _ in range(times):
            page.keyboard.press(f"Shift+{key}")
        if key != "ArrowUp":
            page.keyboard.press("Space")
    page.keyboard.press("Enter")
    assert "已选 9 个" in page.locator("#choose-count").inner_text()


def test_a_day_is_replanned_around_an_area_and_with_a_stop_set_on_a_mark(page, made):
    see(page, made)
    before = len(labels(page))
    page.get_by_role("button", name="当天重排").click()
    page.fill("dialog [name=now]", "07:00")
    page.locator("dialog [name=now]").dispatch_event("change")
    page.locator("dialog [name^=late_]").first.fill("5")
    page.get_by_role("button", name="圈出封路范围").click()
    box = page.locator(".folium-map").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 200)
    page.mouse.down()
    for x, y in ((90, 200), (90, 230), (60, 230)):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="加一个紧急点").click()
    page.locator(".vm-stop:not(.vm-left)").first.click()
    page.locator("dialog .vm-notes input").fill("临时查看")
    assert "封路范围 1 处" in page.locator("dialog .vm-notes").inner_text()
    assert page.locator("dialog [name^=late_]").first.input_value() == "5"
    page.locator("dialog .vm-go").click()
    page.locator("dialog a.vm-go").wait_for(timeout=20_000)
    assert "“临时查看”排进了" in page.locator("dialog").inner_text()
    page.locator("dialog a.vm-go").click()
    page.wait_for_selector("dialog", state="detached")
    shown(page)
    assert len(labels(page)) == before + 1
    page.click("#vm-undo")
    page.wait_for_selector(".vm-told:visible")
    assert len(labels(page)) == before


def test_a_sealed_plan_can_be_taken_along_but_not_moved(page, county):
    open_form(page, county)
    fill(page, name="封存的")
    what = planned(page).rpartition("/")[2]
    page.evaluate(
        "what => fetch('/seals', {method: 'POST', headers: {'content-type': 'application/json'}, "
        "body: JSON.stringify({what})})",
        f"plan/{what}",
    )
    page.reload()
    shown(page)
    assert "方案已封存" in page.locator("#vm-summary").inner_text()
    card = page.locator("details.vm-route[open]")
    assert card.locator("tr[data-stop]").count() > 0
    assert card.locator(".vm-grip, .vm-more").count() == 0
    with page.expect_download() as coming:
        card.locator(".vm-links a", has_text="GPX").click()
    assert coming.value.suggested_filename == "封存的.gpx"


def test_a_phone_shows_all_of_it_and_fingers_hit_it(chromium, made, faults):
    window = chromium.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, locale="zh-CN"
    )
    page = window.new_page()
    page.on("pageerror", lambda error: faults.note(str(error)))
    page.goto(made)
    shown(page)
    assert fits(page, 360)
    above, below = (page.locator(name).bounding_box() for name in ("#vm-map", "#vm-panel"))
    assert below["y"] >= above["y"] + above["height"]
    page.locator("details.vm-route summary").first.tap()
    for name in (".vm-more", ".vm-chip", ".vm-tools button", "details.vm-route summary"):
        for box in [each.bounding_box() for each in page.locator(name).all() if each.is_visible()]:
            assert box["height"] >= 44, name
    page.locator(".vm-more").first.tap()
    page.get_by_role("button", name="下移一站").tap()
    page.wait_for_selector("#vm-trial:visible")
    bar = page.locator("#vm-trial").bounding_box()
    assert bar["y"] + bar["height"] <= 740
    assert fits(page, 360)
    page.get_by_role("button", name="取消").tap()
    page.goto(made.rpartition("/")[0])
    page.wait_for_selector("#choose-map[data-drawn]")
    assert fits(page, 360)
    window.close()


@pytest.mark.parametrize("width", [768, 1440, 1920])
def test_the_pages_fit_from_tablet_to_wall(page, made, width):
    see(page, made, width, 1000)
    assert fits(page, width)
    page.goto(made.rpartition("/")[0])
    page.wait_for_selector("#choose-map[data-drawn]")
    assert fits(page, width)


def test_english_is_whole(page, made, county):
    see(page, f"{made}?lang=en")
    page.locator("details.vm-route summary").first.click()
    page.locator(".vm-more").first.click()
    said = page.locator("body").inner_text()
    for chosen in ("现成", "第1组", "第2组"):  # what the owner wrote, or the form wrote in Chinese for them
        said = said.replace(chosen, "")
    assert CHINESE.findall(NAMES.sub("", said)) == []
    page.goto(f"{county}/routes?lang=en")
    page.wait_for_selector("#choose-map[data-drawn]")
    said = NAMES.sub("", page.locator("body").inner_text()).replace("中文", "")
    for chosen in ("现成", "圈出来的", "封存的"):
        said = said.replace(chosen, "")
    assert CHINESE.findall(said) == []


def test_print_opens_every_route_and_puts_the_map_whole_on_a4(page, made):
    see(page, made)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("details.vm-route:not([open])").count() == 0
    assert page.locator(".vm-tools").is_hidden()
    assert page.locator(".vm-filters").is_hidden()
    frame = page.locator(".folium-map").bounding_box()
    assert frame["width"] <= 186 * 96 / 25.4 + 1
    for mark in page.locator(".vm-stop").all():
        at = mark.bounding_box()
        assert frame["x"] - 1 <= at["x"] + at["width"] / 2 <= frame["x"] + frame["width"] + 1
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.vm-route[open]").count() == 0
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_the_page_as_one_file_opens_without_a_server(page, made, tmp_path):
    see(page, made)
    stands = labels(page)
    with page.expect_download() as coming:
        page.locator(".vm-take summary").click()
        page.get_by_text("单文件网页").click()
    coming.value.save_as(tmp_path / "routes.html")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "routes.html").as_uri())
    shown(page)
    assert labels(page) == stands
    assert len(asked) == 1, "the file itself and nothing else"
    assert page.locator("#vm-undo").count() == 0, "a file can't change the plan"


def test_350_stops_stay_legible(page, tmp_path):
    page.set_viewport_size({"width": 1440, "height": 900})
    route_map(sample_routes(stops=350, teams=5, days=2)).save(tmp_path / "dense.html")
    page.goto((tmp_path / "dense.html").as_uri())
    shown(page)
    page.locator(".vm-chip", has_text="各天").click()
    boxes = page.locator(".vm-stop:not(.vm-dot)").evaluate_all(
        "nodes => nodes.map((each) => each.getBoundingClientRect())"
        ".map(b => [b.left + 2, b.top + 2, b.right - 2, b.bottom - 2])"
    )
    assert len(boxes) > 40
    for index, (left, top, right, bottom) in enumerate(boxes):
        assert not [o for o in boxes[index + 1 :] if left < o[2] and o[0] < right and top < o[3] and o[1] < bottom]
    page.locator(".vm-chip", has_text="第2组").click()
    assert {label[0] for label in labels(page)} == {"B"}
    page.locator(".vm-chip", has_text="各组").click()
    page.locator("details.vm-route summary").first.click()
    assert page.locator(".vm-stop.vm-dimmed").count() > 200, "what isn't chosen steps back"
