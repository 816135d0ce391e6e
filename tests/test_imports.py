"""Issues from files: every row is accounted for, nothing is written twice, and nothing is guessed."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

import openpyxl
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import TODAY, fill_tiny
from villagemap.auth import OWNER
from villagemap.errors import BadInputError, NotFoundError
from villagemap.flows.cases.imports import ImportReport, import_issues
from villagemap.flows.registry import Session
from villagemap.flows.workspace import init_workspace, open_workspace
from villagemap.model import Issue, IssueFilter, Located, Status
from villagemap.readers.columns import ColumnMapping
from villagemap.readers.issue_drafts import ImportOptions
from villagemap.settings import Settings

Rows = Sequence[Sequence[str]]
HEADER = ("编号", "镇", "村委会", "经度", "纬度", "类别", "发现日期", "问题描述", "整改状态", "完成日期", "联系电话")
ROW = ("7", "甲镇", "东村", "111.15", "20.65", "应拆未拆旱厕", "2026-03-09", "墙角有旱厕", "", "", "")


def _csv(path: Path, header: Sequence[str], rows: Rows, encoding: str = "utf-8") -> Path:
    lines = [",".join(f'"{cell}"' for cell in row) for row in (header, *rows)]
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


@pytest.fixture
def take(session: Session, tmp_path: Path) -> Callable[..., ImportReport]:
    """Import rows into the tiny county."""

    def taken(rows: Rows, header: Sequence[str] = HEADER, *, apply: bool = True, **options: object) -> ImportReport:
        path = _csv(tmp_path / "rows.csv", header, rows)
        return import_issues(session, path, ImportOptions(**options), apply=apply)

    return taken


def _row(**cells: str) -> list[str]:
    return [cells.get(name, cell) for name, cell in zip(HEADER, ROW, strict=True)]


def _new(session: Session) -> list[Issue]:
    return session.workspace.store.issues(IssueFilter(), limit=1000, after=60)


def _only(session: Session) -> Issue:
    (issue,) = _new(session)
    return issue


def _state(session: Session) -> tuple[object, ...]:
    store = session.workspace.store
    return store.head(), store.count(IssueFilter()), store.operations()


def test_a_row_becomes_an_issue_with_all_that_it_says(session: Session, take: Callable[..., ImportReport]):
    report = take([_row(联系电话="13812345678")], source="county_unannounced")
    assert report.counts() == {
        "read": 1, "stored": 1, "known": 0, "rejected": 0, "unlocated": 0, "outside": 0, "claimed": 0, "relapses": 0
    }  # fmt: skip
    assert report.matched["村委会"] == "village"
    issue = _only(session)
    assert (issue.number, issue.status, issue.category) == ("2026-00061", Status.REGISTERED, "toilet_dry")
    assert (issue.town_id, issue.village_id, issue.place_id, issue.located) == ("t1", "v4", "v4", Located.INSIDE)
    assert (issue.geometry, issue.found_on, issue.due_on) == (
        "POINT (111.15 20.65)",
        date(2026, 3, 9),
        date(2026, 3, 31),
    )
    assert (issue.description, issue.phone, issue.source) == ("墙角有旱厕", "13812345678", "county_unannounced")
    (sighting,) = issue.sightings
    assert (sighting.list_name, sighting.list_number, sighting.datum) == ("rows.csv", "7", "wgs84")
    assert (sighting.given_x, sighting.given_y) == ("111.15", "20.65")
    operation = session.workspace.store.operations()[-1]
    assert (operation.number, operation.counts) == (report.operation, report.counts())
    assert session.workspace.store.verify() is None


def test_a_preview_counts_the_same_and_writes_nothing(session: Session, take: Callable[..., ImportReport]):
    rows = [_row(), _row(), _row(类别="没有"), _row(经度="", 纬度=""), _row(经度="112.5", 镇="", 村委会="")]
    before = _state(session)
    preview = take(rows, apply=False)
    assert _state(session) == before
    assert preview.operation is None
    applied = take(rows)
    assert preview.counts() == applied.counts()
    assert applied.counts() | {"read": 5} == {
        "read": 5, "stored": 4, "known": 0, "rejected": 1, "unlocated": 1, "outside": 1, "claimed": 0, "relapses": 0
    }  # fmt: skip


def test_the_same_file_again_leaves_no_trace(session: Session, take: Callable[..., ImportReport]):
    rows = [_row(), _row(), _row(编号="8"), _row(类别="没有")]
    assert take(rows).stored == 3
    before = _state(session)
    again = take(rows)
    assert (again.read, again.stored, again.known, again.rejected, again.operation) == (4, 0, 3, 1, None)
    assert _state(session) == before
    more = take([*rows, _row(编号="9")])
    assert (more.stored, more.known) == (1, 3)


def test_equal_rows_of_a_file_are_as_many_issues_and_a_point_is_no_row(
    session: Session, take: Callable[..., ImportReport]
):
    assert take([_row()] * 3).stored == 3
    assert take([_row()] * 2).known == 2
    more = take([_row()] * 5)
    assert (more.known, more.stored) == (3, 2)
    assert take([_row(问题描述="同一处，另一件")]).stored == 1
    assert len({issue.geometry for issue in _new(session)}) == 1


def test_an_id_stands_for_one_issue_only_however_long_the_file(session: Session, tmp_path: Path):
    issue_id = "019c0000-0000-7000-8000-00000000abcd"
    rows = [["", "应拆未拆旱厕", str(n)] for n in range(12_000)]
    rows[0][0] = rows[11_000][0] = issue_id
    path = _csv(tmp_path / "long.csv", ("id", "类别", "编号"), rows)
    report = import_issues(session, path, ImportOptions(), apply=True)
    assert (report.read, report.stored, report.known) == (12_000, 11_999, 1)
    assert report.codes["id_known"] == 1
    issue = session.workspace.store.issue(issue_id)
    assert issue is not None
    assert (issue.revision, issue.sightings[0].list_number) == (1, "0")


def test_an_export_read_back_is_known_by_its_ids(session: Session, tmp_path: Path):
    from villagemap.flows.cases.issues import export_geojson

    path = tmp_path / "all.geojson"
    path.write_bytes(b"".join(export_geojson(session, IssueFilter())))
    before = _state(session)
    report = import_issues(session, path, ImportOptions(), apply=True)
    assert (report.read, report.known, report.stored, report.operation) == (60, 60, 0, None)
    assert report.codes["id_known"] == 60
    assert _state(session) == before


def test_every_rejected_row_has_its_reason_and_stops_no_other(session: Session, take: Callable[..., ImportReport]):
    bad = {
        "category_unknown": _row(类别="没有这一类"),
        "category_missing": _row(类别=""),
        "axes_swapped": _row(经度="20.65", 纬度="111.15"),
        "position_impossible": _row(经度="511.15"),
    }
    report = take([*bad.values(), _row()])
    assert (report.read, report.stored, report.rejected) == (5, 1, 4)
    assert [(f.row, f.code) for f in report.findings if f.rejects] == [(n + 2, code) for n, code in enumerate(bad)]
    assert all(finding.sentence(lang) for finding in report.findings for lang in ("zh", "en"))
    assert len(_new(session)) == 1


def test_a_file_of_which_nothing_can_be_stored_writes_nothing(session: Session, take: Callable[..., ImportReport]):
    before = _state(session)
    with pytest.raises(BadInputError) as fault:
        take([_row(类别="没有"), _row(经度="20.65", 纬度="111.15")])
    assert fault.value.code == "all_rejected"
    assert [finding.row for finding in fault.value.params["findings"]] == [2, 3]
    assert _state(session) == before


@pytest.mark.parametrize("apply", [True, False])
def test_a_file_without_rows_is_told(session: Session, take: Callable[..., ImportReport], apply: bool):
    before = _state(session)
    with pytest.raises(BadInputError, match="no rows"):
        take([], apply=apply)
    assert _state(session) == before


def test_a_file_that_breaks_half_way_writes_nothing(session: Session, tmp_path: Path):
    before = _state(session)
    path = tmp_path / "broken.csv"
    path.write_text("类别,编号\n" + "应拆未拆旱厕,1\n" * 9_000 + '应拆未拆旱厕,"2\n', encoding="utf-8")
    with pytest.raises(BadInputError):
        import_issues(session, path, ImportOptions(), apply=True)
    assert _state(session) == before
    with pytest.raises(NotFoundError):
        import_issues(session, tmp_path / "missing.csv", ImportOptions(), apply=True)


# What a row says of a case's life


@pytest.mark.parametrize(
    ("status", "done", "becomes", "claimed", "code"),
    [
        ("已销号", "2026-03-12", Status.SUBMITTED, date(2026, 3, 12), ""),
        ("closed", "2026-03-12", Status.SUBMITTED, date(2026, 3, 12), ""),
        ("", "2026-03-12", Status.SUBMITTED, date(2026, 3, 12), ""),
        ("是", "", Status.SUBMITTED, None, "claim_without_date"),
        ("已销号", "2026-03-01", Status.SUBMITTED, date(2026, 3, 1), "closed_before_found"),
        ("已拆除", "2026-03-12", Status.SUBMITTED, date(2026, 3, 12), "status_unknown"),
        ("看看再说", "", Status.REGISTERED, None, "status_unknown"),
        ("整改中", "2026-03-12", Status.RECTIFYING, None, "claim_but_open"),
        ("重复", "", Status.REGISTERED, None, "status_needs_decision"),
        ("延期", "", Status.REGISTERED, None, "status_needs_decision"),
        ("待核实", "", Status.REPORTED, None, ""),
    ],
)
def test_a_claim_is_never_a_close(
    session: Session, take: Callable[..., ImportReport], status: str, done: str, becomes: Status, claimed: date,
    code: str,
):  # fmt: skip
    report = take([_row(整改状态=status, 完成日期=done)])
    issue = _only(session)
    assert (issue.status, issue.claimed_closed_on, issue.closed_on) == (becomes, claimed, None)
    assert list(report.codes) == ([code] if code else [])
    assert report.claimed == (becomes is Status.SUBMITTED)
    assert bool(issue.number) == (becomes is not Status.REPORTED)


def test_numbers_that_cant_be_are_told(session: Session, take: Callable[..., ImportReport]):
    header = (*HEADER, "数量", "完成数量", "严重程度")
    report = take([[*ROW, "-3", "许多", "9"], [*ROW, "1,200", "", "2"]], header)
    first, second = _new(session)
    assert (first.quantity_found, first.quantity_done, first.severity) == (0.0, 0.0, 5)
    assert (second.quantity_found, second.quantity_done, second.severity) == (1200.0, 0.0, 2)
    assert report.codes == {"quantity_negative": 1, "number_unreadable": 1, "severity_out_of_range": 1}


# Where a row is


@pytest.mark.parametrize(
    ("words", "place", "village", "town", "codes"),
    [
        (("甲镇", "东村"), "v4", "v4", "t1", []),
        (("乙镇", "东村委会"), None, None, "t2", ["village_unknown"]),
        (("", "东村"), None, None, None, ["village_ambiguous"]),
        (("丁镇", "东村"), None, None, None, ["town_unknown"]),
        (("丙镇", ""), None, None, "t3", []),
        (("449923102", "449923102201"), "v8", "v8", "t2", []),
    ],
)
def test_a_name_never_crosses_towns(
    session: Session, take: Callable[..., ImportReport], words: tuple[str, str], place: str, village: str, town: str,
    codes: list[str],
):  # fmt: skip
    report = take([_row(镇=words[0], 村委会=words[1], 经度="", 纬度="")])
    issue = _only(session)
    assert (issue.place_id, issue.village_id, issue.town_id) == (place, village, town)
    assert list(report.codes) == codes
    if codes:
        assert issue.location_text == " ".join(word for word in words if word), "words that weren't understood are kept"


def test_a_hamlet_is_found_in_its_village_and_kept_in_words_where_it_isnt(
    session: Session, take: Callable[..., ImportReport]
):
    header = (*HEADER, "自然村", "位置描述")
    bare = _row(经度="", 纬度="")
    report = take(
        [
            [*bare, "上东村", "村口"],
            [*bare, "新村仔", "村口"],
            [*_row(镇="", 村委会="", 经度="", 纬度=""), "上东村", ""],
        ],
        header,
    )
    known, lost, unclear = _new(session)
    assert (known.place_id, known.village_id, known.location_text) == ("h13", "v4", "村口")
    assert (lost.place_id, lost.location_text) == ("v4", "甲镇 东村 新村仔 村口")
    assert (unclear.town_id, unclear.location_text) == (None, "上东村")
    assert report.codes == {"hamlet_unknown": 1, "hamlet_ambiguous": 1}


def test_a_code_decides_and_where_it_isnt_known_the_names_do(session: Session, take: Callable[..., ImportReport]):
    header = (*HEADER, "行政区划代码")
    rows = [[*_row(经度="", 纬度=""), code] for code in ("449923103202", "449923102000", "999999999999")]
    report = take(rows, header)
    assert [(i.village_id, i.town_id, i.place_code_given) for i in _new(session)] == [
        ("v12", "t3", "449923103202"),
        (None, "t2", "449923102000"),
        ("v4", "t1", "999999999999"),
    ]
    assert report.codes == {"place_code_unknown": 1}


def test_without_words_the_point_tells_the_village(session: Session, take: Callable[..., ImportReport]):
    take([_row(镇="", 村委会="", 经度="111.35", 纬度="20.75")])
    issue = _only(session)
    assert (issue.village_id, issue.town_id, issue.located) == ("v11", "t3", Located.INSIDE)


@pytest.mark.parametrize(
    ("words", "village", "town"), [(("甲镇", "东村"), "v4", "t1"), (("甲镇", ""), None, "t1"), (("", ""), "v12", "t3")]
)
def test_where_the_point_says_otherwise_the_words_hold_and_it_is_told(
    session: Session, take: Callable[..., ImportReport], words: tuple[str, str], village: str | None, town: str
):
    report = take([_row(镇=words[0], 村委会=words[1], 经度="111.35", 纬度="20.85")])
    issue = _only(session)
    assert (issue.village_id, issue.town_id, issue.located) == (village, town, Located.INSIDE)
    assert list(report.codes) == (["point_elsewhere"] if words[0] else [])


def test_the_town_narrows_what_the_point_says(session: Session, take: Callable[..., ImportReport]):
    take([_row(镇="甲镇", 村委会="", 经度="111.15", 纬度="20.85")])
    assert (_only(session).village_id, _only(session).town_id) == ("v6", "t1")


def test_a_county_that_only_has_towns_works(empty_session: Session, tmp_path: Path):
    from villagemap.flows.places import import_places

    box = [[111.1, 20.6], [111.2, 20.6], [111.2, 20.7], [111.1, 20.7], [111.1, 20.6]]
    town = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [box]},
            "properties": {"code": "449923101", "name": "甲镇"}}  # fmt: skip
    path = tmp_path / "town.geojson"
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": [town]}))
    import_places(empty_session, [path])
    rows = [_row(镇="", 村委会=""), _row(镇="", 村委会="", 经度="111.5")]
    import_issues(empty_session, _csv(tmp_path / "rows.csv", HEADER, rows), ImportOptions(), apply=True)
    inside, outside = empty_session.workspace.store.issues(IssueFilter(), limit=9)
    assert (inside.town_id, inside.village_id, inside.located) == ("t1", None, Located.OUTSIDE)
    assert (outside.town_id, outside.located) == (None, Located.OUTSIDE)


def test_what_needs_a_position_and_has_none_is_kept_and_counted(session: Session, take: Callable[..., ImportReport]):
    bare = {"经度": "", "纬度": ""}
    report = take([_row(**bare), _row(**bare, 类别="未开展四小园"), _row(经度="不详"), _row(纬度="")])
    located = [issue.located for issue in _new(session)]
    assert located == [Located.UNLOCATED, Located.INSIDE, Located.UNLOCATED, Located.UNLOCATED]
    assert report.unlocated == 3
    assert report.codes["half_a_position"] == 2


@pytest.mark.parametrize("datum", ["gcj02", "bd09", "cgcs2000"])
def test_a_datum_is_taken_off_and_what_was_given_is_kept(
    session: Session, take: Callable[..., ImportReport], datum: str
):
    from villagemap.crs import from_wgs84

    lon, lat = (f"{float(axis):.9f}" for axis in from_wgs84(111.15, 20.65, datum))
    take([_row(经度=lon, 纬度=lat)], datum=datum)
    issue = _only(session)
    assert issue.geometry is not None
    x, y = map(float, issue.geometry.removeprefix("POINT (").removesuffix(")").split())
    assert (x, y) == pytest.approx((111.15, 20.65), abs=2e-7)
    assert (issue.sightings[0].given_x, issue.sightings[0].datum) == (lon, datum)


def test_a_datum_that_cant_be_used_is_refused(session: Session, take: Callable[..., ImportReport]):
    before = _state(session)
    for word in ("xian80", "北京54", "nonsense"):
        with pytest.raises(BadInputError):
            take([_row()], datum=word)
    report = take([[*ROW, "西安80"], [*ROW, "GCJ-02"]], (*HEADER, "坐标系"))
    assert (report.stored, report.rejected, report.codes["datum_unusable"]) == (1, 1, 1)
    assert _state(session) != before


def test_lines_areas_and_broken_shapes(session: Session, tmp_path: Path):
    ring = [[111.11, 20.61], [111.12, 20.62], [111.12, 20.61], [111.11, 20.62], [111.11, 20.61]]
    shapes = [
        {"type": "LineString", "coordinates": [[111.11, 20.61], [111.12, 20.62]]},
        {"type": "Polygon", "coordinates": [ring]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": [20.61, 111.11]},
        {"type": "Point", "coordinates": [111.11, 20.61, 5.0]},
        None,
    ]
    features = [{"type": "Feature", "geometry": shape, "properties": {"category": "black_water"}} for shape in shapes]
    path = tmp_path / "shapes.geojson"
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))
    report = import_issues(session, path, ImportOptions(), apply=True)
    assert report.read == report.stored + report.known + report.rejected == 7
    geometries = [issue.geometry for issue in _new(session)]
    assert "LINESTRING (111.11 20.61, 111.12 20.62)" in geometries
    assert "POINT (111.11 20.61)" in geometries
    assert {4, 5} & {finding.row for finding in report.findings if finding.code == "axes_swapped"} == {5}
    assert session.workspace.store.verify() is None


# How a file is written makes no difference


def _told(session: Session) -> list[tuple[object, ...]]:
    return [
        (i.category, i.status, i.village_id, i.geometry, i.found_on, i.description, i.quantity_found, i.phone)
        for i in _new(session)
    ]


FORMS = ("csv", "order", "gbk", "bom", "xlsx", "english", "geojson")


def _written(folder: Path, form: str) -> Path:
    rows = [_row(), _row(类别="黑臭水体", 发现日期="2026年3月10日", 联系电话="13812345678"), _row(整改状态="已销号")]
    path = folder / f"{form}.csv"
    if form == "order":
        return _csv(path, HEADER[::-1], [row[::-1] for row in rows])
    if form == "english":
        english = ("number", "town", "village", "lon", "lat", "category", "found_on", "description", "status",
                   "completed_on", "phone")  # fmt: skip
        return _csv(path, english, rows)
    if form == "xlsx":
        book = openpyxl.Workbook()
        for row in (HEADER, *rows):
            book.active.append(
                [float(c) if n in {3, 4} and c[:1] == c[:1] and c[:2].isdigit() else c for n, c in enumerate(row)]
            )
        path = path.with_suffix(".xlsx")
        with closing(book):
            book.save(path)
        return path
    if form == "geojson":
        features = [
            {"type": "Feature", "geometry": {"type": "Point", "coordinates": [float(row[3]), float(row[4])]},
             "properties": {name: cell for name, cell in zip(HEADER, row, strict=True) if name not in {"经度", "纬度"}}}
            for row in rows
        ]  # fmt: skip
        path = path.with_suffix(".geojson")
        path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))
        return path
    return _csv(path, HEADER, rows, {"gbk": "gb18030", "bom": "utf-8-sig"}.get(form, "utf-8"))


@pytest.mark.parametrize("form", FORMS)
def test_columns_order_encoding_and_format_give_the_same_issues(session: Session, tmp_path: Path, form: str):
    report = import_issues(session, _written(tmp_path, form), ImportOptions(), apply=True)
    assert (report.stored, report.rejected, report.unmatched) == (3, 0, ())
    assert _told(session) == [
        ("toilet_dry", Status.REGISTERED, "v4", "POINT (111.15 20.65)", date(2026, 3, 9), "墙角有旱厕", 1.0, ""),
        ("black_water", Status.REGISTERED, "v4", "POINT (111.15 20.65)", date(2026, 3, 10), "墙角有旱厕", 1.0,
         "13812345678"),
        ("toilet_dry", Status.SUBMITTED, "v4", "POINT (111.15 20.65)", date(2026, 3, 9), "墙角有旱厕", 1.0, ""),
    ]  # fmt: skip


def test_a_mapping_names_columns_words_and_constants(session: Session, take: Callable[..., ImportReport]):
    mapping = ColumnMapping(
        columns={"what": "category", "free": "description"},
        values={"source": "leader_visit", "town": "乙镇"},
        codes={"category": {"T9": "toilet_dry"}},
    )
    report = take([["T9", "x", "?"]], ("what", "free", "other"), mapping=mapping)
    issue = _only(session)
    assert (issue.category, issue.description, issue.source, issue.town_id) == ("toilet_dry", "x", "leader_visit", "t2")
    assert report.unmatched == ("other",)


@pytest.mark.parametrize(("name", "value"), [("category", "没有"), ("source", "没有"), ("datum", "没有")])
def test_an_option_that_means_nothing_is_refused_before_anything_is_read(
    session: Session, take: Callable[..., ImportReport], name: str, value: str
):
    before = _state(session)
    with pytest.raises(BadInputError) as fault:
        take([_row()], **{name: value})
    assert value in fault.value.sentence("zh")
    assert _state(session) == before


def test_a_report_keeps_some_of_each_finding_and_counts_all(take: Callable[..., ImportReport]):
    report = take([*([_row(发现日期="那天")] * 1500), _row(类别="没有")])
    assert report.codes == {"date_unreadable": 1500, "category_unknown": 1}
    assert len(report.findings) == 1001
    assert [finding.row for finding in report.findings if finding.rejects] == [1502]


def test_progress_tells_rows_as_they_come(session: Session, tmp_path: Path):
    path = _csv(tmp_path / "many.csv", HEADER, [_row()] * 5000)
    told: list[int] = []
    import_issues(session, path, ImportOptions(), progress=lambda done, _total: told.append(done))
    assert told[-1] == 5000
    assert told == sorted(told)


# Any table at all

CELLS = st.one_of(
    st.sampled_from(
        ["", "甲镇", "东村", "应拆未拆旱厕", "111.15", "20.65", "999", "2026-03-09", "已销号", "-1", "黑臭水体", "是"]
    ),
    st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='"'), max_size=6),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(st.lists(CELLS, min_size=len(HEADER), max_size=len(HEADER)), min_size=1, max_size=8))
def test_every_row_is_stored_known_or_rejected_whatever_it_holds(rows: list[list[str]]):
    rows = [[*row[:10], row[10] or "x"] for row in rows]  # a wholly blank row is no row
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        init_workspace(folder / "county", Settings(county="tiny", name="小县", today=TODAY))
        workspace = open_workspace(folder / "county")
        try:
            fill_tiny(workspace)
            _check_any(Session(workspace, OWNER), _csv(folder / "any.csv", HEADER, rows), len(rows))
        finally:
            workspace.close()


def _check_any(session: Session, path: Path, count: int) -> None:
    options = ImportOptions(category="haul_late")
    before = _state(session)
    preview = import_issues(session, path, options)
    assert preview.read == preview.stored + preview.known + preview.rejected == count
    reasons = {finding.row for finding in preview.findings if finding.rejects}
    assert len(reasons) == preview.rejected
    assert _state(session) == before
    if not preview.stored:
        with pytest.raises(BadInputError):
            import_issues(session, path, options, apply=True)
        assert _state(session) == before
        return
    applied = import_issues(session, path, options, apply=True)
    assert applied.counts() == preview.counts()
    assert session.workspace.store.count(IssueFilter()) == 60 + applied.stored
    assert all(issue.status is not Status.CLOSED for issue in _new(session))
    after = _state(session)
    again = import_issues(session, path, options, apply=True)
    assert (again.stored, again.known, again.rejected) == (0, applied.stored, applied.rejected)
    assert _state(session) == after
    assert session.workspace.store.verify() is None
