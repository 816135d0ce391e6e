"""A sheet on paper: everything is on it, nothing runs over an edge or over another, and no text is markup."""

import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import pypdfium2
import pypdfium2.raw as pdfium
import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from route_sample import county_ground, county_view, small_view, some_issues
from test_sheets import everywhere
from villagemap.errors import WrongUseError
from villagemap.sheets import pdf as printing
from villagemap.sheets.amap import guide_to
from villagemap.sheets.drawing import LOWEST, WIDTH, draw_map
from villagemap.sheets.pdf import pdf
from villagemap.sheets.placing import Board, Box
from villagemap.sheets.view import PlanView
from villagemap.texts import catalog

MARKUP = 'a#eval("1+1")$x^2$*b*_c_`d`<lab>@ref\\u{41}//e/*f*/[g]"q\'=h'
MARGIN_PT = 12 / 25.4 * 72 - 1


def pages(data: bytes) -> list[str]:
    """Text of each page without spaces and the marks where a long word may break."""
    with pypdfium2.PdfDocument(data) as document:
        return [bare(page.get_textpage().get_text_range()) for page in document]


def bare(said: str) -> str:
    return re.sub(r"[\s\u200b\ufffe]", "", said)


def boxes(data: bytes) -> Iterator[tuple[int, tuple[float, float, float, float], tuple[float, float]]]:
    with pypdfium2.PdfDocument(data) as document:
        for number, page in enumerate(document):
            text = page.get_textpage()
            for n in range(text.count_rects()):
                yield number, text.get_rect(n), page.get_size()


def check_page_bounds(data: bytes) -> None:
    for number, (left, bottom, right, top), (width, height) in boxes(data):
        assert left >= MARGIN_PT, number
        assert right <= width - MARGIN_PT, number
        assert bottom > 15, number
        assert top < height - 15, number


def check_no_text_on_text(data: bytes) -> None:
    """No two runs of text on one page cover each other by more than a hair."""
    found: dict[int, list[tuple[float, float, float, float]]] = {}
    for number, box, _ in boxes(data):
        found.setdefault(number, []).append(box)
    for number, on_page in found.items():
        for one, other in combinations(on_page, 2):
            across = min(one[2], other[2]) - max(one[0], other[0])
            along = min(one[3], other[3]) - max(one[1], other[1])
            assert across < 1.5 or along < 1.5, (number, one, other)


def demo(view: PlanView) -> PlanView:
    return replace(view, demo=True, ground=county_ground(), ground_source="底图：示例县", approximate=True)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_sheet_says_who_goes_where_and_when(lang: str):
    view = replace(small_view(3, lang=lang), left_out=())
    data = pdf(view)
    first, *_, check = pages(data)
    for said in (
        "督查一组",
        "2026-03-21",
        "甲某",
        "第0自然村",
        "08:40",
        "5.0km",
        "垃圾乱扔乱放",
        "2026-00000",
        "县政府大院",
    ):
        assert said in first
    words = catalog("sheets", lang)
    assert bare(words["internal"]) in first
    assert bare(words["print"]["leader"]) in "".join(pages(data))
    assert bare(words["print"]["new_findings"]) in check
    assert "DEMO" not in first
    check_page_bounds(data)
    check_no_text_on_text(data)


def test_each_page_says_whether_it_is_a_demo_and_for_whom():
    sheets = pages(pdf(demo(small_view(3))))
    assert all("示例DEMO" in sheet and "内部用图" in sheet for sheet in sheets)
    reviewed = pages(pdf(replace(small_view(1), review_number="粤S(2026)001号")))
    assert all("审图号：粤S(2026)001号" in sheet and "内部用图" not in sheet for sheet in reviewed)


def test_an_estimate_and_a_breach_stand_in_the_head():
    view = replace(small_view(2, kind="line"), left_out=())
    view = replace(view, routes=(replace(view.routes[0], breaches=("第二个点晚到 12 分钟",)),))
    first = pages(pdf(view))[0]
    assert bare(view.matrix) in first
    assert first.index(bare(view.matrix)) < first.index("第二个点晚到12分钟") < first.index("08:40")


