"""Grades of photos: the table is the documentation's, a further doubt never lifts a grade, likeness only asks."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.crs import from_wgs84
from villagemap.evidence import (
    ASKING,
    GRADE_TABLE,
    Cause,
    Grade,
    Letter,
    PhotoFacts,
    Reason,
    distance_m,
    enough_evidence,
    grade,
    grade_table,
)
from villagemap.texts import LANGS, catalog, text
from villagemap.vocabulary import load_vocabulary

ISSUE = (111.3, 20.75)
NOON = datetime(2022, 3, 20, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEST = PhotoFacts(
    stage="after",
    live=True,
    received_at=NOON,
    submitted_at=NOON,
    device_at=NOON - timedelta(minutes=2),
    device_lonlat=ISSUE,
    device_accuracy_m=8,
    issue_lonlat=ISSUE,
    found_on=date(2022, 3, 9),
)
UPLOAD = replace(BEST, live=False, device_at=None, device_lonlat=None, device_accuracy_m=None)
TOILET, DRY_TOILET = (load_vocabulary().categories[code] for code in ("toilet_public_problem", "toilet_dry"))


def north(metres):
    return ISSUE[0], ISSUE[1] + metres / 111_195


def causes(facts):
    return {reason.cause for reason in grade(facts).reasons}


@pytest.mark.parametrize(
    ("facts", "letter", "cause"),
    [
        (BEST, "A", Cause.LIVE),
        (replace(BEST, device_lonlat=north(90)), "A", Cause.NEAR),
        (replace(BEST, device_lonlat=north(350), device_accuracy_m=280), "A", Cause.NEAR),
        (replace(BEST, issue_lonlat=None), "B", Cause.ISSUE_UNLOCATED),
        (replace(BEST, submitted_at=NOON - HOUR * 8, device_at=NOON - HOUR * 9), "B", Cause.CLOCK_OFF),
        (replace(UPLOAD, exif_lonlat=ISSUE, exif_at=NOON), "B", Cause.UPLOADED),
        (replace(BEST, device_accuracy_m=301), "C", Cause.VAGUE),
        (replace(BEST, tapped=True), "C", Cause.TAPPED),
        (UPLOAD, "C", Cause.NO_POSITION),
        (UPLOAD, "C", Cause.NO_TIME),
        (replace(BEST, device_lonlat=north(150)), "C", Cause.OFF),
        (replace(BEST, exif_lonlat=north(900)), "C", Cause.POSITIONS_DIFFER),
        (replace(UPLOAD, exif_at=NOON + timedelta(minutes=11)), "C", Cause.FROM_FUTURE),
        (replace(BEST, device_lonlat=north(1_110), device_accuracy_m=5_000), "D", Cause.FAR),
        (replace(UPLOAD, exif_at=datetime(2022, 3, 8, 15, 59, tzinfo=UTC)), "D", Cause.BEFORE_FOUND),
        (replace(BEST, copies=1), "D", Cause.COPY_ELSEWHERE),
        (replace(BEST, alike=2), "D", Cause.ALIKE_ELSEWHERE),
        (replace(BEST, alike_stages=True), "D", Cause.ALIKE_STAGES),
        (replace(BEST, same_stages=True), "D", Cause.SAME_STAGES),
        (replace(BEST, alike=2, overruled=True), "C", Cause.ALIKE_OVERRULED),
        (replace(BEST, same_stages=True, alike_stages=True, overruled=True), "D", Cause.SAME_STAGES),
    ],
)  # fmt: skip
def test_grade_and_the_reason_for_it(facts, letter, cause):
    found = grade(facts)
    assert (found.letter, cause in causes(facts)) == (letter, True)
    assert found.reasons[0].letter == found.letter


def test_a_day_begins_in_shanghai_and_a_before_photo_may_be_older():
    midnight = datetime(2022, 3, 8, 16, tzinfo=UTC)
    assert Cause.BEFORE_FOUND not in causes(replace(UPLOAD, exif_at=midnight))
    earlier = replace(UPLOAD, exif_at=midnight - timedelta(seconds=1))
    assert Cause.BEFORE_FOUND in causes(earlier)
    assert Cause.TIMELY in causes(replace(earlier, stage="before"))


def test_days_offline_are_no_fault_of_the_clock():
    captured = NOON - timedelta(days=3)
    assert grade(replace(BEST, device_at=captured)).letter == "A"
    wrong = timedelta(days=-40)
    late = replace(BEST, device_at=captured + wrong, submitted_at=NOON + wrong)
    assert causes(late) == {Cause.LIVE, Cause.NEAR, Cause.CLOCK_OFF, Cause.TIMELY}


def test_a_camera_that_writes_gcj02_is_understood_but_not_believed():
    guangdong = (110.25, 21.38)
    given_as = tuple(float(v) for v in from_wgs84(*guangdong, "gcj02"))
    facts = replace(UPLOAD, issue_lonlat=guangdong, exif_lonlat=given_as, exif_at=NOON)
    assert 500 < distance_m(guangdong, given_as) < 560
    assert (grade(facts).letter, Cause.MAYBE_GCJ02 in causes(facts)) == ("C", True)
    measured = replace(BEST, issue_lonlat=guangdong, device_lonlat=given_as)
    assert Cause.OFF in causes(measured)


points = st.tuples(st.floats(111, 111.6), st.floats(20.5, 21))
hours = st.integers(-2_000, 30).map(lambda n: NOON + n * HOUR)
facts = st.builds(
    PhotoFacts,
    stage=st.sampled_from(["before", "during", "after", "interim"]),
    live=st.booleans(),
    received_at=st.just(NOON),
    submitted_at=st.none() | hours,
    device_at=st.none() | hours,
    device_lonlat=st.none() | points | st.just(ISSUE),
    device_accuracy_m=st.none() | st.floats(0, 1e9),
    tapped=st.booleans(),
    exif_at=st.none() | hours,
    exif_lonlat=st.none() | points | st.just(ISSUE),
    issue_lonlat=st.none() | st.just(ISSUE),
    found_on=st.none() | st.dates(date(2022, 1, 1), date(2022, 3, 20)),
    copies=st.integers(0, 3),
    alike=st.integers(0, 3),
    same_stages=st.booleans(),
    alike_stages=st.booleans(),
    overruled=st.booleans(),
)
WORSE = {
    "copies": lambda f: replace(f, copies=f.copies + 1),
    "alike": lambda f: replace(f, alike=f.alike + 1),
    "same_stages": lambda f: replace(f, same_stages=True),
    "alike_stages": lambda f: replace(f, alike_stages=True),
    "not overruled": lambda f: replace(f, overruled=False),
    "found later": lambda f: replace(f, found_on=date(2022, 3, 21)),
}


@pytest.mark.parametrize("worse", WORSE.values(), ids=WORSE)
@given(facts=facts)
def test_a_worse_fact_never_lifts_a_grade(worse, facts):
    assert grade(worse(facts)).letter >= grade(facts).letter


@given(facts=facts)
def test_the_same_facts_from_a_file_are_never_better_than_live_ones(facts):
    live = replace(facts, live=True, submitted_at=NOON, exif_at=None)
    assert grade(replace(live, live=False, exif_at=live.device_at)).letter >= grade(live).letter


@given(facts=facts, near=st.floats(0, 5_000), further=st.floats(1, 20_000))
def test_farther_away_never_lifts_a_grade(facts, near, further):
    facts = replace(facts, exif_lonlat=None, tapped=False, device_accuracy_m=facts.device_accuracy_m or 0)
    closer = replace(facts, device_lonlat=north(near))
    assert grade(replace(facts, device_lonlat=north(near + further))).letter >= grade(closer).letter


@given(facts=facts, worse=st.floats(1, 1e7))
def test_within_reach_a_worse_accuracy_never_lifts_a_grade(facts, worse):
    facts = replace(facts, device_lonlat=north(50), tapped=False, exif_lonlat=None)
    less = replace(facts, device_accuracy_m=(facts.device_accuracy_m or 0) + worse)
    assert grade(less).letter >= grade(facts).letter


@given(facts=facts)
def test_every_photo_gets_a_grade_with_reasons_in_both_languages(facts):
    found = grade(facts)
    assert found.letter == max(reason.letter for reason in found.reasons)
    assert len({reason.cause for reason in found.reasons}) == len(found.reasons)
    for lang in LANGS:
        assert all("{" not in reason.sentence(lang) for reason in found.reasons)
        assert text(f"evidence.grades.{found.letter}", lang).startswith(found.letter)


@given(facts=facts)
def test_likeness_alone_only_asks(facts):
    """Whatever a photo is like: with a person's reason it stands where it would stand without, or at C."""
    alone = replace(facts, copies=0, alike=0, alike_stages=False)
    assert grade(replace(facts, overruled=True)).letter <= max(grade(alone).letter, Letter.C)
    found = grade(facts)
    assert found.asks == (found.letter == "D" and grade(alone).letter != "D" and causes(facts) & ASKING != set())


