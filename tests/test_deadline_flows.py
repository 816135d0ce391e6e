"""What is due, will we make it, and deferrals that end by themselves."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import MORNING, TODAY, tiny_issue, tiny_places
from test_actions import ANALYST, BUREAU, TOWN, VIEWER
from villagemap.auth import NOBODY, Actor, Grant, Role
from villagemap.deadlines import urgency
from villagemap.errors import ForbiddenError, NotFoundError
from villagemap.flows.cases.deadlines import DUE, DueCounts, Outlooks, wake_deferred, what_is_due, will_we_make_it
from villagemap.flows.registry import Session
from villagemap.flows.standing.score_views import told_due, told_outlook
from villagemap.flows.workspace import Workspace, init_workspace, open_workspace
from villagemap.forecast import Untold
from villagemap.model import Change, Issue, IssueFilter, Status, Urgency
from villagemap.settings import Settings
from villagemap.workflow import ACTIONS, Facts, Given, moved

PRIVATE_TOWN = Actor("u11", (Grant(role=Role.TOWN_CADRE, places=("t1",), private=True),), frozenset())


def by_hand(issues: list[Issue], today: date) -> DueCounts:
    told = [urgency(issue, today) for issue in issues]
    return DueCounts(**{colour.value: told.count(colour) for colour in DUE})


@settings(max_examples=12, deadline=None)
@given(st.integers(-60, 120))
def test_counters_are_what_one_counts_by_hand(tmp_path_factory: pytest.TempPathFactory, days: int):
    from conftest import fill_tiny

    folder = tmp_path_factory.mktemp("due") / "county"
    init_workspace(folder, Settings(county="tiny", name="小县", today=TODAY))
    workspace = open_workspace(folder)
    try:
        fill_tiny(workspace)
        session, today = Session(workspace, ANALYST), TODAY + timedelta(days=days)
        issues = workspace.store.issues(IssueFilter(), limit=99)
        sheet = what_is_due(session, today, limit=1000)
        assert sheet.counts == by_hand(issues, today)
        for place, counts in sheet.towns:
            assert counts == by_hand([i for i in issues if i.town_id == place.place_id], today)
        for unit, counts in sheet.units:
            assert counts == by_hand([i for i in issues if i.lead_unit == unit], today)
        for person, counts in sheet.persons:
            assert counts == by_hand([i for i in issues if i.responsible == person], today)
        assert len(sheet.lines) == sum((sheet.counts.overdue, sheet.counts.behind, sheet.counts.near))
        ranks = [(DUE.index(line.urgency), line.days_left) for line in sheet.lines]
        assert ranks == sorted(ranks)
        assert all((line.days_left < 0) == (line.urgency is Urgency.OVERDUE) for line in sheet.lines)
    finally:
        workspace.close()


def test_persons_are_shown_only_to_whom_they_may_be(tiny: Workspace):
    assert [name for name, _ in what_is_due(Session(tiny, ANALYST)).persons] == ["某人"]
    for actor in (VIEWER, TOWN, BUREAU):
        sheet = what_is_due(Session(tiny, actor), limit=100)
        assert sheet.persons == ()
        assert {line.responsible for line in sheet.lines} <= {""}
        assert what_is_due(Session(tiny, actor), person="某人").lines == ()
    own = what_is_due(Session(tiny, PRIVATE_TOWN), person="某人")
    assert {line.town for line in own.lines} == {"甲镇"}
    with pytest.raises(ForbiddenError):
        what_is_due(Session(tiny, NOBODY))


def test_lists_are_cut_to_town_unit_and_reach(tiny: Workspace):
    session = Session(tiny, ANALYST)
    assert {line.town for line in what_is_due(session, town="乙镇").lines} == {"乙镇"}
    rural = what_is_due(session, unit="县乡村振兴局")
    assert {line.lead_unit for line in rural.lines} == {"county_rural"}
    assert rural.lines == what_is_due(session, unit="county_rural").lines
    assert {line.category for line in what_is_due(Session(tiny, BUREAU)).lines} == {"toilet_dry"}
    assert [place.name for place, _ in what_is_due(Session(tiny, TOWN)).towns] == ["甲镇"]
    assert len(what_is_due(session, limit=2).lines) == 2
    assert told_due(what_is_due(session))["counts"]["overdue"] == what_is_due(session).counts.overdue
    with pytest.raises(NotFoundError):
        what_is_due(session, town="丁镇")


def put(workspace: Workspace, issues: list[Issue]) -> None:
    with workspace.store.writing() as writer:
        writer.record([Change(kind="register", issue=issue, at=MORNING, actor="owner") for issue in issues])


def closings(workspace: Workspace, daily: int, left: int, *, verified: bool = True) -> Outlooks:
    """So many cases done on each of the last 40 days, and so many left."""
    base = replace(tiny_issue(0, tiny_places()), sightings=(), quantity_done=0.0)
    done = [TODAY - timedelta(days=1 + n // daily) for n in range(40 * daily)]
    status = Status.CLOSED if verified else Status.SUBMITTED
    issues = [
        replace(base, id=f"d{n}", status=status, claimed_closed_on=day, closed_on=day if verified else None)
        for n, day in enumerate(done)
    ]
    put(workspace, [*issues, *(replace(base, id=f"o{n}") for n in range(left))])
    return will_we_make_it(Session(workspace, ANALYST))


def test_will_we_make_it(empty: Workspace):
    told = closings(empty, 3, 20)
    assert (told.last_on, told.open, told.hard) == (date(2026, 3, 19), 20, None)
    soft = told.soft.verified
    assert (soft.deadline, soft.open_count, soft.days, soft.recent) == (date(2026, 3, 31), 20, 12, 3.0)
    assert soft.needed == pytest.approx(20 / 12)
    assert soft.chance == 1.0
    assert told.soft.claimed.open_count == 20
    assert told_outlook(told, "zh")["soft"]["verified"]["in_words"] == soft.in_words("zh")


def test_claims_are_no_closings(empty: Workspace):
    told = closings(empty, 3, 20, verified=False)
    assert told.open == 140
    assert told.soft.verified.untold is Untold.FEW_CLOSINGS
    assert (told.soft.claimed.open_count, told.soft.claimed.recent) == (20, 3.0)


def test_what_was_closed_today_was_open_yesterday(empty: Workspace):
    before = closings(empty, 3, 20).soft.verified
    base = replace(tiny_issue(0, tiny_places()), sightings=())
    put(
        empty,
        [replace(base, id=f"t{n}", status=Status.CLOSED, claimed_closed_on=TODAY, closed_on=TODAY) for n in range(5)],
    )
    after = will_we_make_it(Session(empty, ANALYST)).soft.verified
    assert (after.open_count, after.recent) == (before.open_count + 5, before.recent)


def test_the_hard_date_stands_until_it_has_passed(tmp_path: Path):
    hard = TODAY + timedelta(days=16)
    init_workspace(tmp_path / "c", Settings(county="tiny", name="小县", today=TODAY, hard_due_on=hard))
    workspace = open_workspace(tmp_path / "c")
    try:
        told = closings(workspace, 2, 9)
        assert told.hard is not None
        assert told.hard.verified.deadline == hard
        assert will_we_make_it(Session(workspace, ANALYST), hard + timedelta(days=1)).hard is None
    finally:
        workspace.close()


def test_an_empty_county_has_an_outlook(empty_session: Session):
    told = will_we_make_it(empty_session)
    assert (told.open, told.soft.verified.open_count) == (0, 0)
    assert what_is_due(empty_session).counts == DueCounts()


def deferred(workspace: Workspace, until: date, n: int = 3) -> list[Issue]:
    issues = workspace.store.issues(IssueFilter(statuses=("registered",)), limit=n)
    with workspace.store.writing() as writer:
        changed = [replace(i, status=Status.DEFERRED, deferred_until=until, interim_on=TODAY) for i in issues]
        writer.record([Change(kind="defer", issue=issue, at=MORNING, actor="owner") for issue in changed])
    return [stands for issue in issues if (stands := workspace.store.issue(issue.id))]


def test_deferrals_return_by_themselves_when_their_day_has_passed(tiny: Workspace):
    until, session = TODAY + timedelta(days=5), Session(tiny, ANALYST)
    issues = deferred(tiny, until)
    assert wake_deferred(session, until) == 0  # a deadline day ends at 24:00
    assert wake_deferred(session, until + timedelta(days=1)) == 3
    for issue in issues:
        stands = tiny.store.issue(issue.id)
        facts = Facts(category=tiny.vocabulary.categories[issue.category], actor="system", step="county")
        by_the_table = moved(ACTIONS["resume"], issue, Given(on=until), facts)
        assert replace(stands, revision=issue.revision) == by_the_table
        last = tiny.store.events(f"issue/{issue.id}")[-1]
        assert (last.kind, last.actor) == ("issue.resume", "system")
    head = tiny.store.head()
    assert wake_deferred(session, until + timedelta(days=9)) == 0
    assert tiny.store.head() == head
    assert tiny.store.verify() is None
    with pytest.raises(ForbiddenError):
        wake_deferred(Session(tiny, VIEWER))
