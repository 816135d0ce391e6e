"""What is taken along says the same as the plan in every format, whatever people wrote, to somebody else's reader."""

import io
import re
from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import openpyxl
import orjson
import pyogrio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from route_sample import FIRST, day_of, plan_of, small_stops, small_view
from villagemap.crs import gcj02_to_wgs84
from villagemap.errors import WrongUseError
from villagemap.plans import LeftOut, Problem, Team
from villagemap.sheets import amap
from villagemap.sheets.geojson import geojson
from villagemap.sheets.gpx import gpx
from villagemap.sheets.kml import kml
from villagemap.sheets.message import message
from villagemap.sheets.view import PlanView, matrix_sentence, view_of
from villagemap.sheets.words import clock, minutes, plain
from villagemap.sheets.workbook import workbook

GPX = "{http://www.topografix.com/GPX/1/1}"
KML = "{http://www.opengis.net/kml/2.2}"
HOSTILE = "=cmd|' /C calc'!A1 <script>&]]>\x00\x1b\u202e\ud800 #eval(\"1\") $x$ *b* \\ 'q' 😀"
KEPT = {"lang", "path", "base_address", "kind"}


def everywhere(value, said: str):
    """A view with ``said`` in the place of every text that a person may have written."""
    if is_dataclass(value):
        return replace(value, **{f.name: everywhere_in(f.name, getattr(value, f.name), said) for f in fields(value)})
    if isinstance(value, tuple):
        return tuple(everywhere(part, said) for part in value)
    return said if isinstance(value, str) else value


def everywhere_in(name: str, value, said: str):
    return value if name in KEPT else everywhere(value, said)


def with_lines(view: PlanView) -> PlanView:
    """The first leg along a road of three points."""
    route = view.routes[0]
    first = replace(route.calls[0], line=((111.1, 20.6), (111.15, 20.65), (111.2, 20.6)))
    return replace(view, routes=(replace(route, calls=(first, *route.calls[1:])),))


def rows(data: bytes) -> dict[str, list[list]]:
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert not any(cell.data_type == "f" for sheet in book for row in sheet.iter_rows() for cell in row)
    return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book}


# The view


def test_a_view_says_what_the_plan_says():
    view = small_view(3)
    route = view.routes[0]
    assert (route.team_name, route.on, route.people, len(route.calls)) == ("督查一组", FIRST, ("甲某", "乙某"), 3)
    assert [call.order for call in route.calls] == [1, 2, 3]
    assert route.distance_m == 5000 + 5400 + 5800 + route.back_leg_m
    assert route.working_s == route.back_s - route.leave_s
    assert route.calls[1].must
    assert route.calls[0].service_s == 900
    assert route.open_issues == 6
    assert [(one.name, one.why, one.hints) for one in view.left_out] == [
        ("第3自然村", "排不下", ("收工推迟 25 分钟",))
    ]  # fmt: skip


def test_lunch_is_no_work():
    route = small_view(12).routes[0]
    assert route.lunch
    assert route.working_s == route.back_s - route.leave_s - 3600


def test_one_team_or_day_can_be_taken_alone_without_what_the_whole_plan_left_out():
    stops = small_stops(4)
    teams = [Team(id=t, name=t, start="s0", end="s0", day_start_s=30_600, day_end_s=63_000) for t in "ba"]
    problem = Problem(name="p", days=(FIRST, date(2026, 3, 22)), teams=tuple(teams), stops=tuple(stops))
    routes = [day_of(stops[n : n + 1], team=t, day=d) for n, (t, d) in enumerate([("a", 2), ("a", 1), ("b", 2)])]
    empty = day_of([], team="b", day=1)
    view = view_of(problem, plan_of([*routes, empty], [LeftOut(stop="s3", code="x")]), lang="zh", county_name="县")
    assert [(r.day, r.team) for r in view.routes] == [(1, "a"), (2, "b"), (2, "a")]
    assert view.routes[0].start.at == (111.1, 20.6)
    assert [(r.day, r.team) for r in view.only("a").routes] == [(1, "a"), (2, "a")]
    assert [(r.day, r.team) for r in view.only("a", 2).routes] == [(2, "a")]
    assert view.only("a").left_out == ()
    assert view.only().left_out


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_matrix_is_told_in_words(lang: str):
    assert "1.3" in small_view(1, kind="line", lang=lang).matrix
    assert "38" in small_view(1, kind="line", lang=lang).matrix
    assert small_view(1, kind="line").estimated
    assert not small_view(1).estimated
    assert len({matrix_sentence({"kind": kind}, lang) for kind in ("roads", "line", "given")}) == 3
    assert matrix_sentence({}, lang) == ""


def test_times_read_like_a_clock():
    assert [clock(s) for s in (0, 30_599, 30_600, 87_000)] == ["00:00", "08:29", "08:30", "24:10"]
    assert [minutes(s) for s in (0, 1, 29, 90, 600)] == [0, 1, 1, 2, 10]


