"""The way in for a track: a table of positions and times, or a GPX, parsed in the sandbox's child → arrays."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from villagemap.crs import parse_datum, to_wgs84
from villagemap.errors import BadInputError
from villagemap.reach import Track
from villagemap.readers.columns import match_columns
from villagemap.readers.contract import MEGABYTE, Limits
from villagemap.readers.intake import take_in
from villagemap.readers.sandbox import Table, open_taken
from villagemap.settings import TIME_ZONE

TRACK_LIMITS = Limits(file_bytes=50 * MEGABYTE, rows=500_000)
"""Half a million fixes are six days of one a second."""
KINDS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "xlsx", ".gpx": "gpx"}
_SECONDS_DIGITS, _MILLISECONDS_DIGITS = 10, 13
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRead:
    """A track as read: ``rows`` of the file, of which ``unreadable`` had no position; ``untimed`` had no time."""

    file: str
    sha256: str
    track: Track
    rows: int
    unreadable: int
    untimed: int


def read_track(path: Path, *, datum: str = "", limits: Limits = TRACK_LIMITS) -> TrackRead:
    """Read a GPX, or a CSV or XLSX with columns for longitude, latitude and (if known) time.

    A time without an offset is Asia/Shanghai's; 10 or 13 digits are seconds or milliseconds since 1970.

    Parameters
    ----------
    datum
        What the positions are in, WGS 84 if not given; a GPX is always in WGS 84.

    Raises
    ------
    NotFoundError, BadInputError, TooLargeError
        Whatever is wrong with the file; ``track_columns``, ``track_empty``, ``datum_unknown``.
    """
    given = parse_datum(datum or "wgs84")
    with TemporaryDirectory(prefix="villagemap-") as folder:
        taken = take_in(path, Path(folder), limits, KINDS)
        with open_taken(taken, Path(folder), path.name, limits=limits) as table:
            return _read(table, "wgs84" if taken.kind == "gpx" else given)


def _read(table: Table, datum: str) -> TrackRead:
    fields = match_columns(table.columns, "tracks").fields
    if "lon" not in fields or "lat" not in fields:
        raise BadInputError("track_columns", file=table.file, columns=", ".join(table.columns)[:200])
    x, y, times, rows = [], [], [], 0
    for batch in table.batches():
        for row in batch:
            rows += 1
            lon, lat = _number(row.values[fields["lon"]]), _number(row.values[fields["lat"]])
            if math.isnan(lon) or math.isnan(lat):
                continue
            x.append(lon)
            y.append(lat)
            times.append(_instant(row.values[fields["time"]]) if "time" in fields else None)
    if not x:
        raise BadInputError("track_empty", file=table.file)
    east, north = to_wgs84(np.array(x), np.array(y), datum)
    instants = np.array([at.replace(tzinfo=None) if at else None for at in times], "datetime64[s]")
    return TrackRead(
        file=table.file,
        sha256=table.sha256,
        track=Track(lon=east, lat=north, time=instants),
        rows=rows,
        unreadable=rows - len(x),
        untimed=int(np.isnat(instants).sum()),
    )


def _number(word: str) -> float:
    """Degrees or metres; NaN for anything else."""
    try:
        number = float(word)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _instant(word: str) -> datetime | None:
    """An instant in UTC; None where there is none, or it can't be one."""
    plain = word.strip()
    try:
        if re.fullmatch(r"\d+", plain, re.ASCII):
            scale = {_SECONDS_DIGITS: 1, _MILLISECONDS_DIGITS: 1000}[len(plain)]
            at = datetime.fromtimestamp(int(plain) / scale, UTC)
        else:
            at = datetime.fromisoformat(_iso(plain))
        at = (at if at.tzinfo else at.replace(tzinfo=TIME_ZONE)).astimezone(UTC)
    except (ValueError, KeyError, OverflowError, OSError):
        return None
    return at if at > _EARLIEST else None


def _iso(plain: str) -> str:
    """A date with slashes or single digits, as spreadsheets write it, in the standard's form."""
    parts = re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[T ]+(\d{1,2}):(\d{2})(.*)", plain, re.ASCII)
    if parts is None:
        return plain
    year, month, day, hour, minute, rest = parts.groups()
    return f"{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute}{rest}"
