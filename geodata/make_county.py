"""Write the fictional sample county's geography into this folder; the same bytes each time (seeded).

    python geodata/make_county.py [FOLDER]

Needs numpy and shapely only. ``made_with.json`` records the versions that made the committed files.
"""

import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import county_settle as settlement
import numpy as np
import shapely
from county_borders import Border, area, borders, to_degrees, to_plane
from county_names import COUNTY, COUNTY_CODE, SLUG, TOWNS
from county_roads import CLASSES, Road, RoadBuilder
from county_settle import RIVERS, Ground, Village
from county_terrain import SEA
from shapely import LineString, MultiPolygon, Polygon

SEED = 11
Properties = dict[str, Any]
Feature = tuple[Properties, shapely.Geometry]


def main(folder: Path) -> None:
    """Make everything and write it to ``folder``."""
    rng = np.random.default_rng(SEED)
    place = settlement.ground(rng)
    towns = settlement.town_labels(place)
    villages = settlement.settle(place, towns, rng)
    settlement.name_villages(place, villages, rng)
    labels = settlement.village_labels(place, towns, villages, rng)
    lines = borders(labels, thin=lambda sides: 0.012 if sides[0] <= 0 or _differ(villages, sides) else 0.02)
    for number, village in enumerate(villages, start=1):
        village.area = area(lines, {number})
    county = area(lines, set(range(1, len(villages) + 1)))
    plane = [_plane(village.area) for village in villages]
    dry = [largest(shapely.difference(whole, place.water)) for whole in plane]
    settlement.move_seats_inside(villages, dry)
    settlement.settle_hamlets(villages, plane, dry, rng)
    ponds = settlement.ponds(villages, dry, rng)
    roads = RoadBuilder(villages, _plane(county), place.water, rng).build()
    write(folder / "county.geojson", [county_feature(villages, county)])
    write(folder / "towns.geojson", town_features(villages, lines))
    write(folder / "villages.geojson", village_features(villages))
    write(folder / "hamlets.geojson", hamlet_features(villages))
    write(folder / "roads.geojson", road_features(roads))
    write(folder / "water.geojson", water_features(place, county, ponds, lines))
    versions = {"numpy": np.__version__, "shapely": shapely.__version__, "geos": shapely.geos_version_string}
    (folder / "made_with.json").write_text(json.dumps({"seed": SEED, **versions}) + "\n", encoding="utf-8")


def _differ(villages: list[Village], sides: tuple[int, int]) -> bool:
    return villages[sides[0] - 1].town != villages[sides[1] - 1].town


def _plane(shape: shapely.Geometry) -> Any:  # noqa: ANN401 - the same kind of geometry comes back
    return shapely.transform(shape, to_plane)


def _degrees(shape: shapely.Geometry) -> Any:  # noqa: ANN401 - the same kind of geometry comes back
    return shapely.transform(shape, to_degrees)


def largest(shape: Polygon | MultiPolygon) -> Polygon:
    """The largest polygon of a shape."""
    return max(shapely.get_parts(shape), key=lambda part: part.area)


def seat_of(x: float, y: float) -> Properties:
    """A seat's position as properties."""
    lon, lat = to_degrees([(x, y)])[0].tolist()
    return {"seat_lon": lon, "seat_lat": lat}


def people(households: int) -> Properties:
    """Households, and a population that fits them."""
    return {"households": households, "population": round(households * 3.7)}


def households_of(villages: Iterable[Village]) -> int:
    """Households of all hamlets."""
    return sum(hamlet.households for village in villages for hamlet in village.hamlets)


def town_seat(villages: list[Village], number: int) -> tuple[float, float]:
    """The seat of the village that a town is governed from, km."""
    _, _, _, x, y, _, _ = TOWNS[number - 1]
    return min((v.seat for v in villages if v.town == number), key=lambda s: math.dist(s, (x, y)))


def county_feature(villages: list[Village], county: Polygon | MultiPolygon) -> Feature:
    """The county's outline."""
    seat = town_seat(villages, 1)
    head = {"code": COUNTY_CODE, "name": COUNTY, "short_name": COUNTY[:-1], "level": "county", "slug": SLUG}
    return {**head, **people(households_of(villages)), **seat_of(*seat), "note": "示例 DEMO"}, county


