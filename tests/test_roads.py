"""Roads of files: read in the sandbox, kept, looked over, measured on; hostile ones are refused with a sentence."""

import json
import math
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import osmium
import pytest
import shapely
from osmium.osm import mutable
from scipy.stats import spearmanr

from test_cli import run
from villagemap.errors import BadInputError, TooLargeError, VillagemapError, WorkspaceError
from villagemap.flows.registry import Session
from villagemap.flows.routes.road_views import calibrate_line, road_report
from villagemap.flows.routes.roads import import_roads, leg_paths, roads_of, site_findings, travel_matrix
from villagemap.flows.upkeep.backups import back_up
from villagemap.flows.upkeep.restoring import restore
from villagemap.flows.workspace import open_workspace
from villagemap.plans import NEVER, MatrixKind, Site
from villagemap.readers.contract import Limits
from villagemap.readers.osm_tags import drivable
from villagemap.readers.osmpbf import WAY_TAGS
from villagemap.readers.roads import ROAD_LIMITS, read_roads
from villagemap.texts import LANGS
from villagemap.travel.graph import graph_by_refs
from villagemap.travel.noding import graph_by_drawing
from villagemap.travel.roads import Roads
from villagemap.travel.rules import load_rules
from villagemap.travel.surveying import parts_of

REAL = Path(__file__).parents[2] / "shared" / "data" / "roads"
RULES = load_rules()
SEATS = {"west": (111.15, 20.65), "middle": (111.25, 20.65), "east": (111.35, 20.65)}


def bureau(folder: Path, name: str = "roads.geojson") -> Path:
    """A county road through the seats of the tiny county's southern villages, and a village road to the north."""
    roads = [
        ("县道", "否", [SEATS["west"], SEATS["middle"]]),
        ("县道", "", [(SEATS["middle"][0] + 1e-5, SEATS["middle"][1]), SEATS["east"]]),
        ("村道", "", [SEATS["west"], (111.15, 20.75)]),
        ("索道", "是", [(111.25, 20.75), (111.25, 20.85)]),
    ]
    features = [
        {
            "type": "Feature",
            "properties": {"道路等级": kind, "单向": one_way},
            "geometry": {"type": "LineString", "coordinates": points},
        }
        for kind, one_way, points in roads
    ]
    path = folder / name
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def seat(name: str) -> Site:
    lon, lat = SEATS[name]
    return Site(id=name, name=name, lon=lon, lat=lat)


# A bureau's lines


def test_roads_are_imported_measured_and_drawn(session: Session, tmp_path: Path):
    done = import_roads(session, bureau(tmp_path))
    assert (done.rows, done.used, done.known) == (4, 4, False)
    assert done.columns == {"class": "道路等级", "oneway": "单向"}
    assert done.unknown == {"索道": 1}
    assert [finding.code for finding in done.findings] == ["road_class_unknown"]
    sites = [seat("west"), seat("east")]
    matrix = travel_matrix(session, sites)
    assert matrix.kind is MatrixKind.ROADS
    assert not matrix.estimated
    assert matrix.duration_s[0, 1] == pytest.approx(matrix.distance_m[0, 1] * 3.6 / 50, abs=2)
    assert matrix.about["file"] == "roads.geojson"
    assert leg_paths(session, [(sites[0], sites[1])])[0][0] == SEATS["west"]
    assert len(leg_paths(session, [(sites[0], sites[1])])[0]) == 3
    assert import_roads(session, bureau(tmp_path)).known


def test_without_roads_travel_is_estimated_and_paths_are_straight(session: Session):
    sites = [seat("west"), seat("east")]
    assert travel_matrix(session, sites).estimated
    assert leg_paths(session, [(sites[0], sites[1])]) == [[SEATS["west"], SEATS["east"]]]
    assert site_findings(session, [*sites, Site(id="x", name="")])[0].code == "no_position"
    report = road_report(session)
    assert (report.file, report.villages, report.detour, report.speed_km_h) == ("", 9, 1.3, 38.0)


def test_the_report_names_villages_that_cannot_be_reached(session: Session, tmp_path: Path):
    import_roads(session, bureau(tmp_path))
    report = road_report(session)
    assert report.parts_in_all == 2
    assert [line.villages for line in report.parts] == [4, 2]
    codes = [(report.names[finding.site], finding.code) for finding in report.findings]
    assert ("乙镇 中村村委会", "cut_off") in codes
    assert ("丙镇 西村村委会", "outside") in codes
    assert set(report.classes) == {"county", "village", "other"}


