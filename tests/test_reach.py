import csv
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st
from pyproj import Geod

from villagemap.model import Level
from villagemap.reach import (
    ACCURACY_CREDIT_M,
    DWELL_S,
    WORST_ACCURACY_M,
    Fault,
    ListedPlace,
    Proof,
    ProofKind,
    Reaches,
    Track,
    WorkHours,
    kept,
    proof_by_check_in,
    proof_by_photo,
    proof_by_track,
    proof_of_visit,
    stops_outside,
    visits_of_track,
)

TRACKS = Path(__file__).parents[2] / "shared" / "data" / "issues" / "kosovo_tracks"
GEOD = Geod(ellps="WGS84")
LON, LAT = 111.15, 20.65
MORNING = np.datetime64("2026-03-20T01:00:00")  # 09:00 in China


def village(number: int, lon: float, **values) -> ListedPlace:
    area = shapely.to_wkb(shapely.box(lon - 0.01, LAT - 0.01, lon + 0.01, LAT + 0.01))
    place = ListedPlace(
        place_id=f"v{number}", name=f"村{number}", level=Level.VILLAGE, town_id="t1", town="甲镇", area=area
    )
    return replace(place, **values)


WEST, EAST = village(1, LON), village(2, LON + 0.05, approximate=True)
HAMLET = village(3, LON + 0.1, level=Level.HAMLET, area=None, seat=(LON + 0.1, LAT), approximate=True)
NOWHERE = village(4, LON, area=None)
REACHES = Reaches([WEST, EAST, HAMLET, NOWHERE])


def metres_east(lon: float, metres: float) -> float:
    return GEOD.fwd(lon, LAT, 90, metres)[0]


# Check-ins


def test_inside_the_area_and_round_the_seat():
    assert proof_by_check_in(REACHES, "v1", LON + 0.009, LAT, 10).holds
    assert proof_by_check_in(REACHES, "v3", metres_east(LON + 0.1, 299), LAT, None).holds
    assert proof_by_check_in(REACHES, "v3", metres_east(LON + 0.1, 302), LAT, None).fault is Fault.TOO_FAR
    assert [proof_by_check_in(REACHES, f"v{n}", LON, LAT, 10).approximate for n in (1, 2, 3)] == [False, True, False]


@given(st.integers(1, 3000), st.none() | st.floats(0, WORST_ACCURACY_M))
def test_a_check_in_gets_its_own_accuracy_and_no_more_than_the_cap(metres: int, accuracy: float | None):
    """Measured against geodesics; the last 1 % is left to the plane."""
    credit = min(accuracy or 0, ACCURACY_CREDIT_M)
    assume(abs(metres - credit) > 0.01 * metres)
    proof = proof_by_check_in(REACHES, "v1", metres_east(LON + 0.01, metres), LAT, accuracy)
    assert proof.holds == (metres <= credit)
    assert proof.distance_m == pytest.approx(metres, rel=0.002, abs=0.01)


@given(st.floats(-0.03, 0.03), st.floats(0, WORST_ACCURACY_M), st.floats(0, WORST_ACCURACY_M))
def test_a_rougher_fix_is_never_farther(east: float, a: float, b: float):
    fine, rough = (proof_by_check_in(REACHES, "v1", LON + east, LAT, accuracy) for accuracy in sorted((a, b)))
    assert rough.holds or not fine.holds


@pytest.mark.parametrize(
    ("lon", "lat", "accuracy", "measured", "fault"),
    [
        (LON, LAT, 10, False, Fault.TAPPED),
        (LON, LAT, WORST_ACCURACY_M + 1, True, Fault.TOO_ROUGH),
        (LON, LAT, float("nan"), True, Fault.TOO_ROUGH),
        (LON, LAT, -1, True, Fault.BAD_POSITION),
        (float("nan"), LAT, 10, True, Fault.BAD_POSITION),
        (float("inf"), LAT, 10, True, Fault.BAD_POSITION),
        (LON, 91.0, 10, True, Fault.BAD_POSITION),
        (0.0, 0.0, 10, True, Fault.BAD_POSITION),
        (LAT, LON - 90, 10, True, Fault.TOO_FAR),
    ],
)
def test_what_is_no_check_in(lon, lat, accuracy, measured, fault):
    assert proof_by_check_in(REACHES, "v1", lon, lat, accuracy, measured=measured).fault is fault


def test_a_place_without_any_position_is_proven_by_photo_only():
    assert proof_by_check_in(REACHES, "v4", LON, LAT, 10).fault is Fault.NO_REACH
    assert proof_by_check_in(Reaches([]), "v1", LON, LAT, 10).fault is Fault.NO_REACH
    assert proof_by_photo("A").holds


