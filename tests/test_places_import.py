"""Places from files: what level a row is, what it lies in, and that it stays the same place."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import shapely

from villagemap.errors import AmbiguousError, BadInputError
from villagemap.flows.places import find_place, import_places, list_places, show_place
from villagemap.flows.registry import Session
from villagemap.model import BBox, Level, Place

Table = Callable[..., Path]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Write a CSV file."""

    def write(*lines: str, name: str = "places.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


HEADER = "代码,名称,经度,纬度"
TOWN = "449923101,甲镇,,"
VILLAGES = ("449923101200,东村村委会,111.15,20.65", "449923101201,中村村委会,111.15,20.75")


def _places(session: Session) -> dict[str, Place]:
    return {place.name: place for place in session.workspace.store.places()}


def _state(session: Session) -> tuple[object, ...]:
    store = session.workspace.store
    return store.head(), store.operations(), store.places()


def test_levels_come_from_the_length_of_codes(empty_session: Session, table: Table):
    rows = ("449923,小县", "449923101000,甲镇", "449923102,乙镇", "449923101200,东村村委会", "449923101200001,上东村")
    report = import_places(empty_session, [table("代码,名称", *rows)])
    assert (report.read, report.stored, report.unchanged, report.rejected) == (5, 5, 0, 0)
    assert report.levels == {"county": 1, "town": 2, "village": 1, "hamlet": 1}
    places = _places(empty_session)
    assert places["甲镇"].code == "449923101"
    assert places["东村村委会"].parent_id == places["甲镇"].place_id
    assert places["上东村"].parent_id == places["东村村委会"].place_id
    assert (places["甲镇"].short_name, places["东村村委会"].short_name) == ("甲", "东村")


def test_a_county_of_12_digits_is_no_town(empty_session: Session, table: Table):
    import_places(empty_session, [table("代码,名称", "449923000000,小县", "449923101000,甲镇")])
    assert {(p.level, p.code) for p in _places(empty_session).values()} == {
        (Level.COUNTY, "449923"),
        (Level.TOWN, "449923101"),
    }


def test_the_same_file_again_changes_nothing(empty_session: Session, table: Table):
    hamlets = ("自然村", "上东村,甲镇,东村村委会", "下东村,甲镇,东村村委会")
    files = [
        table(HEADER, TOWN, *VILLAGES),
        table("名称,镇,行政村,级别", *(f"{h},自然村" for h in hamlets[1:]), name="h.csv"),
    ]
    first = import_places(empty_session, files)
    assert (first.read, first.stored, first.approximate) == (5, 5, 3)
    before = _state(empty_session)
    again = import_places(empty_session, files)
    assert (again.read, again.stored, again.unchanged, again.rejected) == (5, 0, 5, 0)
    assert _state(empty_session) == before
    assert empty_session.workspace.store.verify() is None


def test_points_get_approximate_areas_that_later_borders_replace(empty_session: Session, table: Table, tmp_path: Path):
    import_places(empty_session, [table(HEADER, TOWN, *VILLAGES)])
    before = _places(empty_session)
    assert all(place.approximate for place in before.values())
    assert before["东村村委会"].seat == (111.15, 20.65)
    outline = shapely.box(111.1, 20.6, 111.3, 20.7)
    feature = {
        "type": "Feature",
        "geometry": orjson.loads(shapely.to_geojson(outline)),
        "properties": {"code": "449923101200", "name": "东村村委会"},
    }
    path = tmp_path / "borders.geojson"
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": [feature]}))
    import_places(empty_session, [path])
    after = _places(empty_session)["东村村委会"]
    assert not after.approximate
    assert shapely.equals(shapely.from_wkb(after.geometry), outline)
    assert after.seat == (111.15, 20.65), "a border doesn't move the village committee"
    import_places(empty_session, [table(HEADER, TOWN, *VILLAGES)])
    assert _places(empty_session)["东村村委会"] == after, "a point doesn't wipe out a border"


def test_a_place_keeps_its_identity_when_its_code_changes(empty_session: Session, table: Table):
    import_places(empty_session, [table(HEADER, TOWN, *VILLAGES)])
    before = _places(empty_session)
    import_places(
        empty_session,
        [table("代码,名称,曾用代码", "449923009,甲街道,449923101", "449923009001,东村社区居委会,449923101200")],
    )
    after = _places(empty_session)
    assert after["甲街道"].place_id == before["甲镇"].place_id
    assert (after["甲街道"].code, after["甲街道"].former_codes) == ("449923009", ("449923101",))
    assert after["东村社区居委会"].place_id == before["东村村委会"].place_id
    assert find_place(empty_session, "449923101200", Level.VILLAGE).name == "东村社区居委会"
    assert show_place(empty_session, Level.TOWN, "449923101")[1] == "449923009"


def test_a_new_code_alone_is_recognised_by_the_name_under_the_same_parent(empty_session: Session, table: Table):
    import_places(empty_session, [table(HEADER, TOWN, *VILLAGES)])
    before = _places(empty_session)["东村村委会"]
    import_places(empty_session, [table("代码,名称", "449923101299,东村村委会")])
    after = _places(empty_session)["东村村委会"]
    assert (after.place_id, after.former_codes) == (before.place_id, ("449923101200",))


def test_a_row_without_a_code_keeps_the_code(empty_session: Session, table: Table):
    import_places(empty_session, [table(HEADER, TOWN, *VILLAGES)])
    import_places(empty_session, [table("名称,镇,级别,户数", "东村村委会,甲镇,行政村,321")])
    after = _places(empty_session)["东村村委会"]
    assert (after.code, after.former_codes, after.households) == ("449923101200", (), 321)


def test_a_split_town_goes_on_as_the_one_that_kept_its_name(empty_session: Session, table: Table):
    import_places(empty_session, [table("代码,名称", "449923101,甲镇", "449923101200,东村村委会")])
    old = _places(empty_session)["甲镇"].place_id
    halves = ("449923115,附甲镇,449923101", "449923009,甲街道,449923101")
    import_places(empty_session, [table("代码,名称,曾用代码", *halves)])
    places = _places(empty_session)
    assert places["甲街道"].place_id == old
    assert places["附甲镇"].place_id != old
    with pytest.raises(AmbiguousError):
        show_place(empty_session, Level.TOWN, "449923101")
    before = _state(empty_session)
    import_places(empty_session, [table("代码,名称,曾用代码", *halves)])
    assert _state(empty_session) == before


def test_a_code_that_was_given_away_is_another_place(empty_session: Session, table: Table):
    import_places(empty_session, [table("代码,名称", "449923101,甲镇", "449923101201,城月社区居委会")])
    old = _places(empty_session)["城月社区居委会"].place_id
    rows = ("449923101001,城月社区居委会,449923101201", "449923101201,城月村委会,")
    for _ in range(2):
        import_places(empty_session, [table("代码,名称,曾用代码", *rows)])
        places = _places(empty_session)
        assert (places["城月社区居委会"].place_id, places["城月社区居委会"].code) == (old, "449923101001")
        assert places["城月村委会"].place_id != old
    assert find_place(empty_session, "449923101201", Level.VILLAGE).name == "城月村委会"


def test_who_keeps_the_code_is_the_place_though_part_of_it_left(empty_session: Session, table: Table):
    import_places(empty_session, [table("代码,名称", "449923101,甲镇")])
    rows = ("449923115,新镇,449923101", "449923101,甲街道,")
    import_places(empty_session, [table("代码,名称,曾用代码", *rows)])
    assert _places(empty_session)["甲街道"].place_id == "t1"
    assert _places(empty_session)["新镇"].place_id != "t1"


def test_two_rows_of_one_place_are_one_place(empty_session: Session, table: Table):
    points = table("代码,名称,经度,纬度", TOWN, VILLAGES[0])
    numbers = table("代码,名称,户数", "449923101200,东村村委会,88", name="households.csv")
    names = table("名称,镇,级别,别名", "东村村委会,甲镇,行政村,老东村", name="names.csv")
    report = import_places(empty_session, [names, numbers, points])
    assert (report.read, report.rejected) == (4, 0)
    places = [place for place in empty_session.workspace.store.places() if place.level is Level.VILLAGE]
    assert [(p.households, p.aliases, p.seat) for p in places] == [(88, ("老东村",), (111.15, 20.65))]


def test_equal_names_without_codes_are_never_guessed(empty_session: Session, table: Table):
    import_places(empty_session, [table("代码,名称", TOWN[:13], "449923101200,东村", "449923101201,东村")])
    report = import_places(empty_session, [table("名称,镇,级别,户数", "东村,甲镇,行政村,5")])
    assert (report.rejected, report.findings[0].code) == (1, "place_ambiguous")


def test_a_hamlet_never_finds_its_village_in_another_town(empty_session: Session, table: Table):
    import_places(empty_session, [table("代码,名称", TOWN[:13], "449923101200,独村")])
    rows = ("上独村,丁镇,独村,自然村", "下独村,甲镇,独村,自然村")
    report = import_places(empty_session, [table("名称,镇,行政村,级别", *rows)])
    assert (report.stored, report.rejected) == (1, 1)
    assert [(f.row, f.code) for f in report.findings] == [(2, "parent_unknown")]
    assert "上独村" not in _places(empty_session)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("449923101203,,111.15,20.65", "place_without_name"),
        ("12345,某村,111.15,20.65", "place_without_level"),
        ("449923777203,某村,111.15,20.65", "parent_unknown"),
        ("449923101203,某村,20.65,111.15", "axes_swapped"),
        ("449923101203,某村,511.15,20.65", "position_impossible"),
    ],
)
def test_a_row_that_cant_be_a_place_is_rejected_with_its_reason(
    empty_session: Session, table: Table, row: str, code: str
):
    report = import_places(empty_session, [table(HEADER, TOWN, VILLAGES[0], row)])
    assert (report.read, report.stored, report.rejected) == (3, 2, 1)
    rejections = [finding for finding in report.findings if finding.rejects]
    assert [(f.row, f.code) for f in rejections] == [(4, code)]
    for lang in ("zh", "en"):
        assert rejections[0].sentence(lang)


