"""A town's map in one file, opened from disk as from a USB stick."""

import json
import re
from dataclasses import replace

import pytest

from test_maps import HOSTILE, hostile_words
from town_sample import sample_view
from villagemap.maps import InlineTown, TownView, town_map

MARKS = ".leaflet-marker-pane .vm-mark"
CLUSTERS = ".leaflet-marker-pane .vm-cluster"


@pytest.fixture
def shown(page, tmp_path):
    """Write a view to a file, open it, wait until its issues are drawn; answers the page and its requests."""

    def show(view: TownView, at: str = ""):
        path = tmp_path / "town.html"
        town_map(view).save(path)
        page.requests = []
        page.on("request", lambda asked: page.requests.append(asked.url))
        page.goto(path.as_uri() + at)
        page.wait_for_selector(".folium-map[data-drawn]")
        return page

    return show


def drawn_total(page) -> int:
    """How many issues the marks on the map stand for."""
    counts = page.locator(f"{CLUSTERS} .vm-count").all_inner_texts()
    return sum(map(int, counts)) + page.locator(MARKS).count()


def go(page, lat: float, lon: float, zoom: int) -> None:
    page.evaluate("([lat, lon, zoom]) => map_town.setView([lat, lon], zoom, { animate: false })", [lat, lon, zoom])


def test_the_page_says_what_stands_in_the_town(shown):
    page = shown(sample_view(withheld=3))
    assert page.title() == "海角镇问题地图 · 示例县"
    assert page.locator("h1").inner_text() == "海角镇：250\u202f件未销号，其中 50\u202f件超期"
    assert "2022-03-19" in page.locator("#vm-head").inner_text()
    figures = page.locator("#vm-figures").inner_text()
    for words in (
        "问题总数",
        "300",
        "未销号",
        "自报完成",
        "95",
        "核实销号",
        "无坐标 7\u202f件",
        "涉及住户的 3\u202f件不放在本文件里",
        "在已知村界外 4\u202f件",
    ):
        assert words in figures
    assert page.locator(".vm-caption").inner_text() == "内部用图"
    assert page.locator("#vm-legend li").count() == 6 + 2 + 8
    assert len(page.requests) == 1, "the file itself and nothing else"


def test_english_is_whole(shown):
    page = shown(sample_view("en", demo=True, approximate=True))
    assert page.locator("h1").inner_text() == "海角镇: 250 open, 50 of them overdue"
    said = page.locator("body").inner_text().replace("示例 DEMO", "")
    for chinese in ("海角镇", "示例县", *(v["properties"]["short_name"] for v in villages_of(page))):
        said = said.replace(chinese, "")
    assert not re.findall(r"[\u4e00-\u9fff]+", said)
    assert "approximate, not administrative boundaries" in page.locator(".vm-caption").inner_text()


def villages_of(page) -> list[dict]:
    return json.loads(page.locator("#villagemap-town").text_content())["villages"]["features"]


def test_all_issues_are_drawn_once_near_and_far(shown):
    page = shown(sample_view())
    assert page.locator(CLUSTERS).count() > 3
    assert drawn_total(page) == 300
    go(page, 20.75, 111.3, 11)
    assert drawn_total(page) == 300


def test_a_cluster_opens_towards_single_issues(shown):
    page = shown(sample_view())
    for _ in range(5):
        if not page.locator(CLUSTERS).count():
            break
        before = page.evaluate("map_town.getZoom()")
        page.locator(CLUSTERS).first.click()
        page.wait_for_function("before => map_town.getZoom() > before && !map_town._animatingZoom", arg=before)
        page.wait_for_timeout(350)
    assert page.locator(MARKS).count() > 0


def test_the_popup_tells_what_a_person_asks(shown):
    card = sample_view().inline.cards[6]
    page = shown(replace(sample_view(), inline=replace(sample_view().inline, cards=[card])))
    page.locator(MARKS).click()
    said = page.locator(".leaflet-popup").inner_text()
    for words in (
        "应拆未拆泥砖房", "超期", card["village"], "村口水塘边", "建筑垃圾和生活垃圾混堆", "发现 12 栋，已完成 5 栋",
        "2022-02-28 发现，县督查暗访", "整改时限 2022-03-15", "已超期 5\u202f天", "最近：2022-03-12 退回", "HJ-0006",
    ):  # fmt: skip
        assert words in said
    assert "None" not in said
    assert "undefined" not in said


def test_the_keyboard_is_enough(shown):
    page = shown(sample_view(issues=1))
    page.locator(MARKS).focus()
    page.keyboard.press("Enter")
    assert "HJ-0000" in page.locator(".leaflet-popup").inner_text()
    assert page.evaluate("document.activeElement.closest('.leaflet-popup') !== null")
    page.keyboard.press("Escape")
    page.wait_for_selector(".leaflet-popup", state="detached")
    assert page.evaluate("document.activeElement.classList.contains('vm-mark')")


