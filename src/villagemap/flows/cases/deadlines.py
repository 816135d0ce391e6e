"""Flows of the clock: what is due, will we make it, and deferred issues that return by themselves."""

import calendar
import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from villagemap.auth import Policy
from villagemap.deadlines import NO_DAY, URGENCIES, day_number, urgencies
from villagemap.flows.narrowing import columns_seen, reach_of
from villagemap.flows.places import find_place
from villagemap.flows.registry import Session, flow
from villagemap.forecast import Outlook, outlook
from villagemap.model import Change, Issue, IssueFilter, Level, Place, Status, Urgency
from villagemap.places import place_number
from villagemap.settings import now
from villagemap.store import IssueColumns
from villagemap.store.columns import columns_where, mask_within
from villagemap.store.protocol import Duty
from villagemap.workdays import load_calendar
from villagemap.workflow import ACTIONS, CLAIMED, OPEN, STATUSES

DUE = (Urgency.OVERDUE, Urgency.BEHIND, Urgency.NEAR)
"""What asks for attention: red, yellow, blue."""

SYSTEM = "system"
"""Who takes the steps that come by themselves."""

HISTORY_DAYS = 120
"""Days of closings that a forecast looks at, at most."""

CALENDAR_FILE = "calendar.toml"
MOST_LINES = 1000
_BLOCK = 500

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueLine:
    """An issue that is due; ``responsible`` is "" where the actor may not see persons. ``days_left`` < 0: overdue."""

    id: str
    number: str
    category: str
    status: str
    urgency: Urgency
    days_left: int
    town: str
    village: str
    lead_unit: str
    responsible: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DueCounts:
    """How many cases are red, yellow and blue."""

    overdue: int = 0
    behind: int = 0
    near: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSheet:
    """What is due on a day: the county's or town's counts, those of each town, unit and person, and the issues.

    ``towns`` by place (None: outside every town), ``units`` by code or proper name, ``persons`` by name: only of cases
    whose persons the actor may see. ``lines`` are the most urgent first, at most as many as were asked for.
    """

    day: date
    counts: DueCounts
    towns: tuple[tuple[Place | None, DueCounts], ...]
    units: tuple[tuple[str, DueCounts], ...]
    persons: tuple[tuple[str, DueCounts], ...]
    lines: tuple[DueLine, ...]


@flow("deadlines.due", Policy.READ)
def what_is_due(
    session: Session,
    today: date | None = None,
    *,
    town: str = "",
    unit: str = "",
    person: str = "",
    limit: int = 100,
) -> DueSheet:
    """What is overdue, behind or near its deadline.

    Parameters
    ----------
    unit
        A lead unit: its code, what people call it, or a proper name.
    person
        Who is responsible: finds only cases whose persons the actor may see.

    Raises
    ------
    NotFoundError, AmbiguousError
        If ``town`` means no town, or several.
    """
    day = today or session.workspace.settings.day()
    cases = _due_cases(session, day, town)
    word = session.workspace.vocabulary.code_of("units", unit) or unit if unit else ""
    cases = [case for case in cases if word in {"", case.duty.lead_unit} and person in {"", case.person}]
    towns = {place_number(place): place for place in session.workspace.gazetteer().level(Level.TOWN)}
    by_town = _counted((case.town, case.urgency) for case in cases)
    urgent = heapq.nsmallest(min(limit, MOST_LINES), cases, key=lambda case: (DUE.index(case.urgency), case.due))
    return DueSheet(
        day=day,
        counts=_counts(Counter(case.urgency for case in cases)),
        towns=tuple((towns.get(number), by_town[number]) for number in sorted(by_town)),
        units=_ranked(_counted((case.duty.lead_unit, case.urgency) for case in cases)),
        persons=_ranked(_counted((case.person, case.urgency) for case in cases if case.person)),
        lines=tuple(_line(session, case, day) for case in urgent),
    )


class _Case(NamedTuple):
    """A case that is due; ``person`` is "" for who may not see it."""

    duty: Duty
    town: int
    due: int
    urgency: Urgency
    person: str


def _due_cases(session: Session, day: date, town: str) -> list[_Case]:
    columns = _of_town(session, columns_seen(session), town)
    codes = urgencies(columns.status, columns.found, columns.due, columns.progress, day)
    due = np.isin(codes, [URGENCIES.index(urgency) for urgency in DUE])
    personal = mask_within(columns, reach_of(session, Policy.READ_ALL))[due].tolist()
    columns, colours = columns_where(columns, due), codes[due].tolist()
    duties = session.workspace.store.duties(columns.fid.tolist())
    rows = zip(columns.fid.tolist(), columns.town.tolist(), columns.due.tolist(), colours, personal, strict=True)
    return [
        _Case(duties[fid], number, last, URGENCIES[code], duties[fid].responsible if shown else "")
        for fid, number, last, code, shown in rows
    ]


Name = TypeVar("Name", int, str)


