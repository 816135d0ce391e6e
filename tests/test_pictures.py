"""Strangers' photos: read in the sandbox, facts believed with care, nothing of the file itself handed on."""

import hashlib
import importlib.util
import io
import json
import struct
import zlib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from photo_scenes import Exposure, Scene
from villagemap.errors import BadInputError, TooLargeError
from villagemap.likeness import LIKE, compare, fingerprint
from villagemap.readers import exif as exif_reader
from villagemap.readers import sandbox
from villagemap.readers.contract import Limits
from villagemap.readers.exif import read_exif
from villagemap.readers.pictures import read_photo
from villagemap.texts import LANGS, catalog

REAL = Path(__file__).parents[2] / "shared" / "data" / "photos"
HEIC = importlib.util.find_spec("pi_heif") is not None
SHOT, GPS = 0x8769, 0x8825
HERE = {1: "N", 2: (20.0, 45.0, 0.0), 3: "E", 4: (111.0, 18.0, 0.0)}


@cache
def scene():
    return Scene(1).take(Exposure(), seed=1)


def file_of(image, kind="JPEG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def read(content, name="照片.jpg", **options):
    return read_photo(io.BytesIO(content), name, **options)


def fault_of(content, **options):
    with pytest.raises(BadInputError) as fault:
        read(content, **options)
    for lang in LANGS:
        assert "照片.jpg" in fault.value.sentence(lang)
    return fault.value.code


def exif(shot=None, gps=None, **main):
    block = Image.Exif()
    for tag, value in {"Orientation": 274, "DateTime": 306}.items():
        if tag in main:
            block[value] = main[tag]
    block[SHOT], block[GPS] = shot or {}, gps or {}
    return block


def facts_of(shot=None, gps=None, **main):
    """What the reader makes of an EXIF block, read back from a file as it would stand there."""
    content = file_of(Image.new("RGB", (8, 8)), exif=exif(shot, gps, **main))
    return read_exif(Image.open(io.BytesIO(content)))


def test_a_photo_becomes_facts_clean_bytes_and_a_fingerprint():
    block = exif({36867: "2022:03:20 12:30:05", 36881: "+08:00"}, HERE | {31: 12.5}, DateTime="2022:04:01 00:00:00")
    content = file_of(scene(), exif=block, quality=90, comment=b"secret")
    photo = read(content)
    assert photo.sha256 == hashlib.sha256(content).hexdigest()
    assert (photo.media_type, photo.width, photo.height) == ("image/jpeg", *scene().size)
    assert photo.taken_at == datetime(2022, 3, 20, 4, 30, 5, tzinfo=UTC)
    assert (photo.zone, photo.lonlat, photo.accuracy_m, photo.notes) == ("offset", (111.3, 20.75), 12.5, ())
    assert compare(photo.fingerprint, fingerprint(scene()))[0] > 0.8
    served = Image.open(io.BytesIO(photo.served))
    assert (served.format, served.size) == ("JPEG", scene().size)
    assert b"Exif" not in photo.served
    assert b"secret" not in photo.served


def test_what_is_served_is_small_and_nothing_of_the_file_itself():
    payload = b"<script>alert(1)</script>" * 100
    large = scene().resize((3000, 2250))
    photo = read(file_of(large, icc_profile=payload, exif=exif({37510: payload})) + payload)
    assert Image.open(io.BytesIO(photo.served)).size == (1600, 1200)
    assert (photo.width, photo.height) == (3000, 2250)
    assert b"script" not in photo.served


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_stood_upright_before_anything_is_made_of_it(orientation):
    way_back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Transpose values
    as_held = scene().transpose(Image.Transpose(way_back[orientation])) if orientation > 1 else scene()
    photo = read(file_of(as_held, quality=95, exif=exif(Orientation=orientation)))
    assert (photo.width, photo.height) == scene().size
    shown = np.asarray(Image.open(io.BytesIO(photo.served)), int)
    assert np.abs(shown - np.asarray(scene(), int)).mean() < 8
    assert compare(photo.fingerprint, fingerprint(scene()))[1] == "same"


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        ("PNG", scene),
        ("PNG", lambda: scene().convert("L")),
        ("PNG", lambda: scene().convert("P")),
        ("PNG", lambda: scene().convert("RGBA")),
        ("PNG", lambda: Image.fromarray(np.asarray(scene().convert("L")).astype(np.uint16) * 257)),
        ("JPEG", lambda: scene().convert("CMYK")),
        ("JPEG", lambda: scene().convert("L")),
    ],
    ids=["png", "grey png", "palette", "alpha", "16 bits", "cmyk", "grey jpeg"],
)  # fmt: skip
def test_every_mode_of_pixels_comes_out_the_same(kind, image):
    photo = read(file_of(image(), kind))
    assert photo.media_type == f"image/{kind.lower()}"
    assert compare(photo.fingerprint, fingerprint(scene()))[0] >= LIKE


