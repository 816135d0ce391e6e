"""Instances of the routing literature, read and checked: VRPTW, team orienteering (TOP), prizes with windows (PCVRPTW).

Figures are whole numbers as the best known values count them: VRPTW and PCVRPTW in tenths, truncated; TOP in
thousandths, rounded up, so that no route is a little too long.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from pyvrp import Client, Depot, Location, ProblemData, VehicleType

DATA = Path(__file__).parents[2] / "shared" / "data" / "routing"
VRPTW = ("C101", "R101", "R112", "RC101", "R1_2_1", "RC1_2_1", "R1_4_1", "RC1_4_1")
TOP = ("p4.2.h", "p4.2.n", "p4.3.f", "p4.3.g")
LARGE = "C1_10_1"
FINE = 1000
PRIZE_WEIGHT = 2
NO_END = 10**7


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Clients 1 to n - 2 between a start 0 and an end n - 1; arrays of n, ``legs`` of (n, n)."""

    name: str
    kind: str
    best: float
    legs: np.ndarray
    early: np.ndarray
    late: np.ndarray
    service: np.ndarray
    demand: np.ndarray
    prize: np.ndarray
    vehicles: int
    capacity: int
    longest: int = NO_END

    @property
    def stops(self) -> int:
        return len(self.legs) - 2

    def figure(self, routes: Sequence[Sequence[int]]) -> float:
        """What the best known value counts of a solution that holds; ValueError for one that doesn't."""
        called = [stop for route in routes for stop in route]
        missed = np.setdiff1d(np.arange(1, self.stops + 1), called)
        if len(set(called)) < len(called) or len(routes) > self.vehicles or (self.kind == "vrptw" and len(missed)):
            raise ValueError(self.name)
        for route in routes:
            self._hold(route)
        if self.kind == "top":
            return float(self.prize[called].sum() / FINE / PRIZE_WEIGHT)
        driven = sum(int(self.legs[leg]) for route in routes for leg in pairwise([0, *route, self.stops + 1]))
        return float(driven + self.prize[missed].sum())

    def _hold(self, route: Sequence[int]) -> None:
        at, driven = int(self.early[0]), 0
        for here, there in pairwise([0, *route, self.stops + 1]):
            driven += int(self.legs[here, there])
            at = max(at + int(self.service[here] + self.legs[here, there]), int(self.early[there]))
            if at > self.late[there]:
                raise ValueError(f"{self.name}: late at {there}")
        if driven > self.longest or self.demand[list(route)].sum() > self.capacity:
            raise ValueError(f"{self.name}: too long or too much")

    def gap(self, routes: Sequence[Sequence[int]]) -> float:
        """Percent behind the best known."""
        worse = 1 if self.kind != "top" else -1
        return 100 * worse * (self.figure(routes) / self.best - 1)

    def data(self) -> ProblemData:
        """It as PyVRP has it."""
        clients = [
            Client(
                n,
                delivery=[int(self.demand[n])],
                service_duration=int(self.service[n]),
                tw_early=int(self.early[n]),
                tw_late=int(self.late[n]),
                prize=int(self.prize[n]),
                required=not self.prize[n],
            )
            for n in range(1, self.stops + 1)
        ]
        vehicle = VehicleType(
            self.vehicles,
            [self.capacity],
            start_depot=0,
            end_depot=1,
            tw_early=int(self.early[0]),
            tw_late=int(self.late[0]),
            max_distance=self.longest,
        )
        places = [Location(0, 0)] * len(self.legs)
        return ProblemData(places, clients, [Depot(0), Depot(self.stops + 1)], [vehicle], [self.legs], [self.legs])


def case(name: str) -> Case:
    """An instance by its name."""
    return _top(name) if name in TOP else _prizes(name) if name == LARGE else _vrptw(name)


def _best(folder: str, name: str) -> float:
    with (DATA / folder / "best_known.csv").open(encoding="utf-8") as lines:
        return next(float(row[1]) for row in csv.reader(lines) if row[0] == name)


def _with_end(rows: np.ndarray) -> np.ndarray:
    """The depot a second time, as the end."""
    return np.vstack([rows, rows[:1]])


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.hypot(x[:, None] - x, y[:, None] - y)


def _vrptw(name: str) -> Case:
    lines = (DATA / "vrptw" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    rows = np.array([line.split() for line in lines[9:] if line.split()], float)
    vehicles, capacity = map(int, lines[4].split())
    _, x, y, demand, ready, due, service = _with_end(rows).T
    tenths = [(10 * column).astype(np.int64) for column in (ready, due, service)]
    legs = (10 * _distances(x, y)).astype(np.int64)
    none = np.zeros(len(x), np.int64)
    best = 10 * _best("vrptw", f"{name}.txt")
    return Case(name, "vrptw", best, legs, *tenths, demand.astype(np.int64), none, vehicles, capacity)


def _top(name: str) -> Case:
    lines = (DATA / "top" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    teams, longest = int(lines[1].split()[1]), float(lines[2].split()[1])
    x, y, prize = np.array([line.split() for line in lines[3:] if line.split()], float).T
    legs = np.ceil(FINE * _distances(x, y)).astype(np.int64)
    none = np.zeros(len(x), np.int64)
    prizes = (prize * FINE * PRIZE_WEIGHT).astype(np.int64)
    late = none + NO_END
    best = _best("top", name)
    return Case(name, "top", best, legs, none, late, none, none, prizes, teams, 1, int(longest * FINE))


def _prizes(name: str) -> Case:
    """Sections of a VRPLIB file: the depot is node 1."""
    words = (DATA / "pcvrptw" / f"{name}.vrp").read_text(encoding="utf-8").splitlines()
    head = dict(line.split(" : ") for line in words if " : " in line)
    sections: dict[str, list[list[int]]] = {}
    section = ""
    for line in words:
        if line.endswith("_SECTION"):
            section = line.removesuffix("_SECTION")
        elif section and line[:1].isdigit():
            sections.setdefault(section, []).append([int(float(word)) for word in line.split()])
    columns = ("NODE_COORD", "DEMAND", "TIME_WINDOW", "PRIZE")
    coordinates, demand, windows, prize = (_with_end(np.array(sections[column], np.int64)) for column in columns)
    legs = (10 * _distances(coordinates[:, 1], coordinates[:, 2])).astype(np.int64)
    service = np.full(len(legs), 10 * int(head["SERVICE_TIME"]))
    service[[0, -1]] = 0
    best = float((DATA / "pcvrptw" / f"{name}.sol").read_text(encoding="utf-8").split("Cost:")[1])
    early, late = 10 * windows[:, 1], 10 * windows[:, 2]
    vehicles, capacity = int(head["VEHICLES"]), int(head["CAPACITY"])
    # demand, like all values of the file, counts in tenths for PyVRP's reader; whole units mean the same
    return Case(name, "prizes", best, legs, early, late, service, demand[:, 1], 10 * prize[:, 1], vehicles, capacity)
