"""What a disk can do to us: no room, names that aren't on it yet, files that others may read."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from villagemap.errors import ConflictError, DiskFullError, VillagemapError, WorkspaceError

NO_ROOM = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""No room on the disk, a file as long as this process may make it, a user's share used up."""

_NEXT_TO_NOTHING = 1 << 20
_MAYBE_FULL = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})


def is_full(fault: BaseException) -> bool:
    """Whether a fault of the system says that there is no room."""
    if isinstance(fault, sqlite3.Error):
        return getattr(fault, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
    return isinstance(fault, OSError) and fault.errno in NO_ROOM


@contextmanager
def room_needed() -> Iterator[None]:
    """Tell a full disk as what it is.

    Raises
    ------
    DiskFullError
        Where the block ends in one of `NO_ROOM`; other faults pass as they are.
    """
    try:
        yield
    except OSError as fault:
        if is_full(fault):
            raise DiskFullError from fault
        raise


def store_error(fault: sqlite3.Error, path: Path) -> VillagemapError:
    """What a fault of SQLite means to a person.

    SQLite calls a full disk an input/output error where it meets it in the index of its log, so the disk is asked.
    """
    code = getattr(fault, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return ConflictError("store_busy")
    if code == sqlite3.SQLITE_FULL or (code in _MAYBE_FULL and _free(path) < _NEXT_TO_NOTHING):
        return DiskFullError()
    return WorkspaceError("store_fault", fault=str(fault))


def _free(path: Path) -> int:
    with suppress(OSError):
        return shutil.disk_usage(path.parent).free
    return _NEXT_TO_NOTHING


def sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` outlast a power cut (Windows syncs names by itself)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restrict_file(path: Path) -> None:
    """Leave a file to its owner alone (0600); Windows inherits the folder's rights."""
    if os.name != "nt":
        path.chmod(0o600)
