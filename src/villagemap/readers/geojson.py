"""GeoJSON feature by feature, without GDAL and without holding the file as objects; runs only in the child.

The braces of the text tell where each feature begins and ends; each is then parsed by itself. What is left when
the features are cut out is a small document of its own, which shows the collection's other members.
"""

import mmap
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely

from villagemap.errors import BadInputError, TooLargeError
from villagemap.readers.contract import Limits, Parsed, ParsedRow
from villagemap.readers.tables import json_text

_BRACE = re.compile(rb'(?:[^{}"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+([{}"]|\Z)', re.DOTALL)
"""To the next brace outside a string, to a quotation mark without partner, or to the end: it never looks twice."""

_OPENING = re.compile(rb'"features"\s*:\s*(\[)\s*\Z')
_COMMA = re.compile(rb"\s*,\s*\Z")
_CLOSING = re.compile(rb"\s*\]")
_BATCH = 1_000
_LONGEST_NAME = 200

_PLAIN_CRS = re.compile(r"(?:urn:ogc:def:crs:)?(?:OGC:1\.3:CRS84|EPSG:[\d.]*:?(4326|4490))")


def read_geojson(file: str, limits: Limits) -> Parsed:
    """A FeatureCollection: a column for each property (and ``id``), a row for each feature, numbered from 1.

    ``crs`` in the head is EPSG:4326 as RFC 7946 has it, EPSG:4490 where a crs member plainly says so, or the word of
    a member ``datum`` (our own GCJ-02 export writes it).

    Raises
    ------
    BadInputError
        ``geojson_broken``, ``geojson_crs`` for any other crs member: a link, an unknown or a projected system
    """
    with Path(file).open("rb") as stream:
        text = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    collection, spans = _cut(text, limits)
    head = {"rows": len(spans) // 2, "crs": _crs(collection), "encoding": "utf-8"}
    columns = _columns(text, spans)
    return Parsed({"columns": columns, **head}, _rows(text, spans, columns))


def _cut(text: mmap.mmap, limits: Limits) -> tuple[dict[str, Any], "array[int]"]:
    """The collection without its features, and where they are: start and end of each in turn."""
    spans, depth, last, inside, opening = array("Q"), 0, 0, False, 0
    for brace in _BRACE.finditer(text):
        at = brace.end() - 1
        if brace[1] == b"{":
            if depth == 1:
                start = _OPENING.search(text, last, at)
                inside = start is not None or (inside and _COMMA.match(text, last, at) is not None)
                if start is not None and opening:
                    raise _broken("features twice")
                opening = start.start(1) if start is not None else opening
                if inside:
                    spans.append(at)
            depth += 1
        elif brace[1] == b"}":
            depth -= 1
            if depth == 1 and inside:
                spans.append(at + 1)
        elif brace[1]:
            raise _broken("quotation mark")
        last = at + 1
        if len(spans) > 2 * limits.rows:
            raise TooLargeError("table_too_long", limit=limits.rows)
    return _collection(text, spans, opening), spans


def _collection(text: mmap.mmap, spans: Sequence[int], opening: int) -> dict[str, Any]:
    rest = text[:]
    if spans:
        closing = _CLOSING.match(text, spans[-1])
        if closing is None or len(spans) % 2:
            raise _broken("features")
        rest = text[:opening] + b"[]" + text[closing.end() :]
    try:
        collection = orjson.loads(rest.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as fault:
        raise _broken(str(fault)[:100]) from fault
    if not isinstance(collection, dict) or collection.get("type") != "FeatureCollection":
        raise _broken("type")
    if collection.get("features") != []:
        raise _broken("features")
    return collection


def _crs(collection: Mapping[str, Any]) -> str:
    """What the collection says of its coordinates."""
    member = collection.get("crs")
    crs = "EPSG:4326"
    if member is not None:
        properties = member.get("properties") if isinstance(member, dict) else None
        name = properties.get("name") if isinstance(properties, dict) and member.get("type") == "name" else None
        plain = _PLAIN_CRS.fullmatch(name) if isinstance(name, str) else None
        if plain is None:
            raise BadInputError("geojson_crs", crs=str(name or "link")[:100])
        crs = f"EPSG:{plain[1] or 4326}"
    datum = collection.get("datum", crs)
    if not isinstance(datum, str):
        raise _broken("datum")
    return datum


def _columns(text: mmap.mmap, spans: Sequence[int]) -> list[str]:
    """Names of all properties in the order they are first met; ``id`` too where only the feature has one."""
    names: dict[str, None] = {}
    has_id = False
    for _, feature in _features(text, spans):
        names.update(dict.fromkeys(feature["properties"]))
        has_id = has_id or "id" in feature
    columns = [name for name in names if len(name) <= _LONGEST_NAME]
    return ["id", *columns] if has_id and "id" not in names else columns


def _features(text: mmap.mmap, spans: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Features with their numbers; properties are always a dictionary."""
    for number, at in enumerate(range(0, len(spans), 2), 1):
        try:
            feature = orjson.loads(text[spans[at] : spans[at + 1]])
        except orjson.JSONDecodeError as fault:
            raise _broken(f"feature {number}: {fault}"[:100]) from fault
        properties = feature.setdefault("properties", {})
        if feature.get("type") != "Feature" or not isinstance(properties, dict | None):
            raise _broken(f"feature {number}")
        if properties is None:
            feature["properties"] = {}
        yield number, feature


def _rows(text: mmap.mmap, spans: Sequence[int], columns: Sequence[str]) -> Iterator[ParsedRow]:
    features = _features(text, spans)
    while batch := list(islice(features, _BATCH)):
        shapes = shape_texts([feature.get("geometry") for _, feature in batch])
        for (number, feature), (shape, fault) in zip(batch, shapes, strict=True):
            properties = {"id": feature.get("id"), **feature["properties"]}
            yield number, [json_text(properties.get(column)) for column in columns], shape, fault


def shape_texts(members: Sequence[object]) -> list[tuple[str | None, str]]:
    """WKT of GeoJSON geometries with 7 decimals, or None; and ``geometry_broken`` where it makes no sense.

    A missing geometry, or one without coordinates, is no position and no fault.
    """
    texts = np.array([b"" if member is None else orjson.dumps(member) for member in members], object)
    given = texts != b""
    shapes = np.full(len(texts), None, object)
    shapes[given] = shapely.from_geojson(texts[given], on_invalid="ignore")
    return wkt(shapes, given)


def wkt(shapes: "np.ndarray[Any, np.dtype[np.object_]]", given: "np.ndarray[Any, Any]") -> list[tuple[str | None, str]]:
    """As `shape_texts`, of shapely geometries; ``given`` tells where the file had something."""
    flat = shapely.force_2d(shapes)
    empty = shapely.is_empty(flat)
    sound = ~shapely.is_missing(flat) & ~empty & np.isfinite(shapely.bounds(flat)).all(axis=1)
    words = shapely.to_wkt(np.where(sound, flat, None), rounding_precision=7)
    broken = given & ~sound & ~empty
    return [(word, "geometry_broken" if bad else "") for word, bad in zip(words.tolist(), broken.tolist(), strict=True)]


def _broken(where: str) -> BadInputError:
    return BadInputError("geojson_broken", where=where)
