from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.forecast import DRAWS, Trend, Untold, draw_totals, forecast, outlook
from villagemap.texts import LANGS
from villagemap.workdays import load_calendar

CALENDAR = load_calendar()
LAST = date(2026, 3, 20)  # a Friday
DEADLINE = date(2026, 4, 3)  # ten working days later

Kind = Callable[[np.random.Generator, int], np.ndarray]


def weekly(rng: np.random.Generator, days: int, shares: tuple[float, ...], mean: float) -> np.ndarray:
    """A week's rhythm that begins on any of its days."""
    return rng.poisson(mean * np.roll(np.resize(shares, days + 5), rng.integers(5))[:days])


def moody(rng: np.random.Generator, days: int) -> np.ndarray:
    """Good and bad spells: correlation 0.5 from day to day."""
    mood = np.zeros(days)
    for n, shock in enumerate(rng.normal(size=days)):
        mood[n] = 0.5 * mood[n - 1] + np.sqrt(0.75) * shock
    return rng.poisson(8 * np.exp(0.4 * mood))


WORLDS: dict[str, Kind] = {
    "even": lambda rng, days: rng.poisson(3, days),
    "busy": lambda rng, days: rng.poisson(20, days),
    "uneven": lambda rng, days: rng.negative_binomial(2, 0.2, days),
    "batches on one day a week": lambda rng, days: weekly(rng, days, (0, 0, 0, 0, 1), 30),
    "slow Mondays": lambda rng, days: weekly(rng, days, (0.5, 1, 1.5, 1, 1), 8),
    "spells": moody,
}


@pytest.mark.parametrize(("history", "ahead"), [(30, 10), (20, 10), (15, 10)])
@pytest.mark.parametrize("world", WORLDS)
def test_the_80_percent_range_holds_80_percent_of_simulated_futures(world: str, history: int, ahead: int):
    rng = np.random.default_rng([history, ahead, *world.encode()])
    hits = []
    for _ in range(600):
        days = WORLDS[world](rng, history + ahead).astype(float)
        totals = draw_totals(days[:history], ahead, rng, 400)
        low, high = np.rint(np.quantile(totals, [0.1, 0.9]))
        hits.append(low <= days[history:].sum() <= high)
    assert 0.72 <= np.mean(hits) <= 0.88


def calendar_days(rng: np.random.Generator, first: date, last: date) -> np.ndarray:
    """Closings of each calendar day: 6 a working day, a few on days off."""
    worked = CALENDAR.working_days(first, last)
    return rng.poisson(np.where(worked, 6, 1))


def test_the_whole_way_from_calendar_days_to_the_range_is_calibrated():
    """Across a make-up Sunday and the Mid-Autumn holiday."""
    rng = np.random.default_rng(7)
    first, last, deadline = date(2026, 7, 13), date(2026, 9, 11), date(2026, 9, 25)
    hits = []
    for _ in range(400):
        answer = forecast(calendar_days(rng, first, last), last_on=last, open_count=10_000, deadline=deadline)
        future = calendar_days(rng, last + timedelta(days=1), deadline).sum()
        hits.append(answer.closings[0] <= future <= answer.closings[1])
    assert 0.72 <= np.mean(hits) <= 0.88


def on_working_days(each: int, count: int = 60) -> np.ndarray:
    return each * CALENDAR.working_days(LAST - timedelta(days=count - 1), LAST)


def test_what_is_needed_against_what_is_done():
    answer = forecast(on_working_days(2), last_on=LAST, open_count=50, deadline=DEADLINE)
    assert (answer.days, answer.every_day) == (10, False)
    assert (answer.needed, answer.recent) == (5.0, 2.0)
    assert answer.untold is None
    assert answer.closings == (20, 20)
    assert answer.left == (30, 30)
    assert answer.chance == 0
    assert "<1%" in answer.in_words("en")
    assert answer.years_without_data == ()


def test_a_campaign_without_weekends_counts_every_day():
    answer = forecast([3] * 60, last_on=LAST, open_count=42, deadline=DEADLINE)
    assert (answer.days, answer.every_day, answer.needed, answer.recent) == (14, True, 3.0, 3.0)
    weekend = forecast([3] * 60, last_on=LAST, open_count=6, deadline=LAST + timedelta(days=2))
    assert weekend.closings == (6, 6)


