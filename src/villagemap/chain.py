"""The chain of events: what an event's body is, how it is linked, and how a row follows from its events.

Pure: no store. A body is sorted-key UTF-8 JSON without floats; its hash covers the hash before it and the very
text, so that a changed, added or removed event shows. Personal values never enter a body: it holds
SHA-256(salt + value), so that erasing the value and its salt leaves the chain valid.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

import orjson

from villagemap.model import Issue, Place, Privacy, Sighting

BODY_VERSION = 1
PERSONAL = frozenset({"responsible", "phone"})
"""Issue fields that are always personal."""
PERSONAL_AT_HOME = frozenset({"geometry", "location_text", "description"})
"""Issue fields that are personal too where the case is about a household (restricted)."""
PERSONAL_SIGHTING = ("found_by",)
PERSONAL_SIGHTING_AT_HOME = ("found_by", "given_x", "given_y")

Fields = dict[str, Any]


class PersonalValue(NamedTuple):
    """A personal value and the salt that its hash in the chain was made with."""

    hash: str
    field: str
    salt: str
    value: str


@cache
def genesis(county: str) -> str:
    """The hash before a county's first event."""
    return hashlib.sha256(f"villagemap/{BODY_VERSION}/{county}".encode()).hexdigest()


def link(previous: str, body: str) -> str:
    """The hash of ``body`` in a chain whose last hash is ``previous`` (hex SHA-256)."""
    return hashlib.sha256((previous + body).encode()).hexdigest()


def body_text(body: Mapping[str, Any]) -> str:
    """The canonical text of an event's body: sorted keys, no spaces, UTF-8."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()


@lru_cache(64)
def instant_text(at: datetime) -> str:
    """An instant as it stands in a body: UTC, microseconds, Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def number_text(value: float) -> str:
    """A quantity without a float's look: 12, 100.5."""
    return str(int(value)) if value == int(value) else repr(float(value))


def _day(value: date | None) -> str:
    return value.isoformat() if value else ""


def sighting_fields(sighting: Sighting) -> Fields:
    """A sighting as JSON values, without what is blank."""
    fields = {
        "id": sighting.id,
        "source": sighting.source,
        "list_name": sighting.list_name,
        "list_number": sighting.list_number,
        "found_on": _day(sighting.found_on),
        "found_by": sighting.found_by,
        "given_x": sighting.given_x,
        "given_y": sighting.given_y,
        "datum": sighting.datum,
        "accuracy_m": "" if sighting.accuracy_m is None else number_text(sighting.accuracy_m),
        "row_key": sighting.row_key,
    }
    return {name: value for name, value in fields.items() if value}


def issue_fields(issue: Issue) -> Fields:
    """All that events tell of an issue, as JSON values without floats; blank values are left out."""
    fields: Fields = {
        "category": issue.category,
        "status": issue.status.value,
        "source": issue.source,
        "number": issue.number,
        "subdefects": list(issue.subdefects),
        "severity": issue.severity,
        "quantity_found": number_text(issue.quantity_found),
        "quantity_done": number_text(issue.quantity_done),
        "unit": issue.unit,
        "place_id": issue.place_id,
        "village_id": issue.village_id,
        "town_id": issue.town_id,
        "place_code_given": issue.place_code_given,
        "located": issue.located.value,
        "geometry": issue.geometry,
        "location_text": issue.location_text,
        "description": issue.description,
        "found_on": _day(issue.found_on),
        "lead_unit": issue.lead_unit,
        "help_units": list(issue.help_units),
        "responsible": issue.responsible,
        "phone": issue.phone,
        "due_on": _day(issue.due_on),
        "hard_due_on": _day(issue.hard_due_on),
        "claimed_closed_on": _day(issue.claimed_closed_on),
        "closed_on": _day(issue.closed_on),
        "deferred_until": _day(issue.deferred_until),
        "interim_on": _day(issue.interim_on),
        "privacy": issue.privacy.value,
        "relapse_of": issue.relapse_of,
        "duplicate_of": issue.duplicate_of,
        "facility": issue.facility,
        "checked": list(issue.checked),
    }
    if issue.sightings:
        fields["sightings"] = [sighting_fields(sighting) for sighting in issue.sightings]
    return {name: value for name, value in fields.items() if value}


