"""What the tags of an OSM way say to the driver of a car. Pure."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from villagemap.travel.rules import RoadRules

ACCESS = ("motorcar", "motor_vehicle", "vehicle", "access")
"""From the most specific on: the first that says anything decides."""
_ROUND = {"roundabout", "circular"}
_ONE_WAY = {"yes", "true", "1"}
_BACKWARD = {"-1", "reverse"}
_KM_IN_MILE = 1.609344
_ROUGH = {"grade4": 0.7, "grade5": 0.5}
"""What of a track's speed its tracktype leaves."""


class Drivable(NamedTuple):
    """A way as a car may use it; ``limit_km_h`` is NaN where its class alone says how fast."""

    kind: str
    forward: bool
    backward: bool
    limit_km_h: float


def drivable(tags: Mapping[str, str], rules: RoadRules) -> Drivable | None:
    """How a car may use a way; None where it mayn't, or where the way is no road."""
    name = "ferry" if tags["route"] == "ferry" and not tags["highway"] else tags["highway"]
    kind = f"osm.{name}"
    said = next((tags[key] for key in ACCESS if tags[key]), "no" if name == "ferry" else "")
    if kind not in rules.speeds or said in rules.barred or tags["area"] == "yes":
        return None
    one_way = tags["oneway"]
    round_ = tags["junction"] in _ROUND or name == "motorway"
    backward = one_way in _BACKWARD
    forward_only = one_way in _ONE_WAY or (round_ and not backward and one_way != "no")
    limit = limit_km_h(tags["maxspeed"])
    if name == "track" and tags["tracktype"] in _ROUGH:
        rough = rules.speeds[kind] * _ROUGH[tags["tracktype"]] / rules.limit_factor
        limit = rough if math.isnan(limit) else min(limit, rough)
    return Drivable(kind, not backward, not forward_only, limit)


def limit_km_h(said: str) -> float:
    """A posted limit: "50", "30 mph"; NaN for anything else."""
    number, _, unit = said.strip().partition(" ")
    try:
        limit = float(number) * (_KM_IN_MILE if unit == "mph" else 1.0)
    except ValueError:
        return math.nan
    return limit if 0 < limit <= 150 and unit in {"", "mph", "km/h"} else math.nan  # noqa: PLR2004
