"""The way in for a stranger's photo: taken in, decoded in the sandbox's child, given back as facts and clean bytes."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import orjson

from villagemap.errors import BadInputError, TooLargeError
from villagemap.likeness import AREA, MARK, MARKS, Fingerprint
from villagemap.readers.contract import MEGABYTE, Limits
from villagemap.readers.intake import Taken
from villagemap.readers.sandbox import open_taken

PHOTO_LIMITS = Limits(file_bytes=40 * MEGABYTE, cpu_s=30, wall_s=60.0, rows=8)
MEDIA_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "heic": "image/heic"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"}
_SNIFFED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoRead:
    """A photo as it was read.

    ``sha256`` is of the file's very bytes; ``width`` and ``height`` of the upright picture. ``served`` is a JPEG of
    at most 1,600 pixels, upright, drawn anew without EXIF. ``taken_at`` is aware; ``zone`` says how its offset is
    known: ``offset``, ``gps``, ``assumed`` or "". ``lonlat`` is what the file says, WGS 84. ``notes`` are codes of
    ``evidence.notes``: what stood in the file and couldn't be used.
    """

    sha256: str
    media_type: str
    width: int
    height: int
    served: bytes
    fingerprint: Fingerprint
    taken_at: datetime | None = None
    zone: str = ""
    gps_at: datetime | None = None
    lonlat: tuple[float, float] | None = None
    accuracy_m: float | None = None
    notes: tuple[str, ...] = ()


def read_photo(stream: BinaryIO, name: str, *, limits: Limits = PHOTO_LIMITS) -> PhotoRead:
    """Read a JPEG, PNG or (with the extra ``heic``) HEIC of a stranger; ``name`` is only for sentences.

    Raises
    ------
    BadInputError
        ``picture_empty``, ``picture_kind_unknown``, ``picture_broken``, ``heic_unsupported``
    TooLargeError
        ``picture_file_too_large``, ``picture_too_large``
    """
    with TemporaryDirectory(prefix="villagemap-") as folder:
        taken = _taken(stream, name, Path(folder), limits)
        try:
            with open_taken(taken, Path(folder), name, limits=limits) as table:
                parts = {str(row.values[0]): row.values[1] for batch in table.batches() for row in batch}
            return _photo(taken, parts)
        except (KeyError, ValueError, TypeError, AttributeError) as fault:
            # the child has been taken over, or lies: nothing of what it says is kept
            raise BadInputError("picture_broken", file=name) from fault
        except BadInputError as fault:
            if not fault.code.startswith("parser_"):
                raise
            # what is told of a broken table (split it, save it as .csv) helps nobody with a photo
            raise BadInputError("picture_broken", file=name) from fault


def _taken(stream: BinaryIO, name: str, folder: Path, limits: Limits) -> Taken:
    """Our copy, counted and hashed while it comes."""
    digest, count, start = hashlib.sha256(), 0, b""
    with (folder / "input.picture").open("xb") as copy:
        while block := stream.read(MEGABYTE):
            count += len(block)
            if count > limits.file_bytes:
                raise TooLargeError("picture_file_too_large", file=name, limit_mb=limits.file_bytes // MEGABYTE)
            start = start or block[:_SNIFFED]
            digest.update(block)
            copy.write(block)
    if not count:
        raise BadInputError("picture_empty", file=name)
    return Taken("input.picture", _kind(start, name), digest.hexdigest())


def _kind(start: bytes, name: str) -> str:
    """What the first bytes say, whatever the file is called."""
    if start.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS:
        return "heic"
    raise BadInputError("picture_kind_unknown", file=name)


def _photo(taken: Taken, parts: dict[str, str]) -> PhotoRead:
    """The child's answer, checked like any input."""
    facts: dict[str, Any] = orjson.loads(parts["facts"])
    served, grey, marks = (base64.b64decode(parts[name], validate=True) for name in ("served", "grey", "marks"))
    width, height = facts["grey_size"]
    if not served.startswith(b"\xff\xd8\xff") or len(grey) != width * height or not 0 < len(grey) <= 8 * AREA:
        raise ValueError("parts")
    if len(marks) % MARK.itemsize or len(marks) > MARKS * MARK.itemsize:
        raise ValueError("marks")
    lon_lat, accuracy = facts.get("lonlat"), facts.get("accuracy_m")
    return PhotoRead(
        sha256=taken.sha256,
        media_type=MEDIA_TYPES[taken.kind],
        width=int(facts["width"]),
        height=int(facts["height"]),
        served=served,
        fingerprint=Fingerprint(width=int(width), height=int(height), grey=grey, marks=marks),
        taken_at=_instant(facts.get("taken_at")),
        zone=str(facts.get("zone", "")),
        gps_at=_instant(facts.get("gps_at")),
        lonlat=None if lon_lat is None else _position(lon_lat),
        accuracy_m=None if accuracy is None else float(accuracy),
        notes=tuple(map(str, facts["notes"])),
    )


def _instant(word: str | None) -> datetime | None:
    at = datetime.fromisoformat(word) if word is not None else None
    if at is not None and at.tzinfo is None:
        raise ValueError("zone")
    return at


def _position(given: list[float]) -> tuple[float, float]:
    lon, lat = map(float, given)
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):  # noqa: PLR2004 - degrees
        raise ValueError("position")
    return lon, lat
