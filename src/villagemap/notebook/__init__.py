"""The door for notebooks: a county as GeoDataFrames and Folium maps, and plans of routes.

>>> county = villagemap.open("workspace")
>>> county.issues(town="某镇", overdue=True).explore()
>>> county.map("某镇")
>>> county.plan_routes(town="某镇", teams=2, days=3)
"""

from villagemap.notebook.county import County
from villagemap.notebook.route_plan import RoutePlan

__all__ = ["County", "RoutePlan"]
