"""Measured matrices kept on disk by what they follow from; a damaged file is measured anew.

The folder is a cache: it may be deleted at any time, and is in no backup.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import orjson

from villagemap.plans import Matrix, Site
from villagemap.store.disk import restrict_file
from villagemap.travel.closing import Closed
from villagemap.travel.line import positions
from villagemap.travel.lines import Ints

MOST_KEPT = 40
_FORM = 1
_PLACES = 1e7
"""Positions count to a centimetre."""


def kept_matrix(
    folder: Path, digest: str, sites: Sequence[Site], closed: Sequence[Closed], measure: Callable[[], Matrix]
) -> tuple[Ints, Ints]:
    """Seconds and metres between sites as kept in ``folder``, else as measured now, and kept then.

    ``digest`` tells apart whatever else a time follows from. A folder that can't be written to keeps nothing.
    """
    path = folder / f"{_key(digest, sites, closed)}.npz"
    kept = _read(path, len(sites))
    if kept is not None:
        return kept
    matrix = measure()
    with suppress(OSError):
        _write(path, matrix)
    return matrix.duration_s, matrix.distance_m


def _key(digest: str, sites: Sequence[Site], closed: Sequence[Closed]) -> str:
    lon, lat = positions(sites)
    at = np.nan_to_num(np.rint(np.column_stack([lon, lat]) * _PLACES), nan=2**62).astype(np.int64)
    shut = sorted(orjson.dumps(one, option=orjson.OPT_SORT_KEYS) for one in closed)
    named = hashlib.sha256(f"{_FORM} {digest} {len(sites)} ".encode() + at.tobytes())
    for one in shut:
        named.update(b"\0" + one)
    return named.hexdigest()


def _read(path: Path, count: int) -> tuple[Ints, Ints] | None:
    try:
        # opened here, because numpy leaves a file open that it can't read; checksums show any damage
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            seconds, metres = kept["duration_s"].astype(np.int64), kept["distance_m"].astype(np.int64)
    except Exception:  # noqa: BLE001 - whatever numpy says to a file that isn't what was written
        return None
    if seconds.shape != (count, count) or metres.shape != seconds.shape:
        return None
    with suppress(OSError):
        os.utime(path)
    return seconds, metres


def _write(path: Path, matrix: Matrix) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as new:
        try:
            restrict_file(Path(new.name))
            np.savez(new, duration_s=matrix.duration_s.astype(np.int32), distance_m=matrix.distance_m.astype(np.int32))
        except BaseException:
            new.close()
            Path(new.name).unlink()
            raise
    Path(new.name).replace(path)
    _forget(path.parent)


def _forget(folder: Path) -> None:
    """Leave only what was used last."""
    kept = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[MOST_KEPT:]:
        path.unlink(missing_ok=True)
