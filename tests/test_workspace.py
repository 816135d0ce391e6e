"""A county's folder: made whole or not at all, opened only when it is whole and ours."""

import os
import shutil
import sqlite3
import stat
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import fill_tiny
from villagemap.errors import ConflictError, NotFoundError, VillagemapError, WorkspaceError
from villagemap.flows.registry import Session
from villagemap.flows.upkeep.admin import doctor, verify
from villagemap.flows.workspace import PARTS, init_workspace, open_workspace
from villagemap.sample.building import build_sample, check_sample
from villagemap.settings import Settings, read_settings

TINY = Settings(county="tiny", name="小县", today=date(2026, 3, 20))


def _parts(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["county", "deep/county", "空格 县", "already"])
def test_a_new_county_is_whole_and_its_owners_alone(tmp_path: Path, name: str):
    (tmp_path / "already").mkdir()
    folder = tmp_path / name
    init_workspace(folder, TINY)
    assert set(PARTS) <= _parts(folder)
    assert not list(tmp_path.rglob("*.partial*"))
    if os.name != "nt":
        for part in ("villagemap.gpkg", "accounts.sqlite"):
            assert stat.S_IMODE((folder / part).stat().st_mode) == 0o600
    workspace = open_workspace(folder)
    assert (workspace.settings, workspace.store.county) == (TINY, "tiny")
    workspace.close()


def test_the_folder_that_somebody_stands_in_stays_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    init_workspace(Path(), TINY)
    assert set(PARTS) <= _parts(Path())
    open_workspace(Path()).close()


@pytest.mark.parametrize("make", [init_workspace, lambda at, _: build_sample(at, count=9, seed=1, progress=print)])
def test_what_is_in_a_folder_is_never_touched(tmp_path: Path, make: object):
    assert callable(make)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConflictError, match="something in it"):
        make(tmp_path, TINY)
    assert _parts(tmp_path) == {"notes.txt"}
    with pytest.raises(ConflictError, match="is a file"):
        make(tmp_path / "notes.txt", TINY)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_rest_of_an_interrupted_making_is_cleared(tmp_path: Path):
    folder = tmp_path / "county"
    (folder / ".partial" / "photos").mkdir(parents=True)
    (folder / ".partial" / "villagemap.gpkg").write_text("half")
    init_workspace(folder, TINY)
    assert ".partial" not in _parts(folder)
    open_workspace(folder).close()


@settings(max_examples=40)
@given(name=st.text(max_size=30), code=st.text(max_size=12))
def test_any_name_of_a_county_comes_back_from_its_settings(name: str, code: str):
    from villagemap.flows.workspace import _settings_text

    given_settings = Settings(county="tiny", name=name.encode(errors="ignore").decode(), code=code)
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.toml"
        path.write_text(_settings_text(given_settings), encoding="utf-8", newline="")
        assert read_settings(path) == given_settings


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A closed workspace with the tiny county in it."""
    init_workspace(tmp_path / "county", TINY)
    workspace = open_workspace(tmp_path / "county")
    fill_tiny(workspace)
    workspace.close()
    return tmp_path / "county"


def _truncate(path: Path) -> None:
    os.truncate(path, 40)


BROKEN = {
    "nothing there": (shutil.rmtree, NotFoundError, "no county"),
    "no store": (lambda at: (at / "villagemap.gpkg").unlink(), WorkspaceError, "villagemap.gpkg"),
    "no accounts": (lambda at: (at / "accounts.sqlite").unlink(), WorkspaceError, "accounts.sqlite"),
    "no photos": (lambda at: (at / "photos").rmdir(), WorkspaceError, "photos"),
    "a foreign store": (lambda at: (at / "villagemap.gpkg").write_text("hello " * 99), WorkspaceError, "no data file"),
    "a store damaged": (lambda at: os.truncate(at / "villagemap.gpkg", 40_000), WorkspaceError, "backup"),
    "a store cut off": (lambda at: _truncate(at / "villagemap.gpkg"), WorkspaceError, "villagemap.gpkg"),
    "an empty store": (lambda at: os.truncate(at / "villagemap.gpkg", 0), WorkspaceError, "villagemap.gpkg"),
    "another county": (lambda at: (at / "settings.toml").write_text('county="x"\nname="x"'), WorkspaceError, "tiny"),
    "foreign accounts": (lambda at: (at / "accounts.sqlite").write_text("hello " * 99), WorkspaceError, "accounts"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_workspace_that_isnt_whole_is_refused_with_what_is_wrong(whole: Path, name: str):
    spoil, kind, says = BROKEN[name]
    spoil(whole)
    with pytest.raises(VillagemapError) as fault:
        open_workspace(whole).close()
    assert isinstance(fault.value, kind)
    assert fault.value.exit_code == 2
    assert says in fault.value.sentence("en")
    assert fault.value.sentence("zh")


def test_a_newer_store_is_not_opened(whole: Path):
    with sqlite3.connect(whole / "villagemap.gpkg") as store:
        store.execute("UPDATE villagemap_writer SET open = 1")
        store.execute("UPDATE villagemap SET value = '999' WHERE key = 'schema'")
        store.execute("UPDATE villagemap_writer SET open = 0")
    store.close()
    with pytest.raises(WorkspaceError, match="newer"):
        open_workspace(whole)


def test_what_is_remembered_follows_every_write(session: Session):
    workspace = session.workspace
    gazetteer, columns = workspace.gazetteer(), workspace.columns()
    assert workspace.gazetteer() is gazetteer
    assert workspace.columns() is columns
    with workspace.store.writing() as writer:
        writer.put_places([workspace.store.places()[0]], actor="owner", at=workspace.store.last_event_at())
    assert workspace.columns().seq == workspace.store.head().seq


def test_the_doctor_and_the_replay_find_a_healthy_county_healthy(session: Session):
    assert all(check.ok for check in doctor(session))
    assert verify(session).broken is None
    assert verify(session).head.seq > 100


def test_the_doctor_sees_a_file_that_others_may_read(session: Session):
    (session.workspace.folder / "villagemap.gpkg").chmod(0o644)
    assert [check.code for check in doctor(session) if not check.ok] == ["rights"]


def test_a_sample_is_built_once_and_only_where_none_stands(tmp_path: Path):
    folder = tmp_path / "demo"
    assert not check_sample(folder)
    build_sample(folder, count=60, seed=1, progress=lambda *_: None, today=date(2026, 3, 20))
    assert check_sample(folder)
    assert read_settings(folder / "settings.toml").demo
    init_workspace(tmp_path / "real", TINY)
    with pytest.raises(ConflictError):
        check_sample(tmp_path / "real")
    assert not list(tmp_path.glob(".*"))
