"""Snapshots: layers written as one ordinary GeoPackage, for QGIS or a USB stick.

It has no guards: whoever gets it may edit it. GDAL writes it, so that its R-trees are kept by GDAL's own triggers, in
version 1.3, which older programs read without a warning.
"""

import os
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from pyogrio import raw
from pyogrio.errors import DataSourceError, FeatureError

from villagemap.errors import DiskFullError, WrongUseError
from villagemap.store.disk import restrict_file, room_needed, sync_folder

SUFFIX = ".gpkg"
ABOUT = "about"
"""The table that tells what a snapshot is; by it we know one of ours."""

_CRS = "EPSG:4326"
_TYPES: dict[str, npt.DTypeLike] = {
    "text": np.object_, "day": "datetime64[D]", "whole": np.int64, "number": np.float64, "flag": np.bool_,
}  # fmt: skip
_BLANK: dict[str, Any] = {"text": None, "day": "NaT", "whole": 0, "number": np.nan, "flag": False}
_POLYGONS = {shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON}
_MARGIN = 2


class Layer(NamedTuple):
    """A layer: its columns as lists of equal length, each with its kind (text, day, whole, number, flag).

    ``shapes`` are shapely geometries (WGS 84) or None, one a row; None as a whole for a table without geometry.
    """

    name: str
    description: str
    columns: Mapping[str, tuple[str, Sequence[Any]]]
    shapes: Sequence[Any] | None = None


def write_snapshot(path: Path, layers: Sequence[Layer]) -> None:
    """Write a whole GeoPackage or none: beside its place first, then in it.

    Raises
    ------
    WrongUseError
        ``export_suffix``; ``snapshot_over_foreign`` where another kind of file stands there; ``output_unwritable``.
    DiskFullError
        If there is no room.
    """
    if path.suffix.casefold() != SUFFIX:
        raise WrongUseError("export_suffix", suffix=path.suffix or path.name, known=SUFFIX)
    if path.exists() and not is_snapshot(path):
        raise WrongUseError("snapshot_over_foreign", path=str(path))
    scratch = path.with_name(f".{path.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with room_needed():
            scratch.mkdir(mode=0o700)
            for layer in layers:
                _write_layer(scratch / path.name, layer)
            _finish(scratch / path.name, path)
    except (DataSourceError, FeatureError) as fault:
        if shutil.disk_usage(path.parent).free < _estimate(layers):
            raise DiskFullError from fault
        raise WrongUseError("output_unwritable", path=path, fault=str(fault)[:200]) from fault
    except OSError as fault:
        raise WrongUseError("output_unwritable", path=path, fault=fault.strerror or str(fault)) from fault
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def is_snapshot(path: Path) -> bool:
    """Whether a file is a snapshot of ours, which a newer one may replace."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute(f"SELECT 1 FROM {ABOUT} WHERE key = 'villagemap_snapshot'").fetchone()
    except sqlite3.Error:
        return False
    return row is not None


def _finish(written: Path, path: Path) -> None:
    restrict_file(written)
    with written.open("rb+") as file:
        os.fsync(file.fileno())
    written.replace(path)
    sync_folder(path.resolve().parent)


def _estimate(layers: Sequence[Layer]) -> int:
    """Bytes that a file of these layers needs at least, for GDAL doesn't tell a full disk from other faults."""
    cells = sum(len(values) for layer in layers for _, values in layer.columns.values())
    return (1 << 20) + _MARGIN * 8 * cells


def _write_layer(path: Path, layer: Layer) -> None:
    fields = list(layer.columns)
    data, masks = zip(*(_column(kind, values) for kind, values in layer.columns.values()), strict=True)
    shapes = None if layer.shapes is None else np.array(layer.shapes, dtype=np.object_)
    kind = None if shapes is None else _geometry_type(shapes)
    raw.write(
        path,
        geometry=None if shapes is None else shapely.to_wkb(shapes),
        field_data=list(data),
        field_mask=list(masks),
        fields=fields,
        layer=layer.name,
        driver="GPKG",
        geometry_type=kind,
        promote_to_multi=kind == "MultiPolygon",
        crs=None if shapes is None else _CRS,
        append=path.exists(),
        dataset_options={} if path.exists() else {"VERSION": "1.3"},
        layer_options={"DESCRIPTION": layer.description},
    )


def _column(kind: str, values: Sequence[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """Values as an array, and for kinds without a blank of their own which of them are blank."""
    blank = np.array([value is None for value in values], dtype=np.bool_)
    filled = np.array([_BLANK[kind] if value is None else value for value in values], dtype=_TYPES[kind])
    return filled, blank if kind in {"whole", "flag"} and blank.any() else None


def _geometry_type(shapes: npt.NDArray[np.object_]) -> str:
    """One type for a whole layer where there is one: programs style points, lines and areas differently."""
    kinds = {shapely.GeometryType(number) for number in set(shapely.get_type_id(shapes).tolist()) - {-1}}
    if kinds and kinds <= _POLYGONS:
        return "MultiPolygon"
    return "Point" if kinds <= {shapely.GeometryType.POINT} else "Unknown"
