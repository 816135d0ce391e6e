"""Backups: a county's whole folder in one file while it is being written to; and the upgrade, which makes one first.

The data file is copied first: photos are on disk before an event names them, and accounts exist before they act, so
what is copied after it holds all that it speaks of.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from villagemap.anchors import anchor_code
from villagemap.auth import Policy
from villagemap.errors import NotFoundError, WorkspaceError, WrongUseError
from villagemap.flows.registry import Session, flow
from villagemap.flows.workspace import ACCOUNTS_FILE, PARTS, ROADS_FOLDER, STORE_FILE
from villagemap.settings import TIME_ZONE, now
from villagemap.store import GeoPackageStore, PhotoStore
from villagemap.store import accounts_file as accounts
from villagemap.store.bundles import SUFFIX, BundleWriter, new_bundle
from villagemap.store.copying import Told, told_by, user_version
from villagemap.store.disk import is_full
from villagemap.store.matrices import FOLDER as MATRICES
from villagemap.store.schema import migrations

Progress = Callable[[int, int], None]
"""Called with photos done, and photos in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What was backed up: the county as it stood at its event ``seq``.

    ``changed`` are photos whose bytes aren't what their names tell: they are kept as they are.
    """

    path: Path
    county: str
    seq: int
    anchor: str
    photos: int
    size: int
    changed: tuple[str, ...]


@flow("backups.make", Policy.ADMIN)
def back_up(session: Session, target: Path, *, progress: Progress | None = None) -> Backup:
    """Back the county up into a .zip, or a folder where the name has no such ending.

    Raises
    ------
    ConflictError
        ``backup_exists``: nothing is ever written over.
    WrongUseError
        ``backup_inside`` for a place among the county's own files, ``output_unwritable``.
    DiskFullError
        If there is no room: nothing is left then.
    """
    workspace = session.workspace
    workspace.log_access(session.actor.id, "backups.make", "*")
    return back_up_folder(workspace.folder, target, progress=progress)


def back_up_folder(folder: Path, target: Path, *, progress: Progress | None = None) -> Backup:
    """Back up a county's folder, of whichever schema; raises like `back_up`."""
    _check_outside(folder, target)
    try:
        with new_bundle(target) as bundle:
            copy = bundle.add_database(STORE_FILE, folder / STORE_FILE)
            told = told_by(copy, still=True)
            bundle.add_database(ACCOUNTS_FILE, folder / ACCOUNTS_FILE)
            for path in sorted(folder.glob("*.toml")):
                with path.open("rb") as stream:
                    bundle.add(path.name, stream)
            for name in (ROADS_FOLDER, MATRICES):
                _add_folder(bundle, folder / name)
            photos = _Photos(bundle, PhotoStore(folder / "photos"))
            photos.add_all(progress)
            bundle.end(_facts(told))
    except OSError as fault:
        if is_full(fault):
            raise
        raise WrongUseError("output_unwritable", path=target, fault=fault.strerror or str(fault)) from fault
    return Backup(
        path=target,
        county=told.county,
        seq=told.head.seq,
        anchor=anchor_code(*told.head),
        photos=photos.count,
        size=sum(part.size for part in bundle.parts.values()),
        changed=tuple(photos.changed),
    )


def _add_folder(bundle: BundleWriter, folder: Path) -> None:
    """Take in what lies in a folder by its content hash; nothing where there is no such folder."""
    for path in sorted(folder.glob("*.npz")):
        with path.open("rb") as stream:
            bundle.add(f"{folder.name}/{path.name}", stream)


def _check_outside(folder: Path, target: Path) -> None:
    there, home = target.resolve(), folder.resolve()
    for part in (*PARTS, ROADS_FOLDER, MATRICES):
        if there == home or there == home / part or home / part in there.parents:
            raise WrongUseError("backup_inside", path=str(target))


def _facts(told: Told) -> dict[str, object]:
    """What a manifest tells besides its files."""
    return {
        "program": version("villagemap"),
        "made_at": now().astimezone(TIME_ZONE).isoformat(timespec="seconds"),
        "county": told.county,
        "schema": told.schema,
        "seq": told.head.seq,
        "hash": told.head.hash,
        "anchor": anchor_code(*told.head),
    }


@dataclass(slots=True)
class _Photos:
    """A county's pictures on their way into a bundle."""

    bundle: BundleWriter
    store: PhotoStore
    count: int = 0
    changed: list[str] = field(default_factory=list)

    def add_all(self, progress: Progress | None) -> None:
        hashes = list(self.store.hashes())
        for done, sha256 in enumerate(hashes, 1):
            self._add(sha256)
            if progress:
                progress(done, len(hashes))

    def _add(self, sha256: str) -> None:
        try:
            stream = self.store.open(sha256)
        except NotFoundError:
            return  # deleted since we listed it
        with stream:
            part = self.bundle.add(f"photos/{sha256[:2]}/{sha256}", stream)
        self.count += 1
        if part.sha256 != sha256:
            self.changed.append(sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """Versions before and after, of the data file and of the accounts; ``backup`` is None if both were new already."""

    store: tuple[int, int]
    accounts: tuple[int, int]
    backup: Backup | None


def upgrade(folder: Path, target: Path | None = None) -> Upgraded:
    """Bring a county's files to today's schema, after a backup into ``target`` (default: beside the folder).

    No flow: a folder of an older schema isn't open to anybody yet, so this is for whoever sits at the computer. Who is
    writing with an older program meanwhile is refused from then on, with a sentence.

    Raises
    ------
    NotFoundError
        ``no_workspace``
    WorkspaceError
        ``schema_newer``, ``store_foreign``: the files are left as they were.
    """
    if not (folder / STORE_FILE).is_file() or not (folder / ACCOUNTS_FILE).is_file():
        raise NotFoundError("no_workspace", folder=str(folder.resolve()))
    schema, users = told_by(folder / STORE_FILE).schema, user_version(folder / ACCOUNTS_FILE)
    newest = len(migrations()), len(accounts.migrations())
    if schema > newest[0]:
        raise WorkspaceError("schema_newer", path=str(folder / STORE_FILE), version=schema, newest=newest[0])
    made = None
    if schema < newest[0] or users < newest[1]:
        made = back_up_folder(folder, target or _beside(folder, schema))
    store = GeoPackageStore.upgrade(folder / STORE_FILE)
    accounts.AccountsFile(folder / ACCOUNTS_FILE).close()
    return Upgraded(store=store, accounts=(users, user_version(folder / ACCOUNTS_FILE)), backup=made)


def _beside(folder: Path, schema: int) -> Path:
    """Where the backup before an upgrade goes: a name that tells when and from which schema."""
    home, when = folder.resolve(), now().astimezone(TIME_ZONE)
    return home.with_name(f"{home.name}-schema{schema}-{when:%Y-%m-%d-%H%M%S}{SUFFIX}")
