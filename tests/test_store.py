"""The contract of every store. Today there is one; the suite takes whatever ``make_store`` gives."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import MORNING, TODAY, tiny_issue, tiny_places
from villagemap.errors import ConflictError, WorkspaceError
from villagemap.flows.workspace import Workspace
from villagemap.model import (
    Audience,
    BBox,
    Change,
    Issue,
    IssueFilter,
    Level,
    Located,
    Photo,
    Privacy,
    Record,
    Sighting,
    Status,
)
from villagemap.store import GeoPackageStore, schema
from villagemap.store.schema import migrations


@pytest.fixture
def store(tiny: Workspace) -> GeoPackageStore:
    assert isinstance(tiny.store, GeoPackageStore)
    return tiny.store


def _change(issue: Issue, kind: str = "note") -> Change:
    return Change(kind=kind, issue=issue, at=MORNING, actor="owner")


def _raw(store: GeoPackageStore, sql: str, *values: object) -> None:
    """Write behind the program's back, as somebody would who knows how."""
    connection = sqlite3.connect(store.path)
    with connection:
        connection.execute("UPDATE villagemap_writer SET open = 1")
        for trigger in ("append_only_events_update", "append_only_events_delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        connection.execute(sql, values)
        connection.execute("UPDATE villagemap_writer SET open = 0")
    connection.close()


def test_what_was_written_comes_back(store: GeoPackageStore) -> None:
    places = tiny_places()
    for n in range(60):
        issue = store.issue(f"019c0000-0000-7000-8000-{n:012d}")
        assert issue is not None
        written = tiny_issue(n, places)
        assert issue == replace(written, number=issue.number, revision=issue.revision)
    assert store.places() == sorted(places, key=lambda place: (place.code, place.place_id))
    assert [place.name for place in store.places(Level.TOWN)] == ["甲镇", "乙镇", "丙镇"]


def test_numbers_are_readable_and_never_used_twice(store: GeoPackageStore) -> None:
    numbers = [issue.number for issue in store.issues(IssueFilter(), limit=100)]
    assert numbers == [f"2026-{n:05d}" for n in range(1, 61)]
    assert store.issue("2026-00007") == store.issue("019c0000-0000-7000-8000-000000000006")


def test_a_report_has_no_number_until_it_is_registered(store: GeoPackageStore) -> None:
    fresh = Issue(id="019c0000-0000-7000-8000-00000000aaaa", county="tiny", category="toilet_dry",
                  status=Status.REPORTED, source="public_report")  # fmt: skip
    with store.writing() as writer:
        writer.record([_change(fresh, "report")])
    reported = store.issue(fresh.id)
    assert reported is not None
    assert reported.number == ""
    with store.writing() as writer:
        writer.record([_change(replace(reported, status=Status.REGISTERED), "register")])
    registered = store.issue(fresh.id)
    assert registered is not None
    assert (registered.number, registered.revision) == ("2026-00061", 2)
    assert store.verify() is None


def test_the_second_of_two_writers_is_told(store: GeoPackageStore) -> None:
    read = store.issue("2026-00001")
    assert read is not None
    with store.writing() as writer:
        writer.record([_change(replace(read, severity=5))])
    with pytest.raises(ConflictError, match="2026-00001"), store.writing() as writer:
        writer.record([_change(replace(read, severity=1))])
    stands = store.issue("2026-00001")
    assert stands is not None
    assert (stands.severity, stands.revision) == (5, read.revision + 1)


def test_a_transaction_is_all_or_nothing(store: GeoPackageStore) -> None:
    before = (store.head(), store.count(IssueFilter()))
    fresh = replace(tiny_issue(0, tiny_places()), id="019c0000-0000-7000-8000-00000000bbbb")
    with pytest.raises(RuntimeError), store.writing() as writer:
        writer.record([_change(fresh, "register")])
        raise RuntimeError
    assert (store.head(), store.count(IssueFilter())) == before
    assert store.verify() is None


FILTERS = {
    "town": (IssueFilter(towns=("t1",)), lambda i: i.town_id == "t1"),
    "two villages": (IssueFilter(villages=("v4", "v9")), lambda i: i.village_id in {"v4", "v9"}),
    "category": (IssueFilter(categories=("toilet_dry",)), lambda i: i.category == "toilet_dry"),
    "status": (IssueFilter(statuses=("closed", "returned")), lambda i: i.status in {"closed", "returned"}),
    "severity": (IssueFilter(severities=(5,)), lambda i: i.severity == 5),
    "located": (IssueFilter(located=("inside",)), lambda _: True),
    "from": (IssueFilter(found_from=date(2026, 3, 1)), lambda i: i.found_on >= date(2026, 3, 1)),
    "to": (IssueFilter(found_to=date(2026, 2, 9)), lambda i: i.found_on <= date(2026, 2, 9)),
    "office": (IssueFilter(audience=Audience.OFFICE), lambda i: i.privacy != "restricted"),
    "overdue": (
        IssueFilter(overdue_on=TODAY),
        lambda i: i.status in {"registered", "rectifying", "returned"} and i.due_on is not None and i.due_on < TODAY,
    ),
    "both": (IssueFilter(towns=("t2",), severities=(1, 2)), lambda i: i.town_id == "t2" and i.severity <= 2),
    "bbox": (
        IssueFilter(bbox=BBox(111.15, 20.6, 111.152, 20.9)),
        lambda i: i.geometry and 111.15 <= shapely.from_wkt(i.geometry).x <= 111.152,
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_keep_what_they_say(store: GeoPackageStore, name: str) -> None:
    where, keeps = FILTERS[name]
    expected = {issue.id for issue in store.issues(IssueFilter(), limit=100) if keeps(issue)}
    assert {issue.id for issue in store.issues(where, limit=100)} == expected
    assert store.count(where) == len(expected) > 0
    texts = [text for block in store.features(where) for text in block]
    assert {orjson.loads(text)["id"] for text in texts} == expected


def test_pages_follow_each_other_without_gap_or_overlap(store: GeoPackageStore) -> None:
    whole = store.feature_page(IssueFilter(), limit=100)
    assert whole.after is None
    pages, after = [], 0
    while True:
        page = store.feature_page(IssueFilter(), limit=7, after=after)
        pages += page.features
        if page.after is None:
            break
        after = page.after
    assert pages == whole.features


def test_the_public_sees_homes_by_village_only_and_no_free_text(store: GeoPackageStore) -> None:
    features = [orjson.loads(t) for block in store.features(IssueFilter(audience=Audience.PUBLIC)) for t in block]
    assert {f["properties"]["category"] for f in features}.isdisjoint({"household_housing"})
    homes = [f for f in features if f["properties"]["category"] == "mudbrick_house"]
    assert homes
    assert all(home["geometry"] is None and home["properties"]["village"] for home in homes)
    assert all(f["properties"]["description"] is None for f in features)
    assert any(f["geometry"] for f in features)


def test_columns_follow_changes(store: GeoPackageStore) -> None:
    first = store.columns()
    assert first.fid.tolist() == list(range(1, 61))
    assert store.columns(first) is first
    read = store.issue("2026-00003")
    assert read is not None
    fresh = replace(tiny_issue(1, tiny_places()), id="019c0000-0000-7000-8000-00000000cccc", category="haul_late")
    with store.writing() as writer:
        writer.record([_change(replace(read, status=Status.DEFERRED, deferred_until=date(2026, 5, 1))), _change(fresh)])
    second, anew = store.columns(first), store.columns()
    assert second.fid.tolist() == anew.fid.tolist() == list(range(1, 62))
    for name in ("lon", "lat", "status", "town", "village", "found", "due", "progress", "located", "privacy", "shape"):
        assert getattr(second, name).tolist()[2] == getattr(anew, name).tolist()[2], name
    assert [second.categories[n] for n in second.category] == [anew.categories[n] for n in anew.category]


def test_renaming_a_place_shows_in_features_at_once(store: GeoPackageStore) -> None:
    town = store.places(Level.TOWN)[0]
    with store.writing() as writer:
        writer.put_places([replace(town, name="新甲镇")], actor="owner", at=MORNING)
    feature = store.feature("019c0000-0000-7000-8000-000000000000")
    assert feature is not None
    assert orjson.loads(feature)["properties"]["town"] == "新甲镇"
    assert store.verify() is None


def test_personal_values_are_not_in_any_event_body(store: GeoPackageStore) -> None:
    connection = sqlite3.connect(store.path)
    bodies = "".join(body for (body,) in connection.execute("SELECT body FROM events"))
    held = connection.execute("SELECT count(*) FROM personal_values WHERE value = '某人'").fetchone()[0]
    connection.close()
    assert "某人" not in bodies
    assert "00012345678" not in bodies
    assert held == 9
    household = store.issue("019c0000-0000-7000-8000-000000000005")
    assert household is not None
    assert household.geometry is not None
    assert household.geometry not in bodies


def test_erasing_a_personal_value_leaves_the_chain_valid(store: GeoPackageStore) -> None:
    subject = "issue/019c0000-0000-7000-8000-000000000000"
    _raw(store, "DELETE FROM personal_values WHERE subject = ?", subject)
    broken = store.verify()
    assert broken is not None  # erased from the chain, but it still stands in the row
    assert broken.fault == "personal_changed"
    _raw(store, "UPDATE issues SET responsible = '', phone = '' WHERE fid = 1")
    assert store.verify() is None


TAMPERINGS = {
    "a status": ("UPDATE issues SET status = 'closed' WHERE fid = 3", ("issues", "2026-00003")),
    "a point": ("UPDATE issues SET lon = lon + 0.01 WHERE fid = 3", ("issues", "2026-00003")),
    "a revision": ("UPDATE issues SET revision = 9 WHERE fid = 4", ("issues", "2026-00004")),
    "a sighting": ("UPDATE sightings SET source = 'x' WHERE list_number = '2'", ("issues", "2026-00002")),
    "a text": ("UPDATE issue_features SET feature = '{}' WHERE fid = 5", ("issue_features", "2026-00005")),
    "a name of somebody": ("UPDATE issues SET responsible = '别人' WHERE fid = 1", ("issues", "2026-00001")),
    "a row gone": ("DELETE FROM issues WHERE fid = 6", ("issues", "issue/019c0000-0000-7000-8000-000000000005")),
    "a place": ("UPDATE places SET name = '假' WHERE place_id = 'v4'", ("places", "449923101200")),
    "a border": ("UPDATE places SET geom = NULL WHERE place_id = 'v4'", ("places", "449923101200")),
    "an event's body": ("UPDATE events SET body = replace(body, 'owner', 'other') WHERE seq = 50", ("events", "50")),
    "an event's actor": ("UPDATE events SET actor = 'other' WHERE seq = 50", ("events", "50")),
    "an event gone": ("DELETE FROM events WHERE seq = 60", ("events", "60")),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_verify_names_what_was_changed_behind_its_back(store: GeoPackageStore, name: str) -> None:
    assert store.verify() is None
    sql, (table, key) = TAMPERINGS[name]
    _raw(store, sql)
    broken = store.verify()
    assert broken is not None
    assert (broken.table, broken.key) == (table, key)


@pytest.mark.parametrize("table", ["issues", "places", "sightings", "personal_values", "counters"])
def test_foreign_writers_are_refused_with_a_sentence(store: GeoPackageStore, table: str) -> None:
    connection = sqlite3.connect(store.path)
    column = connection.execute(f"SELECT name FROM pragma_table_info('{table}') LIMIT 1 OFFSET 1").fetchone()[0]
    with pytest.raises(sqlite3.IntegrityError, match="villagemap import"):
        connection.execute(f"UPDATE {table} SET {column} = {column}")
    connection.close()


def test_events_can_only_be_added(store: GeoPackageStore) -> None:
    connection = sqlite3.connect(store.path)
    connection.execute("UPDATE villagemap_writer SET open = 1")
    with pytest.raises(sqlite3.IntegrityError, match="only be added"):
        connection.execute("DELETE FROM events")
    connection.close()


def test_photos_belong_to_the_chain(store: GeoPackageStore) -> None:
    photo = Photo(sha256="ab" * 32, issue_id="019c0000-0000-7000-8000-000000000001", stage="after", taken_at=MORNING)
    with store.writing() as writer:
        writer.add_photos([photo], actor="owner", at=MORNING)
    assert store.photos(photo.issue_id) == [photo]
    assert store.verify() is None
    _raw(store, "UPDATE photos SET stage = 'before'")
    broken = store.verify()
    assert broken is not None
    assert broken.table == "photos"


def test_a_newer_schema_and_foreign_files_are_refused(store: GeoPackageStore, tmp_path: Path) -> None:
    _raw(store, "UPDATE villagemap SET value = ? WHERE key = 'schema'", str(len(migrations()) + 1))
    with pytest.raises(WorkspaceError, match="newer"):
        GeoPackageStore(store.path)
    other = tmp_path / "other.gpkg"
    other.write_bytes(b"not a database at all, only text")
    with pytest.raises(WorkspaceError):
        GeoPackageStore(other)
    with sqlite3.connect(tmp_path / "plain.gpkg") as plain:
        plain.execute("CREATE TABLE things (x)")
    plain.close()
    with pytest.raises(WorkspaceError):
        GeoPackageStore(tmp_path / "plain.gpkg")
    with pytest.raises(WorkspaceError):
        GeoPackageStore(tmp_path / "missing.gpkg")


KILLED = """
import sys, os, signal
from pathlib import Path
from dataclasses import replace
sys.path.insert(0, sys.argv[2])
from conftest import MORNING, tiny_issue, tiny_places
from villagemap.model import Change
from villagemap.store import GeoPackageStore, schema
store = GeoPackageStore(Path(sys.argv[1]))
places = tiny_places()
for n in range(1000):
    issue = replace(tiny_issue(n, places), id=f"019c0009-0000-7000-8000-{n:012d}")
    with store.writing() as writer:
        writer.record([Change(kind="register", issue=issue, at=MORNING, actor="owner")])
    print(issue.id, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="kills with SIGKILL")
def test_every_acknowledged_write_outlives_a_kill(store: GeoPackageStore) -> None:
    store.close()
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(store.path), str(Path(__file__).parent)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip() for _ in range(25)]
    child.send_signal(signal.SIGKILL)
    acknowledged += [line.strip() for line in child.stdout.read().splitlines() if len(line.strip()) == 36]
    child.wait()
    child.stdout.close()
    again = GeoPackageStore(store.path)
    assert all(again.issue(issue_id) is not None for issue_id in acknowledged)
    assert again.verify() is None
    again.close()


def test_commits_are_synced_in_full(store: GeoPackageStore) -> None:
    with store.writing():
        connection = store._write_connection
        assert connection is not None
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


@st.composite
def issues(draw: st.DrawFn) -> Issue:
    words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
    geometry = draw(
        st.one_of(
            st.none(),
            st.builds("POINT ({:.7f} {:.7f})".format, st.floats(-180, 180), st.floats(-89, 89)),
            st.just("LINESTRING (111.1 20.7, 111.2 20.75)"),
            st.just("POLYGON ((111.1 20.7, 111.1 20.8, 111.2 20.8, 111.1 20.7))"),
        )
    )
    return Issue(
        id=str(draw(st.uuids())),
        county="tiny",
        category=draw(st.sampled_from(["toilet_dry", "black_water", "household_housing"])),
        status=draw(st.sampled_from(list(Status))),
        source=draw(words),
        privacy=draw(st.sampled_from(list(Privacy))),
        quantity_found=draw(st.floats(0, 1e6, allow_nan=False).map(lambda q: round(q, 3))),
        located=draw(st.sampled_from(list(Located))),
        geometry=geometry,
        description=draw(words),
        responsible=draw(words),
        phone=draw(words),
        subdefects=tuple(draw(st.lists(words, max_size=3))),
        found_on=draw(st.one_of(st.none(), st.dates(date(2000, 1, 1), date(2100, 1, 1)))),
        sightings=tuple(
            Sighting(id=str(draw(st.uuids())), source=draw(words), found_by=draw(words), given_x=draw(words))
            for _ in range(draw(st.integers(0, 2)))
        ),
    )


@settings(max_examples=40, deadline=None)
@given(batch=st.lists(issues(), min_size=1, max_size=4, unique_by=lambda issue: issue.id), again=st.booleans())
def test_any_issue_comes_back_and_verifies(batch: list[Issue], again: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = GeoPackageStore.create(Path(folder) / "any.gpkg", "tiny")
        try:
            _write_and_read(store, batch, again=again)
        finally:
            store.close()


def _write_and_read(store: GeoPackageStore, batch: list[Issue], *, again: bool) -> None:
    with store.writing() as writer:
        writer.record([_change(issue, "register") for issue in batch])
    for issue in batch:
        stored = store.issue(issue.id)
        assert stored is not None
        geometry = issue.geometry and shapely.from_wkt(issue.geometry)
        assert (stored.geometry is None) == (geometry is None)
        if geometry:
            assert shapely.equals_exact(
                shapely.normalize(shapely.from_wkt(stored.geometry)), shapely.normalize(geometry), tolerance=1e-7
            )
        same = replace(issue, geometry=stored.geometry, number=stored.number, revision=1)
        assert stored == same
        if again:
            with store.writing() as writer:
                writer.record([_change(replace(stored, description="", responsible="改", sightings=()))])
    assert store.verify() is None


@pytest.fixture(autouse=True)
def _closed(store: GeoPackageStore) -> Iterator[None]:
    yield
    store.close()


def test_times_are_kept_to_the_microsecond(store: GeoPackageStore) -> None:
    at = datetime(2026, 3, 1, 4, 5, 6, 789012, tzinfo=UTC)
    read = store.issue("2026-00001")
    assert read is not None
    with store.writing() as writer:
        writer.record([Change(kind="note", issue=read, at=at, actor="owner")])
    assert store.events(f"issue/{read.id}")[-1].at == at
    assert store.last_event_at() == at


def test_records_are_the_sum_of_their_events(store: GeoPackageStore) -> None:
    first = Record(subject="sweep/s1", type="sweep", fields={"name": "三月大排查", "open": True})
    with store.writing() as writer:
        writer.put_record(first, kind="begin", actor="owner", at=MORNING)
    read = store.record("sweep/s1")
    assert read == replace(first, revision=1)
    with store.writing() as writer:
        writer.put_record(replace(read, fields={"name": "三月大排查"}), kind="close", actor="owner", at=MORNING)
    assert store.records("sweep") == [replace(first, fields={"name": "三月大排查"}, revision=2)]
    assert [event.kind for event in store.events("sweep/s1")] == ["sweep.begin", "sweep.close"]
    assert store.verify() is None
    with pytest.raises(ConflictError), store.writing() as writer:
        writer.put_record(read, kind="close", actor="owner", at=MORNING)
    _raw(store, "UPDATE records SET fields = '{}'")
    broken = store.verify()
    assert broken is not None
    assert (broken.table, broken.key) == ("records", "sweep/s1")


@pytest.mark.parametrize("version", range(1, len(migrations())))
def test_every_earlier_schema_is_upgraded(tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "old.gpkg"
    with monkeypatch.context() as earlier:
        earlier.setattr(schema, "migrations", lambda: migrations()[:version])
        earlier.setattr(schema, "GUARDED", tuple(t for t in schema.GUARDED if t in _tables_of(version)))
        GeoPackageStore.create(path, "tiny").close()
    with pytest.raises(WorkspaceError, match="older"):
        GeoPackageStore(path)
    assert GeoPackageStore.upgrade(path) == (version, len(migrations()))
    upgraded = GeoPackageStore(path)
    with upgraded.writing() as writer:
        writer.record([_change(tiny_issue(1, tiny_places()), "register")])
    assert upgraded.verify() is None
    upgraded.close()
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="villagemap import"):
        connection.execute("INSERT INTO records VALUES ('tiny', 'x', 'x', '', '{}', 1, 1)")
    connection.close()


def _tables_of(version: int) -> set[str]:
    script = "".join(path.read_text(encoding="utf-8") for path in migrations()[:version])
    return set(re.findall(r"CREATE TABLE (\w+)", script))
