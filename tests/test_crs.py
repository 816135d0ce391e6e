import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap import crs
from villagemap.errors import BadInputError

VECTORS = Path(__file__).parents[2] / "shared" / "data" / "datum"
real = pytest.mark.real

chinese = st.tuples(st.floats(73.5, 135.0), st.floats(3.8, 53.6))
"""Points of China's land and sea."""


def metres(lon, lat, other_lon, other_lat):
    east = np.subtract(lon, other_lon) * 111_320 * np.cos(np.radians(lat))
    return np.max(np.hypot(east, np.subtract(lat, other_lat) * 111_320))


@given(chinese)
def test_gcj02_there_and_back_closes(point):
    assert metres(*point, *crs.gcj02_to_wgs84(*crs.wgs84_to_gcj02(*point))) < 0.001


@given(chinese)
def test_bd09_there_and_back_closes(point):
    assert metres(*point, *crs.bd09_to_gcj02(*crs.gcj02_to_bd09(*point))) < 0.001


@given(chinese, st.sampled_from(["wgs84", "cgcs2000", "gcj02", "bd09", "cgcs2000_gk"]))
def test_every_datum_there_and_back_closes(point, datum):
    assert metres(*point, *crs.to_wgs84(*crs.from_wgs84(*point, datum), datum)) < 0.01


@given(st.floats(110.0, 112.4), st.floats(18.0, 53.0))
def test_gauss_kruger_is_known_in_both_orders_with_and_without_zone(lon, lat):
    north, east = crs.from_wgs84(lon, lat, "cgcs2000_gk:111")
    bare, zone37, zone19 = "cgcs2000_gk:111", float(east) + 37e6, float(east) + 19e6
    for x, y, datum in [
        (north, east, bare),
        (east, north, bare),
        (north, zone37, "cgcs2000_gk"),
        (north, zone19, "cgcs2000_gk"),
        (zone37, north, "EPSG:4525"),
        (north, zone37, bare),
    ]:
        assert metres(lon, lat, *crs.to_wgs84(x, y, datum)) < 0.01


def test_metres_that_fit_no_zone_become_nan():
    x = [2_368_109.2, 2_368_109.2, 500.0, np.nan, np.inf, 2_368_109.2]
    y = [392_095.8, 99_392_095.8, 392_095.8, 37_392_095.8, 37_392_095.8, 37_392_095.8]
    assert np.isfinite(crs.to_wgs84(x, y, "cgcs2000_gk")[0]).tolist() == [False] * 5 + [True]
    assert np.isfinite(crs.to_wgs84(x, y, "cgcs2000_gk:114")[0]).tolist() == [True] + [False] * 5


def test_a_zone_that_contradicts_the_named_meridian_is_not_guessed():
    assert np.isnan(crs.to_wgs84(2_368_109.2, 38_392_095.8, "cgcs2000_gk:111")).all()


@given(st.floats(-180, 72), st.floats(-90, 90))
def test_outside_china_gcj02_is_wgs84(lon, lat):
    assert crs.wgs84_to_gcj02(lon, lat) == (lon, lat)
    assert crs.gcj02_to_wgs84(lon, lat) == (lon, lat)


def test_arrays_and_nan_pass_through():
    lon, lat = crs.to_wgs84(np.array([110.25, np.nan, -121.8]), np.array([21.38, 21.38, 37.3]), "gcj02")
    assert lon.shape == (3,)
    assert np.isnan(lon[1])
    assert (lon[2], lat[2]) == (-121.8, 37.3)
    assert 500 < metres(110.25, 21.38, lon[0], lat[0]) < 560


def test_check_lonlat():
    lon = [110.25, 21.38, np.nan, 200.0, 0.0, 37.3, -121.8, 40.0]
    lat = [21.38, 110.25, 21.38, 100.0, 0.0, -121.8, 37.3, 80.0]
    words = ["ok", "swapped", "nan", "range", "range", "swapped", "ok", "swapped"]
    codes = {"ok": crs.OK, "swapped": crs.LOOKS_SWAPPED, "nan": crs.NAN, "range": crs.OUT_OF_RANGE}
    assert crs.check_lonlat(np.array(lon), np.array(lat)).tolist() == [codes[w] for w in words]


@given(chinese)
def test_chinese_points_are_ok_and_the_same_turned_round_look_swapped(point):
    lon, lat = point
    assert crs.check_lonlat(lon, lat) == crs.OK
    assert crs.check_lonlat(lat, lon) == crs.LOOKS_SWAPPED


