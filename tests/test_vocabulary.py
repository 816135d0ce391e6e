"""Categories and labels: whole in both languages, found by what people write, and a county's own laid over them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.errors import WorkspaceError
from villagemap.model import Level, Privacy, Status, Urgency
from villagemap.vocabulary import WORDS, Vocabulary, load_vocabulary

OURS = load_vocabulary()
KINDS = ("groups", "categories", *WORDS)


def _codes(kind: str) -> list[str]:
    return list({"groups": OURS.groups, "categories": OURS.categories}.get(kind) or OURS.words[kind])


def test_it_holds_what_the_field_knows():
    assert len(OURS.groups) == 8
    assert len(OURS.categories) == 35
    assert {c.group for c in OURS.categories.values()} == set(OURS.groups)
    assert set(OURS.words["statuses"]) == {status.value for status in Status}
    assert set(OURS.words["urgencies"]) == {urgency.value for urgency in Urgency}
    assert set(OURS.words["levels"]) == {level.value for level in Level}


def test_every_category_can_be_worked_with():
    for code, category in OURS.categories.items():
        assert category.code == code
        assert set(category.geometry) <= {"point", "line", "polygon", "village"}, code
        assert category.unit, code
        assert category.lead in OURS.words["units"], code
        assert set(category.help) <= set(OURS.words["units"]), code
    homes = {code for code, category in OURS.categories.items() if category.privacy is Privacy.OFFICE}
    assert {"mudbrick_house", "dangerous_house", "livestock_in_village", "pen_substandard"} <= homes
    assert OURS.categories["household_housing"].privacy is Privacy.RESTRICTED


@given(kind=st.sampled_from(KINDS), lang=st.sampled_from(["zh", "en"]), data=st.data())
def test_a_label_in_any_language_leads_back_to_its_code(kind: str, lang: str, data: st.DataObject):
    code = data.draw(st.sampled_from(_codes(kind)))
    label = OURS.label(kind, code, lang)
    assert label
    assert OURS.code_of(kind, f" {label.upper()} ") == code
    assert OURS.code_of(kind, code) == code


def test_what_nobody_knows_stays_what_it_is():
    assert OURS.code_of("categories", "没有这一类") is None
    assert OURS.label("units", "某某公司", "zh") == "某某公司"
    assert OURS.label("categories", "own_code", "en") == "own_code"


@pytest.mark.parametrize(
    ("name", "level", "short"),
    [
        ("遂城镇", "town", "遂城"),
        ("遂城街道办事处", "town", "遂城"),
        ("东圩社区居民委员会", "village", "东圩"),
        ("东村村委会", "village", "东村"),
        ("东村", "village", "东"),
        ("村", "village", "村"),
        ("镇", "town", "镇"),
        ("上仔", "hamlet", "上仔"),
    ],
)
def test_a_short_name_leaves_out_the_official_ending_and_never_all(name: str, level: str, short: str):
    assert OURS.short_name(name, level) == short


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], Vocabulary]:
    def load(text: str) -> Vocabulary:
        path = tmp_path / "vocabulary.toml"
        path.write_text(text, encoding="utf-8")
        return load_vocabulary(path)

    return load


def test_a_countys_own_words_are_laid_over_ours(own: Callable[[str], Vocabulary]):
    vocabulary = own(
        '[categories.toilet_dry]\nzh = "旱厕(本县)"\n'
        '[categories.own_pond]\ngroup = "sewage"\nzh = "臭水塘"\nen = "smelly pond"\nunit = "口"\n'
        'geometry = ["polygon"]\nprivacy = "open"\nlead = "county_water"\ndue_days = 9\n'
    )
    assert vocabulary.label("categories", "toilet_dry", "zh") == "旱厕(本县)"
    assert vocabulary.categories["toilet_dry"].unit == OURS.categories["toilet_dry"].unit
    assert vocabulary.code_of("categories", "臭水塘") == "own_pond"
    assert OURS.code_of("categories", "臭水塘") is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('[categories.own]\nzh = "甲"', "group"),
        (
            '[categories.own]\ngroup = "sewage"\nzh = "甲"\nunit = "个"\ngeometry = []\nprivacy = "open"\nlead = "x"',
            "own.en",
        ),
        ('[categories.toilet_dry]\nprivacy = "secret"', "secret"),
        ('[units.own]\nzh = "本单位"', "units.own.en"),
        ("categories = 5", "vocabulary.toml"),
        ("[categories]\ntoilet_dry = 5", "vocabulary.toml"),
        ("[categories", "vocabulary.toml"),
    ],
)
def test_a_file_that_lacks_something_is_refused_with_what(own: Callable[[str], Vocabulary], text: str, names: str):
    with pytest.raises(WorkspaceError) as fault:
        own(text)
    for lang in ("zh", "en"):
        assert names in fault.value.sentence(lang)
