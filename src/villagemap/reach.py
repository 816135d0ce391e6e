"""What proves that somebody was at a place: a check-in, a track with dwell, or a graded photo.

Pure: positions in (WGS 84 degrees), proofs out. A place's *reach* is its area, where it has one, else a circle round
its seat. Metres are measured on a plane touching the ellipsoid at the places' middle latitude: within 0.2 % over a
county.

Tracks
------
*Dwell* is time spent inside a reach at walking pace: passing through by car is no visit, however large the village. It
is summed over the steps from one fix to the next that are no longer than `GAP_S` and no faster than `PACE_M_S`. Phones
that stand still repeat their last fix, and so do those that have lost the sky: repeats count as standing, unless the
next fix lies farther off than any car could have come (`LEAP_M_S`): then the position was frozen, and none of it
counts. Several fixes of one second are one. A track without times proves no dwell: its repeats are dropped, and it only
tells the order in which places were passed.

Only fixes within work hours are looked at, so nothing is derived from a person's evening; fixes without a time can't
be shown to be within them, and `kept` says no to them: they may be looked at once, never stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from villagemap.model import Level

ACCURACY_CREDIT_M = 100.0
"""A check-in's own accuracy is given to it, up to this: distance to the reach - min(accuracy, credit) ≤ 0."""
WORST_ACCURACY_M = 500.0
"""A fix this rough comes from a radio mast and could be in the next village."""
SEAT_REACH_M = {Level.COUNTY: 2000.0, Level.TOWN: 2000.0, Level.VILLAGE: 1000.0, Level.HAMLET: 300.0}
"""How far round its seat a place without an area reaches, metres."""
DWELL_S = 300.0
PACE_M_S = 2.5
GAP_S = 300.0
LEAP_M_S = 50.0
GRADES = "ABCD"
LEAST_GRADE = "B"

UTC_PLUS_8 = np.timedelta64(8 * 3600, "s")
"""Asia/Shanghai; no summer time since 1991."""

Flags = npt.NDArray[np.bool_]
Indexes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Instants = npt.NDArray[np.datetime64]


class ProofKind(StrEnum):
    """By what a visit is proven."""

    CHECK_IN = "check_in"
    TRACK = "track"
    PHOTO = "photo"


class Fault(StrEnum):
    """Why something is no proof."""

    BAD_POSITION = "bad_position"
    NO_REACH = "no_reach"
    """The place has neither area nor seat."""
    TAPPED = "tapped"
    """The position was tapped on a map, not measured."""
    TOO_ROUGH = "too_rough"
    TOO_FAR = "too_far"
    NO_TIME = "no_time"
    TOO_SHORT = "too_short"
    LOW_GRADE = "low_grade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was shown, and whether it holds; ``fault`` is None where it does.

    ``distance_m`` is measured to the edge of the reach (0 inside), ``approximate`` says that the reach is an area drawn
    by us from points.
    """

    kind: ProofKind
    fault: Fault | None = None
    distance_m: float | None = None
    accuracy_m: float | None = None
    dwell_s: float | None = None
    grade: str = ""
    approximate: bool = False

    @property
    def holds(self) -> bool:
        """Whether it proves the visit."""
        return self.fault is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPlace:
    """A place as it stands in a sweep's frozen list. ``area`` is WKB, ``seat`` (lon, lat), both WGS 84."""

    place_id: str
    name: str
    level: Level
    town_id: str
    town: str
    other_names: tuple[str, ...] = ()
    area: bytes | None = None
    seat: tuple[float, float] | None = None
    approximate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkHours:
    """Clock times in Asia/Shanghai between which a track is work."""

    begin: time = time(7)
    end: time = time(19)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Fixes as arrays of shape (n,): degrees WGS 84, and UTC instants (``datetime64``), NaT where there is none."""

    lon: Floats
    lat: Floats
    time: Instants


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What a track shows of one place, over all its stretches there.

    ``order`` counts the places of the track in the order of their first fix. Without times, ``dwell_s`` and both
    instants are None.
    """

    place_id: str
    order: int
    fixes: int
    dwell_s: float | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None
    approximate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A stop of at least the dwell asked for, inside no listed place's reach."""

    lon: float
    lat: float
    at: datetime
    dwell_s: float


