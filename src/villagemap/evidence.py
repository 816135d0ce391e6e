"""How far a photo proves that something was there, or is done: a grade from A to D, with every reason for it.

Pure: facts in, grade out. Each reason allows a grade at best (`GRADE_TABLE`), and the lowest of them is the grade, so
that a further doubt never makes a photo better. Nothing here refuses a photo: capture always works. What a county may
refuse is to close an issue on photos below the grade that it asks for (`enough_evidence`). Likeness to another picture
asks a person to look, who may overrule it with a reason; the photo then counts as C, and the reason stays.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

import numpy as np

from villagemap.crs import to_wgs84
from villagemap.settings import TIME_ZONE
from villagemap.texts import text
from villagemap.vocabulary import Category

EARTH_RADIUS_M = 6_371_008.8
FAR_M = 1_000.0
"""Beyond the issue's reach by so much, a photo was taken somewhere else."""
VAGUE_M = 300.0
"""An accuracy worse than this says little; it never excuses more distance than this."""
APART_M = 500.0
CLOCK = timedelta(minutes=10)
"""How far clocks may be off before it is said."""

LonLat = tuple[float, float]
Values = tuple[tuple[str, int], ...]


class Letter(StrEnum):
    """Grade of a photo; ``A < B < C < D`` as text, so the lowest grade is the greatest letter."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


class Cause(StrEnum):
    """What a reason says; sentences in the catalog under ``evidence.reasons``, conditions under ``evidence.when``."""

    LIVE = "live"
    UPLOADED = "uploaded"
    NEAR = "near"
    ISSUE_UNLOCATED = "issue_unlocated"
    VAGUE = "vague"
    TAPPED = "tapped"
    NO_POSITION = "no_position"
    OFF = "off"
    MAYBE_GCJ02 = "maybe_gcj02"
    POSITIONS_DIFFER = "positions_differ"
    FAR = "far"
    TIMELY = "timely"
    CLOCK_OFF = "clock_off"
    NO_TIME = "no_time"
    FROM_FUTURE = "from_future"
    BEFORE_FOUND = "before_found"
    ALIKE_OVERRULED = "alike_overruled"
    COPY_ELSEWHERE = "copy_elsewhere"
    ALIKE_ELSEWHERE = "alike_elsewhere"
    ALIKE_STAGES = "alike_stages"
    SAME_STAGES = "same_stages"


GRADE_TABLE: Mapping[Cause, Letter] = {
    Cause.LIVE: Letter.A,
    Cause.NEAR: Letter.A,
    Cause.TIMELY: Letter.A,
    Cause.UPLOADED: Letter.B,
    Cause.ISSUE_UNLOCATED: Letter.B,
    Cause.CLOCK_OFF: Letter.B,
    Cause.VAGUE: Letter.C,
    Cause.TAPPED: Letter.C,
    Cause.NO_POSITION: Letter.C,
    Cause.OFF: Letter.C,
    Cause.MAYBE_GCJ02: Letter.C,
    Cause.POSITIONS_DIFFER: Letter.C,
    Cause.NO_TIME: Letter.C,
    Cause.FROM_FUTURE: Letter.C,
    Cause.ALIKE_OVERRULED: Letter.C,
    Cause.FAR: Letter.D,
    Cause.BEFORE_FOUND: Letter.D,
    Cause.COPY_ELSEWHERE: Letter.D,
    Cause.ALIKE_ELSEWHERE: Letter.D,
    Cause.ALIKE_STAGES: Letter.D,
    Cause.SAME_STAGES: Letter.D,
}
"""The grade that each reason allows at best; docs/grades.md prints it, and a test compares."""

ASKING = frozenset({Cause.COPY_ELSEWHERE, Cause.ALIKE_ELSEWHERE, Cause.ALIKE_STAGES})
"""Reasons that ask a person to look, who may overrule them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoFacts:
    """What is known of one photo. Positions are (lon, lat) in WGS 84, instants aware.

    ``live`` means that our page opened the camera itself; ``tapped`` that the position is a tap on the map.
    ``device_at`` is the phone's clock at capture, ``submitted_at`` the same clock when the photo was sent, and
    ``received_at`` ours at that moment: their difference is the phone's error, whatever time passed offline.
    ``exif_at`` and ``exif_lonlat`` stand in the file and can be edited. ``reach_m`` is how far from ``issue_lonlat``
    the issue itself reaches. ``copies`` counts the very same file under other issues, ``alike`` like pictures there;
    ``same_stages`` and ``alike_stages`` say so of an earlier photo of another stage of this issue. ``overruled``: a
    person has looked at the likeness and said why it is in order.
    """

    stage: str
    live: bool
    received_at: datetime
    submitted_at: datetime | None = None
    device_at: datetime | None = None
    device_lonlat: LonLat | None = None
    device_accuracy_m: float | None = None
    tapped: bool = False
    exif_at: datetime | None = None
    exif_lonlat: LonLat | None = None
    issue_lonlat: LonLat | None = None
    reach_m: float = 100.0
    found_on: date | None = None
    copies: int = 0
    alike: int = 0
    same_stages: bool = False
    alike_stages: bool = False
    overruled: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a grade: what it says, with the values of its sentence."""

    cause: Cause
    values: Values = ()

    @property
    def letter(self) -> Letter:
        """The best grade that it allows."""
        return GRADE_TABLE[self.cause]

    def sentence(self, lang: str) -> str:
        """The reason in words."""
        return text(f"evidence.reasons.{self.cause}", lang, **dict(self.values))


@dataclass(frozen=True, slots=True)
class Grade:
    """A photo's grade and its reasons, the weightiest first."""

    letter: Letter
    reasons: tuple[Reason, ...]

    @property
    def asks(self) -> bool:
        """Whether a person should look, and could lift it by a reason: nothing but likeness makes it a D."""
        lowest = {reason.cause for reason in self.reasons if reason.letter is Letter.D}
        return bool(lowest) and lowest <= ASKING


