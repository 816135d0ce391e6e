"""The gazetteer: which village a point lies in, which place a code or name means, and areas for places without.

A name alone never crosses towns: eleven short village names repeat inside one real county. What fits several places
comes back as several candidates.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from villagemap.errors import AmbiguousError, NotFoundError
from villagemap.model import BBox, Level, Place

NEAR_AREA_DEGREES = 0.02
"""How far an approximate area may reach from its outermost points where no parent's outline limits it: 2 km."""


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
        self._villages = tuple(p for p in self.places if p.level is Level.VILLAGE and _has_area(p))
        self._areas = shapely.from_wkb([village.geometry for village in self._villages])
        self._tree = shapely.STRtree(self._areas)

    def level(self, level: Level) -> list[Place]:
        """Places of one level, in the order given."""
        return [place for place in self.places if place.level is level]

    def by_code(self, code: str) -> Place | None:
        """The place that has this code today, else the one that had it."""
        found = self._by_code.get(code.strip(), ())
        current = [place for place in found if place.code == code.strip()]
        return next(iter(current or found), None)

    def candidates(self, word: str, level: Level, town: Place | None = None) -> list[Place]:
        """All places of ``level`` that a code, full name, short name or alias may mean, inside ``town`` if given."""
        code = self.by_code(word)
        found = [code] if code is not None else self._by_name.get(plain_name(word), [])
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
        found = self.candidates(word, level, town)
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

    def locate(self, lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64]) -> list[Place | None]:
        """The village whose area holds each point (lon, lat arrays of shape (n,), degrees WGS 84), or None.

        On a shared border the village that comes first wins, so that the answer never depends on chance.
        """
        points, areas = self._tree.query(shapely.points(lon, lat), predicate="intersects")
        first = np.full(len(lon), len(self._villages))
        np.minimum.at(first, points, areas)
        return [self._villages[n] if n < len(self._villages) else None for n in first.tolist()]

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


def _has_area(place: Place) -> bool:
    # WKB: byte order, then the geometry type; 3 and 6 are polygon and multipolygon
    return place.geometry is not None and int.from_bytes(place.geometry[1:5], "little") in {3, 6}


def with_areas(places: Sequence[Place]) -> list[Place]:
    """Give towns and villages that are only points an approximate area, marked so.

    Villages of one town share its area by nearest seat (a Voronoi diagram of their points), cut at the town's
    outline; without an outline, at the hull of their points widened by `NEAR_AREA_DEGREES`. A town without an area
    of its own is the union of its villages'. Areas that were given stay as they are, and what they cover isn't
    given away twice.
    """
    by_id = {place.place_id: place for place in places}
    children: dict[str | None, list[Place]] = defaultdict(list)
    for place in places:
        if place.level is Level.VILLAGE:
            children[place.parent_id].append(place)
    for parent_id, villages in children.items():
        for place in _share(by_id.get(parent_id or ""), villages):
            by_id[place.place_id] = place
    for place in places:
        if place.level is Level.TOWN and not _has_area(place):
            below = [by_id[village.place_id] for village in children.get(place.place_id, ())]
            areas = [shapely.from_wkb(village.geometry) for village in below if _has_area(village)]
            if areas:
                by_id[place.place_id] = _with_area(place, shapely.union_all(areas))
    return [by_id[place.place_id] for place in places]


def _share(parent: Place | None, villages: Sequence[Place]) -> list[Place]:
    pointlike = [p for p in villages if p.seat is not None and (p.approximate or not _has_area(p))]
    if not pointlike:
        return []
    points = shapely.points([p.seat for p in pointlike])
    ground = _ground(parent, points)
    given = [shapely.from_wkb(p.geometry) for p in villages if _has_area(p) and not p.approximate]
    if given:
        ground = shapely.difference(ground, shapely.union_all(given))
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points), extend_to=ground))
    tree = shapely.STRtree(cells)
    cell_of = dict(tree.query(points, predicate="intersects").T.tolist())
    shared = []
    for number, place in enumerate(pointlike):
        area = shapely.intersection(cells[cell_of[number]], ground)
        if not shapely.is_empty(area):
            shared.append(_with_area(place, area))
    return shared


def _ground(parent: Place | None, points: npt.NDArray[np.object_]) -> Any:  # noqa: ANN401 - shapely has no types
    if parent is not None and _has_area(parent) and not parent.approximate:
        return shapely.make_valid(shapely.from_wkb(parent.geometry))
    hull = shapely.buffer(shapely.convex_hull(shapely.multipoints(points)), NEAR_AREA_DEGREES)
    if parent is not None and _has_area(parent):
        return shapely.union(hull, shapely.make_valid(shapely.from_wkb(parent.geometry)))
    return hull


def _with_area(place: Place, area: Any) -> Place:  # noqa: ANN401 - shapely has no types
    polygons = [p for p in shapely.get_parts(area) if shapely.get_type_id(p) == shapely.GeometryType.POLYGON]
    shape = polygons[0] if len(polygons) == 1 else shapely.multipolygons(polygons)
    rounded = shapely.set_precision(shape, 1e-7)
    return replace(place, geometry=shapely.to_wkb(rounded, byte_order=1), approximate=True)
