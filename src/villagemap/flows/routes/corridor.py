"""What lies along a planned route: open issues near its legs, cut to what the actor may see."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from villagemap.auth import Policy
from villagemap.corridor import passed
from villagemap.errors import BadInputError
from villagemap.flows.narrowing import columns_seen
from villagemap.flows.registry import Session, flow
from villagemap.store.protocol import Duty
from villagemap.workflow import OPEN, STATUSES

WITHIN_M = 200.0
MOST_M = 20_000.0
MOST_POINTS = 200_000
MOST_FOUND = 5_000

LonLats = Sequence[Sequence[float]] | npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """An open issue near a way; ``off_m`` from it, ``along_m`` from its begin to where one is nearest, metres.

    ``leg`` is the number of the line that comes nearest, from 0. Lines and areas are measured at the point that stands
    for them on maps.
    """

    id: str
    number: str
    category: str
    status: str
    town_id: str
    village_id: str
    lon: float
    lat: float
    leg: int
    off_m: int
    along_m: int


@flow("routes.corridor", Policy.PLAN)
def issues_along(
    session: Session, legs: Sequence[LonLats], *, within_m: float = WITHIN_M, leave_out: Collection[str] = ()
) -> list[Beside]:
    """Open issues within ``within_m`` of a route, in the order in which it passes them; at most `MOST_FOUND`.

    Parameters
    ----------
    legs
        Lines in the order in which they are driven, each (lon, lat) in degrees WGS 84.
    leave_out
        Ids of issues that the route calls at anyway.

    Raises
    ------
    BadInputError
        ``corridor_width``; ``corridor_lines`` where a leg holds what is no position, or there are too many.
    """
    if not 0 < within_m <= MOST_M:
        raise BadInputError("corridor_width", most=int(MOST_M))
    lines = [_line(leg) for leg in legs]
    if sum(map(len, lines)) > MOST_POINTS:
        raise BadInputError("corridor_lines", most=MOST_POINTS)
    columns = columns_seen(session)
    rows = np.flatnonzero(np.isin(columns.status, [n for n, status in enumerate(STATUSES) if status in OPEN]))
    found = passed(lines, columns.lon[rows], columns.lat[rows], within_m)
    fids = columns.fid[rows[found.point]][:MOST_FOUND].tolist()
    store = session.workspace.store
    duties = store.duties(fids)
    places = (columns.lon[rows[found.point]].tolist(), columns.lat[rows[found.point]].tolist())
    figures = zip(fids, *places, found.line.tolist(), found.off_m.tolist(), found.along_m.tolist(), strict=False)
    return [
        _beside(duties[fid], lon, lat, leg, off_m, along_m)
        for fid, lon, lat, leg, off_m, along_m in figures
        if fid in duties and duties[fid].id not in leave_out
    ]


def _beside(duty: Duty, lon: float, lat: float, leg: int, off_m: float, along_m: float) -> Beside:
    return Beside(
        id=duty.id,
        number=duty.number,
        category=duty.category,
        status=duty.status,
        town_id=duty.town_id,
        village_id=duty.village_id,
        lon=lon,
        lat=lat,
        leg=leg,
        off_m=round(off_m),
        along_m=round(along_m),
    )


def _line(leg: LonLats) -> npt.NDArray[np.float64]:
    """A leg as an array of shape (m, 2)."""
    try:
        line = np.asarray([point[:2] for point in leg], np.float64).reshape(-1, 2)
    except (TypeError, ValueError, LookupError) as fault:
        raise BadInputError("corridor_lines", most=MOST_POINTS) from fault
    inside = (np.abs(line[:, 0]) <= 180) & (np.abs(line[:, 1]) <= 90)  # noqa: PLR2004 - degrees; nan is outside too
    if not inside.all():
        raise BadInputError("corridor_lines", most=MOST_POINTS)
    return line
