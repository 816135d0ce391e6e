"""The legs of a kept plan as lines on a map."""

from itertools import pairwise
from typing import Any

from villagemap.auth import Policy
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.kept import KeptPlan
from villagemap.flows.routes.places import LonLat
from villagemap.flows.routes.request import read_request
from villagemap.flows.routes.travelling import leg_lines, sites_of
from villagemap.plans import MatrixKind, Route

Lines = dict[tuple[str, int], list[list[LonLat]]]
"""By team and day: the points of each leg, the first from the start, one more than there are calls."""


@flow("plans.lines", Policy.PLAN)
def plan_lines(session: Session, kept: KeptPlan) -> Lines:
    """The way of each leg of a plan; [] for one without a position."""
    sites = {site.id: site for site in sites_of(kept.problem)}
    teams = {team.id: team for team in kept.problem.teams}
    stops = {
        (r.team, r.day): [teams[r.team].start, *(c.stop for c in r.calls), teams[r.team].end] for r in kept.plan.routes
    }
    pairs = [(sites[a], sites[b]) for way in stops.values() for a, b in pairwise(way)]
    kind = MatrixKind(str(kept.plan.matrix["kind"]))
    lines = iter(leg_lines(session, pairs, kind, read_request(kept.request or b"{}").closed))
    return {shift: [next(lines) for _ in way[1:]] for shift, way in stops.items()}


@flow("plans.legs", Policy.PLAN)
def plan_legs(session: Session, kept: KeptPlan) -> dict[str, Any]:
    """The legs as a GeoJSON feature collection of lines; ``order`` is 0 for the first, calls + 1 for the last."""
    lines = plan_lines(session, kept)
    features = []
    for route in kept.plan.routes:
        for order, line in enumerate(lines[route.team, route.day]):
            seconds, metres = _leg(route, order)
            properties = {
                "team": route.team,
                "day": route.day,
                "order": order,
                "leg_s": seconds,
                "leg_m": metres,
                "estimated": bool(kept.plan.matrix.get("estimated")),
            }
            geometry = {"type": "LineString", "coordinates": line} if line else None
            features.append({"type": "Feature", "geometry": geometry, "properties": properties})
    return {"type": "FeatureCollection", "features": features, "numberReturned": len(features)}


def _leg(route: Route, order: int) -> tuple[int, int]:
    if order == len(route.calls):
        return route.back_leg_s, route.back_leg_m
    return route.calls[order].leg_s, route.calls[order].leg_m
