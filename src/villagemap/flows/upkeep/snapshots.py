"""Snapshots of a county for others: issues, towns, villages and hamlets as flat tables with names and labels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import shapely

from villagemap.anchors import anchor_code
from villagemap.auth import Policy
from villagemap.errors import WrongUseError
from villagemap.exports import without_phones
from villagemap.flows.narrowing import visible
from villagemap.flows.registry import Session, flow
from villagemap.flows.workspace import Workspace
from villagemap.model import Audience, IssueFilter, Level, Place
from villagemap.settings import TIME_ZONE, now
from villagemap.snapshots import ABOUT, Layer, write_snapshot
from villagemap.store import Head
from villagemap.texts import text
from villagemap.vocabulary import Vocabulary

LANG = "zh"
"""Labels are Chinese whoever asks: the file goes to the county's offices."""

COLUMNS = {
    "id": "text", "number": "text", "town_code": "text", "town": "text", "village_code": "text", "village": "text",
    "category": "text", "category_zh": "text", "status": "text", "status_zh": "text", "severity": "whole",
    "quantity_found": "number", "quantity_done": "number", "unit": "text", "source": "text", "source_zh": "text",
    "found_on": "day", "due_on": "day", "claimed_closed_on": "day", "closed_on": "day", "lead_unit": "text",
    "lead_unit_zh": "text", "description": "text", "revision": "whole",
}  # fmt: skip
"""An issue's columns and their kinds. Days stand as they were set: a deadline is no urgency, which changes daily."""

FREE_TEXT = ("description",)
"""Columns that the public doesn't get, because somebody may be named in them."""

_LABELS = {"category_zh": "categories", "status_zh": "statuses", "source_zh": "sources", "lead_unit_zh": "units"}
_PLACE_COLUMNS = {
    "place_id": "text", "code": "text", "name": "text", "short_name": "text", "town_code": "text", "town": "text",
    "village_code": "text", "village": "text", "households": "whole", "approximate": "flag", "seat_lon": "number",
    "seat_lat": "number",
}  # fmt: skip
_LAYERS = {Level.TOWN: "towns", Level.VILLAGE: "villages", Level.HAMLET: "hamlets"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What was written: how many rows of each layer, and where the chain stood."""

    path: Path
    rows: Mapping[str, int]
    seq: int


@flow("backups.snapshot", Policy.READ)
def write_county(session: Session, path: Path, audience: Audience) -> Snapshot:
    """Write what the office or the public may have of a county as one GeoPackage.

    Neither gets restricted rows, persons or telephone numbers; the public gets no free text either, and an issue at
    somebody's home by its village only. Whoever may see less than the audience gets no more than they may see.

    Raises
    ------
    WrongUseError
        ``snapshot_audience`` for the owner, whose file is a backup; and like `snapshots.write_snapshot`.
    """
    if audience is Audience.OWNER:
        raise WrongUseError("snapshot_audience")
    workspace = session.workspace
    where = visible(session, IssueFilter(audience=audience))
    head = workspace.store.head()
    layers = [
        _issues(workspace, where),
        *_places(workspace.store.places(), workspace.settings.day()),
        _about(workspace, where.audience, head),
    ]
    write_snapshot(path, layers)
    return Snapshot(path=path, rows={layer.name: _length(layer) for layer in layers if layer.shapes}, seq=head.seq)


def _length(layer: Layer) -> int:
    return len(layer.shapes or ())


def _issues(workspace: Workspace, where: IssueFilter) -> Layer:
    """All that ``where`` keeps, read from one consistent state."""
    hidden = FREE_TEXT if where.audience is Audience.PUBLIC else ()
    names = [name for name in COLUMNS if name not in hidden]
    columns: dict[str, list[Any]] = {name: [] for name in names}
    shapes: list[Any] = []
    for block in workspace.store.features(where):
        features = [orjson.loads(without_phones(feature)) for feature in block]
        shapes += _shapes(feature["geometry"] for feature in features)
        for feature in features:
            row = _labelled(feature["properties"], workspace.vocabulary)
            for name in names:
                columns[name].append(row[name])
    return _layer("issues", {name: (COLUMNS[name], columns[name]) for name in names}, shapes)


def _layer(name: str, columns: Mapping[str, tuple[str, list[Any]]], shapes: list[Any] | None) -> Layer:
    return Layer(name, text(f"backups.layers.{name}", LANG), columns, shapes)


def _shapes(geometries: Iterable[Mapping[str, Any] | None]) -> list[Any]:
    """Shapely geometries of GeoJSON ones; points, which nearly all are, without a way through text."""
    return [
        None
        if geometry is None
        else shapely.Point(geometry["coordinates"])
        if geometry["type"] == "Point"
        else shapely.from_geojson(orjson.dumps(geometry))
        for geometry in geometries
    ]


def _labelled(properties: dict[str, Any], vocabulary: Vocabulary) -> dict[str, Any]:
    labels = {
        name: vocabulary.label(kind, properties[name.removesuffix(f"_{LANG}")], LANG) for name, kind in _LABELS.items()
    }
    return properties | labels


def _places(places: list[Place], today: date) -> list[Layer]:
    """A layer for each level, of the places that there are today."""
    by_id = {place.place_id: place for place in places}
    layers = []
    for level, name in _LAYERS.items():
        chosen = [p for p in places if p.level is level and (p.valid_to is None or p.valid_to >= today)]
        rows = [_place_row(place, by_id) for place in chosen]
        columns = {column: (kind, [row[column] for row in rows]) for column, kind in _PLACE_COLUMNS.items()}
        layers.append(_layer(name, columns, [place.geometry and shapely.from_wkb(place.geometry) for place in chosen]))
    return layers


def _place_row(place: Place, by_id: Mapping[str, Place]) -> dict[str, Any]:
    above: dict[Level, Place] = {place.level: place}
    parent = by_id.get(place.parent_id or "")
    while parent is not None and parent.level not in above:
        above[parent.level] = parent
        parent = by_id.get(parent.parent_id or "")
    town, village = above.get(Level.TOWN), above.get(Level.VILLAGE)
    lon, lat = place.seat or (None, None)
    return {
        "place_id": place.place_id,
        "code": place.code or None,
        "name": place.name,
        "short_name": place.short_name,
        "town_code": town and town.code,
        "town": town and town.name,
        "village_code": village and village.code,
        "village": village and village.name,
        "households": place.households,
        "approximate": place.approximate,
        "seat_lon": lon,
        "seat_lat": lat,
    }


def _about(workspace: Workspace, audience: Audience, head: Head) -> Layer:
    """What this file is, for whoever finds it on a stick: a plain table."""
    settings = workspace.settings
    rows = {
        "villagemap_snapshot": audience.value,
        "county": settings.name,
        "made_at": f"{now().astimezone(TIME_ZONE):%Y-%m-%d %H:%M}",
        "events": str(head.seq),
        "anchor": anchor_code(*head) if head.seq else "",
        "content": text(f"backups.about.{audience.value}", LANG),
        "borders": text("backups.about.borders", LANG),
        "use": settings.map_review_number or text("backups.about.internal", LANG),
    }
    if settings.demo:
        rows["sample"] = text("backups.about.demo", LANG)
    return _layer(ABOUT, {"key": ("text", list(rows)), "value": ("text", list(rows.values()))}, None)
