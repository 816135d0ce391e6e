"""GeoJSON, GeoPackage and Shapefile: what QGIS saves, and what strangers make of it."""

import sqlite3
import zipfile
from pathlib import Path

import geopandas as gpd
import orjson
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from villagemap.crs import to_wgs84
from villagemap.errors import VillagemapError
from villagemap.readers.contract import Limits
from villagemap.readers.geojson import read_geojson
from villagemap.readers.sandbox import open_table

REAL = Path(__file__).parents[2] / "shared" / "data"


def read(path, **options):
    with open_table(path, **options) as table:
        return table, [row for batch in table.batches() for row in batch]


def fault_of(path, **options):
    with pytest.raises(VillagemapError) as fault:
        read(path, **options)
    assert path.name in fault.value.sentence("zh")
    assert path.name in fault.value.sentence("en")
    return fault.value


def feature(geometry=None, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def point(*coordinates):
    return {"type": "Point", "coordinates": coordinates}


@pytest.fixture
def geojson(tmp_path):
    def save(*features, name="a.geojson", **members):
        path = tmp_path / name
        path.write_bytes(orjson.dumps({"type": "FeatureCollection", **members, "features": features}))
        return path

    return save


def test_a_collection_as_rows(geojson):
    ring = [[111, 20], [111.12345678, 20], [111, 20.5], [111, 20]]
    path = geojson(
        feature(point(111.123456789, 20.5), 名称="甲", n=3, nested={"a": [1, {"b": "}{"}]}, ok=True, x=None),
        feature({"type": "Polygon", "coordinates": [ring]}, 名称='"}],"features":[{', z=0.5),
        feature(None, n=12.0),
        feature(point(111, 20, 35.5)),
    )
    table, rows = read(path)
    assert (table.kind, table.crs, table.rows) == ("geojson", "EPSG:4326", 4)
    assert table.columns == ("名称", "n", "nested", "ok", "x", "z")
    assert [row.number for row in rows] == [1, 2, 3, 4]
    assert rows[0].values == ["甲", "3", '{"a":[1,{"b":"}{"}]}', "TRUE", "", ""]
    assert rows[1].values == ['"}],"features":[{', "", "", "", "", "0.5"]
    assert rows[2].values == ["", "12", "", "", "", ""]
    assert [row.geometry for row in rows] == [
        "POINT (111.1234568 20.5)",
        "POLYGON ((111 20, 111.1234568 20, 111 20.5, 111 20))",
        None,
        "POINT (111 20)",
    ]
    assert {row.fault for row in rows} == {""}


def test_spaces_order_of_members_and_ids(tmp_path):
    path = tmp_path / "a.geojson"
    text = """\ufeff
    { "features" : [ {"id": 7, "geometry": null, "type": "Feature", "properties": {"a": "\\" { \\\\"}} ,
      { "type":"Feature","properties":null,"geometry":{"type":"Point","coordinates":[]}, "id":"x" } ] ,
      "name": "features", "type" : "FeatureCollection" }
    """
    path.write_text(text, encoding="utf-8")
    table, rows = read(path)
    assert table.columns == ("id", "a")
    assert [row.values for row in rows] == [["7", '" { \\'], ["x", ""]]
    assert [(row.geometry, row.fault) for row in rows] == [(None, ""), (None, "")]


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=5)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=10)


@given(st.lists(st.dictionaries(names, texts | st.lists(texts, max_size=2), max_size=3), max_size=4), st.booleans())
def test_features_are_found_whatever_their_text_holds(tmp_path_factory, properties, indented):
    path = tmp_path_factory.mktemp("geojson") / "a.geojson"
    features = [feature(point(1, 2), **{f"_{k}": v for k, v in p.items()}) for p in properties]
    option = orjson.OPT_INDENT_2 if indented else 0
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features, "x": {"y": "{"}}, option=option))
    parsed = read_geojson(str(path), Limits())
    rows = list(parsed.rows)
    assert parsed.head["rows"] == len(rows) == len(features)
    for row, wanted in zip(rows, features, strict=True):
        given_texts = {name: text for name, text in wanted["properties"].items() if isinstance(text, str)}
        told = dict(zip(parsed.head["columns"], row[1], strict=True))
        assert {name: told[name] for name in given_texts} == given_texts


@pytest.mark.parametrize(
    ("name", "crs"),
    [
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"),
        ("urn:ogc:def:crs:EPSG::4326", "EPSG:4326"),
        ("urn:ogc:def:crs:EPSG::4490", "EPSG:4490"),
        ("EPSG:4490", "EPSG:4490"),
    ],
)
def test_plain_crs_names_are_taken(geojson, name, crs):
    path = geojson(feature(point(111, 20)), crs={"type": "name", "properties": {"name": name}})
    assert read(path)[0].crs == crs


