import time
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from villagemap.deadlines import NO_DAY, URGENCIES, day_number, urgencies
from villagemap.model import Status, Urgency
from villagemap.rubric import RATES, RankRules, load_rubric
from villagemap.scores import CaseColumns, VillageColumns, deductions, percent, ranking, tally
from villagemap.texts import LANGS, text
from villagemap.workflow import STATUSES

TODAY = date(2026, 3, 20)
NOW = day_number(TODAY)
CATEGORIES = ("garbage_scattered", "toilet_public_problem", "black_water")
TOWNS = (1, 2, 3)
RUBRIC = load_rubric()
RULES = RUBRIC.rank
CLOSE = 1e-9


class Case(NamedTuple):
    town: int = 1
    category: int = 0
    status: Status = Status.REGISTERED
    found: int | None = -10
    due: int | None = 10
    claimed: int | None = None
    closed: int | None = None
    returns: int = 0
    relapse: bool = False
    failed_recheck: bool = False
    self_found: bool = False


def columns_of(cases: list[Case]) -> CaseColumns:
    """Days are counted from TODAY; the village of a case is its town's number times 10."""
    column: dict[str, list[Any]] = {name: [getattr(case, name) for case in cases] for name in Case._fields}

    def days(name: str) -> np.ndarray:
        return np.array([NO_DAY if day is None else NOW + day for day in column[name]], np.int32)

    return CaseColumns(
        categories=CATEGORIES,
        town=np.array(column["town"], np.int32),
        village=np.array(column["town"], np.int32) * 10,
        category=np.array(column["category"], np.int16),
        status=np.array([STATUSES.index(s) for s in column["status"]], np.int8),
        privacy=np.zeros(len(cases), np.int8),
        found=days("found"),
        due=days("due"),
        claimed=days("claimed"),
        closed=days("closed"),
        returns=np.array(column["returns"], np.int16),
        relapse=np.array(column["relapse"], bool),
        failed_recheck=np.array(column["failed_recheck"], bool),
        self_found=np.array(column["self_found"], bool),
    )


def closed(**values: Any) -> Case:
    return Case(**{"status": Status.CLOSED, "claimed": -5, "closed": -4, **values})


maybe_day = st.none() | st.integers(-30, 20)
case = st.builds(
    Case,
    town=st.sampled_from((0, *TOWNS)),
    category=st.sampled_from(range(3)),
    status=st.sampled_from(STATUSES),
    found=maybe_day,
    due=maybe_day,
    claimed=maybe_day,
    closed=maybe_day,
    returns=st.integers(0, 3),
    relapse=st.booleans(),
    failed_recheck=st.booleans(),
    self_found=st.booleans(),
)
county = st.lists(case, max_size=40)
rules = st.builds(
    RankRules,
    shrink=st.floats(0.1, 50),
    quick_days=st.integers(0, 5),
    quick_cap=st.floats(0, 10),
    least_cases=st.integers(0, 30),
    weights=st.fixed_dictionaries(dict.fromkeys(RATES, st.floats(0.01, 5))),
)


def score_of(cases: list[Case], town: int, by_rules: RankRules = RULES) -> float:
    return float(ranking(columns_of(cases), TOWNS, TODAY, by_rules).exact[TOWNS.index(town)])


# The two promises


@settings(max_examples=300)
@given(county, st.lists(case, min_size=1, max_size=15), st.sampled_from(TOWNS), rules)
def test_reporting_what_is_not_yet_due_never_lowers_the_finders_score(base, more, town, by_rules):
    """In whatever state the added cases are."""
    own = [c._replace(town=town, self_found=True, due=None if c.due is None else abs(c.due)) for c in more]
    assert score_of(base + own, town, by_rules) >= score_of(base, town, by_rules) - CLOSE


@settings(max_examples=300)
@given(
    county,
    st.sampled_from(TOWNS),
    st.integers(-30, 0),
    st.lists(st.tuples(st.sampled_from(range(3)), st.booleans(), maybe_day, st.booleans()), min_size=1, max_size=6),
    st.integers(1, 50),
    rules,
)
def test_any_number_of_trivial_cases_of_one_day_lifts_by_at_most_the_cap(base, town, day, kinds, times, by_rules):
    trivial = [
        Case(
            town=town,
            category=category,
            status=Status.CLOSED if verified else Status.SUBMITTED,
            found=day,
            due=due,
            claimed=day,
            closed=day if verified else None,
            relapse=relapse,
            self_found=True,
        )
        for category, verified, due, relapse in kinds
    ]
    lift = score_of(base + trivial * times, town, by_rules) - score_of(base, town, by_rules)
    assert lift <= by_rules.quick_cap + CLOSE


