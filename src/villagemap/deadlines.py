"""The clock of an issue: when it is due, and how urgent it is on a day.

Pure: values in, values out. The array form serves a million issues at once; one issue is an array of one.
"""

import calendar
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from villagemap.model import Issue, Status, Urgency
from villagemap.vocabulary import Category
from villagemap.workflow import RUNNING, STATUSES

URGENCIES = tuple(Urgency)
NEAR_DAYS = 7
"""A deadline that is at most so many days away is near (blue)."""

NO_DAY = np.iinfo(np.int32).max
"""A missing date in the array form: later than every day."""

Days = npt.NDArray[np.int32]


def due_on(category: Category, found_on: date | None) -> date | None:
    """The soft deadline that the category's clock gives; None where the day of finding is unknown."""
    if found_on is None:
        return None
    if category.due == "month_end":
        return found_on.replace(day=calendar.monthrange(found_on.year, found_on.month)[1])
    return found_on + timedelta(days=category.due_days) if category.due_days is not None else None


def day_number(day: date | None) -> int:
    """Days since 1970-01-01; `NO_DAY` for None."""
    return NO_DAY if day is None else day.toordinal() - 719163


def urgencies(
    status: npt.NDArray[np.int8], found: Days, due: Days, progress: npt.NDArray[np.int8], today: date
) -> npt.NDArray[np.int8]:
    """Index into `URGENCIES` for each issue, shape (n,).

    A deadline day ends at 24:00 Asia/Shanghai, so an issue is overdue from the next day on. It is behind when more
    than half of its time is gone with nothing done, near when its deadline is at most `NEAR_DAYS` away. ``status``
    indexes `STATUSES`; ``found`` and ``due`` are `day_number`s (a deferral's end stands for the deadline);
    ``progress`` is 1 where work has begun.
    """
    now = day_number(today)
    known = due != NO_DAY
    left = np.where(known, due.astype(np.int64) - now, NEAR_DAYS + 1)
    gone = np.where(found != NO_DAY, now - found.astype(np.int64), 0)
    running = np.isin(status, [STATUSES.index(s) for s in RUNNING])
    choices = [
        (status == STATUSES.index(Status.SUBMITTED), Urgency.SUBMITTED),
        (~running, Urgency.CLOSED),
        (known & (left < 0), Urgency.OVERDUE),
        (known & (progress == 0) & (gone > left), Urgency.BEHIND),
        (known & (left <= NEAR_DAYS), Urgency.NEAR),
    ]
    conditions = [condition for condition, _ in choices]
    codes = [np.int8(URGENCIES.index(urgency)) for _, urgency in choices]
    return np.select(conditions, codes, default=np.int8(URGENCIES.index(Urgency.IN_TIME))).astype(np.int8)


def has_progress(issue: Issue) -> bool:
    """Whether work has begun: past ``registered``, or some of the quantity is done."""
    return issue.status not in {Status.REPORTED, Status.REGISTERED} or issue.quantity_done > 0


def deadline(issue: Issue) -> date | None:
    """The day that an issue is measured against: while it is deferred, the deferral's end stands for its deadline."""
    return issue.deferred_until if issue.status is Status.DEFERRED else issue.due_on


def urgency(issue: Issue, today: date) -> Urgency:
    """How urgent one issue is on ``today``."""
    code = urgencies(
        np.array([STATUSES.index(issue.status)], np.int8),
        np.array([day_number(issue.found_on)], np.int32),
        np.array([day_number(deadline(issue))], np.int32),
        np.array([has_progress(issue)], np.int8),
        today,
    )
    return URGENCIES[int(code[0])]
