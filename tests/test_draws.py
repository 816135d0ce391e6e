"""Drawing by lot: the same bytes from the docs' words alone, fair, in quota, and never with a conflict of interest."""

import hashlib
import json
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.draws import (
    FIELDS,
    LEVELS,
    Candidate,
    Duty,
    Inspector,
    Kind,
    Last,
    Pick,
    Stream,
    assign,
    conflicts,
    draw,
    failure_rates,
    list_text,
    quotas,
    read_list,
    register_hash,
    result_text,
    seed_of,
    sha256,
    spoken_number,
)
from villagemap.errors import BadInputError

HEAD = "ab" * 32
UNITS = ("town:t1", "town:t2", "ecology")

names = st.text("abcdef0123456789-", min_size=1, max_size=6)
cases = st.builds(
    Candidate,
    id=names,
    values=st.tuples(st.sampled_from(["t1", "t2", "t10", "-"]), st.sampled_from(["a", "b"]), st.sampled_from(Last)),
)
lists = st.lists(cases, min_size=1, max_size=40, unique_by=lambda c: c.id)
inspectors = st.lists(
    st.builds(
        Inspector, id=st.sampled_from(["u1", "u2", "u3", "u4", "甲组"]), units=st.frozensets(st.sampled_from(UNITS))
    ),
    max_size=5,
    unique_by=lambda i: i.id,
)
duties = st.builds(
    Duty,
    charged=st.frozensets(st.sampled_from(UNITS), max_size=1),
    fixers=st.frozensets(st.sampled_from(["u1", "u2", "ecology"]), max_size=1),
)


# The algorithm once more, from the words of docs/draws.md


def by_the_docs(level_fields, levels, lines, wanted, seed, people, whose, each, kind):  # noqa: C901 - one page of docs
    """Nothing of the program's is used here."""

    def h(*parts):
        return hashlib.sha256("".join(f"{part}\n" for part in parts).encode()).digest()

    def stream(label):
        i = 0
        while True:
            yield int.from_bytes(h(seed, label, i), "big")
            i += 1

    def below(blocks, n):
        return next(block for block in blocks if block < 2**256 // n * n) % n

    rows = [line.split("\t") for line in sorted(lines, key=lambda line: line.encode())]
    wanted = min(wanted, len(rows))
    for level in levels:
        at = [level_fields.index(name) for name in level]
        strata = {}
        for row in rows:
            strata.setdefault(tuple(row[place] for place in at), []).append(row[-1])
        if len(strata) <= wanted:
            break
    keys = sorted(strata)
    aside, given_out = [], {}
    while True:
        rest = [key for key in keys if key not in aside]
        left, people_left = wanted - len(aside), sum(len(strata[key]) for key in rest)
        share = {key: Fraction(left * len(strata[key]), people_left) for key in rest}
        small = [key for key in rest if share[key] < 1]
        if not small:
            break
        aside += small
    given_out = dict.fromkeys(aside, 1) | {key: int(share[key]) for key in rest}
    largest = sorted(rest, key=lambda key: (share[key] - int(share[key]), len(strata[key]), -keys.index(key)))
    for key in largest[::-1][: wanted - sum(given_out.values())]:
        given_out[key] += 1
    drawn = []
    for key in keys:
        blocks, row = stream("\t".join(["draw", *key])), list(strata[key])
        for k in range(given_out[key]):
            other = k + below(blocks, len(row) - k)
            row[k], row[other] = row[other], row[k]
        drawn += [(name, key) for name in row[: given_out[key]]]
    errands = dict.fromkeys(people, 0)
    sent = {}
    excluded = {name: {who: why for who in people if (why := whose(who, name))} for name, _ in drawn}
    for name, _ in sorted(drawn, key=lambda one: len(people) - len(excluded[one[0]])):
        blocks, sent[name] = stream(f"assign\t{name}"), []
        for _ in range(each):
            free = sorted(who for who in people if who not in excluded[name] and who not in sent[name])
            if free:
                fewest = min(errands[who] for who in free)
                equal = [who for who in free if errands[who] == fewest]
                sent[name].append(equal[below(blocks, len(equal))])
                errands[sent[name][-1]] += 1
    told = {
        "v": 1,
        "kind": kind,
        "level": list(level),
        "strata": [{"stratum": key, "size": len(strata[key]), "quota": given_out[key]} for key in keys],
        "drawn": [
            {"id": name, "stratum": key, "inspectors": sent[name], "excluded": excluded[name]} for name, key in drawn
        ],
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@given(candidates=lists, people=inspectors, duty=duties, wanted=st.integers(1, 50), each=st.integers(1, 3))
def test_the_docs_words_give_the_same_bytes(candidates, people, duty, wanted, each):
    listed = list_text(candidates)
    seed = seed_of(register_hash(HEAD, sha256(listed)), spoken_number("４７ 11"))
    lot = draw(Kind.CASES, candidates, wanted, seed)
    whose = {pick.id: duty if n % 2 else Duty() for n, pick in enumerate(lot.picks)}
    ours = result_text(Kind.CASES, lot, assign(lot.picks, people, whose, each, seed))
    head = hashlib.sha256(f"{HEAD}\n{hashlib.sha256(listed.encode()).hexdigest()}\n".encode()).hexdigest()
    by_id = {one.id: one.units for one in people}

    def why(who, name):
        charged, fixers = whose[name].charged, whose[name].fixers
        found = {"charged": by_id[who] & charged, "fixed": {who} & fixers, "unit_fixed": by_id[who] & fixers}
        return [code for code, units in found.items() if units]

    theirs = by_the_docs(
        FIELDS[Kind.CASES], LEVELS[Kind.CASES], listed.splitlines(), wanted,
        hashlib.sha256(f"{head}\n4711\n".encode()).hexdigest(), [one.id for one in people], why, each, "cases",
    )  # fmt: skip
    assert ours == theirs


def test_a_known_draw_stays_what_it_is():
    """Frozen bytes: another version of the program, or machine, draws the same."""
    villages = [Candidate(id=f"v{n}", values=(f"t{n % 3}", "never")) for n in range(30)]
    seed = seed_of(register_hash(HEAD, sha256(list_text(villages))), "4711")
    assert seed == "907de79a5b1a45404e0f830651d7ddfab9ee1bc79bb12e451dba3c12aab09a2c"
    assert [pick.id for pick in draw(Kind.VILLAGES, villages, 5, seed).picks] == ["v21", "v9", "v4", "v19", "v26"]
    stream = Stream(seed, "x")
    assert [stream.below(1000) for _ in range(2)] == [371, 653]


@given(candidates=lists)
def test_a_list_is_read_as_it_was_written(candidates):
    assert list_text(read_list(list_text(candidates))) == list_text(candidates)


# Quotas


@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=30), part=st.fractions(0, 1))
def test_quotas_add_up_and_leave_no_stratum_out(sizes, part):
    wanted = len(sizes) + int(part * (sum(sizes) - len(sizes)))
    given_out = quotas(sizes, wanted)
    assert sum(given_out) == wanted
    assert all(1 <= quota <= size for quota, size in zip(given_out, sizes, strict=True))


