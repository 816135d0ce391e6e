"""Anchor codes: whatever a person mistypes in one place is told, and nothing else is."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.anchors import ALPHABET, Anchor, anchor_code, read_anchor
from villagemap.errors import BadInputError

digests = st.binary(min_size=8, max_size=8).map(lambda given: hashlib.sha256(given).hexdigest())
seqs = st.integers(1, 32**7 - 1) | st.integers(1, 60_000)


@given(seqs, digests)
def test_a_code_comes_back(seq: int, digest: str):
    code = anchor_code(seq, digest)
    assert read_anchor(code) == Anchor(seq, digest[:20])
    assert {len(group) for group in code.split("-")} == {4}
    assert len(code) == (24 if seq < 32**3 else 29)


def test_a_code_stays_what_it_is_forever():
    """It stands on printed paper: no later version may read it differently."""
    digest = hashlib.sha256(b"villagemap").hexdigest()
    assert anchor_code(60, digest) == KNOWN
    assert read_anchor(KNOWN) == Anchor(60, digest[:20])


KNOWN = "WNPW-EVC6-0XHX-H9YB-01WF"


@given(seqs, digests, st.data())
def test_one_wrong_letter_is_always_told(seq: int, digest: str, data: st.DataObject):
    code = anchor_code(seq, digest)
    place = data.draw(st.sampled_from([n for n, letter in enumerate(code) if letter != "-"]))
    wrong = data.draw(st.sampled_from([letter for letter in ALPHABET if letter != code[place]]))
    with pytest.raises(BadInputError, match="typ"):
        read_anchor(code[:place] + wrong + code[place + 1 :])


@given(seqs, digests, st.data())
def test_two_letters_swapped_are_always_told(seq: int, digest: str, data: st.DataObject):
    letters = list(anchor_code(seq, digest).replace("-", ""))
    first, second = data.draw(st.tuples(*[st.integers(0, len(letters) - 1)] * 2))
    same = letters[first] == letters[second]
    letters[first], letters[second] = letters[second], letters[first]
    if same:
        assert read_anchor("".join(letters)).seq == seq
        return
    with pytest.raises(BadInputError):
        read_anchor("".join(letters))


@given(seqs, digests)
def test_it_may_be_typed_as_people_type(seq: int, digest: str):
    code = anchor_code(seq, digest)
    typed = code.lower().replace("-", " ").replace("1", "l").replace("0", "o")
    wide = code.translate({ord(letter): ord(letter) + 0xFEE0 for letter in ALPHABET})
    assert read_anchor(typed) == read_anchor(wide) == read_anchor(code)


@pytest.mark.parametrize("code", ["", "0G2C", "U" * 20, "0" * 21, "一二三四" * 5, "0" * 10_000])
def test_what_is_no_code_is_refused(code: str):
    with pytest.raises(BadInputError, match="anchor code"):
        read_anchor(code)
