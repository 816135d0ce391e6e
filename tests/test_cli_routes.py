"""Routes on the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from test_cli import TRACE, county, run  # noqa: F401 - a fixture

INTERRUPTED = """
import os, signal
from villagemap.cli.routes import _stoppable
with _stoppable() as stopped:
    print(stopped())
    os.kill(os.getpid(), signal.SIGINT)
    print(stopped())
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        print("ended")
"""
QUICK = ("--iterations", "40")


@pytest.fixture
def planned(county: Path) -> tuple[Path, dict]:  # noqa: F811
    """The tiny county with a plan of one town's villages."""
    done = run("route", "plan", "--town", "甲镇", "--teams", "1", *QUICK, "--json", "--dir", str(county))
    assert done.code == 0, done.err
    return county, json.loads(done.out)


def test_a_town_is_planned_shown_explained_checked_and_exported(planned, tmp_path):
    folder, told = planned
    at = ("--dir", str(folder))
    assert told["plan"]["figures"]["villages"] == 3
    for words in (("show", told["id"]), ("list",), ("explain", told["id"]), ("check", told["name"])):
        done = run("route", *words, *at, lang="zh")
        assert done.code == 0, done.err
    shown = run("route", "show", told["id"], *at)
    assert "08:30" in shown.out
    assert "It keeps all rules" in run("route", "check", told["id"], *at).out
    done = run("route", "export", told["id"], "-o", str(tmp_path / "a.gpx"), *at)
    assert (done.code, (tmp_path / "a.gpx").read_bytes()[:5]) == (0, b"<?xml")
    wrong = run("route", "export", told["id"], "-o", str(tmp_path / "a.doc"), *at)
    assert (wrong.code, TRACE in wrong.err) == (2, False)
    beside = run("route", "corridor", told["id"], "--within", "300", "--json", *at)
    assert all(one["off_m"] <= 300 and one["town_id"] == "t1" for one in json.loads(beside.out))
    assert run("route", "corridor", told["id"], "--within", "0", *at).code == 3


def test_a_request_from_a_file_is_planned_again_the_same(county, tmp_path):  # noqa: F811
    request = {"teams": [{"day_end": "12:00", "lunch": None}], "choose": {"villages": "all"}, "seed": 3}
    (tmp_path / "request.json").write_text(json.dumps(request))
    words = ("route", "plan", str(tmp_path / "request.json"), *QUICK, "--dir", str(county))
    first = run(*words, "-o", str(tmp_path / "plan.json"))
    assert first.code == 0, first.err
    told = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    again = json.loads(run(*words, "--json").out)
    assert again["plan"]["routes"] == told["plan"]["routes"]
    explained = run("route", "explain", told["id"], "--dir", str(county))
    assert "team-days are missing" in explained.out
    assert "be back" in explained.out
    nothing = run("route", "explain", told["id"], "v99", "--dir", str(county))
    assert nothing.code == 2


def test_the_rest_of_a_day_is_planned_anew(planned):
    folder, told = planned
    first = told["plan"]["routes"][0]["calls"][0]["stop"]
    words = ("--day", "1", "--now", "10:30", "--done", first, "--late", "t1=90")
    done = run("route", "replan", told["id"], *words, "--dir", str(folder))
    assert done.code == 0, done.err
    assert "revision 2" in done.out
    assert run("route", "replan", told["id"], "--now", "late", "--dir", str(folder)).code == 3
    assert run("route", "replan", told["id"], "--now", "10:00", "--late", "t1", "--dir", str(folder)).code == 2


def test_a_bare_matrix_is_planned(county, tmp_path):  # noqa: F811
    (tmp_path / "times.csv").write_text(",office,a,b\noffice,0,600,900\na,600,0,\nb,900,300,0\n")
    (tmp_path / "request.json").write_text('{"teams": [{"start": "office"}]}')
    words = ("--matrix", str(tmp_path / "times.csv"), *QUICK, "--json", "--dir", str(county))
    done = run("route", "plan", str(tmp_path / "request.json"), *words)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert [call["stop"] for route in told["plan"]["routes"] for call in route["calls"]] == ["b", "a"]
    assert told["plan"]["matrix"]["kind"] == "given"


@pytest.mark.parametrize("text", ["{", '{"teams": 3}', '{"days": ["never"]}'])
def test_a_file_that_is_no_request_is_told(county, tmp_path, text):  # noqa: F811
    (tmp_path / "request.json").write_text(text)
    done = run("route", "plan", str(tmp_path / "request.json"), "--dir", str(county))
    assert (done.code, TRACE in done.err) == (3, False)
    assert run("route", "plan", str(tmp_path / "none.json"), "--dir", str(county)).code == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows sends an interrupt to a whole console")
def test_the_first_interrupt_means_enough_and_the_second_ends():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, encoding="utf-8", check=False)
    assert done.stdout.split() == ["False", "True", "ended"], done.stderr


def test_the_schema_is_printed():
    assert json.loads(run("route", "schema").out)["$id"] == "urn:villagemap:request:1"


def test_what_is_left_out_is_told_with_its_reason_and_where_to_read_on(county: Path):  # noqa: F811
    done = run("route", "plan", "--teams", "1", *QUICK, "--dir", str(county), lang="zh")
    left_out = [line for line in done.out.splitlines() if "时间都不够" in line]
    assert left_out
    assert "villagemap route explain" in done.err
