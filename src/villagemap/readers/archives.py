"""Zip files looked through before anything unpacks them; runs only in the child."""

import stat
import zipfile
from pathlib import Path, PurePosixPath

from villagemap.errors import BadInputError, TooLargeError
from villagemap.readers.contract import MEGABYTE, Limits

MOST_MEMBERS = 10_000
MOST_RATIO = 200
_RATIO_COUNTS_FROM = 10 * MEGABYTE
_ENCRYPTED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def check_zip(archive: zipfile.ZipFile, limits: Limits) -> None:
    """Refuse links, ways out, encryption, and what is declared or proves larger than allowed.

    Every member is unpacked once and counted, because the declared sizes are the stranger's own.

    Raises
    ------
    BadInputError
        ``zip_unsafe``
    TooLargeError
        ``zip_bomb``
    """
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise TooLargeError("zip_bomb", member=f"{len(members)} files")
    left = limits.unpacked_bytes
    for member in members:
        _check_name(member)
        left -= _count(archive, member, left)


def open_zip(file: str) -> zipfile.ZipFile:
    """The zip file.

    Raises
    ------
    BadInputError
        ``zip_broken``
    """
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError) as fault:
        raise BadInputError("zip_broken") from fault


def unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, limits: Limits) -> None:
    """Write one member under a name of ours, counting."""
    left = limits.unpacked_bytes
    with archive.open(member) as source, target.open("xb") as out:
        while block := source.read(MEGABYTE):
            left -= len(block)
            if left < 0:
                raise TooLargeError("zip_bomb", member=member.filename)
            out.write(block)


def _check_name(member: zipfile.ZipInfo) -> None:
    mode = member.external_attr >> 16
    path = PurePosixPath(member.filename.replace("\\", "/"))
    leaves = path.is_absolute() or ".." in path.parts or ":" in member.filename
    odd = mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0)
    if leaves or odd or member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        raise BadInputError("zip_unsafe", member=member.filename[:100])


def _count(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> int:
    """Real size of a member; stops where it goes over."""
    count, most = 0, max(_RATIO_COUNTS_FROM, member.compress_size * MOST_RATIO)
    try:
        with archive.open(member) as stream:
            while block := stream.read(MEGABYTE):
                count += len(block)
                if count > min(left, most):
                    raise TooLargeError("zip_bomb", member=member.filename[:100])
    except (zipfile.BadZipFile, EOFError, OSError, ValueError) as fault:
        raise BadInputError("zip_broken") from fault
    return count