def test_transparent_parts_are_white():
    photo = read(file_of(Image.new("RGBA", (40, 30), (0, 0, 0, 0)), "PNG"))
    assert np.asarray(Image.open(io.BytesIO(photo.served))).min() > 250


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 3000), (3000, 2)])
def test_tiny_and_thin_pictures_are_read_or_refused_with_a_sentence(size):
    content = file_of(Image.new("RGB", size), "PNG")
    if size == (1, 1):
        assert fault_of(content) == "picture_broken"
    else:
        assert (read(content).width, read(content).height) == size


def png(width, height, *chunks):
    """A PNG by its bytes: a header that may lie, and chunks."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IEND", b"")]
    blocks = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(blocks)


BOMB = zlib.compress(bytes(200_000_000))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "picture_empty"),
        (b"GIF89a" + bytes(100), "picture_kind_unknown"),
        (b"<svg onload=alert(1)>", "picture_kind_unknown"),
        (b"\xff\xd8\xff\xe0", "picture_broken"),
        (png(8000, 6251, (b"IDAT", BOMB)), "picture_too_large"),
        (png(2**31 - 1, 2**31 - 1), "picture_too_large"),
        (png(100, 100, (b"IDAT", zlib.compress(bytes(50)))), "picture_broken"),
        (png(100, 100, (b"zTXt", b"k\0\0" + BOMB), (b"IDAT", zlib.compress(bytes(30_100)))), "picture_broken"),
        (b"\0\0\0\x18ftypheic" + bytes(50), "picture_broken" if HEIC else "heic_unsupported"),
    ],
    ids=["empty", "gif", "svg", "head only", "50 MP", "huge", "short", "text bomb", "heic"],
)  # fmt: skip
def test_bad_files_get_a_sentence(content, code):
    assert fault_of(content) == code


def test_a_jpeg_cut_short_is_refused_and_a_large_file_is_counted_as_it_comes():
    content = file_of(scene())
    assert fault_of(content[: len(content) // 2]) == "picture_broken"
    with pytest.raises(TooLargeError) as fault:
        read(content, limits=Limits(file_bytes=len(content) - 1))
    assert fault.value.code == "picture_file_too_large"


FACTS = {"grey_size": [2, 1], "width": 2, "height": 1, "notes": []}
TRUE = {"facts": FACTS, "served": "/9j/", "grey": "AAA=", "marks": ""}
LIES = {
    "nothing": {},
    "no facts": TRUE | {"facts": []},
    "no JPEG": TRUE | {"served": "PGI+"},
    "no base64": TRUE | {"served": "/9j/<b>"},
    "grey of another size": TRUE | {"grey": "AA=="},
    "no grey at all": TRUE | {"grey": "", "facts": FACTS | {"grey_size": [0, 0]}},
    "half a mark": TRUE | {"marks": "AAAA"},
    "marks without end": TRUE | {"marks": "AAAA" * 2_000},
    "nowhere on earth": TRUE | {"facts": FACTS | {"lonlat": [999, 0]}},
    "a time without zone": TRUE | {"facts": FACTS | {"taken_at": "2022-03-20T12:00:00"}},
}


def say(monkeypatch, parts):
    """Plant a child that says this."""
    rows = [[name, json.dumps(value) if name == "facts" else value] for name, value in parts.items()]
    batch = [list(range(len(rows))), rows, [None] * len(rows), [""] * len(rows)]
    said = "\n".join(map(json.dumps, ({"columns": ["name", "value"]}, batch, {"end": len(rows)})))
    monkeypatch.setattr(sandbox, "_BOOT", f"print({said!r})")


@pytest.mark.parametrize("parts", LIES.values(), ids=LIES)
def test_a_child_that_lies_is_not_believed(monkeypatch, parts):
    say(monkeypatch, TRUE)
    assert read(file_of(scene())).fingerprint.grey == bytes(2)
    say(monkeypatch, parts)
    assert fault_of(file_of(scene())) == "picture_broken"


LOCAL = {36867: "2022:03:20 12:30:05"}
CLOCK = {29: "2022:03:20", 7: (4.0, 30.0, 3.0)}


@pytest.mark.parametrize(
    ("shot", "gps", "at", "zone"),
    [
        (LOCAL, {}, "2022-03-20T12:30:05+08:00", "assumed"),
        (LOCAL | {36881: "-03:30"}, {}, "2022-03-20T12:30:05-03:30", "offset"),
        (LOCAL | {36881: "   :  "}, CLOCK, "2022-03-20T12:30:05+08:00", "gps"),
        (LOCAL, CLOCK | {7: (12.0, 30.0, 0.0)}, "2022-03-20T12:30:05+00:00", "gps"),
        (LOCAL, CLOCK | {29: "2022:03:22"}, "2022-03-20T12:30:05+08:00", "assumed"),
        (LOCAL, CLOCK | {7: (4.0, 37.0, 0.0)}, "2022-03-20T12:30:05+08:00", "assumed"),
        ({}, CLOCK, None, None),
        ({36867: "0000:00:00 00:00:00"}, {}, None, None),
        ({36867: "    :  :     :  :  "}, {}, None, None),
    ],
)
def test_the_time_of_capture_and_where_its_zone_is_from(shot, gps, at, zone):
    facts = facts_of(shot, gps, DateTime="2022:04:01 00:00:00")
    assert (facts.get("taken_at"), facts.get("zone"), facts["notes"]) == (at, zone, [])


@pytest.mark.parametrize("word", ["2022:02:30 10:00:00", "1970:01:01 08:00:00", "today", "2022-03-20"])
def test_a_time_that_makes_no_sense_is_noted(word):
    facts = facts_of({36867: word})
    assert (facts.get("taken_at"), facts["notes"]) == (None, ["time_broken"])


@pytest.mark.parametrize(
    ("gps", "notes"),
    [
        ({1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}, ["gps_zero"]),
        ({2: HERE[2], 4: HERE[4]}, ["gps_broken"]),
        ({1: "N", 2: HERE[2]}, ["gps_broken"]),
        (HERE | {2: (91.0, 0.0, 0.0)}, ["gps_broken"]),
        (HERE | {2: (20.0, 61.0, 0.0)}, ["gps_broken"]),
        (HERE | {1: "X"}, ["gps_broken"]),
        (HERE | {18: "TOKYO"}, ["gps_datum"]),
        (HERE | {18: "GCJ-02"}, ["gps_datum"]),
        ({}, []),
    ],
)
def test_a_position_that_cant_be_used_is_noted(gps, notes):
    facts = facts_of(gps=gps)
    assert (facts.get("lonlat"), facts["notes"]) == (None, notes)


def test_a_denominator_of_0_is_no_number():
    """Pillow reads such a rational, and can't write one."""
    assert [exif_reader._number(IFDRational(part, 0)) for part in (0, 1)] == [None, None]
    gps = HERE | {4: (IFDRational(0, 0), 0.0, 0.0)}
    facts = {"notes": []}
    exif_reader._add_position(facts, gps)
    assert (facts, exif_reader._gps_clock(CLOCK | {7: gps[4]})) == ({"notes": ["gps_broken"]}, None)