@pytest.mark.parametrize(
    ("datum", "words"),
    [
        ("wgs84", ["WGS84", "WGS 84", "wgs-84坐标系", "EPSG:4326", "GPS", "urn:ogc:def:crs:OGC:1.3:CRS84"]),
        (
            "cgcs2000",
            ["CGCS2000", "国家2000", "2000坐标系", "２０００坐标系", "EPSG:4490", "2000 国家大地坐标系"],
        ),
        ("gcj02", ["gcj02", "GCJ-02", "火星坐标", "火星坐标（GCJ-02）", "高德", "腾讯地图", "Amap"]),
        ("bd09", ["BD-09", "百度", "百度坐标", "baidu", "百度坐标（BD-09）"]),
        ("cgcs2000_gk", ["cgcs2000_gk", "EPSG:4525", "EPSG:4497", "CGCS2000_3_Degree_GK_Zone_37"]),
        ("cgcs2000_gk:111", ["cgcs2000_gk:111", "EPSG:4546", "EPSG:4508", "CGCS2000_3_Degree_GK_CM_111E"]),
        ("cgcs2000_gk:114", ["EPSG:4547", "国家2000 3度带 中央经线114"]),
        ("epsg:32649", ["EPSG:32649", "urn:ogc:def:crs:EPSG::32649"]),
    ],
)
def test_datums_by_the_names_people_use(datum, words):
    assert {crs.parse_datum(word) for word in words} == {datum}
    assert crs.parse_datum(datum) == datum


@pytest.mark.parametrize(
    "word",
    [
        "西安80",
        "1980西安坐标系",
        "80坐标系",
        "Xian 1980",
        "EPSG:4610",
        "EPSG:2382",
        "EPSG:2362",
        "GCS_Xian_1980",
        "北京54",
        "1954北京坐标系",
        "Beijing 1954",
        "EPSG:4214",
        "EPSG:2434",
        "EPSG:2413",
        "EPSG:21419",
    ],
)
def test_old_systems_are_refused_by_name(word):
    with pytest.raises(BadInputError) as fault:
        crs.parse_datum(word)
    assert fault.value.code == "datum_refused"
    assert "19" in fault.value.params["system"]
    assert word in fault.value.sentence("zh")


@pytest.mark.parametrize("word", ["", "foo", "EPSG:99999", "EPSG:27700", "cgcs2000_gk:112", "EPSG:4978"])
def test_unknown_datums_are_not_guessed(word):
    with pytest.raises(BadInputError) as fault:
        crs.parse_datum(word)
    assert fault.value.code == "datum_unknown"
    assert "GCJ-02" in fault.value.sentence("en")


def test_projected_wgs84_goes_there_and_back():
    x, y = crs.from_wgs84(np.array([110.25]), np.array([21.38]), "EPSG:3857")
    assert metres(110.25, 21.38, *crs.to_wgs84(x, y, "EPSG:3857")) < 0.01


def read(name):
    if not (VECTORS / name).exists():
        pytest.skip(f"NO REAL DATA: {VECTORS / name} is absent")
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


@real
def test_vectors_of_other_converters():
    vectors = read("gcj02_bd09_vectors.json")
    for pair in vectors["eviltransform"]["wgs_gcj"]:
        assert crs.wgs84_to_gcj02(*pair["wgs"][::-1]) == pytest.approx(pair["gcj"][::-1], abs=1e-9)
    other = vectors["coordtransform"]
    assert crs.wgs84_to_gcj02(*other["input"]) == pytest.approx(other["wgs84togcj02"], abs=1e-9)
    assert crs.gcj02_to_bd09(*other["input"]) == pytest.approx(other["gcj02tobd09"], abs=1e-9)
    # the published inverse is one step, ours closes: 1e-6 degrees apart
    assert crs.bd09_to_gcj02(*other["input"]) == pytest.approx(other["bd09togcj02"], abs=1e-6)
    for point in vectors["suixi_derived"]["points"]:
        assert crs.to_wgs84(*point["gcj02"], "gcj02") == pytest.approx(point["wgs84"], abs=1e-5)
        assert crs.to_wgs84(*point["bd09"], "bd09") == pytest.approx(point["wgs84"], abs=1e-5)


@real
def test_vectors_of_gcoord():
    cities = [city["coords"] for city in read("gcoord_china_cities.json")]
    assert len(cities) == 664
    wgs, gcj, bd = (np.array([city[datum] for city in cities]).T for datum in ("WGS84", "GCJ02", "BD09"))
    np.testing.assert_allclose(crs.wgs84_to_gcj02(*wgs), gcj, rtol=0, atol=1e-5)
    np.testing.assert_allclose(crs.gcj02_to_bd09(*gcj), bd, rtol=0, atol=1e-6)
    np.testing.assert_allclose(crs.gcj02_to_wgs84(*gcj), wgs, rtol=0, atol=1e-5)
    np.testing.assert_allclose(crs.to_wgs84(*bd, "bd09"), wgs, rtol=0, atol=1e-5)


@real
def test_vectors_of_gauss_kruger():
    vectors = read("cgcs2000_gk_vectors.json")["vectors_always_xy_from_EPSG4490"]
    for vector in vectors:
        if vector["epsg"] != 4490:  # its "metres" are degrees cut to 4 decimals
            lon, lat = crs.to_wgs84(vector["easting"], vector["northing"], f"EPSG:{vector['epsg']}")
            assert metres(vector["lon"], vector["lat"], lon, lat) < 0.01
