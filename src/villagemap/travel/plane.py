"""Metres of degrees: a plane that touches the ellipsoid at one latitude, right to 0.2 % over a county."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def metres_per_degree(lat: Floats) -> tuple[Floats, Floats]:
    """Metres in a degree of longitude and of latitude at each latitude (degrees), on the WGS 84 ellipsoid.

    The series of the meridian and parallel radii that geodesy texts give (Snyder, Map Projections, p. 25).
    """
    phi = np.radians(lat)
    east = 111_412.84 * np.cos(phi) - 93.5 * np.cos(3 * phi) + 0.118 * np.cos(5 * phi)
    north = 111_132.92 - 559.82 * np.cos(2 * phi) + 1.175 * np.cos(4 * phi)
    return np.asarray(east, float), np.asarray(north, float)


def step_m(lon: Floats, lat: Floats) -> Floats:
    """Length of each step from one point to the next, metres, shape (n - 1,), each measured at its own latitude."""
    east, north = metres_per_degree((lat[1:] + lat[:-1]) / 2)
    return np.hypot(np.diff(lon) * east, np.diff(lat) * north)


def distance_m(lon: Floats, lat: Floats, to_lon: Floats, to_lat: Floats) -> Floats:
    """Straight distance between points, metres; broadcasts."""
    east, north = metres_per_degree((lat + to_lat) / 2)
    return np.hypot((lon - to_lon) * east, (lat - to_lat) * north)
