"""A new user follows the README, line by line, in an empty folder."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[1]
ENV = os.environ | {"VILLAGEMAP_LANG": "en", "PYTHONUTF8": "1"}


FIVE_STEPS, AT_WORK = 2, 3
"""Which section of a README, counted by its second-level headings from 1."""


def steps(page: str, section: int = FIVE_STEPS) -> list[list[str]]:
    """The words of each ``villagemap …`` line in the code blocks of one section."""
    told = (ROOT / page).read_text(encoding="utf-8").split("\n## ")[section]
    blocks = re.findall(r"^```\n(.*?)^```", told, re.DOTALL | re.MULTILINE)
    return [shlex.split(line)[1:] for line in "".join(blocks).splitlines() if line.startswith("villagemap ")]


def take(words: list[str], folder: Path, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "villagemap", *words],
        cwd=folder,
        env=ENV,
        input=said,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def follow(page: str, folder: Path) -> list[subprocess.CompletedProcess[str]]:
    """Take all of the five steps but the last one, which serves."""
    shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")
    (folder / "geodata").mkdir()
    shutil.copy(ROOT / "geodata" / "roads.geojson", folder / "geodata")
    *written, serving = steps(page)
    assert serving[0] == "serve"
    return [take(words, folder) for words in written]


def fetch(address: str) -> bytes:
    """What a page holds, as soon as the server answers."""
    for _ in range(100):
        try:
            with urlopen(address) as answer:
                return bytes(answer.read())
        except URLError as fault:
            if not isinstance(fault.reason, ConnectionError):
                raise
            time.sleep(0.2)
    raise AssertionError(address)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    for done in follow("README.md", folder):
        assert done.returncode == 0, (done.args, done.stderr)
    return folder


def test_both_languages_take_the_same_steps():
    for section in (FIVE_STEPS, AT_WORK):
        english, chinese = (
            [[word for word in words if word not in {"My county", "我的县"}] for words in steps(page, section)]
            for page in ("README.md", "README.zh-CN.md")
        )
        assert english == chinese
        assert english


def test_every_row_of_the_example_is_stored(followed: Path):
    features = json.loads((followed / "mycounty.geojson").read_text(encoding="utf-8"))["features"]
    rows = (followed / "docs" / "examples" / "ledger.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(features) == len(rows) == 10
    assert {feature["properties"]["town"] for feature in features} == {"灯屿镇", "鲎湾镇"}
    assert sum(feature["geometry"] is None for feature in features) == 1
    (claimed,) = (f["properties"] for f in features if f["properties"]["claimed_closed_on"])
    assert claimed["status"] == "submitted"


def test_the_map_of_a_town_names_no_other_host(followed: Path):
    page = (followed / "dengyu.html").read_text(encoding="utf-8")
    assert "灯屿镇" in page
    assert re.findall(r"""<(?:script|link|img|iframe)[^>]*(?:src|href)\s*=\s*["']?(?:https?:)?//""", page) == []


def test_the_last_step_serves_the_county(followed: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [*steps("README.md")[-1], "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, "-m", "villagemap", *words], cwd=followed, env=ENV, stderr=subprocess.DEVNULL
    )
    try:
        assert "灯屿镇" in fetch(f"http://127.0.0.1:{port}/").decode()
        assert "灯屿镇" in fetch(f"http://127.0.0.1:{port}/towns/449923101/map").decode()
        assert len(json.loads(fetch(f"http://127.0.0.1:{port}/export.geojson"))["features"]) == 10
    finally:
        server.terminate()
        server.wait()


def test_a_county_at_work_as_the_readme_says(followed: Path):
    for words in steps("README.md", AT_WORK):
        if words[0] != "serve":
            done = take(words, followed, "a-password-for-the-town\n" * 2)
            assert done.returncode == 0, (words, done.stderr)
    assert (followed / "county.zip").stat().st_size > 10_000
