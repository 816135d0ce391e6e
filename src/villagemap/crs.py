"""Datums: WGS 84, CGCS2000, GCJ-02 and BD-09, and the way between them.

A datum is named by one word, as it stands in a row's ``datum``:

==================== ==================================================================================
``wgs84``            degrees, EPSG:4326 (phones, OSM)
``cgcs2000``         degrees, EPSG:4490; within a metre of WGS 84, so it is kept unchanged
``cgcs2000_gk``      metres, Gauss-Kruger with the zone's number before the easting (37xxxxxx or 19xxxxxx)
``cgcs2000_gk:111``  metres, Gauss-Kruger without it: 111 is the central meridian in degrees
``gcj02``            degrees, what Amap and Tencent give
``bd09``             degrees, what Baidu gives
``epsg:32649``       any other system that stands on WGS 84 or CGCS2000
==================== ==================================================================================

Arrays are float64 of one shape, lon before lat. What can't be converted comes back as NaN, never as a guess.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from villagemap.errors import BadInputError

if TYPE_CHECKING:
    from pyproj import Proj, Transformer

Degrees = npt.NDArray[np.float64]
Pair = tuple[Degrees, Degrees]

OK, OUT_OF_RANGE, NAN, LOOKS_SWAPPED = (np.int8(code) for code in range(4))
"""What `check_lonlat` says of a row."""

CHINA = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north of the box in which GCJ-02 is shifted: the rule of every public converter."""

_A = 6378245.0
_EE = 0.00669342162296594323
"""Krassowsky's ellipsoid, on which GCJ-02 is built: semi-major axis in metres, squared eccentricity."""

_BD_STEP = np.pi * 3000.0 / 180.0
_CLOSE_ENOUGH = 1e-11
"""Degrees: about a micrometre, far below the 0.01 m that a round trip may be off."""

_ZONES_6, _ZONES_3 = range(13, 24), range(25, 46)
"""Gauss-Kruger zones that China touches; disjoint, so a number alone tells the width of its zone."""

_MERIDIANS = range(75, 136, 3)
"""Their central meridians, degrees east."""

_NORTHING = (1_600_000.0, 6_200_000.0)
_EASTING = (100_000.0, 900_000.0)
"""Metres: what northings and bare eastings in China can be. Disjoint, so an axis is known by its size."""

_SOUTHMOST = 300_000.0
"""With a zone before the easting the axes can't be mistaken, down to the southern islands."""


def in_china(lon: Degrees, lat: Degrees) -> npt.NDArray[np.bool_]:
    """Whether GCJ-02 is shifted at each point: a box, so it holds neighbours too."""
    west, south, east, north = CHINA
    return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


def wgs84_to_gcj02(lon: Degrees, lat: Degrees) -> Pair:
    """GCJ-02 of WGS 84 points.

    The shift is a sum of sines in the distance from 105 E, 35 N, turned from metres to degrees on
    Krassowsky's ellipsoid: the formula that public converters share since 2010 (eviltransform, gcoord,
    coordtransform). Outside `CHINA` GCJ-02 is WGS 84.
    """
    lon, lat = _floats(lon, lat)
    inside = in_china(lon, lat)
    east, north = _shift(np.where(inside, lon, 105.0), np.where(inside, lat, 35.0))
    return np.where(inside, lon + east, lon), np.where(inside, lat + north, lat)


def gcj02_to_wgs84(lon: Degrees, lat: Degrees) -> Pair:
    """WGS 84 of GCJ-02 points, by iteration until the way there closes (published inverses are 1–5 m off).

    Whether a point is shifted is judged by the point given. So the way back fails within a kilometre of the
    edge of `CHINA`, where no Chinese land lies.
    """
    lon, lat = _floats(lon, lat)
    inside = in_china(lon, lat)
    start = np.where(inside, lon, 105.0), np.where(inside, lat, 35.0)
    east, north = _inverse(*start, lambda x, y: _plus(x, y, _shift(x, y)))
    return np.where(inside, east, lon), np.where(inside, north, lat)


def gcj02_to_bd09(lon: Degrees, lat: Degrees) -> Pair:
    """BD-09 of GCJ-02 points: a turn and a stretch about 0, 0 with a ripple, then 0.0065 E and 0.006 N.

    Baidu never published it; this is the public reconstruction that coordtransform and gcoord agree on.
    """
    lon, lat = _floats(lon, lat)
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_STEP)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_STEP)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def bd09_to_gcj02(lon: Degrees, lat: Degrees) -> Pair:
    """GCJ-02 of BD-09 points, by iteration until the way there closes."""
    lon, lat = _floats(lon, lat)
    return _inverse(lon, lat, gcj02_to_bd09)


