"""What runs in the sandbox: limit this process, parse one file, tell it line by line on stdout.

Each line is a JSON object or array: a head, batches ``[numbers, rows of values, geometries, faults]``, then
``{"end": n}``; or ``{"error": [class, code, params]}`` at any time. Nothing is ever pickled.
"""

import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from villagemap.errors import TooLargeError, VillagemapError
from villagemap.readers.contract import MEGABYTE, Limits, Parsed, ParsedRow

BATCH_ROWS = 2_000
BATCH_CHARS = 1_000_000


def main() -> None:
    """Do what ``argv[1]`` (JSON: file, kind, sheet, limits) asks, in the current folder."""
    request = orjson.loads(sys.argv[1])
    limits = Limits(**request["limits"])
    out = sys.stdout.buffer
    try:
        restrict(limits, may_write=request["kind"] == "shpzip")
        tell(parse(request["kind"], request["file"], request["sheet"], limits), limits, out)
    except VillagemapError as fault:
        answer = [type(fault).__name__, fault.code, fault.params]
    except Exception as fault:  # noqa: BLE001 - whatever a parser throws on a broken file
        if isinstance(fault, MemoryError) or isinstance(fault.__cause__, MemoryError):
            answer = ["TooLargeError", "parser_memory", {"limit_mb": limits.memory_bytes // MEGABYTE}]
        else:
            answer = ["BadInputError", "parser_died", {"fault": f"{type(fault).__name__}: {fault}"[:500]}]
    else:
        return
    out.write(orjson.dumps({"error": answer}) + b"\n")
    out.flush()


def restrict(limits: Limits, *, may_write: bool) -> None:
    """Bound memory, CPU time, files and dumps of this process (where there is no ``resource``, the parent watches)."""
    try:
        import resource  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return
    bounds = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: limits.unpacked_bytes if may_write else 0,
        resource.RLIMIT_NOFILE: 64,
    }
    for kind, bound in bounds.items():
        _, hard = resource.getrlimit(kind)
        least = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        # at the soft limit of CPU time the signal tells why, at the hard one it is a plain kill
        resource.setrlimit(kind, (least, hard if kind == resource.RLIMIT_CPU else least))


def parse(kind: str, file: str, sheet: str | None, limits: Limits) -> Parsed:
    """The parser for ``kind``, started; libraries load only for the kind that needs them."""
    if kind in {"csv", "xlsx"}:
        from villagemap.readers import tables  # noqa: PLC0415

        return tables.read_csv(file, limits) if kind == "csv" else tables.read_xlsx(file, sheet, limits)
    if kind == "geojson":
        from villagemap.readers import geojson  # noqa: PLC0415 - numpy and shapely

        return geojson.read_geojson(file, limits)
    if kind in {"jpeg", "png", "heic"}:
        from villagemap.readers import picture_parts  # noqa: PLC0415 - Pillow

        return picture_parts.read_picture(kind, file)
    if kind == "gpx":
        from villagemap.readers import gpx  # noqa: PLC0415

        return gpx.read_gpx(file, limits)
    if kind == "osmpbf":
        from villagemap.readers import osmpbf  # noqa: PLC0415 - osmium

        return osmpbf.read_osm(file, limits)
    from villagemap.readers import geofiles  # noqa: PLC0415 - GDAL

    return geofiles.read_geofile(kind, file, sheet, limits)


def tell(parsed: Parsed, limits: Limits, out: BinaryIO) -> None:
    """Write the head, the rows in batches, and the end."""
    width = len(parsed.head["columns"])
    if width > limits.columns:
        raise TooLargeError("table_too_wide", columns=width, limit=limits.columns)
    out.write(orjson.dumps(parsed.head) + b"\n")
    out.flush()
    count = 0
    for batch in batches(parsed.rows):
        count += len(batch[0])
        if count > limits.rows:
            raise TooLargeError("table_too_long", limit=limits.rows)
        out.write(orjson.dumps(batch) + b"\n")
    out.write(orjson.dumps({"end": count}) + b"\n")
    out.flush()


def batches(rows: Iterator[ParsedRow]) -> Iterator[tuple[list[Any], ...]]:
    """Rows in columns of at most `BATCH_ROWS` and about `BATCH_CHARS`: numbers, values, geometries, faults."""
    numbers: list[int] = []
    values: list[list[str]] = []
    shapes: list[str | None] = []
    faults: list[str] = []
    chars = 0
    for number, cells, shape, fault in rows:
        numbers.append(number)
        values.append(cells)
        shapes.append(shape)
        faults.append(fault)
        chars += sum(map(len, cells)) + (len(shape) if shape else 0)
        if len(numbers) >= BATCH_ROWS or chars >= BATCH_CHARS:
            yield numbers, values, shapes, faults
            numbers, values, shapes, faults, chars = [], [], [], [], 0
    if numbers:
        yield numbers, values, shapes, faults
