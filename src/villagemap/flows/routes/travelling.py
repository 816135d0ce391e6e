"""How far it is between the sites of a problem: by a given matrix, else by the roads, else by straight line."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from villagemap.flows.registry import Session
from villagemap.flows.routes.findings import Finding
from villagemap.flows.routes.places import LonLat, matrix_row
from villagemap.flows.routes.request import MatrixTold, Request, Travel
from villagemap.flows.routes.roads import leg_paths, site_findings, travel_matrix
from villagemap.plans import NEVER, Matrix, MatrixKind, Problem, Site
from villagemap.plans.matrix import Whole
from villagemap.travel.closing import Closed
from villagemap.travel.findings import TravelFinding
from villagemap.travel.given import read_matrix
from villagemap.travel.line import DETOUR, SPEED_KM_H, line_matrix


def with_matrix(request: Request, path: Path) -> Request:
    """A request with the travel times of a file, CSV or JSON; they override all.

    Raises
    ------
    NotFoundError, BadInputError
        As `travel.given.read_matrix` does.
    """
    given = read_matrix(path).matrix
    told = MatrixTold(
        ids=list(given.ids),
        durations_s=_with_holes(given.duration_s),
        distances_m=_with_holes(given.distance_m),
    )
    return request.model_copy(update={"travel": Travel(matrix=told)})


def _with_holes(figures: Whole) -> list[list[float | None]]:
    return [[None if value >= NEVER else float(value) for value in row] for row in figures.tolist()]


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
        return _given(session, travel.matrix, problem)
    if travel is not None and (travel.detour or travel.speed_km_h):
        detour, speed = travel.detour or DETOUR, travel.speed_km_h or SPEED_KM_H
        return line_matrix(sites_of(problem), detour=detour, speed_km_h=speed), []
    return road_matrix(session, sites_of(problem), request.closed)


def road_matrix(session: Session, sites: Sequence[Site], closed: Sequence[Closed]) -> tuple[Matrix, list[Finding]]:
    """By the county's roads without those that are closed, or by straight line; and what there is to tell of sites."""
    matrix = travel_matrix(session, sites, closed)
    names = {site.id: site.name for site in sites}
    return matrix, [_as_finding(found, names) for found in site_findings(session, sites, matrix)]


def _given(session: Session, told: MatrixTold, problem: Problem) -> tuple[Matrix, list[Finding]]:
    """The part of a given matrix that a problem needs; a team's place has an @ before its name there."""
    given = read_matrix(told.model_dump(exclude_none=True))
    gazetteer, ids = session.workspace.gazetteer(), given.matrix.index()
    rows = [site.id.removeprefix("@") for site in problem.sites]
    rows += [matrix_row(gazetteer, ids, stop) or stop.id for stop in problem.stops]
    matrix = replace(given.matrix.among(rows), ids=tuple(site.id for site in sites_of(problem)))
    known = set(rows)
    told_of = [found for found in given.findings if found.site in known]
    return matrix, [_as_finding(found, {}) for found in told_of]


def _as_finding(found: TravelFinding, names: Mapping[str, str]) -> Finding:
    params = {name: round(value) if isinstance(value, float) else value for name, value in found.params.items()}
    return Finding(
        code=found.code,
        stop=found.site.removeprefix("@"),
        name=names.get(found.site, ""),
        of_travel=True,
        params=params,
    )


def again(session: Session, matrix: Matrix, sites: Sequence[Site], closed: Sequence[Closed]) -> Matrix:
    """A matrix over other sites, or with other roads closed, by the same source; a given one stays as it is."""
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
