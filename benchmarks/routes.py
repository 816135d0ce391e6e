"""How near to the best known plans the search comes, and how soon the first plan is there; peers in the same run.

By itself: ``python routes.py``, or ``python routes.py --seeds 1 --peers 0 R101 p4.2.h`` for some instances.
Two instances run at a time, one core each; every figure is checked against the instance before it counts.
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from route_cases import DATA, LARGE, TOP, VRPTW, case
from route_peers import PEERS, solved
from table import Row

from villagemap.plans import Matrix, MatrixKind, Problem, Site, Stop, Team
from villagemap.routing.engine import Search
from villagemap.routing.explaining import explain
from villagemap.routing.happened import Situation
from villagemap.routing.replanning import replan
from villagemap.routing.solving import Budget, solve

SHORT_S, LONG_S = 10, 30
SEEDS = 3
NOON_S = 13 * 3600
SMALL = [name for name in VRPTW if "_4_" not in name]
LARGER = [name for name in VRPTW if "_4_" in name]


@dataclass(frozen=True, slots=True)
class Job:
    """One run: whose, of what, how long."""

    name: str
    seconds: int
    who: str = ""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of it: percent behind the best known (nan where it fails), iterations, seconds to a feasible plan."""

    job: Job
    gap: float
    iterations: int = 0
    first_s: float = math.nan


def ran(job: Job) -> Ran:
    """Our search on the instance's data, as `solve` uses it, or a peer."""
    asked = case(job.name)
    if job.who:
        try:
            return Ran(job, asked.gap(solved(job.who, asked, job.seconds)))
        except ValueError:
            return Ran(job, math.nan)
    began = time.perf_counter()
    search = Search(asked.data(), job.seed)
    first_s = time.perf_counter() - began if search.best.is_feasible() else math.nan
    while time.perf_counter() - began < job.seconds:
        search.run(10)
        if math.isnan(first_s) and search.best.is_feasible():
            first_s = time.perf_counter() - began
    routes = [[step.idx + 1 for step in route if step.is_client()] for route in search.best.routes()]
    return Ran(job, asked.gap(routes), search.iterations, first_s)


def rows(seeds: int = SEEDS, peers: Sequence[str] = PEERS, only: Sequence[str] = ()) -> list[Row]:
    """The rows; a blank one where the instances are absent."""
    if not DATA.exists():
        return [Row(work="routes", figure=math.nan, unit="%", notes="no instances here")]
    names = [name for name in (*VRPTW, *TOP, LARGE) if not only or name in only]
    jobs = [Job(name, SHORT_S, seed=seed + 1) for name in names for seed in range(seeds)]
    jobs += [Job(name, LONG_S, seed=seed + 1) for name in names if name in SMALL for seed in range(seeds)]
    jobs += [Job(name, SHORT_S, who) for name in names for who in peers]
    with ProcessPoolExecutor(2) as two:
        found = list(two.map(ran, jobs))
    table = [
        behind("VRPTW, 100 and 200 stops, 10 s: behind best known", found, SMALL, SHORT_S, 1.0),
        behind("VRPTW, 100 and 200 stops, 30 s: behind best known", found, SMALL, LONG_S, 0.5),
        behind("VRPTW, 400 stops, 10 s: behind best known", found, LARGER, SHORT_S, 3.0),
        behind("team orienteering, 100 stops, 10 s: prizes missing, mean", found, TOP, SHORT_S, 0.7),
        behind("team orienteering, 100 stops, 10 s: prizes missing, worst", found, TOP, SHORT_S, 1.6, worst=True),
        behind("1,000 prize stops, 10 s: behind best known", found, [LARGE], SHORT_S, 6.0),
    ]
    return [row for row in table if row] + ([] if only else [first_plan(), new_plan()])


