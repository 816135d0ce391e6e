"""A county's folder: the store, the accounts, the photos, the settings.

DIR/settings.toml      what the county sets
DIR/vocabulary.toml    its own categories and labels (optional)
DIR/villagemap.gpkg    places, issues, events
DIR/accounts.sqlite    accounts, tokens, access log
DIR/photos/            pictures by content hash
DIR/roads/             road graphs by content hash (once roads are read in)
DIR/roads.toml         the county's own classes and speeds of roads (optional)
DIR/cache/             what can be measured again; may be deleted
"""

import shutil
import sqlite3
import threading
from dataclasses import dataclass, field
from pathlib import Path

from villagemap.errors import ConflictError, NotFoundError, WorkspaceError
from villagemap.likeness import LikenessIndex
from villagemap.places import Gazetteer
from villagemap.settings import Settings, now, read_settings, shown_files
from villagemap.store import GeoPackageStore, IssueColumns, PhotoStore, Store
from villagemap.store.accounts import Accounts
from villagemap.store.accounts_file import AccountsFile
from villagemap.vocabulary import Vocabulary, load_vocabulary

STORE_FILE = "villagemap.gpkg"
ACCOUNTS_FILE = "accounts.sqlite"
PARTS = ("settings.toml", STORE_FILE, ACCOUNTS_FILE, "photos")
ROADS_FOLDER = "roads"
PARTIAL = ".partial"
"""What is still being built, and what a crash may leave of it."""


@dataclass(slots=True)
class Workspace:
    """An open county, with what is remembered between requests (keyed by the last event)."""

    folder: Path
    settings: Settings
    vocabulary: Vocabulary
    store: Store
    photos: PhotoStore
    accounts: Accounts
    tiles: object = None
    """What `flows.maps` remembers of the tiles it last drew from."""
    roads: object = None
    """What `flows.routes.roads` remembers of the graph it last measured on."""
    likeness: LikenessIndex | None = None
    """The county's pictures by their marks, once somebody adds one."""
    _gazetteer: tuple[int, Gazetteer] | None = None
    _columns: IssueColumns | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def gazetteer(self) -> Gazetteer:
        """The county's places, read again when any of them was written."""
        with self._lock:
            seq = self.store.places_seq()
            if self._gazetteer is None or self._gazetteer[0] != seq:
                self._gazetteer = (seq, Gazetteer(self.store.places()))
            return self._gazetteer[1]

    def columns(self) -> IssueColumns:
        """All issues as arrays, brought up to date by what changed."""
        with self._lock:
            self._columns = self.store.columns(self._columns)
            return self._columns

    def log_access(self, actor: str, flow: str, subject: str) -> None:
        """Note that somebody looked at restricted rows."""
        self.accounts.log(actor, flow, subject, now())

    def close(self) -> None:
        """Close the connections to both files."""
        self.accounts.close()
        self.store.close()


def init_workspace(folder: Path, settings: Settings) -> None:
    """Make a new workspace: all of it, or nothing.

    Raises
    ------
    ConflictError
        If the folder has something in it already, or is a file.
    """
    partial = building_place(folder)
    partial.mkdir(mode=0o700)
    try:
        (partial / "photos").mkdir(mode=0o700)
        GeoPackageStore.create(partial / STORE_FILE, settings.county).close()
        AccountsFile.create(partial / ACCOUNTS_FILE)
        (partial / "settings.toml").write_text(_settings_text(settings), encoding="utf-8")
        take_place(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def building_place(folder: Path) -> Path:
    """Where a workspace is built before it takes its folder's place: on the same disk, with nothing there yet.

    Raises
    ------
    ConflictError
        If the folder has something in it already, or is a file.
    """
    _check_empty(folder)
    folder = folder.resolve()
    partial = folder / PARTIAL if folder.exists() else folder.with_name(f".{folder.name}{PARTIAL}")
    partial.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(partial, ignore_errors=True)
    return partial


def take_place(partial: Path, folder: Path) -> None:
    """Let a finished workspace take its folder's place; an empty folder stays, because somebody may stand in it."""
    _check_empty(folder)
    if not folder.exists():
        partial.replace(folder)
        return
    for part in sorted(partial.iterdir()):
        part.replace(folder / part.name)
    partial.rmdir()


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConflictError("folder_is_file", folder=str(folder))
    if folder.exists() and any(part.name != PARTIAL for part in folder.iterdir()):
        raise ConflictError("folder_not_empty", folder=str(folder))


def _settings_text(settings: Settings) -> str:
    """A settings file with the county's own values, for people to edit."""
    lines = [f"county = {_toml(settings.county)}", f"name = {_toml(settings.name)}", f"code = {_toml(settings.code)}"]
    if settings.demo:
        lines.append("demo = true")
    if settings.today:
        lines.append(f"today = {settings.today.isoformat()}")
    if settings.hard_due_on:
        lines.append(f"hard_due_on = {settings.hard_due_on.isoformat()}")
    return "\n".join(lines) + "\n"


def _toml(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def open_workspace(folder: Path) -> Workspace:
    """Open a county's folder.

    Raises
    ------
    NotFoundError
        If there is no workspace here.
    WorkspaceError
        If a part is missing, foreign, or of a newer schema.
    """
    missing = [part for part in PARTS if not (folder / part).exists()]
    if len(missing) == len(PARTS):
        raise NotFoundError("no_workspace", folder=str(folder.resolve()))
    if missing:
        raise WorkspaceError("workspace_half", folder=str(folder.resolve()), missing=", ".join(missing))
    settings = read_settings(folder / "settings.toml")
    own = folder / "vocabulary.toml"
    vocabulary = load_vocabulary(own if own.exists() else None)
    store = GeoPackageStore(folder / STORE_FILE)
    if store.county != settings.county:
        store.close()
        raise WorkspaceError("county_differs", stored=store.county, given=settings.county)
    try:
        accounts = Accounts(folder / ACCOUNTS_FILE)
    except BaseException as fault:
        store.close()
        if isinstance(fault, sqlite3.DatabaseError) and not isinstance(fault, sqlite3.OperationalError):
            raise WorkspaceError("store_damaged", path=str(folder / ACCOUNTS_FILE)) from fault
        raise
    return Workspace(folder, settings, vocabulary, store, PhotoStore(folder / "photos"), accounts)


def sample_files() -> Path:
    """The folder of the sample county's places."""
    return shown_files("geodata")
