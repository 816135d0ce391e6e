"""Rows of a table → places: level, code, name, parent, area, each matched to the place that it already is.

A place keeps its identity when its code changes: a row is the place that has its code, or had one of its former
codes, or stands under the same parent with the same name and level while no row of the file claims that place's code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import shapely

from villagemap.crs import parse_datum
from villagemap.model import Level, Place
from villagemap.places import Gazetteer, has_area, polygons_of
from villagemap.readers.cells import Cells, RowCells
from villagemap.readers.columns import ColumnMapping, ColumnMatch, parse_date, parse_number
from villagemap.readers.findings import Finding
from villagemap.readers.positions import read_positions, wgs84_shapes
from villagemap.readers.sandbox import Row, Table
from villagemap.vocabulary import Vocabulary

_LENGTH = {Level.COUNTY: 6, Level.TOWN: 9, Level.VILLAGE: 12, Level.HAMLET: 15}
"""Digits of each level's codes; statistics write a county's and a town's with zeros up to 12."""
_PARENT = {Level.TOWN: Level.COUNTY, Level.VILLAGE: Level.TOWN, Level.HAMLET: Level.VILLAGE}


@dataclass(slots=True)
class PlaceDraft:
    """One row: the place it names, still without identity; ``parent_word`` is a name where no code says it."""

    row: int
    place: Place | None
    parent_code: str = ""
    parent_words: tuple[str, str] = ("", "")
    findings: list[Finding] = field(default_factory=list)


def draft_places(
    table: Table,
    match: ColumnMatch,
    mapping: ColumnMapping,
    vocabulary: Vocabulary,
    county: str,
    level: Level | None = None,
    datum: str = "",
) -> list[PlaceDraft]:
    """A draft for each row of a table; ``level`` and ``datum`` where neither a column nor the code's length tells."""
    cells = Cells(table.columns, match, mapping)
    datum = parse_datum(datum or table.crs or "wgs84")
    drafts: list[PlaceDraft] = []
    for rows in table.batches():
        drafts += _drafts(rows, cells, vocabulary, county, level, datum)
    return drafts


def _drafts(
    rows: Sequence[Row], cells: Cells, vocabulary: Vocabulary, county: str, level: Level | None, datum: str
) -> list[PlaceDraft]:
    drafts = []
    cells.turn_to(rows)
    positions = read_positions(cells, datum)
    for number, row in enumerate(rows):
        one = cells.at(number)
        place = _place(one, vocabulary, county, level)
        words = (one.text("town"), one.text("village"))
        drafts.append(PlaceDraft(row.number, place, one.text("parent_code"), words, cells.findings[number]))
    shapes = wgs84_shapes(cells, positions)
    for draft, shape in zip(drafts, shapes, strict=True):
        if any(finding.rejects for finding in draft.findings):
            draft.place = None
        elif draft.place is not None and shape is not None:
            draft.place = _with_shape(draft.place, shape)
    return drafts


def _with_shape(place: Place, shape: "shapely.Geometry") -> Place:
    """The place with its area, or at its point; where it has neither a line's or several points' middle is taken."""
    area = polygons_of(shapely.make_valid(shapely.force_2d(shape)))
    if not shapely.is_empty(area):
        shape = shapely.set_precision(area, 1e-7)
    point = shapely.set_precision(shapely.point_on_surface(shape), 1e-7)
    wkb = shapely.to_wkb(point if shapely.is_empty(area) else shape, byte_order=1)
    return replace(place, seat=(float(shapely.get_x(point)), float(shapely.get_y(point))), geometry=wkb)


def _place(cells: RowCells, vocabulary: Vocabulary, county: str, level: Level | None) -> Place | None:
    code, name = cells.text("code"), cells.text("name")
    if not name:
        cells.reject("place_without_name", "name")
        return None
    found = _level(cells, vocabulary, code) or level
    if found is None:
        cells.reject("place_without_level", "code", code)
        return None
    if found in _LENGTH and len(code) == _LENGTH[Level.VILLAGE] and not code[_LENGTH[found] :].strip("0"):
        code = code[: _LENGTH[found]]
    households = cells.parsed("households", parse_number)
    return Place(
        place_id="",
        county=county,
        level=found,
        code=code,
        name=name,
        short_name=cells.text("short_name") or vocabulary.short_name(name, found),
        aliases=_listed(cells.text("aliases")),
        former_codes=_listed(cells.text("former_codes")),
        households=None if households is None else int(households),
        valid_from=cells.parsed("valid_from", parse_date),
        valid_to=cells.parsed("valid_to", parse_date),
    )


