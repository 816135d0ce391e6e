"""Backups, restores, snapshots and upgrades, also while another process writes; anchors; photos as verify sees them."""

import io
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyogrio
import pytest
import shapely

from conftest import MORNING, TODAY, tiny_issue, tiny_places
from villagemap.auth import OWNER
from villagemap.errors import (
    BadInputError,
    ConflictError,
    NotFoundError,
    VillagemapError,
    WorkspaceError,
    WrongUseError,
)
from villagemap.flows.people.accounts import add_user
from villagemap.flows.registry import Session
from villagemap.flows.upkeep.admin import Standing, anchor, verify
from villagemap.flows.upkeep.backups import back_up, back_up_folder, upgrade
from villagemap.flows.upkeep.restoring import restore
from villagemap.flows.upkeep.snapshots import COLUMNS, FREE_TEXT, write_county
from villagemap.flows.workspace import Workspace, init_workspace, open_workspace
from villagemap.model import Audience, Change, IssueFilter, Photo, Privacy
from villagemap.settings import Settings
from villagemap.store import GeoPackageStore, geopackage, schema
from villagemap.store.schema import migrations

FIRST = "019c0000-0000-7000-8000-000000000000"


def picture(workspace: Workspace, content: bytes, issue_id: str = FIRST) -> str:
    sha256 = workspace.photos.put(io.BytesIO(content))
    with workspace.store.writing() as writer:
        photo = Photo(sha256=sha256, issue_id=issue_id, stage="before", taken_at=MORNING)
        writer.add_photos([photo], actor="owner", at=MORNING)
    return sha256


def note(workspace: Workspace, at: datetime = MORNING, words: str = "再看") -> None:
    issue = workspace.store.issue(FIRST)
    assert issue is not None
    with workspace.store.writing() as writer:
        writer.record([Change(kind="note", issue=issue, at=at, actor="owner", note=words)])


@pytest.fixture
def county(session: Session) -> Session:
    """The tiny county with two photos, a user and a word of its own."""
    for content in (b"one picture", b"another picture"):
        picture(session.workspace, content)
    add_user(session, "anna", "long enough 47 words")
    (session.workspace.folder / "vocabulary.toml").write_text('[units.x]\nzh = "甲办"\nen = "office"\n', "utf-8")
    return session


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, databases as text, because their pages may differ."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix in {".gpkg", ".sqlite"}:
            with closing(sqlite3.connect(path)) as connection:
                found[name] = "\n".join(connection.iterdump()).encode()
        elif not name.endswith(("-wal", "-shm")):
            found[name] = path.read_bytes()
    return found


# Backup and restore


@pytest.mark.parametrize("name", ["backup.zip", "backup", "deep/里面/备份.ZIP"])
def test_what_was_backed_up_comes_back(county: Session, tmp_path: Path, name: str):
    made = back_up(county, tmp_path / name)
    head = county.workspace.store.head()
    assert (made.seq, made.photos, made.changed) == (head.seq, 2, ())
    back = restore(tmp_path / name, tmp_path / "back")
    assert (back.seq, back.anchor, back.erased, back.aside) == (head.seq, made.anchor, 0, None)
    assert (back.photos.named, back.photos.missing, back.photos.changed) == (2, (), ())
    county.workspace.close()
    assert contents(tmp_path / "back") == contents(county.workspace.folder)
    again = open_workspace(tmp_path / "back")
    assert [user.login for user in again.accounts.users()] == ["anna"]
    note(again)
    assert again.store.verify() is None
    again.close()
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
@pytest.mark.parametrize("name", ["backup.zip", "backup"])
def test_a_backup_is_its_owners_alone(county: Session, tmp_path: Path, name: str):
    back_up(county, tmp_path / name)
    restore(tmp_path / name, tmp_path / "back")
    paths = [tmp_path / name, *(tmp_path / name).rglob("*"), *(tmp_path / "back").rglob("*")]
    assert [p for p in paths if p.is_file() and p.stat().st_mode & 0o077] == []
    assert [p for p in (tmp_path / "back", tmp_path / "back" / "photos") if p.stat().st_mode & 0o077] == []


