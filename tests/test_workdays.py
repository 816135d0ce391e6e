from datetime import date, timedelta
from math import radians, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.errors import WorkspaceError
from villagemap.workdays import add_working_days, is_working_day, load_calendar, qingming

CALENDAR = load_calendar()
days = st.dates(date(2021, 1, 1), date(2026, 12, 31))

STATUTORY = {2021: 11, 2022: 11, 2023: 11, 2024: 11, 2025: 13, 2026: 13}
"""Paid public holidays by the State Council's regulation; two more from 2025 on."""


@pytest.mark.parametrize(("year", "count"), STATUTORY.items())
def test_days_off_and_make_up_days_add_up_to_the_statutory_holidays(year: int, count: int):
    """Bridged days are worked on weekends, so only the statutory days are gained."""
    every = [date(year, 1, 1) + timedelta(days=n) for n in range(366)]
    weekdays = [day for day in every if day.year == year and day.weekday() < 5]
    worked = CALENDAR.working_days(date(year, 1, 1), date(year, 12, 31)).sum()
    assert len(weekdays) - worked == count


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        ("2021-02-20", True),  # the Saturday after Spring Festival
        ("2021-09-20", False),
        ("2022-01-30", True),
        ("2022-04-02", True),  # the Saturday before Qingming
        ("2022-04-05", False),
        ("2022-04-06", True),
        ("2023-01-02", False),  # a Monday of a New Year that begins in December
        ("2023-06-25", True),
        ("2023-10-06", False),
        ("2024-02-09", True),  # New Year's Eve was no day off that year
        ("2024-10-12", True),
        ("2025-01-28", False),  # and this year it was
        ("2025-10-08", False),
        ("2026-01-04", True),
        ("2026-02-23", False),
        ("2026-10-10", True),
        ("2026-03-21", False),  # any Saturday
        ("2026-03-20", True),  # any Friday
    ],
)
def test_days_that_people_remember(day: str, worked: bool):
    assert is_working_day(date.fromisoformat(day)) is worked


@pytest.mark.parametrize("year", range(2021, 2027))
def test_statutory_days_themselves_are_off(year: int):
    fixed = [date(year, 1, 1), date(year, 5, 1), *(date(year, 10, n) for n in (1, 2, 3)), qingming(year)]
    assert not any(is_working_day(day) for day in fixed)


def test_qingming_is_off_and_so_called():
    assert CALENDAR.holiday(qingming(2022), "zh") == "清明节"
    assert CALENDAR.holiday(date(2022, 4, 6), "zh") == ""
    with pytest.raises(ValueError, match="1999"):
        qingming(1999)


def sun_longitude(at_utc_days: float) -> float:
    """Apparent longitude in degrees, days after 2000-01-01 12:00 (Meeus, Astronomical Algorithms, chapter 25)."""
    t = at_utc_days / 36525
    mean, anomaly = 280.46646 + 36000.76983 * t, radians(357.52911 + 35999.05029 * t)
    centre = 1.914602 * sin(anomaly) + 0.019993 * sin(2 * anomaly) + 0.000289 * sin(3 * anomaly)
    node = radians(125.04 - 1934.136 * t)
    return (mean + centre - 0.00569 - 0.00478 * sin(node)) % 360


@pytest.mark.parametrize("year", range(2000, 2100))
def test_qingming_is_when_the_sun_stands_at_15_degrees(year: int):
    midnight = (qingming(year) - date(2000, 1, 1)).days - 0.5 - 8 / 24
    assert sun_longitude(midnight) < 15.01  # the formula is good to 0.01 degrees, a quarter of an hour
    assert sun_longitude(midnight + 1) > 14.99


@given(days, st.integers(-40, 40))
def test_adding_working_days_counts_exactly_them(day: date, count: int):
    end = add_working_days(day, count)
    first, last = sorted((day, end))
    inside = CALENDAR.working_days(first, last)
    start_itself = is_working_day(day)
    assert inside.sum() - (start_itself if count else inside.sum()) == abs(count)
    assert count == 0 or is_working_day(end)


@given(days, st.integers(0, 20), st.integers(0, 20))
def test_adding_twice_is_adding_at_once(day: date, a: int, b: int):
    assert add_working_days(add_working_days(day, a), b) == add_working_days(day, a + b)


def test_a_deadline_across_qingming():
    assert add_working_days(date(2022, 4, 1), 1) == date(2022, 4, 2)
    assert add_working_days(date(2022, 4, 1), 2) == date(2022, 4, 6)
    assert add_working_days(date(2022, 4, 6), -2) == date(2022, 4, 1)


def test_a_year_without_data_has_weekends_only_and_is_named():
    assert CALENDAR.years_without_data(date(2026, 12, 1), date(2027, 1, 5)) == (2027,)
    assert CALENDAR.years_without_data(date(2021, 1, 1), date(2026, 12, 31)) == ()
    assert is_working_day(date(2027, 1, 1))  # a Friday: nobody has told us


def test_a_county_adds_a_year_of_its_own(tmp_path):
    own = tmp_path / "calendar.toml"
    own.write_text(
        'holidays.fair = { zh = "墟日", en = "Fair" }\n[years.2027]\nworked = [2027-01-03]\n'
        'off = [{ holiday = "fair", first = 2027-01-01, last = 2027-01-01 }]\n',
        encoding="utf-8",
    )
    calendar = load_calendar(own)
    assert not calendar.is_working_day(date(2027, 1, 1))
    assert calendar.is_working_day(date(2027, 1, 3))
    assert calendar.holiday(date(2027, 1, 1), "en") == "Fair"
    assert calendar.years_without_data(date(2026, 1, 1), date(2027, 12, 31)) == ()
    assert not calendar.is_working_day(date(2022, 4, 5))


@pytest.mark.parametrize(
    "content",
    [
        "years",
        "years = 3",
        "[years.2027]\nworked = []",
        '[years.2027]\nworked = []\noff = [{ holiday = "x", first = 2027-01-01, last = 2027-01-01 }]',
        "[years.2027]\noff = []\nworked = [2027-01-04]",  # a Monday is no make-up day
        "[years.next]\noff = []\nworked = []",
    ],
)
def test_a_broken_calendar_is_refused_with_its_name(tmp_path, content: str):
    own = tmp_path / "calendar.toml"
    own.write_text(content, encoding="utf-8")
    with pytest.raises(WorkspaceError, match=r"calendar\.toml"):
        load_calendar(own)
