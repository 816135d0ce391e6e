"""A matrix that somebody gives: it overrides all. CSV (ids in the first row and column) or JSON.

What is no time (nothing, NaN, endless, below zero) counts as no way between the two, and is told; the rest is used.
"""

import csv
import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from villagemap.errors import BadInputError, NotFoundError, TooLargeError
from villagemap.plans import NEVER, Matrix, MatrixKind
from villagemap.travel.findings import TravelFinding
from villagemap.travel.line import SPEED_KM_H
from villagemap.travel.plane import Floats

MOST_SITES = 6_000
MOST_BYTES = 500 * 1024 * 1024
_TOLD = 3
_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class Given:
    """A matrix as given, and what of it couldn't be used."""

    matrix: Matrix
    findings: tuple[TravelFinding, ...]


def read_matrix(source: Path | Mapping[str, Any]) -> Given:
    """A person's own travel times, seconds, and distances, metres.

    Parameters
    ----------
    source
        A CSV with ids in its first row and column and seconds in between; or JSON (a file's or a request's):
        ``{"ids": […], "durations_s": [[…]], "distances_m": [[…]]}``, row i to column j, the distances optional. Without
        them a distance is what a car at `SPEED_KM_H` comes in that time, and ``about`` says so.

    Raises
    ------
    NotFoundError
        ``file_missing``
    TooLargeError
        ``file_too_large``, ``matrix_too_large``
    BadInputError
        ``matrix_unreadable``, ``matrix_not_square``, ``matrix_ids_repeat``, ``matrix_empty``
    """
    if isinstance(source, Mapping):
        return _from_json(source, "")
    raw = _bytes(source)
    if raw.lstrip()[:1] in {b"{", b"["}:
        try:
            said = orjson.loads(raw)
        except orjson.JSONDecodeError as fault:
            raise BadInputError("matrix_unreadable", file=source.name, where=str(fault)[:100]) from fault
        return _from_json(said, source.name)
    return _from_csv(_decoded(raw, source.name), source.name)


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise NotFoundError("file_missing", file=str(path))
    with path.open("rb") as stream:
        raw = stream.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise TooLargeError("file_too_large", file=path.name, limit_mb=MOST_BYTES // 1024 // 1024)
    return raw


def _decoded(raw: bytes, name: str) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadInputError("matrix_unreadable", file=name, where="1")


def _from_csv(words: str, name: str) -> Given:
    """Rows by their first cell, columns by the first row; a name that only one of the two has is told."""
    first = words[: words.find("\n")] if "\n" in words else words
    mark = max(",\t;", key=first.count)
    try:
        lines = [line for line in csv.reader(words.splitlines(), delimiter=mark, strict=True) if any(line)]
    except csv.Error as fault:
        raise BadInputError("matrix_unreadable", file=name, where=str(fault)[:100]) from fault
    if not lines:
        raise BadInputError("matrix_empty", file=name)
    across = [word.strip() for word in lines[0][1:]]
    while across and not across[-1]:
        across.pop()
    down = [line[0].strip() for line in lines[1:]]
    _check_ids(across, name)
    _check_ids(down, name)
    if not across or not down:
        raise BadInputError("matrix_empty", file=name)
    column = {site: at for at, site in enumerate(across)}
    findings = [TravelFinding(code="matrix_no_column", site=site) for site in down if site not in column]
    findings += [TravelFinding(code="matrix_no_row", site=site) for site in sorted(set(across) - set(down))]
    ids = [*down, *(site for site in across if site not in set(down))]
    seconds = np.full((len(ids), len(ids)), math.nan)
    chosen = np.array([column.get(site, -1) for site in ids])
    for at, line in enumerate(lines[1:]):
        figures = np.array([*map(_number, line[1 : len(across) + 1]), *[math.nan] * (len(across) - len(line) + 1)])
        seconds[at, chosen >= 0] = figures[chosen[chosen >= 0]]
    return _given(ids, seconds, None, name, findings)


def _from_json(said: Any, name: str) -> Given:  # noqa: ANN401 - whatever somebody sent
    if not isinstance(said, Mapping) or not isinstance(said.get("ids"), list):
        raise BadInputError("matrix_unreadable", file=name, where="ids")
    ids = [str(site) for site in said["ids"]]
    if not ids:
        raise BadInputError("matrix_empty", file=name)
    _check_ids(ids, name)
    seconds = _square(said.get("durations_s"), ids, name, "durations_s")
    metres = said.get("distances_m")
    return _given(ids, seconds, None if metres is None else _square(metres, ids, name, "distances_m"), name, [])


def _check_ids(ids: Sequence[str], name: str) -> None:
    if len(ids) > MOST_SITES:
        raise TooLargeError("matrix_too_large", file=name, count=len(ids), limit=MOST_SITES)
    repeated = [site[:_LONGEST_ID] or "?" for site, count in Counter(ids).items() if count > 1 or not site]
    if repeated:
        raise BadInputError("matrix_ids_repeat", file=name, ids=", ".join(repeated[:10]))


def _square(rows: Any, ids: Sequence[str], name: str, member: str) -> Floats:  # noqa: ANN401 - JSON
    """Rows of figures, one for each id and of as many."""
    if not isinstance(rows, list) or len(rows) != len(ids):
        count = len(rows) if isinstance(rows, list) else 0
        lacking = ", ".join(ids[count : count + 10]) or member
        raise BadInputError("matrix_not_square", file=name, ids=lacking, count=count, wanted=len(ids))
    odd = [at for at, row in enumerate(rows) if not isinstance(row, list) or len(row) != len(ids)]
    if odd:
        count = len(rows[odd[0]]) if isinstance(rows[odd[0]], list) else 0
        named = ", ".join(ids[at] for at in odd[:10])
        raise BadInputError("matrix_not_square", file=name, ids=named, count=count, wanted=len(ids))
    return np.array([[_number(value) for value in row] for row in rows], float)


def _number(value: Any) -> float:  # noqa: ANN401 - a cell or a JSON value
    """Seconds or metres; NaN for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def _given(
    ids: Sequence[str], seconds: Floats, metres: Floats | None, name: str, findings: list[TravelFinding]
) -> Given:
    """The matrix, with what can't be used marked as no way and told by site."""
    about: dict[str, str | int | float] = {"file": name} if name else {}
    if metres is None:
        metres = seconds / 3.6 * SPEED_KM_H
        about["speed_km_h"] = SPEED_KM_H
    for figures in (seconds, metres):
        np.fill_diagonal(figures, 0.0)
    told = {finding.site for finding in findings}
    holes, below = ~np.isfinite(seconds) | ~np.isfinite(metres), (seconds < 0) | (metres < 0)
    findings += _findings("matrix_hole", ids, holes, told)
    findings += _findings("matrix_negative", ids, below, set())
    unusable = holes | below
    return Given(
        Matrix(
            ids=tuple(ids),
            duration_s=_whole(seconds, unusable),
            distance_m=_whole(metres, unusable),
            kind=MatrixKind.GIVEN,
            digest=hashlib.sha256(orjson.dumps(list(ids)) + seconds.tobytes() + metres.tobytes()).hexdigest(),
            about=about,
        ),
        tuple(findings),
    )


def _findings(
    code: str, ids: Sequence[str], faults: "np.typing.NDArray[np.bool_]", told: set[str]
) -> list[TravelFinding]:
    """One finding for each site with a fault towards others, naming the first few."""
    found = []
    for at in np.flatnonzero(faults.any(axis=1)).tolist():
        others = [ids[to] for to in np.flatnonzero(faults[at]).tolist() if ids[to] not in told]
        if ids[at] not in told and others:
            names = ", ".join(others[:_TOLD]) + (" …" if len(others) > _TOLD else "")
            found.append(TravelFinding(code=code, site=ids[at], params={"others": names, "count": len(others)}))
    return found


def _whole(figures: Floats, unusable: "np.typing.NDArray[np.bool_]") -> "np.typing.NDArray[np.int64]":
    bounded = np.minimum(np.rint(np.where(unusable, 0.0, figures)), NEVER)
    return np.where(unusable, NEVER, bounded).astype(np.int64)
