"""Flows of whoever keeps the workspace: check the chain, check the machine."""

import importlib.metadata
import os
import platform
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from villagemap.auth import Policy
from villagemap.flows.registry import Session, flow
from villagemap.flows.workspace import ACCOUNTS_FILE, STORE_FILE
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a replay found: the end of the chain, and the first thing that doesn't follow from it (or None)."""

    head: Head
    broken: Broken | None


@flow("admin.verify", Policy.ADMIN)
def verify(session: Session) -> Verified:
    """Replay the county's chain against its rows."""
    store = session.workspace.store
    return Verified(head=store.head(), broken=store.verify())


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