def town_features(villages: list[Village], lines: list[Border]) -> list[Feature]:
    """The towns, in the order of their codes."""
    features: list[Feature] = []
    for number, (code, name, short, *_) in enumerate(TOWNS, start=1):
        own = [i for i, village in enumerate(villages, start=1) if village.town == number]
        seat = town_seat(villages, number)
        head = {"code": COUNTY_CODE + code, "name": name, "short_name": short, "level": "town"}
        head |= {"parent_code": COUNTY_CODE, "aliases": name + ("办事处" if name.endswith("街道") else "人民政府")}
        counted = people(households_of(villages[i - 1] for i in own))
        features.append(({**head, **counted, **seat_of(*seat)}, area(lines, set(own))))
    return features


def village_features(villages: list[Village]) -> list[Feature]:
    """The villages, in the order of their codes."""
    features: list[Feature] = []
    for village in villages:
        name = village.stem + ("社区居民委员会" if village.community else "村委会")
        aliases = (
            f"{village.stem}社区;{village.stem}居委会"
            if village.community
            else f"{village.stem}村;{village.stem}村民委员会"
        )
        head = {"code": COUNTY_CODE + village.code, "name": name, "short_name": village.stem, "level": "village"}
        head |= {"parent_code": COUNTY_CODE + village.code[:3], "aliases": aliases}
        features.append(({**head, **people(households_of([village])), **seat_of(*village.seat)}, village.area))
    return features


def hamlet_features(villages: list[Village]) -> list[Feature]:
    """The hamlets as points, with provisional codes: the village's and three digits."""
    features: list[Feature] = []
    for village in villages:
        for number, hamlet in enumerate(village.hamlets, start=1):
            code = COUNTY_CODE + village.code
            head = {"code": f"{code}{number:03d}", "name": hamlet.name, "short_name": hamlet.name.removesuffix("村")}
            head |= {"level": "hamlet", "parent_code": code, "aliases": ""}
            features.append(({**head, "households": hamlet.households}, shapely.Point(to_degrees([hamlet.seat])[0])))
    return features


def road_features(roads: list[Road]) -> list[Feature]:
    """The roads, biggest class first."""
    ordered = sorted(roads, key=lambda road: CLASSES.index(road.kind))
    return [
        ({"class": road.kind, "ref": road.number, "name": road.name}, LineString(to_degrees(road.points)))
        for road in ordered
    ]


def water_features(
    place: Ground, county: Polygon | MultiPolygon, ponds: list[tuple[str, Polygon]], lines: list[Border]
) -> list[Feature]:
    """Sea, rivers (as areas, and their middle lines) and standing water."""
    features: list[Feature] = [({"class": "sea", "name": "示例海"}, area(lines, {SEA}))]
    inland = shapely.intersection(_degrees(shapely.simplify(place.water, 0.012)), county)
    features.append(({"class": "river", "name": "澜江水系"}, shapely.set_precision(inland, 1e-6)))
    for (name, *_), stream in zip(RIVERS, place.streams, strict=True):
        line = shapely.intersection(_degrees(shapely.simplify(stream, 0.02)), county)
        features.append(({"class": "river_line", "name": name}, line))
    return features + [
        ({"class": "reservoir" if name.endswith("水库") else "pond", "name": name}, _degrees(pond))
        for name, pond in ponds
    ]


def write(path: Path, features: Iterable[Feature]) -> None:
    """GeoJSON as RFC 7946 has it, one feature a line, six decimals."""
    lines = [
        json.dumps(
            {"type": "Feature", "properties": properties, "geometry": _rounded(shapely.geometry.mapping(shape))},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for properties, shape in features
    ]
    head = f'{{"type":"FeatureCollection","name":"{path.stem}","features":[\n'
    path.write_text(head + ",\n".join(lines) + "\n]}\n", encoding="utf-8", newline="\n")


def _rounded(value: Any) -> Any:  # noqa: ANN401 - GeoJSON nests freely
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_rounded(part) for part in value]
    return round(value, 6) if isinstance(value, float) else value


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
