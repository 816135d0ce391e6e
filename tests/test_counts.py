"""Counts: of cases, for the county and each town, that always add up."""

from dataclasses import fields, replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import TODAY
from test_tiles import cloud
from villagemap.counts import county_counts, town_counts
from villagemap.deadlines import urgency
from villagemap.flows.cases.issues import county_table
from villagemap.flows.registry import Session
from villagemap.flows.workspace import Workspace
from villagemap.model import Change, Counts, Issue, IssueFilter, Located, Status, Urgency
from villagemap.workflow import NO_CASES, OPEN


def _by_hand(issues: list[Issue], today: date) -> Counts:
    cases = [issue for issue in issues if issue.status not in NO_CASES]
    return Counts(
        found=len(cases),
        open=sum(issue.status in OPEN for issue in cases),
        overdue=sum(urgency(issue, today) is Urgency.OVERDUE for issue in cases),
        claimed=sum(issue.status in {Status.SUBMITTED, Status.CLOSED} for issue in cases),
        verified=sum(issue.status is Status.CLOSED for issue in cases),
        deferred=sum(issue.status is Status.DEFERRED for issue in cases),
        unlocated=sum(issue.located is Located.UNLOCATED for issue in cases),
        outside=sum(issue.located is Located.OUTSIDE for issue in cases),
    )


def test_the_tiny_county_is_counted_right(session: Session):
    whole, rows = county_table(session)
    issues = session.workspace.store.issues(IssueFilter(), limit=100)
    assert whole == _by_hand(issues, TODAY)
    assert (whole.found, whole.claimed, whole.verified) == (60, 24, 12)
    assert [row.town and row.town.name for row in rows] == ["甲镇", "乙镇", "丙镇"]
    for row in rows:
        assert row.town is not None
        here = [issue for issue in issues if issue.town_id == row.town.place_id]
        assert row.counts == _by_hand(here, TODAY)


def test_overdue_grows_by_the_day_and_a_filter_agrees(session: Session):
    store = session.workspace.store
    figures = []
    for days in range(0, 60, 7):
        day = TODAY + timedelta(days=days)
        counted = county_table(session, day)[0].overdue
        assert counted == store.count(IssueFilter(overdue_on=day))
        figures.append(counted)
    assert figures == sorted(figures)
    assert figures[0] < figures[-1]


def test_what_happens_to_a_case_shows_at_once(tiny: Workspace, session: Session):
    issue = tiny.store.issue("2026-00001")
    assert issue is not None
    before = county_table(session)[0]
    changes = {
        Status.DEFERRED: {"deferred": 1},
        Status.SUBMITTED: {"claimed": 1},
        Status.CLOSED: {"claimed": 1, "verified": 1, "open": -1},
        Status.DUPLICATE: {"found": -1, "open": -1},
    }
    for status, moves in changes.items():
        stands = tiny.store.issue("2026-00001")
        assert stands is not None
        with tiny.store.writing() as writer:
            changed = replace(stands, status=status, deferred_until=TODAY + timedelta(days=9))
            writer.record([Change(kind="edit", issue=changed, at=tiny.store.last_event_at(), actor="owner")])
        after = county_table(session)[0]
        told = {f.name: getattr(after, f.name) - getattr(before, f.name) for f in fields(Counts) if f.name != "overdue"}
        assert {name: change for name, change in told.items() if change} == moves


@settings(max_examples=20, deadline=None)
@given(n=st.integers(10, 500), seed=st.integers(0, 99), days=st.integers(-30, 60))
def test_towns_add_up_to_the_county(n: int, seed: int, days: int):
    columns, today = cloud(n, seed), TODAY + timedelta(days=days)
    whole, towns = county_counts(columns, today), town_counts(columns, today)
    for field in fields(Counts):
        assert sum(getattr(counts, field.name) for counts in towns.values()) == getattr(whole, field.name)
    assert whole.verified <= whole.claimed <= whole.found
    assert whole.open + whole.verified == whole.found
    assert whole.overdue <= whole.open
    assert whole.unlocated == 5


def test_an_empty_county_counts_nothing(empty_session: Session):
    assert county_table(empty_session) == (Counts(), [])


def test_cases_outside_every_town_have_a_line_of_their_own(session: Session):
    store = session.workspace.store
    issue = store.issue("2026-00001")
    assert issue is not None
    with store.writing() as writer:
        lost = replace(issue, town_id=None, village_id=None, place_id=None, located=Located.OUTSIDE)
        writer.record([Change(kind="edit", issue=lost, at=store.last_event_at(), actor="owner")])
    whole, rows = county_table(session)
    assert rows[-1].town is None
    assert (rows[-1].counts.found, rows[-1].counts.outside, whole.outside, whole.unlocated) == (1, 1, 1, 0)
    assert whole.found == sum(row.counts.found for row in rows) == pytest.approx(60)