def test_overdue_ones_count_though_self_found():
    base = [Case(town=t, due=-1) for t in TOWNS] + [closed(town=t) for t in TOWNS]
    before = score_of(base, 1)
    assert score_of([*base, *[Case(self_found=True, due=-1)] * 5], 1) < before
    assert score_of([*base, *[Case(self_found=True, due=0)] * 5], 1) > before  # a deadline day ends at 24:00


def test_a_relapse_that_one_finds_oneself_counts_only_if_late():
    base = [closed(town=t) for t in TOWNS] * 10 + [Case(town=2, relapse=True)]
    own = closed(self_found=True, relapse=True, due=-1)
    relapses = ranking(columns_of([*base, own]), TOWNS, TODAY, RULES).rates["relapsed"].events
    assert relapses.tolist() == [0, 1, 0]
    late = own._replace(claimed=0, closed=0)
    relapses = ranking(columns_of([*base, late]), TOWNS, TODAY, RULES).rates["relapsed"].events
    assert relapses.tolist() == [1, 1, 0]


def test_quick_cases_of_one_town_leave_the_others_alone():
    base = ([Case(town=t, due=-1) for t in TOWNS] + [closed(town=t) for t in TOWNS]) * 20
    quick = [Case(status=Status.CLOSED, found=-5, claimed=-5, closed=-5, self_found=True)] * 500
    before, after = (ranking(columns_of(cases), TOWNS, TODAY, RULES) for cases in (base, base + quick))
    assert after.exact[1:].tolist() == before.exact[1:].tolist()
    assert after.quick.tolist() == [500, 0, 0]
    assert after.quick_lift[0] == pytest.approx(RULES.quick_cap)
    assert after.exact[0] == pytest.approx(before.exact[0] + RULES.quick_cap)


# Rates, not counts


def test_expected_events_by_hand():
    cases = [
        *[Case(town=1, due=-1)] * 1,
        *[closed(town=1)] * 3,  # category 0: 1 of 4 late in town 1, 3 of 4 in town 2: the county's rate is 1/2
        *[Case(town=2, due=-1)] * 3,
        *[closed(town=2)] * 1,
        *[Case(town=1, category=1, due=-1)] * 2,  # category 1: town 1 only, all late
    ]
    late = ranking(columns_of(cases), TOWNS, TODAY, replace(RULES, shrink=2.0)).rates["late"]
    assert late.events.tolist() == [3, 3, 0]
    assert late.exposure.tolist() == [6, 4, 0]
    assert late.expected.tolist() == [4.0, 2.0, 0.0]
    assert late.points == pytest.approx([100 * 6 / 11, 100 * 4 / 9, 50.0])
    assert late.rate == pytest.approx([5 / 6 * 0.6, 5 / 4 * 0.6, 0.6])


def test_own_quick_cases_are_in_the_yardstick_too():
    quick = Case(status=Status.SUBMITTED, claimed=-10, self_found=True)
    told = ranking(columns_of([*[quick] * 3, Case(town=2)]), TOWNS, TODAY, RULES)
    assert told.rates["by_others"].expected.tolist() == [0.75, 1.0, 0.0]


def test_a_big_town_with_the_same_rates_stands_level():
    small = [Case(due=-1), closed(), closed(), closed(returns=1), closed(self_found=True, due=-1)]
    cases = small + [c._replace(town=2) for c in small] * 30
    told = ranking(columns_of(cases), (1, 2), TODAY, RULES)
    assert told.score.tolist() == [50.0, 50.0]
    assert told.rank.tolist() == [1, 1]
    assert told.tied.tolist() == [True, True]


def test_hard_categories_are_no_disgrace():
    """Nine of ten cases of category 2 are late everywhere; the town that has most of them stands level."""
    cases = [
        *([Case(town=1, category=2, due=-1)] * 9 + [closed(town=1, category=2)]) * 9,
        *([Case(town=2, category=2, due=-1)] * 9 + [closed(town=2, category=2)]),
        *[closed(town=2)] * 80,
    ]
    assert ranking(columns_of(cases), (1, 2), TODAY, RULES).score.tolist() == [50.0, 50.0]


def test_small_samples_are_drawn_to_the_middle_and_marked():
    cases = [closed(town=1)] + [closed(town=2)] * 200 + [Case(town=3, due=-1)] * 200
    told = ranking(columns_of(cases), TOWNS, TODAY, RULES)
    assert told.small.tolist() == [True, False, False]
    assert 50 < told.score[0] < told.score[1]
    assert told.rank.tolist() == [2, 1, 3]
    assert told.decided.tolist() == [1, 200, 200]


