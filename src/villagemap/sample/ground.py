"""Where sample issues can lie: a county's villages and hamlets as arrays, and points drawn inside them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from villagemap.errors import BadInputError
from villagemap.model import Level, Place

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
M_PER_DEGREE = 110_690.0
SPREAD_M = 110.0
"""Half of the issues of a hamlet lie within about this distance of its centre."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Villages (v of them), the hamlets in them (h) and the towns (t) they belong to.

    ``areas`` holds a village's polygon, or a point where it has none. ``hamlets`` may repeat a village itself, for
    villages whose hamlets aren't known. ``rim`` holds points just outside all villages, shape (m, 2), degrees.
    """

    towns: tuple[Place, ...]
    villages: tuple[Place, ...]
    hamlets: tuple[Place, ...]
    areas: npt.NDArray[np.object_]
    town_of: Ints
    village_of: Ints
    centres: Floats
    weights: Floats
    rim: Floats


def ground_of(places: Sequence[Place], rng: np.random.Generator) -> Ground:
    """The county's villages as arrays; ``rng`` decides which villages have more to find.

    Raises
    ------
    BadInputError
        If there isn't a village with a position that belongs to a town.
    """
    towns = tuple(sorted((p for p in places if p.level is Level.TOWN), key=lambda p: p.place_id))
    index = {town.place_id: i for i, town in enumerate(towns)}
    villages = tuple(
        sorted(
            (p for p in places if p.level is Level.VILLAGE and p.parent_id in index and p.geometry),
            key=lambda p: p.place_id,
        )
    )
    if not villages:
        raise BadInputError("sample_without_villages")
    areas: npt.NDArray[np.object_] = np.asarray(shapely.from_wkb([p.geometry for p in villages]), object)
    hamlets, village_of, centres = _hamlets(places, villages, areas)
    homes = np.array([hamlet.households or 50 for hamlet in hamlets], float)
    dirt = np.exp(rng.normal(0, 0.7, len(villages)))[village_of]
    return Ground(
        towns=towns,
        villages=villages,
        hamlets=tuple(hamlets),
        areas=areas,
        town_of=np.array([index[str(p.parent_id)] for p in villages], np.int64),
        village_of=village_of,
        centres=centres,
        weights=np.sqrt(homes) * dirt / np.sum(np.sqrt(homes) * dirt),
        rim=_rim(areas, rng),
    )


def _hamlets(
    places: Sequence[Place], villages: Sequence[Place], areas: npt.NDArray[np.object_]
) -> tuple[list[Place], Ints, Floats]:
    """Hamlets in the order of their villages, with village index and centre; a bare village stands for itself."""
    own: dict[str, list[Place]] = {village.place_id: [] for village in villages}
    for place in sorted(places, key=lambda p: p.place_id):
        if place.level is Level.HAMLET and place.parent_id in own and place.geometry:
            own[str(place.parent_id)].append(place)
    hamlets: list[Place] = []
    village_of: list[int] = []
    centres: list[tuple[float, float]] = []
    for i, village in enumerate(villages):
        kin = own[village.place_id] or [village]
        for place in kin:
            shape = areas[i] if place is village else shapely.from_wkb(place.geometry)
            point = shapely.point_on_surface(shape) if place is village else shapely.centroid(shape)
            hamlets.append(place)
            village_of.append(i)
            centres.append((point.x, point.y))
    return hamlets, np.array(village_of, np.int64), np.array(centres, float)


def _rim(areas: npt.NDArray[np.object_], rng: np.random.Generator) -> Floats:
    """Points 200 to 900 m outside every village."""
    whole = shapely.union_all(shapely.buffer(areas, 1e-6))
    rings = [shapely.get_exterior_ring(p) for d in (0.002, 0.004, 0.008) for p in shapely.get_parts(whole.buffer(d))]
    points = [ring.interpolate(along, normalized=True) for ring in rings for along in rng.random(60)]
    return np.array([(p.x, p.y) for p in points if not whole.contains(p)], float)


def lon_m(lat: Floats) -> Floats:
    """Metres in a degree of longitude at each latitude."""
    return np.cos(np.radians(lat)) * M_PER_DEGREE


def points_near(ground: Ground, hamlet: Ints, rng: np.random.Generator) -> Floats:
    """A point near each hamlet and inside its village, shape (n, 2), degrees to 6 decimals."""
    centres = ground.centres[hamlet]
    areas = ground.areas[ground.village_of[hamlet]]
    points = centres.copy()
    waiting = np.arange(len(hamlet))
    for shrink in (1.0, 0.8, 0.5, 0.25, 0.08):
        reach = SPREAD_M * shrink * np.exp(rng.normal(0, 0.5, len(waiting)))[:, None]
        offset = rng.standard_normal((len(waiting), 2)) * reach
        tried = centres[waiting] + offset / np.column_stack([lon_m(centres[waiting, 1]), [M_PER_DEGREE] * len(waiting)])
        tried = np.round(tried, 6)
        inside = _inside(areas[waiting], tried)
        points[waiting[inside]] = tried[inside]
        waiting = waiting[~inside]
    return np.round(points, 6)


def points_beside(ground: Ground, village: Ints, points: Floats, rng: np.random.Generator) -> Floats:
    """A point some metres from each of ``points``, or the same where that would leave the village."""
    step = rng.normal(0, 9.0, points.shape) / np.column_stack([lon_m(points[:, 1]), [M_PER_DEGREE] * len(points)])
    tried = np.round(points + step, 6)
    inside = _inside(ground.areas[village], tried)
    return np.where(inside[:, None], tried, points)


def _inside(areas: npt.NDArray[np.object_], points: Floats) -> npt.NDArray[np.bool_]:
    """Whether each point lies in its area; a village known by a point only takes all."""
    bare = np.asarray(shapely.get_dimensions(areas) == 0, bool)
    held = np.asarray(shapely.contains_xy(areas, points[:, 0], points[:, 1]), bool)
    return np.asarray(held | bare, bool)


def shapes_at(
    ground: Ground, village: Ints, points: Floats, size_m: Floats, closed: bool, rng: np.random.Generator
) -> list[str | None]:
    """WKT of a small line (or polygon, if ``closed``) round each point, or None where the village has no room.

    ``size_m`` is a line's length, or a polygon's mean radius.
    """
    corners = 6 if closed else 5
    n = len(points)
    if closed:
        turn = np.linspace(0, 2 * math.pi, corners, endpoint=False) + rng.uniform(0, 6, (n, 1))
        radius = size_m[:, None] * rng.uniform(0.7, 1.25, (n, corners))
        east, north = np.cos(turn) * radius, np.sin(turn) * radius * 0.8
    else:
        heading, along = rng.uniform(0, math.pi, (n, 1)), (np.linspace(-0.5, 0.5, corners) * size_m[:, None])
        aside = rng.normal(0, 0.06, (n, corners)) * size_m[:, None]
        east = along * np.cos(heading) - aside * np.sin(heading)
        north = along * np.sin(heading) + aside * np.cos(heading)
    lon = np.round(points[:, :1] + east / lon_m(points[:, 1])[:, None], 6)
    lat = np.round(points[:, 1:] + north / M_PER_DEGREE, 6)
    areas = ground.areas[village][:, None]
    flat = np.repeat(areas, corners, axis=1).ravel()
    fits = _inside(flat, np.column_stack([lon.ravel(), lat.ravel()])).reshape(n, corners)
    kind = ("POLYGON ((", "))") if closed else ("LINESTRING (", ")")
    return [_wkt(lon[i], lat[i], closed, kind) if all(fit) else None for i, fit in enumerate(fits.tolist())]


def _wkt(lon: Floats, lat: Floats, closed: bool, kind: tuple[str, str]) -> str:
    pairs: list[Any] = [f"{x:.6f} {y:.6f}" for x, y in zip(lon.tolist(), lat.tolist(), strict=True)]
    return kind[0] + ", ".join([*pairs, *(pairs[:1] if closed else ())]) + kind[1]
