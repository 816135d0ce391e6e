"""Working time spread evenly over the teams, for as little more driving as can be.

Days are exchanged between teams first, which costs nothing where they start at one place; then villages (all stops of
one on a route) go from the team that works longest to others, each time the one that evens out most for its driving.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from villagemap.routing.drafts import Draft

ROUNDS = 100
TRIES = 30
PLACES = 4


def balanced(draft: Draft) -> Draft:
    """A draft with the same stops whose spread is at most what the problem asks for, or as small as was found."""
    best = draft.copy()
    for _ in range(ROUNDS):
        if spread(best) <= best.terms.problem.spread_percent:
            break
        found = _best(best, _worked(best))
        if found is None:
            break
        best = found
    return best


def _worked(draft: Draft) -> dict[str, int]:
    """Working seconds of each team over all days."""
    worked = {team.id: 0 for team, _ in draft.terms.shifts}
    for shift, stops in enumerate(draft.routes):
        if stops:
            worked[draft.terms.shifts[shift][0].id] += draft.time(shift).route.working_s
    return worked


def spread(draft: Draft) -> float:
    """(longest - shortest) / longest working time of the teams, percent."""
    worked = _worked(draft).values()
    longest = max(worked, default=0)
    return 100 * (longest - min(worked)) / longest if longest else 0.0


def _uneven(worked: dict[str, int]) -> int:
    """How far the teams are from each other: sum of squares from their mean, times the number of teams squared."""
    mean = sum(worked.values())
    return sum((len(worked) * each - mean) ** 2 for each in worked.values())


@dataclass(frozen=True, slots=True)
class _Change:
    """What is to become of two shifts' routes, and how much more even that should be for its driving."""

    merit: float
    routes: tuple[tuple[int, tuple[str, ...]], ...]


def _best(draft: Draft, before: dict[str, int]) -> Draft | None:
    """The change that seems to even out most for what it costs in driving, of those that really do."""
    uneven = _uneven(before)
    longest = max(before, key=lambda team: before[team])
    changes = [*_exchanges(draft, before, longest), *_moves(draft, before, longest)]
    changes.sort(key=lambda change: -change.merit)
    for change in changes[:TRIES]:
        other = draft.copy()
        for shift, _ in change.routes:
            other.set(shift, [])
        if all(other.takes(shift, stops) for shift, stops in change.routes) and _uneven(_worked(other)) < uneven:
            return other
    return None


def _merit(before: dict[str, int], change: dict[str, int], driving_s: int) -> float:
    """How much more even the teams are after their work has changed so, for each second of driving."""
    after = {team: worked + change.get(team, 0) for team, worked in before.items()}
    return (_uneven(before) - _uneven(after)) / (60 + max(0, driving_s))


def _exchanges(draft: Draft, before: dict[str, int], longest: str) -> Iterator[_Change]:
    """A day's route of the team that works longest for another team's."""
    shifts = draft.terms.shifts
    worked = [draft.time(shift).route.working_s if draft.routes[shift] else 0 for shift in range(len(shifts))]
    for one, (team, _) in enumerate(shifts):
        if team.id != longest or not draft.routes[one]:
            continue
        for other, (theirs, _) in enumerate(shifts):
            mine, yours = draft.routes[one], draft.routes[other]
            less = worked[one] - worked[other]
            if theirs.id == longest or less <= 0:
                continue
            driving = draft.travel_s(other, mine) + draft.travel_s(one, yours)
            driving -= draft.travel_s(one, mine) + draft.travel_s(other, yours)
            merit = _merit(before, {longest: -less, theirs.id: less}, driving)
            if merit > 0:
                yield _Change(merit, ((one, tuple(yours)), (other, tuple(mine))))


def _moves(draft: Draft, before: dict[str, int], longest: str) -> Iterator[_Change]:
    """A village of the team that works longest for another team."""
    terms = draft.terms
    others = [shift for shift, (team, _) in enumerate(terms.shifts) if team.id != longest]
    for shift, (team, _) in enumerate(terms.shifts):
        if team.id != longest:
            continue
        for unit in draft.units(shift):
            rest = tuple(stop for stop in draft.routes[shift] if stop not in unit)
            saved = draft.travel_s(shift, draft.routes[shift]) - draft.travel_s(shift, rest)
            work = sum(terms.stop[stop].service_s + terms.problem.setup_s for stop in unit)
            without = draft.copy()
            without.set(shift, rest)
            for extra, to, at in without.places(unit[0], others)[:PLACES]:
                route = draft.routes[to]
                change = {longest: -saved - work, terms.shifts[to][0].id: extra + work}
                merit = _merit(before, change, extra - saved)
                if merit > 0:
                    yield _Change(merit, ((shift, rest), (to, (*route[:at], *unit, *route[at:]))))