def test_a_changed_speed_holds_at_once(session: Session, tmp_path: Path):
    import_roads(session, bureau(tmp_path))
    sites = [seat("west"), seat("east")]
    before = travel_matrix(session, sites)
    (session.workspace.folder / "roads.toml").write_text("[classes.county]\nspeed_km_h = 25\n", encoding="utf-8")
    after = travel_matrix(session, sites)
    assert after.duration_s[0, 1] == pytest.approx(2 * before.duration_s[0, 1], abs=2)
    assert after.digest != before.digest


def test_roads_survive_a_backup_and_lost_or_damaged_ones_are_told(session: Session, tmp_path: Path):
    import_roads(session, bureau(tmp_path))
    back_up(session, tmp_path / "backup.zip")
    restore(tmp_path / "backup.zip", tmp_path / "again")
    again = open_workspace(tmp_path / "again")
    try:
        other = Session(again, session.actor)
        assert roads_of(other) is not None
        again.roads = None
        path = next((tmp_path / "again" / "roads").glob("*.npz"))
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(WorkspaceError) as caught:
            travel_matrix(other, [seat("west"), seat("east")])
        assert caught.value.code == "roads_damaged"
        path.unlink()
        with pytest.raises(WorkspaceError) as caught:
            leg_paths(other, [(seat("west"), seat("east"))])
        assert caught.value.code == "roads_missing"
    finally:
        again.close()


@pytest.mark.parametrize("suffix", [".gpkg", ".shp.zip"])
def test_a_geopackage_and_a_zipped_shapefile_in_a_chinese_projection(tmp_path: Path, suffix: str):
    table = gpd.read_file(bureau(tmp_path)).set_crs(4490, allow_override=True).to_crs(4546)
    path = tmp_path / f"roads{suffix}"
    if suffix == ".gpkg":
        table.to_file(path)
    else:
        table.to_file(tmp_path / "roads.shp", encoding="gb18030")
        with zipfile.ZipFile(path, "w") as packed:
            for part in tmp_path.glob("roads.*"):
                if part.suffix in {".shp", ".shx", ".dbf", ".prj", ".cpg"}:
                    packed.write(part, part.name)
    read = read_roads(path, RULES)
    assert read.used == 4
    assert read.lines.lon[0] == pytest.approx(SEATS["west"][0], abs=1e-6)
    assert read.lines.kinds == ("county", "village", "other")
    assert read.lines.backward.tolist() == [True, True, True, False]


def test_rows_without_lines_are_told_and_a_file_without_roads_is_refused(session: Session, tmp_path: Path):
    points = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [111.2, 20.7]}}
    path = tmp_path / "points.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [points]}), encoding="utf-8")
    with pytest.raises(BadInputError) as caught:
        import_roads(session, path)
    assert caught.value.code == "roads_none"
    assert road_report(session).file == ""


def test_roads_elsewhere_are_refused_unless_they_are_meant(session: Session, tmp_path: Path):
    table = gpd.read_file(bureau(tmp_path))
    table.geometry = shapely.transform(table.geometry.to_numpy(), lambda at: at + 5)
    table.to_file(tmp_path / "far.geojson")
    with pytest.raises(BadInputError) as caught:
        import_roads(session, tmp_path / "far.geojson")
    assert caught.value.code == "roads_elsewhere"
    assert import_roads(session, tmp_path / "far.geojson", everywhere=True).used == 4


def test_kept_tracks_calibrate_the_straight_line(session: Session, tmp_path: Path):
    assert not calibrate_line(session).calibration.enough
    lines, clock = ["lon,lat,time"], 0
    for leg in range(8):
        for n in range(100):  # 10 s each at some 14 m/s, then five minutes standing
            lines.append(f"{111.2 + 0.0013 * (n if leg % 2 else 99 - n):.6f},20.7,{1_773_100_000 + clock}")
            clock += 10
        clock += 400
    path = tmp_path / "track.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    done = calibrate_line(session, [path], keep=True)
    assert done.calibration.enough
    assert done.kept
    matrix = travel_matrix(session, [seat("west"), seat("east")])
    assert matrix.about["detour"] == pytest.approx(1.0, abs=0.01)
    assert matrix.about["speed_km_h"] == pytest.approx(48.7, abs=1)


