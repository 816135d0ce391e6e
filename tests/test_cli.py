"""The command line as somebody uses it: exit codes, sentences in both languages, reports apart from talk."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import TODAY, fill_tiny
from villagemap.flows.workspace import init_workspace, open_workspace
from villagemap.settings import Settings
from villagemap.texts import LANGS

TRACE = "Traceback"


@dataclass
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str


def run(*words: str, lang: str = "en", cwd: Path | None = None, **env: str) -> Done:
    """Run one command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "villagemap", *words],
        env=os.environ | {"VILLAGEMAP_LANG": lang, "VILLAGEMAP_DIR": "", "PYTHONUTF8": "1", "COLUMNS": "200"} | env,
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def county(tmp_path: Path) -> Path:
    """The tiny county, closed."""
    init_workspace(tmp_path / "county", Settings(county="tiny", name="小县", code="449923", today=TODAY))
    workspace = open_workspace(tmp_path / "county")
    fill_tiny(workspace)
    workspace.close()
    return tmp_path / "county"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Five rows: two good, one claimed, two that can't be taken."""
    path = tmp_path / "ledger.csv"
    rows = (
        "编号,镇,村委会,类别,经度,纬度,整改状态,完成日期",
        "1,甲镇,东村,应拆未拆旱厕,111.15,20.65,,",
        "2,甲镇,东村,黑臭水体,,,,",
        "3,乙镇,东村,黑臭水体,111.25,20.65,已销号,2026-03-12",
        "4,乙镇,东村,没有这一类,111.25,20.65,,",
        "5,乙镇,东村,黑臭水体,20.65,111.25,,",
    )
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def _seq(county: Path) -> int:
    done = run("verify", "--dir", str(county), "--json")
    assert done.code == 0
    return int(json.loads(done.out)["seq"])


# A whole day's work


def test_from_nothing_to_a_map_and_a_file(tmp_path: Path, ledger: Path):
    places = tmp_path / "places.csv"
    places.write_text(
        "代码,名称,经度,纬度\n449923101,甲镇,,\n449923102,乙镇,,\n"
        "449923101200,东村村委会,111.15,20.65\n449923102200,东村村委会,111.25,20.65\n",
        encoding="utf-8",
    )
    county = tmp_path / "my-county"
    made = run("init", str(county), "--name", "我县")
    assert (made.code, made.out) == (0, "")
    env = {"VILLAGEMAP_DIR": str(county)}
    taken = run("places", "import", str(places), **env)
    assert (taken.code, taken.out) == (0, "")
    assert "Read 4 rows: stored 4" in taken.err
    assert "approximate areas" in taken.err
    assert run("import", str(ledger), "--apply", **env).code == 0
    page = tmp_path / "town.html"
    drawn = run("map", "乙镇", "-o", str(page), lang="zh", **env)
    assert (drawn.code, drawn.out) == (0, "")
    assert "示意，非行政区域界线" in page.read_text(encoding="utf-8")
    file = tmp_path / "out.geojson"
    assert run("export", str(file), **env).code == 0
    assert len(json.loads(file.read_text(encoding="utf-8"))["features"]) == 3
    whole = run("verify", **env)
    assert (whole.code, whole.out) == (0, "")
    listed = run("places", "list", "village", "--town", "甲镇", **env)
    assert listed.out == "449923101200\t东村村委会\t449923101\n"


def test_a_preview_says_what_would_be_and_writes_nothing(county: Path, ledger: Path):
    before = _seq(county)
    done = run("import", str(ledger), "--dir", str(county))
    assert (done.code, done.out) == (0, "")
    assert "Read 5 rows = to store 3 + already known 0 + rejected 2" in done.err
    assert "--apply" in done.err
    assert done.err.index("rejected, 1 rows") < len(done.err)
    assert "Row 5: There is no category “没有这一类”" in done.err
    assert "Row 6: The position 20.65, 111.25 looks like" in done.err
    assert _seq(county) == before


def test_applying_tells_its_operation_and_again_that_nothing_is_new(county: Path, ledger: Path):
    done = run("import", str(ledger), "--dir", str(county), "--apply", "--json")
    assert done.code == 0
    (report,) = json.loads(done.out)
    assert {n: report[n] for n in ("read", "stored", "known", "rejected", "unlocated", "claimed", "operation")} == {
        "read": 5, "stored": 3, "known": 0, "rejected": 2, "unlocated": 1, "claimed": 1, "operation": 1
    }  # fmt: skip
    assert [(f["row"], f["rejects"]) for f in report["findings"]] == [(5, True), (6, True)]
    assert all(finding["sentence"] for finding in report["findings"])
    before = _seq(county)
    again = run("import", str(ledger), "--dir", str(county), "--apply", lang="zh")
    assert again.code == 0
    assert "没有新内容" in again.err
    assert _seq(county) == before


