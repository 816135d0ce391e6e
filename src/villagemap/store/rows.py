"""Rows of the GeoPackage and the values they stand for: geometry blobs, issues, places, GeoJSON texts."""

import sqlite3
import struct
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import shapely

from villagemap.model import Issue, Level, Located, Place, Privacy, Sighting, Status

GPKG_HEADER = b"GP\x00\x01" + struct.pack("<i", 4326)
"""GeoPackage geometry header: version 0, little endian, no envelope, EPSG:4326 (OGC 12-128r18, 2.1.3)."""

ISSUE_COLUMNS = (
    "geom", "id", "county", "number", "category", "subdefects", "severity", "status", "quantity_found",
    "quantity_done", "unit", "place_id", "village_id", "town_id", "place_code_given", "located", "lon", "lat",
    "location_text", "description", "source", "found_on", "lead_unit", "help_units", "responsible", "phone", "due_on",
    "hard_due_on", "claimed_closed_on", "closed_on", "deferred_until", "interim_on", "privacy", "relapse_of",
    "duplicate_of", "facility", "checked", "revision", "changed_seq",
)  # fmt: skip
SIGHTING_COLUMNS = (
    "county", "id", "issue_id", "position", "source", "list_name", "list_number", "found_on", "found_by", "given_x",
    "given_y", "datum", "accuracy_m", "row_key",
)  # fmt: skip

Names = Mapping[str, tuple[str, str]]
"""place_id to (code, name), as a GeoJSON text shows them."""

Row = sqlite3.Row

Shapes = npt.NDArray[np.object_]


def _day(value: date | None) -> str | None:
    return value.isoformat() if value else None


