"""100,000 rows of a ledger into a county: read in the sandbox, located, stored, indexed, chained, committed."""

import csv
import json
import math
import shutil
import sqlite3
import sys
from pathlib import Path

from ledger import COLUMNS, write_ledger
from measuring import Usage, median_run, run
from table import Row

FULL = 100_000
"""The size that the bar is for."""


def rows(folder: Path, count: int, runs: int) -> list[Row]:
    """Our import beside ogr2ogr's plain copy into a GeoPackage, and a bare insert loop into SQLite."""
    ledger = write_ledger(folder / "ledger.csv", count)
    empty = folder / "empty"
    run([sys.executable, "-m", "villagemap", "demo", "--issues", "1", "--no-serve", "--dir", empty])
    ours = median_run(runs, lambda: import_once(folder, empty, ledger, count))
    copy = _copied(folder, ledger, runs)
    loop = median_run(runs, lambda: run([sys.executable, __file__, str(ledger), str(folder / "bare.sqlite")]))
    work = f"import {count:,} rows of CSV"
    cpu = f"{ours.cpu_s:.1f} s CPU with the sandbox's child ({ours.children_mb:.0f} MB)"
    return [
        Row(
            work=work, figure=ours.wall_s, unit="s", most=8 if count >= FULL else None, peer="ogr2ogr, a plain copy",
            peer_figure=copy, notes=cpu,
        ),
        Row(work=work, figure=ours.wall_s, unit="s", peer="a bare insert loop", peer_figure=loop.wall_s),
        Row(work=f"{work}, peak memory", figure=ours.own_mb, unit="MB", most=400),
    ]  # fmt: skip


def import_once(folder: Path, empty: Path, ledger: Path, count: int) -> Usage:
    """One import by the command line into a fresh county; every row must be stored."""
    workspace = folder / "importing"
    shutil.rmtree(workspace, ignore_errors=True)
    shutil.copytree(empty, workspace)
    words = ["import", ledger, "--apply", "--json", "--dir", workspace]
    usage = run([sys.executable, "-m", "villagemap", *words])
    (report,) = json.loads(usage.out)
    if (report["stored"], report["unlocated"], report["outside"]) != (count, 0, 0):
        raise RuntimeError({name: report[name] for name in ("stored", "rejected", "unlocated", "outside")})
    return usage


def _copied(folder: Path, ledger: Path, runs: int) -> float:
    tool = shutil.which("ogr2ogr")
    if tool is None:
        return math.nan
    target = folder / "copy.gpkg"
    options = ["-oo", "X_POSSIBLE_NAMES=经度", "-oo", "Y_POSSIBLE_NAMES=纬度", "-a_srs", "EPSG:4326", "-gt", "65536"]

    def once() -> Usage:
        target.unlink(missing_ok=True)
        return run([tool, *options, target, ledger])

    return median_run(runs, once).wall_s


def bare(ledger: Path, target: Path) -> None:
    """What no import can do without: parse the rows and insert them, one table, no index, no check."""
    target.unlink(missing_ok=True)
    connection = sqlite3.connect(target)
    connection.execute(f"CREATE TABLE ledger ({', '.join(COLUMNS)})")
    with ledger.open(encoding="utf-8", newline="") as file, connection:
        reader = csv.reader(file)
        next(reader)
        connection.executemany(f"INSERT INTO ledger VALUES ({', '.join('?' * len(COLUMNS))})", reader)
    connection.close()


if __name__ == "__main__":
    bare(Path(sys.argv[1]), Path(sys.argv[2]))