def test_findings_are_told_by_kind_rejections_first(county: Path, tmp_path: Path):
    path = tmp_path / "many.csv"
    rows = [f"应拆未拆旱厕,那天{n}" for n in range(40)] + ["没有,2026-03-01"]
    path.write_text("\n".join(["类别,发现日期", *rows]) + "\n", encoding="utf-8")
    done = run("import", str(path), "--dir", str(county))
    told = [line for line in done.err.splitlines() if line.startswith("  ")]
    assert [line.strip() for line in told if line.endswith("rows:")] == ["rejected, 1 rows:", "note, 40 rows:"]
    assert sum("is no date" in line for line in told) == 3
    assert "and 37 more" in done.err


def test_one_bad_file_doesnt_hold_up_the_others(county: Path, ledger: Path, tmp_path: Path):
    missing = tmp_path / "missing.csv"
    done = run("import", str(missing), str(ledger), "--dir", str(county), "--apply", "--json")
    assert done.code == 0
    assert [report["file"] for report in json.loads(done.out)] == ["ledger.csv"]
    assert "missing.csv" in done.err


def test_show_speaks_in_words_and_plain_numbers(county: Path):
    done = run("show", "2026-00003", "--dir", str(county), lang="zh")
    assert (done.code, done.err) == (0, "")
    lines = dict(line.split("\t", 1) for line in done.out.splitlines())
    assert lines["类别"] == "黑臭水体"
    assert lines["数量"] == "1"
    assert lines["定位"] == "在已知村界内"
    assert lines["来源"] == "大排查"
    assert lines["2026-03-01 09:00"] == "立账\towner\t"
    assert lines["2026-03-01 10:00"] == "开始整改\towner\t"
    english = run("show", "2026-00003", "--dir", str(county)).out
    assert "black-odorous" in english or "black" in english
    assert "work begun" in english
    assert "issue." not in english
    shown = json.loads(run("show", "2026-00003", "--dir", str(county), "--json").out)
    assert (shown["category"], shown["events"][0]["kind"]) == ("black_water", "issue.register")


def test_exports_are_for_whom_they_are_for(county: Path, tmp_path: Path):
    def exported(*words: str) -> list[dict[str, object]]:
        done = run("export", "-", *words, "--dir", str(county))
        assert done.code == 0, done.err
        return json.loads(done.out)["features"]

    assert len(exported()) == 60
    assert len(exported("--for", "office")) == 50
    assert len(exported("--for", "public")) == 50
    assert len(exported("--town", "乙镇", "--village", "东村")) == 7
    assert {f["properties"]["category"] for f in exported("--category", "应拆未拆旱厕")} == {"toilet_dry"}
    assert {f["properties"]["status"] for f in exported("--status", "closed", "--status", "退回")} == {
        "closed",
        "returned",
    }
    assert exported("--overdue")
    assert len(exported("--bbox", "111.1,20.6,111.2,20.7")) == 7
    assert {f["properties"]["found_on"] for f in exported("--from", "2026-02-05", "--to", "2026-02-05")} == {
        "2026-02-05"
    }
    done = run("export", str(tmp_path / "out.geojson"), "--datum", "gcj02", "--dir", str(county))
    assert "out.gcj02.geojson" in done.err
    assert json.loads((tmp_path / "out.gcj02.geojson").read_text())["datum"] == "gcj02"
    assert not (tmp_path / "out.geojson").exists()


def test_the_doctor_reports_and_says_so_for_machines(county: Path):
    done = run("doctor", "--dir", str(county), "--json")
    assert done.code == 0
    assert {check["code"] for check in json.loads(done.out)} >= {"python", "sqlite", "integrity", "rights"}
    assert all(check["ok"] for check in json.loads(done.out))


def test_a_changed_row_is_named_and_its_exit_code_is_3(county: Path):
    import sqlite3

    store = sqlite3.connect(county / "villagemap.gpkg")
    with store:
        store.execute("UPDATE villagemap_writer SET open = 1")
        store.execute("UPDATE issues SET severity = 1 WHERE number = '2026-00007'")
        store.execute("UPDATE villagemap_writer SET open = 0")
    store.close()
    done = run("verify", "--dir", str(county), "--json")
    assert done.code == 3
    assert json.loads(done.out)["broken"]["key"] == "2026-00007"
    assert "2026-00007" in done.err


