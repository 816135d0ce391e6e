"""Real registers and reports, taken in by the command line as a user would; what each must yield is written here."""

import csv
import json
import re
import sqlite3
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from test_cli import run
from villagemap.flows.workspace import open_workspace
from villagemap.model import Level, Place
from villagemap.places import Gazetteer

DATA = Path(__file__).parents[2] / "shared" / "data"
SUIXI = DATA / "suixi" / "suixi_villages.csv"
TOWNS = DATA / "suixi" / "suixi_towns.geojson"
SAN_JOSE = DATA / "issues" / "sanjose_illegal_dumping_2000.csv"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"REAL DATA IS MISSING: no folder {DATA.name} beside the project"),
]

REPEATED = ("湛川", "冷水", "车路头", "外坡", "松树", "城月", "新城", "罗屋", "白水塘", "新屋", "泉水")

OF_2016 = """
[columns]
code_2016 = "code"
town_code = "parent_code"
code = "-"
town = "-"
town_code_2023 = "-"
town_2023 = "-"
kind = "-"
ur_code_2016 = "-"
coord_source = "-"
in_town_polygon = "-"
[values]
level = "village"
"""
OF_2023 = """
[columns]
code_2016 = "former_codes"
town_code_2023 = "parent_code"
town_2023 = "-"
town = "-"
town_code = "-"
kind = "-"
ur_code_2016 = "-"
coord_source = "-"
in_town_polygon = "-"
"""
TOWNS_2023 = "代码,名称,曾用代码\n440823001,遂城街道,440823100\n440823115,附城镇,440823100\n"


def _rows() -> list[dict[str, str]]:
    with SUIXI.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _places(county: Path, level: Level) -> list[Place]:
    workspace = open_workspace(county)
    try:
        return workspace.store.places(level)
    finally:
        workspace.close()


