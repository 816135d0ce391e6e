"""How long it takes to replay a county's whole chain against its rows."""

import sys
from pathlib import Path

from measuring import run
from table import Row

from villagemap.store import GeoPackageStore


def rows(workspace: Path) -> list[Row]:
    """``villagemap verify``, by the million events; beside it the bare hashing of all events' texts."""
    store = GeoPackageStore(workspace / "villagemap.gpkg")
    seq = store.head().seq
    store.close()
    ours = run([sys.executable, "-m", "villagemap", "verify", "--no-photos", "--dir", workspace])
    bare = run([sys.executable, "-c", BARE, workspace / "villagemap.gpkg"])
    return [
        Row(
            work="verify, for each 1,000,000 events", figure=ours.wall_s / seq * 1e6, unit="s", most=30,
            peer="SHA-256 of every event's text", peer_figure=bare.wall_s / seq * 1e6,
            notes=f"{seq:,} events in {ours.wall_s:.0f} s ({ours.cpu_s:.0f} s CPU), {ours.own_mb:.0f} MB",
        )
    ]  # fmt: skip


BARE = """
import hashlib, sqlite3, sys
for (body,) in sqlite3.connect(sys.argv[1]).execute("SELECT body FROM events ORDER BY seq"):
    hashlib.sha256(body.encode()).hexdigest()
"""