# Bad input: a sentence, an exit code of 2 or 3, nothing written, no stack trace


@pytest.fixture
def bad(county: Path, tmp_path: Path) -> Callable[[str], list[str]]:
    """The words of a command that can't be meant, by name; files are made for it."""

    def file(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    def words(name: str) -> list[str]:
        here = ["--dir", str(county)]
        header = "类别,经度,纬度\n".encode()
        commands = {
            "missing file": ["import", "missing.csv"],
            "foreign file": ["import", file("a.pdf", b"%PDF-1.4")],
            "lying name": ["import", file("a.csv", b"\x89PNG\r\n\x1a\n")],
            "broken workbook": ["import", file("a.xlsx", b"PK\x03\x04 no workbook")],
            "broken geojson": ["import", file("a.geojson", b'{"type":"FeatureCollection","features":[')],
            "binary": ["import", file("b.csv", header + b"\x80\xff\xfe")],
            "empty file": ["import", file("e.csv", b""), "--apply"],
            "only a header": ["import", file("h.csv", header), "--apply"],
            "out of range": ["import", file("r.csv", header + "应拆未拆旱厕,511.1,20.6\n".encode()), "--apply"],
            "swapped axes": ["import", file("s.csv", header + "应拆未拆旱厕,20.6,111.1\n".encode()), "--apply"],
            "no category": ["import", file("n.csv", header + b",111.1,20.6\n"), "--apply"],
            "unknown category": ["import", file("c.csv", header), "--category", "nonsense"],
            "refused datum": ["import", file("d.csv", header), "--datum", "西安80"],
            "missing mapping": ["import", file("m.csv", header), "--mapping", "missing.toml"],
            "broken mapping": ["import", file("m.csv", header), "--mapping", file("m.toml", b"[columns")],
            "places without rows": ["places", "import", file("p.csv", "代码,名称\n".encode())],
            "places nobody knows": ["places", "import", file("q.csv", "代码,名称\n1,甲\n".encode())],
            "unknown level": ["places", "list", "planet"],
            "unknown town": ["map", "丁镇", "-o", str(tmp_path / "t.html")],
            "village for town": ["map", "东村", "-o", str(tmp_path / "t.html")],
            "map to a folder": ["map", "甲镇", "-o", str(tmp_path)],
            "map to nowhere": ["map", "甲镇", "-o", str(tmp_path / "no" / "t.html")],
            "ambiguous village": ["export", str(tmp_path / "o.geojson"), "--village", "东村"],
            "unknown status": ["export", str(tmp_path / "o.geojson"), "--status", "gone"],
            "bbox of words": ["export", str(tmp_path / "o.geojson"), "--bbox", "here"],
            "bbox of NaN": ["export", str(tmp_path / "o.geojson"), "--bbox", "nan,20,112,21"],
            "bbox the wrong way": ["export", str(tmp_path / "o.geojson"), "--bbox", "112,20,111,21"],
            "no such day": ["export", str(tmp_path / "o.geojson"), "--from", "2026-02-30"],
            "export as xls": ["export", str(tmp_path / "o.xls")],
            "export in metres": ["export", str(tmp_path / "o.geojson"), "--datum", "cgcs2000_gk"],
            "export to a lying name": ["export", str(tmp_path / "o.gcj02.geojson")],
            "no such issue": ["show", "2026-99999"],
            "init in a full folder": ["init", str(county)],
            "init in a file": ["init", file("f", b"x")],
            "init with a bad slug": ["init", str(tmp_path / "new"), "--county", "../x"],
            "demo in a county": ["demo", "--no-serve"],
            "no such option": ["verify", "--nonsense"],
            "no argument": ["show"],
            "no such command": ["dance"],
        }
        command = commands[name]
        return command if command[0] in {"init", "dance"} else [*command, *here]

    return words


BAD = {
    "missing file": 2, "foreign file": 3, "lying name": 3, "broken workbook": 3, "broken geojson": 3, "binary": 3,
    "empty file": 3, "only a header": 3, "out of range": 3, "swapped axes": 3, "no category": 3, "unknown category": 3,
    "refused datum": 3, "missing mapping": 2, "broken mapping": 3, "places without rows": 3, "places nobody knows": 3,
    "unknown level": 2, "unknown town": 2, "village for town": 2, "map to a folder": 2, "map to nowhere": 2,
    "ambiguous village": 2, "unknown status": 2, "bbox of words": 2, "bbox of NaN": 2, "bbox the wrong way": 2,
    "no such day": 2, "export as xls": 2, "export in metres": 2, "export to a lying name": 2, "no such issue": 2,
    "init in a full folder": 2, "init in a file": 2, "init with a bad slug": 2, "demo in a county": 2,
    "no such option": 2, "no argument": 2, "no such command": 2,
}  # fmt: skip


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.suffix not in {".gpkg-shm", ".gpkg-wal"} and path.name[-4:] not in {"-shm", "-wal"}
    }


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_a_sentence_and_writes_nothing(bad: Callable[[str], list[str]], tmp_path: Path, name: str):
    words = bad(name)
    before = {path: stat for path, stat in _files(tmp_path).items() if not path.endswith("county")}
    lang = LANGS[len(name) % 2]
    done = run(*words, lang=lang, cwd=tmp_path)
    assert done.code == BAD[name], done.err
    assert done.out == ""
    assert done.err.strip()
    assert TRACE not in done.err
    assert "Errno" not in done.err
    assert lang == "en" or any("\u4e00" <= c <= "\u9fff" for c in done.err)
    after = {path: stat for path, stat in _files(tmp_path).items() if not path.endswith("county")}
    assert after == before


