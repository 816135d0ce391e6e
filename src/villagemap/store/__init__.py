"""Memory: issues, places, events and photos in one GeoPackage file, behind one protocol."""

from villagemap.store.geopackage import GeoPackageStore
from villagemap.store.photos import PhotoStore
from villagemap.store.protocol import Head, IssueColumns, Store, Writer

__all__ = ["GeoPackageStore", "Head", "IssueColumns", "PhotoStore", "Store", "Writer"]
