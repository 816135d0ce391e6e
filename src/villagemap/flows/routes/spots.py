"""Which stops lie so close together that one parks once: spots, and issues of one spot as one stop.

A spot has a leader, the first of its stops, and all of it lies within the given distance of it, so that a row of
houses never grows into one endless spot. What lies in one hamlet is one spot, however wide it is.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from villagemap.plans import Stop

EARTH_M = 6_371_008.8
"""Mean radius (IUGG)."""
MOST_PRIORITY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A stop on its way into a problem; ``loose`` ones may be made one stop with others of their spot.

    ``hamlet`` is the id of the hamlet that it lies in, "" for none; ``label`` what is to be looked at there.
    """

    stop: Stop
    hamlet: str = ""
    loose: bool = False
    label: str = ""


def spots(drafts: Sequence[Draft], within_m: float) -> list[int]:
    """The leader of each draft's spot, as its number in ``drafts``; what lies alone leads itself."""
    leader = list(range(len(drafts)))
    hamlets: dict[str, int] = {}
    for number, draft in enumerate(drafts):
        if draft.hamlet:
            leader[number] = hamlets.setdefault(draft.hamlet, number)
    placed = [n for n, draft in enumerate(drafts) if draft.stop.lon is not None and draft.stop.lat is not None]
    if within_m <= 0 or not placed:
        return leader
    neighbours = KDTree(_metres(drafts, placed)).query_ball_point(_metres(drafts, placed), within_m)
    taken = {n for n in placed if drafts[n].hamlet}
    for number, near in zip(placed, neighbours, strict=True):
        if number in taken and not drafts[number].hamlet:
            continue
        for other in sorted(placed[k] for k in near):
            if other not in taken:
                leader[other] = leader[number]
                taken.add(other)
    return leader


def _metres(drafts: Sequence[Draft], placed: Sequence[int]) -> npt.NDArray[np.float64]:
    """East and north in metres, exact enough for a county: (n, 2)."""
    lon = np.radians([drafts[n].stop.lon or 0.0 for n in placed])
    lat = np.radians([drafts[n].stop.lat or 0.0 for n in placed])
    return np.column_stack([lon * np.cos(lat.mean()), lat]) * EARTH_M


def grouped(drafts: Sequence[Draft], within_m: float) -> list[tuple[Stop, tuple[str, ...]]]:
    """Stops with their spots, those that may be one made one; each with the labels of what is to be looked at.

    Only stops of one village with the same windows, skill, teams, days and duty become one; their service and
    priorities (up to 100) add up.
    """
    leaders = spots(drafts, within_m)
    groups: dict[tuple[object, ...], list[Draft]] = defaultdict(list)
    heads: dict[tuple[object, ...], int] = {}
    for number, (draft, leader) in enumerate(zip(drafts, leaders, strict=True)):
        stop = draft.stop
        rules = (stop.village, stop.windows, stop.skill, stop.teams, stop.days, stop.must)
        key = (leader, *rules) if draft.loose else (number,)
        groups[key].append(draft)
        heads[key] = leader
    crowd: dict[int, int] = defaultdict(int)
    for leader in heads.values():
        crowd[leader] += 1
    return [
        (replace(_one([d.stop for d in group]), spot=_spot(drafts, heads[key], crowd)), tuple(d.label for d in group))
        for key, group in groups.items()
    ]


def _spot(drafts: Sequence[Draft], leader: int, crowd: dict[int, int]) -> str:
    return f"spot-{drafts[leader].stop.id}" if crowd[leader] > 1 else ""


def _one(stops: Sequence[Stop]) -> Stop:
    first = stops[0]
    if len(stops) == 1:
        return first
    return replace(
        first,
        service_s=sum(stop.service_s for stop in stops),
        priority=min(MOST_PRIORITY, sum(stop.priority for stop in stops)),
        issue_ids=tuple(issue for stop in stops for issue in stop.issue_ids),
    )
