"""One row of the printed table, and the machine that the figures are from."""

import math
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

HEADINGS = ("work", "bar", "here", "peer", "here ÷ peer", "notes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was measured: a figure with its unit, the bar it must reach, and the peer's figure of the same run."""

    work: str
    figure: float
    unit: str
    most: float | None = None
    peer: str = ""
    peer_figure: float = math.nan
    notes: str = ""

    def cells(self) -> tuple[str, ...]:
        bar = f"≤ {self.most:g} {self.unit}" if self.most is not None else ""
        here = said(self.figure, self.unit)
        if self.most is not None and not math.isnan(self.figure):
            here += " ✓" if self.figure <= self.most else " ✗"
        known = not math.isnan(self.peer_figure)
        peer = f"{self.peer}: {said(self.peer_figure, self.unit)}" if self.peer else ""
        ratio = f"{self.figure / self.peer_figure:.2f}" if known else ""
        return self.work, bar, here, peer, ratio, self.notes


def said(figure: float, unit: str) -> str:
    if math.isnan(figure):
        return "not available"
    return (
        f"{figure:.2f} {unit}" if figure < 10 else f"{figure:,.0f} {unit}" if figure >= 100 else f"{figure:.1f} {unit}"
    )


def markdown(rows: Iterable[Row]) -> str:
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def machine() -> str:
    """CPU, cores, memory and versions; no host name and no path."""
    return (
        f"{_cpu()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB; {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"pyogrio's GDAL {_gdal()}, ogr2ogr {_ogr2ogr()}, Folium {version('folium')}; "
        f"{datetime.now(UTC).date().isoformat()}"
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    named = {name.strip(): value.strip() for name, value in fields.items()}
    numbers = [f"{name} {named[name]}" for name in ("cpu family", "model", "stepping") if name in named]
    name = named.get("model name", "")
    speed = f", {float(named['cpu MHz']) / 1000:.1f} GHz" if "cpu MHz" in named else ""
    plain = name if name and name != "unknown" else " ".join([named.get("vendor_id", "CPU"), *numbers])
    return plain + speed


def _memory_gb() -> float:
    if sys.platform == "win32":
        return math.nan
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _gdal() -> str:
    import pyogrio

    return ".".join(map(str, pyogrio.__gdal_version__))


def _ogr2ogr() -> str:
    tool = shutil.which("ogr2ogr")
    if tool is None:
        return "not installed"
    said_version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    return said_version.split()[1].rstrip(",")
