"""How long a person waits for the help."""

import statistics
import sys

from measuring import run
from table import Row

RUNS = 15


def rows() -> list[Row]:
    """The median of fifteen fresh processes, beside a Python that does nothing."""
    usages = [run([sys.executable, "-m", "villagemap", "--help"]) for _ in range(RUNS)]
    bare = [run([sys.executable, "-c", "pass"]).wall_s for _ in range(RUNS)]
    cpu = statistics.median(usage.cpu_s for usage in usages)
    return [
        Row(
            work="villagemap --help", figure=statistics.median(usage.wall_s for usage in usages), unit="s", most=0.4,
            peer="python -c pass", peer_figure=statistics.median(bare), notes=f"median of {RUNS}; {cpu:.2f} s CPU",
        )
    ]  # fmt: skip