def test_hemispheres_and_the_datum_s_many_spellings():
    assert facts_of(gps=HERE | {1: "S", 3: "W", 18: "WGS-84   "})["lonlat"] == [-111.3, -20.75]
    assert facts_of(gps=HERE | {18: "WGS 84", 31: 0.0})["lonlat"] == [111.3, 20.75]
    assert "accuracy_m" not in facts_of(gps=HERE | {31: 0.0})


def test_a_broken_exif_block_costs_the_facts_and_not_the_photo():
    whole = file_of(scene(), exif=exif(LOCAL, HERE))
    start = whole.index(b"Exif")
    for cut in range(start + 6, start + 80, 7):
        photo = read(whole[:cut] + b"\xff" * 5 + whole[cut + 5 :]) if cut % 3 == 0 else None
        assert photo is None or (photo.width, photo.height) == scene().size


def test_every_note_has_its_words():
    codes = {"exif_broken", "time_broken", "gps_zero", "gps_broken", "gps_datum"}
    assert all(codes == set(catalog("evidence", lang)["notes"]) for lang in LANGS)


def expected():
    if not REAL.exists():
        return []
    return json.loads((REAL / "photos_expected.json").read_text(encoding="utf-8"))


def check_real(entry):
    with (REAL / entry["file"]).open("rb") as stream:
        photo = read_photo(stream, "照片.jpg")
    width, height = entry["size"]
    assert {photo.width, photo.height} == {width, height}
    assert (photo.width == width) == (entry["orientation"] not in {5, 6, 7, 8} or width == height)
    told = entry["datetime_original"]
    assert (f"{photo.taken_at:%Y:%m:%d %H:%M:%S}" if photo.taken_at else None) == told
    assert photo.lonlat == (pytest.approx((entry["lon"], entry["lat"]), abs=2e-7) if "lat" in entry else None)
    return photo


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="no real photos beside this checkout")
def test_real_photos_tell_what_is_expected_of_them():
    """8 with a position, several with blocks on which other readers failed; each in its own child process."""
    photos = {entry["file"]: check_real(entry) for entry in expected() if entry.get("decodes")}
    assert len(photos) >= 39
    assert sum(photo.lonlat is not None for photo in photos.values()) == 8
    nokia = photos["jpg/mobile/HMD_Nokia_8.3_5G.jpg"]
    assert (nokia.zone, nokia.taken_at - nokia.gps_at) == ("offset", timedelta(seconds=-1))
    # this camera's GPS date is a day off, so its zone can't be known from there
    assert {photo.zone for name, photo in photos.items() if "/gps/" in name} == {"assumed"}
    assert photos["jpg/gps/DSCN0010.jpg"].taken_at.utcoffset() == timedelta(hours=8)
    upright = [Image.open(io.BytesIO(photos[f"jpg/orientation/landscape_{n}.jpg"].served)) for n in (3, 6, 8)]
    assert {picture.size for picture in upright} == {(600, 450)}


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="no real photos beside this checkout")
def test_real_heic_is_read_with_the_extra_and_gets_a_sentence_without():
    files = sorted((REAL / "heic").rglob("*.*"))
    assert len(files) == 3
    for file in files:
        content = file.read_bytes()
        if HEIC:
            assert read(content).media_type == "image/heic"
        else:
            assert fault_of(content) == "heic_unsupported"
