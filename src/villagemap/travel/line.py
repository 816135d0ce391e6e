"""The honest last resort: straight line × detour at one speed. An estimate, and labelled so wherever it shows."""

from collections.abc import Sequence

import numpy as np

from villagemap.plans import NEVER, Matrix, MatrixKind, Site
from villagemap.travel.plane import Floats, distance_m

DETOUR = 1.3
"""Roads ÷ straight line: the median measured between villages is 1.28, from 1.09 to 2.56 by county."""
SPEED_KM_H = 38.0
_ROWS = 500


def line_matrix(sites: Sequence[Site], *, detour: float = DETOUR, speed_km_h: float = SPEED_KM_H) -> Matrix:
    """Travel between sites as the crow flies × ``detour`` at ``speed_km_h``, rounded up.

    A site without a position is out of reach of all others.
    """
    lon, lat = positions(sites)
    metres = np.zeros((len(sites), len(sites)))
    for at in range(0, len(sites), _ROWS):
        rows = slice(at, at + _ROWS)
        metres[rows] = distance_m(lon[rows, None], lat[rows, None], lon[None], lat[None]) * detour
    seconds = metres * 3.6 / speed_km_h
    unknown = np.isnan(metres)
    return Matrix(
        ids=tuple(site.id for site in sites),
        duration_s=_whole(seconds, unknown),
        distance_m=_whole(metres, unknown),
        kind=MatrixKind.LINE,
        digest=f"line {detour:.4g} {speed_km_h:.4g}",
        about={"detour": float(detour), "speed_km_h": float(speed_km_h)},
    )


def positions(sites: Sequence[Site]) -> tuple[Floats, Floats]:
    """Longitudes and latitudes, NaN where a site has none."""
    lon = np.array([np.nan if site.lon is None or site.lat is None else site.lon for site in sites], float)
    lat = np.array([np.nan if site.lon is None or site.lat is None else site.lat for site in sites], float)
    return lon, lat


def _whole(figures: Floats, unknown: "np.typing.NDArray[np.bool_]") -> "np.typing.NDArray[np.int64]":
    """Rounded up, so that a way round is never shorter than the way; `NEVER` where unknown, 0 on the diagonal."""
    whole = np.where(unknown, NEVER, np.minimum(np.ceil(np.nan_to_num(figures)), NEVER)).astype(np.int64)
    np.fill_diagonal(whole, 0)
    return whole
