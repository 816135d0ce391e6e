"""Days to print: a small plan on bare points, and a team's day on the sample county's roads."""

import json
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from villagemap.plans import Call, Figures, LeftOut, Lunch, Plan, Problem, Route, Site, Stop, Team
from villagemap.sheets.view import Ground, Line, OpenIssue, PlanView, Shape, view_of

GEODATA = Path(__file__).parents[1] / "geodata"
FIRST = date(2026, 3, 21)
SITE = Site(id="office", name="县政府大院", lon=111.275213, lat=20.789547)
ROADS = {"国道": Ground.ROAD_MAJOR, "省道": Ground.ROAD_MAJOR, "县道": Ground.ROAD_MIDDLE}
CATEGORIES = (
    ("垃圾乱扔乱放", "村口桥头两侧约 20 米"),
    ("应拆未拆旱厕", "祠堂后一座，门已封"),
    ("家禽散养", "巷道有鸡鸭"),
)


def some_issues(n: int, count: int) -> tuple[OpenIssue, ...]:
    return tuple(
        OpenIssue(
            number=f"2026-{100 * n + k:05}",
            category=CATEGORIES[(n + k) % 3][0],
            what=CATEGORIES[(n + k) % 3][1],
            duty_unit="镇人民政府",
            due_on=FIRST + timedelta(days=k - 1),
            overdue=k == 0,
            path=f"/issues/{100 * n + k}",
        )
        for k in range(count)
    )


def day_of(stops: list[Stop], *, team: str = "a", day: int = 1, legs: list[tuple[int, int]] | None = None) -> Route:
    """A day from 08:30 that calls at all stops in order, an hour's lunch after the first call that ends past 11:30."""
    legs = legs or [(600 + 60 * n, 5000 + 400 * n) for n in range(len(stops) + 1)]
    now, calls, lunch = 30_600, [], None
    for stop, (leg_s, leg_m) in zip(stops, legs, strict=False):
        arrive = now + leg_s
        now = arrive + 300 + stop.service_s
        calls.append(
            Call(
                stop=stop.id, leg_s=leg_s, leg_m=leg_m, arrive_s=arrive, begin_s=arrive, leave_s=now, setup_s=300
            )
        )  # fmt: skip
        if lunch is None and now > 41_400:
            lunch = Lunch(begin_s=now, end_s=now + 3600, after=len(calls))
            now += 3600
    return Route(
        team=team, day=day, leave_s=30_600, calls=tuple(calls), back_leg_s=legs[-1][0], back_leg_m=legs[-1][1],
        back_s=now + legs[-1][0], lunch=lunch,
    )  # fmt: skip


def plan_of(routes: list[Route], left_out: list[LeftOut] | None = None, kind: str = "roads") -> Plan:
    figures = Figures(
        stops=sum(len(r.calls) for r in routes), left_out=len(left_out or []), villages=0, villages_in_all=0,
        priority=0, travel_s=0, distance_m=0, service_s=0, wait_s=0, working_s=0, spread_percent=0.0,
    )  # fmt: skip
    about = {"detour": 1.3, "speed_km_h": 38} if kind == "line" else {}
    return Plan(
        routes=tuple(routes), left_out=tuple(left_out or ()), figures=figures,
        matrix={"kind": kind, "estimated": kind == "line", "about": about},
        solver="pyvrp", seed=1, iterations=1, seconds=0.1,
    )  # fmt: skip


