"""Bundles: a county's files in one .zip or one folder, with a manifest of their SHA-256.

A bundle is written beside its place and then renamed, so that there is a whole one or none; it is read as a file from a
stranger: only names that a county has, no byte more than the manifest tells, every hash compared.
"""

import hashlib
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import orjson

from villagemap.errors import BadInputError, ConflictError, DiskFullError
from villagemap.store.copying import copy_database
from villagemap.store.disk import restrict_file, room_needed, sync_folder

MANIFEST = "manifest.json"
FORM = 1
SUFFIX = ".zip"

_BLOCK = 1 << 20
_MOST_MANIFEST = 1 << 28
_NAMES = re.compile(
    r"[a-z][a-z0-9_-]{0,40}\.toml|villagemap\.gpkg|accounts\.sqlite|photos/([0-9a-f]{2})/\1[0-9a-f]{62}"
    r"|(roads|matrices)/[0-9a-f]{64}\.npz"
)
_PACKED = re.compile(r".*\.(toml|gpkg|sqlite|json|npz)")
"""What grows smaller when packed; pictures don't."""


class Part(NamedTuple):
    """A file of a bundle."""

    sha256: str
    size: int


class BundleWriter:
    """A bundle in the making; `parts` is its manifest so far."""

    def __init__(self, scratch: Path, packed: zipfile.ZipFile | None) -> None:
        self._scratch = scratch
        self._packed = packed
        self.parts: dict[str, Part] = {}

    def add(self, name: str, stream: BinaryIO) -> Part:
        """Take a stream's bytes in under ``name``."""
        with self._into(name) as out:
            self.parts[name] = _copy(stream, out)
        return self.parts[name]

    def add_database(self, name: str, source: Path) -> Path:
        """Take in a database as it stands at one moment; the copy may be looked into until the bundle ends."""
        copy = self._scratch / name
        copy_database(source, copy)
        with copy.open("rb") as stream:
            if self._packed is None:
                os.fsync(stream.fileno())
                self.parts[name] = _copy(stream, None)
            else:
                self.add(name, stream)
        return copy

    @contextmanager
    def _into(self, name: str) -> Iterator[BinaryIO]:
        if self._packed is not None:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o600 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED if _PACKED.fullmatch(name) else zipfile.ZIP_STORED
            with self._packed.open(entry, "w", force_zip64=True) as member:
                yield cast("BinaryIO", member)
            return
        path = self._scratch / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("xb") as file:
            restrict_file(path)
            yield file
            file.flush()
            os.fsync(file.fileno())

    def end(self, facts: Mapping[str, Any]) -> None:
        """Write the manifest: ``facts`` and all parts."""
        parts = {name: part._asdict() for name, part in self.parts.items()}
        text = orjson.dumps({"form": FORM, **facts, "files": parts}, option=orjson.OPT_INDENT_2)
        with self._into(MANIFEST) as out:
            out.write(text)


@contextmanager
def new_bundle(target: Path) -> Iterator[BundleWriter]:
    """Write a bundle: a .zip by its name, else a folder; nothing stands at ``target`` before it is whole.

    Raises
    ------
    ConflictError
        ``backup_exists``
    DiskFullError
        If there is no room: nothing is left then.
    """
    if target.exists():
        raise ConflictError("backup_exists", path=str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.resolve().with_name(f".{target.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with room_needed():
            scratch.mkdir(mode=0o700)
            if target.suffix.casefold() != SUFFIX:
                yield BundleWriter(scratch, None)
                scratch.replace(target)
            else:
                whole = scratch / target.name
                yield from _packing(scratch, whole)
                whole.replace(target)
            sync_folder(target.resolve().parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _packing(scratch: Path, whole: Path) -> Iterator[BundleWriter]:
    with whole.open("xb") as file:
        restrict_file(whole)
        with zipfile.ZipFile(file, "w", compresslevel=1) as packed:
            yield BundleWriter(scratch, packed)
        file.flush()
        os.fsync(file.fileno())


def _copy(source: BinaryIO, target: BinaryIO | None, most: int | None = None) -> Part:
    """Copy a stream, and tell what it held; stops after more than ``most`` bytes."""
    digest, size = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        digest.update(block)
        size += len(block)
        if most is not None and size > most:
            break
        if target is not None:
            target.write(block)
    return Part(digest.hexdigest(), size)


class Bundle:
    """A bundle that is read: what its manifest tells, and the way out of it."""

    def __init__(self, path: Path, packed: zipfile.ZipFile | None) -> None:
        self._path = path
        self._packed = packed
        self.facts, self.parts = self._manifest()

    def _manifest(self) -> tuple[dict[str, Any], dict[str, Part]]:
        try:
            with self._open(MANIFEST) as stream:
                facts: dict[str, Any] = orjson.loads(stream.read(_MOST_MANIFEST))
            form = int(facts["form"])
            parts = {str(n): Part(str(p["sha256"]), int(p["size"])) for n, p in facts.pop("files").items()}
        except (KeyError, TypeError, AttributeError, *_BROKEN) as fault:
            raise BadInputError("backup_foreign", path=str(self._path)) from fault
        if form > FORM:
            raise BadInputError("backup_newer", path=str(self._path), version=form, newest=FORM)
        strange = next((name for name in parts if not _NAMES.fullmatch(name)), None)
        if strange is not None:
            raise BadInputError("backup_damaged", path=str(self._path), part=strange[:100])
        return facts, parts

    def _open(self, name: str) -> BinaryIO:
        if self._packed is not None:
            return cast("BinaryIO", self._packed.open(name))
        return (self._path / name).open("rb")

    def extract(self, folder: Path) -> None:
        """Write all parts into a folder, synced, each compared with the manifest.

        Raises
        ------
        BadInputError
            ``backup_damaged`` names the first part that isn't what was written.
        DiskFullError
            If there is no room for them.
        """
        if sum(part.size for part in self.parts.values()) > shutil.disk_usage(folder).free:
            raise DiskFullError
        for name, part in self.parts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with path.open("xb") as out:
                restrict_file(path)
                if self._copied(name, out, part.size) != part:
                    raise BadInputError("backup_damaged", path=str(self._path), part=name)
                out.flush()
                os.fsync(out.fileno())

    def _copied(self, name: str, out: BinaryIO, most: int) -> Part | None:
        """What a part really holds; None if it can't be read."""
        with suppress(KeyError, *_BROKEN), self._open(name) as stream:
            return _copy(stream, out, most)
        return None


_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, FileNotFoundError)
"""What a damaged, encrypted or half-copied .zip raises when it is read."""


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Read a bundle.

    Raises
    ------
    BadInputError
        ``file_missing``; ``backup_foreign`` without a manifest; ``backup_newer``; ``backup_damaged`` for a name that no
        county has.
    """
    if not path.exists():
        raise BadInputError("file_missing", file=str(path))
    if path.is_dir():
        yield Bundle(path, None)
        return
    try:
        packed = zipfile.ZipFile(path)
    except (OSError, *_BROKEN) as fault:
        raise BadInputError("backup_foreign", path=str(path)) from fault
    with packed:
        yield Bundle(path, packed)