def grade(facts: PhotoFacts) -> Grade:
    """The grade of one photo."""
    reasons = [Reason(Cause.LIVE if facts.live else Cause.UPLOADED), *_place(facts), *_time(facts), *_likeness(facts)]
    ranked = tuple(sorted(reasons, key=lambda reason: reason.letter, reverse=True))
    return Grade(ranked[0].letter, ranked)


def enough_evidence(category: Category, photos: Iterable[tuple[str, Grade]], least: str) -> tuple[str, ...]:
    """What closing still lacks, as codes of ``evidence.missing``; empty when the photos are enough.

    Parameters
    ----------
    category
        Says of which stages a photo is needed.
    photos
        (stage, grade) of every photo of the issue.
    least
        The county's policy: the lowest grade that counts.

    Returns
    -------
    tuple of str
        ``after`` where there is no photo of that stage, ``after_likeness`` where a person must look first,
        ``after_grade`` where none reaches the grade; the same for other stages.
    """
    shown = list(photos)
    return tuple(
        filter(None, (_lacking(stage, [g for s, g in shown if s == stage], least) for stage in category.evidence))
    )


def _lacking(stage: str, grades: list[Grade], least: str) -> str:
    if any(found.letter <= least for found in grades):
        return ""
    if not grades:
        return stage
    return f"{stage}_likeness" if any(found.asks for found in grades) else f"{stage}_grade"


def grade_table(lang: str) -> list[tuple[str, str, str]]:
    """The table of grades as (best grade, reason's code, when it is given) for documentation."""
    limits = {
        "far_m": round(FAR_M),
        "vague_m": round(VAGUE_M),
        "apart_m": round(APART_M),
        "minutes": CLOCK // timedelta(minutes=1),
    }
    return [(letter, cause, text(f"evidence.when.{cause}", lang, **limits)) for cause, letter in GRADE_TABLE.items()]


def distance_m(one: LonLat, other: LonLat) -> float:
    """Great-circle distance on the mean sphere (haversine), within 0.6 % of the ellipsoid's."""
    (lon1, lat1), (lon2, lat2) = ((math.radians(lon), math.radians(lat)) for lon, lat in (one, other))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, half)))


