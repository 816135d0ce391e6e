"""The way in for every stranger's file: parsed in a child process with limits, streamed back as rows of text.

>>> with open_table(Path("台账.xlsx")) as table:
...     for batch in table.batches():
...         for row in batch: ...

The child gets a scrubbed environment, an empty folder with our copy of the file, and bounds on memory, CPU time, files
written and core dumps (set by itself before it touches the file; on Windows the parent watches memory and time
instead). GDAL there knows two drivers and no network. The child's answer is JSON and is checked like any input.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson

from villagemap import errors
from villagemap.crs import parse_datum
from villagemap.readers.contract import DEFAULT_LIMITS, MEGABYTE, Limits
from villagemap.readers.intake import Taken, take_in

_BOOT = """
import json, sys
sys.path[:] = json.loads(sys.argv.pop())
from villagemap.readers.child import main
main()
"""
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "WINDIR")
_LONGEST_LINE = 64 * MEGABYTE
_WATCH_S = 0.1
_KINDS = {"shpzip": "shp"}

_SKIPPED_DRIVERS = (
    "ADBC,AIVector,AVCBin,AVCE00,AmigoCloud,Arrow,CAD,CSV,CSW,Carto,DGN,DXF,EDIGEO,EEDA,ESRIJSON,Elasticsearch,"
    "FileGDB,FlatGeobuf,GDALG,GML,GMLAS,GPSBabel,GPX,GTFS,GeoJSON,GeoJSONSeq,GeoRSS,HTTP,Idrisi,JML,JSONFG,KML,"
    "LIBKML,LVBAG,MBTiles,MSSQLSpatial,MVT,MapInfo File,MapML,Memory,MiraMonVector,MongoDBv3,MySQL,NAS,NGW,OAPIF,"
    "ODBC,ODS,OGCAPI,OGR_GMT,OGR_PDS,OGR_VRT,OSM,OpenFileGDB,PCIDSK,PDF,PDS4,PGDUMP,PGeo,PLSCENES,PMTiles,"
    "Parquet,PostgreSQL,S57,SOSI,SQLite,SXF,Selafin,TileDB,TopoJSON,VDV,VFK,VICAR,VRT,WAsP,WFS,XLS,XLSX,XODR"
)
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "GDAL_SKIP": _SKIPPED_DRIVERS,
    "GDAL_DRIVER_PATH": "disable",
    "GDAL_HTTP_PROXY": "127.0.0.1:9",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{noext}",
    "GDAL_PAM_ENABLED": "NO",
}
"""GDAL reads these when it is loaded; set later they have no effect."""


class Row(NamedTuple):
    """One row: its number in the file as a person counts, its values exactly as given, its geometry.

    ``values`` has at least as many entries as the table has columns; more means that the row ran over its header.
    ``geometry`` is WKT in the table's ``crs``. ``fault`` is a finding's code about the row alone
    (``geometry_broken``, ``row_too_long``), or "".
    """

    number: int
    values: list[str]
    geometry: str | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An opened file. ``rows`` is None where only reading to the end tells; ``crs`` where the file doesn't say."""

    file: str
    kind: str
    columns: tuple[str, ...]
    sha256: str
    sheet: str | None = None
    sheets: tuple[str, ...] = ()
    rows: int | None = None
    crs: str | None = None
    encoding: str | None = None
    _child: "_Child" = field(repr=False)

    def batches(self) -> Iterator[list[Row]]:
        """All rows once, a few thousand at a time.

        Raises
        ------
        BadInputError
            For a fault in the file that shows only now; what came before must not be stored.
        """
        return self._child.batches(len(self.columns))