def _import(county: Path, *words: str) -> dict[str, object]:
    done = run("places", "import", *words, "--dir", str(county), "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.fixture(scope="module")
def suixi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 15 towns and 353 villages as they were coded in 2016."""
    county = tmp_path_factory.mktemp("suixi") / "county"
    assert run("init", str(county), "--name", "遂溪县", "--code", "440823").code == 0
    towns = _import(county, str(TOWNS))
    assert {n: towns[n] for n in ("read", "stored", "rejected", "levels")} == {
        "read": 15, "stored": 15, "rejected": 0, "levels": {"town": 15}
    }  # fmt: skip
    mapping = county.parent / "2016.toml"
    mapping.write_text(OF_2016, encoding="utf-8")
    villages = _import(county, str(SUIXI), "--mapping", str(mapping))
    assert {n: villages[n] for n in ("read", "stored", "unchanged", "rejected", "levels")} == {
        "read": 353, "stored": 353, "unchanged": 0, "rejected": 0, "levels": {"village": 353}
    }  # fmt: skip
    # two villages of 遂城镇 were geocoded to one spot: the first of them has the ground
    assert villages["approximate"] == 352
    again = _import(county, str(SUIXI), "--mapping", str(mapping))
    assert (again["stored"], again["unchanged"]) == (0, 353)
    return county


def test_the_registry_is_whole(suixi: Path):
    towns, villages = _places(suixi, Level.TOWN), _places(suixi, Level.VILLAGE)
    assert len(towns) + len(villages) == 368
    assert sum(village.code != "" for village in villages) == 353 - 82  # 82 had no code in 2016
    by_id = {town.place_id: town for town in towns}
    real = {(row["name"], row["town_code"]): row for row in _rows()}
    for village in villages:
        row = real[village.name, by_id[village.parent_id or ""].code]
        assert (village.code, village.short_name) == (row["code_2016"], row["short_name"])
        assert village.seat == pytest.approx((float(row["lon"]), float(row["lat"])), abs=1e-7)
    assert not any(town.approximate for town in towns)


@pytest.mark.parametrize("word", REPEATED)
def test_a_repeating_name_comes_back_as_candidates_and_is_found_with_its_town(suixi: Path, tmp_path: Path, word: str):
    rows = [row for row in _rows() if row["short_name"] == word]
    done = run("export", str(tmp_path / "out.geojson"), "--village", word, "--dir", str(suixi))
    assert done.code == 2
    assert all(f"{row['town']} {row['name']}" in done.err for row in rows)
    assert not (tmp_path / "out.geojson").exists()
    gazetteer = Gazetteer([*_places(suixi, Level.TOWN), *_places(suixi, Level.VILLAGE)])
    towns = Counter(row["town"] for row in rows)
    for row in rows:
        town = gazetteer.find(row["town"], Level.TOWN)
        assert gazetteer.find(row["name"], Level.VILLAGE, town).code == row["code_2016"]
        # 城月 has a villagers' and a residents' committee in one town: there the full name is needed
        assert len(gazetteer.candidates(word, Level.VILLAGE, town)) == towns[row["town"]]
    assert (max(towns.values()) > 1) == (word == "城月")


def test_with_the_town_a_repeating_name_is_enough(suixi: Path):
    assert run("export", "-", "--village", "湛川", "--town", "遂城镇", "--dir", str(suixi)).code == 0


def test_a_town_map_comes_out_captioned(suixi: Path, tmp_path: Path):
    page = tmp_path / "town.html"
    done = run("map", "遂城镇", "-o", str(page), "--dir", str(suixi), lang="zh")
    assert done.code == 0, done.err
    text = page.read_text(encoding="utf-8")
    assert "示意，非行政区域界线" in text
    block = re.search(r'id="villagemap-town">(.*?)</script>', text, re.DOTALL)
    assert block is not None
    town = json.loads(block[1])
    assert len(town["villages"]["features"]) == 47
    assert sum(village["properties"]["approximate"] for village in town["villages"]["features"]) == 46
    assert len(town["neighbours"]["features"]) == 14


def test_the_split_of_a_town_leaves_every_village_who_it_was(suixi: Path, tmp_path: Path):
    """遂城镇 (440823100) became 遂城街道 (440823001, 27 villages) and 附城镇 (440823115, 20) after 2021."""
    old_towns = {town.code: town for town in _places(suixi, Level.TOWN)}
    old = {(village.name, village.parent_id): village for village in _places(suixi, Level.VILLAGE)}
    towns = tmp_path / "towns_2023.csv"
    towns.write_text(TOWNS_2023, encoding="utf-8")
    assert _import(suixi, str(towns))["stored"] == 2
    new_towns = {town.code: town for town in _places(suixi, Level.TOWN)}
    assert len(new_towns) == 16
    assert new_towns["440823001"].place_id == old_towns["440823100"].place_id
    mapping = tmp_path / "2023.toml"
    mapping.write_text(OF_2023, encoding="utf-8")
    report = _import(suixi, str(SUIXI), "--mapping", str(mapping))
    assert (report["read"], report["rejected"]) == (353, 0)

    villages = {village.code: village for village in _places(suixi, Level.VILLAGE)}
    assert len(villages) == 353
    moved = 0
    for row in _rows():
        village = villages[row["code"]]
        before = old[row["name"], old_towns[row["town_code"]].place_id]
        assert village.place_id == before.place_id, row["name"]
        assert village.parent_id == new_towns[row["town_code_2023"]].place_id
        assert set(village.former_codes) == {row["code_2016"]} - {"", row["code"]}
        moved += village.parent_id != before.parent_id
    assert moved == 20  # those of 附城镇; 遂城街道 goes on as the same place
    assert sum(bool(village.former_codes) for village in villages.values()) == 50
    assert run("verify", "--dir", str(suixi)).code == 0

    # 440823107201 was the residents' committee's of 城月 until it became 440823107001; now the villagers' has it
    assert villages["440823107201"].name == "城月村民委员会"
    done = run("map", "440823100", "-o", str(tmp_path / "old.html"), "--dir", str(suixi))
    assert done.code == 2
    assert "遂城街道" in done.err
    assert "附城镇" in done.err
    for town in ("遂城街道", "附城镇"):
        page = tmp_path / f"{town}.html"
        assert run("map", town, "-o", str(page), "--dir", str(suixi), lang="zh").code == 0
        assert "示意，非行政区域界线" in page.read_text(encoding="utf-8")


# San José

MAPPING = """
[columns]
DATETIMERECEIVEDUTC = "found_on"
DATETIMECOMPLETEDUTC = "claimed_closed_on"
DATETIMERECEIVED = "-"
DATETIMECOMPLETED = "-"
INTID = "list_number"
WORKORDERREFNO = "-"
DETAILSUMMARY = "description"
SERVICECATEGORY = "-"
STATUS = "status"
NOTES = "-"
[values_map.status]
Assigned = "rectifying"
"""


@pytest.fixture(scope="module")
def san_jose(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object], list[str]]:
    """A county of one town, a box round the city, with the 2,000 reports in it; the report, and the command's words."""
    folder = tmp_path_factory.mktemp("sanjose")
    county, mapping, town = folder / "county", folder / "mapping.toml", folder / "town.geojson"
    assert run("init", str(county), "--name", "San José").code == 0
    ring = [[-122.05, 37.15], [-121.70, 37.15], [-121.70, 37.45], [-122.05, 37.45], [-122.05, 37.15]]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]},
               "properties": {"code": "840068001", "name": "San José"}}  # fmt: skip
    town.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
    assert _import(county, str(town))["levels"] == {"town": 1}
    mapping.write_text(MAPPING, encoding="utf-8")
    words = ["import", str(SAN_JOSE), "--mapping", str(mapping), "--category", "garbage_scattered",
             "--source", "public_report", "--dir", str(county), "--json"]  # fmt: skip
    before = _state(county)
    preview = run(*words)
    assert preview.code == 0, preview.err
    assert _state(county) == before
    done = run(*words, "--apply")
    assert done.code == 0, done.err
    (report,) = json.loads(done.out)
    (previewed,) = json.loads(preview.out)
    assert {**previewed, "operation": None, "findings": []} == {**report, "operation": None, "findings": []}
    return county, report, words


