"""CSV and XLSX: what offices save, and what strangers make of it."""

import datetime as dt
import io
import re
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.errors import VillagemapError
from villagemap.readers.contract import Limits
from villagemap.readers.sandbox import open_table
from villagemap.readers.tables import cell_text, find_encoding

REAL = Path(__file__).parents[2] / "shared" / "data"
HEADER = "编号,镇,描述"
ROW = "1,示例镇,垃圾乱扔，有异味"


def read(path, **options):
    with open_table(path, **options) as table:
        return table, [row for batch in table.batches() for row in batch]


def values(path, **options):
    return [row.values for row in read(path, **options)[1]]


def fault_of(path, **options):
    with pytest.raises(VillagemapError) as fault:
        read(path, **options)
    assert path.name in fault.value.sentence("zh")
    assert path.name in fault.value.sentence("en")
    return fault.value


@pytest.fixture
def write(tmp_path):
    def write(content, name="台账.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings(write, encoding):
    table, rows = read(write(f"{HEADER}\r\n{ROW}\r\n".encode(encoding)))
    assert table.encoding == encoding
    assert table.columns == ("编号", "镇", "描述")
    assert [(row.number, row.values) for row in rows] == [(2, ["1", "示例镇", "垃圾乱扔，有异味"])]


def test_gbk_and_rare_characters_of_gb18030(write):
    assert values(write(f"{HEADER}\n1,㙍,𠮷\n".encode("gb18030"))) == [["1", "㙍", "𠮷"]]


def test_an_encoding_is_never_guessed_beyond_the_two(write):
    fault = fault_of(write(b"a,b\n1,2\ncaf\xe9,\xff\xff\n"))
    assert (fault.code, fault.params["line"]) == ("csv_encoding", 3)


def test_a_character_split_between_two_blocks_is_whole(write):
    path = write("a,b\n" + "x" * (1024 * 1024 - 5) + "镇,1\n")
    assert find_encoding(str(path)) == "utf-8"


def test_zero_bytes_are_refused(write):
    fault = fault_of(write(b"a,b\n1,2\n3,\x004\n"))
    assert (fault.code, fault.params["line"]) == ("csv_nul", 3)


@pytest.mark.parametrize("mark", [",", "\t", ";", "，"])
def test_delimiters(write, mark):
    assert values(write(f"编号{mark}镇{mark}描述\n1{mark}甲{mark}乙\n")) == [["1", "甲", "乙"]]


def test_a_comma_within_quotes_decides_nothing(write):
    path = write('"编号,旧,号";镇\n1;甲\n')
    table, rows = read(path)
    assert table.columns == ("编号,旧,号", "镇")
    assert rows[0].values == ["1", "甲"]


def test_quoted_line_breaks_and_exact_text(write):
    path = write('编号,描述\n0012,"两行\n文字 ""引号"" "\n 3 ,=1+1\n')
    assert values(path) == [["0012", '两行\n文字 "引号" '], [" 3 ", "=1+1"]]


def test_numbers_count_as_a_spreadsheet_does(write):
    path = write('\n\n编号,描述\n1,"a\nb"\n,\n\n2,c\n')
    assert [row.number for row in read(path)[1]] == [4, 7]


def test_ragged_rows_keep_all_they_have_and_say_so(write):
    path = write("a,b\n1\n1,2,,\n1,2,3\n")
    assert [(row.values, row.fault) for row in read(path)[1]] == [
        (["1", ""], ""),
        (["1", "2"], ""),
        (["1", "2", "3"], "row_too_long"),
    ]


def test_a_huge_field_and_an_open_quote_are_told_with_their_row(write):
    fault = fault_of(write("a,b\n1,2\n3," + "x" * 100_001 + "\n"))
    assert (fault.code, fault.params["row"]) == ("csv_field_too_long", 3)
    fault = fault_of(write('a,b\n1,2\n3,"open\n4,5\n'))
    assert (fault.code, fault.params["row"]) == ("csv_broken", 3)


def test_a_header_without_rows_is_a_table_without_rows(write):
    table, rows = read(write(HEADER + "\n"))
    assert (table.columns, rows) == (("编号", "镇", "描述"), [])


def test_names_of_columns_are_trimmed(write):
    assert read(write(' 编号 ,"整改\n时限",,\n1,2,,\n'))[0].columns == ("编号", "整改 时限")


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs", "Cc"]), max_size=20)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_whatever_is_written_is_read(tmp_path_factory, pairs):
    import csv

    from villagemap.readers.tables import read_csv

    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("甲", "乙"), *pairs])
    kept = [list(pair) for pair in pairs if any(text.strip() for text in pair)]
    assert [row[1] for row in read_csv(str(path), Limits()).rows] == kept


@pytest.fixture
def workbook(tmp_path):
    def save(rows, name="台账.xlsx", **more):
        book = openpyxl.Workbook()
        book.active.title = "一"
        for row in rows:
            book.active.append(row)
        for title, sheet_rows in more.items():
            sheet = book.create_sheet(title)
            for row in sheet_rows:
                sheet.append(row)
        path = tmp_path / name
        book.save(path)
        return path

    return save


