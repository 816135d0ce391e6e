"""How many cases are open, overdue, claimed and verified, for the county and each town, from columns."""

from datetime import date

import numpy as np

from villagemap.deadlines import URGENCIES, urgencies
from villagemap.model import Counts, Located, Status, Urgency
from villagemap.store.protocol import IssueColumns
from villagemap.workflow import CLAIMED, OPEN, STATUSES

_LOCATED = tuple(Located)


def county_counts(columns: IssueColumns, today: date) -> Counts:
    """All cases of the county."""
    return _counted(columns, today, np.zeros(len(columns.fid), np.int64), 1)[0]


def town_counts(columns: IssueColumns, today: date) -> dict[int, Counts]:
    """Cases by town number (the digits of its place id); 0 holds those outside every town."""
    size = int(columns.town.max(initial=0)) + 1
    counted = _counted(columns, today, columns.town.astype(np.int64), size)
    return {number: counts for number, counts in enumerate(counted) if counts.found}


def _counted(
    columns: IssueColumns, today: date, group: "np.ndarray[tuple[int], np.dtype[np.int64]]", size: int
) -> list[Counts]:
    """Duplicates and rejected reports are no cases, so they count nowhere."""
    urgency = urgencies(columns.status, columns.found, columns.due, columns.progress, today)
    is_open = np.isin(columns.status, [STATUSES.index(s) for s in OPEN])
    claimed = np.isin(columns.status, [STATUSES.index(s) for s in CLAIMED])
    case = is_open | claimed
    of = {
        "found": case,
        "open": is_open,
        "overdue": urgency == URGENCIES.index(Urgency.OVERDUE),
        "claimed": claimed,
        "verified": columns.status == STATUSES.index(Status.CLOSED),
        "deferred": columns.status == STATUSES.index(Status.DEFERRED),
        "unlocated": case & (columns.located == _LOCATED.index(Located.UNLOCATED)),
        "outside": case & (columns.located == _LOCATED.index(Located.OUTSIDE)),
    }
    sums = {name: np.bincount(group[mask], minlength=size).tolist() for name, mask in of.items()}
    return [Counts(**{name: column[number] for name, column in sums.items()}) for number in range(size)]
