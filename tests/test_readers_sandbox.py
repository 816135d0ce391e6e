"""The sandbox itself: what a hostile file or a parser gone wild can't do. Parsers are planted as child programs."""

import hashlib
import os
import sys
import time
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import orjson
import pytest

from villagemap.errors import BadInputError, NotFoundError, TooLargeError, VillagemapError
from villagemap.readers import sandbox
from villagemap.readers.contract import MEGABYTE, Limits
from villagemap.readers.sandbox import open_table

linux = pytest.mark.skipif(sys.platform != "linux", reason="rlimits and /proc")
RESTRICT = """
import sys, orjson
sys.path[:] = orjson.loads(sys.argv.pop())
from villagemap.readers.child import restrict
from villagemap.readers.contract import Limits
restrict(Limits(**orjson.loads(sys.argv[1])["limits"]), may_write=False)
"""


def rows_of(path, **options):
    with open_table(path, **options) as table:
        return [row for batch in table.batches() for row in batch]


def fault_of(path, **options):
    with pytest.raises(VillagemapError) as fault:
        rows_of(path, **options)
    for lang in ("zh", "en"):
        assert path.name in fault.value.sentence(lang)
    return fault.value


@pytest.fixture
def table_file(tmp_path):
    path = tmp_path / "台账.csv"
    path.write_text("镇,村\n甲,乙\n", encoding="utf-8")
    return path


def planted(monkeypatch, program):
    monkeypatch.setattr(sandbox, "_BOOT", RESTRICT + program)


def test_rows_come_through_with_what_is_known_of_the_file(table_file):
    with open_table(table_file) as table:
        assert (table.file, table.kind, table.columns, table.encoding) == ("台账.csv", "csv", ("镇", "村"), "utf-8")
        assert table.crs is None
        assert table.sha256 == hashlib.sha256(table_file.read_bytes()).hexdigest()
        assert list(table.batches()) == [[sandbox.Row(2, ["甲", "乙"])]]


@linux
def test_a_parser_that_allocates_2_gb_dies_alone(table_file, monkeypatch):
    planted(monkeypatch, "held = bytearray(2 << 30)\nprint('{}')")
    assert fault_of(table_file).code == "parser_died"
    monkeypatch.undo()
    assert len(rows_of(table_file)) == 1


@linux
def test_a_parser_that_runs_out_of_memory_can_say_so(table_file, monkeypatch):
    program = "from villagemap.readers import child; child.parse = lambda *_: bytearray(2 << 30); sys.argv.append(''); "
    planted(monkeypatch, program + "child.main()")
    fault = fault_of(table_file)
    assert (type(fault), fault.code, fault.params["limit_mb"]) == (TooLargeError, "parser_memory", 1024)


@linux
def test_json_that_swells_in_memory_stays_in_the_child(tmp_path):
    path = tmp_path / "bomb.geojson"
    swelling = b"[]," * 3_000_000
    path.write_bytes(b'{"type":"FeatureCollection","x":[' + swelling + b'0],"features":[]}')
    assert fault_of(path, limits=Limits(memory_bytes=256 * MEGABYTE)).code in {"parser_memory", "parser_died"}


@linux
def test_a_parser_that_spins_is_stopped_by_its_cpu_time(table_file, monkeypatch):
    planted(monkeypatch, "while True: pass")
    fault = fault_of(table_file, limits=Limits(cpu_s=1))
    assert (fault.code, fault.params["seconds"]) == ("parser_too_slow", 1)


def test_a_parser_that_sleeps_is_stopped_by_the_clock(table_file, monkeypatch):
    planted(monkeypatch, "import time; time.sleep(600)")
    begun = time.monotonic()
    assert fault_of(table_file, limits=Limits(wall_s=0.5)).code == "parser_too_slow"
    assert time.monotonic() - begun < 10


def test_the_clock_does_not_count_a_slow_consumer(tmp_path):
    path = tmp_path / "many.csv"
    path.write_text("a,b\n" + "x,y\n" * 9_000, encoding="utf-8")
    count = 0
    with open_table(path, limits=Limits(wall_s=0.6)) as table:
        for batch in table.batches():
            count += len(batch)
            time.sleep(0.25)
    assert count == 9_000


@linux
def test_the_child_writes_nothing_and_keeps_no_core(table_file, monkeypatch):
    program = """
import resource
try:
    with open("left_behind", "wb") as file:
        file.write(b"x" * 100)
except OSError:
    print('{"columns": ["refused"]}')
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
"""
    planted(monkeypatch, program)
    with open_table(table_file) as table:
        assert table.columns == ("refused",)


