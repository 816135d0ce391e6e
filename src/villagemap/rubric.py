"""How towns are scored, as data in ``rubric.toml``, which a county edits: the rank's rules and the deduction sheet."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from villagemap.errors import WorkspaceError

RATES = ("late", "failed", "relapsed", "by_others")
"""The rates that make a rank, each of something that shouldn't happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRules:
    """``shrink`` in events, ``quick_cap`` in points of 100, ``weights`` by name in `RATES`."""

    shrink: float
    quick_days: int
    quick_cap: float
    least_cases: int
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One line of the deduction sheet: ``per_case`` points off for each case, until its ``points`` are used up."""

    code: str
    in_class: str
    labels: Mapping[str, str]
    points: float
    per_case: float
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rubric:
    """Both sheets' rules; ``official`` says that the deductions are the authority's own table, from ``source``."""

    rank: RankRules
    classes: Mapping[str, Mapping[str, str]]
    indicators: tuple[Indicator, ...]
    official: bool
    source: str

    @property
    def points(self) -> float:
        """Full marks of the deduction sheet."""
        return sum(indicator.points for indicator in self.indicators)


@cache
def load_rubric(own: Path | None = None) -> Rubric:
    """Our rubric with the county's ``own`` file laid over it; classes and indicators given there replace ours whole.

    Raises
    ------
    WorkspaceError
        If the county's file isn't TOML, or a rule in it is missing, unknown, negative or told twice.
    """
    raw = tomllib.loads((Path(__file__).parent / "rubric.toml").read_text(encoding="utf-8"))
    if own is None or not own.exists():
        return _rubric(raw)
    try:
        above = tomllib.loads(own.read_text(encoding="utf-8"))
        rank = {**raw["rank"], **above.get("rank", {})}
        rank["weights"] = {**raw["rank"]["weights"], **rank["weights"]}
        return _rubric({**raw, **above, "rank": rank})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as fault:
        raise WorkspaceError("rubric_unreadable", path=str(own), fault=str(fault)) from fault


def _rubric(raw: Mapping[str, Any]) -> Rubric:
    rank = RankRules(**raw["rank"])
    _check(set(rank.weights) == set(RATES), "rank.weights")
    _check(min(rank.weights.values()) >= 0 < sum(rank.weights.values()), "rank.weights")
    _check(rank.shrink > 0, "rank.shrink")
    _check(min(rank.quick_days, rank.quick_cap, rank.least_cases) >= 0, "rank")
    indicators = tuple(_indicator(code, entry) for code, entry in raw["indicators"].items())
    named = [category for indicator in indicators for category in indicator.categories]
    for category in named:
        _check(named.count(category) == 1, category)
    for indicator in indicators:
        _check(indicator.in_class in raw["classes"], f"{indicator.code}.class")
        _check(min(indicator.points, indicator.per_case) >= 0, indicator.code)
    return Rubric(rank=rank, classes=raw["classes"], indicators=indicators, **raw["deductions"])


def _indicator(code: str, entry: Mapping[str, Any]) -> Indicator:
    return Indicator(
        code=code,
        in_class=entry["class"],
        labels={"zh": entry["zh"], "en": entry["en"]},
        points=float(entry["points"]),
        per_case=float(entry["per_case"]),
        categories=tuple(entry["categories"]),
    )


def _check(holds: bool, where: str) -> None:
    if not holds:
        raise ValueError(where)
