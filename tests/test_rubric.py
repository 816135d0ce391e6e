import pytest

from villagemap.errors import WorkspaceError
from villagemap.rubric import RATES, load_rubric
from villagemap.vocabulary import load_vocabulary

RUBRIC = load_rubric()


def test_the_sheet_has_the_official_form_and_says_that_its_points_are_an_example():
    assert (len(RUBRIC.classes), len(RUBRIC.indicators), RUBRIC.points) == (6, 21, 100)
    assert not RUBRIC.official
    assert set(RUBRIC.rank.weights) == set(RATES)


def test_every_category_of_the_six_classes_costs_points_once():
    vocabulary = load_vocabulary()
    named = {category: i.in_class for i in RUBRIC.indicators for category in i.categories}
    wanted = {code: c.group for code, c in vocabulary.categories.items() if c.group in RUBRIC.classes}
    assert named == wanted


def test_a_county_lays_its_own_rules_over_ours(tmp_path):
    own = tmp_path / "rubric.toml"
    own.write_text(
        "[rank]\nquick_cap = 1.0\n[rank.weights]\nlate = 3.0\n[deductions]\nofficial = true\nsource = '粤'\n"
        "[indicators.a]\nclass = 'toilets'\nzh = '厕'\nen = 't'\n"
        "points = 5\nper_case = 1\ncategories = ['toilet_dry']\n",
        encoding="utf-8",
    )
    rubric = load_rubric(own)
    assert (rubric.rank.quick_cap, rubric.rank.quick_days) == (1.0, RUBRIC.rank.quick_days)
    assert rubric.rank.weights == {**RUBRIC.rank.weights, "late": 3.0}
    assert [i.code for i in rubric.indicators] == ["a"]
    assert rubric.official
    assert (load_rubric().rank, load_rubric().official) == (RUBRIC.rank, RUBRIC.official)


@pytest.mark.parametrize(
    "content",
    [
        "[rank",
        "rank = 3",
        "[rank]\nshrink = 0",
        "[rank]\nquick_cap = -1",
        "[rank]\nluck = 1",
        "[rank.weights]\nlate = -1",
        "[rank.weights]\nluck = 1",
        "[rank.weights]\nlate = 0\nfailed = 0\nrelapsed = 0\nby_others = 0",
        "[indicators.a]\nclass = 'toilets'\nzh = ''\nen = ''\npoints = 5\nper_case = 1",
        "[indicators.a]\nclass = 'x'\nzh = ''\nen = ''\npoints = 5\nper_case = 1\ncategories = []",
        "[indicators.a]\nclass = 'toilets'\nzh = ''\nen = ''\npoints = -5\nper_case = 1\ncategories = []",
        "[indicators.a]\nclass = 'toilets'\nzh = ''\nen = ''\npoints = 5\nper_case = 1\ncategories = ['b', 'b']",
        "[deductions]\nofficial = true",
    ],
)
def test_a_broken_rubric_is_refused_with_its_name(tmp_path, content: str):
    own = tmp_path / "rubric.toml"
    own.write_text(content, encoding="utf-8")
    with pytest.raises(WorkspaceError, match=r"rubric\.toml"):
        load_rubric(own)