def behind(
    work: str, found: Sequence[Ran], names: Sequence[str], seconds: int, most: float, *, worst: bool = False
) -> Row | None:
    """Mean (or worst) over instances of the median gap over seeds, with every instance in the notes."""
    ours, notes = [], []
    for name in names:
        runs = [run for run in found if run.job.name == name and run.job.seconds == seconds and not run.job.who]
        if runs:
            ours.append(statistics.median(run.gap for run in runs))
            notes.append(f"{name} {ours[-1]:.2f} ({statistics.median(run.iterations for run in runs):,.0f} it.)")
    if not ours:
        return None
    theirs = {}
    for who in dict.fromkeys(run.job.who for run in found if run.job.who):
        gaps = [run.gap for run in found if run.job.who == who and run.job.name in names and seconds == SHORT_S]
        theirs |= {who: max(gaps) if worst else statistics.fmean(gaps)} if gaps else {}
    first = next(iter(theirs), "")
    notes += [f"{who} {gap:.2f} %" for who, gap in theirs.items() if who != first]
    figure = max(ours) if worst else statistics.fmean(ours)
    return Row(
        work=work,
        figure=figure,
        unit="%",
        most=most,
        peer=first,
        peer_figure=theirs.get(first, math.nan),
        notes=", ".join(notes),
    )


def county(villages: int, days: int) -> tuple[Problem, Matrix]:
    """So many villages on a square of 40 km for 3 teams, straight lines."""
    dice = np.random.default_rng(1)
    spots = np.vstack([[20_000, 20_000], dice.uniform(0, 40_000, (villages, 2))])
    metres = (1.3 * np.hypot(*(spots[:, None] - spots).transpose(2, 0, 1))).astype(np.int64)
    ids = ("office", *(f"v{n}" for n in range(villages)))
    matrix = Matrix(ids=ids, duration_s=metres * 36 // 380, distance_m=metres, kind=MatrixKind.LINE)
    stops = tuple(Stop(id=name, name=name, village=name) for name in ids[1:])
    hours = {"day_start_s": 30_600, "day_end_s": 63_000}
    teams = tuple(Team(id=f"t{n}", name="", start="office", end="office", **hours) for n in range(3))
    dates = tuple((np.datetime64("2026-03-02") + np.arange(days)).tolist())
    site = Site(id="office", name="")
    return Problem(name="", days=dates, teams=teams, stops=stops, sites=(site,)), matrix


def first_plan() -> Row:
    """400 villages for 3 teams on 5 days, by our own `solve`."""
    problem, matrix = county(400, 5)
    plan = solve(problem, matrix, Budget(iterations=0))
    called = f"{plan.figures.stops} of 400 called at, {plan.figures.travel_s // 60:,} min driven"
    return Row(work="first feasible plan, 400 stops", figure=plan.first_s or math.nan, unit="s", most=2, notes=called)


def new_plan() -> Row:
    """A day of 3 teams planned anew at 13:00: one is late, one car has broken down, something new came in."""
    problem, matrix = county(60, 1)
    planned = replace(problem, stops=problem.stops[:59])
    plan = explain(planned, matrix, solve(planned, matrix, Budget(iterations=2000)))
    done = tuple(call.stop for route in plan.routes for call in route.calls if call.leave_s < NOON_S)
    late = Situation(
        day=1, now_s=NOON_S, done=done, late_s={"t0": 1800}, broken=frozenset({"t1"}), new_stops=problem.stops[59:]
    )
    began = time.perf_counter()
    new = replan(planned, matrix, plan, late)
    return Row(
        work="replan of a day with 3 teams",
        figure=time.perf_counter() - began,
        unit="s",
        most=3,
        notes=f"{len(new.changes)} changes, stability {new.stability:.2f}",
    )


if __name__ == "__main__":
    from table import machine, markdown

    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("names", nargs="*", help="instances; default: all")
    words.add_argument("--seeds", type=int, default=SEEDS)
    words.add_argument("--peers", type=int, default=1, help="0: none")
    said = words.parse_args(sys.argv[1:])
    print(machine(), markdown(rows(said.seeds, PEERS if said.peers else (), said.names)), sep="\n\n")
