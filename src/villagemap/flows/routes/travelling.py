"""How far it is between the sites of a problem: by a given matrix, else by the roads, else by straight line."""

from collections.abc import Sequence

from villagemap.flows.registry import Session
from villagemap.flows.routes.findings import Finding
from villagemap.flows.routes.places import LonLat
from villagemap.flows.routes.request import Request
from villagemap.flows.routes.roads import leg_paths, site_findings, travel_matrix
from villagemap.plans import Matrix, MatrixKind, Problem, Site
from villagemap.travel.closing import Closed
from villagemap.travel.findings import TravelFinding
from villagemap.travel.given import read_matrix
from villagemap.travel.line import DETOUR, SPEED_KM_H, line_matrix


def sites_of(problem: Problem) -> list[Site]:
    """All sites of a problem: where teams start and end, then its stops."""
    stops = [Site(id=stop.id, name=stop.name, lon=stop.lon, lat=stop.lat) for stop in problem.stops]
    return [*problem.sites, *stops]


def matrix_for(session: Session, request: Request, problem: Problem) -> tuple[Matrix, list[Finding]]:
    """The matrix over a problem's sites, and what was the matter with it.

    Raises
    ------
    BadInputError
        ``matrix_not_square``, ``matrix_ids_repeat``, … for a given one that is none.
    """
    travel = request.travel
    if travel is not None and travel.matrix is not None:
        return _given(request, problem)
    if travel is not None and (travel.detour or travel.speed_km_h):
        detour, speed = travel.detour or DETOUR, travel.speed_km_h or SPEED_KM_H
        return line_matrix(sites_of(problem), detour=detour, speed_km_h=speed), []
    return road_matrix(session, sites_of(problem), request.closed)


def road_matrix(session: Session, sites: Sequence[Site], closed: Sequence[Closed]) -> tuple[Matrix, list[Finding]]:
    """By the county's roads without those that are closed, or by straight line; and what there is to tell of sites."""
    matrix = travel_matrix(session, sites, closed)
    return matrix, [_as_finding(found) for found in site_findings(session, sites, matrix)]


def _given(request: Request, problem: Problem) -> tuple[Matrix, list[Finding]]:
    """The part of a given matrix that a problem needs; a team's place has an @ before its name there."""
    told = request.travel.matrix if request.travel else None
    given = read_matrix(told.model_dump(exclude_none=True) if told else {})
    wanted = [site.id for site in sites_of(problem)]
    depots = {site.id for site in problem.sites}
    cut = given.matrix.among([site.removeprefix("@") if site in depots else site for site in wanted])
    matrix = Matrix(
        ids=tuple(wanted),
        duration_s=cut.duration_s,
        distance_m=cut.distance_m,
        kind=cut.kind,
        digest=cut.digest,
        about=cut.about,
    )
    known = {site.removeprefix("@") for site in wanted}
    told_of = [found for found in given.findings if found.site in known]
    return matrix, [_as_finding(found) for found in told_of]


def _as_finding(found: TravelFinding) -> Finding:
    params = {name: round(value) if isinstance(value, float) else value for name, value in found.params.items()}
    return Finding(code=found.code, stop=found.site.removeprefix("@"), of_travel=True, params=params)


def again(session: Session, matrix: Matrix, sites: Sequence[Site], closed: Sequence[Closed]) -> Matrix:
    """A matrix over other sites, or with other roads closed, from the source of the first; as it is where it was given."""
    if matrix.kind is MatrixKind.GIVEN:
        return matrix
    if matrix.kind is MatrixKind.LINE:
        about = matrix.about
        return line_matrix(sites, detour=float(about["detour"]), speed_km_h=float(about["speed_km_h"]))
    return travel_matrix(session, sites, closed)


def leg_lines(
    session: Session, pairs: Sequence[tuple[Site, Site]], kind: MatrixKind, closed: Sequence[Closed]
) -> list[list[LonLat]]:
    """Points (lon, lat) from site to site: along the roads where a plan was made on them, else straight lines."""
    if kind is MatrixKind.ROADS:
        return leg_paths(session, pairs, closed)
    return [_straight(*pair) for pair in pairs]


def _straight(start: Site, end: Site) -> list[LonLat]:
    ends = [(site.lon, site.lat) for site in (start, end) if site.lon is not None and site.lat is not None]
    return ends if len(ends) == 2 else []  # noqa: PLR2004 - both have a position