def test_approximate_borders_are_told_on_the_map():
    assert "非行政区域界线" in pages(pdf(replace(demo(small_view(2)), left_out=())))[0]
    assert "非行政区域界线" not in pages(pdf(replace(small_view(2), approximate=True, left_out=())))[0]


def test_several_days_begin_with_an_overview_that_names_what_was_left_out():
    view = small_view(2)
    late = replace(view.routes[0], team_name="督查二组", breaches=("晚到 12 分钟",))
    first, *rest = pages(pdf(replace(view, routes=(*view.routes, late))))
    assert "2026-03-21督查二组·晚到12分钟" in first
    assert "排不下" in first
    assert "收工推迟25分钟" in first
    assert "第2自然村" in first
    assert "排不下" not in "".join(rest)
    assert rest[0].endswith("1/2")


@pytest.mark.parametrize("count", [1, 12])
def test_there_is_a_check_sheet_for_each_village_with_all_its_issues(count: int):
    view = replace(small_view(count), left_out=())
    said = "".join(pages(pdf(view)))
    checks = said[said.index(bare(catalog("sheets", "zh")["print"]["check"]) + "·") - 20 :]
    villages = {call.village for call in view.routes[0].calls}
    assert checks.count("检查表·") == len(villages)
    assert all(village in checks for village in villages)
    assert all(issue.number in checks for call in view.routes[0].calls for issue in call.issues)
    assert "检查表·" not in "".join(pages(pdf(view, checks=False)))


def test_codes_guide_the_driver_and_open_the_village_where_there_is_a_server(monkeypatch: pytest.MonkeyPatch):
    made: list[str] = []
    make = segno.make
    monkeypatch.setattr(segno, "make", lambda link, **how: made.append(link) or make(link, **how))
    view = replace(small_view(2), left_out=())
    pdf(replace(view, base_address="https://village.example"))
    guide = [guide_to(call.name, call.at, short=True) for call in view.routes[0].calls]
    back = guide_to("县政府大院", view.routes[0].end.at, short=True)
    assert made == [*guide, back, "https://village.example/places/v0", "https://village.example/places/v0"]
    made.clear()
    pdf(view)
    assert made == [*guide, back, *guide]
    assert all(segno.make(link, micro=False, error="m", boost_error=False).version <= 9 for link in guide)


def test_sixty_stops_with_long_names_stay_on_the_page_and_take_three_seconds():
    view = replace(demo(county_view(60)), base_address="https://village.example")
    route = view.routes[0]
    names = ("很长的名字" * 12, "Nameless" * 7 + "Town")
    long = [
        replace(call, name=names[n % 2], village="村" * 60, issues=some_issues(n, n % 7))
        for n, call in enumerate(route.calls)
    ]
    view = replace(view, routes=(replace(route, calls=tuple(long), team_name="组" * 60),))
    begun = time.perf_counter()
    data = pdf(view)
    seconds = time.perf_counter() - begun
    check_page_bounds(data)
    check_no_text_on_text(data)
    said = "".join(pages(data))
    assert all(call.name in said for call in long)
    assert min(seconds, _again(view)) < 3


def _again(view: PlanView) -> float:
    begun = time.perf_counter()
    pdf(view)
    return time.perf_counter() - begun


def test_a_check_sheet_longer_than_a_page_goes_on_to_the_next():
    view = replace(small_view(1), left_out=())
    call = replace(view.routes[0].calls[0], issues=some_issues(1, 90))
    data = pdf(replace(view, routes=(replace(view.routes[0], calls=(call,)),)))
    check_page_bounds(data)
    said = "".join(pages(data))
    assert all(issue.number in said for issue in call.issues)
    assert "另有86件" in said


def test_what_people_write_is_never_markup():
    view = everywhere(replace(small_view(3), demo=True), MARKUP)
    data = pdf(view)
    check_page_bounds(data)
    for sheet in pages(data):
        assert bare(MARKUP) in sheet
        assert "a2" not in sheet