def to_wgs84(x: Degrees, y: Degrees, datum: str) -> Pair:
    """WGS 84 lon, lat of coordinates as given in ``datum`` (a word of `parse_datum`).

    Parameters
    ----------
    x, y
        Degrees (lon, lat), or metres. In Chinese Gauss-Kruger tables X is north and Y east, in geofiles x is
        east: as the two can't be mistaken by size, both orders are taken.

    Returns
    -------
    lon, lat
        Degrees; NaN where metres fit no zone of China.

    Raises
    ------
    BadInputError
        ``datum_unknown`` or ``datum_refused``.
    """
    x, y = _floats(x, y)
    name, _, detail = parse_datum(datum).partition(":")
    if name in {"wgs84", "cgcs2000"}:
        return x, y
    if name == "gcj02":
        return gcj02_to_wgs84(x, y)
    if name == "bd09":
        return gcj02_to_wgs84(*bd09_to_gcj02(x, y))
    if name == "cgcs2000_gk":
        return _from_gauss_kruger(x, y, int(detail) if detail else None)
    lon, lat = _transformer(int(detail)).transform(x, y)
    return _finite(lon, lat)


def from_wgs84(lon: Degrees, lat: Degrees, datum: str) -> Pair:
    """Coordinates in ``datum`` of WGS 84 points: lon, lat; X north, Y east for ``cgcs2000_gk``; else x, y.

    ``cgcs2000_gk`` takes each point's 3-degree zone and writes its number before the easting.
    """
    lon, lat = _floats(lon, lat)
    name, _, detail = parse_datum(datum).partition(":")
    if name in {"wgs84", "cgcs2000"}:
        return lon, lat
    if name == "gcj02":
        return wgs84_to_gcj02(lon, lat)
    if name == "bd09":
        return gcj02_to_bd09(*wgs84_to_gcj02(lon, lat))
    if name == "cgcs2000_gk":
        return _to_gauss_kruger(lon, lat, int(detail) if detail else None)
    return _finite(*_transformer(int(detail)).transform(lon, lat, direction="INVERSE"))


def check_lonlat(lon: Degrees, lat: Degrees) -> npt.NDArray[np.int8]:
    """What is wrong with each WGS 84 point: `OK`, `OUT_OF_RANGE`, `NAN` or `LOOKS_SWAPPED`, shape of ``lon``.

    It looks swapped when it would be a possible point the other way round and either isn't one as it stands,
    or would then lie in China and doesn't now. 0, 0 is how software writes "no position": out of range.
    """
    lon, lat = _floats(lon, lat)
    possible, turned = _possible(lon, lat), _possible(lat, lon)
    swapped = (~possible & turned) | (turned & in_china(lat, lon) & ~in_china(lon, lat))
    conditions = [~(np.isfinite(lon) & np.isfinite(lat)), swapped, ~possible | ((lon == 0) & (lat == 0))]
    return np.select(conditions, [NAN, LOOKS_SWAPPED, OUT_OF_RANGE], default=OK).astype(np.int8)


def parse_datum(word: str) -> str:
    """The datum that a person or a file names: 火星坐标, 百度, CGCS2000, 国家2000, GPS, EPSG:4546 and so on.

    Raises
    ------
    BadInputError
        ``datum_refused`` for Xi'an 1980 and Beijing 1954, by name or EPSG number: they are up to
        hundreds of metres off, by parameters that aren't public. ``datum_unknown`` else; it lists the known.
    """
    return _parse_datum(word)


_KNOWN = (
    "WGS84, CGCS2000 (国家2000), cgcs2000_gk (Gauss-Kruger), cgcs2000_gk:111, GCJ-02 (高德, 腾讯), BD-09 (百度), EPSG:n"
)

_WORDS = {
    "wgs84": "wgs84 wgs1984 gcswgs1984 84 gps crs84 urnogcdefcrsogc13crs84 世界大地 osm",
    "cgcs2000": (
        "cgcs2000 2000 国家2000 国家2000大地 2000国家大地 大地2000 天地图 tianditu "
        "gcschinageodeticcoordinatesystem2000 chinageodeticcoordinatesystem2000"
    ),
    "gcj02": "gcj02 gcj 火星 国测局 高德 腾讯 amap gaode autonavi tencent mars 火星坐标gcj02",
    "bd09": "bd09 bd09ll 百度 baidu 百度坐标bd09",
    "cgcs2000_gk": "cgcs2000gk 高斯 高斯克吕格 高斯投影 2000高斯 2000国家大地坐标系高斯投影 2000平面",
}
_BY_WORD = {word: datum for datum, words in _WORDS.items() for word in words.split()}
_SUFFIX = re.compile(r"(坐标系统|坐标系|坐标|地图|经纬度)$")

