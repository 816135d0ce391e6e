"""Words of a request about places: which place is meant, where it lies, in which village a point is."""

from collections.abc import Collection
from dataclasses import dataclass

import shapely

from villagemap.errors import AmbiguousError, NotFoundError
from villagemap.model import Issue, Level, Place, Privacy
from villagemap.places import Gazetteer
from villagemap.plans import Stop

_LEVELS = (Level.TOWN, Level.VILLAGE, Level.HAMLET, Level.COUNTY)

LonLat = tuple[float, float]


def find_any(gazetteer: Gazetteer, word: str) -> Place:
    """The one place of any level that an id, code or name means; a name that repeats stands behind its town's.

    Raises
    ------
    NotFoundError
        ``unknown_place``
    AmbiguousError
        ``ambiguous_place``, with its candidates.
    """
    if word in gazetteer.by_id:
        return gazetteer.by_id[word]
    town_word, _, name = word.rpartition("/")
    town = gazetteer.find(town_word, Level.TOWN) if town_word else None
    for level in _LEVELS:
        found = gazetteer.candidates(name, level, town)
        if len(found) > 1:
            listed = [f"{gazetteer.full_name(place)} {place.code}".strip() for place in found]
            raise AmbiguousError("ambiguous_place", word=word[:100], candidates=listed, listed="; ".join(listed))
        if found:
            return found[0]
    raise NotFoundError("unknown_place", word=word[:100])


def seat_of(place: Place | None) -> LonLat | None:
    """Where one drives to in a place: its seat, else a point inside it; degrees WGS 84."""
    if place is None:
        return None
    if place.seat is not None:
        return place.seat
    if place.geometry is None:
        return None
    inside = shapely.point_on_surface(shapely.from_wkb(place.geometry))
    return None if shapely.is_empty(inside) else (round(inside.x, 7), round(inside.y, 7))


def issue_point(gazetteer: Gazetteer, issue: Issue) -> LonLat | None:
    """Where one drives to for an issue.

    For a household's case that is its hamlet's or village's seat: a plan is printed and carried about, so it never
    tells where the household lives.
    """
    if issue.geometry is not None and issue.privacy is not Privacy.RESTRICTED:
        point = shapely.point_on_surface(shapely.from_wkt(issue.geometry))
        return round(point.x, 7), round(point.y, 7)
    by_id = gazetteer.by_id
    return seat_of(by_id.get(issue.place_id or "")) or seat_of(by_id.get(issue.village_id or ""))


def matrix_row(gazetteer: Gazetteer, ids: Collection[str], stop: Stop) -> str | None:
    """By what name a given matrix knows a stop: its id, its place's code or name, or TOWN/VILLAGE; None by none."""
    words = [stop.id]
    place = gazetteer.by_id.get(stop.place_id) if not stop.issue_ids else None
    if place is not None:
        words += [place.code, f"{stop.town_name}/{place.name}", place.name]
    return next((word for word in words if word and word in ids), None)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The village, town and hamlet of something, ids and names; "" for none."""

    village: str = ""
    village_name: str = ""
    town_name: str = ""
    hamlet: str = ""


def whereabouts(gazetteer: Gazetteer, place: Place | None) -> Whereabouts:
    """In which village and town a place lies."""
    if place is None:
        return Whereabouts()
    village, town = gazetteer.village_of(place), gazetteer.town_of(place)
    return Whereabouts(
        village.place_id if village else "",
        village.name if village else "",
        town.name if town else "",
        place.place_id if place.level is Level.HAMLET else "",
    )