def _level(cells: RowCells, vocabulary: Vocabulary, code: str) -> Level | None:
    word = cells.text("level")
    named = vocabulary.code_of("levels", word) if word else None
    if named:
        return Level(named)
    if not code.isdigit():
        return None
    if len(code) == _LENGTH[Level.VILLAGE]:
        return next(level for level, length in _LENGTH.items() if not code[length:].strip("0"))
    return next((level for level, length in _LENGTH.items() if length == len(code)), None)


def _listed(words: str) -> tuple[str, ...]:
    for mark in ";；、|,，":
        words = words.replace(mark, "\n")
    return tuple(dict.fromkeys(word.strip() for word in words.split("\n") if word.strip()))


def with_identity(
    drafts: Sequence[PlaceDraft], known: Gazetteer, next_number: Callable[[], int]
) -> list[tuple[PlaceDraft, Place | None]]:
    """Each draft with the place that it becomes (None where it is rejected), towns before what lies in them.

    Rows that name one place twice are laid over each other. A code that another row had before was given away: who
    has it now is that place only with its very name. Where several rows had one former code, the place was split: the
    one that kept its name stays that place, else the first; the others are new.

    Parameters
    ----------
    next_number
        Gives the number of a new place's id.
    """
    gazetteer = known
    placed: dict[int, Place] = {}
    for level in Level:
        at_level = [n for n, draft in enumerate(drafts) if draft.place is not None and draft.place.level is level]
        if at_level:
            matching = _Matching(drafts, gazetteer, next_number)
            placed.update(matching.placed(at_level))
            merged = {place.place_id: place for place in (*gazetteer.places, *placed.values())}
            gazetteer = Gazetteer(merged.values())
    return [(draft, placed.get(n)) for n, draft in enumerate(drafts)]


