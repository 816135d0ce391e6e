"""Matrices that people give: what can be used is used, the rest told with its ids."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.errors import BadInputError, NotFoundError, TooLargeError
from villagemap.plans import NEVER, MatrixKind
from villagemap.travel.given import MOST_SITES, read_matrix

SECONDS = [[0, 60, 120], [61, 0, 90], [121, 91, 0]]


def write(folder: Path, words: str, name: str = "matrix.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(words, encoding=encoding)
    return path


def test_a_whole_csv_and_json_say_the_same(tmp_path: Path):
    csv = read_matrix(write(tmp_path, "id,甲,乙,丙\n甲,0,60,120\n乙,61,0,90\n丙,121,91,0\n", encoding="gb18030"))
    json = read_matrix({"ids": ["甲", "乙", "丙"], "durations_s": SECONDS})
    for found in (csv, json):
        assert found.matrix.ids == ("甲", "乙", "丙")
        assert found.matrix.duration_s.tolist() == SECONDS
        assert found.matrix.kind is MatrixKind.GIVEN
        assert not found.matrix.estimated
        assert found.findings == ()
    assert csv.matrix.digest == json.matrix.digest
    assert json.matrix.distance_m[0, 1] == round(60 / 3.6 * 38)


def test_rows_in_another_order_than_columns_are_put_right(tmp_path: Path):
    found = read_matrix(write(tmp_path, ";a;b\nb;5;0\na;0;7\n")).matrix
    assert found.duration_s[found.index()["a"], found.index()["b"]] == 7
    assert found.duration_s[found.index()["b"], found.index()["a"]] == 5


def test_holes_nan_and_negative_times_are_no_way_and_told_with_ids(tmp_path: Path):
    found = read_matrix(write(tmp_path, ",a,b,c\na,0,,30\nb,nan,0,-4\nc,inf,x,0\n"))
    assert found.matrix.duration_s.tolist() == [[0, NEVER, 30], [NEVER, 0, NEVER], [NEVER, NEVER, 0]]
    told = {(finding.code, finding.site) for finding in found.findings}
    assert told == {
        ("matrix_hole", "a"), ("matrix_hole", "b"), ("matrix_hole", "c"), ("matrix_negative", "b")
    }  # fmt: skip
    assert all(finding.site in finding.sentence(lang) for finding in found.findings for lang in ("zh", "en"))


def test_a_row_without_a_column_and_the_reverse_are_told(tmp_path: Path):
    found = read_matrix(write(tmp_path, ",a,b\na,0,5\nc,5,6\n"))
    assert {(f.code, f.site) for f in found.findings} == {("matrix_no_column", "c"), ("matrix_no_row", "b")}
    row = found.matrix.index()
    assert found.matrix.duration_s[row["c"], row["b"]] == 6
    assert found.matrix.duration_s[row["b"], row["a"]] == NEVER


@pytest.mark.parametrize(
    ("said", "code", "named"),
    [
        ({"ids": ["a", "b"], "durations_s": [[0, 1]]}, "matrix_not_square", "b"),
        ({"ids": ["a", "b"], "durations_s": [[0, 1], [1]]}, "matrix_not_square", "b"),
        ({"ids": ["a", "b"], "durations_s": [[0, 1], [1, 0]], "distances_m": 5}, "matrix_not_square", "a, b"),
        ({"ids": ["a", "a"], "durations_s": [[0, 1], [1, 0]]}, "matrix_ids_repeat", "a"),
        ({"ids": [], "durations_s": []}, "matrix_empty", ""),
        ({"durations_s": [[0]]}, "matrix_unreadable", "ids"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_ids(said: dict[str, object], code: str, named: str):
    with pytest.raises(BadInputError) as caught:
        read_matrix(said)
    assert caught.value.code == code
    assert named in caught.value.sentence("zh")


def test_files_that_are_none_and_too_many_sites(tmp_path: Path):
    with pytest.raises(NotFoundError):
        read_matrix(tmp_path / "none.csv")
    for words, code in (("", "matrix_empty"), ("{", "matrix_unreadable"), ('"', "matrix_unreadable")):
        with pytest.raises(BadInputError) as caught:
            read_matrix(write(tmp_path, words))
        assert caught.value.code == code
    with pytest.raises(TooLargeError):
        read_matrix({"ids": list(range(MOST_SITES + 1)), "durations_s": []})


@given(st.data())
def test_whatever_is_given_comes_back_bounded(data: st.DataObject):
    count = data.draw(st.integers(1, 5))
    figure = st.one_of(st.floats(), st.integers(-5, 10**12), st.none(), st.text(max_size=3), st.booleans())
    rows = data.draw(st.lists(st.lists(figure, min_size=count, max_size=count), min_size=count, max_size=count))
    found = read_matrix({"ids": list(map(str, range(count))), "durations_s": rows})
    for table in (found.matrix.duration_s, found.matrix.distance_m):
        assert ((table >= 0) & (table <= NEVER)).all()
        assert (np.diagonal(table) == 0).all()
    assert len(found.findings) > 0 or (found.matrix.duration_s < NEVER).all() or NEVER in found.matrix.duration_s
