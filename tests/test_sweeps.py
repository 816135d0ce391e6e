from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.errors import ConflictError
from villagemap.model import Level
from villagemap.reach import Fault, ListedPlace, ProofKind, proof_by_photo
from villagemap.sweeps import (
    BEST_FIRST,
    VISITED,
    Met,
    Outcome,
    Visit,
    VisitFault,
    audit_list,
    can_close,
    check_close,
    coverage,
    faults,
    list_digest,
    outcomes,
)
from villagemap.texts import LANGS, text
from villagemap.vocabulary import load_vocabulary

SUFFIXES = load_vocabulary().suffixes
GOOD, POOR = proof_by_photo("A"), proof_by_photo("D")


def place(number: int, name: str = "", town: int = 1) -> ListedPlace:
    return ListedPlace(
        place_id=f"v{number}",
        name=name or f"村{number}村委会",
        level=Level.VILLAGE,
        town_id=f"t{town}",
        town=f"{'甲乙丙'[town - 1]}镇",
    )


LISTED = [place(n, town=n % 3 + 1) for n in range(9)]


def clean(number: int, **values) -> Visit:
    return replace(Visit(place_id=f"v{number}", outcome=Outcome.VISITED_CLEAN, proofs=(GOOD,)), **values)


def test_a_sweep_of_301_with_300_visited_refuses_to_close_and_names_the_one():
    listed = [place(n, town=n % 3 + 1) for n in range(301)]
    visits = [clean(n) for n in range(301) if n != 137]
    assert can_close(listed, visits) == (listed[137],)
    with pytest.raises(ConflictError) as refused:
        check_close(listed, visits)
    for lang in LANGS:
        assert "丙镇 村137村委会" in refused.value.sentence(lang)
        assert "301" in refused.value.sentence(lang)
    check_close(listed, [*visits, clean(137)])


def test_many_missed_are_named_in_part_and_told_in_whole():
    with pytest.raises(ConflictError) as refused:
        check_close([place(n) for n in range(100)], [])
    assert refused.value.sentence("zh").count("甲镇") == 20
    assert len(refused.value.params["missed"]) == refused.value.params["count"] == 100


@pytest.mark.parametrize(
    ("visit", "why"),
    [
        (clean(1), ()),
        (clean(1, proofs=(POOR, GOOD)), ()),
        (clean(1, proofs=()), (VisitFault.NO_PROOF,)),
        (clean(1, proofs=(POOR,)), (VisitFault.NO_PROOF,)),
        (clean(1, outcome=Outcome.UNREACHABLE, proofs=()), (VisitFault.NO_REASON,)),
        (clean(1, outcome=Outcome.UNREACHABLE, reason="  "), (VisitFault.NO_REASON,)),
        (clean(1, outcome=Outcome.UNREACHABLE, proofs=(), reason="塌方"), ()),
        (clean(1, outcome=Outcome.MISSED), (VisitFault.NOT_AN_OUTCOME,)),
        (clean(99), (VisitFault.NOT_LISTED,)),
    ],
)
def test_what_counts_as_a_visit(visit: Visit, why: tuple[VisitFault, ...]):
    assert faults(visit, LISTED) == why
    counted = outcomes(LISTED, [visit]).get("v1") not in {Outcome.PENDING, None}
    assert counted == (not why)


def test_the_best_of_several_visits_counts():
    unreachable = clean(1, outcome=Outcome.UNREACHABLE, reason="塌方")
    found = clean(1, outcome=Outcome.VISITED_WITH_ISSUES)
    assert outcomes(LISTED, [unreachable, clean(1)])["v1"] is Outcome.VISITED_CLEAN
    assert outcomes(LISTED, [found, clean(1), unreachable])["v1"] is Outcome.VISITED_WITH_ISSUES


def test_open_places_are_pending_until_it_is_over():
    assert set(outcomes(LISTED, []).values()) == {Outcome.PENDING}
    assert set(outcomes(LISTED, [], over=True).values()) == {Outcome.MISSED}


def test_coverage_by_town():
    visits = [
        clean(0, outcome=Outcome.VISITED_WITH_ISSUES),
        clean(3),
        clean(6, proofs=(POOR,)),
        clean(1, outcome=Outcome.UNREACHABLE, reason="塌方"),
    ]
    first, second, third = coverage(LISTED, visits)
    assert (first.town, first.listed, first.visited, first.with_issues, first.clean) == ("甲镇", 3, 2, 1, 1)
    assert (first.missed, first.unproven) == (1, 1)
    assert (second.unreachable, second.missed) == (1, 2)
    assert (third.visited, third.missed, third.unproven) == (0, 3, 0)