@pytest.mark.parametrize(
    "crs",
    [
        {"type": "link", "properties": {"href": "http://127.0.0.1:9/crs.prj", "type": "proj4"}},
        {"type": "link", "properties": {"href": "/etc/passwd"}},
        {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::2382"}},
        {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}},
        {"type": "name", "properties": {"name": 5}},
        {"type": "name"},
        "EPSG:4326",
    ],
)
def test_other_crs_members_are_refused(geojson, crs):
    assert fault_of(geojson(feature(point(111, 20)), crs=crs)).code == "geojson_crs"


def test_gcj02_is_not_read_as_wgs84(geojson):
    assert read(geojson(feature(point(111, 20)), datum="gcj02"))[0].crs == "gcj02"
    assert read(geojson(feature(point(111, 20)), name="out.gcj02.geojson"))[0].crs == "gcj02"
    assert fault_of(geojson(datum="西安80")).code == "crs_refused"
    assert fault_of(geojson(datum="nonsense")).code == "crs_unknown"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        "[]",
        '{"type": "FeatureCollection"}',
        '{"type": "FeatureCollection", "features": {}}',
        '{"type": "FeatureCollection", "features": [1]}',
        '{"type": "FeatureCollection", "features": [{"type": "Feature"} {"type": "Feature"}]}',
        '{"type": "FeatureCollection", "features": [{"type": "Feature"}, 5]}',
        '{"type": "FeatureCollection", "features": [{"type": "Feature"}]',
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": []}]}',
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"a": }}]}',
        '{"type": "FeatureCollection", "features": [{"type": "Feature"}], "features": [{"type": "Feature"}]}',
        '{"type": "FeatureCollection", "features": [{"type": "Feature"',
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "id": "open}]}',
        '{"type": "Point", "coordinates": [111, 20]}',
        '{"type": "Topology", "objects": {}}',
        '{"a":' * 5000 + "1" + "}" * 5000,
        '{"type": "FeatureCollection", "features": [' + '{"a":[' * 5000 + "]}" * 5000 + "]}",
        "[" * 100_000,
    ],
)
def test_broken_collections(tmp_path, text):
    path = tmp_path / "a.geojson"
    path.write_text(text)
    assert fault_of(path).code == "geojson_broken"


def test_gbk_is_no_geojson(tmp_path):
    path = tmp_path / "a.geojson"
    path.write_bytes(
        '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"a":"镇"}}]}'.encode("gbk")
    )
    assert fault_of(path).code == "geojson_broken"


def test_a_geometry_that_makes_no_sense_is_its_rows_own_fault(geojson):
    broken = [
        {"type": "Polygon", "coordinates": [[[1, 2], [3, 4]]]},
        {"type": "Point", "coordinates": ["a", "b"]},
        {"type": "Point", "coordinates": [111]},
        {"type": "Nonsense"},
        {"type": "Point", "coordinates": [[[[1]]]]},
        [],
        "POINT (1 2)",
    ]
    _, rows = read(geojson(*map(feature, broken), feature(point(111, 20))))
    assert [(row.geometry, row.fault) for row in rows[:-1]] == [(None, "geometry_broken")] * len(broken)
    assert rows[-1].geometry == "POINT (111 20)"


@pytest.fixture
def places():
    shapes = [shapely.Point(111.1, 20.6), shapely.Point(111.3, 20.7), None]
    columns = {
        "名称": ["示例一村", "示例二村", None],
        "户数": [120, 85, 3],
        "分": [0.5, None, 2],
        "长文": ["长" * 84, "", "x"],
    }
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=4490)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("encoding", "read_as"), [("UTF-8", "utf-8"), ("GB18030", "gb18030")])
@pytest.mark.parametrize("declared", [True, False])
def test_shapefiles_with_and_without_cpg(tmp_path, places, encoding, read_as, declared):
    path = tmp_path / "村.shp"
    places.assign(长文=["长" * 200, "", "x"]).to_file(path, encoding=encoding)
    if not declared:
        path.with_suffix(".cpg").unlink()
    table, rows = read(path)
    assert (table.kind, table.crs, table.encoding, table.rows) == ("shp", "EPSG:4490", read_as, 3)
    assert table.columns == ("名称", "户数", "分", "长文")
    assert rows[0].values[:3] == ["示例一村", "120", "0.5"]
    assert set(rows[0].values[3]) == {"长"}
    assert rows[1].values == ["示例二村", "85", "", ""]
    assert [row.geometry for row in rows] == ["POINT (111.1 20.6)", "POINT (111.3 20.7)", None]


def test_a_cpg_that_lies_is_not_believed(tmp_path, places):
    places.to_file(tmp_path / "a.shp", encoding="GB18030")
    (tmp_path / "a.cpg").write_text("UTF-8")
    assert read(tmp_path / "a.shp")[1][0].values[0] == "示例一村"
    (tmp_path / "a.cpg").write_text("no such encoding")
    assert read(tmp_path / "a.shp")[1][0].values[0] == "示例一村"


