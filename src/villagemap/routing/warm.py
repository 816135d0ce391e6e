"""VROOM's plan of the same nodes, where pyvroom is installed, as routes to begin with."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from villagemap.routing.model import FORBIDDEN_S, legs_between
from villagemap.routing.nodes import Node
from villagemap.routing.terms import Terms, lunch_s

MOST_NODES = 150
"""VROOM can't be stopped early; so many it solves in about half a second."""
LEVEL = 0
"""How far it explores, 0 to 5; the search goes further by itself."""


def first_routes(terms: Terms, nodes: Sequence[Node]) -> dict[int, list[str]]:
    """Stops in order by shift; empty where VROOM isn't installed or there are too many nodes for it to be quick."""
    whole: dict[int, Node] = {}
    for node in nodes:
        whole[node.family] = max(node, whole.get(node.family, node), key=lambda one: len(one.stops))
    places = list(whole.values())
    shifts = [n for n in range(len(terms.shifts)) if any(n in node.open_to for node in places)]
    if find_spec("vroom") is None or not shifts or len(places) > MOST_NODES:
        return {}
    import vroom  # noqa: PLC0415 - optional

    problem = vroom.Input()
    sites = sorted({site for n in shifts for site in (terms.shifts[n][0].start, terms.shifts[n][0].end)})
    legs = legs_between(terms, places, sites, FORBIDDEN_S).astype(np.uint32)
    problem.set_durations_matrix("car", legs)
    rules = {rule: number for number, rule in enumerate(dict.fromkeys(node.open_to for node in places))}
    for number, job in enumerate(_jobs(terms, places)):
        problem.add_job(vroom.Job(number, number, skills={rules[places[number].open_to]}, **job))
    for shift in shifts:
        team, _ = terms.shifts[shift]
        start, end = (len(places) + sites.index(site) for site in (team.start, team.end))
        skills = {number for rule, number in rules.items() if shift in rule}
        problem.add_vehicle(vroom.Vehicle(shift, start, end, profile="car", skills=skills, **_day(terms, shift)))
    steps = problem.solve(exploration_level=LEVEL, nb_threads=1).routes
    routes: dict[int, list[str]] = {}
    for kind, shift, job in steps[["type", "vehicle_id", "id"]].itertuples(index=False) if len(steps) else ():
        if kind == "job":
            routes.setdefault(int(shift), []).extend(places[int(job)].stops)
    return _in_order(
        terms, routes, {shift: frozenset(n for rule, n in rules.items() if shift in rule) for shift in shifts}
    )


def _in_order(terms: Terms, routes: dict[int, list[str]], skills: dict[int, frozenset[int]]) -> dict[int, list[str]]:
    """The routes with those of shifts that are alike in the order of their first stops.

    VROOM gives one plan again but for which of two like vehicles drives which route.
    """
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for shift, able in skills.items():
        team, _ = terms.shifts[shift]
        hours = (team.start, team.end, team.day_start_s, team.day_end_s, team.lunch, team.most_stops)
        alike[*hours, able].append(shift)
    found: dict[int, list[str]] = {}
    for shifts in alike.values():
        found |= dict(zip(shifts, sorted(routes[shift] for shift in shifts if shift in routes), strict=False))
    return found


def _jobs(terms: Terms, places: Sequence[Node]) -> Iterator[dict[str, Any]]:
    """What VROOM is told of each node; its priorities go to 100, which musts have."""
    import vroom  # noqa: PLC0415 - optional

    prizes = [sum(terms.prize(terms.stop[stop]) for stop in node.stops) for node in places]
    for node, prize in zip(places, prizes, strict=True):
        urgent = any(terms.stop[stop].must or stop in terms.kept for stop in node.stops)
        yield {
            "default_service": node.work_s,
            "delivery": [len(node.stops)],
            "priority": 100 if urgent else round(90 * prize / max(prizes)),
            "time_windows": [vroom.TimeWindow(window.start_s, window.end_s) for window in node.windows],
        }


def _day(terms: Terms, shift: int) -> dict[str, Any]:
    """What VROOM is told of a shift: its hours, the bound on stops, and lunch where it may be due."""
    import vroom  # noqa: PLC0415 - optional

    team, _ = terms.shifts[shift]
    lunch = team.lunch if lunch_s(team) else None
    window = [vroom.TimeWindow(lunch.earliest_s, lunch.latest_s)] if lunch else []
    return {
        "capacity": [team.most_stops if team.most_stops is not None else len(terms.stop)],
        "time_window": vroom.TimeWindow(team.day_start_s, team.day_end_s),
        "breaks": [vroom.Break(shift, window, lunch.duration_s)] if lunch else [],
    }
