"""Sweeps (大排查): a frozen list of places, what became of each, who was missed, and what the list itself lacks.

Pure: values in, values out. What proves a visit is told in `reach`.
"""

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from villagemap.errors import ConflictError
from villagemap.reach import ListedPlace, Proof, proof_of_visit

NAMES_SHOWN = 20
"""How many missed places a refusal names in its sentence; its parameters hold all."""


class Outcome(StrEnum):
    """What became of a listed place."""

    VISITED_WITH_ISSUES = "visited_with_issues"
    VISITED_CLEAN = "visited_clean"
    UNREACHABLE = "unreachable"
    PENDING = "pending"
    """Not yet, while the sweep runs."""
    MISSED = "missed"


VISITED = frozenset({Outcome.VISITED_WITH_ISSUES, Outcome.VISITED_CLEAN})
BEST_FIRST = (Outcome.VISITED_WITH_ISSUES, Outcome.VISITED_CLEAN, Outcome.UNREACHABLE)
"""What can be recorded of a place; of several visits the best counts, whatever their order."""


class VisitFault(StrEnum):
    """Why a visit doesn't count."""

    NOT_LISTED = "not_listed"
    NO_PROOF = "no_proof"
    NO_REASON = "no_reason"
    NOT_AN_OUTCOME = "not_an_outcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit as recorded; ``reason`` says why a place was unreachable."""

    place_id: str
    outcome: Outcome
    on: date | None = None
    proofs: tuple[Proof, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many of a town's listed places were visited; ``unproven`` are open ones that have a visit without proof."""

    town_id: str
    town: str
    listed: int
    with_issues: int = 0
    clean: int = 0
    unreachable: int = 0
    missed: int = 0
    unproven: int = 0

    @property
    def visited(self) -> int:
        """Places visited with proof."""
        return self.with_issues + self.clean


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A place that an issue, ledger or track names; ``place_id`` where somebody matched it already.

    ``source`` is ``issue``, ``ledger`` or ``track``; ``reference`` its number, file or day.
    """

    name: str
    source: str
    reference: str = ""
    town: str = ""
    place_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """A name that was met and that the list lacks. ``elsewhere`` are listed places of that name in other towns."""

    name: str
    town: str
    sources: Mapping[str, int]
    references: tuple[str, ...]
    elsewhere: tuple[str, ...]


def list_digest(listed: Sequence[ListedPlace]) -> str:
    """SHA-256 of the list's ids and names, as hex: written into the sweep's first event, it shows a changed list."""
    lines = sorted(f"{place.place_id}\t{place.name}\t{place.town_id}" for place in listed)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def faults(visit: Visit, listed: Iterable[ListedPlace]) -> tuple[VisitFault, ...]:
    """Why a visit doesn't count; empty where it does."""
    stranger = visit.place_id not in {place.place_id for place in listed}
    return ((VisitFault.NOT_LISTED,) if stranger else ()) + _own_faults(visit)


def outcomes(listed: Sequence[ListedPlace], visits: Iterable[Visit], *, over: bool = False) -> dict[str, Outcome]:
    """What became of each listed place, by id in the list's order; what is open is missed once it is ``over``."""
    best = dict.fromkeys((place.place_id for place in listed), Outcome.MISSED if over else Outcome.PENDING)
    for visit in visits:
        if visit.place_id not in best or _own_faults(visit):
            continue
        known = best[visit.place_id]
        if known not in BEST_FIRST or BEST_FIRST.index(visit.outcome) < BEST_FIRST.index(known):
            best[visit.place_id] = visit.outcome
    return best


def coverage(listed: Sequence[ListedPlace], visits: Sequence[Visit]) -> tuple[Coverage, ...]:
    """Coverage of each town, in the order in which towns first stand in the list."""
    became = outcomes(listed, visits)
    claimed = {visit.place_id for visit in visits if visit.outcome in VISITED and _own_faults(visit)}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for place in listed:
        counts[place.town_id].update(["listed", became[place.place_id]])
        if became[place.place_id] is Outcome.PENDING and place.place_id in claimed:
            counts[place.town_id].update(["unproven"])
    names = {place.town_id: place.town for place in reversed(listed)}
    return tuple(
        Coverage(
            town_id=town_id,
            town=names[town_id],
            listed=count["listed"],
            with_issues=count[Outcome.VISITED_WITH_ISSUES],
            clean=count[Outcome.VISITED_CLEAN],
            unreachable=count[Outcome.UNREACHABLE],
            missed=count[Outcome.PENDING],
            unproven=count["unproven"],
        )
        for town_id, count in counts.items()
    )


def can_close(listed: Sequence[ListedPlace], visits: Iterable[Visit]) -> tuple[ListedPlace, ...]:
    """The places that stand in the way of closing, in the list's order: a sweep is done when there are none."""
    became = outcomes(listed, visits)
    return tuple(place for place in listed if became[place.place_id] not in BEST_FIRST)


def check_close(listed: Sequence[ListedPlace], visits: Iterable[Visit]) -> None:
    """Refuse to close while a place is missed.

    Raises
    ------
    ConflictError
        With the missed places' names, each with its town, because village names repeat.
    """
    if missed := can_close(listed, visits):
        names = [f"{place.town} {place.name}" for place in missed]
        shown = ", ".join(names[:NAMES_SHOWN]) + (" …" if len(names) > NAMES_SHOWN else "")
        raise ConflictError("sweep_missed", count=len(missed), listed=len(listed), names=shown, missed=names)


def audit_list(
    listed: Sequence[ListedPlace], met: Iterable[Met], suffixes: Mapping[str, Sequence[str]]
) -> tuple[Lacking, ...]:
    """Names that were met and that the list lacks, those met most often first.

    A name given with its town must be listed in that town; a bare name anywhere. What was matched already is looked up
    by its id alone. ``suffixes`` (of the vocabulary, by level) are what short names leave out.
    """
    places = [*suffixes.get("village", ()), *suffixes.get("hamlet", ())]
    ids = {place.place_id for place in listed}
    towns_of: dict[str, dict[str, str]] = defaultdict(dict)
    for place in listed:
        for name in (place.name, *place.other_names):
            town = _bare_town(place.town, suffixes)
            towns_of[_bare(name, places)].setdefault(town, f"{place.town} {place.name}")
    lacking: dict[tuple[str, str], list[Met]] = defaultdict(list)
    for one in met:
        name, town = _bare(one.name, places), _bare_town(one.town, suffixes)
        known = one.place_id in ids if one.place_id is not None else _is_listed(towns_of.get(name, {}), town)
        if not known and (name or one.place_id is not None):
            lacking[town, name].append(one)
    told = [_lacking(some, towns_of.get(name, {})) for (_, name), some in lacking.items()]
    return tuple(sorted(told, key=lambda one: (-sum(one.sources.values()), one.town, one.name)))


def _is_listed(towns: Mapping[str, str], town: str) -> bool:
    return town in towns if town else bool(towns)


def _lacking(some: Sequence[Met], elsewhere: Mapping[str, str]) -> Lacking:
    return Lacking(
        name=some[0].name.strip(),
        town=some[0].town.strip(),
        sources=Counter(one.source for one in some),
        references=tuple(dict.fromkeys(one.reference for one in some if one.reference)),
        elsewhere=tuple(elsewhere.values()),
    )


def _bare(name: str, suffixes: Sequence[str], least: int = 2) -> str:
    """A name without blanks, widths and endings, as long as at least so many characters are left."""
    plain = "".join(unicodedata.normalize("NFKC", name).split()).casefold()
    for ending in sorted(suffixes, key=len, reverse=True):
        if len(plain) >= len(ending) + least:
            plain = plain.removesuffix(ending)
    return plain


def _bare_town(name: str, suffixes: Mapping[str, Sequence[str]]) -> str:
    return _bare(name, suffixes.get("town", ()), least=1)


def _own_faults(visit: Visit) -> tuple[VisitFault, ...]:
    """Faults that don't depend on the list."""
    proof = proof_of_visit(visit.proofs)
    found = [
        (visit.outcome not in BEST_FIRST, VisitFault.NOT_AN_OUTCOME),
        (visit.outcome in VISITED and not (proof is not None and proof.holds), VisitFault.NO_PROOF),
        (visit.outcome is Outcome.UNREACHABLE and not visit.reason.strip(), VisitFault.NO_REASON),
    ]
    return tuple(fault for holds, fault in found if holds)