def test_what_closing_still_lacks():
    poor, good = Grade(Letter.D, (Reason(Cause.FAR),)), grade(BEST)
    asking = grade(replace(BEST, alike=1))
    cases = [
        (TOILET, [], "C", ("after",)),
        (TOILET, [("before", good)], "C", ("after",)),
        (TOILET, [("after", poor)], "C", ("after_grade",)),
        (TOILET, [("after", poor), ("after", asking)], "C", ("after_likeness",)),
        (TOILET, [("after", poor), ("after", good)], "A", ()),
        (TOILET, [("after", grade(UPLOAD))], "B", ("after_grade",)),
        (DRY_TOILET, [("after", good)], "C", ("before",)),
        (DRY_TOILET, [("after", poor), ("before", asking)], "D", ()),
        (DRY_TOILET, [], "C", ("after", "before")),
    ]
    for category, photos, least, lacking in cases:
        assert enough_evidence(category, photos, least) == lacking


def test_every_code_of_what_is_lacking_has_its_words():
    stages = {stage for category in load_vocabulary().categories.values() for stage in category.evidence}
    codes = {f"{stage}{kind}" for stage in stages | {"interim", "during"} for kind in ("", "_grade", "_likeness")}
    for lang in LANGS:
        assert codes == set(catalog("evidence", lang)["missing"])


def test_the_table_is_whole_and_the_page_prints_it():
    page = (Path(__file__).parents[1] / "docs" / "grades.md").read_text(encoding="utf-8")
    assert set(GRADE_TABLE) == set(Cause)
    for lang in LANGS:
        assert {*map(str, Cause)} == set(catalog("evidence", lang)["reasons"]) == set(catalog("evidence", lang)["when"])
        rows = [f"| {letter} | `{code}` | {when} |" for letter, code, when in grade_table(lang)]
        assert "\n".join(rows) in page


def test_distance_on_the_sphere():
    assert distance_m((0, 0), (0, 1)) == pytest.approx(111_195, abs=1)
    assert distance_m(ISSUE, ISSUE) == 0
    assert distance_m((-179.9, 0), (179.9, 0)) == pytest.approx(22_239, abs=1)
