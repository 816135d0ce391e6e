"""Drawing by lot (双随机): which villages or closed cases are looked at, and by which inspectors without a conflict.

Pure, whole numbers and SHA-256 only: docs/draws.md says each step in words, so that anybody can make a draw again with
standard tools. A *candidate* is what may be drawn, with the town, category and last result that stratify it; a
stratum's *chance* is quota / size. What the re-checks then show is told by `failure_rates`, with intervals.
"""

import hashlib
import math
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from villagemap.chain import body_text
from villagemap.errors import BadInputError

VERSION = 1
"""Of the algorithm: stands in every result."""
MOST_DIGITS = 40
Z = 1.959963984540054
"""The normal quantile of 0.975: intervals hold in 95 of 100 draws."""
NOWHERE = "-"
"""The town of what lies in none."""

Key = tuple[str, ...]
"""A stratum by the values of its fields, in their order."""


class Kind(StrEnum):
    """What is drawn."""

    CASES = "cases"
    VILLAGES = "villages"


class Last(StrEnum):
    """The last result: of a case its re-checks, of a village its visits."""

    NEVER = "never"
    PASSED = "passed"
    FAILED = "failed"
    CLEAN = "clean"
    WITH_ISSUES = "with_issues"
    UNREACHABLE = "unreachable"


