"""Where towns, villages and hamlets of the fictional county lie, how far they reach and how many live there."""

import math
from dataclasses import dataclass, field

import county_terrain as terrain
import numpy as np
import numpy.typing as npt
import shapely
import shapely.ops
from county_names import TOWNS, hamlet_names, village_stems
from county_terrain import CELL, Labels, Raster
from shapely import LineString, MultiPolygon, Point, Polygon

RIVERS: tuple[tuple[str, tuple[tuple[float, float], ...], float, float], ...] = (
    # name, way points (km), width at the source and at the mouth (km)
    (
        "澜江",
        ((24.5, 54), (25.5, 48), (22.5, 43.5), (25.5, 38.5), (27.0, 33.0), (30.4, 29.5), (30.6, 24.5)),
        0.07,
        0.55,
    ),
    ("楝溪", ((5.5, 41), (11.5, 39.5), (16.5, 41.0), (21.0, 37.5), (26.15, 36.0)), 0.035, 0.09),
    ("荔水", ((4.5, 27.0), (10.5, 23.5), (12.5, 16.0), (16.0, 11.5), (18.3, 6.0)), 0.035, 0.22),
    ("鹭溪河", ((44.5, 52.0), (47.0, 46.5), (50.5, 42.5), (51.5, 38.0)), 0.03, 0.15),
)
ISLAND, ISLAND_TOWN = (32.5, 10.3), "101"
"""A point on the island, and the town that it belongs to."""

COMMUNITIES = {"001": 12, "100": 2, "109": 2, "112": 2}
"""How many villages of a town are 社区; one everywhere else."""


TWO_OF_A_NAME = ("100", "102", "104", "109", "112")
"""Towns where both a community and a village committee bear the town's name."""


@dataclass(slots=True)
class Village:
    """A village under way: plane coordinates in km, later its area in degrees and its hamlets."""

    town: int
    seat: tuple[float, float]
    community: bool
    code: str = ""
    stem: str = ""
    area: Polygon | MultiPolygon = field(default_factory=Polygon)
    hamlets: list["Hamlet"] = field(default_factory=list)


@dataclass(slots=True)
class Hamlet:
    """A hamlet: plane coordinates in km."""

    name: str
    seat: tuple[float, float]
    households: int


@dataclass(frozen=True, slots=True)
class Ground:
    """What the growth of settlements depends on, as rasters."""

    land: Labels
    water: Polygon | MultiPolygon
    streams: list[LineString]
    wet: npt.NDArray[np.bool_]
    to_coast: Raster
    to_river: Raster
    slowness: Raster


def ground(rng: np.random.Generator) -> Ground:
    """Land, rivers and how hard it is for a town to reach across each cell."""
    land = terrain.land_and_sea(rng)
    streams = [terrain.meander(points, 0.42, rng) for _, points, _, _ in RIVERS]
    widths = [(start, end) for _, _, start, end in RIVERS]
    water = terrain.river_area([(line, *width) for line, width in zip(streams, widths, strict=True)])
    wet = terrain.inside(water.buffer(0.08))
    x, y = terrain.cell_centres()
    rough = np.exp(0.7 * terrain.fbm(x, y, 6.0, 3, rng) + 0.9 * terrain.fbm(x, y, 1.6, 4, rng))
    return Ground(
        land=land,
        water=water,
        streams=streams,
        wet=wet,
        to_coast=terrain.distance_to(land == terrain.SEA),
        to_river=terrain.distance_to(wet),
        slowness=np.where(wet, 6.0, rough),
    )


def town_labels(place: Ground) -> Labels:
    """The town (1 to 15, in the order of `TOWNS`) of each cell; the island has a town named."""
    parts = terrain.connected_parts(place.land == 1)
    sizes = np.bincount(parts[parts > 0])
    mainland = np.where(parts == int(np.argmax(sizes)), 1, 0).astype(np.int32)
    seeds = [cell_of(x, y) for _, _, _, x, y, _, _ in TOWNS]
    labels = terrain.grow(seeds, mainland, place.slowness, [start for *_, start in TOWNS])
    labels[(place.land == 1) & (labels == 0)] = 1 + [code for code, *_ in TOWNS].index(ISLAND_TOWN)
    labels[place.land != 1] = place.land[place.land != 1]
    return labels


def cell_of(x: float, y: float) -> tuple[int, int]:
    """Row and column of the cell at a plane point."""
    return int(y / CELL), int(x / CELL)


