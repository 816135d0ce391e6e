"""GeoPackage and Shapefile by GDAL, cut down to these two drivers; runs only in the child."""

import codecs
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyogrio.raw
import shapely

from villagemap.errors import BadInputError
from villagemap.readers.archives import check_zip, open_zip, unpack
from villagemap.readers.contract import Limits, Parsed, ParsedRow
from villagemap.readers.geojson import wkt
from villagemap.readers.tables import json_text

_DRIVERS = {"GPKG", "ESRI Shapefile", "MEM"}
_BATCH = 5_000
_SHAPEFILE = "input.shp"
_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_NEEDED = (".shx", ".dbf")
_GBK = {"936", "cp936", "gbk", "gb2312", "oem936", "ansi936"}
_BYTES_AS_TEXT = "ISO-8859-1"
"""GDAL is asked for the bytes as they are, one character each: it would lose a cut-off last character's row."""

_Decode = Callable[[str], str]


def read_geofile(kind: str, file: str, layer: str | None, limits: Limits) -> Parsed:
    """A layer: its attributes as text, its geometries as WKT in the layer's own system, rows numbered from 1.

    Raises
    ------
    BadInputError
        ``geofile_broken``, ``layer_unknown``, ``layer_missing``, ``crs_unknown``, ``shapefile_incomplete``,
        ``shapefile_several``, ``shapefile_encoding``, ``zip_unsafe``
    """
    if set(pyogrio.list_drivers()) - _DRIVERS:
        raise RuntimeError("GDAL knows more drivers than it should")
    if kind == "shpzip":
        _unpack_shapefile(file, limits)
    source = file if kind == "gpkg" else _SHAPEFILE
    names = {"gpkg": "GeoPackage"}.get(kind, "Shapefile")
    try:
        return _read(source, layer, is_shapefile=kind != "gpkg")
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError) as fault:
        raise BadInputError("geofile_broken", kind=names) from fault


def _read(source: str, layer: str | None, *, is_shapefile: bool) -> Parsed:
    chosen, layers = _layer(source, None if is_shapefile else layer)
    encoding = _BYTES_AS_TEXT if is_shapefile else None
    about = pyogrio.read_info(source, layer=chosen, encoding=encoding)
    decode, found = _shapefile_decoder(source, chosen) if is_shapefile else (str, "utf-8")
    columns = [decode(name) for name in about["fields"]]
    head = {"columns": columns, "rows": int(about["features"]), "crs": _crs(about), "encoding": found}
    head |= {} if is_shapefile else {"sheet": chosen, "sheets": layers}
    return Parsed(head, _rows(source, chosen, encoding, decode))


def _layer(source: str, layer: str | None) -> tuple[str, list[str]]:
    """The layer asked for, or the first with geometries."""
    listed = pyogrio.list_layers(source).tolist()
    names = [name for name, _ in listed]
    if not names:
        raise BadInputError("layer_missing")
    chosen = layer or next((name for name, geometry in listed if geometry), names[0])
    if chosen not in names:
        raise BadInputError("layer_unknown", layer=chosen, known=", ".join(names))
    return chosen, names


def _crs(about: dict[str, Any]) -> str | None:
    """The layer's system: EPSG number, else its name; None for a table without geometries."""
    if about["geometry_type"] is None:
        return None
    crs = about["crs"]
    name = re.search(r'"([^"]*)"', crs) if crs and not crs.startswith("EPSG:") else None
    if not crs or (name and name[1].casefold().startswith(("undefined", "unknown"))):
        raise BadInputError("crs_unknown", crs="?")
    return name[1] if name else str(crs)


def _batches(source: str, layer: str, encoding: str | None, *, geometry: bool) -> Iterator[tuple[Any, list[Any]]]:
    """Geometries as WKB (None if not asked for) and columns of Python values, some thousand features at a time."""
    start = 0
    while True:
        _, _, shapes, fields = pyogrio.raw.read(
            source,
            layer=layer,
            encoding=encoding,
            skip_features=start,
            max_features=_BATCH,
            read_geometry=geometry,
            datetime_as_string=True,
        )
        length = len(shapes) if shapes is not None else max(map(len, fields), default=0)
        if length:
            yield shapes, [field.tolist() for field in fields]
        if length < _BATCH:
            return
        start += length


