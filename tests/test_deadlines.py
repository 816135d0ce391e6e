"""An issue's clock: when it is due, and how urgent it is on a day."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import TODAY, tiny_issue, tiny_places
from villagemap.deadlines import (
    NEAR_DAYS,
    NO_DAY,
    URGENCIES,
    day_number,
    deadline,
    due_on,
    has_progress,
    urgencies,
    urgency,
)
from villagemap.model import Issue, Status, Urgency
from villagemap.vocabulary import load_vocabulary
from villagemap.workflow import CLAIMED, NO_CASES, OPEN, RUNNING, STATUSES

DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1))
ONE = tiny_issue(0, tiny_places())
ISSUES = st.builds(
    lambda status, found, due, until, done: replace(
        ONE, status=status, found_on=found, due_on=due, deferred_until=until, quantity_done=done
    ),
    st.sampled_from(Status), st.none() | DAYS, st.none() | DAYS, st.none() | DAYS, st.sampled_from([0.0, 1.0]),
)  # fmt: skip


def _meaning(issue: Issue, today: date) -> Urgency:
    """What colour says, as DOMAIN words it, one issue at a time."""
    if issue.status not in RUNNING:
        return Urgency.SUBMITTED if issue.status is Status.SUBMITTED else Urgency.CLOSED
    last = issue.deferred_until if issue.status is Status.DEFERRED else issue.due_on
    if last is None:
        return Urgency.IN_TIME
    left = (last - today).days
    if left < 0:
        return Urgency.OVERDUE
    gone = (today - issue.found_on).days if issue.found_on else 0
    if not has_progress(issue) and gone > left:
        return Urgency.BEHIND
    return Urgency.NEAR if left <= NEAR_DAYS else Urgency.IN_TIME


@given(ISSUES, DAYS)
def test_one_issue_is_as_urgent_as_the_rule_says(issue: Issue, today: date):
    assert urgency(issue, today) is _meaning(issue, today)


@given(st.lists(ISSUES, max_size=20), DAYS)
def test_many_at_once_are_as_urgent_as_each_alone(issues: list[Issue], today: date):
    codes = urgencies(
        np.array([STATUSES.index(issue.status) for issue in issues], np.int8),
        np.array([day_number(issue.found_on) for issue in issues], np.int32),
        np.array([day_number(deadline(issue)) for issue in issues], np.int32),
        np.array([has_progress(issue) for issue in issues], np.int8),
        today,
    )
    assert [URGENCIES[code] for code in codes] == [urgency(issue, today) for issue in issues]


def test_a_deadline_day_ends_at_midnight():
    issue = replace(tiny_issue(0, tiny_places()), status=Status.RECTIFYING, due_on=TODAY)
    assert urgency(issue, TODAY) is Urgency.NEAR
    assert urgency(issue, TODAY + timedelta(days=1)) is Urgency.OVERDUE
    assert urgency(replace(issue, due_on=TODAY + timedelta(days=NEAR_DAYS)), TODAY) is Urgency.NEAR
    assert urgency(replace(issue, due_on=TODAY + timedelta(days=NEAR_DAYS + 1)), TODAY) is Urgency.IN_TIME


@given(ISSUES, DAYS)
def test_only_running_work_is_ever_overdue_and_it_stays_so(issue: Issue, today: date):
    if urgency(issue, today) is Urgency.OVERDUE:
        assert issue.status in RUNNING
        assert urgency(issue, today + timedelta(days=1)) is Urgency.OVERDUE


@given(ISSUES, DAYS)
def test_a_deferral_moves_the_day_while_it_lasts_and_not_after(issue: Issue, today: date):
    deferred = replace(issue, status=Status.DEFERRED, deferred_until=today, due_on=today - timedelta(days=90))
    assert urgency(deferred, today) is not Urgency.OVERDUE
    assert urgency(deferred, today + timedelta(days=1)) is Urgency.OVERDUE
    assert urgency(replace(deferred, status=Status.RECTIFYING), today) is Urgency.OVERDUE


@given(DAYS, st.sampled_from(sorted(load_vocabulary().categories)))
def test_every_clock_starts_when_the_issue_was_found(found: date, code: str):
    category = load_vocabulary().categories[code]
    due = due_on(category, found)
    assert due is None or due >= found
    if category.due == "month_end":
        assert due is not None
        assert (due.year, due.month) == (found.year, found.month)
        assert (due + timedelta(days=1)).day == 1
    elif category.due_days is not None:
        assert due == found + timedelta(days=category.due_days)
    assert due_on(category, None) is None


@pytest.mark.parametrize("found", [date(2024, 2, 1), date(2024, 2, 29), date(2026, 12, 31)])
def test_toilets_are_due_by_the_months_end_leap_year_or_not(found: date):
    due = due_on(load_vocabulary().categories["toilet_dry"], found)
    assert due is not None
    assert due == {2: date(2024, 2, 29), 12: date(2026, 12, 31)}[found.month]


@given(DAYS)
def test_days_are_counted_from_1970(day: date):
    assert day_number(day) == (day - date(1970, 1, 1)).days
    assert day_number(None) == NO_DAY > day_number(date.max)


def test_statuses_fall_into_the_groups_that_figures_are_made_of():
    assert OPEN | {Status.CLOSED} | NO_CASES == set(Status)
    assert {Status.SUBMITTED} == OPEN & CLAIMED
    assert OPEN - {Status.SUBMITTED} == RUNNING
    assert not OPEN & NO_CASES
