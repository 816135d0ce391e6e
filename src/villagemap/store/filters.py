"""An `IssueFilter` as SQL: names from a fixed list, values only as bound parameters. And the same for one issue."""

from datetime import date
from typing import Any

import shapely

from villagemap.deadlines import deadline
from villagemap.model import Audience, Issue, IssueFilter, Part, Privacy
from villagemap.workflow import RUNNING

Where = tuple[str, list[Any]]

_IN = {
    "towns": "i.town_id",
    "villages": "i.village_id",
    "categories": "i.category",
    "statuses": "i.status",
    "severities": "i.severity",
    "located": "i.located",
}
_FIELDS = {
    "towns": "town_id", "villages": "village_id", "categories": "category", "statuses": "status",
    "severities": "severity", "located": "located",
}  # fmt: skip
_RUNNING = tuple(sorted(status.value for status in RUNNING))


def where_sql(where: IssueFilter) -> Where:
    """A condition on ``issues i`` and its parameters; "1" for no condition."""
    parts: list[str] = []
    values: list[Any] = []
    for name, column in _IN.items():
        wanted = getattr(where, name)
        if wanted:
            parts.append(f"{column} IN ({','.join('?' * len(wanted))})")
            values += wanted
    for condition, day in (("i.found_on >= ?", where.found_from), ("i.found_on <= ?", where.found_to)):
        if day is not None:
            parts.append(condition)
            values.append(day.isoformat())
    if where.overdue_on is not None:
        parts.append(_overdue(where.overdue_on, values))
    if where.bbox is not None:
        parts.append(_in_bbox(where, values))
    if where.audience is not Audience.OWNER:
        parts.append("i.privacy <> ?")
        values.append(Privacy.RESTRICTED.value)
    if where.within is not None:
        parts.append("(" + (" OR ".join(_part(part, values) for part in where.within) or "0") + ")")
    return " AND ".join(parts) or "1", values


def _part(part: Part, values: list[Any]) -> str:
    """The condition for lying in one part of the county."""
    conditions = []
    if part.places:
        marks = ",".join("?" * len(part.places))
        conditions.append(f"(i.town_id IN ({marks}) OR i.village_id IN ({marks}) OR i.place_id IN ({marks}))")
        values += part.places * 3
    for column, wanted in (("i.category", part.categories), ("i.id", part.issues or None)):
        if wanted is not None:
            conditions.append(f"{column} IN ({','.join('?' * len(wanted))})")
            values += wanted
    allowed = list(Privacy)[: list(Privacy).index(part.most_private) + 1]
    conditions.append(f"i.privacy IN ({','.join('?' * len(allowed))})")
    values += allowed
    return f"({' AND '.join(conditions)})"


def feature_sql(audience: Audience) -> str:
    """What gives an issue's GeoJSON text as ``audience`` may see it, from ``issues i`` and ``issue_features f``.

    The public sees no free text, and an issue at somebody's home by its village only.
    """
    if audience is not Audience.PUBLIC:
        return "f.feature"
    hidden = (
        f"CASE i.privacy WHEN '{Privacy.OPEN.value}' THEN f.feature ELSE json_set(f.feature, '$.geometry', NULL) END"
    )
    return f"json_set({hidden}, '$.properties.description', NULL)"


def _overdue(day: date, values: list[Any]) -> str:
    values += [*_RUNNING, day.isoformat()]
    deadline = "CASE i.status WHEN 'deferred' THEN i.deferred_until ELSE i.due_on END"
    return f"(i.status IN ({','.join('?' * len(_RUNNING))}) AND {deadline} < ?)"


def _in_bbox(where: IssueFilter, values: list[Any]) -> str:
    # The R-tree holds 32-bit floats, rounded outwards: it finds, the exact columns decide for points.
    west, south, east, north = where.bbox or (0.0, 0.0, 0.0, 0.0)
    values += [west, east, south, north, west, east, south, north]
    return (
        "i.fid IN (SELECT id FROM rtree_issues_geom WHERE maxx >= ? AND minx <= ? AND maxy >= ? AND miny <= ?)"
        " AND (length(i.geom) > 29 OR (i.lon BETWEEN ? AND ? AND i.lat BETWEEN ? AND ?))"
    )


def holds(where: IssueFilter, issue: Issue) -> bool:
    """Whether an issue, as it stands in no table, is what `where_sql` would find."""
    if any((wanted := getattr(where, name)) and getattr(issue, field) not in wanted for name, field in _FIELDS.items()):
        return False
    found = issue.found_on
    days = (where.found_from is None or (found is not None and found >= where.found_from)) and (
        where.found_to is None or (found is not None and found <= where.found_to)
    )
    return (
        days
        and (where.overdue_on is None or _is_overdue(issue, where.overdue_on))
        and (where.bbox is None or _touches(issue, where))
        and (where.audience is Audience.OWNER or issue.privacy is not Privacy.RESTRICTED)
        and (where.within is None or any(_lies_in(issue, part) for part in where.within))
    )


def _is_overdue(issue: Issue, day: date) -> bool:
    last = deadline(issue)
    return issue.status in RUNNING and last is not None and last < day


def _touches(issue: Issue, where: IssueFilter) -> bool:
    if issue.geometry is None or where.bbox is None:
        return False
    west, south, east, north = shapely.bounds(shapely.from_wkt(issue.geometry)).tolist()
    box = where.bbox
    return bool(east >= box.west and west <= box.east and north >= box.south and south <= box.north)


def _lies_in(issue: Issue, part: Part) -> bool:
    return (
        (not part.places or not {issue.town_id, issue.village_id, issue.place_id}.isdisjoint(part.places))
        and (part.categories is None or issue.category in part.categories)
        and (not part.issues or issue.id in part.issues)
        and list(Privacy).index(issue.privacy) <= list(Privacy).index(part.most_private)
    )