# Workbook


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_workbook_holds_the_day_with_numbers_as_numbers(lang: str):
    book = rows(workbook(small_view(3, lang=lang)))
    summary, day, issues, left = book.values()
    assert list(book)[1] == "2026-03-21 督查一组"
    assert summary[3][:4] == [summary[3][0], "督查一组", "甲某, 乙某", 3]
    assert summary[3][0].date() == FIRST
    assert len(day) == 6
    assert day[3][0] == 1
    assert day[3][1] == timedelta(hours=8, minutes=40)
    assert day[3][4] == "第0自然村"
    assert day[3][8:11] == [2, 1, 5.0]
    assert [row[4] for row in issues[3:]] == [i.number for c in small_view(3).routes[0].calls for i in c.issues]
    assert left[3][0] == "第3自然村"
    assert "收工推迟 25 分钟" in left[3]


def test_a_workbook_is_ready_to_print_and_shows_what_is_overdue():
    book = openpyxl.load_workbook(io.BytesIO(workbook(small_view(3))))
    day, issues = book.worksheets[1], book.worksheets[2]
    assert all(sheet.freeze_panes == "A4" for sheet in book)
    assert day.print_title_rows == "$3:$3"
    assert day["J4"].font.color.rgb == "FF8B0A1A"
    late = [row[4] for row in issues.iter_rows(min_row=4) if row[9].value]
    assert [cell.font.color.rgb for cell in late] == ["FF8B0A1A"] * 3


def test_a_workbook_keeps_hostile_texts_as_texts_and_names_its_sheets_well():
    view = small_view(2)
    names = ("a/b:[c]*?", "A/B:[C]*?", "History", "'", "队" * 60)
    routes = [replace(view.routes[0], team_name=name) for name in names]
    view = replace(everywhere(view, HOSTILE), routes=tuple(routes))
    book = openpyxl.load_workbook(io.BytesIO(workbook(view)))
    assert all(len(name) <= 31 for name in book.sheetnames)
    assert len({name.casefold() for name in book.sheetnames}) == len(names) + 3
    hostile = rows(workbook(everywhere(small_view(2), HOSTILE)))
    assert any(plain(HOSTILE) in row for sheet in hostile.values() for row in sheet)


def test_equal_views_give_equal_workbooks_and_an_empty_one_opens():
    assert workbook(small_view(2)) == workbook(small_view(2))
    empty = replace(small_view(1), routes=(), left_out=())
    assert len(rows(workbook(empty))) == 1


# Tracks


@pytest.mark.parametrize("written", ["gpx", "kml"])
def test_gdal_reads_the_stops_and_legs(tmp_path: Path, written: str):
    view = with_lines(small_view(3))
    path = tmp_path / f"day.{written}"
    path.write_bytes(gpx(view) if written == "gpx" else kml(view))
    layers = {name for name, _ in pyogrio.list_layers(path)}
    if written == "gpx":
        assert {"route_points", "routes", "tracks"} <= layers
        stops = pyogrio.read_dataframe(path, layer="route_points")
        assert list(stops["name"]) == ["县政府大院", "1 第0自然村", "2 第1自然村", "3 第2自然村", "县政府大院"]
        track = pyogrio.read_dataframe(path, layer="tracks").geometry.iloc[0]
        assert track.length == pytest.approx(0.2 * 0.5 * 2**0.5, abs=1e-6)
    else:
        found = pyogrio.read_dataframe(path, layer=layers.pop())
        assert sorted(found.geometry.geom_type.str.replace(" Z", "")) == ["LineString", *["Point"] * 5]
        assert "1 第0自然村" in set(found["Name"])
        first = found[found["Name"] == "1 第0自然村"].geometry.iloc[0]
        assert (first.x, first.y) == pytest.approx((111.1, 20.6))


def test_a_gpx_has_its_elements_in_the_order_of_the_schema():
    root = ET.fromstring(gpx(with_lines(small_view(2))))
    assert root.get("version") == "1.1"
    assert [child.tag for child in root] == [GPX + name for name in ("metadata", "rte", "trk")]
    order = ["name", "cmt", "desc", "rtept"]
    for parent in root.iter():
        ranks = [order.index(child.tag.removeprefix(GPX)) for child in parent if child.tag.removeprefix(GPX) in order]
        assert ranks == sorted(ranks)


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(), max_size=30))
def test_any_text_stays_a_text_in_xml_and_json(said: str):
    view = everywhere(with_lines(small_view(2)), said + HOSTILE)
    stripped = plain(said + HOSTILE).replace("\r\n", "\n").replace("\r", "\n").split()
    points = [name.text for name in ET.fromstring(gpx(view)).iter(GPX + "name")]
    assert points[0].split() == stripped
    names = [name.text for name in ET.fromstring(kml(view)).iter(KML + "name")]
    assert names[0].split() == stripped
    assert orjson.loads(geojson(view))["features"][0]["properties"]["name"] == plain(said + HOSTILE)
    assert "\x00" not in message(view)