@pytest.mark.parametrize(
    ("grade", "holds"), [("A", True), ("B", True), ("C", False), ("D", False), ("", False), ("AB", False)]
)
def test_photos_by_their_grade(grade: str, holds: bool):
    assert proof_by_photo(grade).holds is holds
    assert proof_by_photo("C", least="C").holds


def test_one_proof_that_holds_is_enough():
    weak, good = proof_by_photo("D"), proof_by_photo("A")
    assert proof_of_visit([weak, good]) is good
    assert proof_of_visit([weak, Proof(kind=ProofKind.TRACK, fault=Fault.NO_TIME)]) is weak
    assert proof_of_visit([]) is None


# Tracks


def track_of(fixes: list[tuple[float, float]], start: np.datetime64 = MORNING) -> Track:
    """Fixes as (seconds after the start, metres east of the western village's middle)."""
    lon = np.array([metres_east(LON, metres) for _, metres in fixes])
    seconds = np.array([s for s, _ in fixes], "timedelta64[s]")
    return Track(lon=lon, lat=np.full(len(fixes), LAT), time=start + seconds)


def drive(begin_s: float, begin_m: float, end_m: float, speed: float = 12.0) -> list[tuple[float, float]]:
    steps = round(abs(end_m - begin_m) / speed / 10)
    return [(begin_s + 10 * n, begin_m + (end_m - begin_m) * n / steps) for n in range(steps)]