def test_a_larger_stratum_never_gets_less():
    assert quotas([1, 2, 40, 57], 10) == [1, 1, 3, 5]
    assert quotas([5, 5, 5], 4) == [2, 1, 1]


@given(candidates=lists, wanted=st.integers(1, 60))
def test_every_candidate_has_a_chance_and_none_is_drawn_twice(candidates, wanted):
    lot = draw(Kind.CASES, candidates, wanted, "seed")
    assert len({pick.id for pick in lot.picks}) == len(lot.picks) == min(wanted, len(candidates))
    assert all(stratum.quota >= 1 for stratum in lot.strata)
    assert sum(stratum.size for stratum in lot.strata) == len(candidates)
    assert {pick.id for pick in lot.picks} <= {candidate.id for candidate in candidates}


# Chance


def chi_square(seen, expected):
    return sum((count - expected) ** 2 / expected for count in seen)


def test_all_of_a_stratum_are_drawn_equally_often():
    """Chi-square over 2,000 spoken numbers; the numbers are fixed, so it never fails by chance."""
    candidates = [Candidate(id=f"v{n}", values=("t1" if n < 12 else "t2", "never")) for n in range(20)]
    seen = Counter(
        pick.id for n in range(2000) for pick in draw(Kind.VILLAGES, candidates, 5, seed_of(HEAD, str(n))).picks
    )
    assert chi_square([seen[f"v{n}"] for n in range(12)], 2000 * 3 / 12) < 31.3  # 11 degrees of freedom, 0.1 %
    assert chi_square([seen[f"v{n}"] for n in range(12, 20)], 2000 * 2 / 8) < 24.3  # 7 degrees of freedom


def test_inspectors_meet_all_things_equally_often():
    people, picks = [Inspector(id=f"u{n}") for n in range(4)], [Pick(id=f"v{n}", key=()) for n in range(4)]
    seen = Counter(
        (one.id, *one.inspectors) for n in range(2000) for one in assign(picks, people, {}, 1, seed_of(HEAD, str(n)))
    )
    assert chi_square([seen[f"v{v}", f"u{u}"] for v in range(4) for u in range(4)], 500) < 37.7  # 15 degrees


@pytest.mark.parametrize("n", [1, 2, 3, 1000, 1 << 255, (1 << 256) - 1])
def test_numbers_lie_below(n):
    stream = Stream("seed", "label")
    assert all(0 <= stream.below(n) < n for _ in range(50))


# Conflicts


