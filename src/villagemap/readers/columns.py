"""Names of columns → fields, and words in cells → values. Pure but for reading a mapping file.

A parser of values gives None for a blank cell and raises ``ValueError(code)`` with a finding's code for what it
can't read: ``date_unreadable``, ``date_impossible``, ``number_unreadable``, ``position_unreadable``.
"""

import math
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from villagemap.errors import BadInputError, NotFoundError
from villagemap.settings import TIME_ZONE

Kind = Literal["issues", "places", "roads", "tracks"]
"""What a table is a list of."""

IGNORED = "-"
"""What a mapping file writes for a column that is to be left out."""


@dataclass(frozen=True, slots=True)
class ColumnMatch:
    """Which column holds which field: field → index, and the names of the columns that hold none."""

    fields: Mapping[str, int]
    unmatched: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMapping:
    """What a mapping file says: column → field, field → constant, field → word in a cell → code."""

    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@cache
def _tiers(kind: Kind) -> Mapping[str, tuple[str, int]]:
    """Plain name of a column → (field, how good a name for it: 0 is the best)."""
    raw = tomllib.loads((Path(__file__).parents[1] / "columns.toml").read_text(encoding="utf-8"))[kind]
    names: dict[str, tuple[str, int]] = {}
    for name, choices in raw.items():
        names[_plain(name)] = (name, 0)
        for tier, words in enumerate(choices):
            for word in words.split():
                names[word] = (name, tier)
    return names


def known_fields(kind: Kind) -> tuple[str, ...]:
    """All fields that a column can be matched to."""
    return tuple(dict.fromkeys(name for name, _ in _tiers(kind).values()))


def match_columns(columns: Sequence[str], kind: Kind, mapping: Mapping[str, str] | None = None) -> ColumnMatch:
    """Which of ``columns`` holds which field, by the names in ``columns.toml``.

    Parameters
    ----------
    mapping
        Column → field as given by a person; wins over the names. `IGNORED` leaves a column out.

    Raises
    ------
    BadInputError
        ``columns_clash`` where two columns fit one field equally well (it names both), ``mapping_unknown_column``.
    """
    by_plain = {_plain(column): index for index, column in reversed(list(enumerate(columns)))}
    taken: dict[str, tuple[int, int]] = {}
    mapped: set[int] = set()
    for column, name in (mapping or {}).items():
        index = by_plain.get(_plain(column))
        if index is None:
            raise BadInputError("mapping_unknown_column", column=column, known=", ".join(columns))
        mapped.add(index)
        if name != IGNORED:
            _take(taken, name, index, -1, columns)
    for index, column in enumerate(columns):
        fit = _fit(column, kind)
        if fit and index not in mapped:
            _take(taken, *(fit[0], index, fit[1]), columns)
    fields = {name: index for name, (index, _) in taken.items()}
    used = set(fields.values()) | mapped
    return ColumnMatch(fields, tuple(c for i, c in enumerate(columns) if i not in used and c))


def _take(taken: dict[str, tuple[int, int]], name: str, index: int, tier: int, columns: Sequence[str]) -> None:
    """Note a column for a field if it fits better than the one noted before."""
    before = taken.get(name)
    if before is None or tier < before[1]:
        taken[name] = (index, tier)
    elif tier == before[1]:
        raise BadInputError("columns_clash", first=columns[before[0]], second=columns[index], field=name)


def _fit(column: str, kind: Kind) -> tuple[str, int] | None:
    names = _tiers(kind)
    return names.get(_plain(column)) or names.get(_plain(re.sub(r"[（(\[【].*?[)）\]】]", "", column)))


