"""What recorded tracks tell of the straight line: how much longer roads are, and how fast one comes on. Pure.

A *leg* is driven between two stays: consecutive fixes at more than walking pace, without a gap. Its detour is its
length ÷ the straight line between its ends, its speed its length ÷ its time; both figures are medians over legs,
weighted by length, because a plan adds up minutes and kilometres.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from villagemap.travel.line import DETOUR, SPEED_KM_H
from villagemap.travel.plane import Floats, distance_m, step_m

Instants = npt.NDArray[np.datetime64]

STAY_S = 180.0
GAP_S = 120.0
SLOW_M_S = 2.5
FASTEST_M_S = 40.0
LEAST_LEG_M = 1000.0
LEAST_LEGS = 5
BOUNDS = (1.0, 3.0)
"""A detour beyond these is no way from one place to another but a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A drive: metres driven and straight, seconds."""

    driven_m: float
    straight_m: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Figures for `line_matrix`, from so many ``legs``; the usual ones (``enough`` False) where there are too few."""

    detour: float
    speed_km_h: float
    legs: int
    km: float
    enough: bool


def legs_of(lon: Floats, lat: Floats, time: Instants) -> list[Leg]:
    """The drives of one track: fixes in WGS 84 degrees and UTC; fixes without a time are left out."""
    timed = ~np.isnat(time) & np.isfinite(lon) & np.isfinite(lat)
    order = np.argsort(time[timed], kind="stable")
    lon, lat, time = lon[timed][order], lat[timed][order], time[timed][order]
    if len(lon) < 2:  # noqa: PLR2004 - no step
        return []
    seconds = np.diff(time) / np.timedelta64(1, "s")
    step = step_m(lon, lat)
    pace = step / np.maximum(seconds, 1.0)
    leap = pace > FASTEST_M_S
    breaks = _stays(pace, seconds) | (seconds > GAP_S) | leap
    borders = np.flatnonzero(np.diff(np.concatenate([[True], breaks, [True]]).astype(np.int8)))
    legs = []
    for first, last in zip(borders[::2].tolist(), borders[1::2].tolist(), strict=True):
        straight = distance_m(lon[[first]], lat[[first]], lon[[last]], lat[[last]])[0]
        leg = Leg(
            driven_m=float(step[first:last].sum()), straight_m=float(straight), seconds=float(seconds[first:last].sum())
        )
        if leg.straight_m >= LEAST_LEG_M and BOUNDS[0] <= leg.driven_m / leg.straight_m <= BOUNDS[1]:
            legs.append(leg)
    return legs


def _stays(pace: Floats, seconds: Floats) -> npt.NDArray[np.bool_]:
    """Steps that are part of a stay: slow for `STAY_S` or more without a break; waiting at a light is driving."""
    slow = pace < SLOW_M_S
    change = np.concatenate([[0], np.cumsum(slow[1:] != slow[:-1])])
    return np.asarray(slow & (np.bincount(change, seconds)[change] >= STAY_S), bool)


def calibrate(legs: list[Leg]) -> Calibration:
    """Detour and speed that fit the legs."""
    km = sum(leg.driven_m for leg in legs) / 1000
    if len(legs) < LEAST_LEGS:
        return Calibration(detour=DETOUR, speed_km_h=SPEED_KM_H, legs=len(legs), km=km, enough=False)
    weight = np.array([leg.driven_m for leg in legs])
    detour = _median(np.array([leg.driven_m / leg.straight_m for leg in legs]), weight)
    speed = _median(np.array([leg.driven_m / leg.seconds * 3.6 for leg in legs]), weight)
    return Calibration(detour=round(detour, 3), speed_km_h=round(speed, 1), legs=len(legs), km=km, enough=True)


def _median(values: Floats, weight: Floats) -> float:
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order])
    return float(values[order][int(np.searchsorted(share, share[-1] / 2))])