_REFUSED = (
    (
        "Xi'an 1980 (1980 西安坐标系)",
        re.compile(r"西安|xi'?an|(^|[^0-9])(19)?80坐标"),
        ((4610, 4610), (2327, 2390)),
    ),
    (
        "Beijing 1954 (1954 北京坐标系)",
        re.compile(r"北京|beijing|(^|[^0-9])(19)?54坐标|krass?owsky"),
        (
            (4214, 4214),
            (2401, 2442),
            (21413, 21423),
            (21453, 21463),
            (21473, 21483),
            (4555, 4555),
            (4568, 4589),
            (4652, 4656),
            (4766, 4800),
            (4812, 4822),
        ),
    ),
)
"""Name, how it is written, and the EPSG numbers (first to last) of systems that stand on it."""


@lru_cache(1024)
def _parse_datum(word: str) -> str:
    plain = unicodedata.normalize("NFKC", word).casefold()
    bare = re.sub(r"[\s_\-./():]", "", plain)
    code = re.search(r"epsg\D{0,12}?(\d{4,6})$", bare)
    epsg = int(code[1]) if code else 0
    for system, names, numbers in _REFUSED:
        if names.search(plain) or any(first <= epsg <= last for first, last in numbers):
            raise BadInputError("datum_refused", datum=word, system=system)
    if epsg:
        return _of_epsg(epsg, word)
    known = _BY_WORD.get(bare) or _BY_WORD.get(_SUFFIX.sub("", bare))
    return known or _of_gauss_kruger_name(bare, word)


def _of_gauss_kruger_name(bare: str, word: str) -> str:
    """``cgcs2000_gk`` or ``cgcs2000_gk:111`` of names such as CGCS2000_3_Degree_GK_CM_111E."""
    if not re.search(r"2000.*(gk|gauss|高斯|度带|zone|cm\d|中央)", bare):
        raise BadInputError("datum_unknown", datum=word, known=_KNOWN)
    meridian = re.search(r"(?:cm|中央经线|中央子午线|gk)(\d{2,3})e?度?$", bare)
    if not meridian:
        return "cgcs2000_gk"
    if int(meridian[1]) not in _MERIDIANS:
        raise BadInputError("datum_unknown", datum=word, known=_KNOWN)
    return f"cgcs2000_gk:{meridian[1]}"


_EPSG_ZONES = (range(4491, 4502), range(4513, 4534))
_EPSG_MERIDIANS = ((range(4502, 4513), 6), (range(4534, 4555), 3))
"""CGCS2000's 64 Gauss-Kruger systems: four runs of numbers, from 75 E on in steps of 6 or 3 degrees."""


def _of_epsg(epsg: int, word: str) -> str:
    if epsg in {4326, 4979}:
        return "wgs84"
    if epsg in {4490, 4480}:
        return "cgcs2000"
    if any(epsg in run for run in _EPSG_ZONES):
        return "cgcs2000_gk"
    for run, step in _EPSG_MERIDIANS:
        if epsg in run:
            return f"cgcs2000_gk:{_MERIDIANS[0] + step * run.index(epsg)}"
    if not _stands_on_wgs84(epsg):
        raise BadInputError("datum_unknown", datum=word, known=_KNOWN)
    return f"epsg:{epsg}"


@cache
def _stands_on_wgs84(epsg: int) -> bool:
    from pyproj import CRS  # noqa: PLC0415 - 0.1 s
    from pyproj.exceptions import CRSError  # noqa: PLC0415

    try:
        crs = CRS.from_epsg(epsg)
    except CRSError:
        return False
    datum = crs.geodetic_crs.datum if crs.geodetic_crs and not crs.is_geocentric else None
    return datum is not None and datum.name.startswith(("World Geodetic System 1984", "China 2000"))


@cache
def _transformer(epsg: int) -> "Transformer":
    from pyproj import CRS, Transformer  # noqa: PLC0415 - 0.1 s

    crs = CRS.from_epsg(epsg)
    return Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)


@cache
def _gauss_kruger(meridian: int) -> "Proj":
    """Transverse Mercator with scale 1 and 500 km false easting on CGCS2000's ellipsoid."""
    from pyproj import Proj  # noqa: PLC0415 - 0.1 s

    return Proj(proj="tmerc", lat_0=0, lon_0=meridian, k=1, x_0=500_000, y_0=0, a=6378137, rf=298.257222101)