def _counted(cases: Iterable[tuple[Name, Urgency]]) -> dict[Name, DueCounts]:
    counted: dict[Name, Counter[Urgency]] = {}
    for name, urgency in cases:
        counted.setdefault(name, Counter())[urgency] += 1
    return {name: _counts(counts) for name, counts in counted.items()}


def _of_town(session: Session, columns: IssueColumns, town: str) -> IssueColumns:
    if not town:
        return columns
    return columns_where(columns, columns.town == place_number(find_place(session, town, Level.TOWN)))


def _counts(counted: Counter[Urgency]) -> DueCounts:
    return DueCounts(**{urgency.value: counted[urgency] for urgency in DUE})


def _ranked(counted: dict[str, DueCounts]) -> tuple[tuple[str, DueCounts], ...]:
    """Those with most overdue first."""
    return tuple(sorted(counted.items(), key=lambda one: (-one[1].overdue, -one[1].behind, -one[1].near, one[0])))


def _line(session: Session, case: _Case, day: date) -> DueLine:
    by_id, duty = session.workspace.gazetteer().by_id, case.duty
    town, village = (by_id[key].name if key in by_id else "" for key in (duty.town_id, duty.village_id))
    return DueLine(
        id=duty.id,
        number=duty.number,
        category=duty.category,
        status=duty.status,
        urgency=case.urgency,
        days_left=case.due - day_number(day),
        town=town,
        village=village,
        lead_unit=duty.lead_unit,
        responsible=case.person,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlooks:
    """Will we make it: by the month's end, and by the hard date where the county has set one that is still to come."""

    last_on: date
    open: int
    soft: Outlook
    hard: Outlook | None


@flow("deadlines.outlook", Policy.READ)
def will_we_make_it(session: Session, today: date | None = None, *, town: str = "") -> Outlooks:
    """Closings needed a day against the recent rate, verified and claimed; history ends with yesterday, a whole day.

    Raises
    ------
    NotFoundError, AmbiguousError
        If ``town`` means no town, or several.
    """
    settings = session.workspace.settings
    day = today or settings.day()
    columns = _of_town(session, columns_seen(session), town)
    past, now_on = day - timedelta(days=1), day_number(day)
    is_open, claimed = (_with_status(columns, statuses) for statuses in (OPEN, CLAIMED))
    closed = _with_status(columns, frozenset({Status.CLOSED}))
    open_count = int(is_open.sum() + (closed & (columns.closed == now_on)).sum())
    unclaimed = int((is_open & ~claimed).sum() + (claimed & (columns.claimed == now_on)).sum())
    first = _first_day(columns, now_on)
    daily = [_daily(columns.closed[closed], first, now_on), _daily(columns.claimed[claimed], first, now_on)]

    def by(deadline: date) -> Outlook:
        return outlook(
            *daily,
            last_on=past,
            open_count=open_count,
            waiting=max(0, open_count - unclaimed),
            deadline=deadline,
            calendar=load_calendar(session.workspace.folder / CALENDAR_FILE),
        )

    hard = settings.hard_due_on
    return Outlooks(
        last_on=past,
        open=open_count,
        soft=by(day.replace(day=calendar.monthrange(day.year, day.month)[1])),
        hard=by(hard) if hard and hard >= day else None,
    )


def _with_status(columns: IssueColumns, statuses: frozenset[Status]) -> Flags:
    flags: Flags = np.isin(columns.status, [STATUSES.index(status) for status in statuses])
    return flags


def _first_day(columns: IssueColumns, now_on: int) -> int:
    """The first day on record: before it, no closing doesn't mean that nobody worked."""
    known = np.concatenate([columns.found, columns.claimed, columns.closed])
    first = int(known.min(initial=NO_DAY))
    return max(min(first, now_on - 1), now_on - HISTORY_DAYS)


def _daily(days: npt.NDArray[np.int32], first: int, now_on: int) -> npt.NDArray[np.int64]:
    """How many on each day from ``first`` to yesterday."""
    past = days[(days >= first) & (days < now_on)].astype(np.int64) - first
    return np.bincount(past, minlength=now_on - first)


@flow("deadlines.wake", Policy.DECIDE)
def wake_deferred(session: Session, today: date | None = None) -> int:
    """Let deferred issues return whose end date has passed, each with an event by the system; returns how many."""
    store, day = session.workspace.store, today or session.workspace.settings.day()
    where = IssueFilter(statuses=(Status.DEFERRED.value,), overdue_on=day)
    woken = 0
    while store.count(where):
        with store.writing() as writer:
            waiting = store.issues(where, limit=_BLOCK)
            writer.record([_resumed(issue) for issue in waiting])
        woken += len(waiting)
    return woken


def _resumed(issue: Issue) -> Change:
    resume = ACTIONS["resume"]
    back = replace(issue, status=resume.after or issue.status, deferred_until=None)
    return Change(kind=resume.code, issue=back, at=now(), actor=SYSTEM)