def small_stops(count: int, *, placed: bool = True) -> list[Stop]:
    side = int(count**0.5) + 1
    return [
        Stop(
            id=f"s{n}", name=f"第{n}自然村", village=f"v{n // 2}", village_name=f"第{n // 2}村委会", town_name="甲镇",
            lon=111.1 + 0.01 * (n % side) if placed else None, lat=20.6 + 0.01 * (n // side) if placed else None,
            service_s=600, must=n == 1,
        )
        for n in range(count)
    ]  # fmt: skip


def small_view(count: int = 3, *, lang: str = "zh", placed: bool = True, kind: str = "roads") -> PlanView:
    """One team, one day; two issues at each stop; one stop more that was left out."""
    stops = small_stops(count + 1, placed=placed)
    site = SITE if placed else Site(id="office", name=SITE.name)
    team = Team(id="a", name="督查一组", start="office", end="office", day_start_s=30_600, day_end_s=63_000)
    problem = Problem(name="三月大排查", days=(FIRST,), teams=(team,), stops=tuple(stops), sites=(site,))
    return view_of(
        problem,
        plan_of([day_of(stops[:count])], [LeftOut(stop=stops[-1].id, code="no_room")], kind),
        lang=lang,
        county_name="澜屿县",
        people={"a": ("甲某", "乙某")},
        issues={stop.id: some_issues(n, 2) for n, stop in enumerate(stops)},
        why={stops[-1].id: "排不下"},
        hints={stops[-1].id: ("收工推迟 25 分钟",)},
        paths={stop.id: f"/places/{stop.village}" for stop in stops},
    )


@cache
def features(name: str) -> list[dict]:
    return json.loads((GEODATA / f"{name}.geojson").read_text("utf-8"))["features"]


@cache
def county_ground() -> tuple[Shape, ...]:
    """Towns, villages, roads by class and water of the sample county."""

    def shapes(name: str, kind_of) -> list[Shape]:
        return [
            Shape(
                kind=kind_of(f["properties"]),
                wkb=shapely.to_wkb(shapely.geometry.shape(f["geometry"])),
                name=f["properties"].get("short_name", ""),
            )
            for f in features(name)
        ]

    water = shapes("water", lambda p: Ground.STREAM if p["class"] == "river_line" else Ground.WATER)
    roads = shapes("roads", lambda p: ROADS.get(p["class"], Ground.ROAD_MINOR))
    villages, towns = shapes("villages", lambda _: Ground.VILLAGE), shapes("towns", lambda _: Ground.TOWN)
    return (*water, *villages, *roads, *towns)


class _Roads:
    def __init__(self) -> None:
        lines = [np.array(f["geometry"]["coordinates"]) for f in features("roads")]
        speeds = {"国道": 70, "省道": 60, "县道": 50, "乡道": 35, "村道": 25}
        tails, heads, seconds = [], [], []
        for line, feature in zip(lines, features("roads"), strict=True):
            metres = np.hypot(*(np.diff(line, axis=0) * [104_000, 110_700]).T)
            tails.append(line[:-1])
            heads.append(line[1:])
            seconds.append(metres / (speeds[feature["properties"]["class"]] / 3.6))
        ends = np.vstack([*tails, *heads])
        self.nodes, index = np.unique(ends, axis=0, return_inverse=True)
        half, cost = len(index) // 2, np.concatenate(seconds)
        pairs = (np.concatenate([index[:half], index[half:]]), np.concatenate([index[half:], index[:half]]))
        self.graph = coo_array((np.concatenate([cost, cost]), pairs), shape=(len(self.nodes),) * 2).tocsr()

    def near(self, lon: float, lat: float) -> int:
        return int(np.argmin(np.hypot(*(self.nodes - [lon, lat]).T)))

    def leg(self, start: tuple[float, float], end: tuple[float, float]) -> tuple[int, int, Line]:
        first, last = self.near(*start), self.near(*end)
        seconds, before = dijkstra(self.graph, indices=first, return_predecessors=True)
        way = [last]
        while way[-1] != first:
            way.append(int(before[way[-1]]))
        line = self.nodes[way[::-1]]
        metres = float(np.hypot(*(np.diff(line, axis=0) * [104_000, 110_700]).T).sum()) if len(line) > 1 else 0.0
        return round(seconds[last]), round(metres), tuple((float(x), float(y)) for x, y in line)


def _tour(stops: list[Stop]) -> list[Stop]:
    """Nearest next, good enough to look at."""
    left, at, found = list(stops), (SITE.lon, SITE.lat), []
    while left:
        nearest = min(left, key=lambda s: (s.lon - at[0]) ** 2 + (s.lat - at[1]) ** 2)
        left.remove(nearest)
        found.append(nearest)
        at = nearest.lon, nearest.lat
    return found


def county_view(count: int = 12, *, days: int = 1, lang: str = "zh") -> PlanView:
    """A demo plan of one team on the sample county's roads, ``count`` villages a day."""
    towns = {f["properties"]["code"]: f["properties"]["name"] for f in features("towns")}
    chosen = [f["properties"] for f in features("villages")][: count * days]
    stops = [
        Stop(
            id=p["code"], name=p["name"], village=p["code"], village_name=p["name"], town_name=towns[p["parent_code"]],
            lon=p["seat_lon"], lat=p["seat_lat"], service_s=1200, must=n % 9 == 4,
        )
        for n, p in enumerate(chosen)
    ]  # fmt: skip
    roads, routes, lines = _Roads(), [], {}
    for day in range(1, days + 1):
        tour = _tour(stops[(day - 1) * count : day * count])
        points = [(SITE.lon, SITE.lat), *((s.lon, s.lat) for s in tour), (SITE.lon, SITE.lat)]
        legs = [roads.leg(a, b) for a, b in pairwise(points)]
        lines["a", day] = [line if len(line) > 1 else () for _, _, line in legs]
        routes.append(day_of(tour, day=day, legs=[(s, m) for s, m, _ in legs]))
    team = Team(id="a", name="督查一组", start="office", end="office", day_start_s=30_600, day_end_s=63_000)
    problem = Problem(
        name="三月大排查", days=tuple(FIRST + timedelta(days=n) for n in range(days)), teams=(team,),
        stops=tuple(stops), sites=(SITE,),
    )  # fmt: skip
    return view_of(
        problem,
        plan_of(routes),
        lang=lang,
        county_name="澜屿县",
        people={"a": ("甲某", "乙某", "丙某")},
        issues={stop.id: some_issues(n, n % 4) for n, stop in enumerate(stops)},
        lines=lines,
        paths={stop.id: f"/places/{stop.id}" for stop in stops},
    )
