"""GeoJSON out: whole and in order for the owner, without persons and homes for others, and true to its datum."""

import io
from pathlib import Path

import orjson
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from conftest import tiny_issue, tiny_places
from villagemap.crs import from_wgs84
from villagemap.errors import WrongUseError
from villagemap.exports import geojson, named_for, without_phones, write_whole
from villagemap.flows.cases.imports import import_issues
from villagemap.flows.cases.issues import export_geojson
from villagemap.flows.registry import Session
from villagemap.model import Audience, Change, IssueFilter
from villagemap.readers.issue_drafts import ImportOptions

PROPERTIES = (
    "id", "number", "town_code", "town", "village_code", "village", "category", "status", "severity", "quantity_found",
    "quantity_done", "unit", "source", "found_on", "due_on", "claimed_closed_on", "closed_on", "description",
    "lead_unit", "revision",
)  # fmt: skip


def _export(session: Session, audience: Audience = Audience.OWNER, datum: str = "wgs84") -> dict[str, object]:
    return orjson.loads(b"".join(export_geojson(session, IssueFilter(audience=audience), datum=datum)))


def test_the_owner_gets_every_issue_with_every_property(session: Session):
    collection = _export(session)
    assert list(collection) == ["type", "features"]
    assert len(collection["features"]) == 60
    for feature in collection["features"]:
        assert tuple(feature["properties"]) == PROPERTIES
        assert feature["id"] == feature["properties"]["id"]
    third = collection["features"][3]
    assert third["properties"]["town"] == "乙镇"
    assert third["properties"]["village_code"] == "449923102200"
    assert third["geometry"] == {"type": "Point", "coordinates": [111.25, 20.65]}
    bound = [f for f in collection["features"] if f["properties"]["category"] == "garden_not_started"]
    assert bound
    assert all(feature["geometry"] is None for feature in bound)


def test_nothing_to_export_is_a_collection_too(empty_session: Session):
    for datum in ("wgs84", "gcj02"):
        assert _export(empty_session, datum=datum)["features"] == []


@pytest.mark.parametrize("audience", [Audience.OFFICE, Audience.PUBLIC])
def test_others_get_no_household_no_person_and_no_phone(session: Session, audience: Audience):
    text = b"".join(export_geojson(session, IssueFilter(audience=audience))).decode()
    assert "household_housing" not in text
    assert "某人" not in text
    assert "00012345678" not in text
    restricted = {tiny_issue(n, tiny_places()).id for n in range(60) if n % 6 == 5}
    assert restricted.isdisjoint(f["id"] for f in orjson.loads(text)["features"])


def test_the_public_learns_of_homes_by_village_only(session: Session):
    for feature in _export(session, Audience.PUBLIC)["features"]:
        assert feature["properties"]["description"] is None
        if feature["properties"]["category"] == "mudbrick_house":
            assert feature["geometry"] is None
            assert feature["properties"]["village"]
    office = [
        f for f in _export(session, Audience.OFFICE)["features"] if f["properties"]["category"] == "mudbrick_house"
    ]
    assert all(feature["geometry"] for feature in office)


PHONES = (
    "13812345678", "138 1234 5678", "138-1234-5678", "+8613812345678", "+86 138 1234 5678", "008613812345678",
    "0759-7761234", "(0759)7761234", "（0759）7761234", "07597761234", "010-12345678", "１３８１２３４５６７８",
    "400-800-1234",
)  # fmt: skip


@pytest.mark.parametrize("phone", PHONES)
@pytest.mark.parametrize("around", ["电话{}", "\n{}", "联系 {}，急", "{}", "请打{}或{}", '"{}"', "\\{}"])
def test_a_phone_number_in_free_text_is_masked_however_it_is_written(phone: str, around: str):
    features = [orjson.dumps({"description": around.replace("{}", phone)}).decode()]
    chunk = b"".join(geojson([features], audience=Audience.OFFICE)).decode()
    description = orjson.loads(chunk)["features"][0]["description"]
    assert description == around.replace("{}", "***")


@pytest.mark.parametrize(
    "text",
    [
        "019c0000-0000-7000-8000-000000000012",
        "449923101200",
        "440823100001001",
        "2026-00012",
        "[111.1381234,20.13812345]",
        '"quantity_found":13812345.0',
        "2026-03-20",
        "长 1380 米，宽 3812 米",
        "第13812345678901号",
    ],
)
def test_what_isnt_a_phone_number_stays(text: str):
    assert without_phones(text) == text


@given(st.uuids(), st.floats(70, 135), st.floats(0, 55))
def test_ids_and_coordinates_are_never_masked(issue_id: object, lon: float, lat: float):
    text = f'{{"id":"{issue_id}","geometry":{{"type":"Point","coordinates":[{lon:.7f},{lat:.7f}]}}}}'
    assert without_phones(text) == text


