"""Flows about roads: read them in, measure travel on them, draw the way.

A county's graph lies in the folder ``roads`` by its content hash, on disk before the record that names it; measured
matrices lie in ``cache/travel``, which may be deleted at any time. Without roads travel is a straight line's estimate.
"""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from villagemap.auth import Policy
from villagemap.errors import WorkspaceError
from villagemap.flows.registry import Session, flow
from villagemap.flows.workspace import ROADS_FOLDER
from villagemap.model import BBox, Record
from villagemap.plans import Matrix, Site
from villagemap.readers.findings import Finding
from villagemap.readers.roads import RoadsRead, read_roads
from villagemap.settings import now
from villagemap.store.disk import restrict_file, room_needed, sync_folder
from villagemap.travel.closing import Closed
from villagemap.travel.findings import TravelFinding
from villagemap.travel.graph import QUARTERS, RoadGraph, graph_by_refs, graph_bytes, graph_of_bytes
from villagemap.travel.keeping import kept_matrix
from villagemap.travel.line import DETOUR, SPEED_KM_H, line_matrix
from villagemap.travel.noding import graph_by_drawing
from villagemap.travel.paths import LonLat
from villagemap.travel.roads import Roads
from villagemap.travel.rules import RoadRules, load_rules
from villagemap.travel.snapping import main_edges

SUBJECT = "roads/network"
LINE_SUBJECT = "roads/line"
RULES_FILE = "roads.toml"
CACHE = Path("cache") / "travel"
_AT_DEGREES = 1e-6
NEAR_DEGREES = 0.2
"""So far round the county (some 20 km) its roads reach: ways to a neighbour's town and back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadsImport:
    """What became of a file: rows = used + left out (no road for cars, no line) + outside (far from the county).

    ``main_share`` is how much of the length is connected there and back; ``columns`` which column was taken for what;
    ``unknown`` the classes that nobody knows, which drive as any other road; ``known`` that nothing changed.
    """

    file: str
    kind: str
    rows: int
    used: int
    left_out: int
    outside: int
    nodes: int
    edges: int
    km: float
    main_share: float
    known: bool
    columns: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@flow("roads.import", Policy.WRITE)
def import_roads(
    session: Session, path: Path, *, sheet: str | None = None, datum: str = "", everywhere: bool = False
) -> RoadsImport:
    """Read a county's roads in; they take the place of those read before.

    Parameters
    ----------
    everywhere
        Keep roads however far from the county; else those beyond `NEAR_DEGREES` of its places are left out.

    Raises
    ------
    NotFoundError, BadInputError, TooLargeError
        Whatever is wrong with the file; ``roads_none``, ``roads_elsewhere``. Nothing is written then.
    """
    workspace = session.workspace
    read = read_roads(path, rules_of(session), near=None if everywhere else _near(session), sheet=sheet, datum=datum)
    graph = graph_by_drawing(read.lines) if read.lines.ref is None else graph_by_refs(read.lines)
    raw = graph_bytes(graph)
    name = hashlib.sha256(raw).hexdigest()
    _put(workspace.folder / ROADS_FOLDER, name, raw)
    fields: dict[str, Any] = {"graph": name, "file": read.file, "kind": read.kind, "sha256": read.sha256}
    fields |= {"nodes": len(graph.node_lon), "edges": len(graph.start), "length_m": int(graph.length.sum()) // QUARTERS}
    with workspace.store.writing() as writer:
        before = workspace.store.record(SUBJECT)
        known = before is not None and before.fields["graph"] == name
        if not known:
            revision = before.revision if before else 0
            record = Record(subject=SUBJECT, type="roads", fields=fields, revision=revision)
            writer.put_record(record, kind="import", actor=session.actor.id, at=now())
    return _told(read, graph, known=known)


def _told(read: RoadsRead, graph: RoadGraph, *, known: bool) -> RoadsImport:
    main = main_edges(graph)
    metres = graph.length / QUARTERS
    return RoadsImport(
        file=read.file,
        kind=read.kind,
        rows=read.rows,
        used=read.used,
        left_out=read.left_out,
        outside=read.outside,
        nodes=len(graph.node_lon),
        edges=len(graph.start),
        km=round(float(metres.sum()) / 1000, 1),
        main_share=round(float(metres[main].sum() / metres.sum()), 4),
        known=known,
        columns=read.columns,
        unknown=read.unknown,
        findings=read.findings,
    )


def _near(session: Session) -> BBox | None:
    """The county's extent and a margin round it; None where nothing has a position."""
    bbox = session.workspace.gazetteer().bbox()
    if bbox is None:
        return None
    west, south, east, north = bbox
    return BBox(west - NEAR_DEGREES, south - NEAR_DEGREES, east + NEAR_DEGREES, north + NEAR_DEGREES)


def _put(folder: Path, name: str, raw: bytes) -> None:
    """Have a graph on disk, synced with its folder, before any event names it."""
    path = folder / f"{name}.npz"
    if path.exists() and path.read_bytes() == raw:
        return
    with room_needed():
        folder.mkdir(mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".new-", delete=False) as new:
            try:
                new.write(raw)
                new.flush()
                restrict_file(Path(new.name))
                os.fsync(new.fileno())
            except BaseException:
                new.close()
                Path(new.name).unlink()
                raise
        Path(new.name).replace(path)
        sync_folder(folder)
        sync_folder(folder.parent)