class Reaches:
    """The reaches of many places, indexed for points."""

    def __init__(self, places: Sequence[ListedPlace]) -> None:
        shapes = [_shape(place) for place in places]
        self.places = tuple(place for place, shape in zip(places, shapes, strict=True) if shape is not None)
        found = [shape for shape in shapes if shape is not None]
        self._middle = float(shapely.get_y(shapely.centroid(found)).mean()) if found else 0.0
        self._regions = np.array(
            [self._region(place, shape) for place, shape in zip(self.places, found, strict=True)], object
        )
        self._tree = shapely.STRtree(self._regions)
        self._drawn = {
            place.place_id
            for place, shape in zip(self.places, found, strict=True)
            if place.approximate and shapely.area(shape) > 0
        }
        self._index = {place.place_id: n for n, place in enumerate(self.places)}

    def metres(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Floats, Floats]:
        """East and north on the touching plane, metres (series of the ellipsoid's degree lengths at a latitude)."""
        phi = np.radians(self._middle)
        per_lat = 111_132.954 - 559.822 * np.cos(2 * phi) + 1.175 * np.cos(4 * phi)
        per_lon = 111_412.84 * np.cos(phi) - 93.5 * np.cos(3 * phi) + 0.118 * np.cos(5 * phi)
        return np.asarray(lon, np.float64) * per_lon, (np.asarray(lat, np.float64) - self._middle) * per_lat

    def distance_m(self, place_id: str, lon: float, lat: float) -> float | None:
        """Metres from a point to the edge of a place's reach, 0 inside; None where the place has no reach."""
        if place_id not in self._index:
            return None
        x, y = self.metres(lon, lat)
        return float(shapely.distance(self._regions[self._index[place_id]], shapely.Point(float(x), float(y))))

    def is_approximate(self, place_id: str) -> bool:
        """Whether a place's reach is an area that was drawn by us from points."""
        return place_id in self._drawn

    def holding(self, lon: Floats, lat: Floats) -> tuple[Indexes, Indexes]:
        """Pairs (index of the point, index into ``places``) of every point inside every reach; reaches may overlap."""
        points, regions = self._tree.query(shapely.points(*self.metres(lon, lat)), predicate="intersects")
        return points, regions

    def _region(self, place: ListedPlace, shape: Any) -> Any:  # noqa: ANN401 - shapely has no types
        plane = shapely.transform(shape, lambda xy: np.column_stack(self.metres(xy[:, 0], xy[:, 1])))
        return plane if shapely.area(shape) > 0 else shapely.buffer(plane, SEAT_REACH_M[place.level], quad_segs=32)


def proof_by_check_in(
    reaches: Reaches, place_id: str, lon: float, lat: float, accuracy_m: float | None, *, measured: bool = True
) -> Proof:
    """A check-in at (lon, lat) whose device says ``accuracy_m`` (None: it says nothing, and gets no credit).

    ``measured`` is False for a tap on the map: recorded as such, and no proof.
    """
    credit = min(accuracy_m or 0.0, ACCURACY_CREDIT_M)
    possible = bool(_possible(np.array([lon]), np.array([lat]))[0]) and not (accuracy_m is not None and accuracy_m < 0)
    distance = reaches.distance_m(place_id, lon, lat) if possible else None
    faults = [
        (not possible, Fault.BAD_POSITION),
        (distance is None, Fault.NO_REACH),
        (not measured, Fault.TAPPED),
        (accuracy_m is not None and not accuracy_m <= WORST_ACCURACY_M, Fault.TOO_ROUGH),
        (distance is not None and distance - credit > 0, Fault.TOO_FAR),
    ]
    return Proof(
        kind=ProofKind.CHECK_IN,
        fault=next((fault for holds, fault in faults if holds), None),
        distance_m=distance,
        accuracy_m=accuracy_m,
        approximate=reaches.is_approximate(place_id),
    )


def proof_by_track(stay: Stay, dwell_s: float = DWELL_S) -> Proof:
    """What a track shows of a place, if its dwell is long enough."""
    fault = Fault.NO_TIME if stay.dwell_s is None else Fault.TOO_SHORT if stay.dwell_s < dwell_s else None
    return Proof(kind=ProofKind.TRACK, fault=fault, dwell_s=stay.dwell_s, approximate=stay.approximate)


def proof_by_photo(grade: str, least: str = LEAST_GRADE) -> Proof:
    """A photo by its grade of evidence, A to D; grading has looked at where and when it was taken."""
    known = len(grade) == 1 and grade in GRADES
    good = known and GRADES.index(grade) <= GRADES.index(least)
    return Proof(kind=ProofKind.PHOTO, fault=None if good else Fault.LOW_GRADE, grade=grade)


def proof_of_visit(proofs: Sequence[Proof]) -> Proof | None:
    """The proof that a visit stands on: the first that holds, else the first; None where nothing was shown."""
    return next((proof for proof in proofs if proof.holds), proofs[0] if proofs else None)


def kept(track: Track, hours: WorkHours | None = None) -> Flags:
    """Which fixes may be stored, shape (n,): those with a time within work hours."""
    hours = hours or WorkHours()
    known = ~np.isnat(track.time)
    local = track.time.astype("datetime64[s]") + UTC_PLUS_8
    second = (local - local.astype("datetime64[D]")) / np.timedelta64(1, "s")
    within: Flags = known & (second >= _seconds(hours.begin)) & (second < _seconds(hours.end))
    return within


