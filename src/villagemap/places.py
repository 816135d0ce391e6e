"""The gazetteer: which village a point lies in, which place a code or name means, and areas for places without.

A name alone never crosses towns: eleven short village names repeat inside one real county. What fits several places
comes back as several candidates.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from villagemap.errors import AmbiguousError, NotFoundError
from villagemap.model import BBox, Level, Place

NEAR_AREA_DEGREES = 0.02
"""How far an approximate area may reach from its outermost points where no parent's outline limits it: 2 km."""


VILLAGE_CODE = 12
"""Digits of a village's code."""

TOWN_ENDING = "000"
"""What makes a town's code as long as a village's."""

Degrees = npt.NDArray[np.float64]


class _Areas:
    """The places of one level that have an area, indexed for points."""

    def __init__(self, places: Sequence[Place], level: Level) -> None:
        self._places = tuple(p for p in places if p.level is level and has_area(p))
        self._tree = shapely.STRtree(shapely.from_wkb([place.geometry for place in self._places]))

    def holding(self, lon: Degrees, lat: Degrees) -> list[Place | None]:
        points, areas = self._tree.query(shapely.points(lon, lat), predicate="intersects")
        first = np.full(len(lon), len(self._places))
        np.minimum.at(first, points, areas)
        return [self._places[n] if n < len(self._places) else None for n in first.tolist()]


class Gazetteer:
    """Places of one county, indexed by code, name and area."""

    def __init__(self, places: Iterable[Place]) -> None:
        self.places = tuple(places)
        self.by_id = {place.place_id: place for place in self.places}
        self._by_code: dict[str, list[Place]] = defaultdict(list)
        self._by_name: dict[str, list[Place]] = defaultdict(list)
        for place in self.places:
            for code in {place.code, *place.former_codes} - {""}:
                self._by_code[code].append(place)
            for name in {place.name, place.short_name, *place.aliases} - {""}:
                self._by_name[plain_name(name)].append(place)
        self._areas = {level: _Areas(self.places, level) for level in (Level.TOWN, Level.VILLAGE)}

    def level(self, level: Level) -> list[Place]:
        """Places of one level, in the order given."""
        return [place for place in self.places if place.level is level]

    def with_code(self, code: str) -> list[Place]:
        """The place that has this code today, else all that had it: a town that was split leaves two.

        A town's code may stand with the three zeros that make it as long as a village's.
        """
        plain = code.strip()
        if plain not in self._by_code and len(plain) == VILLAGE_CODE:
            plain = plain.removesuffix(TOWN_ENDING)
        found = self._by_code.get(plain, [])
        return [place for place in found if place.code == plain][:1] or found

    def by_code(self, code: str) -> Place | None:
        """The one place that has this code today, or alone had it."""
        found = self.with_code(code)
        return found[0] if len(found) == 1 else None

    def candidates(self, word: str, level: Level, town: Place | None = None) -> list[Place]:
        """All places of ``level`` that a code, full name, short name or alias may mean, inside ``town`` if given."""
        found = self.with_code(word) or self._by_name.get(plain_name(word), [])
        return [p for p in found if p.level is level and (town is None or self.town_of(p) == town)]

    def find(self, word: str, level: Level, town: Place | None = None) -> Place:
        """The one place that ``word`` means.

        Raises
        ------
        NotFoundError
            If no place has this code or name.
        AmbiguousError
            If several have; ``params["candidates"]`` names them with their towns and codes.
        """
        return self._one(word, level, self.candidates(word, level, town))

    def find_code(self, code: str, level: Level) -> Place:
        """The one place of a level that has this code, or alone had it; raises as `find` does."""
        return self._one(code, level, [place for place in self.with_code(code) if place.level is level])

    def _one(self, word: str, level: Level, found: Sequence[Place]) -> Place:
        if not found:
            raise NotFoundError(f"unknown_{level}", word=word)
        if len(found) > 1:
            listed = [f"{self.full_name(place)} {place.code}".strip() for place in found]
            raise AmbiguousError("ambiguous_place", word=word, candidates=listed, listed="; ".join(listed))
        return found[0]

    def town_of(self, place: Place) -> Place | None:
        """The town that a place lies in (itself for a town)."""
        at: Place | None = place
        while at is not None and at.level is not Level.TOWN:
            at = self.by_id.get(at.parent_id or "")
        return at

    def village_of(self, place: Place) -> Place | None:
        """The village that a hamlet lies in, or the village itself."""
        at: Place | None = place
        while at is not None and at.level is not Level.VILLAGE:
            at = self.by_id.get(at.parent_id or "")
        return at

    def full_name(self, place: Place) -> str:
        """A place's name behind the names of what it lies in, from the town down."""
        names = []
        at: Place | None = place
        while at is not None and at.level is not Level.COUNTY:
            names.append(at.name)
            at = self.by_id.get(at.parent_id or "")
        return " ".join(reversed(names))

    def locate(self, lon: Degrees, lat: Degrees, level: Level = Level.VILLAGE) -> list[Place | None]:
        """The village or town whose area holds each point (lon, lat arrays of shape (n,), degrees WGS 84), or None.

        On a shared border the place that comes first wins, so that the answer never depends on chance.
        """
        return self._areas[level].holding(lon, lat)

    def place_at(self, lonlat: tuple[float, float]) -> Place | None:
        """The village whose area holds one point (lon, lat), or None."""
        return self.locate(np.array([lonlat[0]]), np.array([lonlat[1]]))[0]

    def bbox(self, place: Place | None = None) -> BBox | None:
        """The extent of a place with all below it, or of the whole county; None where nothing has a position."""
        chosen = [p for p in self.places if place is None or self._within(p, place)]
        shapes = [shapely.from_wkb(p.geometry) for p in chosen if p.geometry is not None]
        if not shapes:
            return None
        west, south, east, north = shapely.total_bounds(shapes).tolist()
        return BBox(west, south, east, north)

    def _within(self, place: Place, other: Place) -> bool:
        at: Place | None = place
        while at is not None and at.place_id != other.place_id:
            at = self.by_id.get(at.parent_id or "")
        return at is not None


