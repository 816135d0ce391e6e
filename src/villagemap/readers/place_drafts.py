"""Rows of a table → places: level, code, name, parent, area, each matched to the place that it already is.

A place keeps its identity when its code changes: a row is the place that has its code, or had one of its former
codes, or stands under the same parent with the same name and level while no row of the file claims that place's code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import shapely

from villagemap.crs import parse_datum
from villagemap.model import Level, Place
from villagemap.places import Gazetteer
from villagemap.readers.cells import Cells
from villagemap.readers.columns import ColumnMapping, ColumnMatch, parse_date, parse_number
from villagemap.readers.findings import Finding
from villagemap.readers.positions import read_position, wgs84_shapes
from villagemap.readers.sandbox import Row, Table
from villagemap.vocabulary import Vocabulary

_LEVEL_OF_LENGTH = {6: Level.COUNTY, 9: Level.TOWN, 12: Level.VILLAGE, 15: Level.HAMLET}
_PARENT_LENGTH = {Level.TOWN: 6, Level.VILLAGE: 9, Level.HAMLET: 12}
_TOWN_AS_12_DIGITS = "000"


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
    drafts, positions = [], []
    for row in rows:
        cells.turn_to(row)
        positions.append(read_position(cells, row, datum))
        place = _place(cells, vocabulary, county, level)
        words = (cells.text("town"), cells.text("village"))
        drafts.append(PlaceDraft(row.number, place, cells.text("parent_code"), words, cells.findings))
    shapes = wgs84_shapes(positions, [draft.findings for draft in drafts])
    wkbs = shapely.to_wkb(shapely.set_precision(shapely.force_2d(shapes), 1e-7), byte_order=1)
    for draft, shape, wkb in zip(drafts, shapes, wkbs, strict=True):
        if any(finding.rejects for finding in draft.findings):
            draft.place = None
        elif draft.place is not None and shape is not None:
            draft.place = _with_shape(draft.place, shape, wkb)
    return drafts


def _with_shape(place: Place, shape: "shapely.Geometry", wkb: bytes) -> Place:
    if shapely.get_type_id(shape) == shapely.GeometryType.POINT:
        seat = (float(shapely.get_x(shape)), float(shapely.get_y(shape)))
        return replace(place, seat=seat, geometry=wkb)
    inside = shapely.point_on_surface(shape)
    return replace(place, geometry=wkb, seat=place.seat or (float(shapely.get_x(inside)), float(shapely.get_y(inside))))


def _place(cells: Cells, vocabulary: Vocabulary, county: str, level: Level | None) -> Place | None:
    code, name = cells.text("code"), cells.text("name")
    if not name:
        cells.reject("place_without_name", "name")
        return None
    found = _level(cells, vocabulary, code) or level
    if found is None:
        cells.reject("place_without_level", "code", code)
        return None
    if found is Level.TOWN and len(code) == max(_LEVEL_OF_LENGTH) - 3:
        code = code.removesuffix(_TOWN_AS_12_DIGITS)
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


def _level(cells: Cells, vocabulary: Vocabulary, code: str) -> Level | None:
    word = cells.text("level")
    named = vocabulary.code_of("levels", word) if word else None
    if named:
        return Level(named)
    if len(code) == max(_LEVEL_OF_LENGTH) - 3 and code.endswith(_TOWN_AS_12_DIGITS):
        return Level.TOWN
    return _LEVEL_OF_LENGTH.get(len(code)) if code.isdigit() else None


def _listed(words: str) -> tuple[str, ...]:
    for mark in ";；、|,，":
        words = words.replace(mark, "\n")
    return tuple(dict.fromkeys(word.strip() for word in words.split("\n") if word.strip()))


def with_identity(
    drafts: Sequence[PlaceDraft], known: Gazetteer, next_number: Callable[[], int]
) -> list[tuple[PlaceDraft, Place | None]]:
    """Each draft with the place that it becomes (None where it is rejected), towns before what lies in them.

    Parameters
    ----------
    next_number
        Gives the number of a new place's id.
    """
    order = list(Level)
    claimed = {draft.place.code for draft in drafts if draft.place is not None}
    gazetteer = known
    placed: dict[int, Place] = {}
    for level in order:
        at_level = [n for n, draft in enumerate(drafts) if draft.place is not None and draft.place.level is level]
        for n in at_level:
            place = _identified(drafts[n], gazetteer, claimed, next_number)
            if place is not None:
                placed[n] = place
        merged = {place.place_id: place for place in (*gazetteer.places, *placed.values())}
        gazetteer = Gazetteer(merged.values()) if at_level else gazetteer
    return [(draft, placed.get(n)) for n, draft in enumerate(drafts)]


def _identified(
    draft: PlaceDraft, gazetteer: Gazetteer, claimed: set[str], next_number: Callable[[], int]
) -> Place | None:
    place = draft.place
    if place is None:
        return None
    parent = _parent(draft, place, gazetteer)
    if parent is None and place.level in {Level.VILLAGE, Level.HAMLET}:
        word = draft.parent_code or " ".join(draft.parent_words).strip() or place.code
        draft.findings.append(
            Finding(draft.row, "parent_unknown", value=word, rejects=True, params={"name": place.name})
        )
        return None
    parent_id = parent.place_id if parent else None
    before = _known(place, parent_id, gazetteer, claimed)
    if before is None:
        return replace(place, place_id=f"{place.level[0]}{next_number()}", parent_id=parent_id)
    return _merged(before, replace(place, place_id=before.place_id, parent_id=parent_id))


def _parent(draft: PlaceDraft, place: Place, gazetteer: Gazetteer) -> Place | None:
    if place.level is Level.COUNTY:
        return None
    length = _PARENT_LENGTH[place.level]
    for code in (draft.parent_code, place.code[:length] if len(place.code) > length else ""):
        parent = gazetteer.by_code(code) if code else None
        if parent is not None:
            return parent
    town_word, village_word = draft.parent_words
    towns = gazetteer.candidates(town_word, Level.TOWN) if town_word else []
    if place.level is not Level.HAMLET:
        return towns[0] if len(towns) == 1 else None
    villages = gazetteer.candidates(village_word, Level.VILLAGE, towns[0] if len(towns) == 1 else None)
    return villages[0] if len(villages) == 1 else None


def _known(place: Place, parent_id: str | None, gazetteer: Gazetteer, claimed: set[str]) -> Place | None:
    for code in (place.code, *place.former_codes):
        known = gazetteer.by_code(code) if code else None
        if (
            known is not None
            and known.level is place.level
            and (code == place.code or known.code not in claimed - {place.code})
        ):
            return known
    namesakes = [
        known
        for known in gazetteer.candidates(place.name, place.level)
        if known.name == place.name and known.parent_id == parent_id and known.code not in claimed
    ]
    return namesakes[0] if len(namesakes) == 1 else None


def _merged(before: Place, now: Place) -> Place:
    """What a file says anew laid over what was known; what it doesn't say stays."""
    former = (*before.former_codes, *now.former_codes, *([before.code] if before.code != now.code else []))
    keeps_area = now.geometry is None or (_is_point(now) and not _is_point(before) and not before.approximate)
    return replace(
        now,
        code=now.code or before.code,
        former_codes=tuple(code for code in dict.fromkeys(former) if code and code != now.code),
        aliases=tuple(dict.fromkeys((*before.aliases, *now.aliases))),
        households=before.households if now.households is None else now.households,
        geometry=before.geometry if keeps_area else now.geometry,
        approximate=before.approximate if keeps_area else False,
        seat=now.seat or before.seat,
        valid_from=now.valid_from or before.valid_from,
        valid_to=now.valid_to or before.valid_to,
    )


def _is_point(place: Place) -> bool:
    return place.geometry is not None and int.from_bytes(place.geometry[1:5], "little") == 1