@lru_cache(4096)
def _plain(column: str) -> str:
    """A name without spaces, punctuation, capitals and full-width forms."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", column)).casefold()


def read_mapping(path: Path, kind: Kind) -> ColumnMapping:
    """A mapping file: TOML with the tables ``[columns]``, ``[values]`` and ``[values_map.<field>]``.

    Raises
    ------
    NotFoundError
        ``file_missing``
    BadInputError
        ``mapping_broken``, ``mapping_unknown_field``
    """
    if not path.is_file():
        raise NotFoundError("file_missing", file=str(path))
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        mapping = ColumnMapping(
            columns=_texts(raw.pop("columns", {})),
            values=_texts(raw.pop("values", {})),
            codes={name: _texts(codes) for name, codes in raw.pop("values_map", {}).items()},
        )
    except (ValueError, AttributeError) as fault:
        raise BadInputError("mapping_broken", file=path.name, fault=str(fault)) from fault
    if raw:
        raise BadInputError("mapping_broken", file=path.name, fault=", ".join(raw))
    known = known_fields(kind)
    for name in (*mapping.columns.values(), *mapping.values, *mapping.codes):
        if name not in (*known, IGNORED):
            known_names = ", ".join(known)
            raise BadInputError("mapping_unknown_field", file=path.name, field=name, known=known_names)
    return mapping


def _texts(table: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in table.items()}


_DATE = re.compile(r"(\d{4})\s*[-./年]\s*(\d{1,2})\s*[-./月]\s*(\d{1,2})\s*[日号]?\s*(.*)")
_TIME = re.compile(r"T?\s*\d{1,2}[:时]\d{1,2}分?(?::?\d{1,2}(?:\.\d+)?秒?)?\s*(Z|[+-]\d{2}:?\d{2})?", re.IGNORECASE)
_COMPACT = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)")
_NUMERIC = re.compile(r"\d+(?:\.\d+)?")
_EXCEL_DAY_0 = date(1899, 12, 30)
_EXCEL_DAYS = (30_000, 60_000)
"""Serial days from 1982 to 2064: what a date can look like that lost its format."""
_YEARS = range(1949, 2101)
_SECONDS_DIGITS, _MILLISECONDS_DIGITS = 10, 13


@lru_cache(8192)
def parse_date(text: str) -> date | None:
    """The day that a cell names, in the calendar of Asia/Shanghai.

    Takes 2022-03-09, 2022.3.9, 2022/3/9, 2022年3月9日, 20220309, each also with a time and an offset, seconds or
    milliseconds since 1970 (10 or 13 digits), Excel's serial days, and full-width digits. Day-first and two-digit
    years are never guessed.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if not plain:
        return None
    if _NUMERIC.fullmatch(plain):
        return _numeric_date(plain)
    parts = _DATE.fullmatch(plain)
    rest = _TIME.fullmatch(parts[4]) if parts and parts[4] else None
    if parts is None or (parts[4] and rest is None):
        raise ValueError("date_unreadable")
    if rest and rest[1]:
        return _instant(plain)
    return _day(parts[1], parts[2], parts[3])


def _numeric_date(plain: str) -> date:
    whole = plain.partition(".")[0]
    if compact := _COMPACT.fullmatch(plain):
        return _day(*compact.groups())
    if len(whole) == _SECONDS_DIGITS:
        return _day_of(datetime.fromtimestamp(float(plain), UTC))
    if len(whole) == _MILLISECONDS_DIGITS:
        return _day_of(datetime.fromtimestamp(float(plain) / 1000, UTC))
    if len(whole) <= len("60000") and _EXCEL_DAYS[0] <= float(plain) <= _EXCEL_DAYS[1]:
        return _EXCEL_DAY_0 + timedelta(days=int(whole))
    raise ValueError("date_unreadable")


def _instant(plain: str) -> date:
    """The day in Shanghai of a time with an offset."""
    parts = re.findall(r"\d+", plain)
    day = _day(*parts[:3])
    clock, offset = plain[plain.index(parts[2], 7) + len(parts[2]) :], timedelta()
    hour, minute = (int(part) for part in re.findall(r"\d+", clock)[:2])
    if east := re.search(r"([+-])(\d{2}):?(\d{2})$", clock):
        offset = timedelta(hours=int(east[2]), minutes=int(east[3])) * (1 if east[1] == "+" else -1)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return _day_of(start + timedelta(hours=hour, minutes=minute) - offset)


def _day(year: str, month: str, day: str) -> date:
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        raise ValueError("date_impossible") from None
    if found.year not in _YEARS:
        raise ValueError("date_impossible")
    return found


