"""One settings object: what a county may set, read from ``settings.toml`` in its workspace.

Environment variables are read here and nowhere else: ``VILLAGEMAP_DIR`` names the workspace.
"""

import os
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args, get_type_hints
from zoneinfo import ZoneInfo

from villagemap.errors import WorkspaceError

TIME_ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True, kw_only=True)
class Basemap:
    """Map tiles below the data; off unless a county sets it. ``datum`` must be wgs84: others would lie by 500 m."""

    url: str = ""
    credit: str = ""
    datum: str = "wgs84"
    review_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a county may set.

    ``county`` is its stable slug, part of every key; ``name`` what people read. ``today`` fixes the day (for the
    sample county and for tests); empty means the calendar of Asia/Shanghai. ``hard_due_on`` is the day before the
    provincial field assessment. ``demo`` puts 示例/DEMO on every page and print.
    """

    county: str
    name: str
    code: str = ""
    demo: bool = False
    today: date | None = None
    hard_due_on: date | None = None
    map_review_number: str = ""
    basemap: Basemap = field(default_factory=Basemap)

    def day(self) -> date:
        """The day that deadlines are measured against."""
        return self.today or datetime.now(TIME_ZONE).date()


def read_settings(path: Path) -> Settings:
    """Settings from a workspace's ``settings.toml``.

    Raises
    ------
    WorkspaceError
        If the file isn't TOML, or holds a name or type that no setting has.
    """
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise WorkspaceError("settings_unreadable", path=str(path), fault=str(fault)) from fault
    basemap = raw.pop("basemap", {})
    _check_types(raw, Settings, path)
    if not isinstance(basemap, dict):
        raise WorkspaceError("settings_unreadable", path=str(path), fault="basemap")
    _check_types(basemap, Basemap, path)
    try:
        return Settings(**raw, basemap=Basemap(**basemap))
    except TypeError as fault:
        raise WorkspaceError("settings_unreadable", path=str(path), fault=str(fault)) from fault


def _check_types(raw: dict[str, Any], kind: type, path: Path) -> None:
    """Refuse names that ``kind`` doesn't have, and values of another type: a day is no text, and no instant."""
    hints = get_type_hints(kind)
    unknown = sorted(set(raw) - set(hints))
    if unknown:
        raise WorkspaceError("settings_unknown", path=str(path), names=", ".join(unknown))
    for name, value in raw.items():
        if type(value) not in (get_args(hints[name]) or (hints[name],)):
            raise WorkspaceError("settings_unreadable", path=str(path), fault=f"{name} = {value!r}")


def workspace_dir(given: Path | None) -> Path:
    """The workspace's folder: as given, else ``$VILLAGEMAP_DIR``, else the current folder."""
    return given or Path(os.environ.get("VILLAGEMAP_DIR") or ".")


def shown_files(name: str) -> Path:
    """Where our own ``static`` or ``geodata`` lies: inside an installed package, or beside the sources."""
    installed = Path(__file__).parent / f"_{name}"
    return installed if installed.is_dir() else Path(__file__).parents[2] / name


def now() -> datetime:
    """The present instant, UTC."""
    return datetime.now(UTC)
