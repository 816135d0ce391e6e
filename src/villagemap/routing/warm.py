"""VROOM's plan of the same nodes, where pyvroom is installed, as routes to begin with."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import orjson

from villagemap.routing.model import FORBIDDEN_S, legs_between
from villagemap.routing.nodes import Node
from villagemap.routing.terms import Terms, lunch_s

MOST_NODES = 150
"""VROOM can't be stopped early; so many it solves in about half a second."""
WAIT_S = 5.0
"""How long it is waited for; it needs about a second, the start of its process included."""


def first_routes(terms: Terms, nodes: Sequence[Node]) -> dict[int, list[str]]:
    """Stops in order by shift; empty where VROOM isn't installed, has too many nodes to be quick, or doesn't end."""
    whole: dict[int, Node] = {}
    for node in nodes:
        whole[node.family] = max(node, whole.get(node.family, node), key=lambda one: len(one.stops))
    places = list(whole.values())
    shifts = [n for n in range(len(terms.shifts)) if any(n in node.open_to for node in places)]
    if find_spec("vroom") is None or not shifts or len(places) > MOST_NODES:
        return {}
    rules = {rule: number for number, rule in enumerate(dict.fromkeys(node.open_to for node in places))}
    able = {shift: frozenset(number for rule, number in rules.items() if shift in rule) for shift in shifts}
    sites = sorted({site for n in shifts for site in (terms.shifts[n][0].start, terms.shifts[n][0].end)})
    asked = {
        "legs": legs_between(terms, places, sites, FORBIDDEN_S).tolist(),
        "jobs": [job | {"rule": rules[node.open_to]} for job, node in zip(_jobs(terms, places), places, strict=True)],
        "vehicles": {
            str(shift): _vehicle(terms, shift, len(places), sites) | {"rules": sorted(able[shift])} for shift in shifts
        },
    }
    found = _run(asked)
    return _in_order(terms, {int(n): [s for job in jobs for s in places[job].stops] for n, jobs in found.items()}, able)


def _run(asked: dict[str, Any]) -> dict[str, list[int]]:
    """What VROOM makes of it in a process of its own; nothing where it fails or takes too long."""
    words = [sys.executable, "-m", "villagemap.routing.vroom_child"]
    try:
        done = subprocess.run(words, input=orjson.dumps(asked), capture_output=True, timeout=WAIT_S, check=True)  # noqa: S603 - our own
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError, OSError):
        return {}
    found: dict[str, list[int]] = orjson.loads(done.stdout)
    return found


def _jobs(terms: Terms, places: Sequence[Node]) -> Iterator[dict[str, Any]]:
    """What VROOM is told of each node; its priorities go to 100, which musts have."""
    prizes = [sum(terms.prize(terms.stop[stop]) for stop in node.stops) for node in places]
    for node, prize in zip(places, prizes, strict=True):
        urgent = any(terms.stop[stop].must or stop in terms.kept for stop in node.stops)
        yield {
            "work_s": node.work_s,
            "load": len(node.stops),
            "priority": 100 if urgent else round(90 * prize / max(prizes)),
            "windows": [(window.start_s, window.end_s) for window in node.windows],
        }


def _vehicle(terms: Terms, shift: int, places: int, sites: Sequence[str]) -> dict[str, Any]:
    """What VROOM is told of a shift: depots, hours, the bound on stops, and lunch where it may be due."""
    team, _ = terms.shifts[shift]
    lunch = team.lunch if lunch_s(team) else None
    return {
        "start": places + sites.index(team.start),
        "end": places + sites.index(team.end),
        "hours": (team.day_start_s, team.day_end_s),
        "room": team.most_stops if team.most_stops is not None else len(terms.stop),
        "lunch": (lunch.earliest_s, lunch.latest_s, lunch.duration_s) if lunch else None,
    }


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
