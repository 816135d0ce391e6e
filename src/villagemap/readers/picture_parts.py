"""A stranger's photo → what is kept and shown of it. Runs in the sandbox's child.

The header is believed only so far as to refuse: pixels are counted before any of them is decoded. What is served is
always drawn anew from the decoded pixels: nothing of the file itself, no EXIF, profile, thumbnail or trailing bytes.
"""

import base64
import importlib
import io
from collections.abc import Iterator
from typing import Any

import orjson
from PIL import Image, PngImagePlugin

from villagemap.errors import BadInputError, TooLargeError
from villagemap.likeness import fingerprint
from villagemap.readers.contract import Parsed, ParsedRow
from villagemap.readers.exif import read_exif

MOST_PIXELS = 50_000_000
SERVED_PX, SERVED_QUALITY = 1_600, 82
PARTS = ("facts", "served", "grey", "marks")
_FORMATS = {"jpeg": "JPEG", "png": "PNG", "heic": "HEIF"}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = frozenset({5, 6, 7, 8})


def read_picture(kind: str, file: str) -> Parsed:
    """Facts, served copy and fingerprint of a photo, as rows of name and value (binary ones in base64).

    Raises
    ------
    BadInputError
        ``picture_broken``, ``heic_unsupported``
    TooLargeError
        ``picture_too_large``, by the header's own word
    """
    image = _opened(kind, file)
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise TooLargeError("picture_too_large", size=f"{width} × {height}", limit_mp=MOST_PIXELS // 1_000_000)
    facts = read_exif(image)
    orientation = facts.pop("orientation", None)
    facts["width"], facts["height"] = (height, width) if orientation in _LYING else (width, height)
    upright = _upright(_decoded(image), orientation)
    return Parsed({"columns": ["name", "value"]}, _parts(upright, facts))


def _opened(kind: str, file: str) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = None  # we count ourselves, and refuse with a sentence
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 1 << 20
    if kind == "heic":
        try:
            importlib.import_module("pi_heif").register_heif_opener()
        except ImportError as fault:
            raise BadInputError("heic_unsupported") from fault
    try:
        return Image.open(file, formats=[_FORMATS[kind]])
    except Exception as fault:
        raise BadInputError("picture_broken") from fault


def _decoded(image: Image.Image) -> Image.Image:
    """The pixels in RGB, a large JPEG's at a half, quarter or eighth: more than is served isn't needed."""
    if image.width * image.height < 4:  # noqa: PLR2004 - pixels
        raise BadInputError("picture_broken")
    image.draft("RGB", (SERVED_PX, SERVED_PX))
    try:
        image.load()
        return _flat(image)
    except MemoryError:
        raise
    except Exception as fault:
        raise BadInputError("picture_broken") from fault


def _flat(image: Image.Image) -> Image.Image:
    """RGB of any mode: transparency over white, 16 bits to 8."""
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        solid = image.convert("RGBA")
        ground = Image.new("RGBA", solid.size, "white")
        ground.alpha_composite(solid)
        image = ground
    return image.convert("RGB")


def _upright(image: Image.Image, orientation: int | None) -> Image.Image:
    """At most as large as it is served, as it was held."""
    image.thumbnail((SERVED_PX, SERVED_PX), Image.Resampling.LANCZOS, reducing_gap=3.0)
    turn = _TURNS.get(orientation or 1)
    return image.transpose(turn) if turn is not None else image


def _parts(image: Image.Image, facts: dict[str, Any]) -> Iterator[ParsedRow]:
    served = io.BytesIO()
    # a fresh image has no info that could come along
    bare = Image.frombytes("RGB", image.size, image.tobytes())
    bare.save(served, "JPEG", quality=SERVED_QUALITY, optimize=True, progressive=True)
    found = fingerprint(bare)
    facts["grey_size"] = [found.width, found.height]
    values = (orjson.dumps(facts).decode(), *(_base64(part) for part in (served.getvalue(), found.grey, found.marks)))
    for number, (name, value) in enumerate(zip(PARTS, values, strict=True)):
        yield number, [name, value], None, ""


def _base64(blob: bytes) -> str:
    return base64.b64encode(blob).decode()
