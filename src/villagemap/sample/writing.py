"""Write drawn issues out as streams of changes, in the order of their lives."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any

import numpy as np

from villagemap.deadlines import NO_DAY, day_number, due_on
from villagemap.model import Change, Issue, Located, Place, Privacy, Sighting, Status
from villagemap.sample.drawing import DAYS, NOBODY, Batch, County, draw
from villagemap.sample.ground import ground_of
from villagemap.sample.lives import NEVER, happens
from villagemap.sample.words import Kind, office_of, quantity_text, words_of
from villagemap.vocabulary import Vocabulary

CHUNK = 5_000
"""Issues in one batch of changes, and at most in memory."""

DAY_S, STEP_S = 86_400, 2_700
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
OPENS_S = 30_600 - 8 * 3_600
"""Seconds from midnight UTC to 08:30 in Asia/Shanghai (which has no summer time)."""

Step = tuple[int, str, Status, int]
"""Day, kind of the change, status after it, its place in a day."""

STEPS: tuple[tuple[str, str, Status, int], ...] = (
    # column of Lives, kind of the change, status after it, its place in a day
    ("report", "report", Status.REPORTED, 0),
    ("register", "register", Status.REGISTERED, 1),
    ("start", "start", Status.RECTIFYING, 2),
    ("interim", "interim", Status.RECTIFYING, 3),
    ("reject", "reject", Status.REJECTED, 3),
    ("twin", "duplicate", Status.DUPLICATE, 3),
    ("defer", "defer", Status.DEFERRED, 4),
    ("submit", "submit", Status.SUBMITTED, 4),
    ("sent_back", "return", Status.RETURNED, 5),
    ("start_again", "start", Status.RECTIFYING, 6),
    ("submit_again", "submit", Status.SUBMITTED, 7),
    ("close", "close", Status.CLOSED, 8),
)


def sample_changes(
    places: Sequence[Place], vocabulary: Vocabulary, *, county: str, count: int, seed: int, today: date
) -> Iterator[list[Change]]:
    """``count`` issues of the five months before ``today`` as changes, in batches of `CHUNK` issues sorted by ``at``.

    Every change carries the whole issue after it, with the number and revision left for the store to set. Batches are
    drawn one by one, so memory doesn't grow with ``count``.

    Raises
    ------
    BadInputError
        If ``places`` hold no village with a position inside a town.
    """
    rng = np.random.default_rng([seed])
    ground, words = ground_of(places, rng), words_of(vocabulary)
    dates = [today - timedelta(days=ago) for ago in range(DAYS)]
    due = np.array([[day_number(due_on(kind.category, day)) for day in dates] for kind in words.kinds], np.int64)
    skill = rng.permutation(np.linspace(0.08, 0.98, len(ground.towns)))
    shared = County(ground, words, skill, due, day_number(today))
    writer = IssueWriter(county, shared, seed)
    for number, start in enumerate(range(0, count, CHUNK)):
        batch_rng = np.random.default_rng([seed, number])
        size = min(CHUNK, count - start)
        yield writer.changes(draw(shared, size, batch_rng), start, batch_rng)


@dataclass(frozen=True, slots=True)
class Draws:
    """Ready values of a batch, one list entry for each issue."""

    ids: list[str]
    sighting_ids: list[list[str]]
    morning: list[int]
    dice: list[list[int]]


class IssueWriter:
    """Turns batches into changes; holds what all issues of a county share."""

    def __init__(self, slug: str, shared: County, seed: int) -> None:
        self.slug, self.shared, self.seed = slug, shared, seed
        self.ground, self.words = shared.ground, shared.words
        self.village_of: list[int] = shared.ground.village_of.tolist()
        self.town_of: list[int] = shared.ground.town_of.tolist()
        self.by_oneself: list[bool] = shared.words.found_by_oneself.tolist()
        self.days: dict[int, date | None] = {NO_DAY: None}
        self.helpers: dict[tuple[int, int], tuple[str, ...]] = {}

    def changes(self, batch: Batch, start: int, rng: np.random.Generator) -> list[Change]:
        """The batch's changes, sorted by their instant; ``start`` is the number of its first issue."""
        draws = _draws(batch, rng)
        steps = [(batch.lives[name], kind, status, place) for name, kind, status, place in STEPS]
        changes: list[Change] = []
        for i in range(len(draws.ids)):
            fields = self._fields(batch, draws, i, start)
            life = [(days[i], kind, status, place) for days, kind, status, place in steps if days[i] < NEVER]
            self._live(changes, fields, life, batch, draws, i)
        changes.sort(key=attrgetter("at"))
        return changes

    def _live(
        self, changes: list[Change], fields: dict[str, Any], steps: list[Step], batch: Batch, draws: Draws, i: int
    ) -> None:
        """Append one issue's changes: ``steps`` are (day, kind, status, place in the day)."""
        kind = self.words.kinds[batch.category[i]]
        dice, found = draws.dice[i], batch.quantity[i]
        outside = batch.outside[i]
        town, village = ("", "") if outside else self._offices(batch.hamlet[i])
        for day, name, status, place in steps:
            fields["status"] = status
            self._set(fields, name, self._day(day), found, dice)
            if name == "defer":
                fields["deferred_until"] = self._day(batch.lives["until"][i])
            elif name == "duplicate":
                fields["duplicate_of"] = draws.ids[batch.twin[i]]
            at = datetime.fromtimestamp(day * DAY_S + OPENS_S + draws.morning[i] + place * STEP_S, UTC)
            actor = self._actor(name, self.by_oneself[batch.source[i]], town, village, dice)
            changes.append(
                Change(kind=name, issue=Issue(**fields), at=at, actor=actor, note=self._note(name, kind, dice))
            )

    def _set(self, fields: dict[str, Any], name: str, day: date | None, found: int, dice: list[int]) -> None:
        """What a step changes beside the status."""
        if name == "start":
            done = found * (dice[0] % 80) // 100 if found > 1 and dice[1] % 5 < 2 else 0  # noqa: PLR2004 - a share
            fields["quantity_done"] = max(fields["quantity_done"], float(done))
        elif name in {"interim", "defer"}:
            fields["interim_on"] = fields["interim_on"] or day
        elif name == "submit":
            fields["quantity_done"], fields["claimed_closed_on"] = float(found), day
        elif name == "return":
            fields["quantity_done"], fields["claimed_closed_on"] = float(found // 2), None
        elif name == "close":
            fields["closed_on"] = day

    def _actor(self, name: str, by_oneself: bool, town: str, village: str, dice: list[int]) -> str:
        """The role that took a step; duty units never decide about their own work."""
        inspector = f"inspector:{1 + dice[2] % 6}"
        if name == "report":
            return "public"
        if name == "register":
            return town if by_oneself and town else inspector
        if name in {"start", "interim", "submit"}:
            return (village if dice[3] % 3 == 0 and name != "submit" else town) or "county"
        if name in {"close", "return"}:
            return inspector if dice[4] % 3 == 0 else "county"
        return "county"

    def _note(self, name: str, kind: Kind, dice: list[int]) -> str:
        notes = kind.interim if name == "interim" else self.words.notes.get(name, ())
        return _of(notes, dice[5]) if notes else ""

    def _offices(self, hamlet: int) -> tuple[str, str]:
        village = self.village_of[hamlet]
        town = self.ground.towns[self.town_of[village]]
        return f"town:{town.code}", f"village:{self.ground.villages[village].code}"

    def _day(self, number: int) -> date | None:
        if number not in self.days:
            self.days[number] = date.fromordinal(number + EPOCH_ORDINAL)
        return self.days[number]

    def _fields(self, batch: Batch, draws: Draws, i: int, start: int) -> dict[str, Any]:
        """All fields of an issue before its first step."""
        words, dice = self.words, draws.dice[i]
        kind = words.kinds[batch.category[i]]
        quantity, outside = float(batch.quantity[i]), batch.outside[i]
        relapse = batch.relapse[i]
        chosen = kind.subdefects
        return {
            "id": draws.ids[i],
            "county": self.slug,
            "category": kind.category.code,
            "status": Status.REPORTED,
            "source": words.sources[batch.source[i]],
            "subdefects": (_of(chosen, dice[6]),) if chosen else (),
            "severity": min(5, max(1, kind.severity + (dice[7] % 10 > 6) - (dice[8] % 10 > 6))),  # noqa: PLR2004
            "quantity_found": quantity,
            "quantity_done": 0.0,
            "unit": kind.category.unit,
            "geometry": batch.wkt[i],
            "description": self._description(kind, quantity, dice),
            "found_on": self._day(batch.found[i]),
            "lead_unit": self._unit(kind.category.lead, batch.hamlet[i], outside),
            "help_units": self._help(kind, batch.category[i], batch.hamlet[i], outside),
            "responsible": _of(words.surnames, dice[9]) + f"某（{_of(words.roles, dice[10])}）",
            "phone": f"000-{dice[11] % 10_000_000:07d}",
            "due_on": self._day(batch.due[i]),
            "claimed_closed_on": None,
            "interim_on": None,
            "privacy": kind.privacy,
            "relapse_of": draws.ids[relapse] if relapse != NOBODY else None,
            "sightings": self._sightings(batch, draws, i, start),
            **self._place(batch, i, outside, dice),
        }

    def _description(self, kind: Kind, quantity: float, dice: list[int]) -> str:
        template = _of(kind.descriptions, dice[12])
        tail = "" if kind.privacy is Privacy.RESTRICTED else _of(self.words.tails, dice[13])
        return template.replace("{n}", quantity_text(quantity, kind.category.unit)) + tail

    def _place(self, batch: Batch, i: int, outside: bool, dice: list[int]) -> dict[str, Any]:
        """Where it is, in words and by place id."""
        if outside:
            spots = self.words.outside_spots
            return {"located": Located.OUTSIDE, "location_text": _of(spots, dice[14])}
        hamlet = self.ground.hamlets[batch.hamlet[i]]
        number = self.village_of[batch.hamlet[i]]
        village, town = self.ground.villages[number], self.ground.towns[self.town_of[number]]
        spot = _of(self.words.spots, dice[14])
        whole = batch.wkt[i] is None and not batch.unlocated[i]
        near = village if whole or dice[15] % 8 == 0 else hamlet
        return {
            "located": Located.UNLOCATED if batch.unlocated[i] else Located.INSIDE,
            "place_id": near.place_id,
            "village_id": village.place_id,
            "town_id": town.place_id,
            "place_code_given": near.code,
            "location_text": f"{village.short_name}全村"
            if whole
            else f"{near.short_name if near is village else near.name}{spot}",
        }

    def _unit(self, unit: str, hamlet: int, outside: bool) -> str:
        """A duty unit: towns and villages by their own name, others by their code; "" for a place unknown."""
        if unit not in {"town", "village"}:
            return unit
        if outside:
            return ""
        village = self.village_of[hamlet]
        if unit == "village":
            return self.ground.villages[village].name
        return office_of(self.ground.towns[self.town_of[village]])

    def _help(self, kind: Kind, category: int, hamlet: int, outside: bool) -> tuple[str, ...]:
        key = (category, NOBODY if outside else self.village_of[hamlet])
        if key not in self.helpers:
            units = (self._unit(unit, hamlet, outside) for unit in kind.category.help)
            self.helpers[key] = tuple(unit for unit in units if unit)
        return self.helpers[key]

    def _sightings(self, batch: Batch, draws: Draws, i: int, start: int) -> tuple[Sighting, ...]:
        """One to three sightings; the first is the issue's own source on the day it was found."""
        dice, found = draws.dice[i], batch.found[i]
        made = []
        for k, identity in enumerate(draws.sighting_ids[i]):
            source = batch.source[i] if k == 0 else dice[16 + k] % len(self.words.sources)
            day = min(found + (k * (2 + dice[17 + k] % 9)), self.shared.today)
            x, y, datum, accuracy = self._given(batch, i, dice[18 + k])
            made.append(
                Sighting(
                    id=identity,
                    source=self.words.sources[source],
                    list_name=self._list_name(source, day, dice[17]),
                    list_number=str(1 + dice[18 + k] % 400),
                    found_on=self._day(day),
                    found_by=self._finder(source, dice[2]),
                    given_x=x,
                    given_y=y,
                    datum=datum,
                    accuracy_m=accuracy,
                    row_key=f"sample:{self.seed}:{start + i}:{k}",
                )
            )
        return tuple(made)

    def _finder(self, source: int, die: int) -> str:
        """Who found it, as a group: a person's name would be a personal value even here."""
        if self.by_oneself[source]:
            return "村级自查组"
        return "群众" if self.words.sources[source] == "public_report" else f"第{1 + die % 6}督查组"

    def _given(self, batch: Batch, i: int, die: int) -> tuple[str, str, str, float | None]:
        """Coordinates as the source gave them, their datum and accuracy: a fifth came from GCJ-02 maps."""
        if batch.wkt[i] is None:
            return "", "", "wgs84", None
        if die % 5 == 0:
            x, y = batch.gcj02[i]
            return f"{x:.6f}", f"{y:.6f}", "gcj02", None
        x, y = batch.points[i]
        return f"{x:.6f}", f"{y:.6f}", "wgs84", float(3 + die % 23)

    def _list_name(self, source: int, number: int, die: int) -> str:
        names, day = self.words.list_names[source], self._day(number)
        name = _of(names, die)
        if day is None or "{" not in name:
            return name
        return name.format(month=f"{day.month}月", day=f"{day.month}月{day.day}日", group=1 + die % 4)


def _of(choices: Sequence[str], die: int) -> str:
    return choices[die % len(choices)]


def _draws(batch: Batch, rng: np.random.Generator) -> Draws:
    """Ids and dice for every issue of a batch, drawn in bulk."""
    n = len(batch.category)
    morning = rng.integers(0, 12_600, n)
    instants = (np.array(batch.found) * DAY_S + OPENS_S + morning) * 1000 + rng.integers(0, 1000, n)
    sights = (1 + happens(0.27, n, rng) + happens(0.06, n, rng)).tolist()
    spare = iter(_uuids(np.repeat(instants, sights) + 1, rng))
    return Draws(
        ids=_uuids(instants, rng),
        sighting_ids=[[next(spare) for _ in range(count)] for count in sights],
        morning=morning.tolist(),
        dice=rng.integers(0, 2**31, (n, 21)).tolist(),
    )


def _uuids(instants: "np.typing.NDArray[np.int64]", rng: np.random.Generator) -> list[str]:
    """UUIDv7 texts (RFC 9562, 5.7): 48 bits of milliseconds since 1970, then drawn bits."""
    high = rng.integers(0, 2**12, len(instants)).tolist()
    low = rng.integers(0, 2**62, len(instants)).tolist()
    return [
        f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-{0x7000 | a:04x}-{0x8000 | b >> 48:04x}-{b & 0xFFFFFFFFFFFF:012x}"
        for ms, a, b in zip(instants.tolist(), high, low, strict=True)
    ]
