"""Looking at sweeps: what they are, what became of each place, who is missed; cut to what the actor may see."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

import orjson
import shapely

from villagemap.auth import OUTSIDE_GROUPS, Policy, Scope, allows
from villagemap.chain import instant_text
from villagemap.errors import AmbiguousError, NotFoundError
from villagemap.exports import without_phones
from villagemap.flows.narrowing import sees_no_text
from villagemap.flows.registry import Session, flow
from villagemap.model import Level, Place, Record
from villagemap.places import Gazetteer, plain_name
from villagemap.reach import Fault, ListedPlace, Proof, ProofKind
from villagemap.settings import TIME_ZONE
from villagemap.sweeps import BEST_FIRST, Coverage, Outcome, Visit, outcomes
from villagemap.sweeps import coverage as coverage_by_town


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A campaign: its frozen list, what it looks for ("" for everything), and the finding that it started from.

    ``villages`` says in which village each listed place lies. ``towns`` are those it was begun for, () for the county.
    """

    id: str
    name: str
    category: str
    from_issue: str
    begins_on: date
    begun_by: str
    begun_at: datetime
    towns: tuple[str, ...]
    listed: tuple[ListedPlace, ...]
    villages: Mapping[str, str]
    digest: str
    closed_at: datetime | None = None
    closed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitLine:
    """A visit as recorded: when the visitor says it was, who recorded it, and what proves it."""

    id: str
    sweep: str
    place_id: str
    outcome: Outcome
    at: datetime
    by: str
    proofs: tuple[Proof, ...] = ()
    reason: str = ""
    note: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceLine:
    """A listed place, what became of it, and all its visits."""

    place: ListedPlace
    outcome: Outcome
    visits: tuple[VisitLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepState:
    """A sweep as it stands: by town and place by place, as far as the actor may see."""

    sweep: Sweep
    towns: tuple[Coverage, ...]
    places: tuple[PlaceLine, ...]

    @property
    def missed(self) -> tuple[PlaceLine, ...]:
        """The places that stand in the way of closing."""
        return tuple(line for line in self.places if line.outcome not in BEST_FIRST)


@flow("sweeps.list", Policy.READ)
def list_sweeps(session: Session) -> list[SweepState]:
    """All sweeps of which the actor may see a place, the latest first."""
    states = [_state(session, sweep_of(record)) for record in session.workspace.store.records("sweep")]
    return [state for state in reversed(states) if state.places]


@flow("sweeps.coverage", Policy.READ)
def coverage(session: Session, word: str) -> SweepState:
    """How far a sweep is: each town's coverage, and each place with its outcome and visits.

    Raises
    ------
    NotFoundError
        ``unknown_sweep``, also where the actor may see none of its places.
    """
    state = _state(session, find_sweep(session, word))
    if not state.places:
        raise NotFoundError("unknown_sweep", word=word[:100])
    return state


@flow("sweeps.missed", Policy.READ)
def missed(session: Session, word: str) -> tuple[PlaceLine, ...]:
    """The places of a sweep that nobody has visited with proof or said to be unreachable, in the list's order."""
    return coverage(session, word).missed


@flow("sweeps.map", Policy.READ)
def coverage_map(session: Session, word: str) -> dict[str, Any]:
    """A sweep as a GeoJSON feature collection: each listed place with its outcome; null geometry where it has none."""
    by_id = session.workspace.gazetteer().by_id
    features = []
    for line in coverage(session, word).places:
        known = by_id.get(line.place.place_id)
        shape = shapely.from_wkb(known.geometry) if known and known.geometry else None
        if shape is None and known and known.seat:
            shape = shapely.Point(known.seat)
        properties = {
            **place_fields(line.place),
            "code": known.code if known else "",
            "outcome": line.outcome.value,
            "unproven": line.outcome not in BEST_FIRST and bool(line.visits),
            "approximate": bool(known and known.approximate),
        }
        geometry = orjson.loads(shapely.to_geojson(shape)) if shape is not None else None
        features.append({"type": "Feature", "id": line.place.place_id, "geometry": geometry, "properties": properties})
    return {"type": "FeatureCollection", "features": features, "numberReturned": len(features)}


def find_sweep(session: Session, word: str) -> Sweep:
    """A sweep by its id or name.

    Raises
    ------
    NotFoundError
        ``unknown_sweep``
    """
    store = session.workspace.store
    record = store.record(f"sweep/{word}")
    if record is None:
        named = (one for one in store.records("sweep") if str(one.fields["name"]) == word.strip())
        record = next(named, None)
    if record is None:
        raise NotFoundError("unknown_sweep", word=word[:100])
    return sweep_of(record)


def find_listed(session: Session, sweep: Sweep, word: str) -> ListedPlace:
    """A listed place by id, code or name; a name that repeats stands behind its town, like TOWN/VILLAGE.

    Raises
    ------
    NotFoundError
        ``place_not_listed``
    AmbiguousError
        ``ambiguous_place``
    """
    gazetteer = session.workspace.gazetteer()
    coded = gazetteer.by_code(word)
    ids = {word, coded.place_id if coded else word}
    town, _, name = word.rpartition("/")
    found = [place for place in sweep.listed if place.place_id in ids] or [
        place
        for place in sweep.listed
        if plain_name(name) in {plain_name(one) for one in (place.name, *place.other_names)}
        and (not town or plain_name(place.town).startswith(plain_name(town)))
    ]
    if not found:
        raise NotFoundError("place_not_listed", word=word[:100], sweep=sweep.name)
    if len(found) > 1:
        listed = [f"{place.town}/{place.name}" for place in found]
        raise AmbiguousError("ambiguous_place", word=word[:100], candidates=listed, listed="; ".join(listed))
    return found[0]


def listed_places(session: Session, levels: Collection[Level]) -> list[tuple[ListedPlace, str]]:
    """The places of some levels that stand today, in the order of towns, villages and codes, each with its village."""
    gazetteer, day = session.workspace.gazetteer(), session.workspace.settings.day()
    found = [p for p in gazetteer.places if p.level in levels and (p.valid_to is None or p.valid_to >= day)]
    entries = sorted((_entry(gazetteer, place) for place in found), key=lambda entry: entry[0])
    return [(place, village) for _, place, village in entries]


def _entry(gazetteer: Gazetteer, place: Place) -> tuple[tuple[str, ...], ListedPlace, str]:
    """What a place is sorted by, how it stands in the list, and its village."""
    town, village = gazetteer.town_of(place), gazetteer.village_of(place)
    listed = ListedPlace(
        place_id=place.place_id,
        name=place.name,
        level=place.level,
        town_id=town.place_id if town else "",
        town=town.name if town else "",
        other_names=tuple(dict.fromkeys(one for one in (place.short_name, *place.aliases) if one)),
    )
    order = (town.code if town else "", village.code if village else "", place.code, place.name)
    return order, listed, village.place_id if village else ""


def scope_in(session: Session, sweep: Sweep, place: ListedPlace) -> Scope:
    """What the policy asks about a place of a sweep."""
    return scope_among(session, sweep.category, (place.place_id, sweep.villages.get(place.place_id, ""), place.town_id))


def scope_among(session: Session, category: str, places: Sequence[str]) -> Scope:
    """The scope of a place and those above it ("" for none), for a sweep after one category or all."""
    known = session.workspace.vocabulary.categories.get(category)
    return Scope(tuple(dict.fromkeys(one for one in places if one)), known.group if known else OUTSIDE_GROUPS)


def visits_of(session: Session, sweep: Sweep) -> list[VisitLine]:
    """All visits of a sweep, in the order in which they were recorded."""
    return [visit_line(record) for record in session.workspace.store.records("visit", sweep.id)]


def _state(session: Session, sweep: Sweep) -> SweepState:
    seen = [p for p in sweep.listed if allows(session.actor, Policy.READ, scope_in(session, sweep, p))]
    places_by_id = {place.place_id: place for place in seen}
    lines = [line for line in visits_of(session, sweep) if line.place_id in places_by_id]
    visits = [as_visit(line) for line in lines]
    became = outcomes(seen, visits, over=sweep.closed_at is not None)
    by_place: dict[str, list[VisitLine]] = defaultdict(list)
    for line in lines:
        by_place[line.place_id].append(_shown(session, sweep, places_by_id[line.place_id], line))
    places = [
        PlaceLine(place=place, outcome=became[place.place_id], visits=tuple(by_place[place.place_id])) for place in seen
    ]
    return SweepState(sweep=sweep, towns=coverage_by_town(seen, visits), places=tuple(places))


def _shown(session: Session, sweep: Sweep, place: ListedPlace, line: VisitLine) -> VisitLine:
    """A visit as this actor may read it: whoever may not see persons gets no telephone number of one."""
    if sees_no_text(session):
        return replace(line, by="", reason="", note="")
    if allows(session.actor, Policy.READ_ALL, scope_in(session, sweep, place)):
        return line
    return replace(line, reason=without_phones(line.reason), note=without_phones(line.note))


def as_visit(line: VisitLine) -> Visit:
    """A visit as the rules see it."""
    return Visit(
        place_id=line.place_id,
        outcome=line.outcome,
        on=line.at.astimezone(TIME_ZONE).date(),
        proofs=line.proofs,
        reason=line.reason,
    )


# Records ↔ values


def sweep_of(record: Record) -> Sweep:
    """The sweep that a record holds."""
    fields = record.fields
    closed = fields.get("closed_at")
    return Sweep(
        id=record.subject.removeprefix("sweep/"),
        name=fields["name"],
        category=fields.get("category", ""),
        from_issue=fields.get("from_issue", ""),
        begins_on=date.fromisoformat(fields["begins_on"]),
        begun_by=fields["begun_by"],
        begun_at=datetime.fromisoformat(fields["begun_at"]),
        towns=tuple(fields["towns"]),
        listed=tuple(_listed(entry) for entry in fields["listed"]),
        villages={entry["place_id"]: entry["village_id"] for entry in fields["listed"]},
        digest=fields["digest"],
        closed_at=datetime.fromisoformat(closed) if closed else None,
        closed_by=fields.get("closed_by", ""),
    )


def place_fields(place: ListedPlace) -> dict[str, Any]:
    """A listed place for a record or an answer, without its ground."""
    return {
        "place_id": place.place_id,
        "name": place.name,
        "level": place.level.value,
        "town_id": place.town_id,
        "town": place.town,
    }


def _listed(entry: Mapping[str, Any]) -> ListedPlace:
    return ListedPlace(
        place_id=entry["place_id"],
        name=entry["name"],
        level=Level(entry["level"]),
        town_id=entry["town_id"],
        town=entry["town"],
        other_names=tuple(entry["other_names"]),
    )


def visit_line(record: Record) -> VisitLine:
    """The visit that a record holds."""
    fields = record.fields
    return VisitLine(
        id=record.subject.removeprefix("visit/"),
        sweep=record.parent,
        place_id=fields["place"],
        outcome=Outcome(fields["outcome"]),
        at=datetime.fromisoformat(fields["at"]),
        by=fields["by"],
        proofs=tuple(_proof(entry) for entry in fields.get("proofs", ())),
        reason=fields.get("reason", ""),
        note=fields.get("note", ""),
        source=fields.get("source", ""),
    )


def visit_fields(line: VisitLine) -> dict[str, Any]:
    """A visit as its record holds it; what is blank is left out."""
    fields = {
        "place": line.place_id,
        "outcome": line.outcome.value,
        "at": instant_text(line.at),
        "by": line.by,
        "proofs": [_proof_fields(proof) for proof in line.proofs],
        "reason": line.reason,
        "note": line.note,
        "source": line.source,
    }
    return {name: value for name, value in fields.items() if value}


def _proof_fields(proof: Proof) -> dict[str, Any]:
    """Whole metres and seconds: whether it holds was decided before, and stands in ``fault``."""
    fields = asdict(proof) | {"kind": proof.kind.value, "fault": proof.fault.value if proof.fault else None}
    said = {name: value for name, value in fields.items() if value is not None and value is not False and value != ""}
    return {name: round(value) if isinstance(value, float) else value for name, value in said.items()}


def _proof(fields: Mapping[str, Any]) -> Proof:
    fault = Fault(fields["fault"]) if "fault" in fields else None
    return Proof(**{**fields, "kind": ProofKind(fields["kind"]), "fault": fault})


def told_places(lines: Sequence[PlaceLine]) -> list[dict[str, Any]]:
    """Places for a machine: ids, names, outcome, visits with their proofs."""
    return [
        {
            **place_fields(line.place),
            "outcome": line.outcome.value,
            "visits": [{"id": visit.id, **visit_fields(visit)} for visit in line.visits],
        }
        for line in lines
    ]


def told_sweep(state: SweepState) -> dict[str, Any]:
    """A sweep for a machine: its head and its towns' figures."""
    sweep = state.sweep
    return {
        "id": sweep.id,
        "name": sweep.name,
        "category": sweep.category,
        "from_issue": sweep.from_issue,
        "begins_on": sweep.begins_on.isoformat(),
        "begun_by": sweep.begun_by,
        "digest": sweep.digest,
        "closed_at": instant_text(sweep.closed_at) if sweep.closed_at else None,
        "listed": len(state.places),
        "visited": sum(town.visited for town in state.towns),
        "unreachable": sum(town.unreachable for town in state.towns),
        "missed": sum(town.missed for town in state.towns),
        "towns": [{**asdict(town), "visited": town.visited} for town in state.towns],
    }