def test_gauss_kruger_shapefiles_say_so(tmp_path, places):
    places.to_crs(4546).to_file(tmp_path / "a.shp")
    table, rows = read(tmp_path / "a.shp")
    shape = shapely.from_wkt(rows[0].geometry)
    assert table.crs == "EPSG:4546"
    assert to_wgs84(shape.x, shape.y, table.crs) == pytest.approx((111.1, 20.6), abs=1e-7)


def test_what_a_shapefile_must_have(tmp_path, places):
    path = tmp_path / "a.shp"
    places.to_file(path)
    path.with_suffix(".prj").unlink()
    assert fault_of(path).code == "crs_unknown"
    path.with_suffix(".dbf").unlink()
    fault = fault_of(path)
    assert (fault.code, fault.params["missing"]) == ("shapefile_incomplete", ".dbf")


@pytest.mark.parametrize("epsg", [4214, 4610, 2382, 2434])
def test_old_systems_are_refused_in_files_too(tmp_path, places, epsg):
    old = places.set_crs(epsg, allow_override=True)
    old.to_file(tmp_path / "a.gpkg")
    old.to_file(tmp_path / "a.shp")
    assert fault_of(tmp_path / "a.gpkg").code == "crs_refused"
    assert fault_of(tmp_path / "a.shp").code == "crs_refused"


def zip_shapefile(path, stem, target, prefix=""):
    with zipfile.ZipFile(target, "a") as archive:
        for part in path.glob(f"{stem}.*"):
            archive.write(part, f"{prefix}{part.name}")
    return target


def test_a_zipped_shapefile(tmp_path, places):
    (tmp_path / "in").mkdir()
    places.to_file(tmp_path / "in" / "村.shp", encoding="GB18030")
    path = zip_shapefile(tmp_path / "in", "村", tmp_path / "a.shp.zip", "folder/")
    table, rows = read(path)
    assert (table.kind, len(rows), rows[0].values[0]) == ("shp", 3, "示例一村")
    places.to_file(tmp_path / "in" / "b.shp")
    zip_shapefile(tmp_path / "in", "b", path)
    assert fault_of(path).code == "shapefile_several"


def test_zips_without_a_shapefile(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    assert fault_of(tmp_path / "a.zip").code == "layer_missing"
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("a.shp", "x")
    assert fault_of(tmp_path / "a.zip").code == "shapefile_incomplete"


def test_a_geopackage_and_its_layers(tmp_path, places):
    path = tmp_path / "a.gpkg"
    lines = gpd.GeoDataFrame({"路": ["村道"]}, geometry=[shapely.LineString([(111, 20, 5), (112, 21, 5)])], crs=4326)
    places.to_file(path, layer="村")
    lines.to_file(path, layer="路")
    table, rows = read(path)
    assert (table.kind, table.sheet, table.sheets, table.crs) == ("gpkg", "村", ("村", "路"), "EPSG:4490")
    assert rows[1].values == ["示例二村", "85", "", ""]
    assert rows[1].number == 2
    table, rows = read(path, sheet="路")
    assert (table.crs, rows[0].geometry) == ("EPSG:4326", "LINESTRING (111 20, 112 21)")
    assert fault_of(path, sheet="河").code == "layer_unknown"


def test_a_geopackage_that_was_being_written_is_read_and_left_alone(tmp_path, places):
    path = tmp_path / "a.gpkg"
    places.to_file(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert len(read(path)[1]) == 3
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_many_features_come_in_order(tmp_path):
    shapes = [shapely.Point(111, 20 + n / 1e5) for n in range(12_001)]
    gpd.GeoDataFrame({"n": range(12_001)}, geometry=shapes, crs=4326).to_file(tmp_path / "a.gpkg")
    _, rows = read(tmp_path / "a.gpkg")
    assert [row.values[0] for row in rows] == [str(n) for n in range(12_001)]
    assert [row.number for row in rows] == list(range(1, 12_002))


def test_broken_geofiles(tmp_path):
    path = tmp_path / "a.gpkg"
    sqlite3.connect(path).executescript("CREATE TABLE t (a)")
    assert fault_of(path).code == "geofile_broken"
    path.write_bytes(b"SQLite format 3\x00" + bytes(5000))
    assert fault_of(path).code == "geofile_broken"
    for ending in (".shp", ".dbf", ".shx"):
        (tmp_path / f"a{ending}").write_bytes(b"\x00\x00\x27\x0a" + bytes(20))
    assert fault_of(tmp_path / "a.shp").code == "geofile_broken"


@pytest.mark.real
def test_real_suixi_towns():
    path = REAL / "suixi" / "suixi_towns.geojson"
    if not path.exists():
        pytest.skip(f"NO REAL DATA: {path} is absent")
    table, rows = read(path)
    assert (table.rows, len(rows), table.crs) == (15, 15, "EPSG:4326")
    assert all(row.geometry.startswith(("POLYGON", "MULTIPOLYGON")) for row in rows)
    assert rows[0].values[table.columns.index("name")] == "遂城镇"
