"""Sweeps through the real store: what counts, who may, what a retry does, and that one missed village holds it open."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import shapely

from conftest import MORNING, TODAY, fill_tiny
from test_actions import ALIKE, FAR, GOOD, photograph
from test_cli import run
from villagemap.auth import Actor, Grant, Link, Role
from villagemap.errors import AmbiguousError, BadInputError, ConflictError, ForbiddenError, NotFoundError, WrongUseError
from villagemap.flows.campaigns.sweep_views import coverage, coverage_map, list_sweeps, missed
from villagemap.flows.campaigns.sweeps import (
    Position,
    begin_sweep,
    check_in,
    close_sweep,
    mark_unreachable,
    visit_by_photo,
)
from villagemap.flows.registry import Session
from villagemap.flows.workspace import Workspace, init_workspace, open_workspace
from villagemap.model import Level, Photo, Place
from villagemap.reach import Fault, ProofKind
from villagemap.settings import Settings, now
from villagemap.sweeps import Outcome, list_digest
from villagemap.texts import LANGS

FIRST_TOWN = Actor("u1", (Grant(role=Role.TOWN_CADRE, places=("t1",)),))
SECOND_TOWN = Actor("u2", (Grant(role=Role.TOWN_CADRE, places=("t2",)),))
VILLAGE = Actor("u3", (Grant(role=Role.VILLAGE_CADRE, places=("v4",)),))
TOILETS = Actor("u4", (Grant(role=Role.INSPECTOR, groups=("toilets",)),))
VIEWER = Actor("u5", (Grant(role=Role.VIEWER),))
BUREAU = Actor("u6", (Grant(role=Role.BUREAU_OFFICER),))
HERE = Position(lon=111.15, lat=20.65, accuracy_m=12.0)
NEXT_VILLAGE = Position(lon=111.15, lat=20.75, accuracy_m=12.0)


def as_(session: Session, actor: Actor) -> Session:
    return Session(session.workspace, actor)


@pytest.fixture
def swept(session: Session) -> Iterator[Session]:
    """The tiny county with a sweep of its nine villages running; whatever happens, the chain holds at the end."""
    begin_sweep(session, "春季排查")
    yield session
    assert session.workspace.store.verify() is None


def test_the_list_is_frozen(session: Session) -> None:
    sweep = begin_sweep(session, " 春季 排查 ")
    assert (sweep.name, [place.place_id for place in sweep.listed]) == ("春季 排查", [f"v{n}" for n in range(4, 13)])
    assert sweep.digest == list_digest(sweep.listed)
    added = Place(place_id="v40", county="tiny", level=Level.VILLAGE, code="449923101299", name="新村", short_name="新",
                  parent_id="t1")  # fmt: skip
    with session.workspace.store.writing() as writer:
        writer.put_places([added], actor="owner", at=MORNING)
    state = coverage(session, "春季 排查")
    assert state.sweep == sweep
    assert {line.outcome for line in state.places} == {Outcome.PENDING}
    assert session.workspace.store.verify() is None


def test_chosen_towns_hamlets_and_one_kind(session: Session) -> None:
    sweep = begin_sweep(session, "a", towns=["甲镇"], hamlets=True, category="应拆未拆旱厕")
    assert len(sweep.listed) == 3 + 9
    assert [place.level for place in sweep.listed[:4]] == [Level.VILLAGE] + [Level.HAMLET] * 3
    assert sweep.category == "toilet_dry"
    issue = session.workspace.store.issues(_all(), limit=1)[0]
    started = begin_sweep(session, "b", from_issue=issue.number)
    assert (started.from_issue, started.category) == (issue.id, issue.category)


def _all():
    from villagemap.model import IssueFilter

    return IssueFilter()


@pytest.mark.parametrize(
    ("name", "said", "code"),
    [
        ("  ", {}, "sweep_nameless"),
        ("春季排查", {}, "sweep_name_taken"),
        ("b", {"category": "没有这一类"}, "unknown_categories"),
        ("b", {"towns": ["丁镇"]}, "unknown_town"),
        ("b", {"from_issue": "nothing"}, "unknown_issue"),
    ],
)
def test_what_no_sweep_begins_with(swept: Session, name: str, said: dict, code: str) -> None:
    seq = swept.workspace.store.head().seq
    with pytest.raises((BadInputError, ConflictError, WrongUseError)) as refused:
        begin_sweep(swept, name, **said)
    assert refused.value.code == code
    assert all(refused.value.sentence(lang) for lang in LANGS)
    assert swept.workspace.store.head().seq == seq


def test_an_empty_county_has_nothing_to_sweep(empty_session: Session) -> None:
    with pytest.raises(BadInputError, match="Import places"):
        begin_sweep(empty_session, "a")


def test_a_check_in_within_the_reach_counts(swept: Session) -> None:
    line = check_in(swept, "春季排查", "甲镇/东村", HERE, issues=True, note="路通了")
    assert line.proofs[0].holds
    assert (line.proofs[0].distance_m, line.proofs[0].accuracy_m) == (0, 12)
    state = coverage(swept, "春季排查")
    assert state.places[0].outcome is Outcome.VISITED_WITH_ISSUES
    assert state.places[0].visits == (line,)
    assert (state.towns[0].visited, state.towns[0].missed) == (1, 2)


def test_no_event_holds_where_somebody_stood(swept: Session) -> None:
    line = check_in(swept, "春季排查", "v4", Position(lon=111.151234, lat=20.654321, accuracy_m=7.0))
    (event,) = swept.workspace.store.events(f"visit/{line.id}")
    assert "111.15" not in event.body
    assert "20.65" not in event.body


@pytest.mark.parametrize(
    ("position", "fault"),
    [
        (NEXT_VILLAGE, Fault.TOO_FAR),
        (replace(HERE, measured=False), Fault.TAPPED),
        (replace(HERE, accuracy_m=800.0), Fault.TOO_ROUGH),
        (replace(HERE, accuracy_m=float("nan")), Fault.TOO_ROUGH),
        (replace(HERE, accuracy_m=1e300), Fault.TOO_ROUGH),
        (replace(HERE, accuracy_m=-5.0), Fault.BAD_POSITION),
        (replace(HERE, lat=float("inf")), Fault.BAD_POSITION),
        (replace(HERE, lon=999.0), Fault.BAD_POSITION),
    ],
)
def test_what_is_no_proof_is_recorded_and_doesnt_count(swept: Session, position: Position, fault: Fault) -> None:
    line = check_in(swept, "春季排查", "v4", position)
    assert line.proofs[0].fault is fault
    state = coverage(swept, "春季排查")
    assert state.places[0].outcome is Outcome.PENDING
    assert (state.towns[0].missed, state.towns[0].unproven) == (3, 1)
    assert state.places[0].visits == (line,)


def test_a_place_that_was_taken_away_has_no_reach(swept: Session) -> None:
    bare = replace(swept.workspace.gazetteer().by_id["v4"], geometry=None, seat=None)
    with swept.workspace.store.writing() as writer:
        writer.put_places([bare], actor="owner", at=now())
    assert check_in(swept, "春季排查", "v4", HERE).proofs[0].fault is Fault.NO_REACH


def test_a_visit_lies_between_the_first_day_and_now(session: Session) -> None:
    begin_sweep(session, "a", begins_on=TODAY)
    for at, code in (
        (datetime(2026, 3, 19, 15, 59, tzinfo=UTC), "visit_too_early"),
        (now() + timedelta(hours=1), "visit_in_future"),
        (datetime(2026, 3, 20, 12, 0), "visit_in_future"),  # noqa: DTZ001
    ):
        with pytest.raises(BadInputError) as refused:
            check_in(session, "a", "v4", HERE, at=at)
        assert refused.value.code == code
        assert all(refused.value.sentence(lang) for lang in LANGS)
    line = check_in(session, "a", "v4", HERE, at=datetime(2026, 3, 19, 16, 0, tzinfo=UTC))
    assert line.proofs[0].holds


def test_unreachable_needs_a_reason(swept: Session) -> None:
    with pytest.raises(WrongUseError):
        mark_unreachable(swept, "春季排查", "v4", "  ")
    mark_unreachable(swept, "春季排查", "v4", "塌方，路断了")
    assert coverage(swept, "春季排查").places[0].outcome is Outcome.UNREACHABLE


def test_a_graded_photo_of_an_issue_there_counts(swept: Session) -> None:
    issue = next(i for i in swept.workspace.store.issues(_all(), limit=60) if i.village_id == "v4")
    shas = [photograph(swept.workspace, issue, "before", grade, n) for n, grade in enumerate((GOOD, ALIKE, FAR))]
    with pytest.raises(BadInputError) as undated:
        visit_by_photo(swept, "春季排查", "v4", issue.id, shas[0])
    assert undated.value.code == "photo_undated"
    dated = ["ab" * 32, "cd" * 32, "ef" * 32]
    when = (TODAY_AT, TODAY_AT - timedelta(days=30), TODAY_AT)
    for sha, at, grade in zip(dated, when, (GOOD, GOOD, FAR), strict=True):
        _dated_photo(swept.workspace, issue, sha, at, grade)
    with pytest.raises(BadInputError) as early:
        visit_by_photo(swept, "春季排查", "v4", issue.id, dated[1])
    assert early.value.code == "visit_too_early"
    with pytest.raises(BadInputError) as elsewhere:
        visit_by_photo(swept, "春季排查", "v5", issue.id, dated[0])
    assert elsewhere.value.code == "photo_elsewhere"
    assert visit_by_photo(swept, "春季排查", "v4", issue.id, dated[2]).proofs[0].fault is Fault.LOW_GRADE
    assert coverage(swept, "春季排查").places[0].outcome is Outcome.PENDING
    line = visit_by_photo(swept, "春季排查", "v4", issue.id, dated[0])
    assert (line.proofs[0].kind, line.source) == (ProofKind.PHOTO, f"photo/{issue.id}/{dated[0]}")
    assert coverage(swept, "春季排查").places[0].outcome is Outcome.VISITED_WITH_ISSUES
    with pytest.raises(NotFoundError):
        visit_by_photo(swept, "春季排查", "v4", issue.id, "00" * 32)


TODAY_AT = datetime(2026, 3, 20, 3, 0, tzinfo=UTC)


def _dated_photo(workspace: Workspace, issue, sha: str, at: datetime, grade) -> None:
    from villagemap.flows.cases.evidence import grade_fields, photo_subject
    from villagemap.model import Record

    with workspace.store.writing() as writer:
        writer.add_photos([Photo(sha256=sha, issue_id=issue.id, stage="before", taken_at=at)], actor="u1", at=MORNING)
        record = Record(subject=photo_subject(issue.id, sha), type="photo", parent=issue.id,
                        fields=grade_fields("before", grade))  # fmt: skip
        writer.put_record(record, kind="grade", actor="u1", at=MORNING)


def test_names_that_repeat_need_their_town(swept: Session) -> None:
    with pytest.raises(AmbiguousError) as several:
        check_in(swept, "春季排查", "东村", HERE)
    assert several.value.params["candidates"] == ["甲镇/东村村委会", "乙镇/东村村委会", "丙镇/东村村委会"]
    assert check_in(swept, "春季排查", "449923101200", HERE).place_id == "v4"
    assert check_in(swept, "春季排查", "甲镇/东村村委会", HERE).place_id == "v4"
    for word in ("没有村", "h13", "丁镇/东村"):
        with pytest.raises(NotFoundError) as absent:
            check_in(swept, "春季排查", word, HERE)
        assert absent.value.code == "place_not_listed"


# Who may


def test_two_cadres_see_and_record_their_own_towns(swept: Session) -> None:
    first, second = as_(swept, FIRST_TOWN), as_(swept, SECOND_TOWN)
    check_in(first, "春季排查", "v4", HERE, note="电话 13800138000")
    with pytest.raises(ForbiddenError):
        check_in(second, "春季排查", "v4", HERE)
    with pytest.raises(ForbiddenError):
        mark_unreachable(second, "春季排查", "v4", "x")
    assert [town.town for town in coverage(first, "春季排查").towns] == ["甲镇"]
    assert [line.place.place_id for line in missed(first, "春季排查")] == ["v5", "v6"]
    assert [line.place.place_id for line in missed(second, "春季排查")] == ["v7", "v8", "v9"]
    assert len(missed(swept, "春季排查")) == 8
    assert [f["id"] for f in coverage_map(second, "春季排查")["features"]] == ["v7", "v8", "v9"]
    (line,) = coverage(as_(swept, VIEWER), "春季排查").places[0].visits
    assert "138" not in line.note
    with pytest.raises(ForbiddenError):
        close_sweep(first, "春季排查")


def test_a_cadre_begins_a_sweep_of_what_is_theirs(session: Session) -> None:
    village = as_(session, VILLAGE)
    assert [place.place_id for place in begin_sweep(village, "a", hamlets=True).listed] == ["v4", "h13", "h14", "h15"]
    with pytest.raises(ForbiddenError):
        begin_sweep(village, "b", towns=["甲镇"])
    with pytest.raises(ForbiddenError):
        begin_sweep(as_(session, FIRST_TOWN), "b", towns=["甲镇", "乙镇"])
    with pytest.raises(NotFoundError):
        coverage(as_(session, SECOND_TOWN), "a")
    with pytest.raises(NotFoundError):
        check_in(as_(session, SECOND_TOWN), "a", "v4", HERE)
    assert list_sweeps(as_(session, SECOND_TOWN)) == []
    assert len(list_sweeps(as_(session, FIRST_TOWN))) == 1


def test_a_grant_for_some_kinds_sweeps_those(swept: Session) -> None:
    inspector = as_(swept, TOILETS)
    with pytest.raises(BadInputError):
        begin_sweep(inspector, "all")
    assert begin_sweep(inspector, "旱厕", category="toilet_dry").listed
    assert [state.sweep.name for state in list_sweeps(inspector)] == ["旱厕"]


@pytest.mark.parametrize("actor", [VIEWER, BUREAU, Actor("l1", link=Link(places=("t1",)))])
def test_who_only_looks_records_nothing(swept: Session, actor: Actor) -> None:
    seq = swept.workspace.store.head().seq
    looking = as_(swept, actor)
    for attempt in (
        lambda: begin_sweep(looking, "b"),
        lambda: check_in(looking, "春季排查", "v4", HERE),
        lambda: mark_unreachable(looking, "春季排查", "v4", "x"),
        lambda: visit_by_photo(looking, "春季排查", "v4", "x", "00" * 32),
        lambda: close_sweep(looking, "春季排查"),
    ):
        with pytest.raises(ForbiddenError):
            attempt()
    assert coverage(looking, "春季排查").places
    assert swept.workspace.store.head().seq == seq


def test_a_link_reads_no_notes_and_no_names(swept: Session) -> None:
    check_in(swept, "春季排查", "v4", HERE, note="某人")
    state = coverage(as_(swept, Actor("l1", link=Link(places=("t1",)))), "春季排查")
    (line,) = state.places[0].visits
    assert (line.note, line.by) == ("", "")


# Retries


def test_a_hundred_retries_are_one_record(session: Session) -> None:
    begun = {begin_sweep(session, "a", key="k1").id for _ in range(3)}
    assert len(begun) == 1
    lines = [check_in(session, "a", "v4", HERE, key="k2") for _ in range(100)]
    assert len({line.id for line in lines}) == 1
    assert len(session.workspace.store.records("visit")) == 1
    assert mark_unreachable(session, "a", "v5", "x", key="k3") == mark_unreachable(session, "a", "v5", "x", key="k3")
    for attempt in (
        lambda: check_in(session, "a", "v5", HERE, key="k2"),
        lambda: mark_unreachable(session, "a", "v4", "x", key="k2"),
        lambda: check_in(as_(session, FIRST_TOWN), "a", "v4", HERE, key="k2"),
        lambda: begin_sweep(session, "b", key="k1"),
    ):
        with pytest.raises(ConflictError) as used:
            attempt()
        assert used.value.code == "key_used"
    assert session.workspace.store.verify() is None


# Closing


def many_villages(count: int) -> list[Place]:
    """A town with so many villages, a few on each line of a grid."""
    town = Place(place_id="t1", county="big", level=Level.TOWN, code="449923101", name="大镇", short_name="大")
    villages = [
        Place(place_id=f"v{n + 2}", county="big", level=Level.VILLAGE, code=f"449923101{n:03d}", name=f"村{n}村委会",
              short_name=f"村{n}", parent_id="t1", geometry=_ground(n), seat=_seat(n))
        for n in range(count)
    ]  # fmt: skip
    return [town, *villages]


def _seat(n: int) -> tuple[float, float]:
    return round(111.1 + 0.02 * (n % 20), 6), round(20.6 + 0.02 * (n // 20), 6)


def _ground(n: int) -> bytes:
    lon, lat = _seat(n)
    return bytes(shapely.to_wkb(shapely.box(lon - 0.01, lat - 0.01, lon + 0.01, lat + 0.01), byte_order=1))


def test_a_sweep_of_301_with_300_visited_refuses_to_close_and_names_the_one(empty_session: Session) -> None:
    with empty_session.workspace.store.writing() as writer:
        writer.put_places(many_villages(301), actor="owner", at=MORNING)
    sweep = begin_sweep(empty_session, "大排查")
    assert len(sweep.listed) == 301
    for n in range(301):
        if n != 137:
            lon, lat = _seat(n)
            check_in(empty_session, sweep.id, f"v{n + 2}", Position(lon=lon, lat=lat, accuracy_m=10.0))
    check_in(empty_session, sweep.id, "v139", replace(HERE, lon=111.1, lat=20.6))
    seq = empty_session.workspace.store.head().seq
    with pytest.raises(ConflictError) as refused:
        close_sweep(empty_session, sweep.id)
    assert refused.value.params["missed"] == ["大镇 村137村委会"]
    assert all("大镇 村137村委会" in refused.value.sentence(lang) for lang in LANGS)
    assert empty_session.workspace.store.head().seq == seq
    mark_unreachable(empty_session, sweep.id, "v139", "桥断了")
    closed = close_sweep(empty_session, sweep.id, key="k")
    assert closed.closed_at is not None
    assert close_sweep(empty_session, sweep.id, key="k") == closed
    state = coverage(empty_session, sweep.id)
    assert (state.towns[0].visited, state.towns[0].unreachable, state.missed) == (300, 1, ())
    for attempt in (
        lambda: close_sweep(empty_session, sweep.id),
        lambda: check_in(empty_session, sweep.id, "v2", HERE),
        lambda: mark_unreachable(empty_session, sweep.id, "v2", "x"),
    ):
        with pytest.raises(ConflictError) as over:
            attempt()
        assert over.value.code == "sweep_closed"
    assert empty_session.workspace.store.verify() is None


def test_the_map_shows_every_listed_place_with_its_outcome(swept: Session) -> None:
    check_in(swept, "春季排查", "v4", HERE)
    check_in(swept, "春季排查", "v5", HERE)
    told = json.loads(json.dumps(coverage_map(swept, "春季排查")))
    shown = {f["id"]: (f["properties"]["outcome"], f["properties"]["unproven"]) for f in told["features"]}
    assert shown == {"v4": ("visited_clean", False), "v5": ("pending", True)} | {
        f"v{n}": ("pending", False) for n in range(6, 13)
    }
    assert {f["geometry"]["type"] for f in told["features"]} == {"Polygon"}


# The command line


@pytest.fixture
def county(tmp_path: Path) -> Path:
    """The tiny county, closed."""
    init_workspace(tmp_path / "county", Settings(county="tiny", name="小县", code="449923", today=TODAY))
    workspace = open_workspace(tmp_path / "county")
    fill_tiny(workspace)
    workspace.close()
    return tmp_path / "county"


def test_a_sweep_by_command(county: Path) -> None:
    def sweep(*words: str) -> tuple[int, str, str]:
        done = run("sweep", *words, "--dir", str(county))
        return done.code, done.out, done.err

    assert "no sweep yet" in sweep("status")[2]
    assert sweep("begin", "春季", "--town", "甲镇")[0] == 0
    assert sweep("visit", "春季", "v4")[0] == 2
    assert sweep("visit", "春季", "v4", "--lon", "111.15", "--lat", "20.65", "--accuracy", "9")[0] == 0
    code, _, err = sweep("visit", "春季", "v5", "--lon", "111.15", "--lat", "20.65", "--tapped", "--issues")
    assert code == 0
    assert "doesn't count" in err
    code, out, err = sweep("missed", "春季")
    assert (code, "2 places" in err) == (0, True)
    assert [line.split("\t")[1] for line in out.splitlines()] == ["中村村委会", "西村村委会"]
    code, out, err = sweep("close", "春季")
    assert (code, out, "甲镇 西村村委会" in err) == (2, "", True)
    assert sweep("unreachable", "春季", "v5")[0] == 2
    assert sweep("unreachable", "春季", "v5", "--reason", "塌方")[0] == 0
    code, out, _ = sweep("unreachable", "春季", "v6", "--reason", "塌方", "--json")
    assert json.loads(out)["outcome"] == "unreachable"
    assert json.loads(sweep("missed", "春季", "--json")[1]) == []
    assert sweep("close", "春季")[0] == 0
    told = json.loads(sweep("status", "春季", "--json")[1])
    assert (told["listed"], told["visited"], told["unreachable"], told["missed"]) == (3, 1, 2, 0)
    assert json.loads(sweep("status", "--json")[1])[0]["closed_at"]
    assert sweep("missed", "夏季")[0] == 2


def test_who_closes_and_who_visits_at_once_dont_cross(session: Session) -> None:
    """Eight phones and one impatient office: whatever the order, a closed sweep has no missed place."""
    begin_sweep(session, "a", towns=["甲镇"])
    places = {"v4": HERE, "v5": NEXT_VILLAGE, "v6": Position(lon=111.15, lat=20.85, accuracy_m=9.0)}

    def phone(place: str) -> str:
        return check_in(session, "a", place, places[place], key=f"key {place}").id

    def office(_: int) -> str:
        try:
            return close_sweep(session, "a").id
        except ConflictError as refused:
            return refused.code

    with ThreadPoolExecutor(8) as pool:
        closing = pool.map(office, range(10))
        ids = set(pool.map(phone, [place for place in places for _ in range(4)]))
        assert set(closing) <= {"sweep_missed", "sweep_closed", coverage(session, "a").sweep.id}
    assert len(ids) == len(session.workspace.store.records("visit")) == 3
    assert coverage(session, "a").missed == ()
    assert session.workspace.store.verify() is None
