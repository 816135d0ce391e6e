"""Restoring a county: beside its place first, held against manifest, chain and photos, and only then renamed.

No flow, like `workspace.init_workspace`: before a county stands in its folder there is nobody who could be asked; it is
for whoever sits at the computer.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from villagemap.anchors import anchor_code
from villagemap.errors import BadInputError, ConflictError
from villagemap.flows.upkeep.admin import PhotoCheck, check_photos
from villagemap.flows.workspace import (
    ACCOUNTS_FILE,
    PARTIAL,
    PARTS,
    STORE_FILE,
    building_place,
    open_workspace,
    take_place,
)
from villagemap.settings import TIME_ZONE, now
from villagemap.store import GeoPackageStore, Head
from villagemap.store.bundles import open_bundle
from villagemap.store.copying import check_unused, told_by
from villagemap.store.disk import room_needed, sync_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What stands in the folder now: the county as it stood at its event ``seq``.

    ``erased`` counts erased personal values, ``aside`` is where an earlier county went.
    """

    folder: Path
    county: str
    seq: int
    anchor: str
    made_at: str
    erased: int
    photos: PhotoCheck
    aside: Path | None


def restore(source: Path, folder: Path, *, replace: bool = False) -> Restored:
    """Restore a backup into a folder; nothing changes there before all of it has been checked.

    A backup of an older schema is upgraded on the way. With ``replace`` a county that stands there is renamed with the
    date; it is never deleted.

    Raises
    ------
    BadInputError
        ``backup_foreign``, ``backup_damaged``, ``backup_broken``, ``backup_newer``
    ConflictError
        ``county_stands`` without ``replace``; ``county_in_use``; ``folder_not_empty`` for a folder with other things.
    DiskFullError
        If there is no room: nothing is left then.
    """
    stands = folder.is_dir() and any((folder / part).exists() for part in PARTS)
    if stands and not replace:
        raise ConflictError("county_stands", folder=str(folder))
    side = _beside(folder) if stands else building_place(folder)
    try:
        with room_needed(), open_bundle(source) as bundle:
            side.mkdir(mode=0o700)
            (side / "photos").mkdir(mode=0o700)
            bundle.extract(side)
            found = _check(side, bundle.facts, source)
        aside = _set_aside(folder) if stands else None
        _take(side, folder, aside)
    finally:
        shutil.rmtree(side, ignore_errors=True)
    return Restored(folder=folder, aside=aside, made_at=str(bundle.facts.get("made_at", "")), **found)


def _beside(folder: Path) -> Path:
    side = folder.resolve().with_name(f".{folder.resolve().name}{PARTIAL}")
    shutil.rmtree(side, ignore_errors=True)
    return side


def _check(side: Path, facts: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """Hold an extracted county against its manifest, its chain and its photos."""
    lacking = next((part for part in PARTS if not (side / part).exists()), None)
    if lacking is not None:
        raise BadInputError("backup_damaged", path=str(source), part=lacking)
    told = told_by(side / STORE_FILE)
    if told.head != (facts.get("seq"), facts.get("hash")) or told.county != facts.get("county"):
        raise BadInputError("backup_damaged", path=str(source), part=STORE_FILE)
    GeoPackageStore.upgrade(side / STORE_FILE)
    workspace = open_workspace(side)
    try:
        found = workspace.store.replay()
        if found.broken is not None:
            raise BadInputError("backup_broken", path=str(source), table=found.broken.table, key=found.broken.key)
        photos = check_photos(workspace.photos, workspace.store.photo_hashes())
        head: Head = workspace.store.head()
    finally:
        workspace.close()
    anchor = anchor_code(*head)
    return {"county": told.county, "seq": head.seq, "anchor": anchor, "erased": found.erased, "photos": photos}


def _set_aside(folder: Path) -> Path:
    """Rename the county that stands in a folder, if nobody has it open."""
    for name in (STORE_FILE, ACCOUNTS_FILE):
        if (folder / name).is_file():
            check_unused(folder / name)
    home = folder.resolve()
    aside = home.with_name(f"{home.name}.replaced-{now().astimezone(TIME_ZONE):%Y-%m-%d-%H%M%S}")
    if aside.exists():
        raise ConflictError("folder_not_empty", folder=str(aside))
    home.replace(aside)
    return aside


def _take(side: Path, folder: Path, aside: Path | None) -> None:
    """Let the restored county take the folder's place; where that fails, what stood there comes back."""
    try:
        take_place(side, folder)
        sync_folder(folder.resolve().parent)
    except BaseException:
        if aside is not None and not folder.exists():
            aside.replace(folder)
        raise