def test_the_child_sees_no_secret_and_no_name_of_ours(table_file, monkeypatch):
    monkeypatch.setenv("VILLAGEMAP_SECRET", "swordfish")
    program = "import os; print(orjson.dumps({'columns': [*os.environ, *sys.argv, os.getcwd()]}).decode())"
    planted(monkeypatch, program)
    with open_table(table_file) as table:
        told = " ".join(table.columns)
        folder = Path(table.columns[-1])
    assert "VILLAGEMAP_SECRET" not in told
    assert "台账" not in told
    assert not folder.exists()


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no json",
        "[1, 2]",
        '{"columns": "镇"}',
        '{"columns": ["镇"]}',
        '{"columns": ["镇"]}\n[[2], [["甲"]], [null], [""]]\n{"end": 7}',
        '{"columns": ["镇"]}\n[[2], [[]], [null], [""]]\n{"end": 1}',
        '{"columns": ["镇"]}\n[[2], [[{"a": 1}]], [null], [""]]\n{"end": 1}',
        '{"columns": ["镇"]}\n[[2], 5, [null], [""]]\n{"end": 1}',
        '{"columns": ["镇"]}\n"end"',
        '{"error": ["SystemExit", "file_empty", {}]}',
        '{"error": ["BadInputError", "no_such_code", {}]}',
        '{"error": ["BadInputError", "csv_nul", {}]}',
        '{"error": ["BadInputError", "csv_nul", {"line": {}}, 4]}',
        '{"error": 5}',
    ],
)
def test_the_childs_answer_is_input_like_any_other(table_file, monkeypatch, answer):
    planted(monkeypatch, f"print({answer!r})")
    assert fault_of(table_file).code == "parser_died"


def test_leaving_early_ends_the_child(tmp_path):
    path = tmp_path / "many.csv"
    path.write_text("a,b\n" + "x,y\n" * 200_000, encoding="utf-8")
    with open_table(path) as table:
        next(table.batches())
        process = table._child.process
    assert process.returncode is not None


@linux
def test_100_000_rows_stream_through_in_little_memory(tmp_path):
    path = tmp_path / "big.csv"
    cells = "1000,city_unannounced,2022-03-09,示例镇,示例村,村口东侧,111.234567,20.654321"
    line = cells + ",garbage_scattered,垃圾乱扔,整改中,3\n"
    path.write_text("a,b,c,d,e,f,g,h,i,j,k,l\n" + line * 100_000, encoding="utf-8")
    with open_table(path) as table:
        status = Path(f"/proc/{table._child.process.pid}/status")
        count = 0
        for batch in table.batches():
            count += len(batch)
            if count == 90_000:
                peak = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
    assert count == 100_000
    assert int(peak.split()[1]) < 60_000


