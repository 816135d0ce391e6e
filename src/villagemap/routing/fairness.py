"""Working time spread evenly over the teams, for as little more driving as can be.

Days are exchanged between teams first, which costs nothing where they start at one place; then villages (all stops of
one on a route) go from the team that works longest to others, each time the one that evens out most for its driving.
"""

from collections.abc import Iterator

from villagemap.routing.drafts import Draft

ROUNDS = 80
PLACES = 3


def balanced(draft: Draft) -> Draft:
    """A draft with the same stops whose spread is at most what the problem asks for, or as small as was found."""
    best = draft.copy()
    for _ in range(ROUNDS):
        before = _worked(best)
        if len(before) < 2 or _spread(before) <= best.terms.problem.spread_percent:  # noqa: PLR2004 - two to compare
            break
        found = _best(best, before)
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


def _spread(worked: dict[str, int]) -> float:
    """(longest - shortest) / longest, percent."""
    longest = max(worked.values())
    return 100 * (longest - min(worked.values())) / longest if longest else 0.0


def _uneven(worked: dict[str, int]) -> int:
    """How far the teams are from each other: sum of squares from their mean, times the number of teams squared."""
    mean = sum(worked.values())
    return sum((len(worked) * each - mean) ** 2 for each in worked.values())


def _best(draft: Draft, before: dict[str, int]) -> Draft | None:
    """The change that evens out most for what it costs in driving."""
    driven, uneven = draft.driving_s(), _uneven(before)
    best, merit = None, 0.0
    for other in (*_exchanges(draft, before), *_moves(draft, before)):
        gain = uneven - _uneven(_worked(other))
        if gain > 0 and (price := gain / (60 + max(0, other.driving_s() - driven))) > merit:
            best, merit = other, price
    return best


def _exchanges(draft: Draft, worked: dict[str, int]) -> Iterator[Draft]:
    """Drafts in which the team that works longest has changed a day's route with another team's."""
    longest = max(worked, key=lambda team: worked[team])
    shifts = draft.terms.shifts
    for one, (team, _) in enumerate(shifts):
        if team.id != longest or not draft.routes[one]:
            continue
        for other, (theirs, _) in enumerate(shifts):
            if theirs.id == longest:
                continue
            changed = draft.copy()
            mine, yours = changed.routes[one], changed.routes[other]
            changed.set(one, [])
            changed.set(other, [])
            if changed.takes(other, mine) and changed.takes(one, yours):
                yield changed


def _moves(draft: Draft, worked: dict[str, int]) -> Iterator[Draft]:
    """Drafts in which a village of the team that works longest has gone to another team."""
    longest = max(worked, key=lambda team: worked[team])
    terms = draft.terms
    others = [shift for shift, (team, _) in enumerate(terms.shifts) if team.id != longest]
    for shift, (team, _) in enumerate(terms.shifts):
        if team.id != longest:
            continue
        for unit in _units(draft, shift):
            rest = [stop for stop in draft.routes[shift] if stop not in unit]
            without = draft.copy()
            without.set(shift, [])
            if not without.takes(shift, rest):
                continue
            tried = 0
            for _, to, at in without.places(unit[0], others):
                if tried == PLACES:
                    break
                route = without.routes[to]
                tried += 1
                changed = without.copy()
                changed.set(to, [])
                if changed.takes(to, [*route[:at], *unit, *route[at:]]):
                    yield changed


def _units(draft: Draft, shift: int) -> list[list[str]]:
    """Stops of a route that go together: those of one village, others alone."""
    units: dict[str, list[str]] = {}
    for stop in draft.routes[shift]:
        village = "" if draft.terms.problem.split_villages else draft.terms.stop[stop].village
        units.setdefault(village or f"\0{stop}", []).append(stop)
    return list(units.values())
