"""The way in for roads: an OSM extract, or a bureau's lines, parsed in the sandbox's child → lines and findings."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import shapely

from villagemap.crs import OK, check_lonlat, parse_datum, to_wgs84
from villagemap.errors import BadInputError
from villagemap.model import BBox
from villagemap.readers import osm_tags
from villagemap.readers.columns import match_columns
from villagemap.readers.contract import MEGABYTE, Limits
from villagemap.readers.findings import Finding
from villagemap.readers.intake import take_in
from villagemap.readers.sandbox import Row, Table, open_taken
from villagemap.travel.lines import Ints, RoadLines
from villagemap.travel.plane import Floats
from villagemap.travel.rules import OTHER, RoadRules, plain_word

ROAD_LIMITS = Limits(file_bytes=400 * MEGABYTE, memory_bytes=1536 * MEGABYTE, cpu_s=180, wall_s=300.0)
KINDS = {
    ".pbf": "osmpbf",
    ".geojson": "geojson",
    ".json": "geojson",
    ".gpkg": "gpkg",
    ".shp": "shp",
    ".zip": "shpzip",
}
_TOLD = 200
_E7 = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadsRead:
    """Roads as read: ``rows`` of the file = ``used`` + ``left_out``; ``findings`` are the first of what was noticed.

    ``columns`` tells which column was taken for what (for OSM none), ``unknown`` the classes that nobody knows, with
    how often each stood there.
    """

    file: str
    kind: str
    sha256: str
    lines: RoadLines
    rows: int
    used: int
    left_out: int
    outside: int
    columns: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def read_roads(
    path: Path,
    rules: RoadRules,
    *,
    near: BBox | None = None,
    sheet: str | None = None,
    datum: str = "",
    limits: Limits = ROAD_LIMITS,
) -> RoadsRead:
    """Read an .osm.pbf, or lines with columns for class, one way, bridge (.shp, .shp.zip, .gpkg, .geojson).

    Parameters
    ----------
    near
        What lies wholly outside this is left out (WGS 84 degrees), so that a province's extract does for a county.
    sheet
        The layer of a GeoPackage; the first with lines if not given.
    datum
        What the lines are in where the file doesn't say, or says wrongly; OSM is always WGS 84.

    Raises
    ------
    NotFoundError, BadInputError, TooLargeError
        Whatever is wrong with the file; ``roads_none`` without a single road, ``roads_elsewhere`` if all lie outside.
    """
    with TemporaryDirectory(prefix="villagemap-") as folder:
        taken = take_in(path, Path(folder), limits, KINDS)
        with open_taken(taken, Path(folder), path.name, sheet=sheet, limits=limits) as table:
            reading = _Reading(rules, near, parse_datum(datum or table.crs or "wgs84"))
            if taken.kind == "osmpbf":
                reading.take_osm(table)
            else:
                reading.take_drawn(table)
            return reading.result(table)


class _Reading:
    """Roads as they come, row by row."""

    def __init__(self, rules: RoadRules, near: BBox | None, datum: str) -> None:
        self.rules, self.near, self.datum = rules, near, datum
        self.points: list[Floats] = []
        self.refs: list[Ints] = []
        self.kinds: dict[str, int] = {}
        self.facts: list[tuple[int, int, float, bool, bool, bool, int]] = []
        """Kind, number, limit, forward, backward, raised, layer of each line."""
        self.barred: list[int] = []
        self.rows = self.left_out = self.outside = 0
        self.unknown: Counter[str] = Counter()
        self.findings: list[Finding] = []
        self.columns: dict[str, str] = {}

    def take_osm(self, table: Table) -> None:
        """Ways with the ids of their nodes; barriers that no car passes."""
        for batch in table.batches():
            for row in batch:
                self._take_osm_row(row, dict(zip(table.columns, row.values, strict=True)))

    def _take_osm_row(self, row: Row, tags: dict[str, str]) -> None:
        if tags["barrier"]:
            said = next((tags[key] for key in osm_tags.ACCESS if tags[key]), "")
            if said in self.rules.barred or (not said and tags["barrier"] in self.rules.barriers):
                self.barred.append(int(tags["refs"]))
            return
        self.rows += 1
        way = osm_tags.drivable(tags, self.rules)
        lonlat = np.array(tags["lonlat"].split(), np.int64).reshape(-1, 2).astype(np.float64) * _E7
        refs = np.array(tags["refs"].split(), np.int64)
        if way is None or len(refs) != len(lonlat):
            self.left_out += 1
        elif self._is_near(lonlat):
            raised = any(tags[key] not in {"", "no"} for key in ("bridge", "tunnel"))
            facts = (self._kind(way.kind), row.number, way.limit_km_h, way.forward, way.backward)
            self._add(lonlat, (*facts, raised, _layer(tags["layer"])), refs)

    def take_drawn(self, table: Table) -> None:
        """Lines with what their columns say."""
        fields = match_columns(table.columns, "roads").fields
        self.columns = {name: table.columns[at] for name, at in fields.items()}
        for batch in table.batches():
            self.rows += len(batch)
            shapes = self._shapes(batch)
            for row, shape in zip(batch, shapes, strict=True):
                if shape is None or row.fault:
                    self._tell(row, "road_no_line", row.geometry or "")
                    self.left_out += 1
                    continue
                said = {name: row.values[at].strip() for name, at in fields.items()}
                facts = self._facts(row, said)
                for part in shapely.get_parts(shape):
                    at = shapely.get_coordinates(part)
                    if self._is_near(at):
                        self._add(at, facts, None)

    def _shapes(self, batch: Sequence[Row]) -> list[object]:
        """Lines in WGS 84; None for what is no line or lies nowhere."""
        given = shapely.force_2d(shapely.from_wkt([row.geometry for row in batch]))
        kinds = shapely.get_type_id(given)
        lines = np.isin(kinds, (shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING))
        given[~lines | shapely.is_empty(given)] = None
        if self.datum != "wgs84":
            given = shapely.transform(given, lambda at: np.column_stack(to_wgs84(at[:, 0], at[:, 1], self.datum)))
        bounds = shapely.bounds(given).reshape(-1, 4)
        sound = (check_lonlat(bounds[:, 0], bounds[:, 1]) == OK) & (check_lonlat(bounds[:, 2], bounds[:, 3]) == OK)
        given[~sound] = None
        return list(given)

    def _facts(self, row: Row, said: dict[str, str]) -> tuple[int, int, float, bool, bool, bool, int]:
        rules = self.rules
        kind = rules.class_of(said.get("class", "")) or rules.class_of(said.get("ref", ""))
        if kind is None:
            word = said.get("class", "")
            self.unknown[word[:40]] += 1
            self._tell(row, "road_class_unknown", word)
        one_way = plain_word(said.get("oneway", ""))
        reverse = one_way in rules.reverse
        forward_only = bool(one_way) and one_way not in rules.no and not reverse
        raised = any(self._says_yes(said.get(name, "")) for name in ("bridge", "tunnel"))
        limit = osm_tags.limit_km_h(said.get("limit", ""))
        level = _layer(said.get("layer", ""))
        return self._kind(kind or OTHER), row.number, limit, not reverse, not forward_only, raised, level

    def _says_yes(self, word: str) -> bool:
        plain = plain_word(word)
        return bool(plain) and plain not in self.rules.no

    def _kind(self, kind: str) -> int:
        return self.kinds.setdefault(kind, len(self.kinds))

    def _tell(self, row: Row, code: str, value: str) -> None:
        if len(self.findings) < _TOLD:
            self.findings.append(Finding(row.number, code, self.columns.get("class", ""), value))

    def _is_near(self, at: Floats) -> bool:
        if self.near is None:
            return True
        west, south, east, north = self.near
        lon, lat = at[:, 0], at[:, 1]
        near = bool(lon.min() <= east and lon.max() >= west and lat.min() <= north and lat.max() >= south)
        self.outside += not near
        return near

    def _add(self, at: Floats, facts: tuple[int, int, float, bool, bool, bool, int], refs: Ints | None) -> None:
        moved = np.concatenate([[True], (np.diff(at, axis=0) != 0).any(axis=1)])
        if refs is not None:
            moved[-1] = True
            self.refs.append(refs[moved])
        elif moved.sum() < 2:  # noqa: PLR2004 - a line that is a point
            return
        self.points.append(at[moved])
        self.facts.append(facts)

    def result(self, table: Table) -> RoadsRead:
        """What was read."""
        if not self.facts:
            code = "roads_elsewhere" if self.outside else "roads_none"
            raise BadInputError(code, file=table.file, rows=self.rows)
        return RoadsRead(
            file=table.file,
            kind=table.kind,
            sha256=table.sha256,
            lines=self._lines(),
            rows=self.rows,
            used=self.rows - self.left_out - self.outside,
            left_out=self.left_out,
            outside=self.outside,
            columns=self.columns,
            unknown=dict(self.unknown.most_common(20)),
            findings=tuple(self.findings),
        )

    def _lines(self) -> RoadLines:
        points = np.concatenate(self.points)
        kind, number, limit, forward, backward, raised, layer = (
            np.array(part) for part in zip(*self.facts, strict=True)
        )
        return RoadLines(
            offset=np.concatenate([[0], np.cumsum([len(at) for at in self.points])]).astype(np.int64),
            lon=points[:, 0].copy(),
            lat=points[:, 1].copy(),
            kind=kind.astype(np.int64),
            kinds=tuple(self.kinds),
            limit_km_h=limit.astype(float),
            forward=forward.astype(bool),
            backward=backward.astype(bool),
            raised=raised.astype(bool),
            layer=layer.astype(np.int64),
            number=number.astype(np.int64),
            ref=np.concatenate(self.refs) if self.refs else None,
            barred=np.array(self.barred, np.int64) if self.refs else None,
        )


def _layer(word: str) -> int:
    """A layer's number; 0 for what is none."""
    return int(word) if re.fullmatch(r"-?\d{1,2}", word, re.ASCII) else 0
