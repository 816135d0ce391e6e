"""Time and position that a camera wrote into a picture, taken with care. Runs in the sandbox's child.

What is met in the field: positions of 0, 0 before the first fix, without hemisphere, with a denominator of 0, in
another datum; times of all zeros or blanks; a `DateTime` that is the day of editing, not of capture; a GPS clock
whose date is a day off; blocks cut short, on which Pillow raises whatever comes first.
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from PIL import ExifTags, Image

from villagemap.settings import TIME_ZONE

_FURTHEST_ZONE = timedelta(hours=14)
_QUARTER = timedelta(minutes=15)
_DRIFT = timedelta(minutes=2)
_EARLIEST = 1990
_WGS84 = {"", "WGS84", "WGS1984"}
_LONGEST = 64


def read_exif(image: Image.Image) -> dict[str, Any]:
    """Facts that a picture's EXIF block tells, as JSON values, with ``notes`` on what couldn't be used.

    ``taken_at`` is ISO text with its offset, from `DateTimeOriginal` only. ``zone`` says where the offset is from:
    ``offset`` (the camera wrote it), ``gps`` (the GPS clock of the same picture) or ``assumed`` (Asia/Shanghai).
    ``lonlat`` is in degrees, WGS 84; ``accuracy_m`` where the camera gave one.
    """
    try:
        exif = image.getexif()
        shot, gps = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
        orientation = exif.get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - a block cut short: Pillow raises struct.error, SyntaxError, TypeError, …
        return {"notes": ["exif_broken"]}
    facts: dict[str, Any] = {"orientation": orientation if orientation in range(1, 9) else None, "notes": []}
    _add_time(facts, shot, _gps_clock(gps))
    _add_position(facts, gps)
    return facts


def _add_time(facts: dict[str, Any], shot: Mapping[int, Any], gps_at: datetime | None) -> None:
    told = _text(shot.get(ExifTags.Base.DateTimeOriginal))
    if gps_at:
        facts["gps_at"] = gps_at.isoformat()
    if not told.strip(" :0"):
        return
    local = None
    with suppress(ValueError):
        local = datetime.strptime(told[:19], "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - its zone is found next
    if local is None or local.year < _EARLIEST:
        facts["notes"].append("time_broken")
        return
    zone, facts["zone"] = _zone(local, _text(shot.get(ExifTags.Base.OffsetTimeOriginal)), gps_at)
    facts["taken_at"] = local.replace(tzinfo=zone).isoformat()


def _zone(local: datetime, offset: str, gps_at: datetime | None) -> tuple[Any, str]:
    """The zone of a camera's clock, and where that is known from."""
    with suppress(ValueError):
        return datetime.strptime(offset, "%z").tzinfo, "offset"
    if gps_at:
        ahead = local.replace(tzinfo=UTC) - gps_at
        whole = round(ahead / _QUARTER) * _QUARTER
        if abs(whole) <= _FURTHEST_ZONE and abs(ahead - whole) <= _DRIFT:
            return timezone(whole), "gps"
    return TIME_ZONE, "assumed"


def _gps_clock(gps: Mapping[int, Any]) -> datetime | None:
    """The satellites' time, UTC."""
    with suppress(ValueError, TypeError, ZeroDivisionError, OverflowError):
        day = datetime.strptime(_text(gps.get(ExifTags.GPS.GPSDateStamp)), "%Y:%m:%d").replace(tzinfo=UTC)
        hours, minutes, seconds = (float(part) for part in gps[ExifTags.GPS.GPSTimeStamp])
        at = day + timedelta(hours=hours, minutes=minutes, seconds=int(seconds))
        return at if at.year >= _EARLIEST else None
    return None


def _add_position(facts: dict[str, Any], gps: Mapping[int, Any]) -> None:
    if ExifTags.GPS.GPSLatitude not in gps and ExifTags.GPS.GPSLongitude not in gps:
        return
    lon = _degrees(gps, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "WE", 180)
    lat = _degrees(gps, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "SN", 90)
    datum = "".join(c for c in _text(gps.get(ExifTags.GPS.GPSMapDatum)).upper() if c.isalnum())
    if datum not in _WGS84:
        facts["notes"].append("gps_datum")
    elif lon is None or lat is None:
        facts["notes"].append("gps_broken")
    elif abs(lon) < 1e-6 and abs(lat) < 1e-6:  # noqa: PLR2004 - degrees: what a receiver writes before its first fix
        facts["notes"].append("gps_zero")
    else:
        facts["lonlat"] = [round(lon, 7), round(lat, 7)]
        accuracy = _number(gps.get(ExifTags.GPS.GPSHPositioningError))
        if accuracy is not None and accuracy > 0:
            facts["accuracy_m"] = accuracy


def _degrees(gps: Mapping[int, Any], tag: int, ref: int, signs: str, most: int) -> float | None:
    """Degrees from degrees, minutes, seconds and a hemisphere; None where a part is missing or impossible."""
    side = _text(gps.get(ref)).upper()[:1]
    parts = gps.get(tag)
    if side not in set(signs) or not isinstance(parts, tuple) or len(parts) != 3:  # noqa: PLR2004 - d, m, s
        return None
    numbers = [_number(part) for part in parts]
    if any(number is None or number < 0 for number in numbers):
        return None
    whole, minutes, seconds = (number or 0.0 for number in numbers)
    degrees = whole + minutes / 60 + seconds / 3600
    # cameras that write decimal degrees leave the rest at 0; more than 60 minutes is no such thing
    if minutes >= 60 or seconds >= 60 or degrees > most:  # noqa: PLR2004
        return None
    return -degrees if side == signs[0] else degrees


def _number(value: object) -> float | None:
    with suppress(TypeError, ValueError, ZeroDivisionError, OverflowError):
        number = float(value)  # type: ignore[arg-type]
        return number if math.isfinite(number) else None
    return None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.split("\0")[0].strip()[:_LONGEST] if isinstance(value, str) else ""
