"""villagemap: find, map, visit and close out what is wrong in a county's villages.

>>> import villagemap
>>> county = villagemap.open("workspace")
>>> county.issues(town="…").plot()
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from villagemap.notebook import County

__all__ = ["open"]


def open(folder: "str | Path") -> "County":  # noqa: A001 - villagemap.open(…) is what a notebook says
    """Open a county's workspace for a notebook."""
    from villagemap.notebook import County  # noqa: PLC0415 - geopandas takes two seconds to import

    return County(Path(folder))