def _day_of(instant: datetime) -> date:
    found = instant.astimezone(TIME_ZONE).date()
    if found.year not in _YEARS:
        raise ValueError("date_impossible")
    return found


_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")


def parse_number(text: str) -> float | None:
    """The number in a cell: full-width digits and thousands separators are fine, words aren't."""
    plain = (text if text.isascii() else unicodedata.normalize("NFKC", text)).strip()
    if not plain:
        return None
    try:
        number = float(plain)
    except ValueError:
        if not _GROUPED.fullmatch(plain):
            raise ValueError("number_unreadable") from None
        number = float(plain.replace(",", ""))
    if not math.isfinite(number) or "_" in plain:
        raise ValueError("number_unreadable")
    return number


_NEGATIVE = re.compile(r"[SWsw]|西经|南纬")
_ANGLE = re.compile(
    r"(?P<before>[NSEWnsew]|[东西]经|[南北]纬)?\s*:?\s*(?P<degrees>[+-]?\d+(?:\.\d+)?)\s*"
    r"(?:[°º度o]\s*(?:(?P<minutes>\d+(?:\.\d+)?)\s*['′’‘分]\s*)?(?:(?P<seconds>\d+(?:\.\d+)?)\s*(?:[\"″”“秒]|''|′′)\s*)?)?"
    r"(?P<after>[NSEWnsew])?"
)
_SIXTY = 60


def parse_coordinate(text: str) -> float | None:
    """One coordinate: degrees as a decimal or in degrees, minutes, seconds (东经110°15′3″, 21°22.5'N), or metres."""
    plain = text.strip()
    if not plain:
        return None
    try:
        return parse_number(plain)
    except ValueError:
        angle = _ANGLE.fullmatch(unicodedata.normalize("NFKC", plain).strip())
    if angle is None:
        raise ValueError("position_unreadable")
    return _decimal(angle)


def parse_lonlat(text: str) -> tuple[float, float] | None:
    """Two coordinates in one cell: "110.25,21.38", "东经110°15′3″ 北纬21°22′5″", "21.38N 110.25E".

    The order is the one given unless the words say otherwise; whether it looks swapped is `crs.check_lonlat`'s to say.
    """
    plain = unicodedata.normalize("NFKC", text).strip().strip("()[]（）【】").strip()
    if not plain:
        return None
    parts = [part for part in re.split(r"[,;、/|]", plain) if part.strip()]
    if len(parts) == 1:
        parts = _two_angles(plain)
    angles = [_ANGLE.fullmatch(part.strip()) for part in parts]
    if len(angles) != 2 or angles[0] is None or angles[1] is None:  # noqa: PLR2004 - lon and lat
        raise ValueError("position_unreadable")
    first, second = angles[0], angles[1]
    if _axis(first) == "lat" or _axis(second) == "lon":
        first, second = second, first
    return _decimal(first), _decimal(second)


def _two_angles(plain: str) -> list[str]:
    """The parts of a cell without a separator but spaces, or none at all (北纬21°22′东经110°15′)."""
    found = re.split(r"(?<=[^\s])\s*(?=[东西]经|[南北]纬)", plain)
    if len(found) == 1:
        found = re.split(r"\s+(?=[NSEWnsew]\s*\d)" if plain[0].isalpha() else r"(?<=[NSEWnsew])\s+", plain)
    return [part for part in (found if len(found) > 1 else plain.split()) if part]


def _axis(angle: re.Match[str]) -> str:
    words = (angle["before"] or "") + (angle["after"] or "")
    if re.search(r"[NSns]|纬", words):
        return "lat"
    return "lon" if words else ""


def _decimal(angle: re.Match[str]) -> float:
    minutes, seconds = float(angle["minutes"] or 0), float(angle["seconds"] or 0)
    if minutes >= _SIXTY or seconds >= _SIXTY:
        raise ValueError("position_unreadable")
    degrees = float(angle["degrees"])
    size = abs(degrees) + minutes / 60 + seconds / 3600
    negative = degrees < 0 or bool(_NEGATIVE.search((angle["before"] or "") + (angle["after"] or "")))
    return -size if negative else size
