"""The chain's rules: bodies that are always the same text, changes that add up, persons that can be taken out."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import tiny_issue, tiny_places
from villagemap.chain import (
    body_text,
    conceal,
    difference,
    fold,
    genesis,
    instant_text,
    issue_fields,
    link,
    number_text,
    place_fields,
    reveal,
)
from villagemap.model import Privacy

WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
VALUES = st.one_of(WORDS.filter(bool), st.integers(-(2**31), 2**31), st.lists(WORDS, max_size=3))
STATES = st.dictionaries(st.sampled_from("abcdefgh"), VALUES)


@given(before=STATES, after=STATES)
def test_folding_the_difference_gives_what_stands_after(before: dict[str, object], after: dict[str, object]):
    state = dict(before)
    fold(state, difference(before, after))
    assert state == after


@given(st.lists(STATES, max_size=6))
def test_a_row_is_the_sum_of_its_events(states: list[dict[str, object]]):
    events = [difference(before, after) for before, after in zip([{}, *states], states, strict=False)]
    state: dict[str, object] = {}
    for event in events:
        fold(state, orjson.loads(body_text(event)))
    assert state == (states[-1] if states else {})
    assert difference(state, state) == {}


@given(STATES, st.randoms())
def test_a_body_is_one_text_whatever_the_order_of_its_keys(state: dict[str, object], random: object):
    keys = list(state)
    random.shuffle(keys)
    shuffled = {key: state[key] for key in keys}
    assert body_text(shuffled) == body_text(state)
    assert orjson.loads(body_text(state)) == state


def test_a_hash_covers_all_that_came_before():
    first = link(genesis("tiny"), "a")
    assert first == hashlib.sha256((genesis("tiny") + "a").encode()).hexdigest()
    assert genesis("tiny") != genesis("other")
    chain = [first, link(first, "b")]
    assert link(link(genesis("tiny"), "x"), "b") not in chain
    assert link(link(genesis("tiny"), "b"), "a") not in chain


PERSONAL = {
    "responsible": "某人",
    "phone": "13812345678",
    "geometry": "POINT (111.15 20.65)",
    "location_text": "屋后",
    "description": "漏水的房子",
    "sightings": [{"id": "s", "found_by": "另一人", "given_x": "111.15", "given_y": "20.65", "source": "self_check"}],
    "status": "registered",
}
SHOWN = {
    Privacy.OPEN: {"geometry", "location_text", "description", "given_x", "given_y"},
    Privacy.OFFICE: {"geometry", "location_text", "description", "given_x", "given_y"},
    Privacy.RESTRICTED: set(),
}


@pytest.mark.parametrize("privacy", list(Privacy))
def test_no_personal_value_is_in_a_body(privacy: Privacy):
    shown, kept = conceal(PERSONAL, privacy)
    text = body_text(shown)
    hidden = {value.field.removeprefix("sighting."): value.value for value in kept}
    always = {"responsible", "phone", "found_by"}
    assert set(hidden) == always | ({"geometry", "location_text", "description", "given_x", "given_y"} - SHOWN[privacy])
    assert all(value not in text for value in hidden.values())
    assert '"status":"registered"' in text


@given(
    privacy=st.sampled_from(Privacy), fields=st.dictionaries(st.sampled_from(sorted(PERSONAL)[:-2]), WORDS.filter(bool))
)
def test_what_was_concealed_comes_back(privacy: Privacy, fields: dict[str, object]):
    shown, kept = conceal(fields, privacy)
    back, erased = reveal(orjson.loads(body_text(shown)), {v.hash: (v.salt, v.value) for v in kept})
    assert (back, erased) == (fields, set())
    again, more = conceal(fields, privacy)
    assert {v.hash for v in kept}.isdisjoint(v.hash for v in more), "equal values have different hashes"
    assert {k for k, v in again.items() if isinstance(v, dict)} == {k for k, v in shown.items() if isinstance(v, dict)}


def test_what_was_erased_or_swapped_is_gone():
    shown, kept = conceal(PERSONAL, Privacy.OPEN)
    values = {v.hash: (v.salt, v.value) for v in kept}
    phone = next(v for v in kept if v.field == "phone")
    del values[phone.hash]
    person = next(v for v in kept if v.field == "responsible")
    values[person.hash] = (person.salt, "别人")
    back, erased = reveal(shown, values)
    assert erased == {"phone", "responsible"}
    assert "phone" not in back
    assert "responsible" not in back
    assert back["sightings"] == PERSONAL["sightings"]


def test_a_blank_personal_value_leaves_no_hash_to_guess_at():
    shown, kept = conceal({"phone": None, "responsible": ""}, Privacy.OPEN)
    assert shown == {"phone": None, "responsible": ""}
    assert kept == []


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.0, "0"), (12, "12"), (100.5, "100.5"), (0.1, "0.1"), (1e16, "10000000000000000")]
)
def test_quantities_look_like_numbers_of_people(value: float, text: str):
    assert number_text(value) == text


@given(st.floats(0, 1e9, allow_nan=False))
def test_a_quantity_comes_back_exactly(value: float):
    assert float(number_text(value)) == value


def test_an_instant_is_utc_to_the_microsecond():
    shanghai = datetime(2026, 3, 1, 8, 0, 0, 5, tzinfo=timezone(timedelta(hours=8)))
    assert instant_text(shanghai) == instant_text(shanghai.astimezone(UTC)) == "2026-03-01T00:00:00.000005Z"


def test_bodies_hold_no_floats_and_no_blanks():
    for n in range(60):
        fields = issue_fields(replace(tiny_issue(n, tiny_places()), quantity_found=2.5))
        assert all(fields.values())
        assert not [value for value in fields.values() if isinstance(value, float)]
    for place in tiny_places():
        fields = place_fields(place)
        assert not [value for value in fields.values() if isinstance(value, float)]
        assert len(fields["geometry_sha256"]) == 64