def rules_of(session: Session) -> RoadRules:
    """Classes and speeds, with the county's own laid over ours."""
    return load_rules(session.workspace.folder / RULES_FILE)


def roads_of(session: Session) -> Roads | None:
    """The county's roads, ready to be asked; None where none were read in.

    Raises
    ------
    WorkspaceError
        ``roads_missing``, ``roads_damaged``: the file that the record names isn't what was written.
    """
    record = session.workspace.store.record(SUBJECT)
    if record is None:
        return None
    rules = rules_of(session)
    key = f"{record.fields['graph']} {rules.digest}"
    kept = session.workspace.roads
    if isinstance(kept, tuple) and kept[0] == key:
        roads: Roads = kept[1]
        return roads
    roads = Roads(_graph(session, str(record.fields["graph"])), rules, {"file": str(record.fields["file"])})
    session.workspace.roads = (key, roads)
    return roads


def _graph(session: Session, name: str) -> RoadGraph:
    path = session.workspace.folder / ROADS_FOLDER / f"{name}.npz"
    try:
        raw = path.read_bytes()
    except FileNotFoundError as fault:
        raise WorkspaceError("roads_missing", path=str(path)) from fault
    if hashlib.sha256(raw).hexdigest() != name:
        raise WorkspaceError("roads_damaged", path=str(path))
    try:
        return graph_of_bytes(raw)
    except ValueError as fault:
        raise WorkspaceError("roads_damaged", path=str(path)) from fault


@flow("roads.matrix", Policy.READ)
def travel_matrix(session: Session, sites: Sequence[Site], closed: Sequence[Closed] = ()) -> Matrix:
    """Travel between sites: along the county's roads, without those closed; where it has none, as the crow flies.

    ``closed`` are ids of edges or GeoJSON polygons; a straight line knows nothing of them. A site without a position,
    outside the roads or cut off has `NEVER`, and `site_findings` tells why; the others have what they have.

    Raises
    ------
    BadInputError
        ``closed_unreadable``
    WorkspaceError
        ``roads_missing``, ``roads_damaged``, ``roads_rules_wrong``
    """
    record = session.workspace.store.record(SUBJECT)
    if record is None:
        line = line_figures(session)
        return line_matrix(sites, detour=line.detour, speed_km_h=line.speed_km_h)
    rules = rules_of(session)
    digest = Roads.digest_of(str(record.fields["graph"]), rules)

    def measure() -> Matrix:
        roads = roads_of(session)
        if roads is None:
            raise WorkspaceError("roads_missing", path=ROADS_FOLDER)
        return roads.matrix(sites, closed)

    seconds, metres = kept_matrix(session.workspace.folder / CACHE, digest, sites, closed, measure)
    return Roads.matrix_of(digest, {"file": str(record.fields["file"])}, sites, seconds, metres, closed)


@flow("roads.paths", Policy.READ)
def leg_paths(
    session: Session, pairs: Sequence[tuple[Site, Site]], closed: Sequence[Closed] = ()
) -> list[list[LonLat]]:
    """Points (lon, lat, WGS 84) from site to site along the way that `travel_matrix` measures, the sites included.

    A straight line where the county has no roads or there is no way; nothing where a site has no position.
    """
    roads = roads_of(session)
    sites = list({id(site): site for pair in pairs for site in pair}.values())
    row = {id(site): at for at, site in enumerate(sites)}
    along: list[list[LonLat] | None] = [None] * len(pairs)
    if roads is not None:
        along = roads.paths(sites, [(row[id(one)], row[id(two)]) for one, two in pairs], closed)
    return [_whole(one, two, path or []) for (one, two), path in zip(pairs, along, strict=True)]


def _whole(one: Site, two: Site, path: list[LonLat]) -> list[LonLat]:
    """A path with the sites themselves at its ends."""
    if one.lon is None or one.lat is None or two.lon is None or two.lat is None:
        return []
    begin, end = (one.lon, one.lat), (two.lon, two.lat)
    return [begin, *(point for point in path if not _is_at(point, begin) and not _is_at(point, end)), end]


def _is_at(point: LonLat, other: LonLat) -> bool:
    """Whether two points are one, to some centimetres."""
    return abs(point[0] - other[0]) + abs(point[1] - other[1]) < _AT_DEGREES


@flow("roads.sites", Policy.READ)
def site_findings(session: Session, sites: Sequence[Site], matrix: Matrix | None = None) -> list[TravelFinding]:
    """What is to be told of sites before a plan: no position, outside the roads, far from one, cut off.

    ``matrix`` is theirs by `travel_matrix`, where it is there already.
    """
    roads = roads_of(session)
    if roads is None:
        return [TravelFinding(code="no_position", site=s.id) for s in sites if s.lon is None or s.lat is None]
    return roads.findings(sites, matrix or travel_matrix(session, sites))


class LineFigures(NamedTuple):
    """What a straight line is multiplied by, and how fast one comes on."""

    detour: float
    speed_km_h: float


def line_figures(session: Session) -> LineFigures:
    """Detour and speed of the straight line: as calibrated, else the usual."""
    record = session.workspace.store.record(LINE_SUBJECT)
    if record is None:
        return LineFigures(DETOUR, SPEED_KM_H)
    return LineFigures(record.fields["detour_permille"] / 1000, record.fields["speed_m_h"] / 1000)
