"""A day's work by the command line: a case from report to submitted, and the sentences of those who are refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from villagemap.flows.workspace import Workspace


@pytest.fixture
def folder(tiny: Workspace) -> Path:
    tiny.close()
    return tiny.folder


def villagemap(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "villagemap", *words, "--dir", str(folder)],
        capture_output=True, text=True, check=False, env={**os.environ, "VILLAGEMAP_LANG": "en", "PYTHONUTF8": "1"},
    )  # fmt: skip


def test_a_case_by_the_command_line(folder: Path, tmp_path: Path) -> None:
    words = ("report", "toilet_dry", "--lon", "111.15", "--lat", "20.65", "--description", "村口旱厕", "--json")
    reported = json.loads(villagemap(folder, *words).stdout)
    assert (reported["status"], reported["located"]) == ("reported", "inside")
    issue = reported["id"]
    refused = villagemap(folder, "act", issue, "close")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "register" in refused.stderr
    assert "Traceback" not in refused.stderr
    registered = json.loads(villagemap(folder, "act", issue, "register", "--key", "k1", "--json").stdout)
    assert registered["number"] == "2026-00061"
    again = json.loads(villagemap(folder, "act", issue, "register", "--key", "k1", "--json").stdout)
    assert again == registered
    assert "2026-00061" in villagemap(folder, "tasks").stdout
    no_picture = tmp_path / "note.jpg"
    no_picture.write_text("not a picture")
    assert villagemap(folder, "photo", issue, str(no_picture)).returncode == 3
    submitted = json.loads(villagemap(folder, "act", issue, "submit", "--done", "1", "--json").stdout)
    assert submitted["status"] == "submitted"
    assert "2026-00061" in villagemap(folder, "queue").stdout
    assert villagemap(folder, "verify").returncode == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("act", "2026-00001", "fly"), 2),
        (("act", "2026-09999", "close"), 2),
        (("act", "2026-00001", "defer", "--until", "tomorrow"), 2),
        (("report", "no such category"), 2),
        (("photo", "2026-00001", "missing.jpg"), 2),
        (("act", "2026-00002", "progress", "--revision", "1", "--done", "1"), 2),
    ],
)
def test_wrong_words_get_a_sentence(folder: Path, words: tuple[str, ...], code: int) -> None:
    ended = villagemap(folder, *words)
    assert ended.returncode == code
    assert ended.stderr.strip()
    assert "Traceback" not in ended.stderr