def test_nothing_closed_on_days_off_is_lost():
    daily = np.zeros(19)
    daily[[1, 6, 17]] = 7, 8, 5  # the second is a Sunday
    answer = forecast(daily, last_on=LAST, open_count=50, deadline=DEADLINE)
    assert answer.recent * answer.history_days == pytest.approx(20)
    sunday = forecast([*daily, 4, 6], last_on=LAST + timedelta(days=2), open_count=50, deadline=DEADLINE)
    assert sunday.recent * sunday.history_days == pytest.approx(30)


def test_a_sure_finish_and_a_hopeless_one():
    rng = np.random.default_rng(3)
    daily = calendar_days(rng, date(2026, 1, 20), LAST)
    assert forecast(daily, last_on=LAST, open_count=10, deadline=DEADLINE).chance > 0.99
    assert forecast(daily, last_on=LAST, open_count=400, deadline=DEADLINE).chance < 0.01
    assert forecast(daily, last_on=LAST, open_count=0, deadline=DEADLINE).chance is None


def test_same_seed_same_answer():
    daily = calendar_days(np.random.default_rng(5), date(2026, 1, 20), LAST)
    one, two, three = (forecast(daily, last_on=LAST, open_count=90, deadline=DEADLINE, seed=seed) for seed in (1, 1, 2))
    assert one == two
    assert abs(one.chance - three.chance) < 6 * np.sqrt(0.5 / DRAWS)


@pytest.mark.parametrize(
    ("daily", "deadline", "why"),
    [
        ([], DEADLINE, Untold.FEW_DAYS),
        ([9] * 9, DEADLINE, Untold.FEW_DAYS),
        ([0] * 40, DEADLINE, Untold.FEW_CLOSINGS),
        ([0] * 31 + [1] * 9, DEADLINE, Untold.FEW_CLOSINGS),
        ([2] * 40, date(2026, 12, 31), Untold.TOO_FAR),
        ([2] * 40, LAST, Untold.PAST),
        ([0, 0, 2, 2, 2, 2, 2] * 6, LAST + timedelta(days=2), Untold.NO_WORKING_DAY),
    ],
)
def test_not_enough_to_tell(daily: list[int], deadline: date, why: Untold):
    answer = forecast(daily, last_on=LAST, open_count=30, deadline=deadline)
    assert answer.untold is why
    assert (answer.closings, answer.left, answer.chance) == (None, None, None)
    assert (answer.needed is None) == (answer.days == 0)
    assert all(answer.in_words(lang) for lang in LANGS)


def test_a_trend_is_told_and_a_slow_monday_is_none():
    rising, falling = [1, 2] * 20 + [6, 7] * 8, [6, 7] * 20 + [1, 2] * 8
    told = [forecast(daily, last_on=LAST, open_count=9, deadline=DEADLINE).trend for daily in (rising, falling)]
    assert told == [Trend.RISING, Trend.FALLING]
    mondays = [1 if n % 7 == 3 else 5 for n in range(60)]
    assert forecast(mondays, last_on=LAST, open_count=9, deadline=DEADLINE).trend is Trend.STEADY


def test_a_year_without_holidays_on_record_is_said():
    answer = forecast([3] * 60, last_on=date(2026, 12, 18), open_count=30, deadline=date(2027, 1, 8))
    assert answer.years_without_data == (2027,)
    assert "2027" in answer.in_words("en")


def test_claims_are_told_apart_from_verified_closings():
    both = outlook(np.zeros(60), on_working_days(3), last_on=LAST, open_count=100, waiting=73, deadline=DEADLINE)
    assert both.verified.untold is Untold.FEW_CLOSINGS
    assert both.verified.open_count == 100
    assert both.claimed.open_count == 27
    assert both.claimed.chance > 0.99


@given(
    st.lists(st.integers(0, 40), min_size=0, max_size=70),
    st.integers(0, 500),
    st.integers(-3, 60),
    st.integers(0, 9),
)
def test_every_answer_is_consistent(daily: list[int], open_count: int, days: int, seed: int):
    deadline = LAST + timedelta(days=days)
    answer = forecast(daily, last_on=LAST, open_count=open_count, deadline=deadline, seed=seed)
    assert all(answer.in_words(lang) for lang in LANGS)
    if answer.closings is None:
        assert answer.untold is not None or open_count == 0
        return
    low, high = answer.closings
    assert 0 <= low <= high
    assert 0 <= answer.left[0] <= answer.left[1] <= open_count
    assert 0 <= answer.chance <= 1