@given(people=inspectors, whose=st.lists(duties, min_size=1, max_size=8), each=st.integers(1, 3))
def test_nobody_is_sent_into_a_conflict(people, whose, each):
    picks = [Pick(id=f"c{n}", key=()) for n in range(len(whose))]
    by_id = {one.id: one for one in people}
    charged = {pick.id: duty for pick, duty in zip(picks, whose, strict=True)}
    for one in assign(picks, people, charged, each, "seed"):
        assert not any(conflicts(by_id[name], charged[one.id]) for name in one.inspectors)
        assert one.excluded.keys() == {p.id for p in people if conflicts(p, charged[one.id])}
        assert len(set(one.inspectors)) == len(one.inspectors) == min(each, len(people) - len(one.excluded))


@given(count=st.integers(1, 30), people=st.integers(1, 6), each=st.integers(1, 3))
def test_errands_are_balanced_where_nothing_stands_against_it(count, people, each):
    picks, all_of = [Pick(id=f"c{n}", key=()) for n in range(count)], [Inspector(id=f"u{n}") for n in range(people)]
    errands = Counter(dict.fromkeys((one.id for one in all_of), 0))
    for one in assign(picks, all_of, {}, each, "seed"):
        errands.update(one.inspectors)
    assert max(errands.values()) - min(errands.values()) <= 1


# The number


@pytest.mark.parametrize(("said", "plain"), [("007", "7"), (" １２ 3 ", "123"), ("0", "0"), ("9" * 40, "9" * 40)])
def test_a_number_as_people_write_it(said, plain):
    assert spoken_number(said) == plain


@pytest.mark.parametrize("said", ["", "-1", "1.5", "7a", "1" * 41, "九"])
def test_what_is_no_number(said):
    with pytest.raises(BadInputError) as fault:
        spoken_number(said)
    assert fault.value.code == "draw_number"


# Rates


def test_one_stratum_of_a_large_county_is_wilsons_interval():
    """10 of 100 failed: 5.5 % to 17.4 % (Wilson 1927), when 100 are next to nothing of all."""
    rates, overall = failure_rates({("t1",): (10**9, 100, 10)})
    for rate in (rates["t1",], overall):
        assert (rate.share, rate.low, rate.high) == (
            pytest.approx(0.1), pytest.approx(0.0552, abs=1e-4), pytest.approx(0.1744, abs=1e-4),
        )  # fmt: skip


def test_what_was_checked_as_a_whole_is_known():
    rates, overall = failure_rates({("t1",): (4, 4, 1), ("t2",): (6, 6, 0)})
    assert [(r.low, r.share, r.high) for r in rates.values()] == [(0.25, 0.25, 0.25), (0, 0, 0)]
    assert (overall.low, overall.share, overall.high) == (pytest.approx(0.1),) * 3


def test_strata_weigh_by_their_size_and_those_not_seen_are_left_out():
    rates, overall = failure_rates({("t1",): (90, 9, 0), ("t2",): (10, 5, 5), ("t3",): (1000, 0, 0)})
    assert set(rates) == {("t1",), ("t2",)}
    assert (overall.of, overall.checked, overall.failed, overall.share) == (100, 14, 5, pytest.approx(0.1))
    assert failure_rates({("t1",): (5, 0, 0)}) == ({}, None)


@given(
    st.dictionaries(
        st.integers(0, 9), st.tuples(st.integers(1, 500), st.fractions(0, 1), st.fractions(0, 1)), min_size=1
    )
)
def test_an_interval_holds_its_share(given_strata):
    strata = {}
    for key, (size, checked, failed) in given_strata.items():
        seen = int(checked * size)
        strata[str(key),] = (size, seen, int(failed * seen))
    rates, overall = failure_rates(strata)
    for rate in [*rates.values(), *([overall] if overall else [])]:
        assert 0 <= rate.low <= rate.share + 1e-12
        assert rate.share <= rate.high + 1e-12 <= 1 + 2e-12


def test_the_intervals_hold_what_they_promise():
    """1,000 draws of 40 out of 300 in three strata with 5, 20 and 50 % of failures: at least 93 % hold the truth."""
    sizes, failing = (150, 100, 50), (8, 20, 25)
    candidates = [
        Candidate(id=f"{t}-{n}", values=(f"t{t}", "never")) for t, size in enumerate(sizes) for n in range(size)
    ]
    truth, held = sum(failing) / sum(sizes), 0
    for number in range(1000):
        lot = draw(Kind.VILLAGES, candidates, 40, seed_of(HEAD, str(number)))
        failed = Counter(p.key for p in lot.picks if int(p.id.split("-")[1]) < failing[int(p.id[0])])
        overall = failure_rates({s.key: (s.size, s.quota, failed[s.key]) for s in lot.strata})[1]
        held += overall.low <= truth <= overall.high
    assert held >= 930