def test_cells_of_a_workbook_as_text(workbook):
    day, moment = dt.date(2022, 3, 9), dt.datetime(2022, 3, 9, 10, 1)  # noqa: DTZ001 - a cell has no zone
    path = workbook(
        [
            ["编号", "代码", "经度", "日期", "时间", "完成"],
            [1, 440823001001, 110.25, day, moment, True],
            [" 01 ", "440823001001", "110.250", "2022.3.9", None, False],
            [None] * 6,
            [44629, 1e20, -0.5, dt.time(3, 4), "３月", None],
        ]
    )
    table, rows = read(path)
    assert (table.kind, table.sheet, table.sheets) == ("xlsx", "一", ("一",))
    assert table.columns == ("编号", "代码", "经度", "日期", "时间", "完成")
    assert [(row.number, row.values) for row in rows] == [
        (2, ["1", "440823001001", "110.25", "2022-03-09", "2022-03-09T10:01:00", "TRUE"]),
        (3, [" 01 ", "440823001001", "110.250", "2022.3.9", "", "FALSE"]),
        (5, ["44629", "1e+20", "-0.5", "03:04:00", "３月", ""]),
    ]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_is_the_number(number):
    assert float(cell_text(number)) == number


def test_the_first_visible_sheet_or_the_one_named(workbook):
    path = workbook([["a"], ["hidden"]], 二=[["a"], ["second"]], 三=[["a"], ["third"]])
    book = openpyxl.load_workbook(path)
    book["一"].sheet_state = "hidden"
    book.active = 1
    book.save(path)
    assert values(path) == [["second"]]
    assert values(path, sheet="三") == [["third"]]
    assert values(path, sheet="一") == [["hidden"]]
    fault = fault_of(path, sheet="四")
    assert (fault.code, fault.params["known"]) == ("sheet_unknown", "一, 二, 三")


def test_a_header_below_blank_rows_and_columns(workbook):
    path = workbook([[], [None, None], [None, "镇", "村"], [None, "甲", "乙"]])
    table, rows = read(path)
    assert table.columns == ("镇", "村")
    assert [(row.number, row.values) for row in rows] == [(4, ["甲", "乙"])]


def test_an_empty_sheet(workbook):
    assert fault_of(workbook([])).code == "file_empty"


def test_a_stray_cell_far_away_is_told_not_allocated(workbook):
    path = workbook([["镇", "村"], ["甲", "乙"]])
    book = openpyxl.load_workbook(path)
    book.active["XFD1048576"] = "x"
    book.save(path)
    fault = fault_of(path)
    assert (fault.code, fault.params["cell"], fault.params["sheet"]) == ("sheet_stray_cell", "XFD1048576", "一")


@pytest.mark.parametrize("cell", [b'<c r="XFD1048576" s="1"/>', b'<c r="XFD1048576" s="1" t="n"></c>'])
def test_a_formatted_empty_cell_far_away_is_no_matter(workbook, cell):
    path = workbook([["镇", "村"], ["甲", "乙"]])
    row = b'<row r="1048576">' + cell + b"</row></sheetData>"
    changed(path, "xl/worksheets/sheet1.xml", lambda text: text.replace(b"</sheetData>", row))
    assert values(path) == [["甲", "乙"]]


def test_a_stray_cell_on_another_sheet_is_no_matter(workbook):
    path = workbook([["镇", "村"], ["甲", "乙"]], 二=[["a"]])
    book = openpyxl.load_workbook(path)
    book["二"]["XFD1048576"] = "x"
    book.save(path)
    assert values(path) == [["甲", "乙"]]


def changed(path, member, change):
    """The same archive with one member changed."""
    content = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            text = old.read(item)
            new.writestr(item.filename, change(text) if item.filename == member else text)
    path.write_bytes(content.getvalue())
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
def test_a_stray_cell_that_hides_from_the_check_kills_only_the_child(workbook):
    path = workbook([["镇", "村"], ["甲", "乙"], ["丙", "丁"]])
    hide = lambda text: re.sub(rb'r="B3"', b"r='XFD1048576'", re.sub(rb'<row r="3"', b'<row r="1048576"', text))  # noqa: E731
    changed(path, "xl/worksheets/sheet1.xml", hide)
    assert fault_of(path).code == "parser_died"


def test_entities_in_a_workbook_fetch_and_swell_nothing(workbook, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("swordfish")
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>'.encode()
    path = workbook([["镇", "村"], ["甲", "乙"]])
    changed(path, "xl/workbook.xml", lambda text: doctype + text.replace("一".encode(), b"&e;"))
    try:
        told = str(read(path)[0])
    except VillagemapError as fault:
        told = str(fault) + str(fault.params)
    assert "swordfish" not in told


@pytest.mark.parametrize("member", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/_rels/workbook.xml.rels"])
def test_a_broken_workbook(workbook, member):
    path = workbook([["镇", "村"], ["甲", "乙"]])
    changed(path, member, lambda text: text[: len(text) // 2] + b"<<<")
    assert fault_of(path).code in {"xlsx_broken", "parser_died"}


def test_a_zip_that_is_no_workbook(tmp_path):
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "x")
    assert fault_of(path).code == "xlsx_broken"


def real(*parts):
    path = REAL.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"NO REAL DATA: {path} is absent")
    return path


@pytest.mark.real
def test_real_san_jose():
    table, rows = read(real("issues", "sanjose_illegal_dumping_2000.csv"))
    assert (len(table.columns), len(rows), table.encoding) == (23, 2000, "utf-8")
    assert not any(row.fault for row in rows)


@pytest.mark.real
def test_real_suixi_villages():
    table, rows = read(real("suixi", "suixi_villages.csv"))
    assert (len(rows), table.columns[:3]) == (353, ("code", "name", "short_name"))
    assert {len(row.values[0]) for row in rows} == {12}


@pytest.mark.real
def test_real_messages():
    table, rows = read(real("issues", "cn_gov_messages_fj4.xlsx"))
    assert (len(rows), table.columns[0]) == (120, "留言编号")
    assert (rows[0].number, rows[0].values[0]) == (2, "2549")
    assert len(read(real("issues", "cn_gov_messages_fj1.xlsx"))[1]) == 517