def test_a_team_keeps_its_colour_over_its_days():
    view = small_view(2)
    first, second = view.routes[0], replace(view.routes[0], day=2)
    root = ET.fromstring(kml(replace(view, routes=(first, second, replace(first, team="b")))))
    folders = root.findall(f".//{KML}Folder")
    used = [{found.text for found in folder.iter(KML + "styleUrl")} for folder in folders]
    assert used == [{"#team0"}, {"#team0"}, {"#team1"}]
    assert {style.get("id") for style in root.iter(KML + "Style")} == {"team0", "team1"}


def test_geojson_has_a_point_for_each_stop_and_a_line_for_each_leg():
    collection = orjson.loads(geojson(with_lines(small_view(3, kind="line"))))
    stops = [f for f in collection["features"] if f["properties"]["kind"] == "stop"]
    legs = [f for f in collection["features"] if f["properties"]["kind"] == "leg"]
    assert [stop["properties"]["order"] for stop in stops] == [1, 2, 3]
    assert stops[0]["geometry"] == {"type": "Point", "coordinates": [111.1, 20.6]}
    assert stops[0]["properties"]["arrive"] == "08:40"
    assert [leg["properties"]["order"] for leg in legs] == [0, 1, 2, 3]
    assert legs[0]["geometry"]["type"] == "LineString"
    assert legs[3]["geometry"] is None
    assert all(leg["properties"]["estimated"] for leg in legs)
    assert collection["estimated"]


@pytest.mark.parametrize("write", [gpx, kml, geojson, workbook])
def test_a_bare_matrix_without_positions_can_be_written(write):
    assert write(small_view(3, placed=False))


# Links


def of_link(link: str) -> dict[str, str]:
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "uri.amap.com", "/navigation")
    return {key: value[0] for key, value in parse_qs(parts.query, strict_parsing=True).items()}


@pytest.mark.parametrize("count", [1, 2, 3, 60])
def test_links_lead_along_every_leg_once_with_at_most_one_stop_between(count: int):
    found = amap.stages(small_view(count).routes[0])
    legs = [leg for s in found for leg in ((s.start, s.end) if s.via is None else (s.start, s.via, s.end))[1:]]
    assert legs == list(range(1, count + 2))
    for stage in found:
        said = of_link(stage.link)
        assert ("via" in said) == (stage.via is not None)
        assert (said["mode"], said["coordinate"]) == ("car", "gaode")


def test_links_are_in_gcj02_and_names_are_encoded():
    view = everywhere(small_view(1), "a,b&to=1,2 村#?/%")
    said = of_link(amap.stages(view.routes[0])[0].link)
    lon, lat, name = said["via"].split(",")
    assert name == "a b&to=1 2 村#?/%"
    assert (float(lon), float(lat)) != pytest.approx((111.1, 20.6), abs=0.002)
    assert [float(x) for x in gcj02_to_wgs84(float(lon), float(lat))] == pytest.approx([111.1, 20.6], abs=2e-6)


def test_no_link_leads_past_a_stop_without_a_position_and_the_text_says_so():
    view = small_view(5)
    route = view.routes[0]
    calls = [replace(c, lon=None, lat=None) if c.order == 3 else c for c in route.calls]
    route = replace(route, calls=tuple(calls))
    assert [(s.start, s.via, s.end) for s in amap.stages(route)] == [(0, 1, 2), (4, 5, 6)]
    assert message(replace(view, routes=(route,))).count("：3\n") == 1
    assert amap.stages(small_view(3, placed=False).routes[0]) == []


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_text_to_copy_has_stops_times_lunch_and_links(lang: str):
    said = message(replace(small_view(8, lang=lang, kind="line"), demo=True))
    lines = said.splitlines()
    assert [line[:2] for line in lines if re.match(r"\d\. ", line)] == [f"{n}." for n in range(1, 9)]
    assert "08:40" in said
    assert "1.3" in said
    assert lines[0].endswith("DEMO")
    assert sum(line.startswith("https://uri.amap.com/navigation?") for line in lines) == 5
    lunch = next(n for n, line in enumerate(lines) if ("lunch" if lang == "en" else "午休") in line)
    after = small_view(8).routes[0].lunch.after
    assert lines[lunch + 1].startswith(f"{after + 1}. ")
    assert bool(
        re.search("[\u4e00-\u9fff]", re.sub("[^\n]*(自然村|督查|县政府|垃圾|厕|家禽|三月)[^\n]*|https.*", "", said))
    ) == (lang == "zh")


def test_a_page_has_an_address_only_where_there_is_a_server():
    view = small_view(1)
    assert view.link("/places/v0") == ""
    assert replace(view, base_address="https://village.example:8443/").link("/x") == "https://village.example:8443/x"
    assert replace(view, base_address="https://village.example").link("") == ""


def test_errors_of_printing_tell_what_to_do():
    for lang in ("zh", "en"):
        assert "pip install" in WrongUseError("print_missing").sentence(lang)
        assert "fonts-noto-cjk" in WrongUseError("print_no_font", known="x").sentence(lang)
