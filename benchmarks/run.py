"""Measure what villagemap promises, beside its peers on the same machine in the same run; prints one table.

python3 run.py bench                 everything, at full size: some minutes for the county, some for the runs
python3 run.py bench --quick         10,000 rows and 20,000 issues: a minute or two
python3 run.py bench import tiles    only these
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import exports
import imports
import pages
import roads
import routes
import scores
import start
import tiles
import verifying
import writes
from measuring import run
from table import Row, machine, markdown

ROWS, ISSUES = 100_000, 1_000_000
QUICK_ROWS, QUICK_ISSUES = 10_000, 20_000
NAMES = ("start", "import", "export", "tiles", "pages", "verify", "writes", "scores", "roads", "routes")
NEED_COUNTY = frozenset({"export", "tiles", "pages", "verify"})


def main(words: Sequence[str]) -> None:
    options = parser().parse_args(words)
    names = options.names or NAMES
    if unknown := set(names) - set(NAMES):
        parser().error(f"unknown: {', '.join(unknown)}; known: {', '.join(NAMES)}")
    with tempfile.TemporaryDirectory(prefix="villagemap-bench-") as temporary:
        folder = Path(temporary)
        workspace = options.workspace or folder / "county"
        if NEED_COUNTY.intersection(names) and not (workspace / "villagemap.gpkg").exists():
            say(f"building a county of {options.issues:,} issues")
            built = run(demo(workspace, options.issues))
            say(f"built in {built.wall_s:.0f} s ({built.cpu_s:.0f} s CPU), {built.own_mb:.0f} MB at most")
        measured: dict[str, Callable[[], list[Row]]] = {
            "start": start.rows,
            "import": lambda: imports.rows(folder, options.rows, options.runs),
            "export": lambda: exports.rows(folder, workspace, options.issues, options.runs),
            "tiles": lambda: tiles.rows(workspace, options.issues),
            "pages": lambda: pages.rows(folder, workspace, options.issues, options.runs),
            "verify": lambda: verifying.rows(workspace),
            "writes": lambda: writes.rows(folder, writes.small_county(folder)),
            "scores": lambda: scores.rows(folder, options.rows, options.runs),
            "roads": lambda: roads.rows(options.runs),
            "routes": lambda: routes.rows(options.runs),
        }
        table: list[Row] = []
        for name in names:
            say(f"measuring {name}")
            table += measured[name]()
    print(machine(), markdown(table), f"Median of {options.runs} runs where nothing else is said.", sep="\n\n")


def parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    words = argparse.ArgumentParser("bench", description=__doc__, formatter_class=raw)
    words.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; default: all")
    words.add_argument("--rows", type=int, default=ROWS, help="rows of the ledger, default: %(default)s")
    words.add_argument("--issues", type=int, default=ISSUES, help="issues of the county, default: %(default)s")
    words.add_argument("--runs", type=int, default=3, help="of each, for the median, default: %(default)s")
    words.add_argument("--workspace", type=Path, help="where the county is, or is built to be used again")
    quick = {"rows": QUICK_ROWS, "issues": QUICK_ISSUES}
    words.add_argument("--quick", action=_Quick, nargs=0, help=f"small sizes: {quick['rows']}, {quick['issues']}")
    return words


class _Quick(argparse.Action):
    def __call__(self, _parser: object, options: argparse.Namespace, *_: object) -> None:
        options.rows, options.issues = QUICK_ROWS, QUICK_ISSUES


def demo(workspace: Path, count: int) -> list[str | Path]:
    return [sys.executable, "-m", "villagemap", "demo", "--issues", str(count), "--no-serve", "--dir", workspace]


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