def _rows(source: str, layer: str, encoding: str | None, decode: _Decode) -> Iterator[ParsedRow]:
    number = 0
    for shapes, fields in _batches(source, layer, encoding, geometry=True):
        columns = [[_text(value, decode) for value in values] for values in fields]
        length = len(columns[0]) if columns else len(shapes)
        found = _shapes(shapes, length)
        cells = zip(*columns, strict=True) if columns else iter([()] * length)
        for values, (shape, fault) in zip(cells, found, strict=True):
            number += 1
            yield number, list(values), shape, fault


def _shapes(shapes: Any, length: int) -> list[tuple[str | None, str]]:  # noqa: ANN401 - an array of WKB, or None
    if shapes is None:
        return [(None, "")] * length
    given = np.array([shape is not None for shape in shapes], bool)
    return wkt(shapely.from_wkb(shapes, on_invalid="ignore"), given)


def _text(value: object, decode: _Decode) -> str:
    if isinstance(value, str):
        return decode(value)
    if isinstance(value, bytes) or value != value:  # noqa: PLR0124 - NaN is how a missing number comes
        return ""
    return json_text(value)


def _shapefile_decoder(source: str, layer: str) -> tuple[_Decode, str]:
    """How its attributes are to be read: as its .cpg says if they are sound so, else UTF-8, else GB18030."""
    words = set(map(str, pyogrio.read_info(source, encoding=_BYTES_AS_TEXT)["fields"]))
    for _, fields in _batches(source, layer, _BYTES_AS_TEXT, geometry=False):
        words.update(value for values in fields for value in values if isinstance(value, str) and not value.isascii())
    for encoding in (*_declared(Path(source).with_suffix(".cpg")), "utf-8", "gb18030"):
        decode = _decoder(encoding)
        if _is_sound(decode, words):
            return decode, encoding
    raise BadInputError("shapefile_encoding")


def _is_sound(decode: _Decode, words: set[str]) -> bool:
    try:
        for word in words:
            decode(word)
    except UnicodeDecodeError:
        return False
    return True


def _declared(cpg: Path) -> list[str]:
    """The encoding that a .cpg names, if we know it; GBK and its like are read as GB18030, which holds them."""
    name = cpg.read_bytes()[:40].decode("ascii", "ignore").strip().casefold() if cpg.exists() else ""
    if re.sub(r"[\s_-]", "", name) in _GBK:
        return ["gb18030"]
    try:
        return [codecs.lookup({"65001": "utf-8"}.get(name, name)).name] if name else []
    except LookupError:
        return []


def _decoder(encoding: str) -> _Decode:
    """Bytes as text → text; a last character cut off by the field's length is left out."""
    make = codecs.getincrementaldecoder(encoding)

    def decode(value: str) -> str:
        return value if value.isascii() else make("strict").decode(value.encode(_BYTES_AS_TEXT))

    return decode


def _unpack_shapefile(file: str, limits: Limits) -> None:
    """The one Shapefile of an archive, under names of ours in the current folder."""
    with open_zip(file) as archive:
        check_zip(archive, limits)
        members = [m for m in archive.infolist() if not m.is_dir() and not _is_hidden(m.filename)]
        stems = [_stem(m) for m in members if m.filename.casefold().endswith(".shp")]
        if len(stems) != 1:
            known = ", ".join(PurePosixPath(stem).name for stem in stems[:10])
            raise BadInputError("shapefile_several", known=known) if stems else BadInputError("layer_missing")
        parts = {PurePosixPath(m.filename).suffix.casefold(): m for m in members if _stem(m) == stems[0]}
        for ending in _NEEDED:
            if ending not in parts:
                raise BadInputError("shapefile_incomplete", missing=ending)
        for ending in _PARTS:
            if ending in parts:
                unpack(archive, parts[ending], Path(_SHAPEFILE).with_suffix(ending), limits)


def _stem(member: zipfile.ZipInfo) -> str:
    return str(PurePosixPath(member.filename).with_suffix("")).casefold()


def _is_hidden(name: str) -> bool:
    parts: Sequence[str] = PurePosixPath(name).parts
    return any(part.startswith((".", "__MACOSX")) for part in parts)