@contextmanager
def open_table(path: Path, *, sheet: str | None = None, limits: Limits = DEFAULT_LIMITS) -> Iterator[Table]:
    """Open a CSV, XLSX, GeoJSON, GeoPackage or Shapefile (also zipped) of a stranger.

    Parameters
    ----------
    path
        The file; its name's ending says what it must be.
    sheet
        Sheet or layer by name; the first visible one by default.

    Raises
    ------
    NotFoundError
        ``file_missing``
    BadInputError, TooLargeError
        Whatever is wrong with the file, each with ``file`` among its params.
    """
    with TemporaryDirectory(prefix="villagemap-") as folder:
        taken = take_in(path, Path(folder), limits)
        with open_taken(taken, Path(folder), path.name, sheet=sheet, limits=limits) as table:
            yield table


@contextmanager
def open_taken(
    taken: Taken, folder: Path, name: str, *, sheet: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Table]:
    """What a child says of our own copy of a file in ``folder``; ``name`` is the stranger's name for it."""
    child = _Child(taken, folder, name, sheet, limits)
    try:
        yield _table(name, taken, child)
    finally:
        child.end()


def _table(name: str, taken: Taken, child: "_Child") -> Table:
    head = child.head()
    crs = "gcj02" if ".gcj02." in name.casefold() and taken.kind == "geojson" else head.get("crs")
    if crs is not None:
        _check_crs(crs, name)
    return Table(
        file=name,
        kind=_KINDS.get(taken.kind, taken.kind),
        columns=tuple(head["columns"]),
        sha256=taken.sha256,
        sheet=head.get("sheet"),
        sheets=tuple(head.get("sheets", ())),
        rows=head.get("rows"),
        crs=crs,
        encoding=head.get("encoding"),
        _child=child,
    )


def _check_crs(crs: str, name: str) -> None:
    """Refuse a system that no position could be taken from."""
    try:
        parse_datum(crs)
    except errors.BadInputError as fault:
        code = "crs_unknown" if fault.code == "datum_unknown" else "crs_refused"
        raise errors.BadInputError(code, **{**fault.params, "file": name, "crs": crs}) from fault


class _Child:
    """The parsing process and what it says."""

    def __init__(self, taken: Taken, folder: Path, name: str, sheet: str | None, limits: Limits) -> None:
        request = {"file": taken.file, "kind": taken.kind, "sheet": sheet, "limits": asdict(limits)}
        # -I keeps the current folder and the environment out; the very paths of ours keep the versions the same
        paths = [path for path in sys.path if Path(path).is_absolute()]
        self.name, self.limits = name, limits
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
            [sys.executable, "-I", "-c", _BOOT, orjson.dumps(request).decode(), orjson.dumps(paths).decode()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=_ENVIRONMENT | {k: os.environ[k] for k in _KEPT_ENVIRONMENT if k in os.environ},
            start_new_session=True,
        )
        self.watch = _Watch(self.process, limits)
        self.watch.start()

    def head(self) -> dict[str, Any]:
        """The first line."""
        head = self._line()
        columns = head.get("columns") if isinstance(head, dict) else None
        if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns):
            raise self._died()
        return dict(head)

    def batches(self, width: int) -> Iterator[list[Row]]:
        """The lines up to the end, as rows of at least ``width`` values."""
        count = 0
        while isinstance(batch := self._line(), list):
            rows = _rows(batch, width)
            if rows is None:
                raise self._died()
            count += len(rows)
            yield rows
        if batch != {"end": count}:
            raise self._died()

    def end(self) -> None:
        """Stop the process, whatever it is doing."""
        self.watch.done.set()
        self.process.kill()
        self.process.wait()
        self.watch.join()
        if self.process.stdout:
            self.process.stdout.close()

    def _line(self) -> Any:  # noqa: ANN401 - JSON
        if self.process.stdout is None:
            raise self._died()
        with self.watch.waiting():
            line = self.process.stdout.readline(_LONGEST_LINE)
        try:
            answer = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise self._died() from None
        if isinstance(answer, dict) and "error" in answer:
            raise self._error(answer["error"])
        return answer

    def _error(self, answer: Any) -> errors.VillagemapError:  # noqa: ANN401 - JSON
        """The child's error, if it is one of ours and makes a sentence."""
        known = {"BadInputError": errors.BadInputError, "TooLargeError": errors.TooLargeError}
        try:
            kind, code, params = answer
            error = known[kind](code, **{**params, "file": self.name})
            error.sentence("en")
        except (TypeError, ValueError, KeyError, OSError):
            return self._died()
        return error

    def _died(self) -> errors.BadInputError:
        """Why the child said nothing more."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_WATCH_S)
        if self.watch.ended_for == "memory":
            megabytes = self.limits.memory_bytes // MEGABYTE
            return errors.TooLargeError("parser_memory", file=self.name, limit_mb=megabytes)
        if self.watch.ended_for == "time":
            return errors.TooLargeError("parser_too_slow", file=self.name, seconds=self.limits.wall_s)
        if sys.platform != "win32" and self.process.poll() == -signal.SIGXCPU:
            return errors.TooLargeError("parser_too_slow", file=self.name, seconds=self.limits.cpu_s)
        return errors.BadInputError("parser_died", file=self.name)


def _rows(batch: list[Any], width: int) -> list[Row] | None:
    """The rows of one line; None if it isn't made as it must be."""
    try:
        numbers, values, shapes, faults = batch
        texts = set(map(type, chain(*values, faults))) <= {str} and set(map(type, shapes)) <= {str, type(None)}
        if not texts or set(map(type, numbers)) - {int} or any(len(cells) < width for cells in values):
            return None
        if not len(numbers) == len(values) == len(shapes) == len(faults):
            return None
        return list(map(Row, numbers, values, shapes, faults))
    except (TypeError, ValueError):
        return None


