"""Which days are worked in China: weekends, public holidays and make-up working days, from ``calendar.toml``.

A year without data has only its weekends off; `WorkCalendar.years_without_data` says where an answer leans on such a
year, and whoever shows the answer shows that too.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from villagemap.errors import WorkspaceError

SATURDAY = 5
CENTURY = 2000
QINGMING_YEARS = range(CENTURY, CENTURY + 100)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorkCalendar:
    """Days off by the holiday they belong to, weekend days that are worked, and the years that have data."""

    off: Mapping[date, str]
    worked: frozenset[date]
    years: frozenset[int]
    labels: Mapping[str, Mapping[str, str]]
    """Holiday to language to name."""

    def is_working_day(self, day: date) -> bool:
        """Whether ``day`` is worked: a make-up day always, a holiday never, else Monday to Friday."""
        if day in self.worked:
            return True
        return day not in self.off and day.weekday() < SATURDAY

    def holiday(self, day: date, lang: str) -> str:
        """Name of the public holiday that ``day`` belongs to; "" for any other day."""
        return self.labels[self.off[day]][lang] if day in self.off else ""

    def working_days(self, first: date, last: date) -> Mask:
        """Whether each day from ``first`` to ``last`` (inclusive) is worked: shape (days,), empty if swapped."""
        days = range((last - first).days + 1)
        return np.fromiter((self.is_working_day(first + timedelta(days=n)) for n in days), np.bool_)

    def add_working_days(self, day: date, count: int) -> date:
        """The ``count``-th working day after ``day`` (before it, if negative); ``day`` itself for 0, worked or not.

        What is found on a Friday with 3 working days to go is due on the Wednesday.
        """
        step = timedelta(days=1 if count > 0 else -1)
        for _ in range(abs(count)):
            day += step
            while not self.is_working_day(day):
                day += step
        return day

    def years_without_data(self, first: date, last: date) -> tuple[int, ...]:
        """Years from ``first`` to ``last`` whose holidays aren't known: a finding to show beside the answer."""
        return tuple(year for year in range(first.year, last.year + 1) if year not in self.years)


@cache
def load_calendar(own: Path | None = None) -> WorkCalendar:
    """Our calendar with the county's ``own`` file laid over it: a year named there replaces ours whole.

    Raises
    ------
    WorkspaceError
        If the county's file isn't TOML, or a year in it is incomplete, contradicts itself, or names no known holiday.
    """
    raw = tomllib.loads((Path(__file__).parent / "calendar.toml").read_text(encoding="utf-8"))
    if own is None or not own.exists():
        return _calendar(raw)
    try:
        above = tomllib.loads(own.read_text(encoding="utf-8"))
        for table in ("holidays", "years"):
            raw[table] = {**raw[table], **above.get(table, {})}
        return _calendar(raw)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as fault:
        raise WorkspaceError("calendar_unreadable", path=str(own), fault=str(fault)) from fault


def is_working_day(day: date) -> bool:
    """Whether ``day`` is worked by our own calendar."""
    return load_calendar().is_working_day(day)


def add_working_days(day: date, count: int) -> date:
    """The ``count``-th working day after ``day`` by our own calendar."""
    return load_calendar().add_working_days(day, count)


def qingming(year: int) -> date:
    """Day of Qingming 清明 (the sun at 15 degrees of longitude, Beijing time): 4 or 5 April.

    The common rule of thumb for this century, ``floor(0.2422 y + 4.81) - floor(y / 4)`` with the year's last two
    digits y; the tests hold it against the sun's longitude for every year.

    Raises
    ------
    ValueError
        Outside 2000 to 2099.
    """
    if year not in QINGMING_YEARS:
        raise ValueError(f"no rule for Qingming in {year}")
    y = year - CENTURY
    return date(year, 4, int(0.2422 * y + 4.81) - y // 4)


def _calendar(raw: Mapping[str, Any]) -> WorkCalendar:
    off: dict[date, str] = {}
    worked: set[date] = set()
    for year in raw["years"].values():
        worked.update(year["worked"])
        for span in year["off"]:
            name = span["holiday"]
            if name not in raw["holidays"]:
                raise ValueError(f"holiday {name!r}")
            for n in range((span["last"] - span["first"]).days + 1):
                off[span["first"] + timedelta(days=n)] = name
    _check(off, worked)
    years = frozenset(int(year) for year in raw["years"])
    return WorkCalendar(off=off, worked=frozenset(worked), years=years, labels=raw["holidays"])


def _check(off: Mapping[date, str], worked: set[date]) -> None:
    """Make-up days lie on weekends and on no holiday: a slip of the pen in the data says so at once."""
    wrong = sorted(day for day in worked if day in off or day.weekday() < SATURDAY)
    if wrong:
        raise ValueError(", ".join(day.isoformat() for day in wrong))
