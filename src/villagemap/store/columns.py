"""Issues as numpy columns, loaded once and then brought up to date by the rows that changed."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from villagemap.deadlines import NO_DAY
from villagemap.model import Located, Part, Privacy
from villagemap.store.protocol import IssueColumns
from villagemap.store.reading import head
from villagemap.workflow import STATUSES

_BLOCK = 50_000
FEW = 1_000
_DAY = "coalesce(CAST(julianday({0}) - 2440587.5 AS INTEGER), {1})"
_CODES = {
    "status": [status.value for status in STATUSES],
    "located": [located.value for located in Located],
    "privacy": [privacy.value for privacy in Privacy],
}
_WORDS = {"category": "categories", "source": "sources"}
"""Columns that index lists of words in the order they were met, and those lists."""
TYPES: dict[str, npt.DTypeLike] = {
    "category": np.int16, "source": np.int16, "fid": np.int64, "lon": np.float64, "lat": np.float64,
    "status": np.int8, "town": np.int32, "village": np.int32, "found": np.int32, "due": np.int32, "progress": np.int8,
    "located": np.int8, "privacy": np.int8, "shape": np.int8, "held": np.int8, "claimed": np.int32,
    "closed": np.int32, "relapse": np.int8, "returns": np.int16, "reopened": np.int8,
}  # fmt: skip
"""The columns of `IssueColumns`; a row for `arrays` has their values in this order, the first two as words."""

Arrays = dict[str, npt.NDArray[Any]]
Met = dict[str, dict[str, int]]
"""For each list of `_WORDS`: word to number."""

FAILURES = "kind IN ('issue.return', 'issue.reopen')"
"""Word for word the condition of the index ``events_of_failures``, or SQLite wouldn't use it."""


def _select() -> str:
    """Everything but words as a number, made in SQL: Python only passes it on. Failures are put in after."""

    def coded(name: str) -> str:
        cases = " ".join(f"WHEN '{value}' THEN {number}" for number, value in enumerate(_CODES[name]))
        return f"CASE {name} {cases} END"

    deadline = "CASE status WHEN 'deferred' THEN deferred_until ELSE due_on END"
    begun = "status NOT IN ('reported', 'registered') OR quantity_done > 0"
    return (
        f"SELECT category, source, fid, lon, lat, {coded('status')},"
        " coalesce(CAST(substr(town_id, 2) AS INTEGER), 0), coalesce(CAST(substr(village_id, 2) AS INTEGER), 0),"
        f" {_DAY.format('found_on', NO_DAY)}, {_DAY.format(deadline, NO_DAY)}, {begun},"
        f" {coded('located')}, {coded('privacy')}, coalesce(length(geom), 0) > 29,"
        f" interim_on IS NOT NULL OR status = 'deferred', {_DAY.format('claimed_closed_on', NO_DAY)},"
        f" {_DAY.format('closed_on', NO_DAY)}, relapse_of IS NOT NULL, 0, 0 FROM issues i"
    )


def _failures(few: bool) -> str:
    """Returns and failed re-checks by fid up to event ``?2``; from the side of the issues where they are few."""
    events = "events e INDEXED BY events_of_failures"
    sides = f"issues i CROSS JOIN {events}" if few else f"{events} CROSS JOIN issues i"
    county = "+i.county" if few else "i.county"  # the plus keeps a condition from choosing the index
    return (
        f"SELECT i.fid, sum(e.kind = 'issue.return'), max(e.kind = 'issue.reopen') FROM {sides}"
        f" WHERE e.county = ?1 AND {FAILURES} AND e.seq <= ?2 AND {county} = ?1"
        f" AND i.id = substr(e.subject, 7) AND e.subject = 'issue/' || i.id AND {{}} GROUP BY e.subject"
    )


def columns(connection: sqlite3.Connection, county: str, since: IssueColumns | None) -> IssueColumns:
    """All issues; with ``since`` only rows changed after its seq are read and laid over it."""
    seq = head(connection, county).seq
    if since is not None and since.seq == seq:
        return since
    met: Met = {
        plural: {word: number for number, word in enumerate(getattr(since, plural) if since else ())}
        for plural in _WORDS.values()
    }
    changed = f"i.fid IN (SELECT fid FROM issues WHERE changed_seq > {since.seq})" if since else "1"
    fresh = read(connection, county, met, seq, changed)
    if since is not None:
        fresh = laid_over({name: getattr(since, name) for name in TYPES}, fresh)
    return columns_of(seq, met, fresh)