def test_an_outline_that_crosses_itself_is_mended(empty_session: Session, table: Table, tmp_path: Path):
    bow = {
        "type": "Polygon",
        "coordinates": [[[111.1, 20.6], [111.2, 20.7], [111.2, 20.6], [111.1, 20.7], [111.1, 20.6]]],
    }
    feature = {"type": "Feature", "geometry": bow, "properties": {"code": "449923101", "name": "甲镇"}}
    path = tmp_path / "bow.geojson"
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": [feature]}))
    import_places(empty_session, [path, table(HEADER, *VILLAGES)])
    town = _places(empty_session)["甲镇"]
    assert shapely.is_valid(shapely.from_wkb(town.geometry))
    assert not town.approximate


def test_a_file_without_rows_is_told(empty_session: Session, table: Table):
    with pytest.raises(BadInputError, match="no rows"):
        import_places(empty_session, [table(HEADER)])
    assert _state(empty_session)[1:] == ([], [])


def test_listing_places_by_town_extent_and_page(session: Session):
    texts, after = list_places(session, Level.VILLAGE, town="乙镇")
    assert [orjson.loads(text)["properties"]["code"] for text in texts] == [f"44992310220{n}" for n in range(3)]
    assert after is None
    shown, after = [], 0
    while after is not None:
        page, after = list_places(session, Level.HAMLET, limit=10, after=after)
        shown += [orjson.loads(text)["id"] for text in page]
    assert len(shown) == len(set(shown)) == 27
    inside, _ = list_places(session, Level.VILLAGE, bbox=BBox(111.11, 20.61, 111.12, 20.62))
    assert len(inside) == 1