def test_a_backup_is_never_written_over_nor_into_the_county(county: Session, tmp_path: Path):
    (tmp_path / "there.zip").write_bytes(b"mine")
    with pytest.raises(ConflictError, match="never overwritten"):
        back_up(county, tmp_path / "there.zip")
    assert (tmp_path / "there.zip").read_bytes() == b"mine"
    folder = county.workspace.folder
    for target in (folder, folder / "villagemap.gpkg", folder / "photos", folder / "photos" / "x.zip"):
        with pytest.raises((WrongUseError, ConflictError)):
            back_up(county, target)
    back_up(county, folder / "mine.zip")  # beside the parts it harms nothing, and isn't taken along next time
    assert back_up(county, tmp_path / "next.zip").photos == 2
    with zipfile.ZipFile(tmp_path / "next.zip") as packed:
        assert "mine.zip" not in packed.namelist()


WRITER = """
import sys
from pathlib import Path
from dataclasses import replace
sys.path.insert(0, sys.argv[2])
from conftest import MORNING, tiny_issue, tiny_places
from villagemap.model import Change
from villagemap.store import GeoPackageStore
store = GeoPackageStore(Path(sys.argv[1]))
places = tiny_places()
n = 0
while True:
    issue = replace(tiny_issue(n, places), id=f"019c0009-0000-7000-8000-{n:012d}")
    with store.writing() as writer:
        writer.record([Change(kind="register", issue=issue, at=MORNING, actor="owner")])
    print(issue.id, flush=True)
    n += 1
"""


@contextmanager
def writing_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that adds issues as fast as it can, and tells each that is durable."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        child.communicate()


def acknowledged(child: subprocess.Popen[str], count: int) -> list[str]:
    assert child.stdout is not None
    return [child.stdout.readline().strip() for _ in range(count)]


@pytest.mark.parametrize("name", ["backup.zip", "backup"])
def test_a_backup_while_somebody_writes_is_one_moment(county: Session, tmp_path: Path, name: str):
    with writing_process(county.workspace.folder / "villagemap.gpkg") as child:
        before = acknowledged(child, 5)
        made = back_up(county, tmp_path / name)
        assert acknowledged(child, 3)  # the writer was neither stopped nor broken
    back = restore(tmp_path / name, tmp_path / "back")  # replays the chain
    assert back.seq == made.seq
    workspace = open_workspace(tmp_path / "back")
    assert all(workspace.store.issue(issue_id) for issue_id in before)
    assert workspace.store.head().seq < county.workspace.store.head().seq
    workspace.close()


# Damage