def _from_gauss_kruger(x: Degrees, y: Degrees, meridian: int | None) -> Pair:
    """Degrees of metres in either order; a prefix tells each row's central meridian."""
    less, more = np.minimum(x, y), np.maximum(x, y)
    has_zone = more >= _ZONES_6[0] * 1e6
    north, east = np.where(has_zone, less, more), np.where(has_zone, more, less)
    southmost = np.where(has_zone, _SOUTHMOST, _NORTHING[0])
    zone = np.nan_to_num(np.floor(east / 1e6), nan=0, posinf=0, neginf=0).astype(np.int64)
    bare = east - zone * 1e6
    fits = (north >= southmost) & (north <= _NORTHING[1]) & (bare >= _EASTING[0]) & (bare <= _EASTING[1])
    lon, lat = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    for number in np.unique(zone):
        centre = _meridian(int(number)) or (meridian if number == 0 else None)
        if centre is not None and (meridian is None or centre == meridian):
            rows = fits & (zone == number)
            lon[rows], lat[rows] = _gauss_kruger(centre)(bare[rows], north[rows], inverse=True)
    return lon, lat


def _to_gauss_kruger(lon: Degrees, lat: Degrees, meridian: int | None) -> Pair:
    if meridian is not None:
        east, north = _finite(*_gauss_kruger(meridian)(lon, lat))
        return north, east
    zone = np.nan_to_num(np.floor((lon + 1.5) / 3)).astype(np.int64)
    north, east = np.full(lon.shape, np.nan), np.full(lon.shape, np.nan)
    for number in np.unique(zone):
        if int(number) in _ZONES_3:
            rows = zone == number
            bare, north[rows] = _finite(*_gauss_kruger(3 * int(number))(lon[rows], lat[rows]))
            east[rows] = bare + number * 1e6
    return north, east


def _meridian(zone: int) -> int | None:
    if zone in _ZONES_3:
        return 3 * zone
    return 6 * zone - 3 if zone in _ZONES_6 else None


def _shift(lon: Degrees, lat: Degrees) -> Pair:
    """Degrees east and north by which GCJ-02 is off."""
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    ripple = 20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (ripple + _waves(y, (20.0, 1.0), (40.0, 3.0)) + _waves(y, (160.0, 12.0), (320.0, 30.0))) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (ripple + _waves(x, (20.0, 1.0), (40.0, 3.0)) + _waves(x, (150.0, 12.0), (300.0, 30.0))) * 2.0 / 3.0
    sine = np.sin(np.radians(lat))
    magic = 1.0 - _EE * sine * sine
    metres_north = (_A * (1.0 - _EE)) / (magic * np.sqrt(magic)) * np.pi / 180.0
    metres_east = _A / np.sqrt(magic) * np.cos(np.radians(lat)) * np.pi / 180.0
    return east / metres_east, north / metres_north


def _waves(along: Degrees, *waves: tuple[float, float]) -> Degrees:
    return np.sum([height * np.sin(along * np.pi / length) for height, length in waves], axis=0)  # type: ignore[no-any-return]


def _inverse(lon: Degrees, lat: Degrees, there: Callable[[Degrees, Degrees], Pair]) -> Pair:
    """What ``there`` maps to lon, lat: its shift hardly changes, so each round wins 2–3 digits."""
    x, y = lon, lat
    for _ in range(12):
        there_x, there_y = there(x, y)
        off_x, off_y = there_x - lon, there_y - lat
        x, y = x - off_x, y - off_y
        if not np.any(np.abs(off_x) + np.abs(off_y) > _CLOSE_ENOUGH):
            break
    return x, y


def _plus(x: Degrees, y: Degrees, shift: Pair) -> Pair:
    return x + shift[0], y + shift[1]


def _possible(lon: Degrees, lat: Degrees) -> npt.NDArray[np.bool_]:
    return (np.abs(lon) <= 180) & (np.abs(lat) <= 90)  # noqa: PLR2004 - degrees


def _floats(x: Any, y: Any) -> Pair:  # noqa: ANN401 - whatever numpy takes
    return np.asarray(x, np.float64), np.asarray(y, np.float64)


def _finite(x: Any, y: Any) -> Pair:  # noqa: ANN401 - whatever pyproj gives
    x, y = _floats(x, y)
    good = np.isfinite(x) & np.isfinite(y)
    return np.where(good, x, np.nan), np.where(good, y, np.nan)