FIELDS = {Kind.CASES: ("town", "category", "last"), Kind.VILLAGES: ("town", "last")}
"""By what candidates are stratified."""
LEVELS: dict[Kind, tuple[tuple[str, ...], ...]] = {
    Kind.CASES: (("town", "category", "last"), ("town", "last"), ("town",), ()),
    Kind.VILLAGES: (("town", "last"), ("town",), ()),
}
"""From fine to coarse: the first level that has no more strata than are to be drawn is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What may be drawn: ``values`` of `FIELDS`, in their order."""

    id: str
    values: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Candidates alike in the fields of the level: ``size`` of them, of whom ``quota`` are drawn."""

    key: Key
    size: int
    quota: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A drawn candidate, with the stratum it was drawn from."""

    id: str
    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What was drawn: the level's fields, all strata in order, the picks by stratum in the order in which they came."""

    level: tuple[str, ...]
    strata: tuple[Stratum, ...]
    picks: tuple[Pick, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspector:
    """Somebody who may be sent; ``units`` are all that they belong to."""

    id: str
    units: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Whose a drawn thing is: the units ``charged`` with it, and the ids and units of who did some of the fixing."""

    charged: frozenset[str] = frozenset()
    fixers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Who goes to a drawn thing, and who couldn't: inspector to codes of ``draws.conflicts``."""

    id: str
    inspectors: tuple[str, ...]
    excluded: Mapping[str, tuple[str, ...]]


# What is drawn from, and by what seed


def spoken_number(said: str) -> str:
    """The number that was spoken, as it enters the seed: decimal digits without leading zeros.

    Raises
    ------
    BadInputError
        ``draw_number`` unless it is 1 to `MOST_DIGITS` digits.
    """
    plain = "".join(unicodedata.normalize("NFKC", said).split())
    if not (plain.isascii() and plain.isdigit() and len(plain) <= MOST_DIGITS):
        raise BadInputError("draw_number", said=said[:60], most=MOST_DIGITS)
    return str(int(plain))


def list_text(candidates: Iterable[Candidate]) -> str:
    """The candidates as lines of their values and id with tabs between them, sorted by their bytes."""
    return "".join(f"{line}\n" for line in sorted(map(_line, candidates)))


def _line(candidate: Candidate) -> str:
    return "\t".join((*candidate.values, candidate.id))


def read_list(text: str) -> list[Candidate]:
    """The candidates of a `list_text`, in its order."""
    rows = [line.split("\t") for line in text.splitlines()]
    return [Candidate(id=row[-1], values=tuple(row[:-1])) for row in rows]


def sha256(text: str) -> str:
    """Hex SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def register_hash(head: str, listed: str) -> str:
    """The hash of the register: of the chain's last hash and of the list's digest, each with a line's end."""
    return sha256(f"{head}\n{listed}\n")


def seed_of(register: str, number: str) -> str:
    """The seed: of the register's hash and of the spoken number, each with a line's end."""
    return sha256(f"{register}\n{number}\n")


class Stream:
    """Whole numbers from SHA-256 in counter mode: block i is SHA-256 of the seed, the label and i, a line each."""

    def __init__(self, seed: str, label: str) -> None:
        self._start = f"{seed}\n{label}\n"
        self._block = 0

    def below(self, n: int) -> int:
        """The next number from 0 to n - 1, equally likely: a block past the last whole multiple of n is left out."""
        bound = (1 << 256) - (1 << 256) % n
        while True:
            block = hashlib.sha256(f"{self._start}{self._block}\n".encode()).digest()
            self._block += 1
            number = int.from_bytes(block, "big")
            if number < bound:
                return number % n


# How many of each stratum


def quotas(sizes: Sequence[int], wanted: int) -> list[int]:
    """How many to draw of each stratum, ``wanted`` in all, at least one of each.

    In proportion to size by largest remainder (Hamilton); a stratum whose share is under one gets one first, and the
    others share the rest. Of equal remainders the larger stratum is served first, then the earlier.

    Parameters
    ----------
    sizes
        Of each stratum, at least 1.
    wanted
        At least the number of strata, at most the sum of sizes. No quota is then larger than its stratum.
    """
    one: set[int] = set()
    while True:
        rest = [h for h in range(len(sizes)) if h not in one]
        seats, whole = wanted - len(one), sum(sizes[h] for h in rest)
        small = {h for h in rest if seats * sizes[h] < whole}
        if not small:
            break
        one |= small
    given = [1 if h in one else seats * sizes[h] // whole for h in range(len(sizes))]
    order = sorted(rest, key=lambda h: (-(seats * sizes[h] % whole), -sizes[h], h))
    for h in order[: wanted - sum(given)]:
        given[h] += 1
    return given


def draw(kind: Kind, candidates: Sequence[Candidate], wanted: int, seed: str) -> Lot:
    """Draw by lot; all of them where more are wanted than there are.

    Within each stratum, in the order of the list, the first ``quota`` steps of a Fisher-Yates shuffle: step k swaps k
    with k + below(size - k) of the stream that is labelled with the stratum.
    """
    wanted = min(wanted, len(candidates))
    level, groups = _stratified(kind, sorted(candidates, key=_line), wanted)
    keys = sorted(groups)
    given = quotas([len(groups[key]) for key in keys], wanted) if keys else []
    picks = [
        Pick(id=name, key=key)
        for key, quota in zip(keys, given, strict=True)
        for name in _first(groups[key], quota, Stream(seed, "\t".join(("draw", *key))))
    ]
    strata = [Stratum(key=key, size=len(groups[key]), quota=q) for key, q in zip(keys, given, strict=True)]
    return Lot(level=level, strata=tuple(strata), picks=tuple(picks))


def _stratified(
    kind: Kind, candidates: Sequence[Candidate], wanted: int
) -> tuple[tuple[str, ...], dict[Key, list[str]]]:
    """The finest level whose strata can all be drawn from, and each stratum's candidates."""
    for level in LEVELS[kind]:
        places = [FIELDS[kind].index(name) for name in level]
        groups: dict[Key, list[str]] = defaultdict(list)
        for candidate in candidates:
            groups[tuple(candidate.values[place] for place in places)].append(candidate.id)
        if len(groups) <= wanted:
            break
    return level, groups


def _first(names: Sequence[str], quota: int, stream: Stream) -> list[str]:
    order = list(names)
    for k in range(quota):
        other = k + stream.below(len(order) - k)
        order[k], order[other] = order[other], order[k]
    return order[:quota]


# Who goes there


def conflicts(inspector: Inspector, duty: Duty) -> tuple[str, ...]:
    """Why an inspector may not be sent, as codes of ``draws.conflicts``; empty when they may."""
    found = {
        "charged": inspector.units & duty.charged,
        "fixed": {inspector.id} & duty.fixers,
        "unit_fixed": inspector.units & duty.fixers,
    }
    return tuple(code for code, why in found.items() if why)


def assign(
    picks: Sequence[Pick], inspectors: Sequence[Inspector], duties: Mapping[str, Duty], each: int, seed: str
) -> tuple[Sent, ...]:
    """Send ``each`` inspectors to each pick, in balance; never one with a conflict, so it may be fewer, or none.

    Those for whom fewest are free are served first, else in the order of the picks. Each gets one after another of the
    free inspectors with the fewest errands; among equals, by id, the one that the pick's own stream tells.
    """
    errands = {inspector.id: 0 for inspector in inspectors}
    why = {
        pick.id: {i.id: found for i in inspectors if (found := conflicts(i, duties.get(pick.id, Duty())))}
        for pick in picks
    }
    sent: dict[str, tuple[str, ...]] = {}
    for pick in sorted(picks, key=lambda pick: len(inspectors) - len(why[pick.id])):
        stream = Stream(seed, f"assign\t{pick.id}")
        chosen: list[str] = []
        for _ in range(each):
            free = sorted(errands.keys() - why[pick.id].keys() - set(chosen))
            if not free:
                break
            least = min(errands[name] for name in free)
            equals = [name for name in free if errands[name] == least]
            chosen.append(equals[stream.below(len(equals))])
            errands[chosen[-1]] += 1
        sent[pick.id] = tuple(chosen)
    return tuple(Sent(id=pick.id, inspectors=sent[pick.id], excluded=why[pick.id]) for pick in picks)


def result_text(kind: Kind, lot: Lot, sent: Sequence[Sent]) -> str:
    """The draw as its canonical text: sorted-key JSON without spaces, the thing that must come out byte for byte."""
    strata = [{"stratum": list(s.key), "size": s.size, "quota": s.quota} for s in lot.strata]
    drawn = [
        {
            "id": pick.id,
            "stratum": list(pick.key),
            "inspectors": list(one.inspectors),
            "excluded": {name: list(why) for name, why in one.excluded.items()},
        }
        for pick, one in zip(lot.picks, sent, strict=True)
    ]
    return body_text({"v": VERSION, "kind": kind.value, "level": list(lot.level), "strata": strata, "drawn": drawn})


# What the re-checks show


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share that failed, with its 95 % interval; ``of`` is the number that it speaks for, ``checked`` those seen."""

    of: int
    checked: int
    failed: int
    share: float
    low: float
    high: float


def failure_rates(strata: Mapping[Key, tuple[int, int, int]]) -> tuple[dict[Key, Rate], Rate | None]:
    """Each stratum's failure rate, and that of all candidates of strata where anything was checked (None: nothing).

    Intervals of a stratum are Wilson's (Wilson 1927, JASA 22:209-212), with the number checked n of N taken as
    n (N - 1) / (N - n), which is the finite population correction: where all were checked it is a point. Those of all
    are the stratified Wilson interval (Yan and Su 2010, Stat. Biopharm. Res. 2:329-335) with each stratum's weight
    W = N / sum of N: the share is the sum of W p, the limits are the sums of W times the limits of the strata at the
    quantile z sqrt(sum of W² V) / sum of W sqrt(V). V is q (1 - q) / (n + z²) with q = (f + z²/2) / (n + z²), so that
    a stratum without failures isn't taken as certain.

    Parameters
    ----------
    strata
        For each stratum its size N, how many were checked, how many of these failed.
    """
    rates = {key: _rate(*figures, Z) for key, figures in strata.items() if figures[1]}
    whole = sum(rate.of for rate in rates.values())
    if not rates:
        return rates, None
    weights = {key: rate.of / whole for key, rate in rates.items()}
    spreads = {key: math.sqrt(_variance(*strata[key])) for key in rates}
    total = sum(weights[key] * spreads[key] for key in rates)
    narrowed = Z * math.sqrt(sum((weights[key] * spreads[key]) ** 2 for key in rates)) / total if total else 0.0
    parts = [(weights[key], _rate(*strata[key], narrowed)) for key in rates]
    overall = Rate(
        of=whole,
        checked=sum(rate.checked for rate in rates.values()),
        failed=sum(rate.failed for rate in rates.values()),
        share=sum(weight * part.share for weight, part in parts),
        low=sum(weight * part.low for weight, part in parts),
        high=sum(weight * part.high for weight, part in parts),
    )
    return rates, overall


def _effective(size: int, checked: int) -> float:
    return checked * (size - 1) / (size - checked) if checked < size else math.inf


def _rate(size: int, checked: int, failed: int, z: float) -> Rate:
    share, n = failed / checked, _effective(size, checked)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Rate(of=size, checked=checked, failed=failed, share=share, low=min(low, share), high=max(high, share))


def _variance(size: int, checked: int, failed: int) -> float:
    n = _effective(size, checked)
    if math.isinf(n):
        return 0.0
    middle = (failed / checked * n + Z * Z / 2) / (n + Z * Z)
    return middle * (1 - middle) / (n + Z * Z)