def repacked(source: Path, target: Path, change: dict[str, bytes | None]) -> Path:
    """A copy of a backup with parts changed, added or (None) left out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        parts = {name: old.read(name) for name in old.namelist()} | change
        for name, content in parts.items():
            if content is not None:
                new.writestr(name, content)
    return target


def manifest(source: Path, **facts: object) -> bytes:
    with zipfile.ZipFile(source) as packed:
        return json.dumps({**json.loads(packed.read("manifest.json")), **facts}).encode()


@pytest.fixture
def backup(county: Session, tmp_path: Path) -> Path:
    back_up(county, tmp_path / "backup.zip")
    return tmp_path / "backup.zip"


def refused(source: Path, *codes: str) -> None:
    """A backup that is refused leaves nothing where it should have gone, and stays as it was."""
    before = source.read_bytes()
    with pytest.raises(VillagemapError) as fault:
        restore(source, source.parent / "back")
    assert fault.value.code in codes
    assert fault.value.sentence("zh")
    assert source.read_bytes() == before
    assert not (source.parent / "back").exists()
    assert not list(source.parent.glob(".*"))


def test_a_part_that_is_changed_missing_or_strange_is_named(backup: Path, tmp_path: Path):
    with zipfile.ZipFile(backup) as packed:
        names = [name for name in packed.namelist() if name != "manifest.json"]
    assert len(names) == 6
    for name in names:
        for content in (b"changed", None):
            refused(repacked(backup, tmp_path / "bad.zip", {name: content}), "backup_damaged")
    for name in ("../out.toml", "photos/../../out", "/etc/x.toml", "C:\\x.toml", "photos/ab/" + "cd" * 32, "run.py"):
        files = json.loads(manifest(backup))["files"] | {name: {"sha256": "0" * 64, "size": 1}}
        bad = {"manifest.json": manifest(backup, files=files), name: b"x"}
        refused(repacked(backup, tmp_path / "bad.zip", bad), "backup_damaged")
    for name in ("settings.toml", "villagemap.gpkg"):
        files = {n: part for n, part in json.loads(manifest(backup))["files"].items() if n != name}
        lacking = {"manifest.json": manifest(backup, files=files), name: None}
        refused(repacked(backup, tmp_path / "bad.zip", lacking), "backup_damaged")


def test_what_is_no_backup_of_ours_is_refused(backup: Path, tmp_path: Path):
    (tmp_path / "text.zip").write_bytes(b"only text")
    refused(tmp_path / "text.zip", "backup_foreign")
    for change in (None, b"", b"[]", b'{"form":1}', b'{"form":"x","files":{}}', b'{"form":1,"files":{"a.toml":3}}'):
        refused(repacked(backup, tmp_path / "bad.zip", {"manifest.json": change}), "backup_foreign")
    refused(repacked(backup, tmp_path / "new.zip", {"manifest.json": manifest(backup, form=9)}), "backup_newer")
    refused(repacked(backup, tmp_path / "seq.zip", {"manifest.json": manifest(backup, seq=1)}), "backup_damaged")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="no backup"):
        restore(tmp_path / "empty", tmp_path / "back")
    with pytest.raises(BadInputError, match="no file"):
        restore(tmp_path / "nothing.zip", tmp_path / "back")


@pytest.mark.parametrize("seed", range(12))
def test_any_damage_to_the_file_is_refused_or_harmless(backup: Path, tmp_path: Path, seed: int):
    chance = random.Random(seed)
    content = bytearray(backup.read_bytes())
    if seed % 3:
        for _ in range(chance.choice([1, 50])):
            content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
    else:
        del content[chance.randrange(len(content)) :]
    (tmp_path / "bad.zip").write_bytes(content)
    try:
        back = restore(tmp_path / "bad.zip", tmp_path / "back")
    except (BadInputError, WorkspaceError):
        assert not (tmp_path / "back").exists()
    else:
        assert back.photos.changed == ()
        assert restore(backup, tmp_path / "whole").anchor == back.anchor


def test_a_county_that_was_changed_behind_its_back_isnt_restored(county: Session, tmp_path: Path):
    with closing(sqlite3.connect(county.workspace.folder / "villagemap.gpkg")) as connection, connection:
        connection.execute("UPDATE villagemap_writer SET open = 1")
        connection.execute("UPDATE issues SET severity = 1 WHERE fid = 3")
        connection.execute("UPDATE villagemap_writer SET open = 0")
    back_up(county, tmp_path / "backup.zip")
    refused(tmp_path / "backup.zip", "backup_broken")


def test_a_picture_that_is_damaged_or_gone_doesnt_hold_up_the_backup(county: Session, tmp_path: Path):
    photos = county.workspace.photos
    first, second = photos.hashes()
    photos._path(first).write_bytes(b"something else")
    photos._path(second).unlink()
    made = back_up(county, tmp_path / "backup.zip")
    assert (made.photos, made.changed) == (1, (first,))
    back = restore(tmp_path / "backup.zip", tmp_path / "back")
    assert (back.photos.changed, back.photos.missing) == ((first,), (second,))


# In the place of another county


def test_a_county_is_moved_aside_with_a_date_and_only_when_asked(county: Session, backup: Path):
    folder = county.workspace.folder
    note(county.workspace)
    county.workspace.close()
    before = contents(folder)
    with pytest.raises(ConflictError, match="--replace"):
        restore(backup, folder)
    assert contents(folder) == before
    back = restore(backup, folder, replace=True)
    assert back.aside is not None
    assert back.aside.name.startswith(f"{folder.name}.replaced-20")
    assert contents(back.aside) == before
    workspace = open_workspace(folder)
    assert workspace.store.head().seq == back.seq
    workspace.close()


def test_a_county_that_somebody_has_open_isnt_moved(county: Session, backup: Path, tmp_path: Path):
    with pytest.raises(ConflictError, match="Stop the server"):
        restore(backup, county.workspace.folder, replace=True)
    note(county.workspace)
    assert county.workspace.store.verify() is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.zip", "county"]


def test_a_damaged_county_can_be_replaced(county: Session, backup: Path):
    county.workspace.close()
    (county.workspace.folder / "villagemap.gpkg").write_bytes(b"SQLite format 3\x00" + b"rubbish" * 1000)
    (county.workspace.folder / "accounts.sqlite").unlink()
    restore(backup, county.workspace.folder, replace=True)
    open_workspace(county.workspace.folder).close()


def test_other_peoples_folders_are_left_alone(backup: Path, tmp_path: Path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("mine")
    for asked in (False, True):
        with pytest.raises(ConflictError, match="something in it"):
            restore(backup, tmp_path / "home", replace=asked)
    (tmp_path / "empty").mkdir()
    assert restore(backup, tmp_path / "empty", replace=True).aside is None


# Upgrade


@contextmanager
def earlier_program(version: int) -> Iterator[None]:
    """In the block, ours is the program whose newest schema was ``version``."""
    script = "".join(path.read_text("utf-8") for path in migrations()[:version])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: migrations()[:version])
        patch.setattr(schema, "GUARDED", tuple(t for t in schema.GUARDED if f"CREATE TABLE {t} " in script))
        patch.setattr(geopackage, "migrations", schema.migrations)
        yield


def older_county(folder: Path, version: int) -> None:
    with earlier_program(version):
        init_workspace(folder, Settings(county="tiny", name="小县", today=TODAY))


@pytest.mark.parametrize("version", range(1, len(migrations())))
def test_an_upgrade_makes_a_backup_first(tmp_path: Path, version: int):
    older_county(tmp_path / "county", version)
    with pytest.raises(WorkspaceError, match="older"):
        open_workspace(tmp_path / "county")
    done = upgrade(tmp_path / "county")
    assert done.store == (version, len(migrations()))
    assert done.backup is not None
    assert done.backup.path.name.startswith(f"county-schema{version}-20")
    workspace = open_workspace(tmp_path / "county")
    assert workspace.store.verify() is None
    workspace.close()
    restore(done.backup.path, tmp_path / "back")  # upgrades on the way
    open_workspace(tmp_path / "back").close()
    assert upgrade(tmp_path / "county").backup is None


def test_an_upgrade_goes_through_while_an_older_program_writes(tmp_path: Path):
    """It waits for the transaction that is open; from then on the older program is told, and writes no more."""
    older_county(tmp_path / "county", 1)
    path = tmp_path / "county" / "villagemap.gpkg"
    with earlier_program(1):
        older = GeoPackageStore(path)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("UPDATE villagemap_writer SET open = 1")
        raw.execute("INSERT INTO counters VALUES ('tiny', 'late', 7)")
        raw.execute("UPDATE villagemap_writer SET open = 0")
        late = threading.Timer(0.5, raw.execute, ["COMMIT"])
        late.start()
        assert upgrade(tmp_path / "county").store == (1, len(migrations()))
        late.join()
        assert raw.execute("SELECT value FROM counters WHERE name = 'late'").fetchone() == (7,)
    with pytest.raises(WorkspaceError, match="newer program"), older.writing():
        pass
    older.close()
    workspace = open_workspace(tmp_path / "county")
    assert workspace.store.verify() is None
    workspace.close()


def test_a_county_of_a_newer_program_is_left_as_it_is(county: Session):
    path = county.workspace.folder / "villagemap.gpkg"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE villagemap_writer SET open = 1")
        connection.execute("UPDATE villagemap SET value = '99' WHERE key = 'schema'")
        connection.execute("UPDATE villagemap_writer SET open = 0")
    county.workspace.close()
    before = path.read_bytes()
    with pytest.raises(WorkspaceError, match="newer program"):
        upgrade(county.workspace.folder)
    assert path.read_bytes() == before
    assert not list(county.workspace.folder.parent.glob("*.zip"))


def test_an_open_transaction_holds_no_backup_up(county: Session, tmp_path: Path):
    workspace = county.workspace
    issue = workspace.store.issue(FIRST)
    assert issue is not None
    with workspace.store.writing() as writer:
        writer.record([Change(kind="note", issue=issue, at=MORNING, actor="owner")])
        made = back_up_folder(workspace.folder, tmp_path / "during.zip")
    assert made.seq == workspace.store.head().seq - 1


# Snapshots


def layer(path: Path, name: str) -> list[dict[str, object]]:
    frame = pyogrio.read_dataframe(path, layer=name)
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def test_an_office_gets_flat_tables_without_persons_and_households(session: Session, tmp_path: Path):
    path = tmp_path / "office.gpkg"
    made = write_county(session, path, Audience.OFFICE)
    open_or_home = [
        i for i in session.workspace.store.issues(IssueFilter(), limit=100) if i.privacy is not Privacy.RESTRICTED
    ]
    assert made.rows == {"issues": len(open_or_home), "towns": 3, "villages": 9, "hamlets": 27}
    rows = layer(path, "issues")
    assert list(rows[0]) == [*COLUMNS, "geometry"]
    second = next(row for row in rows if row["number"] == "2026-00002")
    shown = ("town", "village", "category", "category_zh", "status_zh", "source_zh", "description")
    assert [second[name] for name in shown] == [
        "甲镇", "中村村委会", "toilet_dry", "应拆未拆旱厕", "整改中", "大排查", "第1号问题",
    ]  # fmt: skip
    content = path.read_bytes()
    assert "某人".encode() not in content
    assert b"00012345678" not in content
    assert b"household_housing" not in content
    assert [row["name"] for row in layer(path, "towns")] == ["甲镇", "乙镇", "丙镇"]
    hamlet = layer(path, "hamlets")[0]
    assert (hamlet["town"], hamlet["village"], hamlet["name"]) == ("甲镇", "东村村委会", "上东村")
    about = {row["key"]: row["value"] for row in layer(path, "about")}
    assert about["villagemap_snapshot"] == "office"
    assert about["anchor"] == anchor(session).code


def test_the_public_gets_no_free_text_and_no_place_of_a_home(session: Session, tmp_path: Path):
    issue = session.workspace.store.issue("2026-00002")
    assert issue is not None
    with session.workspace.store.writing() as writer:
        told = replace(issue, description="王先生电话13812345678，请回拨")
        writer.record([Change(kind="note", issue=told, at=MORNING, actor="owner")])
    write_county(session, tmp_path / "office.gpkg", Audience.OFFICE)
    write_county(session, tmp_path / "public.gpkg", Audience.PUBLIC)
    assert b"13812345678" not in (tmp_path / "office.gpkg").read_bytes()
    assert "王先生".encode() in (tmp_path / "office.gpkg").read_bytes()
    assert "王先生".encode() not in (tmp_path / "public.gpkg").read_bytes()
    rows = layer(tmp_path / "public.gpkg", "issues")
    assert set(FREE_TEXT).isdisjoint(rows[0])
    homes = [row for row in rows if row["category"] == "mudbrick_house"]
    assert homes
    assert all(row["geometry"] is None and row["village"] for row in homes)
    assert any(row["geometry"] for row in rows)
    with pytest.raises(WrongUseError, match="backup"):
        write_county(session, tmp_path / "owner.gpkg", Audience.OWNER)


def test_a_snapshot_is_an_ordinary_file_that_may_be_edited(session: Session, tmp_path: Path):
    path = tmp_path / "office.gpkg"
    write_county(session, path, Audience.OFFICE)
    found = {str(row[0]): str(row[1]) for row in pyogrio.list_layers(path)}
    assert found == {
        "issues": "Point", "towns": "MultiPolygon", "villages": "MultiPolygon", "hamlets": "Point", "about": "None",
    }  # fmt: skip
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
        assert not {name for name in names if name.startswith(("guard", "append_only"))}
        assert {f"rtree_issues_geom_{verb}" for verb in ("insert", "update1", "delete")} <= names
        spatial(connection)
        head = connection.execute("SELECT geom FROM issues WHERE geom NOT NULL LIMIT 1").fetchone()[0][:8]
        blob = head + shapely.to_wkb(shapely.Point(111.55, 20.95), byte_order=1)
        connection.execute("UPDATE issues SET status = 'closed', geom = ? WHERE number = '2026-00002'", (blob,))
    moved = pyogrio.read_dataframe(path, layer="issues", bbox=(111.54, 20.94, 111.56, 20.96))
    assert moved["number"].tolist() == ["2026-00002"]


def spatial(connection: sqlite3.Connection) -> None:
    """The five functions that GDAL's triggers call; a point's header here has no envelope."""

    def axis(number: int) -> object:
        return lambda blob: shapely.get_coordinates(shapely.from_wkb(blob[8:]))[0][number]

    connection.create_function("ST_IsEmpty", 1, lambda _: 0)
    for name, number in (("ST_MinX", 0), ("ST_MaxX", 0), ("ST_MinY", 1), ("ST_MaxY", 1)):
        connection.create_function(name, 1, axis(number))  # type: ignore[arg-type]


def test_a_snapshot_replaces_only_a_snapshot(session: Session, tmp_path: Path):
    path = tmp_path / "stick.gpkg"
    write_county(session, path, Audience.OFFICE)
    write_county(session, path, Audience.PUBLIC)
    assert {row["key"]: row["value"] for row in layer(path, "about")}["villagemap_snapshot"] == "public"
    live = session.workspace.folder / "villagemap.gpkg"
    for other, content in ((live, None), (tmp_path / "letter.gpkg", b"mine")):
        if content:
            other.write_bytes(content)
        before = other.read_bytes()
        with pytest.raises(WrongUseError, match="no snapshot"):
            write_county(session, other, Audience.OFFICE)
        assert other.read_bytes() == before
    with pytest.raises(WrongUseError, match="gpkg"):
        write_county(session, tmp_path / "stick.shp", Audience.OFFICE)
    with pytest.raises(WrongUseError):
        write_county(session, tmp_path / "no" / "such" / "folder.gpkg", Audience.OFFICE)
    assert not list(tmp_path.rglob("*.partial"))


def test_an_empty_county_gives_an_empty_snapshot(empty_session: Session, tmp_path: Path):
    write_county(empty_session, tmp_path / "x.gpkg", Audience.OFFICE)
    assert layer(tmp_path / "x.gpkg", "issues") == layer(tmp_path / "x.gpkg", "hamlets") == []


def test_a_snapshot_while_somebody_writes_is_whole(session: Session, tmp_path: Path):
    with writing_process(session.workspace.folder / "villagemap.gpkg") as child:
        before = acknowledged(child, 5)
        write_county(session, tmp_path / "x.gpkg", Audience.OFFICE)
        acknowledged(child, 1)
    ids = {row["id"] for row in layer(tmp_path / "x.gpkg", "issues")}
    households = {f"019c0009-0000-7000-8000-{n:012d}" for n in range(5, 60, 6)}
    assert set(before) - households <= ids


# Anchors, photos and erased values


def test_a_printed_anchor_stands_while_history_does(session: Session):
    printed = anchor(session).code
    note(session.workspace)
    assert verify(session, anchors=[printed]).anchors[0].standing is Standing.STANDS
    path = session.workspace.folder / "villagemap.gpkg"
    rebuild(path)
    found = verify(session, anchors=[printed, anchor(session).code])
    assert found.broken is None  # whoever owns the computer can make a chain that holds
    assert [check.standing for check in found.anchors] == [Standing.CHANGED, Standing.STANDS]
    assert not found.whole


def test_an_anchor_is_held_against_what_the_events_say_not_what_stands_beside_them(session: Session):
    printed = anchor(session).code
    with closing(sqlite3.connect(session.workspace.folder / "villagemap.gpkg")) as connection, connection:
        connection.execute("UPDATE villagemap_writer SET open = 1")
        connection.execute("DROP TRIGGER append_only_events_update")
        connection.execute("UPDATE events SET body = replace(body, 'owner', 'other') WHERE seq = 45")
        connection.execute("UPDATE villagemap_writer SET open = 0")
    found = verify(session, anchors=[printed])
    assert found.broken is not None
    assert found.broken.key == "45"
    assert found.anchors[0].standing is Standing.CHANGED


def rebuild(path: Path) -> None:
    """What an administrator could do: another actor in an early event, and all hashes made anew."""
    from villagemap.chain import genesis, link

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE villagemap_writer SET open = 1")
        for verb in ("update", "delete"):
            connection.execute(f"DROP TRIGGER append_only_events_{verb}")
        connection.execute("UPDATE events SET actor = 'u9', body = replace(body, '\"owner\"', '\"u9\"') WHERE seq = 45")
        digest = genesis("tiny")
        for seq, body in connection.execute("SELECT seq, body FROM events ORDER BY seq").fetchall():
            digest = link(digest, body)
            connection.execute("UPDATE events SET hash = ? WHERE seq = ?", (digest, seq))
        connection.execute("UPDATE villagemap_writer SET open = 0")


def test_an_older_backup_shows_by_a_later_anchor(session: Session, tmp_path: Path):
    back_up(session, tmp_path / "old.zip")
    note(session.workspace)
    printed = anchor(session).code
    restore(tmp_path / "old.zip", tmp_path / "back")
    old = open_workspace(tmp_path / "back")
    assert verify(Session(old, OWNER), anchors=[printed]).anchors[0].standing is Standing.MISSING
    old.close()


def test_a_mistyped_anchor_is_told_before_anything_else(session: Session):
    printed = anchor(session).code
    typo = printed[:-1] + ("0" if printed[-1] != "0" else "1")
    with pytest.raises(BadInputError, match="typing error"):
        verify(session, anchors=[printed, typo])


def test_a_days_anchor_goes_by_the_calendar_of_shanghai(empty: Workspace):
    with empty.store.writing() as writer:
        issue = tiny_issue(0, tiny_places())
        evening = datetime(2026, 3, 9, 15, 59, 59, 999999, tzinfo=UTC)  # 23:59:59.999999 on the 9th
        writer.record([Change(kind="register", issue=issue, at=evening, actor="owner")])
    note(empty, evening + timedelta(microseconds=1))
    session = Session(empty, OWNER)
    with pytest.raises(NotFoundError, match="no anchor"):
        anchor(session, date(2026, 3, 8))
    assert [anchor(session, date(2026, 3, day)).head.seq for day in (9, 10)] == [1, 2]
    assert anchor(session, date.max) == anchor(session)
    with pytest.raises(NotFoundError):
        anchor(session, date.min)


def test_photos_that_are_gone_and_photos_that_were_changed_are_told_apart(county: Session):
    photos = county.workspace.photos
    assert verify(county).whole
    first, second = photos.hashes()
    photos._path(first).unlink()
    photos._path(second).write_bytes(b"another picture, mended")
    found = verify(county)
    assert found.photos is not None
    assert (found.photos.named, found.photos.missing, found.photos.changed) == (2, (first,), (second,))
    assert (found.broken, found.whole) == (None, False)
    assert verify(county, photos=False).whole


def test_erased_values_are_counted_and_break_nothing(session: Session, tmp_path: Path):
    assert verify(session).erased == 0
    with closing(sqlite3.connect(session.workspace.folder / "villagemap.gpkg")) as connection, connection:
        connection.execute("UPDATE villagemap_writer SET open = 1")
        connection.execute("DELETE FROM personal_values WHERE subject = ?", (f"issue/{FIRST}",))
        connection.execute("UPDATE issues SET responsible = '', phone = '' WHERE fid = 1")
        connection.execute("UPDATE villagemap_writer SET open = 0")
    found = verify(session)
    assert (found.erased, found.whole) == (2, True)
    back_up(session, tmp_path / "b.zip")
    assert restore(tmp_path / "b.zip", tmp_path / "back").erased == 2


# By the command line


def test_the_commands_go_together(county: Session, tmp_path: Path):
    folder = county.workspace.folder
    county.workspace.close()

    def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "villagemap", *words],
            env=os.environ | {"VILLAGEMAP_LANG": "en", "VILLAGEMAP_DIR": str(folder), "PYTHONUTF8": "1"},
            cwd=tmp_path, capture_output=True, encoding="utf-8", check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done

    printed = run("anchor").stdout.strip()
    typo = printed[:-1] + ("2" if printed[-1] != "2" else "3")
    assert "typing error" in run("verify", "--anchor", typo, code=3).stderr
    assert printed in run("backup", "b.zip").stderr
    assert "never overwritten" in run("backup", "b.zip", code=2).stderr
    assert "Restored" in run("restore", "b.zip", "--dir", "back").stderr
    assert "--replace" in run("restore", "b.zip", "--dir", "back", code=2).stderr
    assert "earlier county" in run("restore", "b.zip", "--dir", "back", "--replace").stderr
    verified = run("verify", "--anchor", printed, "--dir", "back").stderr
    assert "stands as it was" in verified
    assert "2, all there" in verified
    shutil.rmtree(tmp_path / "back" / "photos")
    (tmp_path / "back" / "photos").mkdir()
    assert "file is gone: 2" in run("verify", "--dir", "back", code=3).stderr
    assert "newest schema" in run("upgrade").stderr
    assert json.loads(run("snapshot", "s.gpkg", "--for", "public", "--json").stdout)["rows"]["villages"] == 9
    run("snapshot", "s.gpkg", "--for", "owner", code=2)
    run("anchor", "--on", "2026-03-1", code=2)
