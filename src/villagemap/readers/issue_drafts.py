"""Rows of a table → drafts of issues: words to codes, positions to WGS 84, places by code or name.

What a row says is kept; what can't be read is left blank with a warning; a row is rejected only where storing it
would say something that nobody meant (an unknown category, an impossible position).
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
from villagemap.readers.cells import Cells
from villagemap.readers.columns import (
    ColumnMapping,
    ColumnMatch,
    parse_date,
    parse_number,
)
from villagemap.readers.findings import Finding
from villagemap.readers.positions import Position, Shapes, read_position, wgs84_shapes
from villagemap.readers.sandbox import Row, Table
from villagemap.vocabulary import Category, Vocabulary

_DECIDED = frozenset({Status.DEFERRED, Status.DUPLICATE, Status.REJECTED})
"""What only the county decides: a file can't."""


Named = tuple[Place | None, str, Mapping[str, Any]]
"""The finest place that a row names, or what is wrong with its names: a finding's code and params."""

Fields = dict[str, Any]
"""What `Issue` is made of."""


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
        drafts, positions, named, told = [], [], [], []
        for row in rows:
            self._cells.turn_to(row)
            position = read_position(self._cells, row, self._datum)
            positions.append(position)
            place, lost = self._named_place()
            named.append(place)
            row_key = self._row_key(row)
            told.append(self._told(position, lost, row_key))
            drafts.append(Draft(row.number, row_key, None, self._cells.findings))
        self._locate(drafts, told, wgs84_shapes(positions, [draft.findings for draft in drafts]), named)
        for draft, fields in zip(drafts, told, strict=True):
            if fields and not any(finding.rejects for finding in draft.findings):
                draft.issue = Issue(**fields)
        return drafts

    def _row_key(self, row: Row) -> str:
        """What makes this row itself: its cells, and how many equal ones came before it in the file."""
        whole = self._header.copy()
        whole.update("\x1f".join((*row.values, row.geometry or "")).encode())
        digest = whole.digest()[:16]
        again = self._seen[digest] = self._seen.get(digest, 0) + 1
        return digest.hex() if again == 1 else hashlib.sha256(digest + str(again).encode()).hexdigest()[:32]

    def _told(self, position: Position, lost: str, row_key: str) -> Fields | None:
        """What the row itself tells of an issue; one object is made of it when its place is known too."""
        category = self._category_of_row()
        if category is None:
            return None
        cells = self._cells
        found_on = cells.parsed("found_on", parse_date)
        status, claimed_on = self._status(found_on)
        source = self._source_of_row()
        return {
            "id": self._id(),
            "county": self._county,
            "category": category.code,
            "status": status,
            "source": source,
            "subdefects": self._subdefects(category),
            "severity": self._severity(),
            "quantity_found": self._quantity("quantity_found", 1.0),
            "quantity_done": self._quantity("quantity_done", 0.0),
            "unit": cells.text("unit") or category.unit,
            "place_code_given": cells.text("place_code"),
            "location_text": f"{lost} {cells.text('location_text')}".strip(),
            "description": cells.text("description"),
            "found_on": found_on,
            "lead_unit": self._unit(cells.text("lead_unit")) or category.lead,
            "help_units": tuple(self._unit(unit) for unit in _listed(cells.text("help_units"))),
            "responsible": cells.text("responsible"),
            "phone": cells.text("phone"),
            "due_on": cells.parsed("due_on", parse_date) or due_on(category, found_on),
            "claimed_closed_on": claimed_on,
            "privacy": category.privacy,
            "facility": cells.text("facility"),
            "sightings": (self._sighting(source, found_on, position, row_key),),
        }

    def _id(self) -> str:
        given = self._cells.text("id")
        if given:
            with suppress(ValueError):
                return str(UUID(given))
        return str(uuid7())

    def _sighting(self, source: str, found_on: date | None, position: Position, row_key: str) -> Sighting:
        cells = self._cells
        return Sighting(
            id=str(uuid7()),
            source=source,
            list_name=cells.text("list_name") or self._file,
            list_number=cells.text("list_number"),
            found_on=found_on,
            found_by=cells.text("found_by"),
            given_x=position.given[0],
            given_y=position.given[1],
            datum=position.datum,
            accuracy_m=cells.parsed("accuracy_m", parse_number),
            row_key=row_key,
        )

    def _category_of_row(self) -> Category | None:
        word = self._cells.text("category")
        code = (self._vocabulary.code_of("categories", word) if word else None) or (
            self._category if not word else None
        )
        if not code:
            self._cells.reject("category_unknown" if word else "category_missing", "category", word)
            return None
        return self._vocabulary.categories[code]

    def _source_of_row(self) -> str:
        word = self._cells.text("source")
        code = self._vocabulary.code_of("sources", word) if word else None
        if word and code is None:
            self._cells.warn("source_unknown", "source", word)
        return code or self._source

    def _status(self, found_on: date | None) -> tuple[Status, date | None]:
        """A row's status, and since when it claims to be closed: only a verifier here makes anything closed."""
        cells = self._cells
        word = cells.text("status")
        code = self._vocabulary.code_of("statuses", word) if word else None
        if word and code is None:
            cells.warn("status_unknown", "status", word)
        claimed_on = cells.parsed("claimed_closed_on", parse_date)
        status = Status(code or (Status.CLOSED if claimed_on else Status.REGISTERED))
        if status in _DECIDED:
            cells.warn("status_needs_decision", "status", word)
            status = Status.REGISTERED
        if status not in {Status.CLOSED, Status.SUBMITTED}:
            if claimed_on:
                cells.warn("claim_but_open", "claimed_closed_on", claimed_on.isoformat(), status=word)
            return status, None
        if claimed_on is None:
            cells.warn("claim_without_date", "status", word)
        elif found_on and claimed_on < found_on:
            cells.warn("closed_before_found", "claimed_closed_on", claimed_on.isoformat(), found=found_on.isoformat())
        return Status.SUBMITTED, claimed_on

    def _subdefects(self, category: Category) -> tuple[str, ...]:
        given = _listed(self._cells.text("subdefects"))
        if not given:
            return ()
        words = {label: code for code, labels in category.subdefects.items() for label in (code, *labels.values())}
        return tuple(words.get(word, word) for word in given)

    def _severity(self) -> int:
        value = self._cells.parsed("severity", parse_number)
        if value is None:
            return 3
        if value not in range(1, 6):
            self._cells.warn("severity_out_of_range", "severity", self._cells.text("severity"))
        return int(min(max(value, 1), 5))

    def _quantity(self, name: str, blank: float) -> float:
        value = self._cells.parsed(name, parse_number)
        if value is not None and value < 0:
            self._cells.warn("quantity_negative", name, self._cells.text(name))
        return blank if value is None else max(value, 0.0)

    def _unit(self, word: str) -> str:
        return (self._vocabulary.code_of("units", word) or word) if word else ""

    def _named_place(self) -> tuple[Place | None, str]:
        """The finest place that a row names, and its words where they aren't all understood, so that none is lost."""
        cells = self._cells
        key = (cells.text("place_code"), cells.text("town"), cells.text("village"), cells.text("hamlet"))
        if key not in self._places:
            self._places[key] = _place_named(self._gazetteer, *key)
        place, fault, params = self._places[key]
        if not fault:
            return place, ""
        cells.warn(fault, "village", " ".join(part for part in key if part), **params)
        return place, " ".join(part for part in key[1:] if part)

    def _locate(
        self, drafts: Sequence[Draft], told: Sequence[Fields | None], shapes: Shapes, named: Sequence[Place | None]
    ) -> None:
        texts = shapely.to_wkt(shapes, rounding_precision=7, trim=True)
        placed = np.flatnonzero(~shapely.is_missing(shapes))
        points = shapely.point_on_surface(shapes[placed])
        inside = dict(zip(placed.tolist(), self._holding(points), strict=True))
        for number, (draft, fields, place, wkt) in enumerate(zip(drafts, told, named, texts, strict=True)):
            if fields:
                fields["geometry"] = wkt
                self._place(draft, fields, place, inside.get(number))

    def _holding(self, points: Shapes) -> list[Place | None]:
        """The village that each point lies in, else the town, or None."""
        lon, lat = shapely.get_x(points), shapely.get_y(points)
        found = self._gazetteer.locate(lon, lat)
        rest = np.flatnonzero([place is None for place in found])
        for number, town in zip(rest.tolist(), self._gazetteer.locate(lon[rest], lat[rest], Level.TOWN), strict=True):
            found[number] = town
        return found

    def _place(self, draft: Draft, fields: Fields, named: Place | None, hit: Place | None) -> None:
        """The office's own word decides where a case belongs; the point only where it says nothing."""
        gazetteer = self._gazetteer
        hit_village, hit_town = self._above(hit)
        village, town = self._above(named)
        apart = (village and hit_village and village is not hit_village) or (town and hit_town and town is not hit_town)
        if named and hit and apart:
            words = {"named": gazetteer.full_name(village or named)}
            draft.findings.append(Finding(draft.row, "point_elsewhere", value=gazetteer.full_name(hit), params=words))
        if village is None and (town is None or town is hit_town):
            village, town = hit_village, hit_town
        place = named if named and named.level is Level.HAMLET else village
        bound = self._vocabulary.categories[fields["category"]].bound_to_village
        if fields["geometry"]:
            located = Located.INSIDE if hit_village else Located.OUTSIDE
        else:
            located = Located.INSIDE if bound and village else Located.UNLOCATED
        fields["place_id"] = place.place_id if place else None
        fields["village_id"] = village.place_id if village else None
        fields["town_id"] = town.place_id if town else None
        fields["located"] = located

    def _above(self, place: Place | None) -> tuple[Place | None, Place | None]:
        """The village and the town that a place is or lies in."""
        if place is None:
            return None, None
        if place.place_id not in self._parents:
            self._parents[place.place_id] = (self._gazetteer.village_of(place), self._gazetteer.town_of(place))
        return self._parents[place.place_id]


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
