"""Rows of a table → drafts of issues: words to codes, positions to WGS 84, places by code or name.

What a row says is kept; what can't be read is left blank with a warning; a row is rejected only where storing it
would say something that nobody meant (an unknown category, an impossible position).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import shapely
from uuid_utils import uuid7

from villagemap.crs import parse_datum
from villagemap.deadlines import due_on
from villagemap.errors import BadInputError
from villagemap.model import Issue, Level, Located, Place, Sighting, Status
from villagemap.places import Gazetteer
from villagemap.readers.cells import Cells, meanings
from villagemap.readers.columns import (
    ColumnMapping,
    ColumnMatch,
    parse_date,
    parse_number,
)
from villagemap.readers.findings import Finding
from villagemap.readers.positions import Positions, Shapes, read_positions, wgs84_shapes
from villagemap.readers.sandbox import Row, Table
from villagemap.vocabulary import Category, Vocabulary

_DECIDED = frozenset({Status.DEFERRED, Status.DUPLICATE, Status.REJECTED})
"""What only the county decides: a file can't."""
_STATUSES = {status.value: status for status in Status}


Named = tuple[Place | None, str, Mapping[str, Any]]
"""The finest place that a row names, or what is wrong with its names: a finding's code and params."""

Columns = dict[str, list[Any]]
"""Values of n rows by the names of `Issue`."""

Where = tuple[str | None, str | None, str | None, Located]
"""Ids of the finest place, the village and the town, and what is known of the position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What a file doesn't say itself. ``datum`` empty means: as the file or its rows say, else WGS 84."""

    category: str = ""
    source: str = ""
    datum: str = ""
    mapping: ColumnMapping = field(default_factory=ColumnMapping)


@dataclass(slots=True)
class Draft:
    """One row: the issue it would become (None if rejected) and what was noticed."""

    row: int
    row_key: str
    issue: Issue | None
    findings: list[Finding]


