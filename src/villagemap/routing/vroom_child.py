"""VROOM in a process of its own: a problem as JSON comes in, who drives what in which order goes out.

Its library can't be stopped, and once in some ten thousand problems its threads wait for each other for ever; a process
can be ended.
"""

import sys
from typing import Any

import numpy as np
import orjson
import vroom

LEVEL = 0
"""How far it explores, 0 to 5; our own search goes further."""


def solved(asked: dict[str, Any]) -> dict[str, list[int]]:
    """Numbers of jobs in order by vehicle.

    Parameters
    ----------
    asked
        ``legs``: seconds between jobs and, behind them, depots. ``jobs``: each with ``work_s``, ``load``, ``priority``,
        ``rule`` (the skill that it needs) and ``windows``. ``vehicles`` by name: ``start``, ``end`` (rows of legs),
        ``hours``, ``room``, ``rules`` and ``lunch`` (earliest, latest, duration) or None.
    """
    problem = vroom.Input()
    problem.set_durations_matrix("car", np.array(asked["legs"], np.uint32))
    for number, job in enumerate(asked["jobs"]):
        problem.add_job(
            vroom.Job(
                number,
                number,
                default_service=job["work_s"],
                delivery=[job["load"]],
                skills={job["rule"]},
                priority=job["priority"],
                time_windows=[vroom.TimeWindow(*window) for window in job["windows"]],
            )
        )
    for name, vehicle in asked["vehicles"].items():
        lunch = vehicle["lunch"]
        problem.add_vehicle(
            vroom.Vehicle(
                int(name),
                vehicle["start"],
                vehicle["end"],
                profile="car",
                capacity=[vehicle["room"]],
                skills=set(vehicle["rules"]),
                time_window=vroom.TimeWindow(*vehicle["hours"]),
                breaks=[vroom.Break(int(name), [vroom.TimeWindow(*lunch[:2])], lunch[2])] if lunch else [],
            )
        )
    routes: dict[str, list[int]] = {}
    steps = problem.solve(exploration_level=LEVEL, nb_threads=1).routes
    for kind, name, job in steps[["type", "vehicle_id", "id"]].itertuples(index=False) if len(steps) else ():
        if kind == "job":
            routes.setdefault(str(name), []).append(int(job))
    return routes


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(solved(orjson.loads(sys.stdin.buffer.read()))))