def stand(begin_s: float, at_m: float, seconds: float) -> list[tuple[float, float]]:
    """A phone that trembles by a few metres, a fix every 10 seconds."""
    return [(begin_s + 10 * n, at_m + 3 * (n % 2)) for n in range(int(seconds // 10) + 1)]


def test_a_stay_is_proven_and_a_drive_through_is_not():
    there = drive(0, -3000, 200)
    stay = stand(there[-1][0] + 10, 200, 600)
    on = drive(stay[-1][0] + 10, 210, 12_000)
    stays = visits_of_track(track_of(there + stay + on), REACHES)
    assert [(s.place_id, s.order) for s in stays] == [("v1", 1), ("v2", 2), ("v3", 3)]
    assert stays[0].dwell_s == pytest.approx(600, abs=20)
    assert stays[0].first_at < datetime(2026, 3, 20, 1, 5, tzinfo=UTC) < stays[0].last_at
    assert [s.dwell_s for s in stays[1:]] == [0, 0]
    assert [proof_by_track(s).fault for s in stays] == [None, Fault.TOO_SHORT, Fault.TOO_SHORT]
    assert [s.approximate for s in stays] == [False, True, False]


def test_repeated_fixes_are_standing_unless_the_position_was_frozen():
    parked = [(10 * n, 0.0) for n in range(61)]
    walks_on = track_of([*parked, (620, 20.0), (630, 40.0)])
    jumps = track_of([*parked, (610, 5300.0), (620, 5310.0)])
    assert visits_of_track(walks_on, REACHES)[0].dwell_s == pytest.approx(630)
    assert visits_of_track(jumps, REACHES)[0].dwell_s == 0


def test_a_gap_is_no_stay():
    """A phone that slept for an hour between two fixes at the same place may have been anywhere."""
    assert visits_of_track(track_of([(0, 0.0), (3600, 0.0)]), REACHES)[0].dwell_s == 0
    assert visits_of_track(track_of([(0, 0.0), (300, 0.0)]), REACHES)[0].dwell_s == 300


def test_leaving_and_coming_back_does_not_count_what_was_between():
    fixes = stand(0, 0, 200) + stand(400, 1500, 200) + stand(800, 0, 200)
    assert visits_of_track(track_of(fixes), REACHES)[0].dwell_s == pytest.approx(400)


def test_a_step_across_the_border_is_no_dwell():
    """The area ends 1,042 m east of its middle."""
    assert visits_of_track(track_of([(0, 1000.0), (200, 1300.0), (400, 1000.0)]), REACHES)[0].dwell_s == 0


def test_only_work_hours_are_looked_at_and_kept():
    track = track_of(stand(0, 0, 3600), start=np.datetime64("2026-03-20T10:30:00"))  # 18:30 to 19:30 in China
    assert visits_of_track(track, REACHES)[0].dwell_s == pytest.approx(1790, abs=1)
    assert visits_of_track(track, REACHES, work_hours_only=False)[0].dwell_s == pytest.approx(3600)
    assert kept(track).sum() == 180
    assert visits_of_track(track, REACHES, hours=WorkHours(begin=time(8), end=time(18))) == ()
    night = track_of(stand(0, 0, 3600), start=np.datetime64("2026-03-19T22:00:00"))  # 06:00 to 07:00
    assert kept(night).tolist() == [False] * 360 + [True]


def test_without_times_there_is_an_order_and_no_dwell():
    fixes = [(0, 5200.0)] * 50 + [(0, 0.0)] * 50
    track = track_of(fixes)
    untimed = replace(track, time=np.full(100, np.datetime64("NaT"), "datetime64[s]"))
    stays = visits_of_track(untimed, REACHES)
    assert [(s.place_id, s.order, s.fixes, s.dwell_s, s.first_at) for s in stays] == [
        ("v2", 1, 1, None, None),
        ("v1", 2, 1, None, None),
    ]
    assert {proof_by_track(s).fault for s in stays} == {Fault.NO_TIME}
    assert not kept(untimed).any()
    assert stops_outside(untimed, REACHES) == ()


def test_stops_where_the_list_has_no_place():
    fixes = stand(0, 2500, 900) + drive(910, 2500, 0) + stand(1200, 0, 900) + stand(3000, 3000, 60)
    (stop,) = stops_outside(track_of(fixes), REACHES)
    assert stop.dwell_s == pytest.approx(900, abs=10)
    assert GEOD.inv(stop.lon, stop.lat, metres_east(LON, 2500), LAT)[2] < 5
    assert stop.at == datetime(2026, 3, 20, 1, tzinfo=UTC)


def test_empty_and_broken_tracks():
    nothing = Track(lon=np.zeros(0), lat=np.zeros(0), time=np.zeros(0, "datetime64[s]"))
    lost = Track(lon=np.array([np.nan, 0.0, 500.0]), lat=np.array([LAT, 0.0, LAT]), time=np.full(3, MORNING))
    for track in (nothing, lost):
        assert visits_of_track(track, REACHES) == ()
        assert visits_of_track(track, Reaches([])) == ()
        assert stops_outside(track, REACHES) == ()


walks = st.lists(st.tuples(st.integers(0, 2000), st.integers(-1500, 7000)), min_size=1, max_size=60)


@given(walks, st.randoms(use_true_random=False))
def test_order_and_doubling_of_fixes_mean_nothing_and_dwell_fits_into_the_time(fixes, random):
    fixes = list(dict(fixes).items())
    stays = visits_of_track(track_of(fixes), REACHES)
    mixed = random.sample(fixes * 2, 2 * len(fixes))
    assert visits_of_track(track_of(mixed), REACHES) == stays
    seconds = [second for second, _ in fixes]
    assert sum(s.dwell_s for s in stays) <= max(seconds) - min(seconds)  # these villages don't overlap
    assert all(s.dwell_s <= (s.last_at - s.first_at).total_seconds() for s in stays)
    assert [s.order for s in stays] == list(range(1, len(stays) + 1))


@given(walks, walks)
def test_more_of_a_track_after_its_end_never_shortens_a_dwell_but_by_a_leap(fixes, more):
    begin = max(second for second, _ in fixes) + 1000
    later = [(second + begin, metres) for second, metres in more]
    before = {s.place_id: s.dwell_s for s in visits_of_track(track_of(fixes), REACHES)}
    after = {s.place_id: s.dwell_s for s in visits_of_track(track_of(fixes + later), REACHES)}
    assert all(after[place] >= dwell for place, dwell in before.items())


@pytest.mark.real
@pytest.mark.parametrize("path", sorted(TRACKS.glob("*.csv")) or [TRACKS], ids=lambda p: p.stem)
def test_real_tracks_without_times(path: Path):
    if not path.is_file():
        pytest.skip(f"no real tracks in {TRACKS}")
    rows = np.array(list(csv.reader(path.read_text("utf-8").splitlines()))[1:], np.float64)
    track = Track(lon=rows[:, 0], lat=rows[:, 1], time=np.full(len(rows), np.datetime64("NaT"), "datetime64[s]"))
    moved = 1 + (np.diff(rows, axis=0) != 0).any(axis=1).sum()
    depot = village(1, 0, area=None, seat=(float(rows[0, 0]), float(rows[0, 1])))
    around = village(2, 0, area=shapely.to_wkb(shapely.box(20, 42, 21, 43)))
    first, second = visits_of_track(track, Reaches([depot, around]))
    assert (first.place_id, second.place_id) == ("v1", "v2")
    assert second.fixes == moved <= 0.76 * len(rows) + 1
    assert first.fixes < second.fixes
    assert proof_by_track(first, DWELL_S).fault is Fault.NO_TIME
