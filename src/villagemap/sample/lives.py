"""When things happen in the lives of many issues at once: days as arrays, drawn from how good a town is.

A day is a number since 1970-01-01 in the calendar of Asia/Shanghai; `NEVER` stands for what doesn't happen until
``today``. A life goes registered → rectifying → submitted → closed, or back from submitted (returned, and again);
some issues are found to be a duplicate or untrue, some are deferred, some get an interim measure.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Days = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
NEVER = 10**9
SHORT = 100
"""Clocks of more days than this are projects, of which most are still under way."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a life depends on, all of shape (n,): ``skill`` of the town from 0 (poor) to 1 (good)."""

    found: Days
    due: Days
    skill: Floats
    by_public: Flags
    may_defer: Flags
    has_interim: Flags


@dataclass(frozen=True, slots=True)
class Lives:
    """Days of each step, all of shape (n,). ``until`` is a deferral's end; ``twin`` marks duplicates."""

    report: Days
    register: Days
    start: Days
    interim: Days
    submit: Days
    sent_back: Days
    start_again: Days
    submit_again: Days
    close: Days
    defer: Days
    until: Days
    reject: Days
    twin: Days


def happens(share: float | Floats, n: int, rng: np.random.Generator) -> Flags:
    """Which of ``n`` things happen, each with its ``share`` of the cases."""
    return np.asarray(rng.random(n) < share, bool)


def lives(terms: Terms, today: int, rng: np.random.Generator) -> Lives:
    """Draw the days of all steps that happen until ``today``."""
    n = len(terms.found)
    term = np.maximum(terms.due - terms.found, 1)
    slow = 1.0 - terms.skill
    register = terms.found + rng.integers(0, 3, n)
    reported = terms.by_public | ((terms.found > today - 5) & happens(0.45, n, rng))
    reported |= register > today
    register = np.where(reported, np.maximum(register + rng.integers(1, 4, n), terms.found + 1), register)
    gone = np.where(happens(0.03, n, rng), register + rng.integers(1, 6, n), NEVER)
    twin = happens(0.45, n, rng) & (gone != NEVER)
    start = register + 1 + rng.exponential(0.6 + 7.5 * slow**1.4).astype(np.int64)
    work = term * (0.27 + 0.66 * slow) * np.exp(rng.normal(0, 0.75, n)) * np.where(term > SHORT, 1.3, 1.0)
    stuck = happens(0.01 + 0.07 * slow**1.5, n, rng)
    submit = np.where(stuck, NEVER, start + 1 + work.astype(np.int64))
    looked_at = submit + 1 + rng.exponential(6.5, n).astype(np.int64)
    bad = happens(0.06 + 0.22 * slow, n, rng)
    start_again = looked_at + 1 + rng.exponential(0.5 + 2.0 * slow).astype(np.int64)
    submit_again = start_again + 1 + (work * 0.4).astype(np.int64)
    close = np.where(bad, submit_again + 1 + rng.exponential(6.5, n).astype(np.int64), looked_at)
    late = terms.may_defer & (submit > terms.due) & (terms.due > today - 25) & (gone == NEVER)
    defer = np.where(late & happens(0.30, n, rng), np.maximum(terms.due - 1, start + 1), NEVER)
    until = terms.due + 10 * rng.integers(3, 8, n)
    deferred = (defer <= today) & (until > today)
    defer = np.where(deferred, defer, NEVER)
    hold = deferred | (gone != NEVER)
    return Lives(
        report=np.where(reported, terms.found, NEVER),
        register=_until(today, register),
        start=_until(today, start, gone),
        interim=_until(today, np.where(terms.has_interim & happens(0.45, n, rng), start + 1, NEVER), gone, submit),
        submit=_until(today, np.where(hold, NEVER, submit)),
        sent_back=_until(today, np.where(bad & ~hold, looked_at, NEVER)),
        start_again=_until(today, np.where(bad & ~hold, start_again, NEVER)),
        submit_again=_until(today, np.where(bad & ~hold, submit_again, NEVER)),
        close=_until(today, np.where(hold, NEVER, close)),
        defer=defer,
        until=np.where(deferred, until, NEVER),
        reject=_until(today, np.where(twin, NEVER, gone)),
        twin=_until(today, np.where(twin, gone, NEVER)),
    )


def _until(today: int, days: Days, *ends: Days) -> Days:
    """``days``, but `NEVER` where they come after ``today`` or not before one of ``ends``."""
    happens = days <= today
    for end in ends:
        happens &= days < end
    return np.where(happens, days, NEVER)


def found_days(n: int, today: int, rng: np.random.Generator) -> Days:
    """Days of finding over the five months before ``today``: sweeps come in waves, and few work on a Sunday."""
    wave = rng.choice(4, n, p=[0.24, 0.09, 0.17, 0.50])
    ago = np.where(wave == 0, rng.integers(1, 150, n), 0)
    for number, (middle, spread) in enumerate(((98.0, 6.0), (52.0, 6.0), (13.0, 5.0)), start=1):
        ago = np.where(wave == number, np.round(rng.normal(middle, spread, n)), ago)
    days = today - np.clip(ago, 1, 149).astype(np.int64)
    sunday = (days + 3) % 7 == 6  # noqa: PLR2004 - 1970-01-01 was a Thursday
    return np.where(sunday & happens(0.7, n, rng), days - 1, days)
