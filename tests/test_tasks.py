"""A day's work: lists that are the actor's own, and reports that are taken once."""

import pytest

from conftest import TODAY
from villagemap.auth import OWNER, Actor, Grant, Role
from villagemap.errors import ConflictError, ForbiddenError, WrongUseError
from villagemap.flows.cases.tasks import Report, my_tasks, report_issue, verifiers_queue
from villagemap.flows.registry import Session
from villagemap.flows.workspace import Workspace
from villagemap.model import Located, Status

TOWN = Actor("u2", (Grant(role=Role.TOWN_CADRE, places=("t1",)),), frozenset({"town:449923101"}))
INSPECTOR = Actor("u5", (Grant(role=Role.INSPECTOR),))
FRESH = "019c0000-0000-7000-8000-0000000ff001"


def test_my_tasks_are_my_towns_returned_ones_first_then_by_urgency(tiny: Workspace) -> None:
    tasks, count = my_tasks(Session(tiny, TOWN))
    assert count == len(tasks) > 3
    assert {task.issue.town_id for task in tasks} == {"t1"}
    assert {task.issue.status for task in tasks} <= {Status.REGISTERED, Status.RECTIFYING, Status.RETURNED}
    returned = [task.issue.status is Status.RETURNED for task in tasks]
    assert returned == sorted(returned, reverse=True)
    late = [task.days_left for task in tasks if task.urgency == "overdue"]
    assert late
    assert all(days < 0 for days in late)


def test_the_queue_is_what_waits_for_me(tiny: Workspace) -> None:
    whole, count = verifiers_queue(Session(tiny, INSPECTOR))
    own, _ = verifiers_queue(Session(tiny, TOWN))
    assert {task.issue.status for task in whole} == {Status.SUBMITTED}
    assert count == len(whole) > len(own) > 0
    assert {task.issue.town_id for task in own} == {"t1"}


def test_a_report_is_placed_by_its_position_and_taken_once(tiny: Workspace) -> None:
    session = Session(tiny, OWNER)
    report = Report(category="garbage_scattered", description="路边垃圾", lonlat=(111.15, 20.65), accuracy_m=9.0)
    first = report_issue(session, report, issue_id=FRESH)
    assert (first.status, first.village_id, first.located, first.number) == (Status.REPORTED, "v4", Located.INSIDE, "")
    assert first.found_on == TODAY
    seq = tiny.store.head().seq
    assert report_issue(session, report, issue_id=FRESH) == first
    assert tiny.store.head().seq == seq
    with pytest.raises(ConflictError):
        report_issue(session, Report(category="toilet_dry"), issue_id=FRESH)
    assert tiny.store.verify() is None


def test_a_report_without_a_position_or_outside_is_kept_and_says_so(tiny: Workspace) -> None:
    session = Session(tiny, OWNER)
    assert report_issue(session, Report(category="toilet_dry")).located is Located.UNLOCATED
    assert report_issue(session, Report(category="toilet_dry", lonlat=(112.0, 20.0))).located is Located.OUTSIDE
    with pytest.raises(WrongUseError, match="category"):
        report_issue(session, Report(category="nothing"))


def test_a_cadre_reports_at_home_only(tiny: Workspace) -> None:
    with pytest.raises(ForbiddenError):
        report_issue(Session(tiny, TOWN), Report(category="toilet_dry", lonlat=(111.25, 20.65)))
    assert report_issue(Session(tiny, TOWN), Report(category="toilet_dry", lonlat=(111.15, 20.65))).town_id == "t1"