class IssueDrafter:
    """Turns batches of one table's rows into drafts."""

    def __init__(
        self,
        table: Table,
        match: ColumnMatch,
        options: ImportOptions,
        vocabulary: Vocabulary,
        gazetteer: Gazetteer,
        county: str,
    ) -> None:
        self._cells = Cells(table.columns, match, options.mapping)
        self._vocabulary, self._gazetteer, self._county = vocabulary, gazetteer, county
        self._file = table.file
        self._category = _code(vocabulary, "categories", options.category)
        self._source = _code(vocabulary, "sources", options.source) or "self_check"
        self._datum = parse_datum(options.datum or table.crs or "wgs84")
        self._header = hashlib.sha256("".join(f"{column}\x1f" for column in table.columns).encode())
        self._seen: dict[bytes, int] = {}
        self._places: dict[tuple[str, str, str, str], Named] = {}
        self._parents: dict[str, tuple[Place | None, Place | None]] = {}

    def drafts(self, rows: Sequence[Row]) -> list[Draft]:
        """One draft for each row, in their order."""
        if not rows:
            return []
        cells = self._cells
        cells.turn_to(rows)
        positions = read_positions(cells, self._datum)
        named, lost = self._named_places()
        keys = [self._row_key(row) for row in rows]
        told = self._told(positions, lost, keys)
        self._locate(told, wgs84_shapes(cells, positions), named)
        made = (Issue(**dict(zip(told, values, strict=True))) for values in zip(*told.values(), strict=True))
        return [
            Draft(row.number, key, None if any(finding.rejects for finding in findings) else issue, findings)
            for row, key, issue, findings in zip(rows, keys, made, cells.findings, strict=True)
        ]

    def _row_key(self, row: Row) -> str:
        """What makes this row itself: its cells, and how many equal ones came before it in the file."""
        whole = self._header.copy()
        whole.update("\x1f".join((*row.values, row.geometry or "")).encode())
        digest = whole.digest()[:16]
        again = self._seen[digest] = self._seen.get(digest, 0) + 1
        return digest.hex() if again == 1 else hashlib.sha256(digest + str(again).encode()).hexdigest()[:32]

    def _told(self, positions: Positions, lost: Sequence[str], keys: Sequence[str]) -> Columns:
        """What the rows themselves tell, by the names of `Issue`; where they are comes later."""
        cells, plain = self._cells, self._cells.texts
        count = len(keys)
        categories = self._categories()
        found = cells.parsed("found_on", parse_date)
        statuses, claimed = self._statuses(found)
        sources = self._sources()
        return {
            "id": self._ids(),
            "county": [self._county] * count,
            "category": [category.code for category in categories],
            "status": statuses,
            "source": sources,
            "subdefects": self._subdefects(categories),
            "severity": self._severities(),
            "quantity_found": self._quantities("quantity_found", 1.0),
            "quantity_done": self._quantities("quantity_done", 0.0),
            "unit": [word or category.unit for word, category in zip(plain("unit"), categories, strict=True)],
            "place_code_given": plain("place_code"),
            "location_text": [f"{a} {b}".strip() for a, b in zip(lost, plain("location_text"), strict=True)],
            "description": plain("description"),
            "found_on": found,
            "lead_unit": self._lead_units(categories),
            "help_units": self._help_units(),
            "responsible": plain("responsible"),
            "phone": plain("phone"),
            "due_on": self._deadlines(categories, found),
            "claimed_closed_on": claimed,
            "privacy": [category.privacy for category in categories],
            "facility": plain("facility"),
            "sightings": self._sightings(sources, found, positions, keys),
        }

    def _ids(self) -> list[str]:
        """Those given, where they are UUIDs; new ones for the others."""
        if not self._cells.has("id"):
            return [str(uuid7()) for _ in self._cells.rows]
        ids = []
        for given in self._cells.texts("id"):
            try:
                ids.append(str(UUID(given)))
            except ValueError:
                ids.append(str(uuid7()))
        return ids

    def _sightings(
        self, sources: Sequence[str], found: Sequence[date | None], positions: Positions, keys: Sequence[str]
    ) -> list[tuple[Sighting]]:
        cells = self._cells
        parts = (
            sources, cells.texts("list_name"), cells.texts("list_number"), found, cells.texts("found_by"),
            positions.given_x, positions.given_y, positions.datum, cells.parsed("accuracy_m", parse_number), keys,
        )  # fmt: skip
        return [
            (
                Sighting(
                    id=str(uuid7()),
                    source=source,
                    list_name=list_name or self._file,
                    list_number=list_number,
                    found_on=found_on,
                    found_by=found_by,
                    given_x=given_x,
                    given_y=given_y,
                    datum=datum,
                    accuracy_m=accuracy_m,
                    row_key=key,
                ),
            )
            for source, list_name, list_number, found_on, found_by, given_x, given_y, datum, accuracy_m, key in zip(
                *parts, strict=True
            )
        ]

    def _categories(self) -> list[Category]:
        """Each row's category; a row without one is rejected, and any will do for it."""
        words = self._cells.texts("category")
        codes = meanings(words, lambda word: self._vocabulary.code_of("categories", word) if word else self._category)
        for number, word in enumerate(words):
            if not codes[word]:
                self._cells.reject(number, "category_unknown" if word else "category_missing", "category", word)
        spare = next(iter(self._vocabulary.categories.values()))
        return [self._vocabulary.categories.get(codes[word] or "", spare) for word in words]

    def _sources(self) -> list[str]:
        words = self._cells.texts("source")
        codes = meanings(words, lambda word: self._vocabulary.code_of("sources", word) if word else self._source)
        for number, word in enumerate(words):
            if codes[word] is None:
                self._cells.warn(number, "source_unknown", "source", word)
        return [codes[word] or self._source for word in words]

    def _statuses(self, found: Sequence[date | None]) -> tuple[list[Status], list[date | None]]:
        """Each row's status, and since when it claims to be closed."""
        words = self._cells.texts("status")
        codes = meanings(words, lambda word: self._vocabulary.code_of("statuses", word) if word else None)
        for number, word in enumerate(words):
            if word and codes[word] is None:
                self._cells.warn(number, "status_unknown", "status", word)
        claimed = self._cells.parsed("claimed_closed_on", parse_date)
        both = [
            self._status(number, word, codes[word], found_on, claimed_on)
            for number, (word, found_on, claimed_on) in enumerate(zip(words, found, claimed, strict=True))
        ]
        return [status for status, _ in both], [claimed_on for _, claimed_on in both]

    def _status(
        self, number: int, word: str, code: str | None, found_on: date | None, claimed_on: date | None
    ) -> tuple[Status, date | None]:
        """A row's status: only a verifier here makes anything closed, and only the county decides."""
        status = _STATUSES[code or ("closed" if claimed_on else "registered")]
        if status in _DECIDED:
            self._cells.warn(number, "status_needs_decision", "status", word)
            status = Status.REGISTERED
        if status is not Status.CLOSED and status is not Status.SUBMITTED:
            if claimed_on:
                self._cells.warn(number, "claim_but_open", "claimed_closed_on", claimed_on.isoformat(), status=word)
            return status, None
        if claimed_on is None:
            self._cells.warn(number, "claim_without_date", "status", word)
        elif found_on and claimed_on < found_on:
            days = {"value": claimed_on.isoformat(), "found": found_on.isoformat()}
            self._cells.warn(number, "closed_before_found", "claimed_closed_on", **days)
        return Status.SUBMITTED, claimed_on

    def _subdefects(self, categories: Sequence[Category]) -> list[tuple[str, ...]]:
        words = self._cells.texts("subdefects")
        return [_subdefects(word, category) if word else () for word, category in zip(words, categories, strict=True)]

    def _severities(self) -> list[int]:
        severities = []
        for number, value in enumerate(self._cells.parsed("severity", parse_number)):
            if value is not None and value not in range(1, 6):
                self._cells.warn(number, "severity_out_of_range", "severity", self._cells.texts("severity")[number])
            severities.append(3 if value is None else int(min(max(value, 1), 5)))
        return severities

    def _quantities(self, name: str, blank: float) -> list[float]:
        values = self._cells.parsed(name, parse_number)
        for number, value in enumerate(values):
            if value is not None and value < 0:
                self._cells.warn(number, "quantity_negative", name, self._cells.texts(name)[number])
        return [blank if value is None else max(value, 0.0) for value in values]

    def _lead_units(self, categories: Sequence[Category]) -> list[str]:
        words = self._cells.texts("lead_unit")
        units = meanings(words, self._unit)
        return [units[word] or category.lead for word, category in zip(words, categories, strict=True)]

    def _help_units(self) -> list[tuple[str, ...]]:
        words = self._cells.texts("help_units")
        units = meanings(words, lambda listed: tuple(self._unit(word) for word in _listed(listed)))
        return [units[word] for word in words]

    def _unit(self, word: str) -> str:
        return (self._vocabulary.code_of("units", word) or word) if word else ""

    def _deadlines(self, categories: Sequence[Category], found: Sequence[date | None]) -> list[date | None]:
        """The day that a row says, else the one that its category's clock gives."""
        given = self._cells.parsed("due_on", parse_date)
        parts = zip(given, categories, found, strict=True)
        return [day or due_on(category, found_on) for day, category, found_on in parts]

    def _named_places(self) -> tuple[list[Place | None], list[str]]:
        """The finest place that each row names, and its words where they aren't all understood, so none is lost."""
        plain = self._cells.texts
        found, lost = [], []
        keys = zip(plain("place_code"), plain("town"), plain("village"), plain("hamlet"), strict=True)
        for number, key in enumerate(keys):
            if key not in self._places:
                self._places[key] = _place_named(self._gazetteer, *key)
            place, fault, params = self._places[key]
            found.append(place)
            lost.append(" ".join(part for part in key[1:] if part) if fault else "")
            if fault:
                self._cells.warn(number, fault, "village", " ".join(part for part in key if part), **params)
        return found, lost

    def _locate(self, told: Columns, shapes: Shapes, named: Sequence[Place | None]) -> None:
        """Add where the issues are to what is told of them."""
        placed = np.flatnonzero(~shapely.is_missing(shapes))
        points = shapely.point_on_surface(shapes[placed])
        hits: list[Place | None] = [None] * len(shapes)
        for number, hit in zip(placed.tolist(), self._holding(points), strict=True):
            hits[number] = hit
        told["geometry"] = list(shapely.to_wkt(shapes, rounding_precision=7, trim=True))
        parts = zip(told["category"], told["geometry"], named, hits, strict=True)
        where = [self._where(number, *part) for number, part in enumerate(parts)]
        for name, column in zip(
            ("place_id", "village_id", "town_id", "located"), zip(*where, strict=True), strict=True
        ):
            told[name] = list(column)

    def _holding(self, points: Shapes) -> list[Place | None]:
        """The village that each point lies in, else the town, or None."""
        lon, lat = shapely.get_x(points), shapely.get_y(points)
        found = self._gazetteer.locate(lon, lat)
        rest = np.flatnonzero([place is None for place in found])
        for number, town in zip(rest.tolist(), self._gazetteer.locate(lon[rest], lat[rest], Level.TOWN), strict=True):
            found[number] = town
        return found

    def _where(self, number: int, category: str, wkt: str | None, named: Place | None, hit: Place | None) -> Where:
        """The office's own word decides where a case belongs; the point only where it says nothing."""
        hit_village, hit_town = self._above(hit)
        village, town = self._above(named)
        apart = (village and hit_village and village is not hit_village) or (town and hit_town and town is not hit_town)
        if named and hit and apart:
            full_name = self._gazetteer.full_name
            words = {"value": full_name(hit), "named": full_name(village or named)}
            self._cells.warn(number, "point_elsewhere", **words)
        if village is None and (town is None or town is hit_town):
            village, town = hit_village, hit_town
        place = named if named and named.level is Level.HAMLET else village
        if wkt:
            located = Located.INSIDE if hit_village else Located.OUTSIDE
        else:
            bound = self._vocabulary.categories[category].bound_to_village
            located = Located.INSIDE if bound and village else Located.UNLOCATED
        return _id_of(place), _id_of(village), _id_of(town), located

    def _above(self, place: Place | None) -> tuple[Place | None, Place | None]:
        """The village and the town that a place is or lies in."""
        if place is None:
            return None, None
        if place.place_id not in self._parents:
            self._parents[place.place_id] = (self._gazetteer.village_of(place), self._gazetteer.town_of(place))
        return self._parents[place.place_id]


