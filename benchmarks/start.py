"""How long somebody waits for the command line's help."""

import sys

from measuring import median_run, run
from table import Row

RUNS = 15


def rows() -> list[Row]:
    """``villagemap --help`` beside a Python that does nothing."""
    ours = median_run(RUNS, lambda: run([sys.executable, "-m", "villagemap", "--help"]))
    bare = median_run(RUNS, lambda: run([sys.executable, "-c", "pass"]))
    return [
        Row(
            work="villagemap --help", figure=ours.wall_s, unit="s", most=0.4, peer="Python alone",
            peer_figure=bare.wall_s, notes=f"median of {RUNS}",
        )
    ]  # fmt: skip