class _Watch(threading.Thread):
    """Ends a child that we wait for too long or, where the system sets no limit, that grows too large."""

    def __init__(self, process: "subprocess.Popen[bytes]", limits: Limits) -> None:
        super().__init__(name="villagemap-sandbox-watch", daemon=True)
        self.process, self.limits = process, limits
        self.done = threading.Event()
        self.ended_for = ""
        self._waited = 0.0
        self._since: float | None = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time in here counts."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._waited += time.monotonic() - self._since
            self._since = None

    def run(self) -> None:
        """Look every tenth of a second."""
        while not self.done.wait(_WATCH_S):
            since = self._since
            waited = self._waited + (time.monotonic() - since if since is not None else 0)
            if waited > self.limits.wall_s:
                self.ended_for = "time"
            elif sys.platform == "win32" and _windows_memory(self.process) > self.limits.memory_bytes:
                self.ended_for = "memory"
            if self.ended_for:
                self.process.kill()
                return


def _windows_memory(process: "subprocess.Popen[bytes]") -> int:
    """Bytes of memory that a process has committed; 0 elsewhere than on Windows, or once it has ended."""
    if sys.platform != "win32":
        return 0
    import ctypes  # noqa: PLC0415 - Windows only
    from ctypes import wintypes  # noqa: PLC0415

    class Counters(ctypes.Structure):
        """PROCESS_MEMORY_COUNTERS of the Windows API."""

        _fields_ = (
            ("cb", wintypes.DWORD),
            ("faults", wintypes.DWORD),
            *((name, ctypes.c_size_t) for name in ("peak_set", "set", "peak_paged", "paged", "peak_pool", "pool")),
            ("pagefile", ctypes.c_size_t),
            ("peak_pagefile", ctypes.c_size_t),
        )

    counters = Counters()
    counters.cb = ctypes.sizeof(counters)
    handle = wintypes.HANDLE(int(process._handle))  # noqa: SLF001 - Popen has no public name for it
    found = ctypes.windll.kernel32.K32GetProcessMemoryInfo(handle, ctypes.byref(counters), counters.cb)
    return int(counters.pagefile) if found else 0
