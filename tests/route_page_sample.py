"""A plan made by hand over the sample county, for tests of what is drawn: every village to the next nearest."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson

from villagemap.maps import InlineRoutes, RoutesView
from villagemap.model import BBox
from villagemap.plans import (
    Call,
    Figures,
    LeftOut,
    Lock,
    Lunch,
    Plan,
    Problem,
    Route,
    Site,
    Stop,
    Team,
    Window,
)
from villagemap.plans.codec import to_json

GEODATA = Path(__file__).parents[1] / "geodata"
SERVICE_S = 1200
LUNCH = (11 * 3600 + 1800, 12 * 3600 + 1800)
SPEED_M_S = 38 / 3.6


def read(name: str) -> dict[str, Any]:
    """A layer of the sample county with seats where the server has them."""
    data = orjson.loads((GEODATA / f"{name}.geojson").read_bytes())
    for feature in data["features"]:
        said = feature["properties"]
        said["seat"] = [said.pop("seat_lon"), said.pop("seat_lat")]
    return data


def apart_m(a: Sequence[float], b: Sequence[float]) -> int:
    """Straight line by 1.3, whole metres."""
    dx = (a[0] - b[0]) * math.cos(math.radians(a[1])) * 111_320
    return round(1.3 * math.hypot(dx, (a[1] - b[1]) * 110_570))


def made(villages: list[dict[str, Any]], teams: int, days: int, left: int, text: str) -> tuple[Problem, Plan]:
    """Stops of ``villages`` shared out by longitude and served in turn to the nearest; the last ``left`` left out."""
    stops = tuple(made_stop(feature, text) for feature in villages)
    depot = Site(id="office", name=text or "县政府", lon=111.275, lat=20.7895)
    cars = tuple(
        Team(
            id=f"t{n + 1}",
            name=text or f"第{n + 1}组",
            start="office",
            end="office",
            day_start_s=8 * 3600 + 1800,
            day_end_s=17 * 3600 + 1800,
        )
        for n in range(teams)
    )
    planned = sorted(stops[: len(stops) - left], key=lambda stop: math.atan2(stop.lat - 20.79, stop.lon - 111.275))
    shifts = [(team, day) for team in cars for day in range(1, days + 1)]
    size = math.ceil(len(planned) / len(shifts))
    parts = [planned[n * size : (n + 1) * size] for n in range(len(shifts))]
    routes = tuple(made_route(team, day, part, depot) for (team, day), part in zip(shifts, parts, strict=True) if part)
    problem = Problem(
        name=text or "三月暗访",
        days=tuple(date(2026, 3, 21) + timedelta(days=n) for n in range(days)),
        teams=cars,
        stops=stops,
        sites=(depot,),
        locks=(Lock(stop=planned[0].id, team=routes[0].team, keep=True),) if planned else (),
    )
    out = tuple(LeftOut(stop=stop.id, code="no_room") for stop in stops[len(stops) - left :])
    return problem, made_plan(routes, out, len(planned))


def made_stop(feature: dict[str, Any], text: str) -> Stop:
    said = feature["properties"]
    lon, lat = said["seat"]
    return Stop(
        id=said["code"],
        name=text or said["name"],
        lon=lon,
        lat=lat,
        service_s=SERVICE_S,
        windows=(Window(9 * 3600, 11 * 3600),) if said["code"].endswith("5") else (),
        village=said["code"],
        village_name=text or said["name"],
        town_name=text or said["code"][:9],
    )


def made_route(team: Team, day: int, stops: list[Stop], depot: Site) -> Route:
    at, clock, calls, lunch = (depot.lon, depot.lat), team.day_start_s, [], None
    waiting = list(stops)
    while waiting:
        stop = min(waiting, key=lambda each: apart_m(at, (each.lon, each.lat)))
        waiting.remove(stop)
        leg = apart_m(at, (stop.lon, stop.lat))
        if lunch is None and clock > LUNCH[0]:
            lunch = Lunch(begin_s=clock, end_s=clock + 3600, after=len(calls))
            clock += 3600
        arrive = clock + round(leg / SPEED_M_S)
        leave = arrive + 300 + stop.service_s
        calls.append(
            Call(
                stop=stop.id,
                leg_s=arrive - clock,
                leg_m=leg,
                arrive_s=arrive,
                begin_s=arrive,
                leave_s=leave,
                setup_s=300,
            )
        )
        at, clock = (stop.lon, stop.lat), leave
    back = apart_m(at, (depot.lon, depot.lat))
    return Route(
        team=team.id,
        day=day,
        leave_s=team.day_start_s,
        calls=tuple(calls),
        back_leg_s=round(back / SPEED_M_S),
        back_leg_m=back,
        back_s=clock + round(back / SPEED_M_S),
        lunch=lunch,
    )


def made_plan(routes: tuple[Route, ...], left: tuple[LeftOut, ...], stops: int) -> Plan:
    figures = Figures(
        stops=stops,
        left_out=len(left),
        villages=stops,
        villages_in_all=stops + len(left),
        priority=stops,
        travel_s=sum(route.travel_s for route in routes),
        distance_m=sum(route.distance_m for route in routes),
        service_s=stops * SERVICE_S,
        wait_s=0,
        working_s=sum(route.working_s for route in routes),
        spread_percent=8.5,
    )
    return Plan(
        routes=routes,
        left_out=left,
        figures=figures,
        matrix={"kind": "line", "estimated": True, "digest": "", "about": {"detour": 1.3, "speed_km_h": 38}},
        solver="by hand",
        seed=1,
        iterations=0,
        seconds=0.0,
    )


def made_legs(problem: Problem, plan: Plan) -> bytes:
    where = {each.id: [each.lon, each.lat] for each in (*problem.stops, *problem.sites)}
    features = []
    for route in plan.routes:
        ids = ["office", *(call.stop for call in route.calls), "office"]
        lengths = [*((call.leg_s, call.leg_m) for call in route.calls), (route.back_leg_s, route.back_leg_m)]
        for order, (leg_s, leg_m) in enumerate(lengths):
            said = {"team": route.team, "day": route.day, "order": order, "leg_s": leg_s, "leg_m": leg_m}
            line = {"type": "LineString", "coordinates": [where[ids[order]], where[ids[order + 1]]]}
            features.append({"type": "Feature", "geometry": line, "properties": {**said, "estimated": True}})
    return orjson.dumps({"type": "FeatureCollection", "features": features})


def made_answer(problem: Problem, plan: Plan, text: str, lang: str) -> dict[str, Any]:
    """As ``GET /plans/{id}`` answers."""
    en = lang == "en"
    why = text or ("No team has enough time left." if en else "各组时间都不够。")
    proof = text or ("Team 1, day 1: back 35 minutes late." if en else "第1组第1天：收工会晚 35 分钟。")
    hint = text or ("Extend day 1 of team 1 by 40 minutes." if en else "第1组第1天延长 40 分钟。")
    matrix = text or ("Straight line × 1.3 at 38 km/h" if en else "直线距离×1.3，每小时 38 公里")
    return {
        "id": "0190-plan",
        "name": problem.name,
        "revision": 3,
        "made_at": "2026-03-20T08:00:00Z",
        "made_by": text or "owner",
        "sealed": False,
        "sweep": "",
        "can_undo": True,
        "problem": orjson.loads(to_json(problem)),
        "plan": orjson.loads(to_json(plan)),
        "findings": [],
        "told": {
            "left_out": {left.stop: {"why": why, "proof": [proof], "hints": [hint]} for left in plan.left_out},
            "breaches": [],
            "matrix": matrix,
        },
    }


def sample_routes(
    lang: str = "zh", *, stops: int = 60, teams: int = 3, days: int = 2, left: int = 3, text: str = "", **parts: Any
) -> RoutesView:
    """A plan to be shown from disk; ``text`` stands in for every word that a user could have written."""
    towns, villages = read("towns"), read("villages")
    step = max(1, len(villages["features"]) // stops)
    problem, plan = made(villages["features"][::step][:stops], teams, days, left, text)
    for feature in (*towns["features"], *villages["features"]):
        if text:
            feature["properties"] |= {"name": text, "short_name": text}
    inline = InlineRoutes(
        plan=made_answer(problem, plan, text, lang),
        legs=made_legs(problem, plan),
        towns=orjson.dumps(towns),
        villages=orjson.dumps(villages),
    )
    lons = [lon for lon, _ in (feature["properties"]["seat"] for feature in villages["features"])]
    lats = [lat for _, lat in (feature["properties"]["seat"] for feature in villages["features"])]
    given: dict[str, Any] = {
        "plan_id": "0190-plan",
        "name": problem.name,
        "county_name": text or "示例县",
        "lang": lang,
        "today": date(2026, 3, 20),
        "bbox": BBox(min(lons), min(lats), max(lons), max(lats)),
        "inline": inline,
    }
    return RoutesView(**given | parts)