def _id_of(place: Place | None) -> str | None:
    return place.place_id if place else None


def _subdefects(listed: str, category: Category) -> tuple[str, ...]:
    words = {label: code for code, labels in category.subdefects.items() for label in (code, *labels.values())}
    return tuple(words.get(word, word) for word in _listed(listed))


def _place_named(gazetteer: Gazetteer, code: str, town_word: str, village_word: str, hamlet_word: str) -> Named:
    """A code decides; where it isn't known the names do."""
    place = gazetteer.by_code(code) if code else None
    if place is not None:
        return place, "", {}
    place, fault, params = _place_by_name(gazetteer, town_word, village_word, hamlet_word)
    return (place, "place_code_unknown", {}) if code and not fault else (place, fault, params)


def _place_by_name(gazetteer: Gazetteer, town_word: str, village_word: str, hamlet_word: str) -> Named:
    town = village = None
    if town_word:
        towns = gazetteer.candidates(town_word, Level.TOWN)
        if len(towns) != 1:
            return None, "town_unknown", {}
        town = towns[0]
    if village_word:
        villages = gazetteer.candidates(village_word, Level.VILLAGE, town)
        if len(villages) != 1:
            return _not_one(gazetteer, town, "village", villages)
        village = villages[0]
    if not hamlet_word:
        return village or town, "", {}
    hamlets = gazetteer.candidates(hamlet_word, Level.HAMLET, town)
    hamlets = [hamlet for hamlet in hamlets if village is None or hamlet.parent_id == village.place_id]
    return (hamlets[0], "", {}) if len(hamlets) == 1 else _not_one(gazetteer, village or town, "hamlet", hamlets)


def _not_one(gazetteer: Gazetteer, above: Place | None, level: str, found: Sequence[Place]) -> Named:
    listed = "; ".join(gazetteer.full_name(place) for place in found)
    return above, f"{level}_ambiguous" if found else f"{level}_unknown", {"listed": listed} if found else {}


def _code(vocabulary: Vocabulary, kind: str, word: str) -> str:
    """An option's code.

    Raises
    ------
    BadInputError
        ``word_unknown``, listing what there is.
    """
    if not word:
        return ""
    code = vocabulary.code_of(kind, word)
    if code is None:
        known = vocabulary.categories if kind == "categories" else vocabulary.words[kind]
        raise BadInputError(f"unknown_{kind}", word=word, known=", ".join(known))
    return code


def _listed(words: str) -> list[str]:
    if not words:
        return []
    for mark in "、;；,，":
        words = words.replace(mark, "|")
    return [word.strip() for word in words.split("|") if word.strip()]
