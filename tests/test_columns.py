"""Names of columns and words in cells, as offices write them."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.errors import BadInputError, NotFoundError, VillagemapError
from villagemap.readers.columns import (
    IGNORED,
    known_fields,
    match_columns,
    parse_coordinate,
    parse_date,
    parse_lonlat,
    parse_number,
    read_mapping,
)

LEDGER = [
    "序号",
    "编号",
    "来源",
    "发现日期",
    "镇",
    "村委会",
    "自然村",
    "位置描述",
    "经度",
    "纬度",
    "坐标系",
    "一级类别",
    "二级类别",
    "问题描述",
    "数量",
    "单位",
    "严重程度",
    "责任单位",
    "责任人",
    "联系电话",
    "整改措施",
    "整改时限",
    "临时措施",
    "整改状态",
    "完成日期",
    "整改情况",
    "整改前照片",
    "整改中照片",
    "整改后照片",
    "验收人",
    "销号日期",
    "复查日期",
    "是否反弹",
    "备注",
]
"""The columns of a real ledger, as DOMAIN has them."""


def matched(columns, kind="issues", mapping=None):
    match = match_columns(columns, kind, mapping)
    return {field: columns[index] for field, index in match.fields.items()}


def test_a_real_ledger():
    assert matched(LEDGER) == {
        "list_number": "编号",
        "source": "来源",
        "found_on": "发现日期",
        "town": "镇",
        "village": "村委会",
        "hamlet": "自然村",
        "location_text": "位置描述",
        "lon": "经度",
        "lat": "纬度",
        "datum": "坐标系",
        "group": "一级类别",
        "category": "二级类别",
        "description": "问题描述",
        "quantity_found": "数量",
        "unit": "单位",
        "severity": "严重程度",
        "lead_unit": "责任单位",
        "responsible": "责任人",
        "phone": "联系电话",
        "due_on": "整改时限",
        "interim": "临时措施",
        "status": "整改状态",
        "claimed_closed_on": "销号日期",
    }
    assert "序号" in match_columns(LEDGER, "issues").unmatched


def test_a_second_choice_is_taken_where_there_is_no_first():
    assert matched(["序号", "完成日期", "责任单位"]) == {
        "list_number": "序号",
        "claimed_closed_on": "完成日期",
        "lead_unit": "责任单位",
    }
    assert matched(["牵头单位", "责任单位"]) == {"lead_unit": "牵头单位"}


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("发现 日期", "found_on"),
        ("发现日期（必填）", "found_on"),
        ("*发现日期*", "found_on"),
        ("Found On", "found_on"),
        ("found_on", "found_on"),
        ("LATITUDE", "lat"),
        ("ｌａｔ", "lat"),
        ("经纬度", "lonlat"),
        ("Due date", "due_on"),
        ("accuracy_m", "accuracy_m"),
        ("定位精度(米)", "accuracy_m"),
    ],
)
def test_spaces_case_width_and_remarks_do_not_matter(column, field):
    assert matched([column]) == {field: column}


@pytest.mark.parametrize("kind", ["issues", "places"])
def test_every_field_is_known_by_its_own_name(kind):
    for field in known_fields(kind):
        assert matched([field], kind) == {field: field}


def test_no_name_stands_for_two_fields():
    import tomllib

    import villagemap

    path = Path(villagemap.__file__).parent / "columns.toml"
    for fields in tomllib.loads(path.read_text(encoding="utf-8")).values():
        words = [word for choices in fields.values() for tier in choices for word in tier.split()]
        assert len(words) == len(set(words))
        assert all(word.isalnum() and word == word.casefold() for word in words)


def test_places():
    columns = ["code", "name", "short_name", "kind", "town_code", "town", "lon", "lat", "coord_source"]
    assert matched(columns, "places") == {
        "code": "code",
        "name": "name",
        "short_name": "short_name",
        "kind": "kind",
        "parent_code": "town_code",
        "town": "town",
        "lon": "lon",
        "lat": "lat",
    }
    assert match_columns(columns, "places").unmatched == ("coord_source",)


def test_two_columns_for_one_field_are_both_named():
    with pytest.raises(BadInputError) as fault:
        match_columns(["镇", "乡镇"], "issues")
    assert fault.value.params == {"first": "镇", "second": "乡镇", "field": "town"}
    assert "乡镇" in fault.value.sentence("zh")
    assert matched(["镇", "乡镇"], mapping={"乡镇": "town"}) == {"town": "乡镇"}
    assert matched(["镇", "乡镇"], mapping={"乡镇": IGNORED}) == {"town": "镇"}
    assert matched(["备注", "备注"]) == {}


def test_a_mapping_wins_and_names_real_columns():
    match = match_columns(["A", "镇", "B"], "issues", {"a": "description"})
    assert (match.fields, match.unmatched) == ({"description": 0, "town": 1}, ("B",))
    with pytest.raises(BadInputError) as fault:
        match_columns(["A"], "issues", {"C": "town"})
    assert (fault.value.code, fault.value.params["column"]) == ("mapping_unknown_column", "C")
    with pytest.raises(BadInputError) as fault:
        match_columns(["A", "B"], "issues", {"A": "town", "B": "town"})
    assert fault.value.code == "columns_clash"


@pytest.fixture
def mapping_file(tmp_path):
    def save(text):
        path = tmp_path / "mapping.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return save


def test_a_mapping_file(mapping_file):
    path = mapping_file("""
        [columns]
        DATETIMERECEIVEDUTC = "found_on"
        NOTES = "description"
        DATETIMERECEIVED = "-"
        [values]
        category = "garbage_scattered"
        [values_map.status]
        Closed = "closed"
        "In Progress" = "rectifying"
    """)
    mapping = read_mapping(path, "issues")
    assert mapping.columns["DATETIMERECEIVEDUTC"] == "found_on"
    assert mapping.values == {"category": "garbage_scattered"}
    assert mapping.codes == {"status": {"Closed": "closed", "In Progress": "rectifying"}}
    columns = ["DATETIMERECEIVEDUTC", "DATETIMERECEIVED", "NOTES"]
    assert matched(columns, mapping=mapping.columns) == {"found_on": columns[0], "description": "NOTES"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[columns", "mapping_broken"),
        ("[columns]\nA = 'no_field'", "mapping_unknown_field"),
        ("[values]\nno_field = 'x'", "mapping_unknown_field"),
        ("[values_map.no_field]\na = 'x'", "mapping_unknown_field"),
        ("columns = 5", "mapping_broken"),
        ("values_map = 5", "mapping_broken"),
        ("[values_map]\nstatus = 5", "mapping_broken"),
        ("[colums]\nA = 'town'", "mapping_broken"),
    ],
)
def test_a_mapping_file_that_can_not_be_meant(mapping_file, text, code):
    with pytest.raises(VillagemapError) as fault:
        read_mapping(mapping_file(text), "issues")
    assert fault.value.code == code
    assert "mapping.toml" in fault.value.sentence("zh")


def test_a_mapping_file_that_is_not_there(tmp_path):
    with pytest.raises(NotFoundError):
        read_mapping(tmp_path / "none.toml", "issues")


@pytest.mark.parametrize(
    "text",
    [
        "2022-03-09",
        "2022.3.9",
        "2022/3/9",
        "2022年3月9日",
        "２０２２－０３－０９",
        "20220309",
        " 2022-3-9 ",
        "44629",
        "44629.75",
        "2022-03-09 10:01",
        "2022-03-09T23:59:59",
        "2022年3月9日 10时20分",
        "2022/3/9 9:49:10",
        "2022-03-08T16:00:00Z",
        "2022-03-08T23:00:00.123+00:00",
        "2022-03-09T01:00:00+08:00",
        "2022-03-09T00:30+0530",
        "1646755200",
        "1646755200000",
        "1646841599",
        "1646841599999",
    ],
)
def test_the_ninth_of_march(text):
    assert parse_date(text) == date(2022, 3, 9)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("3月底前", "date_unreadable"),
        ("9/3/2022", "date_unreadable"),
        ("22.3.9", "date_unreadable"),
        ("3月9日", "date_unreadable"),
        ("2022-03", "date_unreadable"),
        ("2022-03-09 soon", "date_unreadable"),
        ("12", "date_unreadable"),
        ("29999", "date_unreadable"),
        ("-44629", "date_unreadable"),
        ("2022-02-30", "date_impossible"),
        ("2022-13-01", "date_impossible"),
        ("20220231", "date_impossible"),
        ("1850-01-01", "date_impossible"),
        ("9999999999999", "date_impossible"),
    ],
)
def test_dates_that_are_not_guessed(text, code):
    with pytest.raises(ValueError, match=code):
        parse_date(text)


@given(st.dates(date(1949, 1, 1), date(2100, 12, 31)))
def test_any_day_in_any_form(day):
    for text in (f"{day:%Y-%m-%d}", f"{day.year}.{day.month}.{day.day}", f"{day.year}年{day.month}月{day.day}日"):
        assert parse_date(text) == day


SPAN = (datetime(2002, 1, 1), datetime(2090, 1, 1))  # noqa: DTZ001 - hypothesis adds the zone


@given(st.datetimes(*SPAN, timezones=st.just(UTC)))
def test_an_instant_falls_on_its_day_in_shanghai(instant):
    day = (instant + timedelta(hours=8)).date()
    assert parse_date(f"{instant:%Y-%m-%dT%H:%M:%SZ}") == day
    assert parse_date(str(int(instant.timestamp()))) == day
    assert parse_date(str(int(instant.timestamp()) * 1000)) == day


@given(st.datetimes(*SPAN, timezones=st.just(UTC)), st.integers(-12, 14))
def test_an_offset_is_taken_off(instant, hours):
    local = instant.astimezone(timezone(timedelta(hours=hours)))
    day = (instant + timedelta(hours=8)).date()
    assert parse_date(f"{local:%Y-%m-%d %H:%M}{hours:+03d}:00") == day


def fails_only_with(code, parse, text):
    try:
        parse(text)
    except ValueError as fault:
        if str(fault).split("_")[0] != code:
            raise


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{1,4}[-./年][0-9]{1,3}[-./月].{0,12}", fullmatch=True))
def test_parsers_fail_only_with_their_codes(text):
    fails_only_with("date", parse_date, text)
    fails_only_with("number", parse_number, text)
    fails_only_with("position", parse_coordinate, text)
    fails_only_with("position", parse_lonlat, text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("１２．５", 12.5), ("1,234.5", 1234.5), (" -3 ", -3), ("", None), ("1e3", 1000)],
)
def test_numbers(text, number):
    assert parse_number(text) == number


@pytest.mark.parametrize("text", ["nan", "inf", "12处", "1_000", "1,2", "一", "0x10"])
def test_no_numbers(text):
    with pytest.raises(ValueError, match="number_unreadable"):
        parse_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "110.2508,21.3681",
        "110.2508，21.3681",
        "110.2508 21.3681",
        "(110.2508, 21.3681)",
        "110.2508;21.3681",
        "E110.2508,N21.3681",
        "E 110.2508 N 21.3681",
        "21.3681N 110.2508E",
        "东经110.2508 北纬21.3681",
        "东经：110.2508，北纬：21.3681",
        "东经110°15′2.9″ 北纬21°22′5.2″",
        "北纬21°22′5.2″东经110°15′2.9″",
        "110°15'2.9\"E, 21°22'5.2\"N",
        "110度15分2.9秒，21度22分5.2秒",
        "110º15'2.9'' 21º22'5.2''",
        "【110.2508、21.3681】",
    ],
)
def test_two_coordinates_in_one_cell(text):
    assert parse_lonlat(text) == pytest.approx((110.2508, 21.3681), abs=2e-5)


def test_the_order_given_stays_unless_words_say_otherwise():
    assert parse_lonlat("21.38,110.25") == (21.38, 110.25)
    assert parse_lonlat("37.3,-121.8") == (37.3, -121.8)
    assert parse_lonlat("21.38N,121.8W") == (-121.8, 21.38)
    assert parse_lonlat(" ") is None


@pytest.mark.parametrize("text", ["110.25", "110.25,21.38,5", "村口", "110°61′,21", "nan,nan", "110.25,", "N,E"])
def test_no_positions(text):
    with pytest.raises(ValueError, match="position_unreadable"):
        parse_lonlat(text)


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("110.25", 110.25),
        ("110°15′", 110.25),
        ("东经110°15′0″", 110.25),
        ("110°15.0′E", 110.25),
        ("西经110.25", -110.25),
        ("392095.8", 392095.8),
        ("", None),
    ],
)
def test_one_coordinate(text, degrees):
    assert parse_coordinate(text) == degrees
