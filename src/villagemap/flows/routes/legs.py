"""The legs of a kept plan as lines on a map."""

from itertools import pairwise
from typing import Any

from villagemap.auth import Policy
from villagemap.errors import NotFoundError
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.corridor import WITHIN_M, Beside, issues_along
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


@flow("plans.corridor", Policy.PLAN)
def issues_beside(
    session: Session, kept: KeptPlan, *, within_m: float = WITHIN_M, team: str = "", day: int = 0
) -> list[Beside]:
    """Open issues beside a plan's way that it doesn't call at, in the order in which they are passed.

    ``team``, ``day`` keep only these routes ("" and 0 for all).

    Raises
    ------
    NotFoundError
        ``unknown_shift`` for a team or day without a route.
    BadInputError
        ``corridor_width``
    """
    routes = [one for one in kept.plan.routes if team in ("", one.team) and day in (0, one.day)]
    if (team or day) and not routes:
        raise NotFoundError("unknown_shift", team=team[:100], day=day)
    lines = plan_lines(session, kept)
    legs = [leg for route in routes for leg in lines[route.team, route.day] if leg]
    stops = {stop.id: stop for stop in kept.problem.stops}
    seen = {issue for route in routes for call in route.calls for issue in stops[call.stop].issue_ids}
    return issues_along(session, legs, within_m=within_m, leave_out=seen)
