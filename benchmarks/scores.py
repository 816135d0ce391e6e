"""Scores of a county with 100,000 issues: tally, rank and deduction sheet, by town and by village, from columns."""

import statistics
import time
from datetime import date
from pathlib import Path

import numpy as np
from table import Row

from villagemap.deadlines import day_number
from villagemap.rubric import load_rubric
from villagemap.scores import CaseColumns, deductions, ranking, tally
from villagemap.workflow import STATUSES

TODAY = date(2026, 3, 20)
PLACES = {"town": range(1, 16), "village": range(16, 366)}


def rows(_folder: Path, count: int, runs: int) -> list[Row]:
    """The median of some runs over ``count`` made-up issues in 15 towns and 350 villages."""
    columns = issues(count)
    took = statistics.median(seconds(columns) for _ in range(runs))
    return [Row(work=f"scores of a county with {count:,} issues, from columns", figure=took, unit="s", most=1.0)]


def seconds(columns: CaseColumns) -> float:
    rubric, began = load_rubric(), time.perf_counter()
    for by, ids in PLACES.items():
        tally(columns, ids, TODAY, by=by)
        ranking(columns, ids, TODAY, rubric.rank, by=by)
        deductions(columns, ids, rubric, by=by)
    return time.perf_counter() - began


def issues(count: int, seed: int = 1) -> CaseColumns:
    dice = np.random.default_rng(seed)
    categories = tuple(category for one in load_rubric().indicators for category in one.categories)
    days = ("found", "due", "claimed", "closed")
    flags = ("relapse", "failed_recheck", "self_found")
    return CaseColumns(
        categories=categories,
        town=dice.integers(1, 16, count, np.int32),
        village=dice.integers(16, 366, count, np.int32),
        category=dice.integers(0, len(categories), count).astype(np.int16),
        status=dice.integers(0, len(STATUSES), count).astype(np.int8),
        privacy=np.zeros(count, np.int8),
        returns=dice.integers(0, 2, count).astype(np.int16),
        **{name: (day_number(TODAY) + dice.integers(-60, 30, count)).astype(np.int32) for name in days},
        **{name: dice.random(count) < 0.2 for name in flags},
    )
