"""Matrices of kept plans: files by content hash, on disk before any event names them."""

import hashlib
import io
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from villagemap.errors import NotFoundError
from villagemap.plans import NEVER, Matrix, MatrixKind
from villagemap.store.disk import room_needed, sync_folder

FOLDER = "matrices"
SUFFIX = ".npz"
_NAME = re.compile(r"[0-9a-f]{64}\.npz")


class MatrixStore:
    """Matrices under ``folder/<digest>.npz``; the digest is of what they say, not of the file's bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, matrix: Matrix) -> str:
        """Keep a matrix, synced with its folder, and return its digest (hex SHA-256).

        Raises
        ------
        DiskFullError
            If there is no room: nothing is kept then.
        """
        digest = matrix_digest(matrix)
        home = self.path(digest)
        if home.exists():
            return digest
        with room_needed():
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._write(matrix, home)
            sync_folder(self.folder)
            sync_folder(self.folder.parent)
        return digest

    def _write(self, matrix: Matrix, home: Path) -> None:
        bytes_out = io.BytesIO()
        head = np.frombuffer(_head(matrix), np.uint8)
        np.savez_compressed(
            bytes_out, head=head, duration_s=_small(matrix.duration_s), distance_m=_small(matrix.distance_m)
        )
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".new-", delete=False) as new:
            try:
                new.write(bytes_out.getbuffer())
                new.flush()
                os.fsync(new.fileno())
            except BaseException:
                Path(new.name).unlink()
                raise
        Path(new.name).replace(home)

    def get(self, digest: str) -> Matrix:
        """A kept matrix.

        Raises
        ------
        NotFoundError
            ``matrix_missing`` if it isn't here, or isn't what its name tells.
        """
        try:
            with np.load(io.BytesIO(self.path(digest).read_bytes()), allow_pickle=False) as file:
                head: dict[str, Any] = orjson.loads(file["head"].tobytes())
                duration_s, distance_m = file["duration_s"].astype(np.int64), file["distance_m"].astype(np.int64)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as fault:
            raise NotFoundError("matrix_missing", digest=digest[:12]) from fault
        matrix = Matrix(
            ids=tuple(head["ids"]),
            duration_s=duration_s,
            distance_m=distance_m,
            kind=MatrixKind(head["kind"]),
            digest=head["digest"],
            about=head["about"],
        )
        if matrix_digest(matrix) != digest:
            raise NotFoundError("matrix_missing", digest=digest[:12])
        return matrix

    def names(self) -> Iterator[str]:
        """The file names of all matrices here, in order."""
        if self.folder.is_dir():
            yield from sorted(path.name for path in self.folder.iterdir() if _NAME.fullmatch(path.name))

    def path(self, digest: str) -> Path:
        """Where a matrix lies, or would."""
        return self.folder / f"{digest}{SUFFIX}"


def matrix_digest(matrix: Matrix) -> str:
    """SHA-256 of all that a matrix says: its ids, kind, source and figures."""
    digest = hashlib.sha256(_head(matrix))
    for figures in (matrix.duration_s, matrix.distance_m):
        digest.update(_small(figures).tobytes())
    return digest.hexdigest()


def _head(matrix: Matrix) -> bytes:
    head = {"ids": matrix.ids, "kind": matrix.kind, "digest": matrix.digest, "about": dict(matrix.about)}
    return orjson.dumps(head, option=orjson.OPT_SORT_KEYS)


def _small(figures: Any) -> Any:  # noqa: ANN401 - numpy arrays
    """As little-endian 32-bit numbers, which `NEVER` fits into."""
    return np.minimum(figures, NEVER).astype("<i4")