def place_fields(place: Place) -> Fields:
    """All that events tell of a place; its outline by hash, because outlines are long and public."""
    fields: Fields = {
        "level": place.level.value,
        "code": place.code,
        "name": place.name,
        "short_name": place.short_name,
        "parent_id": place.parent_id,
        "aliases": list(place.aliases),
        "former_codes": list(place.former_codes),
        "households": place.households,
        "geometry_sha256": hashlib.sha256(place.geometry).hexdigest() if place.geometry else "",
        "seat": [f"{axis:.7f}" for axis in place.seat] if place.seat else [],
        "approximate": place.approximate,
        "valid_from": _day(place.valid_from),
        "valid_to": _day(place.valid_to),
    }
    return {name: value for name, value in fields.items() if value not in ("", None, [], False)}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Fields:
    """What changed: new values, and None for what went blank."""
    changed: Fields = {name: value for name, value in after.items() if before.get(name) != value}
    changed.update({name: None for name in before if name not in after})
    return changed


def fold(state: Fields, changed: Mapping[str, Any]) -> None:
    """Lay one event's changes over ``state`` (the inverse of `difference`)."""
    for name, value in changed.items():
        if value is None:
            state.pop(name, None)
        else:
            state[name] = value


def conceal(changed: Fields, privacy: Privacy) -> tuple[Fields, list[PersonalValue]]:
    """Take the personal values out of ``changed``, leaving {"sha256": …} in their place."""
    at_home = privacy is Privacy.RESTRICTED
    personal = PERSONAL | PERSONAL_AT_HOME if at_home else PERSONAL
    kept: list[PersonalValue] = []
    shown = dict(changed)
    for name in personal & shown.keys():
        if shown[name]:
            shown[name] = _concealed(name, shown[name], kept)
    if shown.get("sightings"):
        hidden = PERSONAL_SIGHTING_AT_HOME if at_home else PERSONAL_SIGHTING
        shown["sightings"] = [_concealed_sighting(sighting, hidden, kept) for sighting in shown["sightings"]]
    return shown, kept


def _concealed_sighting(sighting: Fields, hidden: Iterable[str], kept: list[PersonalValue]) -> Fields:
    shown = dict(sighting)
    for name in hidden:
        if shown.get(name):
            shown[name] = _concealed(f"sighting.{name}", shown[name], kept)
    return shown


def _concealed(field: str, value: str, kept: list[PersonalValue]) -> dict[str, str]:
    salt = secrets.token_hex(16)
    digest = hashlib.sha256((salt + value).encode()).hexdigest()
    kept.append(PersonalValue(digest, field, salt, value))
    return {"sha256": digest}


def reveal(state: Fields, values: Mapping[str, tuple[str, str]]) -> tuple[Fields, set[str]]:
    """Put personal values back into a folded state.

    Parameters
    ----------
    state
        The sum of an issue's events.
    values
        Hash to (salt, value) for those that weren't erased.

    Returns
    -------
    tuple
        The state as `issue_fields` would give it, and the names of the fields whose value was erased (or doesn't
        match its hash any more, which is the same to a reader: what stands there was never signed).
    """
    shown: Fields = {}
    erased: set[str] = set()
    for name, value in state.items():
        if name == "sightings":
            shown[name] = [_revealed_sighting(sighting, values, erased) for sighting in value]
        elif isinstance(value, dict):
            _reveal_one(shown, name, value["sha256"], values, erased)
        else:
            shown[name] = value
    return shown, erased


def _revealed_sighting(sighting: Fields, values: Mapping[str, tuple[str, str]], erased: set[str]) -> Fields:
    shown: Fields = {}
    for name, value in sighting.items():
        if isinstance(value, dict):
            _reveal_one(shown, name, value["sha256"], values, erased)
        else:
            shown[name] = value
    return shown


def _reveal_one(shown: Fields, name: str, digest: str, values: Mapping[str, tuple[str, str]], erased: set[str]) -> None:
    salt, value = values.get(digest, ("", ""))
    if salt and hashlib.sha256((salt + value).encode()).hexdigest() == digest:
        shown[name] = value
    else:
        erased.add(name)
