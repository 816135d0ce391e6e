"""Time travel: any earlier moment is rebuilt exactly, and a frozen meeting shows equal numbers ever after."""

import tempfile
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import MORNING, TODAY, fill_tiny
from villagemap.auth import OWNER
from villagemap.counts import county_counts
from villagemap.errors import BadInputError, ConflictError, NotFoundError, WrongUseError
from villagemap.flows.cases.issues import county_table
from villagemap.flows.registry import Session
from villagemap.flows.standing.meetings import freeze_meeting, list_meetings, meeting
from villagemap.flows.standing.moments import count_issues_then, instant_meant, list_issues_then, moment_of
from villagemap.flows.standing.scores import rank_table, score_table
from villagemap.flows.workspace import Workspace, init_workspace, open_workspace
from villagemap.model import Audience, BBox, Change, Issue, IssueFilter, Located, Part, Privacy, Status
from villagemap.rubric import load_rubric
from villagemap.settings import TIME_ZONE, Settings
from villagemap.store import IssueColumns
from villagemap.store.filters import holds

IDS = [f"019c0000-0000-7000-8000-{n:012d}" for n in range(60)]
KINDS = ("return", "reopen", "edit", "submit", "close", "defer")
maybe_day = st.none() | st.dates(date(2026, 1, 1), date(2026, 6, 1))
changes = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.integers(0, 5),
            "kind": st.sampled_from(KINDS),
            "status": st.sampled_from(Status),
            "found_on": maybe_day,
            "due_on": maybe_day,
            "claimed_closed_on": maybe_day,
            "closed_on": maybe_day,
            "deferred_until": maybe_day,
            "interim_on": maybe_day,
            "quantity_done": st.sampled_from([0.0, 0.5, 2.0]),
            "privacy": st.sampled_from(Privacy),
            "relapse_of": st.none() | st.just(IDS[50]),
            "geometry": st.sampled_from([None, "POINT (111.15 20.65)", "LINESTRING (111.15 20.65, 111.16 20.66)"]),
            "responsible": st.sampled_from(["", "某人", "另一人"]),
            "source": st.sampled_from(["town_sweep", "exposure_film", "leader_visit"]),
        }
    ),
    max_size=12,
)


def same(one: IssueColumns, other: IssueColumns) -> bool:
    """Words may be numbered in another order."""
    for field in fields(IssueColumns):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name in {"category", "source"}:
            words = {"category": "categories", "source": "sources"}[field.name]
            a, b = (np.array(getattr(c, words))[getattr(c, field.name)] for c in (one, other))
        if field.name not in {"seq", "categories", "sources"} and not np.array_equal(
            a, b, equal_nan=field.name in {"lon", "lat"}
        ):
            return False
    return True


def change(workspace: Workspace, told: dict[str, object]) -> None:
    issue = workspace.store.issue(IDS[told["n"]])
    values = {name: value for name, value in told.items() if name not in {"n", "kind"}}
    with workspace.store.writing() as writer:
        at = workspace.store.last_event_at() + timedelta(minutes=1)
        writer.record([Change(kind=told["kind"], issue=replace(issue, **values), at=at, actor="u1")])


@settings(max_examples=25, deadline=None)
@given(changes)
def test_after_each_event_of_a_life_it_stands_as_it_stood_then(life):
    with tempfile.TemporaryDirectory() as folder:
        init_workspace(Path(folder) / "c", Settings(county="tiny", name="小县", today=TODAY))
        workspace = open_workspace(Path(folder) / "c")
        try:
            fill_tiny(workspace)
            stood: dict[int, tuple[IssueColumns, list[Issue]]] = {}
            for told in [None, *life]:
                if told:
                    change(workspace, told)
                seq = workspace.store.head().seq
                stood[seq] = (workspace.store.columns(), workspace.store.issues(IssueFilter(), limit=99))
                assert same(workspace.columns(), stood[seq][0])  # brought up to date, and read anew
            for seq, (columns, issues) in stood.items():
                assert same(workspace.store.columns_at(seq), columns)
                told = [issue for block in workspace.store.states_at(seq) for _, issue in block]
                assert told == issues
            assert workspace.store.verify() is None
        finally:
            workspace.close()


def test_as_of_now_is_now_and_before_the_beginning_is_nothing(session: Session):
    at = datetime.now(UTC)
    assert county_table(session, as_of=at) == county_table(session)
    assert score_table(session, as_of=at).tally.row(1) == score_table(session).tally.row(1)
    assert rank_table(session, as_of=at).ranking.exact.tolist() == rank_table(session).ranking.exact.tolist()
    before = MORNING - timedelta(days=1)
    assert moment_of(session, before).head.seq == 0
    assert county_table(session, as_of=before)[0].found == 0
    assert score_table(session, as_of=before).tally.found.tolist() == [0, 0, 0]


def test_an_instant_includes_what_was_written_at_it(session: Session):
    registered = county_table(session, as_of=MORNING)[0]
    assert (registered.found, registered.claimed, registered.verified) == (60, 0, 0)
    assert county_table(session, as_of=MORNING - timedelta(microseconds=1))[0].found == 0
    later = county_table(session, as_of=MORNING + timedelta(hours=1))[0]
    assert (later.claimed, later.verified) == (24, 12)