def read(connection: sqlite3.Connection, county: str, met: Met, seq: int, condition: str) -> Arrays:
    """The rows of ``issues i`` for which an SQL condition holds, by fid; failures are counted up to event ``seq``."""
    cursor = connection.cursor()
    cursor.row_factory = None
    cursor.execute(f"{_select()} WHERE {condition} ORDER BY fid")
    parts = [arrays(block, met) for block in _blocks(cursor)]
    if not parts:
        return arrays([], met)
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    cursor.execute(_failures(few=len(whole["fid"]) < FEW).format(condition), (county, seq))
    failed = np.array(cursor.fetchall(), np.int64).reshape(-1, 3)
    place = np.searchsorted(whole["fid"], failed[:, 0])
    whole["returns"][place], whole["reopened"][place] = failed[:, 1], failed[:, 2]
    return whole


def columns_of(seq: int, met: Met, whole: Arrays) -> IssueColumns:
    """Columns as they stood after event ``seq``."""
    values: dict[str, Any] = {**whole, **{plural: tuple(numbers) for plural, numbers in met.items()}}
    return IssueColumns(seq=seq, **values)


def columns_within(columns: IssueColumns, parts: Sequence[Part] | None) -> IssueColumns:
    """The issues that lie in any of the parts of a county; all of them for None."""
    if parts is None:
        return columns
    return columns_where(columns, mask_within(columns, parts))


def columns_where(columns: IssueColumns, mask: npt.NDArray[np.bool_]) -> IssueColumns:
    """The issues that ``mask``, shape (n,), keeps."""
    return replace(columns, **{name: getattr(columns, name)[mask] for name in TYPES})


def mask_within(columns: IssueColumns, parts: Sequence[Part] | None) -> npt.NDArray[np.bool_]:
    """Which issues lie in any of the parts of a county (all of them for None), shape (n,)."""
    if parts is None:
        return np.ones(len(columns.fid), np.bool_)
    return inside(parts, columns.categories, columns.town, columns.village, columns.category, columns.privacy)


def inside(
    parts: Sequence[Part],
    categories: Sequence[str],
    town: npt.NDArray[np.int32],
    village: npt.NDArray[np.int32],
    category: npt.NDArray[np.int16],
    privacy: npt.NDArray[np.int8],
) -> npt.NDArray[np.bool_]:
    """Which rows of columns of length n lie in any of the parts, shape (n,).

    Columns don't tell ids, so a part of named issues holds none of them here.
    """
    kept = np.zeros(len(town), np.bool_)
    for part in parts:
        if part.issues:
            continue
        fits = privacy <= _CODES["privacy"].index(part.most_private.value)
        if part.places:
            towns, villages = ([int(p[1:]) for p in part.places if p[0] == letter] for letter in "tv")
            fits &= np.isin(town, towns) | np.isin(village, villages)
        if part.categories is not None:
            fits &= np.isin(category, [number for number, code in enumerate(categories) if code in part.categories])
        kept |= fits
    return kept


def _blocks(cursor: sqlite3.Cursor) -> Iterator[list[tuple[Any, ...]]]:
    while block := cursor.fetchmany(_BLOCK):
        yield block


def arrays(rows: Sequence[tuple[Any, ...]], met: Met) -> Arrays:
    """Rows in the order of `TYPES`, their words numbered in ``met``."""
    by_name = dict(zip(TYPES, zip(*rows, strict=True) if rows else [()] * len(TYPES), strict=True))
    for name, plural in _WORDS.items():
        words = met[plural]
        by_name[name] = tuple([words.setdefault(word, len(words)) for word in by_name[name]])
    return {name: np.array(by_name[name], dtype) for name, dtype in TYPES.items()}


def laid_over(below: Arrays, fresh: Arrays) -> Arrays:
    """Old rows with changed ones replaced and new ones put in at their place (rows stand in order of fid)."""
    if not len(fresh["fid"]):
        return below
    place = np.searchsorted(below["fid"], fresh["fid"])
    old = place < len(below["fid"])
    old[old] = below["fid"][place[old]] == fresh["fid"][old]
    laid: Arrays = {}
    for name, column in below.items():
        changed = column.copy()
        changed[place[old]] = fresh[name][old]
        laid[name] = np.insert(changed, place[~old], fresh[name][~old])
    return laid
