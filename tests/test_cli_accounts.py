"""Users, tokens and links by the command line: passwords never as arguments, secrets once and nowhere else."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import TODAY, fill_tiny
from villagemap.flows.workspace import init_workspace, open_workspace
from villagemap.settings import Settings

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "county"
    init_workspace(folder, Settings(county="tiny", name="小县", code="449923", today=TODAY))
    workspace = open_workspace(folder)
    fill_tiny(workspace)
    workspace.close()
    return folder


def run(county: Path, *words: str, given: str = "", lang: str = "en") -> subprocess.CompletedProcess[str]:
    env = os.environ | {"VILLAGEMAP_LANG": lang, "VILLAGEMAP_DIR": str(county), "PYTHONUTF8": "1", "COLUMNS": "200"}
    command = [sys.executable, "-m", "villagemap", *words]
    done = subprocess.run(command, env=env, input=given, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert "Traceback" not in done.stderr
    return done


def test_a_users_life(county):
    done = run(county, "users", "add", "anna", "--name", "安娜", "--unit", "town:甲镇", given=f"{PASSWORD}\n")
    assert (done.returncode, done.stdout) == (0, "")
    assert "u1" in done.stderr
    assert PASSWORD not in done.stderr
    given = run(
        county,
        "users",
        "grant",
        "anna",
        "镇干部",
        "--place",
        "甲镇/东村",
        "--group",
        "toilets",
        "--until",
        "2999-12-31",
    )
    assert given.returncode == 0, given.stderr
    listed = run(county, "users", "list", lang="zh").stdout
    assert listed.splitlines() == [
        "u1\tanna\t安娜\ttown:449923101",
        "  g1\t镇干部、范围：甲镇 东村村委会、厕所革命，至 2999-12-31",
    ]
    told = json.loads(run(county, "users", "list", "--json").stdout)
    assert told[0]["grants"][0]["places"] == ["v4"]
    assert "argon" not in json.dumps(told)
    assert run(county, "users", "revoke", "g1").returncode == 0
    assert run(county, "users", "password", "anna", given="another password\n").returncode == 0
    assert run(county, "users", "disable", "anna").returncode == 0
    assert "locked" in run(county, "users", "list").stdout
    assert run(county, "users", "disable", "anna", "--enable").returncode == 0
    assert "locked" not in run(county, "users", "list").stdout
    log = run(county, "users", "log", "--limit", "3").stdout.splitlines()
    assert [line.split("\t")[2] for line in log] == ["users.disable", "users.disable", "users.password"]


@pytest.mark.parametrize(
    ("words", "given", "code", "sentence"),
    [
        (("users", "add", "berta"), "", 3, "No password was given"),
        (("users", "add", "berta"), "short\n", 3, "too easy"),
        (("users", "add", "berta", "--password", "x"), "", 2, "--password"),
        (("users", "grant", "nobody_here", "viewer"), "", 2, "no user"),
        (("users", "grant", "nobody_here", "viewer", "--until", "soon"), "", 2, "soon"),
        (("tokens", "revoke", "t99"), "", 2, "no token"),
        (("links", "revoke", "l99"), "", 2, "no link"),
        (("links", "make", "--address", "https://a.example", "--name", "x"), "", 2, "places to look at"),
        (("serve", "--cert", "a.pem"), "", 2, "--cert and --key"),
        (("serve", "--cert", "a.pem", "--key", "b.pem"), "", 3, "HTTPS"),
        (("serve", "--tls", "--name", "two words"), "", 2, "two words"),
    ],
)
def test_what_isnt_possible_gets_a_sentence(county, words, given, code, sentence):
    done = run(county, *words, given=given)
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr


def test_others_are_let_in_only_when_there_are_users(tmp_path):
    init_workspace(tmp_path / "new", Settings(county="new", name="新县"))
    done = run(tmp_path / "new", "serve", "--host", "0.0.0.0", "--port", "18765")
    assert done.returncode == 2
    assert "users add" in done.stderr


def test_a_tokens_secret_is_told_once(county):
    run(county, "users", "add", "token_bearer", given=f"{PASSWORD}\n")
    secret = run(county, "tokens", "make", "token_bearer", "--name", "QGIS", "--days", "3").stdout.strip()
    assert re.fullmatch(r"vm_[\w-]{43}", secret)
    listed = run(county, "tokens", "list").stdout
    assert "QGIS" in listed
    assert secret not in listed
    assert secret not in run(county, "tokens", "list", "--json").stdout
    number = listed.split("\t")[0]
    assert run(county, "tokens", "revoke", number).returncode == 0
    assert run(county, "tokens", "list").stdout.splitlines()[0].endswith("ended")


@pytest.mark.parametrize(("name", "start"), [("qr.png", b"\x89PNG"), ("qr.svg", b"<?xml")])
def test_a_link_is_an_address_with_its_secret_behind_the_hash(county, tmp_path, name, start):
    path = tmp_path / name
    made = run(
        county, "links", "make", "--address", "https://county.example:8000/", "--name", "甲镇", "--place", "甲镇",
        "--qr", str(path),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    address = made.stdout.strip()
    assert re.fullmatch(r"https://county\.example:8000/link#[\w-]{43}", address)
    secret = address.partition("#")[2]
    assert secret not in made.stderr
    assert secret not in run(county, "links", "list", "--json").stdout
    assert path.read_bytes().startswith(start)
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_that_has_no_picture_kind_isnt_made(county, tmp_path):
    before = run(county, "links", "list").stdout
    words = ("links", "make", "--address", "https://a.example", "--name", "x", "--place", "甲镇")
    assert run(county, *words, "--qr", str(tmp_path / "qr.txt")).returncode == 2
    assert run(county, "links", "list").stdout == before


def test_the_table_of_policies_is_printed(county):
    for lang, word in (("en", "town cadre"), ("zh", "镇干部")):
        assert word in run(county, "doctor", "--policies", lang=lang).stdout
