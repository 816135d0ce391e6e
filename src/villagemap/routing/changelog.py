"""What a new plan changed of what was still to come, and how much of it stayed."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from villagemap.routing.standing import Shift

Orders = Mapping[Shift, Sequence[str]]
"""By shift the stops still to come, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one stop: ``moved``, ``dropped``, ``came_in``, or ``refused`` (new, and no room for it).

    ``was`` and ``now`` are (team, day, which of the calls to come, from 1), None where it is in no route.
    """

    stop: str
    kind: str
    was: tuple[str, int, int] | None = None
    now: tuple[str, int, int] | None = None


def changes_of(was: Orders, now: Orders, new: Iterable[str]) -> tuple[Change, ...]:
    """Every stop that isn't where it was, in the order of the plan before; then what came in, and what couldn't.

    A stop that keeps its shift has moved only if its turn among those that kept it has: the fewest are named.
    """
    before, after = _where(was), _where(now)
    stayed = {stop for shift, order in was.items() for stop in _in_turn(order, now.get(shift, ()))}
    found = []
    for stop, place in before.items():
        if stop not in after:
            found.append(Change(stop=stop, kind="dropped", was=place))
        elif stop not in stayed:
            found.append(Change(stop=stop, kind="moved", was=place, now=after[stop]))
    found += [Change(stop=stop, kind="came_in", now=place) for stop, place in after.items() if stop not in before]
    found += [Change(stop=stop, kind="refused") for stop in new if stop not in after]
    return tuple(found)


def stability_of(was: Orders, now: Orders) -> float:
    """How much of what was still to come has stayed, 0 to 1.

    The mean of two shares: of the stops that were to come, those that keep team and day; and of the pairs that were to
    follow each other directly, those that still do. 1 where nothing was to come; the first share where there's no pair.
    """
    home = {stop: shift for shift, order in was.items() for stop in order}
    away = {stop: shift for shift, order in now.items() for stop in order}
    if not home:
        return 1.0
    kept = sum(away.get(stop) == shift for stop, shift in home.items()) / len(home)
    pairs = [pair for order in was.values() for pair in pairwise(order)]
    still = {pair for order in now.values() for pair in pairwise(order)}
    if not pairs:
        return kept
    return (kept + sum(pair in still for pair in pairs) / len(pairs)) / 2


def _where(orders: Orders) -> dict[str, tuple[str, int, int]]:
    return {stop: (*shift, at) for shift, order in orders.items() for at, stop in enumerate(order, 1)}


def _in_turn(was: Sequence[str], now: Sequence[str]) -> list[str]:
    """The longest run of stops that both have in the same order (patience sorting)."""
    place = {stop: at for at, stop in enumerate(now)}
    common = [stop for stop in was if stop in place]
    tails, ends, before = list[int](), list[str](), dict[str, str | None]()
    for stop in common:
        at = bisect_left(tails, place[stop])
        tails[at : at + 1] = [place[stop]]
        ends[at : at + 1] = [stop]
        before[stop] = ends[at - 1] if at else None
    run, stop_ = list[str](), ends[-1] if ends else None
    while stop_ is not None:
        run.append(stop_)
        stop_ = before[stop_]
    return run[::-1]