def settle(place: Ground, towns: Labels, rng: np.random.Generator) -> list[Village]:
    """The villages' seats: the town's own first, then denser near rivers, the coast and the town's seat."""
    x, y = terrain.cell_centres()
    villages: list[Village] = []
    for number, (code, _, _, seat_x, seat_y, count, _) in enumerate(TOWNS, start=1):
        near_seat = np.hypot(x - seat_x, y - seat_y)
        density = 0.35 + 1.8 * np.exp(-place.to_river / 1.2) + 1.2 * np.exp(-place.to_coast / 1.5)
        density += (4.0 if code == "001" else 1.6) * np.exp(-near_seat / 2.2)
        free = (towns == number) & ~place.wet & (place.to_coast > 0.35) & (place.to_river > 0.25)
        cells = rng.permutation(np.argwhere(free))
        firsts = [cell_of(seat_x, seat_y), *([cell_of(*ISLAND)] if code == ISLAND_TOWN else [])]
        points = _spread(np.vstack([firsts, cells]), density, count)
        central = np.argsort([math.dist(p, (seat_x, seat_y)) for p in points], kind="stable")
        town_of_communities = set(central[: COMMUNITIES.get(code, 1)].tolist())
        villages += [Village(number, p, community=i in town_of_communities) for i, p in enumerate(points)]
    return villages


def _spread(cells: npt.NDArray[np.int64], density: Raster, count: int) -> list[tuple[float, float]]:
    """``count`` cells, the first of ``cells`` among them, as far apart as their density allows."""
    points = ((cells[:, ::-1] + 0.5) * CELL).astype(np.float64)
    reach = density[cells[:, 0], cells[:, 1]] ** -0.5
    low, high = 0.0, 20.0
    best: list[int] = []
    for _ in range(22):
        scale = (low + high) / 2
        chosen = _sieve(points, reach * scale, count)
        if len(chosen) == count:
            low, best = scale, chosen
        else:
            high = scale
    return [(float(points[i, 0]), float(points[i, 1])) for i in best]


def _sieve(points: Raster, reach: Raster, count: int) -> list[int]:
    """Indices of up to ``count`` points, in order, that keep their distance from those before them."""
    free = np.ones(len(points), bool)
    chosen: list[int] = []
    while len(chosen) < count and free.any():
        i = int(np.argmax(free))
        chosen.append(i)
        free &= np.hypot(*(points - points[i]).T) > (reach + reach[i]) / 2
    return chosen


def village_labels(place: Ground, towns: Labels, villages: list[Village], rng: np.random.Generator) -> Labels:
    """The village (number from 1) of each cell of land; `SEA` and `ABROAD` elsewhere."""
    x, y = terrain.cell_centres()
    slowness = np.where(place.wet, 9.0, np.exp(1.0 * terrain.fbm(x, y, 1.4, 4, rng)))
    parts = terrain.connected_parts(place.land == 1)
    region = np.where(towns > 0, towns + 100 * parts, 0).astype(np.int32)
    seeds = [cell_of(*village.seat) for village in villages]
    labels = terrain.grow(seeds, region, slowness, [0.0] * len(seeds))
    labels[place.land != 1] = place.land[place.land != 1]
    return labels


def name_villages(place: Ground, villages: list[Village], rng: np.random.Generator) -> None:
    """Codes (communities from 001, village committees from 200) and short names."""
    villages.sort(key=lambda v: (v.town, not v.community, -v.seat[1], v.seat[0]))
    coastal = [bool(place.to_coast[cell_of(*v.seat)] < 2.5) for v in villages]
    kin: dict[tuple[int, bool], int] = {}
    for village in villages:
        group = (village.town, village.community)
        kin[group] = kin.get(group, -1) + 1
        village.code = TOWNS[village.town - 1][0] + f"{(1 if village.community else 200) + kin[group]:03d}"
    named = _named_after_town(villages)
    plain = [i for i in range(len(villages)) if i not in named]
    stems = village_stems([coastal[i] for i in plain], [villages[i].town for i in plain], rng)
    for i, stem in [*zip(plain, stems, strict=True), *named.items()]:
        villages[i].stem = stem