def test_the_command_line_imports_and_reports(session: Session, tmp_path: Path):
    folder = ("--dir", str(session.workspace.folder))
    done = run("roads", "import", str(bureau(tmp_path)), *folder, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["unknown"] == {"索道": 1}
    told = json.loads(run("roads", "report", *folder, "--json").out)
    assert told["parts_in_all"] == 2
    assert told["findings"][0]["sentence"]
    for lang in LANGS:
        assert "roads.geojson" in run("roads", "report", *folder, lang=lang).out
    assert run("roads", "calibrate", *folder).code == 0
    found = json.loads(run("roads", "find", "111.2", "20.6501", *folder, "--json").out)
    assert (found["kind"], found["off_m"]) == ("county", 11)
    assert found["id"] in run("roads", "find", "111.2", "20.6501", *folder).out
    assert run("roads", "find", "112.5", "20.65", *folder).code == 2
    assert run("roads", "import", "none.osm.pbf", *folder).code == 2


# OSM


def tags(**said: str) -> dict[str, str]:
    return dict.fromkeys(WAY_TAGS, "") | said


@pytest.mark.parametrize(
    ("said", "forward", "backward"),
    [
        ({}, True, True),
        ({"motor_vehicle": "no", "motorcar": "yes"}, True, True),
        ({"access": "no", "vehicle": "yes"}, True, True),
        ({"oneway": "yes"}, True, False),
        ({"oneway": "-1"}, False, True),
        ({"junction": "roundabout"}, True, False),
        ({"junction": "roundabout", "oneway": "-1"}, False, True),
        ({"oneway": "no"}, True, True),
    ],
)
def test_the_most_specific_tag_decides_and_one_ways_are_kept(said: dict[str, str], forward: bool, backward: bool):
    way = drivable(tags(highway="residential", **said), RULES)
    assert way is not None
    assert (way.forward, way.backward) == (forward, backward)


@pytest.mark.parametrize(
    "said",
    [
        {"highway": "footway"}, {"highway": "residential", "access": "private"}, {"highway": "construction"},
        {"highway": "track", "motor_vehicle": "no"}, {"highway": "service", "motorcar": "no", "access": "yes"},
        {"highway": "service", "area": "yes"}, {"route": "ferry"}, {"highway": "<script>"},
    ],
)  # fmt: skip
def test_what_is_no_road_for_cars(said: dict[str, str]):
    assert drivable(tags(**said), RULES) is None


def test_limits_are_read_and_nonsense_is_not():
    speeds = [
        drivable(tags(highway="primary", maxspeed=said), RULES) for said in ("50", "30 mph", "90;30", "nan", "-5")
    ]
    limits = [way.limit_km_h for way in speeds if way]
    assert limits[:2] == [50, pytest.approx(48.3, abs=0.1)]
    assert all(math.isnan(limit) for limit in limits[2:])


def extract(path: Path) -> Path:
    """Three ways: a street that bends, another that meets it at a node, a third behind a bollard."""
    with osmium.SimpleWriter(str(path)) as out:
        for n in range(6):
            what = {"barrier": "bollard"} if n == 4 else {}
            out.add_node(mutable.Node(id=n + 1, location=(9.5 + 0.01 * n, 47.1 + 0.001 * (n % 2)), tags=what))
        out.add_way(mutable.Way(id=7, nodes=[1, 2, 3], tags={"highway": "primary", "name": "<b>x</b>"}))
        out.add_way(
            mutable.Way(id=8, nodes=[3, 4], tags={"highway": "track", "motor_vehicle": "no", "motorcar": "yes"})
        )
        out.add_way(mutable.Way(id=9, nodes=[4, 5, 6], tags={"highway": "residential"}))
        out.add_way(mutable.Way(id=10, nodes=[1, 6], tags={"highway": "footway"}))
        out.add_way(mutable.Way(id=11, nodes=[3, 99, 4], tags={"highway": "residential"}))
    return path


def test_an_extract_is_read_by_its_nodes(tmp_path: Path):
    read = read_roads(extract(tmp_path / "x.osm.pbf"), RULES)
    assert (read.kind, read.rows, read.used) == ("osmpbf", 4, 3)
    assert read.lines.barred.tolist() == [5]
    graph = graph_by_refs(read.lines)
    assert sorted(graph.number.tolist()) == [7, 8, 9, 9]
    assert len(parts_of(graph)) == 2


def block(kind: bytes, blob: bytes) -> bytes:
    head = b"\x0a" + bytes([len(kind)]) + kind + b"\x18" + varint(len(blob))
    return struct.pack(">I", len(head)) + head + blob


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def blob(raw: bytes, claimed: int | None = None) -> bytes:
    packed = zlib.compress(raw)
    return b"\x10" + varint(len(raw) if claimed is None else claimed) + b"\x1a" + varint(len(packed)) + packed


HEADER = block(b"OSMHeader", blob(b"\x22\x0eOsmSchema-V0.6\x22\x0aDenseNodes"))
HOSTILE = {
    "empty_header": HEADER[:40],
    "nothing_else": HEADER,
    "garbage": HEADER + b"\xff" * 5000,
    "bomb": HEADER + block(b"OSMData", blob(b"\0" * 300_000_000)),
    "liar": HEADER + block(b"OSMData", blob(b"\0" * 5000, claimed=2**31)),
    "huge_block": HEADER + struct.pack(">I", 0x7FFFFFFF),
    "broken_zlib": HEADER + block(b"OSMData", b"\x10\x64\x1a\x05xxxxx"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_extract_ends_in_a_sentence(tmp_path: Path, name: str):
    path = tmp_path / "x.osm.pbf"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(BadInputError) as caught:
        read_roads(path, RULES)
    assert caught.value.code in {"osm_broken", "roads_none", "parser_memory", "parser_died"}
    assert "x.osm.pbf" in caught.value.sentence("zh")


def test_a_cut_off_extract_and_one_by_name_only_are_refused(tmp_path: Path):
    whole = extract(tmp_path / "x.osm.pbf").read_bytes()
    for raw in (whole[:-10], b"{}", zlib.compress(whole)):
        (tmp_path / "y.osm.pbf").write_bytes(raw)
        with pytest.raises(VillagemapError):
            read_roads(tmp_path / "y.osm.pbf", RULES)


def test_more_than_is_allowed_is_refused(tmp_path: Path):
    path = extract(tmp_path / "x.osm.pbf")
    few: Limits = replace(ROAD_LIMITS, rows=2)
    with pytest.raises(TooLargeError):
        read_roads(path, RULES, limits=few)
    with pytest.raises(TooLargeError):
        read_roads(path, RULES, limits=replace(ROAD_LIMITS, file_bytes=100))


# Real extracts

real = [
    pytest.mark.real,
    pytest.mark.skipif(not REAL.exists(), reason=f"NO REAL DATA: {REAL} is absent"),
]


@pytest.fixture(scope="module")
def liechtenstein() -> Roads:
    return Roads(graph_by_refs(read_roads(REAL / "liechtenstein.osm.pbf", RULES).lines), RULES)


class TestReal:
    pytestmark = real

    def test_a_way_for_cars_although_not_for_motor_vehicles_is_there(self, liechtenstein: Roads):
        assert 239794985 in liechtenstein.graph.number

    def test_our_times_are_like_valhallas(self, liechtenstein: Roads):
        theirs = json.loads((REAL / "liechtenstein_valhalla_times_300.json").read_text(encoding="utf-8"))
        points = theirs["points_lon_lat"]
        matrix = liechtenstein.matrix([Site(id=str(n), name="", lon=x, lat=y) for n, (x, y) in enumerate(points)])
        seconds = np.array([[math.nan if s is None else s for s in row] for row in theirs["durations_s"]])
        both = (seconds > 0) & (matrix.duration_s < NEVER)
        ratio = matrix.duration_s[both] / seconds[both]
        assert both.sum() > 0.99 * len(points) * (len(points) - 1) - 600
        assert 0.9 <= float(np.median(ratio)) <= 1.15
        assert spearmanr(matrix.duration_s[both], seconds[both])[0] >= 0.97

    @pytest.mark.parametrize("name", ["liechtenstein", "andorra"])
    def test_lines_drawn_badly_are_joined_again(self, name: str):
        lines = read_roads(REAL / f"{name}.osm.pbf", RULES).lines
        truth = parts_of(graph_by_refs(replace(lines, barred=None)))[0].share
        off = np.random.default_rng(3).normal(0, 0.8, (2, len(lines.lon))) / 111_000
        lon = lines.lon + off[0] / np.cos(np.radians(lines.lat))
        drawn = replace(lines, lon=lon, lat=lines.lat + off[1], ref=None, barred=None)
        assert parts_of(graph_by_drawing(drawn))[0].share >= 0.97 * truth
