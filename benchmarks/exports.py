"""A county of a million issues written as GeoJSON, beside ogr2ogr from the same file."""

import json
import math
import shutil
import sys
from pathlib import Path

from measuring import MEGABYTE, Usage, median_run, run, status_kb
from table import Row

FULL = 1_000_000
"""The size that the bar is for."""


def rows(folder: Path, workspace: Path, count: int, runs: int) -> list[Row]:
    """Time by the command line; memory growth in a process that has opened the county already."""
    target = folder / "out.geojson"
    words = ["export", target, "--dir", workspace]
    ours = median_run(runs, lambda: run([sys.executable, "-m", "villagemap", *words]))
    grown = json.loads(run([sys.executable, __file__, workspace, target]).out)
    peer = _ogr2ogr(folder, workspace, runs)
    work = f"{count:,} issues to GeoJSON"
    size = f"{target.stat().st_size / MEGABYTE:,.0f} MB written"
    target.unlink()
    return [
        Row(
            work=work, figure=ours.wall_s, unit="s", most=6 if count >= FULL else None,
            peer="ogr2ogr", peer_figure=peer.wall_s, notes=f"{ours.cpu_s:.1f} s CPU against {peer.cpu_s:.1f}; {size}",
        ),
        Row(
            work=f"{work}, growth of memory", figure=grown["grown_mb"], unit="MB", most=64, peer="ogr2ogr, whole",
            peer_figure=peer.own_mb, notes=f"whole process {ours.own_mb:.0f} MB",
        ),
    ]  # fmt: skip


def _ogr2ogr(folder: Path, workspace: Path, runs: int) -> Usage:
    tool = shutil.which("ogr2ogr")
    if tool is None:
        return Usage(math.nan)
    target = folder / "peer.geojson"

    def once() -> Usage:
        target.unlink(missing_ok=True)
        return run([tool, "-lco", "RFC7946=YES", target, workspace / "villagemap.gpkg", "issues"])

    usage = median_run(runs, once)
    target.unlink(missing_ok=True)
    return usage


def grow(workspace: Path, target: Path) -> float:
    """By how many megabytes an export grows a process that is ready for it."""
    from villagemap.auth import OWNER
    from villagemap.exports import write_whole
    from villagemap.flows.cases.issues import count_issues, export_geojson
    from villagemap.flows.registry import Session
    from villagemap.flows.workspace import open_workspace
    from villagemap.model import IssueFilter

    opened = open_workspace(workspace)
    session = Session(opened, OWNER)
    count_issues(session, IssueFilter(severities=(1,)))
    before = status_kb("VmRSS")
    write_whole(target, export_geojson(session, IssueFilter()))
    opened.close()
    return (status_kb("VmHWM") - before) * 1024 / MEGABYTE if before else math.nan


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"grown_mb": grow(Path(sys.argv[1]), Path(sys.argv[2]))}))
