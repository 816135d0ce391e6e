"""Flows of whoever keeps the workspace: check the chain, print and check its anchors, check the machine."""

import importlib.metadata
import os
import platform
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path

from villagemap.anchors import Anchor, anchor_code, read_anchor
from villagemap.auth import Policy
from villagemap.errors import NotFoundError
from villagemap.flows.registry import Session, flow
from villagemap.flows.workspace import ACCOUNTS_FILE, STORE_FILE
from villagemap.settings import TIME_ZONE
from villagemap.store import PhotoStore, Store
from villagemap.store.photos import Kept
from villagemap.store.protocol import Broken, Head

LIBRARIES = ("folium", "geopandas", "shapely", "pyproj", "fastapi", "pyogrio", "numpy", "pandas")
LITTLE_SPACE_MB = 500
OWNER_ONLY = 0o077


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Whose data these are and how new: the last event's number (0 for none) and instant."""

    county: str
    seq: int
    changed_at: datetime | None


@flow("admin.state", Policy.READ)
def state(session: Session) -> State:
    """What a health check, a cache and a page's date go by."""
    store = session.workspace.store
    return State(county=store.county, seq=store.head().seq, changed_at=store.last_event_at())


class Standing(StrEnum):
    """What became of the history that an anchor was printed for."""

    STANDS = "stands"
    CHANGED = "changed"
    MISSING = "missing"
    """The chain doesn't reach so far any more, or lacks an event on the way: cut back, or an older backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorCheck:
    """A printed code, the event that it was made at, and whether history up to there still stands."""

    code: str
    seq: int
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoCheck:
    """How many pictures events name, and the SHA-256 of those whose file is gone or has other bytes."""

    named: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a replay found: the end of the chain, and the first thing that doesn't follow from it (or None).

    ``erased`` counts personal values that were erased, which breaks nothing; ``photos`` is None where they weren't
    looked at.
    """

    head: Head
    broken: Broken | None
    erased: int
    photos: PhotoCheck | None
    anchors: tuple[AnchorCheck, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing at all was found."""
        photos = self.photos is None or not (self.photos.missing or self.photos.changed)
        return self.broken is None and photos and all(a.standing is Standing.STANDS for a in self.anchors)


@flow("admin.verify", Policy.ADMIN)
def verify(session: Session, *, anchors: Sequence[str] = (), photos: bool = True) -> Verified:
    """Replay the county's chain against its rows, its photos and printed anchors.

    Raises
    ------
    BadInputError
        ``anchor_unreadable``, ``anchor_typo``: before anything is replayed.
    """
    workspace = session.workspace
    read = [(code, read_anchor(code)) for code in anchors]
    found = workspace.store.replay()
    return Verified(
        head=workspace.store.head(),
        broken=found.broken,
        erased=found.erased,
        photos=check_photos(workspace.photos, workspace.store.photo_hashes()) if photos else None,
        anchors=tuple(
            AnchorCheck(code=code, seq=anchor.seq, standing=_standing(workspace.store, anchor)) for code, anchor in read
        ),
    )


def check_photos(photos: PhotoStore, hashes: Iterable[str]) -> PhotoCheck:
    """Hold the pictures that events name against their files."""
    kept = {sha256: photos.kept(sha256) for sha256 in hashes}
    missing, changed = (tuple(s for s, state in kept.items() if state is k) for k in (Kept.MISSING, Kept.CHANGED))
    return PhotoCheck(named=len(kept), missing=missing, changed=changed)


def _standing(store: Store, anchor: Anchor) -> Standing:
    digest = store.hash_of(anchor.seq)
    if digest is None:
        return Standing.MISSING
    return Standing.STANDS if digest.startswith(anchor.start) else Standing.CHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """The code for a head of the chain."""

    code: str
    head: Head


@flow("admin.anchor", Policy.READ)
def anchor(session: Session, on: date | None = None) -> Anchored:
    """The anchor code of the chain as it stands, or as it stood at the end of a day (Asia/Shanghai).

    A day's head is the last event in the chain's order that was written on it or before. Where a clock was set back,
    events that came later but say otherwise belong to it too: the code names the event, so a printed one stays good.

    Raises
    ------
    NotFoundError
        ``anchor_no_event`` if nothing had been written by then.
    """
    workspace = session.workspace
    head = workspace.store.head() if on is None else workspace.store.head_by(_end_of(on))
    if not head.seq:
        raise NotFoundError("anchor_no_event", day=on or workspace.settings.day())
    return Anchored(code=anchor_code(head.seq, head.hash), head=head)


def _end_of(day: date) -> datetime:
    """The first instant after a day in Asia/Shanghai; the last day that can be written has no day after it."""
    if day == date.max:
        return datetime.max.replace(tzinfo=TIME_ZONE)
    return datetime.combine(day + timedelta(days=1), time(), TIME_ZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that the doctor looked at: a catalog key, whether it is well, and what was seen."""

    code: str
    ok: bool
    seen: str


@flow("admin.doctor", Policy.ADMIN)
def doctor(session: Session) -> list[Check]:
    """Look at what commonly goes wrong: versions, free space, file rights, SQLite, the store's own integrity."""
    folder = session.workspace.folder
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    connection = sqlite3.connect(folder / STORE_FILE)
    try:
        integrity = str(connection.execute("PRAGMA quick_check").fetchone()[0])
        mode = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
    finally:
        connection.close()
    open_files = [name for name in (STORE_FILE, ACCOUNTS_FILE) if _open_to_others(folder / name)]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    return [
        Check(code="python", ok=True, seen=f"{platform.python_version()} {platform.system()}"),
        Check(code="libraries", ok=True, seen=versions),
        Check(code="sqlite", ok=True, seen=sqlite3.sqlite_version),
        Check(code="space", ok=free_mb > LITTLE_SPACE_MB, seen=f"{free_mb} MB"),
        Check(code="integrity", ok=integrity == "ok", seen=integrity),
        Check(code="journal", ok=mode == "wal", seen=mode),
        Check(code="rights", ok=not open_files, seen=", ".join(open_files) or "0600"),
    ]


def _open_to_others(path: Path) -> bool:
    return os.name != "nt" and bool(path.stat().st_mode & OWNER_ONLY)
