"""Roads as they come in: lines with what matters of each, before they are one graph."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from villagemap.travel.plane import Floats

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoadLines:
    """n lines whose points lie one after another: line i has points ``offset[i]`` to ``offset[i + 1]``.

    Attributes
    ----------
    lon, lat
        WGS 84 degrees.
    kind
        Index into ``kinds``, the classes' codes.
    limit_km_h
        A speed of the line's own; NaN where its class decides.
    forward, backward
        Whether it may be driven as it is drawn, and the other way.
    raised
        A bridge or tunnel: it meets other lines at its ends only.
    layer
        Lines of different layers cross without meeting.
    number
        The row or way that it comes from.
    ref
        A number for each point where points with one number are one node (OSM); None where drawing alone decides.
    barred
        Those of ``ref`` that no car passes.
    """

    offset: Ints
    lon: Floats
    lat: Floats
    kind: Ints
    kinds: tuple[str, ...]
    limit_km_h: Floats
    forward: Flags
    backward: Flags
    raised: Flags
    layer: Ints
    number: Ints
    ref: Ints | None = None
    barred: Ints | None = None

    def line_of_point(self) -> Ints:
        """The line that each point belongs to."""
        return np.repeat(np.arange(len(self.kind)), np.diff(self.offset))