def test_groups_and_places_are_layers(shown):
    page = shown(sample_view())
    page.locator(".leaflet-control-layers-toggle").focus()
    page.keyboard.press("Enter")
    rows = page.locator(".leaflet-control-layers-overlays label")
    assert rows.all_inner_texts()[:4] == ["镇界", "村界", "村名", "三清三拆三整治"]
    rows.first.hover()
    page.wait_for_timeout(100)  # Leaflet takes no click in the moment of unfolding
    garbage = [card for card in sample_view().inline.cards if group_of(card) == "garbage"]
    rows.filter(has_text="生活垃圾").click()
    page.wait_for_function(
        "total => [...document.querySelectorAll('.vm-mark, .leaflet-marker-pane .vm-count')]"
        ".reduce((sum, e) => sum + Number(e.textContent || 1), 0) === total",
        arg=300 - len(garbage),
    )
    rows.filter(has_text="村名").click()
    assert page.locator(".vm-name").count() == 0
    for row in rows.all()[3:]:
        if row.locator("input").is_checked():
            row.click()
    assert drawn_total(page) == 0


def group_of(card) -> str:
    return sample_view(issues=0).vocabulary.categories[card["category"]].group


def test_names_never_touch(shown):
    page = shown(sample_view())
    boxes = page.evaluate(
        "[...document.querySelectorAll('.vm-name:not(.vm-hidden) span')].map(e => e.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) > 4
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = (
                a["right"] <= b["left"] or b["right"] <= a["left"] or a["bottom"] <= b["top"] or b["bottom"] <= a["top"]
            )
            assert apart


def test_the_address_remembers_the_view(shown):
    page = shown(sample_view(), "#15/20.74000/111.31000")
    assert page.evaluate("map_town.getZoom()") == 15
    go(page, 20.76, 111.29, 14)
    assert page.url.endswith("#14/20.76000/111.29000")


def test_issues_on_one_spot_open_as_a_list(shown):
    cards = [{**card, "lon": 111.3, "lat": 20.75} for card in sample_view(issues=5).inline.cards]
    page = shown(replace(sample_view(), inline=replace(sample_view().inline, cards=cards)), "#19/20.75/111.3")
    page.locator(CLUSTERS).click()
    assert "5" in page.locator(".leaflet-popup h2").inner_text()
    page.locator(".leaflet-popup li button").nth(2).click()
    assert "HJ-0002" in page.locator(".leaflet-popup").inner_text()


def test_too_many_issues_are_drawn_as_clusters_and_the_page_says_so(shown):
    inline = sample_view().inline
    clusters = {
        "garbage": [[111.29, 20.75, 20_000, [9000, 0, 0, 1000, 0, 10_000]]],
        "roads": [[111.33, 20.76, 22_678, [0, 0, 22_678, 0, 0, 0]]],
    }
    view = sample_view(inline=InlineTown(boundary=inline.boundary, villages=inline.villages, clusters=clusters))
    page = shown(view)
    assert "聚合" in page.locator("#vm-legend").inner_text()
    assert sorted(page.locator(f"{CLUSTERS} .vm-count").all_inner_texts()) == ["2.3万", "2万"]
    assert page.get_by_role("button", name="20,000\u202f件问题：超期 9,000，期限内 1,000，已销号 10,000").count() == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_user_wrote_runs(shown, text):
    view = sample_view(issues=1, text=text, words=hostile_words(text), review_number=text)
    page = shown(replace(view, inline=replace(view.inline, cards=[{**view.inline.cards[0], "category": text}])))
    page.locator(MARKS).click()
    popup = page.locator(".leaflet-popup")
    assert popup.locator(".vm-what").text_content() == text
    assert popup.locator(".vm-kind").text_content() == text
    assert text in page.locator("h1").text_content()
    assert text in [words.text_content() for words in page.locator(".leaflet-control-layers label").all()][-1]
    assert popup.locator("img, svg[onload], script").count() == 0
    assert page.evaluate("window.pwned") is None
    assert len(page.requests) == 1


@pytest.mark.parametrize("width", [360, 768, 1440, 1920])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_it_fits_from_phone_to_wall(shown, page, width, lang):
    page.set_viewport_size({"width": width, "height": 800})
    shown(sample_view(lang, demo=True))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    frame = page.locator(".folium-map").bounding_box()
    assert frame["width"] >= 320
    assert frame["height"] >= 400


def test_it_shows_in_a_notebook(page, tmp_path):
    path = tmp_path / "cell.html"
    path.write_text(
        f"<!DOCTYPE html><meta charset=utf-8><title>-</title>{town_map(sample_view())._repr_html_()}", "utf-8"
    )
    page.goto(path.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator(".folium-map[data-drawn]").wait_for()
    assert frame.locator(".vm-cluster").count() > 3
