"""The fictional county: whole, connected, of the right shape, and nobody's real home."""

import csv
import itertools
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

GEODATA = Path(__file__).parents[1] / "geodata"
REAL = Path(__file__).parents[2] / "shared" / "data" / "suixi"
KM2_PER_SQUARE_DEGREE = 104.101 * 110.690


def read(name):
    features = json.loads((GEODATA / f"{name}.geojson").read_text(encoding="utf-8"))["features"]
    return [(f["properties"], shape(f["geometry"])) for f in features]


@pytest.fixture(scope="module")
def places():
    return {name: read(name) for name in ("county", "towns", "villages", "hamlets")}


def test_counts_and_size_are_those_of_a_county(places):
    assert (len(places["county"]), len(places["towns"]), len(places["villages"])) == (1, 15, 350)
    assert 1300 <= len(places["hamlets"]) <= 1500
    assert 1200 < places["county"][0][1].area * KM2_PER_SQUARE_DEGREE < 2400
    assert sum(path.stat().st_size for path in GEODATA.glob("*.*json")) < 1_600_000


def test_everything_lies_in_the_open_sea_of_the_sample(places):
    for features in [*places.values(), read("roads"), read("water")]:
        west, south, east, north = shapely.total_bounds([g for _, g in features])
        assert west >= 111.0
        assert south >= 20.5
        assert east <= 111.6
        assert north <= 21.0


