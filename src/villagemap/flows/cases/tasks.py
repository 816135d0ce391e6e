"""Flows of a day's work: what waits for me, what waits for a verifier, and a new report."""

from dataclasses import dataclass, replace
from datetime import date

import shapely
from uuid_utils import uuid7

from villagemap.auth import Policy
from villagemap.deadlines import due_on, urgency
from villagemap.errors import ConflictError, ForbiddenError, WrongUseError
from villagemap.flows.cases.issues import note_of
from villagemap.flows.cases.relapses import with_predecessor
from villagemap.flows.narrowing import may_on, visible
from villagemap.flows.registry import Session, flow
from villagemap.model import Change, Issue, IssueFilter, Level, Located, Place, Sighting, Status, Urgency
from villagemap.settings import now
from villagemap.workflow import RUNNING

MOST_TASKS = 300
"""A list for a person holds so many, the most urgent first."""

_ORDER = (Urgency.OVERDUE, Urgency.BEHIND, Urgency.NEAR, Urgency.IN_TIME, Urgency.SUBMITTED, Urgency.CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An issue on somebody's list: how urgent, how many days are left, and why it was returned."""

    issue: Issue
    urgency: Urgency
    days_left: int | None
    returned_because: str = ""


@flow("tasks.mine", Policy.WORK)
def my_tasks(session: Session, today: date | None = None) -> tuple[list[Task], int]:
    """What the actor's units still have to work on, returned ones first, then by urgency; and how many in all."""
    running = tuple(sorted(status.value for status in RUNNING - {Status.REPORTED}))
    return _tasks(session, visible(session, IssueFilter(statuses=running), Policy.WORK), today)


@flow("tasks.queue", Policy.READ)
def verifiers_queue(session: Session, today: date | None = None) -> tuple[list[Task], int]:
    """What was submitted and waits for a check or a verifier, the oldest deadline first; and how many in all."""
    asked = Policy.VERIFY if Policy.VERIFY in session.actor.may else Policy.CHECK
    return _tasks(session, visible(session, IssueFilter(statuses=(Status.SUBMITTED.value,)), asked), today)


def _tasks(session: Session, where: IssueFilter, today: date | None) -> tuple[list[Task], int]:
    store, day = session.workspace.store, today or session.workspace.settings.day()
    count = store.count(where)
    tasks = [_task(session, issue, day) for issue in store.most_urgent(where, limit=MOST_TASKS)]
    tasks.sort(key=lambda task: (task.issue.status is not Status.RETURNED, _ORDER.index(task.urgency), _left(task)))
    return tasks, count


def _left(task: Task) -> int:
    return task.days_left if task.days_left is not None else 10**6


def _task(session: Session, issue: Issue, day: date) -> Task:
    deadline = issue.deferred_until or issue.due_on
    because = ""
    if issue.status is Status.RETURNED:
        events = session.workspace.store.events(f"issue/{issue.id}")
        because = next((note_of(event) for event in reversed(events) if event.kind == "issue.return"), "")
    left = (deadline - day).days if deadline else None
    return Task(issue=issue, urgency=urgency(issue, day), days_left=left, returned_because=because)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What somebody reports. ``lonlat`` is WGS 84; ``tapped`` says that it is a tap on the map."""

    category: str
    description: str = ""
    location_text: str = ""
    severity: int = 3
    quantity_found: float = 1.0
    lonlat: tuple[float, float] | None = None
    accuracy_m: float | None = None
    tapped: bool = False
    village: str = ""
    source: str = "county_unannounced"


@flow("issue.report", Policy.REPORT)
def report_issue(session: Session, report: Report, *, issue_id: str = "") -> Issue:
    """Take a report in: 待核实, until the county registers it. The same ``issue_id`` again is the same report.

    Raises
    ------
    WrongUseError
        ``unknown_categories`` for a category that there isn't.
    ForbiddenError
        If it lies where the actor has no part in.
    ConflictError
        If ``issue_id`` is another issue's already.
    """
    workspace = session.workspace
    category = workspace.vocabulary.categories.get(report.category)
    if category is None:
        known = ", ".join(workspace.vocabulary.categories)
        raise WrongUseError("unknown_categories", word=report.category[:60], known=known)
    found_on = workspace.settings.day()
    issue = Issue(
        id=issue_id or str(uuid7()),
        county=workspace.settings.county,
        category=category.code,
        status=Status.REPORTED,
        source=report.source,
        severity=min(max(report.severity, 1), 5),
        quantity_found=max(report.quantity_found, 0.0),
        unit=category.unit,
        location_text=report.location_text,
        description=report.description,
        found_on=found_on,
        lead_unit=category.lead,
        help_units=category.help,
        due_on=due_on(category, found_on),
        privacy=category.privacy,
        sightings=(_sighting(session, report, found_on),),
    )
    placed = _placed(session, issue, report)
    if placed.place_id and not may_on(session, Policy.REPORT, placed):
        raise ForbiddenError("forbidden", flow="issue.report")
    return _kept(session, with_predecessor(workspace.store, workspace.vocabulary, placed, found_on))


def _sighting(session: Session, report: Report, found_on: date) -> Sighting:
    lon, lat = (f"{axis:.7f}" for axis in report.lonlat) if report.lonlat else ("", "")
    return Sighting(
        id=str(uuid7()),
        source=report.source,
        list_name="tap" if report.tapped else "",
        found_on=found_on,
        found_by=session.actor.id,
        given_x=lon,
        given_y=lat,
        accuracy_m=report.accuracy_m,
    )


def _placed(session: Session, issue: Issue, report: Report) -> Issue:
    gazetteer = session.workspace.gazetteer()
    named = gazetteer.find(report.village, Level.VILLAGE) if report.village else None
    hit = gazetteer.place_at(report.lonlat) if report.lonlat else None
    village: Place | None = named or hit
    town = gazetteer.town_of(village) if village else None
    bound = session.workspace.vocabulary.categories[issue.category].bound_to_village
    located = Located.INSIDE if hit or (bound and named) else Located.UNLOCATED
    if report.lonlat and not hit:
        located = Located.OUTSIDE
    geometry = shapely.to_wkt(shapely.Point(report.lonlat), rounding_precision=7) if report.lonlat else None
    place_id = village.place_id if village else None
    town_id = town.place_id if town else None
    return replace(issue, place_id=place_id, village_id=place_id, town_id=town_id, located=located, geometry=geometry)


def _kept(session: Session, issue: Issue) -> Issue:
    """Written once, however often the phone sends it."""
    store, at = session.workspace.store, now()
    with store.writing() as writer:
        stands = store.issue(issue.id)
        if stands is None:
            writer.record([Change(kind="report", issue=issue, at=at, actor=session.actor.id)])
        elif stands.category != issue.category or stands.description != issue.description:
            raise ConflictError("key_used")
    return store.issue(issue.id) or issue