class _Matching:
    """Rows of one level on their way to the places that they are."""

    def __init__(self, drafts: Sequence[PlaceDraft], gazetteer: Gazetteer, next_number: Callable[[], int]) -> None:
        self._drafts, self._gazetteer, self._next_number = drafts, gazetteer, next_number
        given = [draft.place for draft in drafts if draft.place is not None]
        self._claimed = {place.code for place in given} - {""}
        self._given_away = {code for place in given for code in place.former_codes if code != place.code}
        self._taken: set[str] = set()
        self._at: dict[str, Place] = {}
        self._coded: dict[str, str] = {}
        self._named: dict[tuple[str | None, str], list[str]] = {}

    def placed(self, numbers: Sequence[int]) -> dict[int, Place]:
        """The place of each row that can be one."""
        rows = {n: place for n in numbers if (place := self._with_parent(self._drafts[n])) is not None}
        before: dict[int, Place] = {}
        finders = (
            self._by_kept_code,
            self._by_former_code_and_name,
            self._by_own_code,
            self._by_former_code_and_short_name,
            self._by_former_code,
            self._by_name,
        )
        for finder in finders:
            for n, place in rows.items():
                found = None if n in before else finder(place)
                if found is not None and found.place_id not in self._taken:
                    before[n] = found
                    self._taken.add(found.place_id)
        coded_first = sorted(rows, key=lambda n: not rows[n].code)
        ids = {n: self._identified(self._drafts[n], rows[n], before.get(n)) for n in coded_first}
        # the last row of a place holds all that its rows say
        return {n: self._at[place_id] for n, place_id in ids.items() if place_id}

    def _with_parent(self, draft: PlaceDraft) -> Place | None:
        place = draft.place
        if place is None:
            return None
        parent = _parent(draft, place, self._gazetteer)
        if parent is None and place.level in {Level.VILLAGE, Level.HAMLET}:
            word = draft.parent_code or " ".join(draft.parent_words).strip() or place.code
            _reject(draft, "parent_unknown", word, name=place.name)
            return None
        return replace(place, parent_id=parent.place_id if parent else None)

    def _by_kept_code(self, place: Place) -> Place | None:
        found = self._by_own_code(place)
        return found if found and (found.name == place.name or place.code not in self._given_away) else None

    def _by_former_code_and_name(self, place: Place) -> Place | None:
        found = self._by_former_code(place)
        return found if found and found.name == place.name else None

    def _by_own_code(self, place: Place) -> Place | None:
        return self._holder(place.code, place.level)

    def _by_former_code_and_short_name(self, place: Place) -> Place | None:
        found = self._by_former_code(place)
        return found if found and found.short_name == place.short_name else None

    def _by_former_code(self, place: Place) -> Place | None:
        holders = (self._holder(code, place.level) for code in place.former_codes)
        return next((held for held in holders if held is not None), None)

    def _by_name(self, place: Place) -> Place | None:
        if not place.code:
            return None
        namesakes = [known for known in self._namesakes(place) if known.code not in self._claimed]
        return namesakes[0] if len(namesakes) == 1 else None

    def _holder(self, code: str, level: Level) -> Place | None:
        held = self._gazetteer.by_code(code) if code else None
        return held if held is not None and held.level is level else None

    def _namesakes(self, place: Place) -> list[Place]:
        found = self._gazetteer.candidates(place.name, place.level)
        return [known for known in found if known.name == place.name and known.parent_id == place.parent_id]

    def _identified(self, draft: PlaceDraft, place: Place, before: Place | None) -> str:
        """The id of the place that a row is; "" where it could be several."""
        same = [before.place_id] if before else self._same(place)
        if len(same) > 1:
            _reject(draft, "place_ambiguous", place.name)
            return ""
        place_id = same[0] if same else f"{place.level[0]}{self._next_number()}"
        known = self._at.get(place_id) or self._gazetteer.by_id.get(place_id)
        found = replace(place, place_id=place_id)
        self._at[place_id] = _merged(known, found) if known else found
        self._coded[place.code] = place_id
        names = self._named.setdefault((place.parent_id, place.name), [])
        if place_id not in names:
            names.append(place_id)
        return place_id

    def _same(self, place: Place) -> list[str]:
        """Ids that an earlier row of the file, or for want of a code the name, gives a row."""
        if place.code:
            return [self._coded[place.code]] if place.code in self._coded else []
        known = [known.place_id for known in self._namesakes(place)]
        return list(dict.fromkeys([*self._named.get((place.parent_id, place.name), ()), *known]))


def _reject(draft: PlaceDraft, code: str, value: str, **params: str) -> None:
    draft.findings.append(Finding(draft.row, code, value=value, rejects=True, params=dict(params)))


def _parent(draft: PlaceDraft, place: Place, gazetteer: Gazetteer) -> Place | None:
    if place.level is Level.COUNTY:
        return None
    length = _LENGTH[_PARENT[place.level]]
    for code in (draft.parent_code, place.code[:length] if len(place.code) > length else ""):
        parent = gazetteer.by_code(code) if code else None
        if parent is not None:
            return parent
    town_word, village_word = draft.parent_words
    towns = gazetteer.candidates(town_word, Level.TOWN) if town_word else []
    if place.level is not Level.HAMLET:
        return towns[0] if len(towns) == 1 else None
    if not village_word or (town_word and len(towns) != 1):
        return None
    villages = gazetteer.candidates(village_word, Level.VILLAGE, towns[0] if towns else None)
    return villages[0] if len(villages) == 1 else None


def _merged(before: Place, now: Place) -> Place:
    """What a file says anew laid over what was known; what it doesn't say stays."""
    code = now.code or before.code
    former = dict.fromkeys((*before.former_codes, *now.former_codes, before.code))
    drawn = has_area(before) and (not before.approximate or now.seat == before.seat)
    keeps_area = now.geometry is None or (not has_area(now) and drawn)
    keeps_seat = before.seat is not None and (now.seat is None or has_area(now))
    return replace(
        now,
        code=code,
        former_codes=tuple(old for old in former if old and old != code),
        aliases=tuple(dict.fromkeys((*before.aliases, *now.aliases))),
        households=before.households if now.households is None else now.households,
        geometry=before.geometry if keeps_area else now.geometry,
        approximate=before.approximate if keeps_area else False,
        seat=before.seat if keeps_seat else now.seat,
        valid_from=now.valid_from or before.valid_from,
        valid_to=now.valid_to or before.valid_to,
    )