def test_coordinates_have_at_most_six_decimals():
    for path in GEODATA.glob("*.geojson"):
        assert not re.search(r"\d\.\d{7,}", path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize(("parts", "whole"), [("towns", "county"), ("villages", "towns")])
def test_areas_tile_their_parent_without_gap_or_overlap(places, parts, whole):
    children = defaultdict(list)
    for properties, geometry in places[parts]:
        assert geometry.is_valid
        children[properties["parent_code"]].append(geometry)
    assert set(children) == {p["code"] for p, _ in places[whole]}
    for properties, geometry in places[whole]:
        own = children[properties["code"]]
        assert shapely.coverage_is_valid(own)
        assert sum(g.area for g in own) == pytest.approx(geometry.area, rel=1e-9)
        assert shapely.union_all(own).symmetric_difference(geometry).area < 1e-12
    assert shapely.coverage_is_valid([g for _, g in places[parts]])


def test_hamlets_and_seats_lie_inside_their_village(places):
    area = {p["code"]: g for p, g in places["villages"]}
    counts = Counter(p["parent_code"] for p, _ in places["hamlets"])
    assert set(counts) == set(area)
    assert min(counts.values()) >= 2
    assert max(counts.values()) <= 7
    for properties, point in places["hamlets"]:
        assert area[properties["parent_code"]].contains(point), properties["name"]
    for properties, geometry in [*places["villages"], *places["towns"]]:
        assert geometry.contains(shapely.Point(properties["seat_lon"], properties["seat_lat"])), properties["name"]


def test_codes_have_the_official_shape(places):
    assert places["county"][0][0]["code"] == "449923"
    for properties, _ in places["towns"]:
        street = properties["name"].endswith("街道")
        assert re.fullmatch("4499230\\d\\d" if street else "4499231\\d\\d", properties["code"])
        assert street or properties["name"].endswith("镇")
    for properties, _ in places["villages"]:
        community = properties["name"].endswith("社区居民委员会")
        assert re.fullmatch(r"449923\d{3}(0\d\d)" if community else r"449923\d{3}(2\d\d)", properties["code"])
        assert community or properties["name"].endswith("村委会")
    for level in ("towns", "villages", "hamlets"):
        codes = [p["code"] for p, _ in places[level]]
        assert len(set(codes)) == len(codes)
        assert codes == sorted(codes)
        assert all(p["code"].startswith(p["parent_code"]) for p, _ in places[level])
    assert {len(p["code"]) for p, _ in places["hamlets"]} == {15}


def test_short_names_repeat_as_in_a_real_county(places):
    towns, kinds = defaultdict(set), Counter()
    for properties, _ in places["villages"]:
        towns[properties["short_name"]].add(properties["parent_code"])
        kinds[properties["short_name"], properties["parent_code"]] += 1
    assert sum(len(codes) > 1 for codes in towns.values()) == 11
    assert sum(count > 1 for count in kinds.values()) == 5
    names = [(p["parent_code"], p["name"]) for p, _ in places["villages"]]
    assert len(set(names)) == len(names)


def test_towns_differ_and_households_add_up(places):
    villages = Counter(p["parent_code"] for p, _ in places["villages"])
    assert min(villages.values()) == 12
    assert max(villages.values()) == 36
    for parent, child in (("county", "towns"), ("towns", "villages"), ("villages", "hamlets")):
        sums = Counter()
        for properties, _ in places[child]:
            sums[properties.get("parent_code")] += properties["households"]
        assert {p["code"]: p["households"] for p, _ in places[parent]} == dict(sums)


def test_roads_are_one_network_that_reaches_every_hamlet(places):
    lines = [(p["class"], [tuple(c) for c in g.coords]) for p, g in read("roads")]
    assert {kind for kind, _ in lines} == {"国道", "省道", "县道", "乡道", "村道"}
    parent = {}

    def root(node):
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for _, points in lines:
        for one, two in itertools.pairwise(points):
            parent[root(one)] = root(two)
    assert len({root(node) for node in list(parent)}) == 1
    hamlets = {point.coords[0] for _, point in places["hamlets"]}
    seats = {(p["seat_lon"], p["seat_lat"]) for p, _ in places["villages"]}
    assert hamlets <= set(parent)
    assert seats <= set(parent)


def test_crossing_roads_share_a_junction():
    shapes = [g for _, g in read("roads")]
    pairs = shapely.STRtree(shapes).query(shapes, predicate="crosses").T
    loose = 0
    for one, two in pairs[pairs[:, 0] < pairs[:, 1]]:
        shared = set(shapes[one].coords) & set(shapes[two].coords)
        crossings = shapely.get_parts(shapes[one].intersection(shapes[two]))
        loose += sum(min((c.distance(shapely.Point(s)) for s in shared), default=1) > 2e-4 for c in crossings)
    assert loose == 0


def test_the_sea_meets_the_coast_and_leaves_the_land_dry(places):
    county = places["county"][0][1]
    sea = next(g for p, g in read("water") if p["class"] == "sea")
    assert sea.intersection(county).area < 1e-12
    assert sea.boundary.intersection(county.boundary).length > 0.5


def test_the_script_writes_the_committed_files_again(tmp_path):
    made_with = json.loads((GEODATA / "made_with.json").read_text(encoding="utf-8"))
    here = {"numpy": np.__version__, "shapely": shapely.__version__, "geos": shapely.geos_version_string}
    if here != {name: made_with[name] for name in here}:
        pytest.skip(f"the files were made with {made_with}, here is {here}")
    command = [sys.executable, str(GEODATA / "make_county.py"), str(tmp_path)]
    subprocess.run(command, check=True, timeout=300)
    for path in sorted(tmp_path.iterdir()):
        assert path.read_bytes() == (GEODATA / path.name).read_bytes(), path.name


@pytest.mark.real
def test_no_name_is_a_real_one_of_the_neighbourhood(places):
    if not REAL.is_dir():
        pytest.skip(f"no real county's names at {REAL}")
    real = set()
    for name, columns in (
        ("suixi_villages.csv", ("name", "short_name", "town", "town_2023")),
        ("suixi_names_by_year.csv", ("town", "village_name")),
        ("suixi_town_seats.csv", ("name",)),
    ):
        with (REAL / name).open(encoding="utf-8-sig") as file:
            real |= {row[column] for row in csv.DictReader(file) for column in columns}
    counties = json.loads((REAL / "zhanjiang_counties_amap_wgs84.geojson").read_text(encoding="utf-8"))
    real |= {f["properties"]["name"] for f in counties["features"]}
    ours = {p[key] for features in places.values() for p, _ in features for key in ("name", "short_name")}
    assert not ours & real