def test_an_empty_town_is_not_ranked():
    told = ranking(columns_of([Case(town=1), Case(town=2)]), (2, 3, 1), TODAY, RULES)
    assert told.ids.tolist() == [2, 3, 1]
    assert told.rank.tolist() == [1, 0, 1]
    assert told.tied.tolist() == [True, False, True]


@given(county, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_towns_means_nothing(cases, random):
    told = ranking(columns_of(cases), TOWNS, TODAY, RULES)
    mixed = random.sample(cases, len(cases))
    again = ranking(columns_of(mixed), TOWNS[::-1], TODAY, RULES)
    assert again.exact[::-1] == pytest.approx(told.exact)
    assert again.rank[::-1].tolist() == told.rank.tolist()
    assert ((told.exact > 0) & (told.exact < 100)).all()
    assert tally(columns_of(mixed), TOWNS[::-1], TODAY).row(2) == tally(columns_of(cases), TOWNS, TODAY).row(0)


# Figures


def test_535_found_and_73_claimed():
    cases = [Case(category=1)] * 462 + [Case(category=1, status=Status.SUBMITTED, claimed=-1)] * 73
    told = tally(columns_of(cases), TOWNS, TODAY).row(0)
    assert (told["found"], told["claimed"], told["verified"], told["left"]) == (535, 73, 0, 462)
    assert percent(told["claimed"], told["found"]) == 13.6
    assert percent(told["verified"], told["found"]) == 0.0
    assert told["open"] == 535  # a claim is open until it is verified


@pytest.mark.parametrize(
    ("part", "whole", "shown"), [(1, 3, 33.3), (2, 3, 66.7), (1, 8, 12.5), (5, 0, None), (1, 2000, 0.1)]
)
def test_percent(part: int, whole: int, shown: float | None):
    assert percent(part, whole) == shown


def slow_tally(cases: list[Case], town: int) -> Counter[str]:
    """The same figures, case by case, as a person would count."""
    out: Counter[str] = Counter()
    for c in cases:
        if c.town != town or c.status in {Status.DUPLICATE, Status.REJECTED}:
            continue
        done = c.status in {Status.SUBMITTED, Status.CLOSED}
        day = c.claimed if c.claimed is not None else c.closed
        timed = day is not None and c.due is not None
        last = None if c.due is None else max(c.due, c.due if c.found is None else c.found)
        overdue = not done and c.due is not None and c.due < 0
        failed = c.returns > 0 or c.failed_recheck
        out["found"] += 1
        out["open"] += c.status is not Status.CLOSED
        out["overdue"] += overdue
        out["claimed"] += done
        out["verified"] += c.status is Status.CLOSED
        out["on_time"] += c.status is Status.CLOSED and timed and day <= last
        out["late"] += overdue or (done and timed and day > last)
        out["checked"] += failed or c.status is Status.CLOSED
        out["returned"] += c.returns > 0
        out["returns"] += c.returns
        out["failed"] += failed
        out["relapsed"] += c.relapse
        out["by_others"] += not c.self_found
    return out


@given(county, st.sampled_from(TOWNS))
def test_a_tally_is_what_one_counts_by_hand(cases, town):
    columns = columns_of(cases)
    told = tally(columns, TOWNS, TODAY).row(TOWNS.index(town))
    wanted = slow_tally(cases, town)
    assert {name: told[name] for name in wanted} == dict(wanted)
    assert told["found"] == told["claimed"] + told["left"] == told["open"] + told["verified"]
    assert told["decided"] == told["on_time"] + told["late"]
    assert tally(columns, [10 * t for t in TOWNS], TODAY, by="village").row(TOWNS.index(town))["found"] == told["found"]


@given(county)
def test_overdue_means_what_it_means_on_the_map(cases):
    columns = columns_of(cases)
    shown = urgencies(columns.status, columns.found, columns.due, np.zeros(len(cases), np.int8), TODAY)
    told = tally(columns, (0, *TOWNS), TODAY)
    assert told.overdue.sum() == (shown == URGENCIES.index(Urgency.OVERDUE)).sum()


def test_villages_visited_stand_beside_the_figures():
    villages = VillageColumns(
        town=np.array([1, 1, 2], np.int32), village=np.array([10, 11, 20], np.int32), visited=np.array([1, 0, 1], bool)
    )
    told = tally(columns_of([Case()]), TOWNS, TODAY, villages=villages)
    assert (told.villages.tolist(), told.visited.tolist()) == ([2, 1, 0], [1, 1, 0])
    ranked = ranking(columns_of([Case()]), (10, 11), TODAY, RULES, by="village", villages=villages)
    assert (ranked.villages.tolist(), ranked.visited.tolist()) == ([1, 1], [1, 0])


def test_no_cases_and_no_places():
    assert tally(columns_of([]), TOWNS, TODAY).found.tolist() == [0, 0, 0]
    assert ranking(columns_of([]), TOWNS, TODAY, RULES).rank.tolist() == [0, 0, 0]
    assert len(ranking(columns_of([Case()]), (), TODAY, RULES).score) == 0
    assert len(deductions(columns_of([Case()]), (), RUBRIC).total) == 0


@given(county)
def test_some_cases_only(cases):
    columns = columns_of(cases)
    kept = columns.where(columns.self_found)
    assert (
        tally(kept, TOWNS, TODAY).found.tolist()
        == tally(columns_of([c for c in cases if c.self_found]), TOWNS, TODAY).found.tolist()
    )


# The deduction sheet


def test_points_run_out_and_only_others_findings_cost():
    line = [indicator.code for indicator in RUBRIC.indicators].index("public_toilets")
    cases = [Case(town=1, category=1)] * 5 + [Case(town=2, category=1)] * 9
    cases += [Case(town=3, category=1, self_found=True)] * 50 + [Case(town=3, category=1, status=Status.REJECTED)]
    sheet = deductions(columns_of(cases), TOWNS, RUBRIC)
    assert sheet.cases[:, line].tolist() == [5, 9, 0]
    assert sheet.off[:, line].tolist() == [5.0, 7.0, 0.0]
    assert sheet.capped[:, line].tolist() == [False, True, False]
    assert sheet.total.tolist() == [95.0, 93.0, 100.0]


def test_a_sheet_for_a_period():
    cases = [Case(category=1, found=day) for day in (-12, -11, -9, -8, None)]
    sheet = deductions(columns_of(cases), TOWNS, RUBRIC, first_on=date(2026, 3, 9), last_on=date(2026, 3, 11))
    assert sheet.cases.sum() == 2
    assert sheet.undated.tolist() == [1, 0, 0]


@given(county, st.lists(case.map(lambda c: c._replace(self_found=True)), max_size=10))
def test_self_found_cases_never_cost_points_and_no_town_falls_below_nothing(cases, own):
    before, after = (deductions(columns_of(some), TOWNS, RUBRIC) for some in (cases, cases + own))
    assert after.total.tolist() == before.total.tolist()
    assert (before.total >= 0).all()
    assert (before.off <= [i.points for i in RUBRIC.indicators]).all()


def test_a_closed_case_costs_as_much_as_an_open_one_on_the_sheet_and_not_in_the_rank():
    opened, done = (columns_of([c] * 5 + [Case(town=2, due=-1)] * 5) for c in (Case(due=-1), closed()))
    assert deductions(opened, TOWNS, RUBRIC).total.tolist() == deductions(done, TOWNS, RUBRIC).total.tolist()
    assert ranking(opened, TOWNS, TODAY, RULES).exact[0] < ranking(done, TOWNS, TODAY, RULES).exact[0]


def test_a_county_of_100_000_issues_takes_well_under_a_second():
    rng = np.random.default_rng(1)
    n, towns, villages = 100_000, range(1, 16), range(16, 366)
    day = {name: (NOW + rng.integers(-60, 30, n)).astype(np.int32) for name in ("found", "due", "claimed", "closed")}
    columns = CaseColumns(
        categories=tuple(c for i in RUBRIC.indicators for c in i.categories),
        town=rng.integers(1, 16, n, np.int32),
        village=rng.integers(16, 366, n, np.int32),
        category=rng.integers(0, 32, n).astype(np.int16),
        status=rng.integers(0, len(STATUSES), n).astype(np.int8),
        privacy=np.zeros(n, np.int8),
        returns=rng.integers(0, 2, n).astype(np.int16),
        **{name: rng.random(n) < 0.2 for name in ("relapse", "failed_recheck", "self_found")},
        **day,
    )
    began = time.perf_counter()
    for by, ids in (("town", towns), ("village", villages)):
        tally(columns, ids, TODAY, by=by)
        ranking(columns, ids, TODAY, RULES, by=by)
        deductions(columns, ids, RUBRIC, by=by)
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize("lang", LANGS)
def test_every_rate_has_a_text(lang: str):
    assert all(text(f"scores.rates.{name}", lang) for name in RATES)
