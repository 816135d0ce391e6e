"""VROOM's plan of the same nodes, where pyvroom is installed, as routes to begin with."""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from villagemap.plans import NEVER
from villagemap.routing.nodes import Node
from villagemap.routing.terms import Terms

MOST_NODES = 150
"""VROOM can't be stopped early; so many it solves in a second or two."""
LEVEL = 0
"""How far it explores, 0 to 5."""
FAR_S = 10 * 86_400


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
    problem.set_durations_matrix("car", _legs(terms, places, sites))
    rules = {rule: number for number, rule in enumerate(dict.fromkeys(node.open_to for node in places))}
    top = max(sum(terms.prize(terms.stop[stop]) for stop in node.stops) for node in places)
    for number, node in enumerate(places):
        urgent = any(terms.stop[stop].must or stop in terms.kept for stop in node.stops)
        prize = sum(terms.prize(terms.stop[stop]) for stop in node.stops)
        problem.add_job(
            vroom.Job(
                number,
                number,
                default_service=node.work_s,
                delivery=[len(node.stops)],
                skills={rules[node.open_to]},
                priority=100 if urgent else round(90 * prize / top),
                time_windows=[vroom.TimeWindow(window.start_s, window.end_s) for window in node.windows],
            )
        )
    for shift in shifts:
        team, _ = terms.shifts[shift]
        lunch = team.lunch if team.lunch and team.day_start_s < team.lunch.latest_s < team.day_end_s else None
        window = [vroom.TimeWindow(lunch.earliest_s, lunch.latest_s)] if lunch else []
        problem.add_vehicle(
            vroom.Vehicle(
                shift,
                len(places) + sites.index(team.start),
                len(places) + sites.index(team.end),
                profile="car",
                capacity=[team.most_stops if team.most_stops is not None else len(terms.stop)],
                skills={number for rule, number in rules.items() if shift in rule},
                time_window=vroom.TimeWindow(team.day_start_s, team.day_end_s),
                breaks=[vroom.Break(shift, window, lunch.duration_s)] if lunch else [],
            )
        )
    steps = problem.solve(exploration_level=LEVEL, nb_threads=1).routes
    jobs = steps[steps["type"] == "job"] if len(steps) else steps
    routes: dict[int, list[str]] = {}
    for shift, job in zip(jobs["vehicle_id"], jobs["id"], strict=True):
        routes.setdefault(int(shift), []).extend(places[int(job)].stops)
    return routes


def _legs(terms: Terms, places: Sequence[Node], sites: Sequence[str]) -> np.typing.NDArray[np.uint32]:
    """Seconds from the last stop of each node to the first of each other; behind them the depots."""
    row = terms.matrix.index()
    out = np.array([row[node.stops[-1]] for node in places] + [row[site] for site in sites], np.intp)
    into = np.array([row[node.stops[0]] for node in places] + [row[site] for site in sites], np.intp)
    legs = terms.matrix.duration_s[np.ix_(out, into)]
    legs = np.where(legs >= NEVER, FAR_S, legs).astype(np.uint32)
    np.fill_diagonal(legs, 0)
    return legs