def _named_after_town(villages: list[Village]) -> dict[int, str]:
    """Villages that bear their town's name: its seat's community, in some towns a village committee too."""
    named: dict[int, str] = {}
    for number, (code, _, short, x, y, _, _) in enumerate(TOWNS, start=1):
        near = sorted((math.dist(v.seat, (x, y)), i) for i, v in enumerate(villages) if v.town == number)
        named[next(i for _, i in near if villages[i].community)] = short
        if code in TWO_OF_A_NAME:
            named[next(i for _, i in near if not villages[i].community)] = short
    return named


def move_seats_inside(villages: list[Village], areas: list[Polygon]) -> None:
    """Move seats that thinned borders came too near to at least 60 m into their village."""
    for village, area in zip(villages, areas, strict=True):
        inner, seat = area.buffer(-0.06), Point(village.seat)
        if not inner.contains(seat):
            nearest = shapely.ops.nearest_points(inner, seat)[0]
            village.seat = (float(nearest.x), float(nearest.y))


def settle_hamlets(
    villages: list[Village], plane_areas: list[Polygon], dry: list[Polygon], rng: np.random.Generator
) -> None:
    """2 to 7 hamlets in each village, one of them at its seat, with their households."""
    used = {village.stem for village in villages}
    for village, whole, ground_of in zip(villages, plane_areas, dry, strict=True):
        wanted = int(np.clip(round(2.15 + 0.95 * math.sqrt(whole.area) + rng.normal(0, 1.0)), 2, 7))
        spots = _hamlet_spots(village, ground_of, wanted, rng)
        names = hamlet_names(village.stem, len(spots), used, rng)
        crowd = 2.2 if village.community else 1.0
        homes = np.maximum(12, np.round(np.exp(rng.normal(4.1, 0.5, len(spots))) * crowd)).astype(int)
        homes[0] = round(homes[0] * 1.5)
        village.hamlets = [Hamlet(n, s, int(h)) for n, s, h in zip(names, spots, homes, strict=True)]


def _hamlet_spots(village: Village, area: Polygon, wanted: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Points inside ``area``, clear of its border and of each other; the first beside the seat."""
    inner = area.buffer(-0.12)
    inner = inner if not inner.is_empty and inner.area > 0.1 else area.buffer(-0.04)
    west, south, east, north = inner.bounds
    tries = rng.uniform((west, south), (east, north), (900, 2))
    tries = tries[shapely.contains_xy(inner, tries)]
    beside = np.hypot(*(tries - village.seat).T)
    first = np.argmin(np.abs(beside - 0.12))
    pull = np.argsort(beside / (0.3 + rng.random(len(tries))), kind="stable")
    for apart in (0.85, 0.65, 0.5, 0.35, 0.25, 0.15):
        spots = [tries[first]]
        for i in pull.tolist():
            if len(spots) < wanted and min(math.dist(tries[i], s) for s in spots) > apart * math.sqrt(
                area.area / wanted
            ):
                spots.append(tries[i])
        if len(spots) >= wanted:
            break
    return [(float(a), float(b)) for a, b in spots]


def ponds(villages: list[Village], areas: list[Polygon], rng: np.random.Generator) -> list[tuple[str, Polygon]]:
    """Village ponds and a few reservoirs as irregular rounds (km), clear of seats and hamlets."""
    made: list[tuple[str, Polygon]] = []
    for village, area in zip(villages, areas, strict=True):
        if rng.random() > 0.32:
            continue
        big = rng.random() < 0.06
        radius = rng.uniform(0.35, 0.6) if big else rng.uniform(0.04, 0.11)
        for spot in rng.uniform(area.bounds[:2], area.bounds[2:], (30, 2)):
            clear = min(math.dist(spot, h.seat) for h in village.hamlets) > radius + 0.1
            if (
                clear
                and math.dist(spot, village.seat) > radius + 0.1
                and area.contains(Point(spot).buffer(radius * 1.6))
            ):
                made.append((f"{village.stem}{'水库' if big else '塘'}", _blob(spot, radius, rng)))
                break
    return made


def _blob(centre: npt.NDArray[np.float64], radius: float, rng: np.random.Generator) -> Polygon:
    turn = np.linspace(0, 2 * math.pi, 20 if radius > 0.2 else 9, endpoint=False)
    wave = 1 + 0.28 * np.sin(2 * turn + rng.uniform(0, 6)) + 0.18 * np.sin(3 * turn + rng.uniform(0, 6))
    return Polygon(np.column_stack([np.cos(turn), 0.75 * np.sin(turn)]) * (radius * wave)[:, None] + centre)
