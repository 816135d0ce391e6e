"""The PhotoStore: pictures by content hash in a folder, on disk before any event names them."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from villagemap.errors import NotFoundError

_BLOCK = 1 << 20


class PhotoStore:
    """Original pictures under ``folder/ab/abcdef…`` by SHA-256 of their bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, stream: BinaryIO) -> str:
        """Keep a stream's bytes, synced with its folder, and return their SHA-256 (hex)."""
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

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256


def sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` outlast a power cut (Windows syncs names by itself)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
