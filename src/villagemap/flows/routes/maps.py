"""A plan on its map: linked to the server, or with all that it draws as one file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from villagemap.auth import Policy
from villagemap.errors import WrongUseError
from villagemap.flows.places import place_feature
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.kept import KeptPlan, show_plan
from villagemap.model import BBox, Level, Place
from villagemap.places import Gazetteer
from villagemap.plans import Site, Stop

if TYPE_CHECKING:
    from villagemap.maps import RouteMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a page without a server holds: a plan as ``/plans/{id}`` answers it, its ways as GeoJSON bytes."""

    answer: Mapping[str, Any]
    legs: bytes


@flow("plans.map", Policy.PLAN)
def plan_map(
    session: Session,
    word: str,
    lang: str,
    *,
    held: Held | None = None,
    doors: Sequence[tuple[str, str]] = (),
    who: str = "",
) -> "RouteMap":
    """A kept plan's map by its id or name: linked to the server, or self-contained with what is ``held``.

    Raises
    ------
    NotFoundError
        If there is no such plan.
    WrongUseError
        ``plan_without_area`` if neither the plan nor the county has a position.
    """
    from villagemap.maps import InlineRoutes, RouteLinks, RoutesView, route_map  # noqa: PLC0415 - Folium is slow

    kept, workspace = show_plan(session, word), session.workspace
    settings, gazetteer = workspace.settings, workspace.gazetteer()
    towns, villages = gazetteer.level(Level.TOWN), gazetteer.level(Level.VILLAGE)
    inline = None
    if held is not None:
        ground = [_collection(gazetteer, places) for places in (towns, villages)]
        inline = InlineRoutes(plan=held.answer, legs=held.legs, towns=ground[0], villages=ground[1])
    view = RoutesView(
        plan_id=kept.id,
        name=kept.name,
        county_name=settings.name,
        lang=lang,
        today=settings.day(),
        bbox=_plan_bbox(kept) or county_bbox(session),
        demo=settings.demo,
        approximate=any(village.approximate for village in villages),
        basemap=settings.basemap,
        review_number=settings.map_review_number,
        who=who,
        doors=doors,
        links=None if held else RouteLinks(),
        inline=inline,
    )
    return route_map(view)


@flow("plans.area", Policy.PLAN)
def county_bbox(session: Session) -> BBox:
    """The extent of all towns: what a form for a plan shows.

    Raises
    ------
    WrongUseError
        ``plan_without_area`` where no town has one.
    """
    gazetteer = session.workspace.gazetteer()
    boxes = [box for town in gazetteer.level(Level.TOWN) if (box := gazetteer.bbox(town))]
    if not boxes:
        raise WrongUseError("plan_without_area")
    west, south = (min(box[axis] for box in boxes) for axis in (0, 1))
    east, north = (max(box[axis] for box in boxes) for axis in (2, 3))
    return BBox(west, south, east, north)


def _plan_bbox(kept: KeptPlan) -> BBox | None:
    """The extent of a plan's stops and depots; None in one without coordinates."""
    sites: tuple[Stop | Site, ...] = (*kept.problem.stops, *kept.problem.sites)
    placed = [(site.lon, site.lat) for site in sites if site.lon is not None and site.lat is not None]
    if not placed:
        return None
    lons, lats = zip(*placed, strict=True)
    return BBox(min(lons), min(lats), max(lons), max(lats))


def _collection(gazetteer: Gazetteer, places: Sequence[Place]) -> bytes:
    features = ",".join(place_feature(place, gazetteer) for place in places)
    return f'{{"type":"FeatureCollection","features":[{features}]}}'.encode()
