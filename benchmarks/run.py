"""Runs the benchmarks and prints one table: ``python3 run.py bench [names] [--quick] [--workspace DIR]``.

Every row says what was measured, the bar, the figure and a peer's figure of the same run. Nothing here is a test: the
machine is named, and ratios tell more than digits.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

import exports
import imports
import serving
import start
import writes
from measuring import run
from table import Row, machine, markdown

import run as project

NAMES = ("start", "imports", "writes", "exports", "serving")


def main() -> None:
    """Measure what is named (all by default) and print the table."""
    options = _options()
    names = options.names or NAMES
    with tempfile.TemporaryDirectory(prefix="villagemap-bench-") as folder:
        found: list[Row] = []
        if "start" in names:
            found += start.rows()
        if "imports" in names:
            found += imports.rows(Path(folder), options.rows, options.runs)
        if "writes" in names:
            found += writes.rows(Path(folder), writes.small_county(Path(folder)))
        if {"exports", "serving"} & set(names):
            big = options.workspace or _built(Path(folder), options.issues)
            if "exports" in names:
                found += exports.rows(Path(folder), big, options.issues, options.runs)
            if "serving" in names:
                found += serving.rows(big, options.issues, project.find_browser() or "")
    print(f"{machine()}\n\n{markdown(found)}")


def _options() -> argparse.Namespace:
    words = argparse.ArgumentParser(prog="villagemap bench")
    words.add_argument("names", nargs="*", choices=[*NAMES, []], help=f"default: {', '.join(NAMES)}")
    words.add_argument("--quick", action="store_true", help="a tenth and a fiftieth of the data, for a first look")
    words.add_argument("--rows", type=int, default=0, help="rows to import (100,000)")
    words.add_argument("--issues", type=int, default=0, help="issues of the big county (1,000,000)")
    words.add_argument("--runs", type=int, default=3, help="runs of each, of which the median counts")
    words.add_argument("--workspace", type=Path, help="a sample county of --issues that is there already")
    options = words.parse_args()
    options.rows = options.rows or (10_000 if options.quick else 100_000)
    options.issues = options.issues or (20_000 if options.quick else 1_000_000)
    return options


def _built(folder: Path, issues: int) -> Path:
    workspace = folder / "big"
    run([sys.executable, "-m", "villagemap", "demo", "--issues", str(issues), "--no-serve", "--dir", workspace])
    return workspace


if __name__ == "__main__":
    main()
