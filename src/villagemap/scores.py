"""Scores of towns and villages from columns: what was found and done, a rank by standardised rates, deductions.

Pure: numpy columns in, numpy columns out. Cases (件) are counted, never units, and never persons.

The rank
--------
Four rates of what shouldn't happen: **late** (overdue, or claimed after the deadline, of the cases decided so far),
**failed** (returned by a verifier or failed a re-check, of the cases checked), **relapsed** (came back, of the cases
once closed), **by_others** (first found by others, of those and the self-found ones without any of these events).
Toilets are harder than litter, so each is indirectly standardised by category (Breslow and Day 1987, Statistical
Methods in Cancer Research II, chapter 2): for a town t with n_tc cases of category c at risk and O_t events,

    E_t = sum over c of  n_tc R_c / N_c        R_c, N_c: events and cases at risk of the whole county
    ratio_t = (O_t + k) / (E_t + k)            k = `RankRules.shrink`
    points_t = 100 / (1 + ratio_t)

A ratio of 1, 50 points, is what the county does with the same mix of categories. k draws small samples towards it, as
a Gamma(k, k) prior does (Clayton and Kaldor 1987, Biometrics 43). The score is the weighted mean of the four points.
Ratios compare each town with the county, so two towns of very different mix are compared only by way of it.

What never punishes, and what hardly pays
-----------------------------------------
A self-found case counts for nothing but having been found by oneself until its deadline has passed (a relapse that one
finds oneself counts only if it is late). So adding one adds at most a case at risk, which raises E_t: it never lowers
the finder's score. The report of a case not yet in the book (待核实) counts for nothing.

A *quick* case is self-found, claimed within `RankRules.quick_days` of its finding, and bears no event. Of two scores,
without any quick case and with the town's own, the second counts up to the first plus `RankRules.quick_cap`: so much,
and no more, can any number of trivial cases lift it. Quick cases of one town never move the yardstick of another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date

import numpy as np
import numpy.typing as npt

from villagemap.deadlines import NO_DAY, Days, day_number
from villagemap.model import Status
from villagemap.rubric import RATES, RankRules, Rubric
from villagemap.workflow import CLAIMED, OPEN, RUNNING, STATUSES

DECIMALS = 1
"""Scores are told, and ties seen, to a tenth of a point."""

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseColumns:
    """Cases as arrays of equal length n, as they stood at one instant.

    ``town`` and ``village`` are the numbers in place ids (0 for none); ``category`` indexes ``categories``; ``status``
    indexes `workflow.STATUSES`, ``privacy`` `model.Privacy`. Days are `workflow.day_number`s (`NO_DAY` for none);
    ``due`` is a deferral's end where one stands; ``claimed`` the last claim, ``closed`` the last verified closing.
    ``returns`` counts returns by a verifier; ``relapse`` says that the case is a relapse of an earlier one;
    ``failed_recheck`` that it was reopened; ``self_found`` that its first source is a duty unit's own check.
    """

    categories: tuple[str, ...]
    town: npt.NDArray[np.int32]
    village: npt.NDArray[np.int32]
    category: npt.NDArray[np.int16]
    status: npt.NDArray[np.int8]
    privacy: npt.NDArray[np.int8]
    found: Days
    due: Days
    claimed: Days
    closed: Days
    returns: npt.NDArray[np.int16]
    relapse: Flags
    failed_recheck: Flags
    self_found: Flags

    def where(self, mask: Flags) -> "CaseColumns":
        """The cases that ``mask``, shape (n,), keeps."""
        kept = {f.name: getattr(self, f.name)[mask] for f in fields(self) if f.name != "categories"}
        return CaseColumns(categories=self.categories, **kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class VillageColumns:
    """All villages of the list: numbers in place ids, and whether each was visited with proof in the period."""

    town: npt.NDArray[np.int32]
    village: npt.NDArray[np.int32]
    visited: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Cases by place, int64 arrays of shape (places,) in the order of ``ids``.

    ``open`` includes ``submitted`` claims, ``claimed`` includes ``verified``; ``left`` is what isn't even claimed.
    ``decided`` are on time or late; ``checked`` by a verifier, with result; ``returns`` counts times, ``returned``
    cases. Villages are listed and visited ones.
    """

    ids: Numbers
    found: Numbers
    open: Numbers
    overdue: Numbers
    claimed: Numbers
    verified: Numbers
    left: Numbers
    on_time: Numbers
    late: Numbers
    decided: Numbers
    checked: Numbers
    returned: Numbers
    returns: Numbers
    failed: Numbers
    relapsed: Numbers
    by_others: Numbers
    villages: Numbers
    visited: Numbers

    def row(self, n: int) -> dict[str, int]:
        """One place's figures by name."""
        return {f.name: int(getattr(self, f.name)[n]) for f in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One of the four rates by place, arrays of shape (places,).

    ``events`` were seen among ``exposure`` cases at risk, where the county's rates let one expect ``expected``;
    ``rate`` is the shrunk ratio times the county's crude rate (nan where the county has no case at risk).
    """

    events: Numbers
    exposure: Numbers
    expected: Floats
    rate: Floats
    points: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Places ranked by score; arrays of shape (places,) in the order of ``ids``.

    ``score`` is rounded to `DECIMALS`, ``exact`` isn't. ``rank`` is 1 for the best, equal scores share the better rank
    (``tied``), and 0 says that nothing is in the book. ``small`` marks those with fewer decided cases than the rules
    ask for. ``quick`` cases lifted the score by ``quick_lift``, at most by the cap. ``visited`` of ``villages`` shows
    where people looked at all.
    """

    ids: Numbers
    score: Floats
    exact: Floats
    rank: Numbers
    tied: Flags
    small: Flags
    decided: Numbers
    quick: Numbers
    quick_lift: Floats
    villages: Numbers
    visited: Numbers
    rates: Mapping[str, Rate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deductions:
    """The capped-deduction sheet: ``cases`` and ``off`` of shape (places, indicators), ``capped`` where points ran out.

    ``total`` (places,) is what remains of full marks; ``undated`` (places,) cases without a day of finding, which a
    sheet for a period leaves out.
    """

    ids: Numbers
    indicators: tuple[str, ...]
    cases: Numbers
    off: Floats
    capped: Flags
    total: Floats
    undated: Numbers


def percent(part: int, whole: int) -> float | None:
    """``part`` of ``whole`` in per cent to one decimal, half up: 73 of 535 is 13.6; None where there is no whole."""
    return (2000 * part + whole) // (2 * whole) / 10 if whole else None


def tally(
    columns: CaseColumns,
    ids: Sequence[int],
    today: date,
    *,
    by: str = "town",
    villages: VillageColumns | None = None,
) -> Tally:
    """What was found and done in each of the places ``ids``, numbers of towns or, ``by`` "village", of villages.

    Duplicates and rejected reports are no cases; cases in none of the places count nowhere.
    """
    facts = _Facts(columns, today)
    order, place = _placed(ids, getattr(columns, by))
    sums = {name: _count(mask, place, len(order)) for name, mask in facts.told().items()}
    returns = np.bincount(place + 1, weights=columns.returns * facts.case, minlength=len(order) + 1)
    listed, visited = _looked_at(order, by, villages)
    return Tally(
        ids=order,
        left=sums["found"] - sums["claimed"],
        returns=np.rint(returns[1:]).astype(np.int64),
        villages=listed,
        visited=visited,
        **sums,
    )


def ranking(
    columns: CaseColumns,
    ids: Sequence[int],
    today: date,
    rules: RankRules,
    *,
    by: str = "town",
    villages: VillageColumns | None = None,
) -> Ranking:
    """Rank of the places ``ids`` by standardised rates; the module tells the formula and what it promises."""
    facts = _Facts(columns, today)
    order, place = _placed(ids, getattr(columns, by))
    grid = (len(order), len(columns.categories))
    cell = np.where(place >= 0, place * grid[1] + columns.category, -1)
    quick = facts.quick(rules.quick_days)
    rates, bare = {}, np.zeros(len(order))
    for name, (events, at_risk) in facts.rates().items():
        seen, ordinary, own = (_grid(mask, cell, grid) for mask in (events, at_risk & ~quick, at_risk & quick))
        rates[name] = _rate(seen, ordinary, own, rules.shrink)
        bare += rules.weights[name] * _points(seen.sum(axis=1), _expected(seen, ordinary, 0 * own), rules.shrink)
    weight = sum(rules.weights.values())
    bare /= weight
    full = sum((rules.weights[name] * rates[name].points for name in RATES), np.zeros(len(order))) / weight
    exact = np.minimum(full, bare + rules.quick_cap)
    booked = _count(facts.booked, place, len(order))
    decided = _count(facts.decided, place, len(order))
    score = np.asarray(np.round(exact, DECIMALS), np.float64)
    rank, tied = _ranks(score, booked > 0)
    listed, visited = _looked_at(order, by, villages)
    return Ranking(
        ids=order,
        score=score,
        exact=exact,
        rank=rank,
        tied=tied,
        small=decided < rules.least_cases,
        decided=decided,
        quick=_count(quick, place, len(order)),
        quick_lift=exact - bare,
        villages=listed,
        visited=visited,
        rates=rates,
    )


def deductions(
    columns: CaseColumns,
    ids: Sequence[int],
    rubric: Rubric,
    *,
    by: str = "town",
    first_on: date | None = None,
    last_on: date | None = None,
) -> Deductions:
    """The official form's sheet, from cases found by others, found from ``first_on`` to ``last_on`` (inclusive).

    It knows no rates and no mix of categories, and no part of it enters `ranking`.
    """
    order, place = _placed(ids, getattr(columns, by))
    others = _booked(columns) & ~columns.self_found
    undated = others & (columns.found == NO_DAY) & (first_on is not None or last_on is not None)
    inside = others & ~undated
    if first_on is not None:
        inside &= columns.found >= day_number(first_on)
    if last_on is not None:
        inside &= columns.found <= day_number(last_on)
    line = _lines(columns.categories, rubric)[columns.category]
    grid = (len(order), len(rubric.indicators))
    cases = _grid(inside & (line >= 0), np.where(place >= 0, place * grid[1] + line, -1), grid)
    most = np.array([indicator.points for indicator in rubric.indicators])
    each = np.array([indicator.per_case for indicator in rubric.indicators])
    off = np.minimum(cases * each, most)
    return Deductions(
        ids=order,
        indicators=tuple(indicator.code for indicator in rubric.indicators),
        cases=cases,
        off=off,
        capped=(off >= most) & (cases > 0),
        total=rubric.points - off.sum(axis=1),
        undated=_count(undated, place, len(order)),
    )


class _Facts:
    """What is true of each case on a day, as masks of shape (n,)."""

    def __init__(self, columns: CaseColumns, today: date) -> None:
        self.columns = columns
        past = columns.due < day_number(today)
        done_on = np.where(columns.claimed != NO_DAY, columns.claimed, columns.closed)
        known = (done_on != NO_DAY) & (columns.due != NO_DAY)
        # a deadline before the day of finding can't be kept: what is done on that day is in time
        in_time = done_on <= np.where(columns.found != NO_DAY, np.maximum(columns.due, columns.found), columns.due)
        self.done_on = done_on
        self.case = _in(columns.status, OPEN | CLAIMED)
        self.booked = _booked(columns)
        self.claimed = _in(columns.status, CLAIMED)
        self.verified = _in(columns.status, {Status.CLOSED})
        self.overdue = _in(columns.status, RUNNING) & past
        self.late = self.overdue | (self.claimed & known & ~in_time)
        self.on_time = self.verified & known & in_time
        self.failed = self.case & ((columns.returns > 0) | columns.failed_recheck)
        self.counts = self.booked & (~columns.self_found | past)
        self.decided = self.counts & (self.late | self.on_time)

    def told(self) -> dict[str, Flags]:
        """What a tally counts; here self-found cases count from the first day, as everywhere but in the rank."""
        return {
            "found": self.case,
            "open": self.case & ~self.verified,
            "overdue": self.overdue,
            "claimed": self.claimed,
            "verified": self.verified,
            "on_time": self.on_time,
            "late": self.late,
            "decided": self.late | self.on_time,
            "checked": self.case & (self.verified | self.failed),
            "returned": self.case & (self.columns.returns > 0),
            "failed": self.failed,
            "relapsed": self.case & self.columns.relapse,
            "by_others": self.case & ~self.columns.self_found,
        }

    def rates(self) -> dict[str, tuple[Flags, Flags]]:
        """Events and cases at risk of each rate; a self-found case is neither before its deadline has passed.

        Having been found by oneself is no credit for a case that then bears an event.
        """
        by_others = self.booked & ~self.columns.self_found
        late, failed = self.counts & self.late, self.counts & self.failed
        relapsed = self.columns.relapse & (by_others | late)
        once_closed = self.verified | self.columns.failed_recheck
        return {
            "late": (late, self.decided),
            "failed": (failed, self.counts & (self.verified | self.failed)),
            "relapsed": (relapsed, self.counts & once_closed),
            "by_others": (by_others, by_others | (self.booked & ~(late | failed | relapsed))),
        }

    def quick(self, days: int) -> Flags:
        """Self-found, claimed within ``days`` of the finding, and without any event."""
        known = (self.done_on != NO_DAY) & (self.columns.found != NO_DAY)
        took = self.done_on.astype(np.int64) - self.columns.found
        quick: Flags = self.booked & self.columns.self_found & self.claimed & known & (took <= days)
        for events, _ in self.rates().values():
            quick = quick & ~events
        return quick


def _in(status: npt.NDArray[np.int8], wanted: frozenset[Status] | set[Status]) -> Flags:
    flags: Flags = np.array([s in wanted for s in STATUSES], np.bool_)[status]
    return flags


def _booked(columns: CaseColumns) -> Flags:
    """Cases in the book: what is only reported may yet turn out to be none."""
    return _in(columns.status, (OPEN | CLAIMED) - {Status.REPORTED})


def _placed(ids: Sequence[int], places: npt.NDArray[np.int32]) -> tuple[Numbers, Numbers]:
    """The places as an array, and for each case the index of its place in it; -1 where it is in none of them."""
    order = np.asarray(ids, np.int64)
    if len(order) == 0:
        return order, np.full(len(places), -1)
    sorter = np.argsort(order)
    at = sorter[np.minimum(np.searchsorted(order, places, sorter=sorter), len(order) - 1)]
    return order, np.where(order[at] == places, at, -1)


def _count(mask: Flags, place: Numbers, size: int) -> Numbers:
    counted: Numbers = np.bincount(place[mask] + 1, minlength=size + 1)[1:].astype(np.int64)
    return counted


def _grid(mask: Flags, cell: Numbers, grid: tuple[int, int]) -> Numbers:
    return _count(mask, cell, grid[0] * grid[1]).reshape(grid)


def _lines(categories: tuple[str, ...], rubric: Rubric) -> Numbers:
    """Line of the deduction sheet for each category; -1 for one that costs no points."""
    line = {category: n for n, indicator in enumerate(rubric.indicators) for category in indicator.categories}
    return np.array([line.get(category, -1) for category in categories], np.int64)


def _looked_at(order: Numbers, by: str, villages: VillageColumns | None) -> tuple[Numbers, Numbers]:
    """How many listed villages each place has, and how many of them were visited."""
    if villages is None:
        return np.zeros_like(order), np.zeros_like(order)
    _, place = _placed(order.tolist(), getattr(villages, by))
    return _count(place >= 0, place, len(order)), _count(villages.visited & (place >= 0), place, len(order))


def _expected(seen: Numbers, ordinary: Numbers, own: Numbers) -> Floats:
    """E_t: the county's rates on the town's own mix; ``own`` quick cases are in both, those of others in neither."""
    at_risk = ordinary.sum(axis=0) + own
    rates = np.divide(seen.sum(axis=0), at_risk, out=np.zeros(own.shape), where=at_risk > 0)
    expected: Floats = ((ordinary + own) * rates).sum(axis=1)
    return expected


def _points(seen: Numbers, expected: Floats, shrink: float) -> Floats:
    return 100 * (expected + shrink) / (seen + expected + 2 * shrink)


def _rate(seen: Numbers, ordinary: Numbers, own: Numbers, shrink: float) -> Rate:
    events, expected = seen.sum(axis=1), _expected(seen, ordinary, own)
    at_risk = int(ordinary.sum())
    crude = seen.sum() / at_risk if at_risk else np.nan
    return Rate(
        events=events,
        exposure=(ordinary + own).sum(axis=1),
        expected=expected,
        rate=(events + shrink) / (expected + shrink) * crude,
        points=_points(events, expected, shrink),
    )


def _ranks(score: Floats, ranked: Flags) -> tuple[Numbers, Flags]:
    """Competition ranks (1, 2, 2, 4) of those that are ranked, and who shares theirs."""
    others = score[ranked]
    better = (others[None, :] > score[:, None]).sum(axis=1)
    equal = (others[None, :] == score[:, None]).sum(axis=1)
    return np.where(ranked, better + 1, 0).astype(np.int64), ranked & (equal > 1)
