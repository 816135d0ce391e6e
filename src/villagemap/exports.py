"""Issues written out: GeoJSON as a stream of bytes made from stored texts.

RFC 7946 knows WGS 84 only. Where a county needs GCJ-02 for a Chinese map, the file says so in its name
(``*.gcj02.geojson``) and in a member ``datum``, so that nobody, we included, reads it back as WGS 84.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely

from villagemap.crs import from_wgs84
from villagemap.errors import WrongUseError
from villagemap.model import Audience

SUFFIX = ".geojson"
SHIFTED = frozenset({"gcj02", "bd09"})
"""Datums that lie 500 m off: a file in one of them says so in its name."""

IN_DEGREES = ("wgs84", *sorted(SHIFTED), "cgcs2000")
"""What a GeoJSON file may be in."""

_PHONE = re.compile(
    r"(?:(?<=\\[nrtbf])|(?<![\w.-]))(?:(?:\+|00)?86[ -]?)?"
    r"(?:1[3-9]\d[ -]?\d{4}[ -]?\d{4}|\(?0\d{2,3}\)?[ -]?\d{3,4}[ -]?\d{4}|400[ -]?\d{3}[ -]?\d{4})(?![\w.])",
    re.ASCII,
)
"""Mobile and land line numbers of mainland China in free text, also behind the escapes of JSON; ids and codes are
longer or joined to letters. Full-width digits are looked at as plain ones."""

_PLAIN_DIGITS = str.maketrans("０１２３４５６７８９（）－＋　", "0123456789()-+ ")


def without_phones(text: str) -> str:
    """A text with the telephone numbers in it masked."""
    plain = text.translate(_PLAIN_DIGITS)
    parts, end = [], 0
    for found in _PHONE.finditer(plain):
        parts += [text[end : found.start()], "***"]
        end = found.end()
    return "".join([*parts, text[end:]])


def geojson(blocks: Iterable[list[str]], *, audience: Audience, datum: str = "wgs84") -> Iterator[bytes]:
    """A FeatureCollection from blocks of feature texts.

    Parameters
    ----------
    blocks
        Stored feature texts that ``audience`` may see.
    audience
        For anyone but the owner, telephone numbers in free text are masked.
    datum
        ``wgs84`` or another datum in degrees (``gcj02``, ``bd09``, ``cgcs2000``), which is then named in the file.
    """
    member = "" if datum == "wgs84" else f'"datum":"{datum}",'
    yield f'{{"type":"FeatureCollection",{member}"features":['.encode()
    separator = b"\n"
    for block in blocks:
        texts = block if datum == "wgs84" else _in_datum(block, datum)
        chunk = ",\n".join(texts)
        if audience is not Audience.OWNER:
            chunk = without_phones(chunk)
        if chunk:
            yield separator + chunk.encode()
            separator = b",\n"
    yield b"\n]}\n"


def _in_datum(texts: list[str], datum: str) -> list[str]:
    features: list[dict[str, Any]] = [orjson.loads(text) for text in texts]
    placed = [feature for feature in features if feature["geometry"] is not None]
    shapes = shapely.from_geojson([orjson.dumps(feature["geometry"]) for feature in placed])

    def shifted(points: Any) -> Any:  # noqa: ANN401 - shapely has no types
        return np.round(np.column_stack(from_wgs84(points[:, 0], points[:, 1], datum)), 7)

    for feature, text in zip(placed, shapely.to_geojson(shapely.transform(shapes, shifted)), strict=True):
        feature["geometry"] = orjson.loads(text)
    return [orjson.dumps(feature).decode() for feature in features]


def named_for(path: Path, datum: str) -> Path:
    """The file to write GeoJSON to; a shifted datum shows in its name.

    Raises
    ------
    WrongUseError
        ``export_suffix`` for another ending, ``export_name_datum`` where the name tells of another datum,
        ``export_datum`` for one that isn't in degrees.
    """
    if datum not in IN_DEGREES:
        raise WrongUseError("export_datum", datum=datum, known=", ".join(IN_DEGREES))
    told = [other for other in SHIFTED - {datum} if f".{other}." in path.name.casefold()]
    if told:
        raise WrongUseError("export_name_datum", name=path.name, told=told[0], datum=datum)
    if path.suffix.casefold() not in {SUFFIX, ".json"}:
        raise WrongUseError("export_suffix", suffix=path.suffix or path.name, known=SUFFIX)
    mark = f".{datum}{SUFFIX}"
    if datum in SHIFTED and not path.name.casefold().endswith(mark):
        return path.with_name(path.stem + mark)
    return path


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a whole file or none: beside it first, then in its place.

    Raises
    ------
    WrongUseError
        ``output_exists_folder``, ``output_unwritable``
    """
    if path.is_dir():
        raise WrongUseError("output_exists_folder", path=path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
        partial.replace(path)
    except OSError as fault:
        raise WrongUseError("output_unwritable", path=path, fault=fault.strerror or str(fault)) from fault
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