def _state(county: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(county / "villagemap.gpkg") as store:
        tables = ("events", "issues", "sightings", "operations")
        counted = [tuple(store.execute(f"SELECT count(*) FROM {table}").fetchone()) for table in tables]
    store.close()
    return counted


def _issues(county: Path) -> list[dict[str, object]]:
    done = run("export", "-", "--dir", str(county))
    assert done.code == 0
    return json.loads(done.out)["features"]


def test_every_report_is_stored(san_jose: tuple[Path, dict[str, object], list[str]]):
    county, report, _ = san_jose
    assert {name: report[name] for name in ("read", "stored", "known", "rejected")} == {
        "read": 2000, "stored": 2000, "known": 0, "rejected": 0
    }  # fmt: skip
    assert report["claimed"] == 1981
    assert report["unlocated"] == 0
    assert report["outside"] == 2000  # in the town, in no village, for none is known
    # 20 were closed before they were received, by minutes or hours: 7 of them on an earlier day in Asia/Shanghai
    assert report["codes"] == {"closed_before_found": 7, "claim_without_date": 74}
    features = _issues(county)
    statuses = Counter(feature["properties"]["status"] for feature in features)
    assert statuses == {"submitted": 1981, "rectifying": 19}
    assert {feature["properties"]["town"] for feature in features} == {"San José"}
    assert {feature["properties"]["village"] for feature in features} == {None}
    assert sum(feature["properties"]["claimed_closed_on"] is not None for feature in features) == 1907


def test_the_days_are_those_of_the_utc_columns_in_shanghai(san_jose: tuple[Path, dict[str, object], list[str]]):
    features = _issues(san_jose[0])
    assert features[0]["properties"]["found_on"] == "2020-05-29"  # 1590721500000 ms = 2020-05-29 03:05 UTC
    with SAN_JOSE.open(encoding="utf-8-sig", newline="") as file:
        received = [int(row["DATETIMERECEIVEDUTC"]) / 1000 for row in csv.DictReader(file)]
    eight_hours = 8 * 3600
    days = [datetime.fromtimestamp(instant + eight_hours, UTC).date().isoformat() for instant in received]
    assert [feature["properties"]["found_on"] for feature in features] == days


def test_one_point_is_not_one_report(san_jose: tuple[Path, dict[str, object], list[str]]):
    points = Counter(tuple(feature["geometry"]["coordinates"]) for feature in _issues(san_jose[0]))
    assert sum(count > 1 for count in points.values()) == 11
    assert sum(points.values()) == 2000


def test_the_same_file_again_stores_nothing(san_jose: tuple[Path, dict[str, object], list[str]]):
    county, _, words = san_jose
    before = _state(county)
    done = run(*words, "--apply")
    assert done.code == 0
    (report,) = json.loads(done.out)
    assert (report["stored"], report["known"], report["operation"]) == (0, 2000, None)
    assert _state(county) == before
    assert run("verify", "--dir", str(county)).code == 0


def test_its_map_comes_out(san_jose: tuple[Path, dict[str, object], list[str]], tmp_path: Path):
    page = tmp_path / "sj.html"
    done = run("map", "San José", "-o", str(page), "--dir", str(san_jose[0]))
    assert done.code == 0, done.err
    block = re.search(r'id="villagemap-town">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    assert len(json.loads(block[1])["cards"]) == 2000