def place_number(place: Place) -> int:
    """The number in a place's id, as columns hold it."""
    return int(place.place_id[1:])


def plain_name(name: str) -> str:
    """A name as it is compared: without spaces, case aside."""
    return "".join(name.split()).casefold()


def has_area(place: Place) -> bool:
    """Whether a place is more than a point."""
    # WKB: byte order, then the geometry type; 3 and 6 are polygon and multipolygon
    return place.geometry is not None and int.from_bytes(place.geometry[1:5], "little") in {3, 6}


def with_areas(places: Sequence[Place], known: Mapping[str, Place] | None = None) -> list[Place]:
    """Give towns and villages that are only points an approximate area, marked so.

    Villages of one town share its area by nearest seat (a Voronoi diagram of their points), cut at the town's
    outline; without an outline, at the hull of their points widened by `NEAR_AREA_DEGREES`. A town without an area
    of its own is the union of its villages'. Areas that were given stay as they are, and what they cover isn't
    given away twice. Of several villages on one spot only the first gets an area.

    Parameters
    ----------
    known
        Places by id as they stood before: a town in which no area, seat or parent changed is left as it is.
    """
    known = known or {}
    by_id = {place.place_id: place for place in places}
    below: dict[str, list[Place]] = defaultdict(list)
    for place in sorted(places, key=lambda place: (place.code, place.place_id)):
        if place.level is Level.VILLAGE:
            below[place.parent_id or ""].append(place)
    moved = _moved(places, known)
    for parent_id in below.keys() & moved:
        for place in _share(by_id.get(parent_id), below[parent_id]):
            by_id[place.place_id] = place
    for place in places:
        if place.level is Level.TOWN and place.place_id in moved and (place.approximate or not has_area(place)):
            areas = [
                shapely.from_wkb(by_id[v.place_id].geometry)
                for v in below[place.place_id]
                if has_area(by_id[v.place_id])
            ]
            by_id[place.place_id] = _with_area(place, shapely.union_all(areas))
    return [by_id[place.place_id] for place in places]


def _moved(places: Sequence[Place], known: Mapping[str, Place]) -> set[str]:
    """Ids of the towns whose ground, or whose villages' ground, differs from what is known."""
    moved: set[str] = set()
    for place in places:
        before = known.get(place.place_id)
        if before is None or _ground_of(before) != _ground_of(place):
            moved |= {place.place_id, place.parent_id or "", (before and before.parent_id) or ""}
    return moved


def _ground_of(place: Place) -> tuple[object, ...]:
    return place.parent_id, place.seat, place.geometry, place.approximate


def _share(parent: Place | None, villages: Sequence[Place]) -> list[Place]:
    pointlike = {p.seat: p for p in reversed(villages) if p.seat is not None and (p.approximate or not has_area(p))}
    if not pointlike:
        return []
    points = shapely.points(list(pointlike))
    ground = _ground(parent, points)
    given = [shapely.from_wkb(p.geometry) for p in villages if has_area(p) and not p.approximate]
    if given:
        ground = shapely.difference(ground, shapely.union_all(given))
    if len(pointlike) == 1:
        return [_with_area(place, ground) for place in pointlike.values()]
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points), extend_to=ground))
    cell_of = dict(shapely.STRtree(cells).query(points, predicate="intersects").T.tolist())
    return [
        _with_area(place, shapely.intersection(cells[cell_of[number]], ground))
        for number, place in enumerate(pointlike.values())
        if number in cell_of
    ]


def _ground(parent: Place | None, points: npt.NDArray[np.object_]) -> Any:  # noqa: ANN401 - shapely has no types
    if parent is not None and has_area(parent) and not parent.approximate:
        return shapely.make_valid(shapely.from_wkb(parent.geometry))
    return shapely.buffer(shapely.convex_hull(shapely.multipoints(points)), NEAR_AREA_DEGREES)


def _with_area(place: Place, area: Any) -> Place:  # noqa: ANN401 - shapely has no types
    """The place with an approximate area; as a point where nothing is left for it."""
    rounded = polygons_of(shapely.set_precision(polygons_of(area), 1e-7))
    if not shapely.is_empty(rounded):
        return replace(place, geometry=shapely.to_wkb(rounded, byte_order=1), approximate=True)
    at = None if place.seat is None else shapely.to_wkb(shapely.points(place.seat), byte_order=1)
    return replace(place, geometry=at, approximate=False)


def polygons_of(shape: Any) -> Any:  # noqa: ANN401 - shapely has no types
    """The polygon or multipolygon that is left of a shape without its points and lines; maybe empty."""
    parts = shapely.get_parts(shapely.get_parts(shape))
    polygons = [part for part in parts if shapely.get_type_id(part) == shapely.GeometryType.POLYGON]
    return polygons[0] if len(polygons) == 1 else shapely.multipolygons(np.array(polygons, dtype=object))