SPOILT = {
    "half a workspace": (lambda at: (at / "accounts.sqlite").unlink(), "accounts.sqlite"),
    "no workspace": (lambda at: [part.unlink() for part in at.iterdir() if part.is_file()], "villagemap.gpkg"),
    "foreign store": (lambda at: (at / "villagemap.gpkg").write_bytes(b"hello " * 999), "villagemap.gpkg"),
    "damaged store": (lambda at: os.truncate(at / "villagemap.gpkg", 300_000), "doctor"),
    "unknown setting": (lambda at: (at / "settings.toml").write_text('county="tiny"\nname="x"\nx=1'), "x"),
    "broken vocabulary": (lambda at: (at / "vocabulary.toml").write_text("[categories"), "vocabulary.toml"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_workspace_gets_a_sentence(county: Path, ledger: Path, name: str):
    spoil, says = SPOILT[name]
    spoil(county)
    commands = (["export", "-"], ["verify"], ["import", str(ledger)]) if name == "damaged store" else (["verify"],)
    for words in commands:
        done = run(*words, "--dir", str(county))
        assert done.code in {0, 2, 3}, done.err
        assert TRACE not in done.err
        assert done.code == 0 or says in done.err or "damaged" in done.err or "Broken" in done.err


def test_debug_shows_the_trace_and_only_then(tmp_path: Path):
    for words in (("--debug", "verify"), ("verify", "--debug")):
        done = run(*words, "--dir", str(tmp_path))
        assert done.code == 2
        assert TRACE in done.err
    assert TRACE not in run("verify", "--dir", str(tmp_path)).err


# Languages


@pytest.mark.parametrize(
    ("words", "env", "chinese"),
    [
        (("verify",), {"VILLAGEMAP_LANG": "", "LC_ALL": "zh_CN.UTF-8"}, True),
        (("verify",), {"VILLAGEMAP_LANG": "", "LC_ALL": "en_GB.UTF-8"}, False),
        (("verify",), {"VILLAGEMAP_LANG": "", "LC_ALL": "C", "LANG": "C"}, True),
        (("verify", "--lang", "en"), {"LC_ALL": "zh_CN.UTF-8"}, False),
        (("--lang=zh", "verify"), {"VILLAGEMAP_LANG": "en"}, True),
    ],
)
def test_the_language_is_as_asked_else_the_locales_else_chinese(
    tmp_path: Path, words: tuple[str, ...], env: dict[str, str], chinese: bool
):
    done = run(*words, "--dir", str(tmp_path), **env)
    assert done.code == 2
    assert done.err.startswith("文件夹") == chinese


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(
    "words", [(), ("import",), ("places", "import"), ("map",), ("export",), ("show",), ("init",), ("demo",)]
)
def test_help_is_whole_in_both_languages(lang: str, words: tuple[str, ...]):
    done = run(*words, "--help", lang=lang)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("用法：" if lang == "zh" else "Usage: ")
    for english in ("Usage", "Options", "Commands", "Show this message", "[default"):
        assert (english in done.out) <= (lang == "en")


def test_reports_survive_a_pipe_that_closes(county: Path):
    command = f'"{sys.executable}" -m villagemap export - --dir "{county}" | head -c 100'
    done = subprocess.run(command, shell=True, capture_output=True, encoding="utf-8", check=False)
    assert done.stdout.startswith('{"type":"FeatureCollection"')
    assert TRACE not in done.stderr
    assert "BrokenPipe" not in done.stderr