@pytest.mark.parametrize("datum", ["gcj02", "bd09", "cgcs2000"])
def test_another_datum_is_told_in_the_file_and_read_back_as_what_it_is(
    session: Session, empty_session_at: Session, tmp_path: Path, datum: str
):
    path = named_for(tmp_path / "out.geojson", datum)
    write_whole(path, export_geojson(session, IssueFilter(), datum=datum))
    collection = orjson.loads(path.read_bytes())
    assert collection["datum"] == datum
    truth = {f["id"]: f["geometry"] for f in _export(session)["features"]}
    for feature in collection["features"]:
        if truth[feature["id"]]:
            shifted = [float(axis) for axis in from_wgs84(*truth[feature["id"]]["coordinates"], datum)]
            assert feature["geometry"]["coordinates"] == pytest.approx(shifted, abs=1e-7)
        else:
            assert feature["geometry"] is None
    report = import_issues(empty_session_at, path, ImportOptions(), apply=True)
    assert (report.stored, report.rejected) == (60, 0)
    back = {f["id"]: f["geometry"] for f in _export(empty_session_at)["features"]}
    for issue_id, geometry in truth.items():
        if geometry:
            assert back[issue_id]["coordinates"] == pytest.approx(geometry["coordinates"], abs=2e-7)


@pytest.fixture
def empty_session_at(tmp_path: Path) -> object:
    """A second, empty county."""
    from villagemap.auth import OWNER
    from villagemap.flows.workspace import init_workspace, open_workspace
    from villagemap.settings import Settings

    init_workspace(tmp_path / "other", Settings(county="other", name="另县"))
    workspace = open_workspace(tmp_path / "other")
    yield Session(workspace, OWNER)
    workspace.close()


def test_a_shifted_datum_shows_in_the_name_and_no_other_does():
    assert named_for(Path("a.geojson"), "wgs84") == Path("a.geojson")
    assert named_for(Path("a.json"), "wgs84") == Path("a.json")
    assert named_for(Path("d/a.geojson"), "gcj02") == Path("d/a.gcj02.geojson")
    assert named_for(Path("a.GCJ02.geojson"), "gcj02") == Path("a.GCJ02.geojson")
    assert named_for(Path("a.geojson"), "bd09") == Path("a.bd09.geojson")


@pytest.mark.parametrize(
    ("name", "datum", "code"),
    [
        ("a.csv", "wgs84", "export_suffix"),
        ("geojson", "wgs84", "export_suffix"),
        ("a.gcj02.geojson", "wgs84", "export_name_datum"),
        ("a.gcj02.geojson", "bd09", "export_name_datum"),
        ("a.geojson", "cgcs2000_gk", "export_datum"),
        ("a.geojson", "cgcs2000_gk:111", "export_datum"),
    ],
)
def test_a_name_that_would_be_read_back_wrongly_is_refused(name: str, datum: str, code: str):
    with pytest.raises(WrongUseError) as fault:
        named_for(Path(name), datum)
    assert fault.value.code == code


def test_lines_and_areas_are_shifted_too(session: Session):
    store = session.workspace.store
    issue = store.issue("2026-00003")
    assert issue is not None
    line = "LINESTRING (111.31 20.61, 111.32 20.62)"
    from dataclasses import replace

    with store.writing() as writer:
        writer.record(
            [Change(kind="edit", issue=replace(issue, geometry=line), at=store.last_event_at(), actor="owner")]
        )
    (shape,) = (f["geometry"] for f in _export(session, datum="gcj02")["features"] if f["id"] == issue.id)
    assert shape["type"] == "LineString"
    shift = shapely.distance(shapely.from_wkt(line), shapely.from_geojson(orjson.dumps(shape)))
    assert 0.001 < shift < 0.01


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "out.geojson"
    path.write_text("before")

    def breaking() -> object:
        yield b"half"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_whole(path, breaking())
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["out.geojson"]
    write_whole(path, [b"a", b"b"])
    assert path.read_text() == "ab"
    with pytest.raises(WrongUseError, match="folder"):
        write_whole(tmp_path, [b"a"])
    with pytest.raises(WrongUseError, match="missing"):
        write_whole(tmp_path / "missing" / "out.geojson", [b"a"])


def test_looking_at_everything_is_noted(session: Session):
    import sqlite3

    _export(session)
    _export(session, Audience.PUBLIC)
    with sqlite3.connect(session.workspace.folder / "accounts.sqlite") as accounts:
        noted = accounts.execute("SELECT flow FROM access_log").fetchall()
    accounts.close()
    assert noted == [("issues.export",)]


def test_memory_holds_a_block_and_not_the_file():
    block = ['{"type":"Feature"}'] * 2000
    written = io.BytesIO()
    for chunk in geojson((block for _ in range(200)), audience=Audience.OWNER):
        assert len(chunk) < 100_000
        written.write(chunk)
    assert len(orjson.loads(written.getvalue())["features"]) == 400_000