@pytest.mark.parametrize(
    ("name", "content", "holds"),
    [
        ("a.csv", b"PK\x03\x04....", "ZIP"),
        ("a.csv", b"<OGRVRTDataSource><OGRVRTLayer/></OGRVRTDataSource>", "XML/HTML"),
        ("a.geojson", b"<OGRVRTDataSource></OGRVRTDataSource>", "XML/HTML"),
        ("a.gpkg", b"<OGRVRTDataSource></OGRVRTDataSource>", "XML/HTML"),
        ("a.shp", b"<OGRVRTDataSource></OGRVRTDataSource>", "XML/HTML"),
        ("a.geojson", b"a,b\n1,2\n", "TEXT"),
        ("a.csv", b' {"type": "FeatureCollection"}', "JSON"),
        ("a.csv", b"%PDF-1.7", "PDF"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS/OLE2"),
        ("a.xlsx", b"a,b\n", "TEXT"),
        ("a.gpkg", b"PK\x03\x04", "ZIP"),
        ("a.shp.zip", b"SQLite format 3\x00", "SQLite"),
    ],
)
def test_a_name_that_lies_about_the_content_is_refused(tmp_path, name, content, holds):
    path = tmp_path / name
    path.write_bytes(content)
    if name.endswith(".shp"):
        (tmp_path / "a.dbf").touch()
        (tmp_path / "a.shx").touch()
    fault = fault_of(path)
    assert (fault.code, fault.params["content"]) == ("file_content_differs", holds)


@pytest.mark.parametrize("name", ["a.xls", "a.et", "a.vrt", "a.kml", "a.exe", "a"])
def test_other_kinds_are_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    assert fault_of(tmp_path / name).code == "file_kind_unknown"


def test_missing_empty_and_too_large_files(tmp_path):
    with pytest.raises(NotFoundError) as fault:
        rows_of(tmp_path / "none.csv")
    assert fault.value.code == "file_missing"
    for name in ("empty.csv", "empty.geojson", "empty.xlsx"):
        (tmp_path / name).touch()
        assert fault_of(tmp_path / name).code == "file_empty"
    (tmp_path / "blank.csv").write_text(" \n\n")
    assert fault_of(tmp_path / "blank.csv").code == "file_empty"
    (tmp_path / "large.csv").write_bytes(b"a,b\n" * MEGABYTE)
    fault = fault_of(tmp_path / "large.csv", limits=Limits(file_bytes=3 * MEGABYTE))
    assert (type(fault), fault.code, fault.params["limit_mb"]) == (TooLargeError, "file_too_large", 3)


@pytest.mark.parametrize("name", ["/vsicurl/http://127.0.0.1/x.geojson", "/vsizip/x.csv", "http://127.0.0.1/a.csv"])
def test_addresses_are_no_files(name):
    with pytest.raises(NotFoundError):
        rows_of(Path(name))


def test_too_many_rows_and_columns_are_refused_not_cut_off(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "x,y\n" * 100, encoding="utf-8")
    assert fault_of(path, limits=Limits(rows=99)).code == "table_too_long"
    assert fault_of(path, limits=Limits(columns=1)).code == "table_too_wide"


def test_gdal_in_the_child_knows_two_drivers_and_no_network(table_file, monkeypatch):
    seen = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 - the base class's name

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/x.geojson"
    program = f"""
import pyogrio
drivers = sorted(pyogrio.list_drivers())
for source in ("/vsicurl/{address}", "{address}", "WFS:{address}"):
    try: pyogrio.raw.read(source)
    except Exception as fault: drivers.append(type(fault).__name__)
print(orjson.dumps({{"columns": drivers}}).decode())
"""
    planted(monkeypatch, program)
    with open_table(table_file) as table:
        assert table.columns == ("ESRI Shapefile", "GPKG", "MEM", *["DataSourceError"] * 3)
    server.shutdown()
    server.server_close()
    assert not seen


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_zip_bombs_are_refused_before_anything_unpacks_them(tmp_path):
    bomb = zipped(tmp_path / "bomb.xlsx", {"xl/worksheets/sheet1.xml": bytes(40 * MEGABYTE)})
    assert bomb.stat().st_size < MEGABYTE
    assert fault_of(bomb).code == "zip_bomb"
    many = zipped(tmp_path / "many.zip", {f"{n}.txt": b"" for n in range(10_001)})
    assert fault_of(many).code == "zip_bomb"
    slow = zipped(tmp_path / "large.xlsx", {"a": os.urandom(3 * MEGABYTE)})
    assert fault_of(slow, limits=Limits(unpacked_bytes=2 * MEGABYTE)).code == "zip_bomb"


@pytest.mark.parametrize("name", ["../../out.shp", "/etc/out.shp", "C:\\out.shp", "a/../../out.shp", "..\\out.shp"])
def test_zip_members_that_lead_outside_are_refused(tmp_path, name):
    path = zipped(tmp_path / "a.shp.zip", {name: b"x"})
    assert fault_of(path).code == "zip_unsafe"


def test_zip_links_and_encrypted_members_are_refused(tmp_path):
    link = zipfile.ZipInfo("a.shp")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert fault_of(tmp_path / "link.zip").code == "zip_unsafe"
    content = bytearray(zipped(tmp_path / "plain.zip", {"a.shp": b"x"}).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(content)
    assert fault_of(tmp_path / "locked.zip").code == "zip_unsafe"


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path):
    path = zipped(tmp_path / "a.shp.zip", {"a.shp": b"x" * 5000})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    assert fault_of(path).code == "zip_broken"
    path.write_bytes(b"PK\x03\x04" + b"nonsense" * 10)
    assert fault_of(path).code == "zip_broken"


def test_every_error_of_the_readers_has_its_sentence_in_both_languages():
    from villagemap.texts import catalog

    assert set(catalog("errors", "zh")) == set(catalog("errors", "en"))
    assert orjson.dumps(catalog("errors", "zh"))
    assert isinstance(BadInputError("file_empty", file="x"), VillagemapError)