def _date(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None


def shapes_of(issues: Sequence[Issue]) -> Shapes:
    """Shapely geometries of issues (None where there is none), shape (n,)."""
    return np.asarray(shapely.from_wkt([issue.geometry for issue in issues]), dtype=object)


def plain_shapes(issues: Sequence[Issue]) -> tuple[Shapes, list[str | None]]:
    """Geometries and their WKT in the one form that reading a row gives back, so that texts can be compared."""
    shapes = shapes_of(issues)
    texts = shapely.to_wkt(shapely.orient_polygons(shapes), rounding_precision=7, trim=True).tolist()
    other = [n for n, issue in enumerate(issues) if issue.geometry != texts[n]]
    shapes[other] = shapely.from_wkt([texts[n] for n in other])
    return shapes, texts


def blobs(shapes: Shapes) -> list[bytes | None]:
    """GeoPackage geometry blobs."""
    return [None if wkb is None else GPKG_HEADER + wkb for wkb in shapely.to_wkb(shapes, byte_order=1)]


def blob_of_wkb(wkb: bytes | None) -> bytes | None:
    """A GeoPackage geometry blob around little-endian WKB."""
    return None if wkb is None else GPKG_HEADER + wkb


def wkb_of_blob(blob: bytes | None) -> bytes | None:
    """The WKB inside one of our blobs."""
    return None if blob is None else blob[len(GPKG_HEADER) :]


def centres(shapes: Shapes) -> npt.NDArray[np.float64]:
    """A point in or on each shape, (n, 2) lon, lat; nan where there is none."""
    points = shapes.copy()
    areas = shapely.get_dimensions(shapes) > 0
    points[areas] = shapely.point_on_surface(shapes[areas])
    return np.column_stack([shapely.get_x(points), shapely.get_y(points)])


def bounds_rows(fids: Sequence[int], shapes: Shapes) -> list[tuple[Any, ...]]:
    """Rows (id, minx, maxx, miny, maxy) for an R-tree; shapes without extent are left out."""
    bounds = shapely.bounds(shapes)
    return [
        (fid, west, east, south, north)
        for fid, (west, south, east, north) in zip(fids, bounds.tolist(), strict=True)
        if west == west  # noqa: PLR0124 - nan differs from itself
    ]


def issue_row(
    issue: Issue,
    number: str,
    revision: int,
    seq: int,
    blob: bytes | None,
    lonlat: tuple[float | None, float | None],
) -> tuple[Any, ...]:
    """Values for `ISSUE_COLUMNS`; the store gives the number and the revision, whatever the issue says."""
    return (
        blob,
        issue.id,
        issue.county,
        number or None,
        issue.category,
        orjson.dumps(issue.subdefects).decode(),
        issue.severity,
        issue.status.value,
        issue.quantity_found,
        issue.quantity_done,
        issue.unit,
        issue.place_id,
        issue.village_id,
        issue.town_id,
        issue.place_code_given,
        issue.located.value,
        *lonlat,
        issue.location_text,
        issue.description,
        issue.source,
        _day(issue.found_on),
        issue.lead_unit,
        orjson.dumps(issue.help_units).decode(),
        issue.responsible,
        issue.phone,
        _day(issue.due_on),
        _day(issue.hard_due_on),
        _day(issue.claimed_closed_on),
        _day(issue.closed_on),
        _day(issue.deferred_until),
        _day(issue.interim_on),
        issue.privacy.value,
        issue.relapse_of,
        issue.duplicate_of,
        issue.facility,
        orjson.dumps(issue.checked).decode(),
        revision,
        seq,
    )


def issue_of(row: Row, geometry: str | None, sightings: tuple[Sighting, ...]) -> Issue:
    """The issue that a row (by `ISSUE_COLUMNS`) stands for."""
    return Issue(
        id=row["id"],
        county=row["county"],
        number=row["number"] or "",
        category=row["category"],
        subdefects=tuple(orjson.loads(row["subdefects"])),
        severity=row["severity"],
        status=Status(row["status"]),
        quantity_found=row["quantity_found"],
        quantity_done=row["quantity_done"],
        unit=row["unit"],
        place_id=row["place_id"],
        village_id=row["village_id"],
        town_id=row["town_id"],
        place_code_given=row["place_code_given"],
        located=Located(row["located"]),
        geometry=geometry,
        location_text=row["location_text"],
        description=row["description"],
        source=row["source"],
        found_on=_date(row["found_on"]),
        lead_unit=row["lead_unit"],
        help_units=tuple(orjson.loads(row["help_units"])),
        responsible=row["responsible"],
        phone=row["phone"],
        due_on=_date(row["due_on"]),
        hard_due_on=_date(row["hard_due_on"]),
        claimed_closed_on=_date(row["claimed_closed_on"]),
        closed_on=_date(row["closed_on"]),
        deferred_until=_date(row["deferred_until"]),
        interim_on=_date(row["interim_on"]),
        privacy=Privacy(row["privacy"]),
        relapse_of=row["relapse_of"],
        duplicate_of=row["duplicate_of"],
        facility=row["facility"],
        checked=tuple(orjson.loads(row["checked"])),
        revision=row["revision"],
        sightings=sightings,
    )


def wkts_of(blobs_given: Sequence[bytes | None]) -> list[str | None]:
    """WKT with at most 7 decimals of GeoPackage blobs of ours."""
    shapes = shapely.from_wkb([wkb_of_blob(blob) for blob in blobs_given])
    return list(shapely.to_wkt(shapes, rounding_precision=7, trim=True))


def sighting_rows(issue: Issue) -> list[tuple[Any, ...]]:
    """Values for `SIGHTING_COLUMNS`, one row a sighting."""
    return [
        (
            issue.county, sighting.id, issue.id, position, sighting.source, sighting.list_name, sighting.list_number,
            _day(sighting.found_on), sighting.found_by, sighting.given_x, sighting.given_y, sighting.datum,
            sighting.accuracy_m, sighting.row_key,
        )
        for position, sighting in enumerate(issue.sightings)
    ]  # fmt: skip


def sighting_of(row: Row) -> Sighting:
    """The sighting that a row stands for."""
    return Sighting(
        id=row["id"],
        source=row["source"],
        list_name=row["list_name"],
        list_number=row["list_number"],
        found_on=_date(row["found_on"]),
        found_by=row["found_by"],
        given_x=row["given_x"],
        given_y=row["given_y"],
        datum=row["datum"],
        accuracy_m=row["accuracy_m"],
        row_key=row["row_key"],
    )


def place_of(row: Row, codes: Sequence[str], aliases: Sequence[str]) -> Place:
    """The place that a row stands for; ``codes`` lists the former ones."""
    seat = None if row["seat_lon"] is None else (row["seat_lon"], row["seat_lat"])
    return Place(
        place_id=row["place_id"],
        county=row["county"],
        level=Level(row["level"]),
        code=row["code"],
        name=row["name"],
        short_name=row["short_name"],
        parent_id=row["parent_id"],
        aliases=tuple(aliases),
        former_codes=tuple(codes),
        households=row["households"],
        geometry=wkb_of_blob(row["geom"]),
        seat=seat,
        approximate=bool(row["approximate"]),
        valid_from=_date(row["valid_from"]),
        valid_to=_date(row["valid_to"]),
    )


def geometry_json(wkt: str | None, shape: Any) -> str:  # noqa: ANN401 - shapely has no types
    """RFC 7946 geometry text; a point's is cut from its WKT, which is much quicker."""
    if wkt is None:
        return "null"
    if wkt.startswith("POINT ("):
        return '{"type":"Point","coordinates":[' + wkt[7:-1].replace(" ", ",") + "]}"
    return str(shapely.to_geojson(shape))


def feature_text(issue: Issue, number: str, revision: int, names: Names, geometry: str) -> str:
    """An issue's GeoJSON feature: nothing that depends on the day, the reader, the language or the datum."""
    town_code, town = names.get(issue.town_id or "", (None, None))
    village_code, village = names.get(issue.village_id or "", (None, None))
    properties = {
        "id": issue.id,
        "number": number or None,
        "town_code": town_code,
        "town": town,
        "village_code": village_code,
        "village": village,
        "category": issue.category,
        "status": issue.status.value,
        "severity": issue.severity,
        "quantity_found": issue.quantity_found,
        "quantity_done": issue.quantity_done,
        "unit": issue.unit,
        "source": issue.source,
        "found_on": issue.found_on,
        "due_on": issue.due_on,
        "claimed_closed_on": issue.claimed_closed_on,
        "closed_on": issue.closed_on,
        "description": issue.description,
        "lead_unit": issue.lead_unit,
        "revision": revision,
    }
    return (
        f'{{"type":"Feature","id":"{issue.id}","geometry":{geometry},"properties":{orjson.dumps(properties).decode()}}}'
    )