def _place(facts: PhotoFacts) -> list[Reason]:
    """Where it was taken, against where the issue is."""
    measured = None if facts.tapped else facts.device_lonlat
    at = measured or facts.exif_lonlat
    if at is None:
        return [Reason(Cause.TAPPED if facts.tapped and facts.device_lonlat else Cause.NO_POSITION)]
    accuracy = (facts.device_accuracy_m or 0.0) if measured else 0.0
    reasons = [_nearness(facts, at, accuracy, from_exif=measured is None)]
    if accuracy > VAGUE_M:
        reasons.append(Reason(Cause.VAGUE, (("accuracy_m", round(min(accuracy, 1e7))),)))
    if measured and facts.exif_lonlat:
        apart = distance_m(measured, facts.exif_lonlat)
        if apart - min(accuracy, VAGUE_M) > APART_M:
            reasons.append(Reason(Cause.POSITIONS_DIFFER, (("distance_m", round(apart)),)))
    return reasons


def _nearness(facts: PhotoFacts, at: LonLat, accuracy_m: float, *, from_exif: bool) -> Reason:
    if facts.issue_lonlat is None:
        return Reason(Cause.ISSUE_UNLOCATED)
    away = distance_m(at, facts.issue_lonlat)
    values = (("distance_m", round(away)),)
    if away - min(accuracy_m, VAGUE_M) <= facts.reach_m:
        return Reason(Cause.NEAR, values)
    if from_exif and _taken_as_gcj02(at, facts.issue_lonlat) <= facts.reach_m:
        return Reason(Cause.MAYBE_GCJ02, values)
    return Reason(Cause.FAR if away > facts.reach_m + FAR_M else Cause.OFF, values)


def _taken_as_gcj02(at: LonLat, issue: LonLat) -> float:
    """Distance if a camera app wrote GCJ-02 where EXIF wants WGS 84."""
    lon, lat = to_wgs84(np.array([at[0]]), np.array([at[1]]), "gcj02")
    return distance_m((float(lon[0]), float(lat[0])), issue)


def _time(facts: PhotoFacts) -> list[Reason]:
    """When it was taken, against when the issue was found and the photo came in."""
    skew = facts.submitted_at - facts.received_at if facts.submitted_at else timedelta()
    off = abs(skew) > CLOCK
    reasons = [Reason(Cause.CLOCK_OFF, (("minutes", round(abs(skew) / timedelta(minutes=1))),))] if off else []
    # the phone's own clock is set right by what it showed on sending; a camera's file can't be
    taken = facts.device_at - skew if facts.live and facts.device_at else facts.exif_at
    if taken is None:
        return [*reasons, Reason(Cause.NO_TIME)]
    day = taken.astimezone(TIME_ZONE).date()
    if facts.stage != "before" and facts.found_on is not None and day < facts.found_on:
        reasons.append(Reason(Cause.BEFORE_FOUND, (("days", (facts.found_on - day).days),)))
    elif taken > facts.received_at + CLOCK:
        reasons.append(Reason(Cause.FROM_FUTURE))
    else:
        reasons.append(Reason(Cause.TIMELY))
    return reasons


_LIKE: tuple[tuple[Cause, Callable[[PhotoFacts], int]], ...] = (
    (Cause.COPY_ELSEWHERE, lambda facts: facts.copies),
    (Cause.ALIKE_ELSEWHERE, lambda facts: facts.alike),
    (Cause.ALIKE_STAGES, lambda facts: int(facts.alike_stages)),
)


def _likeness(facts: PhotoFacts) -> list[Reason]:
    """What other pictures it equals or is like."""
    reasons = [Reason(Cause.SAME_STAGES)] if facts.same_stages else []
    found = [(cause, count(facts)) for cause, count in _LIKE]
    if facts.overruled:
        return [*reasons, *([Reason(Cause.ALIKE_OVERRULED)] if any(count for _, count in found) else [])]
    return [*reasons, *(Reason(cause, (("count", count),)) for cause, count in found if count)]
