"""Near-duplicate photos: what is found, what is alarmed about wrongly, and how long a search among 100,000 takes.

The pictures are drawn from seeds (`tests/photo_scenes.py`); no figure here is measured on real villages. Honest pairs
are one scene taken twice from one viewpoint: another step of the camera with parallax, other light, noise and JPEG
quality, the object gone; its size goes down to 0.24 % of the frame. Run by itself: ``python likeness.py 1000``.
"""

import itertools
import sqlite3
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from measuring import MEGABYTE, status_kb
from table import Row

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from photo_scenes import EDITS, Scene, edited, honest_exposure, jpeg, nearly_same_exposure
from villagemap.likeness import LIKE, MARK, Fingerprint, LikenessIndex, compare, fingerprint

SIZES = (0.12, 0.3, 1.0)
ALL_EDITS = [(), *((edit,) for edit in EDITS), *itertools.combinations(EDITS, 2), EDITS]
TRIPOD_EVERY = 4


def rows(folder: Path, photos: int, scenes: int) -> list[Row]:
    """Recall, false alarms and search time; ``scenes`` are drawn, ``photos`` stand in the index."""
    with ProcessPoolExecutor(max_workers=2) as workers:
        taken = list(workers.map(_measured, range(scenes), chunksize=10))
    found, tried, honest, tripod = Counter(), Counter(), 0, []
    for _, hits, honest_alarm, tripod_alarm in taken:
        for edits, hit in hits:
            tried[edits] += 1
            found[edits] += hit
        honest += honest_alarm
        tripod += [] if tripod_alarm is None else [tripod_alarm]
    worst = min(ALL_EDITS, key=lambda edits: found[edits] / tried[edits])
    index, index_mb = _index(folder, [first for first, *_ in taken], photos)
    walls, cpus, missed = _searched(index, scenes)
    recall = sum(found.values()) / sum(tried.values())
    return [
        Row(work=f"copies missed, of {sum(tried.values()):,} edited ones", figure=100 * (1 - recall), unit="%", most=5,
            notes=f"worst: {'+'.join(worst) or 'none'} {found[worst]}/{tried[worst]}"),
        Row(work=f"false alarms, {scenes:,} honest pairs", figure=100 * honest / scenes, unit="%", most=1),
        Row(work=f"alarms, {len(tripod):,} pairs of a tripod under one light", figure=100 * sum(tripod) / len(tripod),
            unit="%", notes="a burst, not a second visit; told as changed"),
        Row(work=f"search among {photos:,}, median", figure=1000 * statistics.median(walls), unit="ms", most=50,
            notes=f"{1000 * statistics.median(cpus):.0f} ms CPU, slowest of {len(cpus)} {1000 * max(cpus):.0f} ms CPU; "
            f"{missed} copies missed"),
        Row(work=f"index of {photos:,} in memory", figure=index_mb, unit="MB", most=200),
    ]  # fmt: skip


def _measured(seed: int) -> tuple[Fingerprint, list[tuple[tuple[str, ...], bool]], bool, bool | None]:
    """One scene: its fingerprint, which edited copies are told, whether an honest pair and a tripod's are mistaken."""
    rng = np.random.default_rng([3, seed])
    scene, exposure = Scene(seed, size=SIZES[seed % 3]), honest_exposure(rng)
    picture = scene.take(exposure, seed=2 * seed)
    first = fingerprint(jpeg(picture, exposure.quality))
    chosen = [ALL_EDITS[(3 * seed + k) % len(ALL_EDITS)] for k in range(3)]
    hits = [(edits, compare(fingerprint(edited(picture, edits, rng)), first)[0] >= LIKE) for edits in chosen]
    then = honest_exposure(rng)
    second = fingerprint(jpeg(scene.take(then, thing=False, seed=2 * seed + 1), then.quality))
    tripod = None
    if seed % TRIPOD_EVERY == 0:
        step = nearly_same_exposure(rng)
        near = replace(exposure, dx=exposure.dx + step.dx, dy=exposure.dy + step.dy, gain=exposure.gain * step.gain)
        third = fingerprint(jpeg(scene.take(near, thing=False, seed=2 * seed, frame=1), step.quality))
        tripod = compare(first, third)[0] >= LIKE
    return first, hits, compare(first, second)[0] >= LIKE, tripod


def _index(folder: Path, drawn: list[Fingerprint], photos: int) -> tuple[LikenessIndex, float]:
    """The drawn photos and others whose marks are a random mixture of theirs, on disk and in memory.

    Greys are read from SQLite as a store would; those of the mixtures are borrowed from the drawn ones.
    """
    rng = np.random.default_rng(1)
    pool = np.concatenate([np.frombuffer(photo.marks, MARK) for photo in drawn])
    mixed = (pool[rng.integers(0, len(pool), 64)].tobytes() for _ in range(photos - len(drawn)))
    store = sqlite3.connect(folder / "fingerprints.sqlite")
    store.execute("CREATE TABLE marks (id TEXT PRIMARY KEY, marks BLOB)")
    store.execute("CREATE TABLE greys (id INTEGER PRIMARY KEY, width INTEGER, height INTEGER, grey BLOB)")
    all_marks = itertools.chain((photo.marks for photo in drawn), mixed)
    store.executemany("INSERT INTO marks VALUES (?, ?)", ((str(n), marks) for n, marks in enumerate(all_marks)))
    store.executemany(
        "INSERT INTO greys VALUES (?, ?, ?, ?)", [(n, p.width, p.height, p.grey) for n, p in enumerate(drawn)]
    )
    store.commit()

    def look_up(ids):
        found = {}
        for name in ids:
            (marks,) = store.execute("SELECT marks FROM marks WHERE id = ?", (name,)).fetchone()
            borrowed = int(name) % len(drawn)
            width, height, grey = store.execute(
                "SELECT width, height, grey FROM greys WHERE id = ?", (borrowed,)
            ).fetchone()
            found[name] = Fingerprint(width=width, height=height, grey=grey, marks=marks)
        return found

    before = status_kb("VmRSS")
    ids, marks = itertools.tee(store.execute("SELECT id, marks FROM marks"))
    index = LikenessIndex((name for name, _ in ids), (blob for _, blob in marks), look_up)
    return index, (status_kb("VmRSS") - before) * 1024 / MEGABYTE


def _searched(index: LikenessIndex, scenes: int) -> tuple[list[float], list[float], int]:
    """Wall and CPU seconds of each search for a copy with all edits at once, and how many found no original."""
    walls, cpus, missed = [], [], 0
    for seed in range(0, scenes, max(1, scenes // 100)):
        rng = np.random.default_rng([3, seed])
        picture = Scene(seed, size=SIZES[seed % 3]).take(honest_exposure(rng), seed=2 * seed)
        copy = fingerprint(edited(picture, EDITS, rng))
        began, used = time.perf_counter(), time.process_time()
        likes = index.nearest(copy)
        walls.append(time.perf_counter() - began)
        cpus.append(time.process_time() - used)
        missed += [like.id for like in likes][:1] != [str(seed)]
    return walls, cpus, missed


if __name__ == "__main__":
    import tempfile

    from table import markdown

    with tempfile.TemporaryDirectory() as temporary:
        print(markdown(rows(Path(temporary), 100_000, int(sys.argv[1]))))