visits_drawn = st.lists(
    st.builds(
        Visit,
        place_id=st.sampled_from([f"v{n}" for n in range(11)]),
        outcome=st.sampled_from(Outcome),
        proofs=st.lists(st.sampled_from([GOOD, POOR]), max_size=2).map(tuple),
        reason=st.sampled_from(["", " ", "塌方"]),
    ),
    max_size=40,
)


@given(visits_drawn, st.randoms(use_true_random=False))
def test_every_listed_place_has_one_outcome_and_the_sums_agree(visits, random):
    became = outcomes(LISTED, visits)
    assert list(became) == [p.place_id for p in LISTED]
    assert outcomes(LISTED, random.sample(visits, len(visits))) == became
    by_town = coverage(LISTED, visits)
    assert sum(town.listed for town in by_town) == len(LISTED)
    assert all(town.visited + town.unreachable + town.missed == town.listed for town in by_town)
    assert sum(town.missed for town in by_town) == len(can_close(LISTED, visits))
    assert sum(town.visited for town in by_town) == sum(outcome in VISITED for outcome in became.values())


@given(visits_drawn, visits_drawn)
def test_more_visits_never_undo_one(visits, more):
    before, after = outcomes(LISTED, visits), outcomes(LISTED, visits + more)
    order = [*BEST_FIRST, Outcome.PENDING]
    assert all(order.index(after[p]) <= order.index(before[p]) for p in before)


@given(visits_drawn)
def test_no_visited_place_without_a_proof_that_holds(visits):
    for place_id, outcome in outcomes(LISTED, visits).items():
        own = [v for v in visits if v.place_id == place_id]
        if outcome in VISITED:
            assert any(v.outcome is outcome and GOOD in v.proofs for v in own)
        if outcome is Outcome.UNREACHABLE:
            assert any(v.reason.strip() for v in own)


def test_a_changed_list_has_another_digest():
    digest = list_digest(LISTED)
    assert list_digest(LISTED[::-1]) == digest
    assert len({digest, list_digest(LISTED[1:]), list_digest([*LISTED[1:], place(0, name="新名")])}) == 3


# The list itself


def named(name: str, town: str = "", **values) -> Met:
    return Met(name=name, town=town, source=values.pop("source", "issue"), **values)


TWINS = [place(1, "东村村委会", town=1), place(2, "东村村委会", town=2), place(3, "西岸社区居委会", town=1)]


@pytest.mark.parametrize(
    ("name", "town"),
    [("东村", "甲镇"), ("东村村委会", "乙"), (" 东 村 ", ""), ("西岸", "甲镇"), ("西岸社区", "")],
)
def test_listed_names_are_found_however_they_are_written(name: str, town: str):
    assert audit_list(TWINS, [named(name, town)], SUFFIXES) == ()


def test_names_that_the_list_lacks():
    met = [
        named("西岸", "乙镇", reference="7"),
        named("西岸社区", "乙", source="ledger", reference="乙.xlsx"),
        named("新村仔", "甲镇"),
        named("东村", "丙镇"),
        named("", "甲镇"),
    ]
    lacking = audit_list(TWINS, met, SUFFIXES)
    assert [(one.name, one.town) for one in lacking] == [("西岸", "乙镇"), ("东村", "丙镇"), ("新村仔", "甲镇")]
    assert (lacking[0].sources, lacking[0].references) == ({"issue": 1, "ledger": 1}, ("7", "乙.xlsx"))
    assert lacking[0].elsewhere == ("甲镇 西岸社区居委会",)
    assert lacking[1].elsewhere == ("甲镇 东村村委会", "乙镇 东村村委会")
    assert lacking[2].elsewhere == ()


def test_a_matched_place_is_looked_up_by_its_id_alone():
    assert audit_list(TWINS, [named("写错了", "丙镇", place_id="v1")], SUFFIXES) == ()
    (one,) = audit_list(TWINS, [named("东村", "甲镇", place_id="v77", source="track")], SUFFIXES)
    assert one.name == "东村"


@given(st.lists(st.sampled_from(["东村", "西岸", "新村", "上", "村"]), max_size=12))
def test_nothing_listed_is_lacking_and_nothing_lacking_is_lost(names):
    lacking = audit_list(TWINS, [named(name) for name in names], SUFFIXES)
    assert sum(sum(one.sources.values()) for one in lacking) == sum(name not in {"东村", "西岸"} for name in names)


@pytest.mark.parametrize("lang", LANGS)
def test_every_word_of_the_rules_has_a_text(lang: str):
    rooms = {"outcomes": Outcome, "visits": VisitFault, "kinds": ProofKind, "proofs": Fault}
    assert all(text(f"sweeps.{room}.{code}", lang) for room, codes in rooms.items() for code in codes)
