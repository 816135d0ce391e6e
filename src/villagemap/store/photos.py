"""The PhotoStore: pictures by content hash in a folder, on disk before any event names them."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from villagemap.errors import NotFoundError
from villagemap.store.disk import room_needed, sync_folder

_BLOCK = 1 << 20
_NAME = re.compile(r"[0-9a-f]{64}")


class Kept(StrEnum):
    """What became of a picture's file."""

    WHOLE = "whole"
    MISSING = "missing"
    CHANGED = "changed"


class PhotoStore:
    """Original pictures under ``folder/ab/abcdef…`` by SHA-256 of their bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, stream: BinaryIO) -> str:
        """Keep a stream's bytes, synced with its folder, and return their SHA-256 (hex).

        Raises
        ------
        DiskFullError
            If there is no room: nothing is kept then.
        """
        with room_needed():
            return self._put(stream)

    def _put(self, stream: BinaryIO) -> str:
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".new-", delete=False) as new:
            try:
                while block := stream.read(_BLOCK):
                    digest.update(block)
                    new.write(block)
                new.flush()
                os.fsync(new.fileno())
            except BaseException:
                Path(new.name).unlink()
                raise
        home = self._path(digest.hexdigest())
        home.parent.mkdir(exist_ok=True)
        Path(new.name).replace(home)
        sync_folder(home.parent)
        sync_folder(self.folder)
        return digest.hexdigest()

    def open(self, sha256: str) -> BinaryIO:
        """The bytes of a picture.

        Raises
        ------
        NotFoundError
            If it isn't here (deleted, or never was).
        """
        try:
            return self._path(sha256).open("rb")
        except FileNotFoundError as fault:
            raise NotFoundError("photo_missing", sha256=sha256[:12]) from fault

    def kept(self, sha256: str) -> Kept:
        """Whether a picture's file is here and has the bytes that its name tells."""
        try:
            with self._path(sha256).open("rb") as file:
                whole = hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except FileNotFoundError:
            return Kept.MISSING
        return Kept.WHOLE if whole else Kept.CHANGED

    def hashes(self) -> Iterator[str]:
        """The names of all pictures here, in order; what is still being written isn't among them."""
        for home in sorted(self.folder.iterdir()):
            if home.is_dir():
                yield from sorted(path.name for path in home.iterdir() if _NAME.fullmatch(path.name))

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256
