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
_DAY = "coalesce(CAST(julianday({0}) - 2440587.5 AS INTEGER), {1})"
_CODES = {
    "status": [status.value for status in STATUSES],
    "located": [located.value for located in Located],
    "privacy": [privacy.value for privacy in Privacy],
}
_TYPES: dict[str, npt.DTypeLike] = {
    "fid": np.int64, "lon": np.float64, "lat": np.float64, "status": np.int8, "town": np.int32, "village": np.int32,
    "found": np.int32, "due": np.int32, "progress": np.int8, "located": np.int8, "privacy": np.int8, "shape": np.int8,
    "held": np.int8,
}  # fmt: skip


def _select() -> str:
    """Everything but the category as a number, made in SQL: Python only passes it on."""

    def coded(name: str) -> str:
        cases = " ".join(f"WHEN '{value}' THEN {number}" for number, value in enumerate(_CODES[name]))
        return f"CASE {name} {cases} END"

    deadline = "CASE status WHEN 'deferred' THEN deferred_until ELSE due_on END"
    begun = "status NOT IN ('reported', 'registered') OR quantity_done > 0"
    return (
        f"SELECT category, fid, lon, lat, {coded('status')},"
        " coalesce(CAST(substr(town_id, 2) AS INTEGER), 0), coalesce(CAST(substr(village_id, 2) AS INTEGER), 0),"
        f" {_DAY.format('found_on', NO_DAY)}, {_DAY.format(deadline, NO_DAY)}, {begun},"
        f" {coded('located')}, {coded('privacy')}, coalesce(length(geom), 0) > 29,"
        " interim_on IS NOT NULL OR status = 'deferred' FROM issues"
    )


def columns(connection: sqlite3.Connection, county: str, since: IssueColumns | None) -> IssueColumns:
    """All issues; with ``since`` only rows changed after its seq are read and laid over it."""
    seq = head(connection, county).seq
    if since is not None and since.seq == seq:
        return since
    condition = f" WHERE changed_seq > {since.seq} ORDER BY fid" if since else " ORDER BY fid"
    cursor = connection.cursor()
    cursor.row_factory = None
    cursor.execute(_select() + condition)
    categories = {code: number for number, code in enumerate(since.categories if since else ())}
    parts = [_arrays(block, categories) for block in _blocks(cursor)]
    fresh = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
    if since is not None:
        fresh = _laid_over(since, fresh)
    elif not fresh:
        fresh = _arrays([], categories)
    return IssueColumns(seq=seq, categories=tuple(categories), **fresh)


def columns_within(columns: IssueColumns, parts: Sequence[Part] | None) -> IssueColumns:
    """The issues that lie in any of the parts of a county; all of them for None."""
    if parts is None:
        return columns
    kept = inside(parts, columns.categories, columns.town, columns.village, columns.category, columns.privacy)
    return replace(columns, **{name: getattr(columns, name)[kept] for name in ("category", *_TYPES)})


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


def _arrays(block: Sequence[tuple[Any, ...]], categories: dict[str, int]) -> dict[str, npt.NDArray[Any]]:
    category, *others = zip(*block, strict=True) if block else [()] * (1 + len(_TYPES))
    numbers = [categories.setdefault(code, len(categories)) for code in category]
    arrays = {name: np.array(column, dtype) for (name, dtype), column in zip(_TYPES.items(), others, strict=True)}
    return {"category": np.array(numbers, np.int16), **arrays}


def _laid_over(since: IssueColumns, fresh: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Old rows with changed ones replaced and new ones at the end (fids grow)."""
    names = ("category", *_TYPES)
    if not fresh:
        return {name: getattr(since, name) for name in names}
    place = np.searchsorted(since.fid, fresh["fid"])
    old = place < len(since.fid)
    old[old] = since.fid[place[old]] == fresh["fid"][old]
    laid: dict[str, npt.NDArray[Any]] = {}
    for name in names:
        column = getattr(since, name).copy()
        column[place[old]] = fresh[name][old]
        laid[name] = np.concatenate([column, fresh[name][~old]])
    return laid