def test_days_are_measured_as_of_then(session: Session):
    early = county_table(session, as_of=MORNING + timedelta(hours=1))[0]
    assert early.overdue < county_table(session)[0].overdue
    assert moment_of(session, MORNING).day == date(2026, 3, 1)
    assert moment_of(session, datetime(2027, 1, 1, tzinfo=UTC)).day == TODAY


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("2026-03-31", datetime(2026, 3, 31, 23, 59, 59, 999999, TIME_ZONE)),
        ("2026-03-31T18:00", datetime(2026, 3, 31, 18, tzinfo=TIME_ZONE)),
        ("2026-03-31T10:00:00Z", datetime(2026, 3, 31, 18, tzinfo=TIME_ZONE)),
    ],
)
def test_instants_as_people_write_them(word: str, meant: datetime):
    assert instant_meant(word) == meant


@pytest.mark.parametrize("word", ["", "yesterday", "2026-02-30", "9999-12-31", "31.03.2026"])
def test_what_is_no_instant(word: str):
    with pytest.raises(WrongUseError):
        instant_meant(word)


FILTERS = [
    IssueFilter(),
    IssueFilter(towns=("t1",), statuses=("closed", "registered")),
    IssueFilter(villages=("v5", "v6"), categories=("toilet_dry", "black_water")),
    IssueFilter(severities=(1, 5), located=(Located.INSIDE.value,)),
    IssueFilter(overdue_on=TODAY),
    IssueFilter(found_from=date(2026, 2, 10), found_to=date(2026, 2, 20)),
    IssueFilter(bbox=BBox(111.1, 20.6, 111.2, 20.7)),
    IssueFilter(audience=Audience.OFFICE),
    IssueFilter(within=()),
    IssueFilter(within=(Part(places=("t2",)), Part(issues=(IDS[0],), most_private=Privacy.RESTRICTED))),
    IssueFilter(within=(Part(groups=("toilets",), categories=("toilet_dry",), most_private=Privacy.OPEN),)),
]


@pytest.mark.parametrize("where", FILTERS)
def test_a_filter_means_the_same_for_rows_and_for_what_stood(session: Session, where: IssueFilter):
    store = session.workspace.store
    everything = store.issues(IssueFilter(), limit=99)
    assert [i.id for i in everything if holds(where, i)] == [i.id for i in store.issues(where, limit=99)]
    at = store.last_event_at()
    if where.within is None:
        assert count_issues_then(session, where, at) == store.count(where)
        told = list_issues_then(session, where, at, limit=3)
        assert [i.id for _, i in told] == [i.id for i in store.issues(where, limit=3)]
        more = list_issues_then(session, where, at, limit=99, after=told[-1][0])
        assert len(told) + len(more) == store.count(where)


def test_a_meeting_shows_equal_numbers_after_more_changes(session: Session):
    workspace = session.workspace
    frozen = freeze_meeting(session, "三月~底")
    now = county_table(session)[0]
    assert frozen.figures["county"]["found"] == now.found == 60
    assert (frozen.figures["county"]["claimed"], frozen.figures["county"]["verified"]) == (24, 12)
    for n, status in enumerate((Status.CLOSED, Status.REJECTED, Status.RETURNED, Status.DUPLICATE)):
        change(workspace, {"n": n, "kind": "return", "status": status, "source": "exposure_film"})
    assert county_table(session)[0] != now
    again = meeting(session, "三月~底")
    assert again.meeting == frozen
    assert again.figures == frozen.figures
    assert (again.equal, again.same_rules, again.intact) == (True, True, True)
    later = freeze_meeting(session, "四月初")
    assert later.figures["county"] != frozen.figures["county"]
    assert [m.name for m in list_meetings(session)] == ["四月初", "三月~底"]
    assert workspace.store.verify() is None


def test_other_rules_are_told_and_not_taken_for_other_figures(session: Session):
    freeze_meeting(session, "march")
    (session.workspace.folder / "rubric.toml").write_text("[rank]\nshrink = 3.0\n", encoding="utf-8")
    load_rubric.cache_clear()  # a running program reads it once
    again = meeting(session, "march")
    assert (again.equal, again.same_rules) == (True, False)


def test_a_meeting_is_frozen_once_and_found_by_its_name(session: Session):
    freeze_meeting(session, " a/b ")
    with pytest.raises(ConflictError):
        freeze_meeting(session, "a/b")
    with pytest.raises(NotFoundError, match="a/b"):
        meeting(session, "c")
    for name in ("", " ", "x" * 61, "two\nlines"):
        with pytest.raises(BadInputError):
            freeze_meeting(session, name)


def test_figures_that_were_changed_in_the_record_show(session: Session):
    frozen = freeze_meeting(session, "march")
    record = session.workspace.store.record("meeting/march")
    figures = {**frozen.figures, "county": {**frozen.figures["county"], "verified": 60}}
    with session.workspace.store.writing() as writer:
        prettier = replace(record, fields={**record.fields, "figures": figures})
        writer.put_record(prettier, kind="freeze", actor=OWNER.id, at=MORNING)
    assert not meeting(session, "march").equal


def test_counts_come_from_the_same_columns(session: Session):
    store = session.workspace.store
    assert county_counts(store.columns_at(store.head().seq), TODAY) == county_table(session)[0]
