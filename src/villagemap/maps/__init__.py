"""Maps in Folium's frame, drawn by our own scripts: a town's issues, the routes of a plan.

branca runs everything inside a Folium object through Jinja twice, and Folium's popups are JavaScript template
literals. So no user's text ever enters one: Folium renders a frame of constants (`frame`), and names, counts and
issues follow it as escaped JSON that ``static/*.js`` draws with ``textContent``.
"""

from villagemap.maps.frame import json_block, vendor_asset
from villagemap.maps.routes import InlineRoutes, RouteLinks, RouteMap, RoutesView, route_map
from villagemap.maps.town import INLINE_CARDS, MODULES, InlineTown, Links, TownMap, TownView, town_map

__all__ = [
    "INLINE_CARDS",
    "MODULES",
    "InlineRoutes",
    "InlineTown",
    "Links",
    "RouteLinks",
    "RouteMap",
    "RoutesView",
    "TownMap",
    "TownView",
    "json_block",
    "route_map",
    "town_map",
    "vendor_asset",
]