def visits_of_track(
    track: Track, reaches: Reaches, *, hours: WorkHours | None = None, work_hours_only: bool = True
) -> tuple[Stay, ...]:
    """What a track shows of each place that it touches, in the order of the first touch; the module tells how."""
    fixes = _Fixes(track, reaches, hours if work_hours_only else WorkHours(begin=time.min, end=time.max))
    points, regions = reaches.holding(fixes.lon, fixes.lat)
    order = np.lexsort((points, regions))
    points, regions = points[order], regions[order]
    stays = []
    for n in np.unique(regions).tolist():
        inside = points[regions == n]
        steps = inside[:-1][np.diff(inside) == 1]
        stays.append(
            (int(inside[0]), n, len(inside), fixes.seconds_at(steps), fixes.at(inside[0]), fixes.at(inside[-1]))
        )
    return tuple(
        Stay(
            place_id=reaches.places[n].place_id,
            order=rank,
            fixes=count,
            dwell_s=dwell,
            first_at=first_at,
            last_at=last_at,
            approximate=reaches.is_approximate(reaches.places[n].place_id),
        )
        for rank, (_, n, count, dwell, first_at, last_at) in enumerate(sorted(stays, key=lambda stay: stay[:2]), 1)
    )


def stops_outside(
    track: Track, reaches: Reaches, *, dwell_s: float = DWELL_S, hours: WorkHours | None = None
) -> tuple[Stop, ...]:
    """Where a timed track stopped and the list has no place: what the list may lack."""
    fixes = _Fixes(track, reaches, hours)
    outside = np.ones(len(fixes.lon), np.bool_)
    outside[reaches.holding(fixes.lon, fixes.lat)[0]] = False
    steps = np.flatnonzero(fixes.slow & outside[:-1] & outside[1:]) if fixes.timed else np.zeros(0, np.int64)
    stops = []
    for stretch in np.split(steps, np.flatnonzero(np.diff(steps) != 1) + 1):
        dwell = fixes.seconds_at(stretch)
        at = fixes.at(stretch[0]) if len(stretch) else None
        if dwell is not None and at is not None and dwell >= dwell_s:
            middle = slice(stretch[0], stretch[-1] + 2)
            lon, lat = float(np.median(fixes.lon[middle])), float(np.median(fixes.lat[middle]))
            stops.append(Stop(lon=lon, lat=lat, at=at, dwell_s=dwell))
    return tuple(stops)


class _Fixes:
    """A track made ready: possible positions, in order of time, one fix an instant, and which steps were slow."""

    def __init__(self, track: Track, reaches: Reaches, hours: WorkHours | None) -> None:
        self.timed = bool((~np.isnat(track.time)).any())
        good = _possible(track.lon, track.lat)
        index = np.flatnonzero(good & kept(track, hours) if self.timed else good)
        self.time = track.time[index].astype("datetime64[s]")
        if self.timed:
            self.time, first = np.unique(self.time, return_index=True)
            index = index[first]
        else:
            moved = (np.diff(track.lon[index]) != 0) | (np.diff(track.lat[index]) != 0)
            index = index[np.append(True, moved)[: len(index)]]
        self.lon, self.lat = track.lon[index].astype(np.float64), track.lat[index].astype(np.float64)
        x, y = reaches.metres(self.lon, self.lat)
        self.moved_m = np.hypot(np.diff(x), np.diff(y))
        self.step_s = np.diff(self.time) / np.timedelta64(1, "s") if self.timed else np.zeros(len(self.moved_m))
        self.slow = self._slow() if self.timed else np.zeros(len(self.moved_m), np.bool_)

    def seconds_at(self, steps: Indexes) -> float | None:
        """Slow time of some steps; None without times."""
        return float(self.step_s[steps][self.slow[steps]].sum()) if self.timed else None

    def at(self, n: int) -> datetime | None:
        """Instant of a fix."""
        return self.time[n].item().replace(tzinfo=UTC) if self.timed else None

    def _slow(self) -> Flags:
        speed: Floats = self.moved_m / self.step_s
        run = np.cumsum(np.append(0, self.moved_m > 0))[:-1]  # fixes of one run share a position
        frozen = np.isin(run, run[speed > LEAP_M_S]) & (self.moved_m == 0)
        slow: Flags = (speed <= PACE_M_S) & (self.step_s <= GAP_S) & ~frozen
        return slow


def _shape(place: ListedPlace) -> Any:  # noqa: ANN401 - shapely has no types
    """A place's area; its seat, or the point that it is drawn as, where it has none; None where it has nothing."""
    drawn = shapely.from_wkb(place.area) if place.area is not None else None
    if drawn is not None and shapely.area(drawn) > 0:
        return drawn
    return shapely.Point(place.seat) if place.seat is not None else drawn


def _possible(lon: Floats, lat: Floats) -> Flags:
    inside = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lon) <= 180) & (np.abs(lat) <= 90)  # noqa: PLR2004
    nowhere = (lon == 0) & (lat == 0)  # what a device without the sky says
    possible: Flags = inside & ~nowhere
    return possible


def _seconds(clock: time) -> float:
    return clock.hour * 3600 + clock.minute * 60 + clock.second + clock.microsecond / 1e6
