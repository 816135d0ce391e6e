"""How far it is between the sites of a problem: by the matrix that was given, else by the roads, else by straight line."""

from collections.abc import Sequence

from villagemap.flows.registry import Session
from villagemap.flows.routes.findings import Finding
from villagemap.flows.routes.request import Request
from villagemap.plans import Matrix, Problem, Site
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
    return road_matrix(session, sites_of(problem), request.closed), []


def road_matrix(session: Session, sites: Sequence[Site], closed: Sequence[object]) -> Matrix:
    """By the county's roads, without those that are closed; by straight line where it has none."""
    return line_matrix(sites)


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
    findings = [
        Finding(code=found.code, stop=found.site, params=dict(found.params))
        for found in given.findings
        if found.site in known
    ]
    return matrix, findings
