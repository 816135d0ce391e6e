"""Flows that look roads over before anybody plans on them, and calibrate the estimate where there are none."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import shapely

from villagemap.auth import Policy
from villagemap.errors import NotFoundError
from villagemap.flows.campaigns.tracks import points_of
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.roads import LINE_SUBJECT, SUBJECT, line_figures, roads_of, travel_matrix
from villagemap.model import Level, Place, Record
from villagemap.plans import Site
from villagemap.readers.tracks import read_track
from villagemap.settings import now
from villagemap.travel.calibrate import Calibration, Leg, calibrate, legs_of
from villagemap.travel.closing import edge_id
from villagemap.travel.findings import TravelFinding
from villagemap.travel.graph import QUARTERS, RoadGraph
from villagemap.travel.paths import LonLat, stretch_of
from villagemap.travel.roads import Roads
from villagemap.travel.surveying import Detour, Part, detours, parts_of, weak_parts

_MOST_PARTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLine:
    """A part of the roads, and how many villages lie on it."""

    part: Part
    villages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadReport:
    """What roads are like; ``file`` is "" where there are none, and travel is estimated by ``detour``, ``speed_km_h``.

    ``classes`` are km by class, ``labels`` what people call these. ``parts`` are the longest of ``parts_in_all`` that
    nothing connects. ``findings`` are about villages, ``detours`` between neighbouring villages, both by their ids,
    which ``names`` resolves.
    """

    villages: int
    names: dict[str, str]
    detour: float
    speed_km_h: float
    file: str = ""
    nodes: int = 0
    edges: int = 0
    km: float = 0.0
    classes: dict[str, float] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    parts_in_all: int = 0
    parts: tuple[PartLine, ...] = ()
    findings: tuple[TravelFinding, ...] = ()
    detours: tuple[Detour, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadStretch:
    """A road between two junctions: its ``id`` holds until roads are imported anew; ``points`` are (lon, lat)."""

    id: str
    kind: str
    label: dict[str, str]
    length_m: int
    off_m: int
    points: list[LonLat]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationReport:
    """What tracks came to; ``timeless`` are files without times, ``has_roads`` says that nobody needs the estimate."""

    calibration: Calibration
    tracks: int
    timeless: tuple[str, ...]
    kept: bool
    has_roads: bool


@flow("roads.report", Policy.READ)
def road_report(session: Session) -> RoadReport:
    """Look the county's roads over: what isn't connected, who can't be reached, which ways are suspicious.

    Raises
    ------
    WorkspaceError
        ``roads_missing``, ``roads_damaged``
    """
    roads = roads_of(session)
    sites = village_sites(session)
    names = {site.id: site.name for site in sites}
    line = line_figures(session)
    if roads is None:
        return RoadReport(villages=len(sites), names=names, detour=line.detour, speed_km_h=line.speed_km_h)
    matrix = travel_matrix(session, sites)
    parts = parts_of(roads.graph)
    record = session.workspace.store.record(SUBJECT)
    return RoadReport(
        file=str(record.fields["file"]) if record else "",
        nodes=len(roads.graph.node_lon),
        edges=len(roads.graph.start),
        km=round(float(roads.graph.length.sum()) / QUARTERS / 1000, 1),
        classes=_classes(roads.graph),
        labels={kind: dict(roads.rules.labels.get(kind, {})) for kind in roads.graph.kinds},
        parts_in_all=len(parts),
        parts=tuple(_with_villages(roads, parts[:_MOST_PARTS], sites)),
        villages=len(sites),
        findings=tuple(roads.findings(sites, matrix)),
        detours=tuple(detours(sites, matrix)),
        names=names,
        detour=line.detour,
        speed_km_h=line.speed_km_h,
    )


def village_sites(session: Session) -> list[Site]:
    """All villages as sites: at their seats, else in the middle of their areas; named with their towns."""
    gazetteer = session.workspace.gazetteer()
    sites = []
    for place in gazetteer.level(Level.VILLAGE):
        town = gazetteer.town_of(place)
        lon, lat = place_position(place)
        name = f"{town.name} {place.name}" if town else place.name
        sites.append(Site(id=place.place_id, name=name, lon=lon, lat=lat))
    return sites


def place_position(place: Place) -> tuple[float, float] | tuple[None, None]:
    """Where one drives to for a place."""
    if place.seat is not None:
        return place.seat
    if place.geometry is None:
        return None, None
    point = shapely.point_on_surface(shapely.from_wkb(place.geometry))
    return float(point.x), float(point.y)


@flow("roads.find", Policy.READ)
def find_road(session: Session, lon: float, lat: float) -> RoadStretch:
    """The stretch of road nearest to a point (WGS 84): what one names to close it.

    Raises
    ------
    NotFoundError
        ``road_not_near`` if there is none within 3 km, or the county has no roads.
    """
    roads = roads_of(session)
    snaps = roads.snap([Site(id="", name="", lon=lon, lat=lat)]) if roads else None
    if roads is None or snaps is None or snaps.edge[0] < 0:
        raise NotFoundError("road_not_near", lon=f"{lon:.5f}", lat=f"{lat:.5f}")
    edge, graph = int(snaps.edge[0]), roads.graph
    length, kind = int(graph.length[edge]), graph.kinds[int(graph.kind[edge])]
    return RoadStretch(
        id=edge_id(edge),
        kind=kind,
        label=dict(roads.rules.labels.get(kind, {})),
        length_m=length // QUARTERS,
        off_m=round(float(snaps.off_m[0])),
        points=stretch_of(graph, edge, 0, length),
    )


def _classes(graph: RoadGraph) -> dict[str, float]:
    metres = np.bincount(graph.kind, graph.length / QUARTERS, minlength=len(graph.kinds))
    order = np.argsort(-metres, kind="stable").tolist()
    return {graph.kinds[at]: round(float(metres[at]) / 1000, 1) for at in order}


def _with_villages(roads: Roads, parts: Sequence[Part], sites: Sequence[Site]) -> list[PartLine]:
    graph, snaps = roads.graph, roads.snap(sites)
    part_of = weak_parts(graph)[graph.start]
    on = part_of[snaps.edge[snaps.edge >= 0]]
    villages = np.bincount(on, minlength=int(part_of.max()) + 1)
    metres = np.bincount(part_of, graph.length / QUARTERS)
    order = np.argsort(-metres, kind="stable")
    return [PartLine(part=part, villages=int(villages[at])) for part, at in zip(parts, order.tolist(), strict=False)]


@flow("roads.calibrate", Policy.WRITE)
def calibrate_line(
    session: Session, files: Sequence[Path] = (), *, datum: str = "", keep: bool = False
) -> CalibrationReport:
    """Fit the straight line's detour and speed to the kept tracks and to ``files``; ``keep`` it for estimates to come.

    Raises
    ------
    NotFoundError, BadInputError, TooLargeError
        Whatever is wrong with a file.
    """
    legs: list[Leg] = []
    timeless, count = [], 0
    for record in session.workspace.store.records("track"):
        track = points_of(session, record)
        if track is not None:
            legs += legs_of(track.lon, track.lat, track.time)
            count += 1
    for path in files:
        read = read_track(path, datum=datum)
        count += 1
        if read.untimed == len(read.track.time):
            timeless.append(path.name)
        legs += legs_of(read.track.lon, read.track.lat, read.track.time)
    found = calibrate(legs)
    if keep and found.enough:
        _keep(session, found)
    return CalibrationReport(
        calibration=found,
        tracks=count,
        timeless=tuple(timeless),
        kept=keep and found.enough,
        has_roads=session.workspace.store.record(SUBJECT) is not None,
    )


def _keep(session: Session, found: Calibration) -> None:
    fields = {
        "detour_permille": round(found.detour * 1000),
        "speed_m_h": round(found.speed_km_h * 1000),
        "legs": found.legs,
    }
    with session.workspace.store.writing() as writer:
        before = session.workspace.store.record(LINE_SUBJECT)
        if before is None or before.fields != fields:
            record = Record(
                subject=LINE_SUBJECT, type="roads", fields=fields, revision=before.revision if before else 0
            )
            writer.put_record(record, kind="calibrate", actor=session.actor.id, at=now())
