"""All issues of a big county to one GeoJSON file: time, and how much memory grows while it is written."""

import math
import shutil
import sys
from pathlib import Path

from measuring import Usage, median_run, run
from table import Row

STREAM = """
import sys
from pathlib import Path
from measuring import status_kb
from villagemap.auth import OWNER
from villagemap.flows.issues import export_geojson
from villagemap.flows.registry import Session
from villagemap.flows.workspace import open_workspace
from villagemap.model import IssueFilter
workspace = open_workspace(Path(sys.argv[1]))
session = Session(workspace, OWNER)
next(iter(export_geojson(session, IssueFilter())))
before = status_kb("VmRSS")
with open(sys.argv[2], "wb") as file:
    for chunk in export_geojson(session, IssueFilter()):
        file.write(chunk)
print(status_kb("VmHWM") - before)
"""


def rows(folder: Path, million: Path, count: int, runs: int) -> list[Row]:
    """Our export beside ogr2ogr's from the same file."""
    target = folder / "out.geojson"
    here = {"PYTHONPATH": str(Path(__file__).parent)}
    ours = median_run(runs, lambda: run([sys.executable, "-c", STREAM, million, target], here))
    size = target.stat().st_size / 1e6
    grown = int(ours.out) * 1024 / 1e6
    work = f"{count:,} issues to GeoJSON"
    peer = _ogr2ogr(folder, million)
    return [
        Row(
            work=work, figure=ours.wall_s, unit="s", most=max(6 * count / 1e6, 1), peer="ogr2ogr", peer_figure=peer,
            notes=f"{size:,.0f} MB written, start of Python included",
        ),
        Row(work=f"{work}, memory growth", figure=grown, unit="MB", most=64),
    ]  # fmt: skip


def _ogr2ogr(folder: Path, million: Path) -> float:
    tool = shutil.which("ogr2ogr")
    if tool is None:
        return math.nan
    target = folder / "peer.geojson"

    def once() -> Usage:
        target.unlink(missing_ok=True)
        return run([tool, "-f", "GeoJSON", target, million / "villagemap.gpkg", "issues"])

    return median_run(1, once).wall_s
