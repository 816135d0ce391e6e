"""Run a command and see what it took: wall time, CPU time, peak memory of itself and of its children."""

import math
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.02
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run took, in seconds and megabytes.

    ``cpu_s`` is user and system time of the process and all below it. ``own_mb`` is the peak of the process's own
    resident memory, ``children_mb`` that of the largest process below it; nan where this system doesn't tell.
    """

    wall_s: float
    cpu_s: float = math.nan
    own_mb: float = math.nan
    children_mb: float = math.nan
    out: str = ""


def run(command: Sequence[str | Path], env: dict[str, str] | None = None) -> Usage:
    """Run a command to its end in a fresh process; raises RuntimeError with what it said if it fails."""
    words = list(map(str, command))
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        began = time.perf_counter()
        process = subprocess.Popen(words, stdout=out, stderr=err, env=os.environ | {"PYTHONUTF8": "1"} | (env or {}))
        peaks = Peaks(process.pid)
        cpu = _end_of(process)
        wall = time.perf_counter() - began
        peaks.stop()
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise RuntimeError(f"{' '.join(words)[:200]} ended with {process.returncode}: {err.read()[-2000:]}")
        return Usage(wall, cpu, peaks.own(), peaks.below(), out.read())


def _end_of(process: "subprocess.Popen[bytes]") -> float:
    """Wait for the end; CPU seconds where the system tells."""
    if not hasattr(os, "wait4"):
        process.wait()
        return math.nan
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime


class Peaks(threading.Thread):
    """Watches the peak of resident memory of a process and those below it.

    It reads ``VmHWM`` from ``/proc`` and not ``ru_maxrss``, which a process inherits from the one that starts it.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak_kb = pid, dict[int, int]()
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._over.wait(SAMPLE_S):
            for pid in self._family(self.pid):
                self.peak_kb[pid] = max(status_kb("VmHWM", pid), self.peak_kb.get(pid, 0))

    def _family(self, pid: int) -> list[int]:
        family = [pid]
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                for child in (task / "children").read_text().split():
                    family += self._family(int(child))
        return family

    def stop(self) -> None:
        self._over.set()
        self.join()

    def own(self) -> float:
        return self.peak_kb.get(self.pid, math.nan) * 1024 / MEGABYTE

    def below(self) -> float:
        return max((kb for pid, kb in self.peak_kb.items() if pid != self.pid), default=math.nan) * 1024 / MEGABYTE


def status_kb(name: str, pid: int | str = "self") -> int:
    """A line of a process's status (``VmRSS``, ``VmHWM``), in kilobytes; 0 where there is none."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
    return 0


def median_run(runs: int, once: Callable[[], Usage]) -> Usage:
    """The run with the median wall time."""
    return sorted((once() for _ in range(runs)), key=lambda usage: usage.wall_s)[(runs - 1) // 2]


def median_s(runs: int, once: Callable[[], object]) -> float:
    """Median wall time of a function of this process."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        once()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