@pytest.mark.parametrize("said", ["", "\x00\ud800\u202e", "😀👨\u200d👩", "\ue000", "\u0645\u0631\u062d", "W" * 5000])
def test_any_text_can_be_printed(said: str):
    data = pdf(everywhere(small_view(2), said))
    check_page_bounds(data)
    assert "\ue000" not in "".join(pages(data))


def test_without_positions_there_is_a_table_and_no_map():
    view = replace(small_view(3, placed=False), left_out=())
    assert draw_map(view, view.routes[0]) is None
    first = pages(pdf(view))[0]
    assert bare(catalog("sheets", "zh")["print"]["no_map"]) in first
    assert first.count("没有坐标") == 4


def test_a_plan_without_routes_is_an_overview():
    (only,) = pages(pdf(replace(small_view(1), routes=())))
    assert "排不下" in only


def test_type_is_no_smaller_than_nine_points_and_fonts_are_embedded():
    with pypdfium2.PdfDocument(pdf(demo(small_view(8)))) as document:
        for page in document:
            text = page.get_textpage()
            sizes = {
                round(pdfium.FPDFText_GetFontSize(text.raw, n), 1)
                for n in range(text.count_chars())
                if not pdfium.FPDFText_IsGenerated(text.raw, n)
            }
            assert min(sizes) >= 9
            fonts = [pdfium.FPDFTextObj_GetFont(o.raw) for o in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT])]
            assert fonts
            assert all(pdfium.FPDFFont_GetIsEmbedded(font) for font in fonts)


def test_equal_views_give_equal_sheets():
    assert pdf(small_view(2)) == pdf(small_view(2))


def test_the_template_uses_every_word_that_is_there_for_it_and_fetches_nothing():
    template = printing.resources.files("villagemap.sheets").joinpath("sheet.typ").read_text("utf-8")
    assert "import" not in template
    assert "read(" not in template
    in_code = {"open", "leave", "back"}  # names of figures, put beside their values in Python
    used = set(re.findall(r"\bwords\.([a-z_]+)", template)) | in_code
    there = set(catalog("sheets", "zh")["print"])
    assert used - there == set()
    assert there - used == set()


def test_without_the_typesetter_the_answer_is_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    printing._fonts.cache_clear()
    with pytest.raises(WrongUseError, match="pip install"):
        pdf(small_view(1))


def test_without_a_chinese_font_nothing_is_printed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(printing, "FONTS", ("No Such Family",))
    with pytest.raises(WrongUseError, match="fonts-noto-cjk"):
        pdf(small_view(1))


# The map


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60), st.sampled_from([0.0, 1e-4, 0.3])
)
def test_no_label_lies_on_another_wherever_the_stops_are(points: list[tuple[float, float]], spread: float):
    view = small_view(len(points))
    route = view.routes[0]
    calls = [
        replace(call, lon=111.2 + spread * x, lat=20.7 + spread * y)
        for call, (x, y) in zip(route.calls, points, strict=True)
    ]
    picture = draw_map(view, replace(route, calls=tuple(calls)))
    assert LOWEST <= picture.height <= 112
    assert [label.said for label in picture.labels if label.style == "number"] == [str(c.order) for c in calls]
    assert all(label.box.inside(WIDTH, picture.height, 0) for label in picture.labels)
    for one, other in combinations(picture.labels, 2):
        assert not one.box.meets(other.box, 0), (one, other)
    assert "NaN" not in picture.svg
    assert "inf" not in picture.svg


def test_the_map_shows_roads_and_stops_that_are_near():
    view = demo(county_view(12))
    picture = draw_map(view, view.routes[0])
    styles = {
        style: [label.said for label in picture.labels if label.style == style] for style in ("name", "town", "depot")
    }
    assert len(styles["name"]) >= 6
    assert "屿城" in styles["town"]
    assert styles["depot"] == ["起终"]
    assert 'stroke-dasharray="1.6 0.9"' in picture.svg
    assert "dasharray" not in draw_map(replace(view, approximate=False), view.routes[0]).svg
    assert not re.search("[\u4e00-\u9fff]", picture.svg)


def test_a_full_board_still_answers():
    board = Board(20, 20, [Box(10, 10, 20, 20)])
    assert board.put_near((10, 10), (5, 5)) == Box(10, 10, 5, 5)
