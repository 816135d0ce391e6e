"""A stranger's file is taken in: copied under a name of ours, counted, hashed, its content compared with its name.

The copy is what gets parsed, so that the file can't change between the check and the reading, no parser sees a
name that a stranger chose, and nothing is ever written beside the original.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from villagemap.errors import BadInputError, NotFoundError, TooLargeError
from villagemap.readers.contract import MEGABYTE, Limits

KINDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "xlsx",
    ".geojson": "geojson",
    ".json": "geojson",
    ".gpkg": "gpkg",
    ".shp": "shp",
    ".zip": "shpzip",
}
_CONTENT = {
    "csv": "TEXT",
    "xlsx": "ZIP",
    "geojson": "JSON",
    "gpkg": "SQLite",
    "gpx": "XML/HTML",
    "osmpbf": "OSM PBF",
    "shp": "Shapefile",
    "shpzip": "ZIP",
}
_MAGIC = (
    (b"PK\x03\x04", "ZIP"),
    (b"PK\x05\x06", "ZIP"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"\x00\x00\x27\x0a", "Shapefile"),
    (b"\xd0\xcf\x11\xe0", "XLS/OLE2"),
    (b"%PDF", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x1f\x8b", "GZIP"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7Z"),
)
_PBF = b"\x0a\x09OSMHeader"
"""Behind the length of the first block's header, which has four bytes."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SNIFFED = 4096
_SIBLINGS = (".dbf", ".shx", ".prj", ".cpg")
_NEEDED = (".dbf", ".shx")


@dataclass(frozen=True, slots=True)
class Taken:
    """Our copy of a file: its name within the private folder, what it is, and the hash of its bytes."""

    file: str
    kind: str
    sha256: str


def take_in(path: Path, folder: Path, limits: Limits, kinds: Mapping[str, str] = KINDS) -> Taken:
    """Copy ``path`` (a Shapefile with its siblings) into ``folder`` and say what it is; ``kinds`` are those wanted.

    Raises
    ------
    NotFoundError
        ``file_missing``
    TooLargeError
        ``file_too_large``, counted while copying
    BadInputError
        ``file_kind_unknown``, ``file_empty``, ``file_content_differs``, ``file_unreadable``,
        ``shapefile_incomplete``
    """
    if not path.is_file():
        raise NotFoundError("file_missing", file=str(path))
    suffix = path.suffix.casefold()
    kind = kinds.get(suffix)
    if kind is None:
        known = ".csv .xlsx .geojson .gpkg .shp .shp.zip" if kinds is KINDS else " ".join(kinds)
        raise BadInputError("file_kind_unknown", file=path.name, known=known)
    parts = {suffix: path} | (_siblings(path) if kind == "shp" else {})
    digest, left = hashlib.sha256(), limits.file_bytes
    for ending, part in sorted(parts.items()):
        try:
            left -= _copy(part, folder / f"input{ending}", digest, left)
        except PermissionError as fault:
            raise BadInputError("file_unreadable", file=part.name) from fault
        if left < 0:
            raise TooLargeError("file_too_large", file=path.name, limit_mb=limits.file_bytes // MEGABYTE)
    own = folder / f"input{suffix}"
    _compare(own, path.name, suffix, kind)
    return Taken(own.name, kind, digest.hexdigest())


def sniff(start: bytes) -> str:
    """What a file's first bytes say it is; ``TEXT`` when they say nothing."""
    for magic, content in _MAGIC:
        if start.startswith(magic):
            return content
    if start.startswith(_UTF16):
        return "TEXT"
    if start[4:15] == _PBF:
        return "OSM PBF"
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:2]
    if first[:1] in {b"{", b"["}:
        return "JSON"
    return "XML/HTML" if first[:1] == b"<" and not first[1:].isspace() else "TEXT"


def _compare(own: Path, name: str, suffix: str, kind: str) -> None:
    with own.open("rb") as stream:
        start = stream.read(_SNIFFED)
    if not start:
        raise BadInputError("file_empty", file=name)
    content = sniff(start)
    if content != _CONTENT[kind]:
        raise BadInputError("file_content_differs", file=name, suffix=suffix, content=content)


def _siblings(path: Path) -> dict[str, Path]:
    """The other files of a Shapefile, whatever the case of their endings."""
    beside = {p.suffix.casefold(): p for p in path.parent.iterdir() if p.stem == path.stem and p.is_file()}
    for ending in _NEEDED:
        if ending not in beside:
            raise BadInputError("shapefile_incomplete", file=path.name, missing=ending)
    return {ending: beside[ending] for ending in _SIBLINGS if ending in beside}


def _copy(source: Path, target: Path, digest: "hashlib._Hash", most: int) -> int:
    """Bytes copied; stops soon after ``most``."""
    count = 0
    with source.open("rb") as read, target.open("xb") as write:
        while count <= most and (block := read.read(MEGABYTE)):
            count += len(block)
            digest.update(block)
            write.write(block)
    return count
