"""Draws as values: what a record holds, what came of the re-checks, and what of it an actor may see.

Until it is opened, a draw is there for nobody who may not plan; afterwards everybody sees what lies in their part of
the county.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import orjson

from villagemap.auth import Policy
from villagemap.chain import Fields
from villagemap.draws import Candidate, Duty, Inspector, Kind, Rate, failure_rates, read_list
from villagemap.errors import NotFoundError
from villagemap.flows.narrowing import may_on, reach_of
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.draw_facts import Rules
from villagemap.model import Record

HIDDEN_UNTIL = "opened_at"
"""The field without which a draw or plan is there for those alone who may plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A draw as recorded: frozen with the register's state, then drawn by a number; blank where it isn't yet so.

    ``listed`` is the candidates' `draws.list_text`, ``result`` the `draws.result_text`; instants are texts in UTC.
    """

    id: str
    name: str
    rules: Rules
    seq: int
    head: str
    listed: str
    listed_sha256: str
    register: str
    inspectors: tuple[Inspector, ...]
    frozen_at: str
    frozen_by: str
    number: str = ""
    seed: str = ""
    duties: Mapping[str, Duty]
    result: str = ""
    result_sha256: str = ""
    drawn_at: str = ""
    drawn_by: str = ""
    opened_at: str = ""
    seal: str = ""

    def candidates(self) -> list[Candidate]:
        """What could be drawn."""
        return read_list(self.listed)

    @property
    def size(self) -> int:
        """How many candidates there are."""
        return self.listed.count("\n")

    def told(self) -> dict[str, Any]:
        """The result as JSON values; {} before the number was spoken."""
        said: dict[str, Any] = orjson.loads(self.result) if self.result else {}
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What came of looking at a drawn thing; ``by`` is the inspector, ``recorded_by`` who wrote it down."""

    passed: bool
    at: str
    on: str
    by: str
    recorded_by: str
    note: str = ""
    reopened: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLine:
    """A drawn thing as people read it, with its stratum by field, its inspectors, and what came of it."""

    id: str
    name: str
    town: str
    stratum: Mapping[str, str]
    inspectors: tuple[str, ...]
    excluded: Mapping[str, tuple[str, ...]]
    looked: Looked | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumLine:
    """A stratum by field: each in it has the chance ``quota`` in ``size``; its failure rate once anything was seen."""

    stratum: Mapping[str, str]
    size: int
    quota: int
    rate: Rate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawState:
    """A draw as far as an actor may see it; ``overall`` is None where part of it is hidden or nothing was seen yet."""

    draw: Draw
    strata: tuple[StratumLine, ...]
    drawn: tuple[DrawnLine, ...]
    overall: Rate | None
    whole: bool
    """Whether the actor may have all that the draw is made again from."""


@flow("draw.list", Policy.READ)
def list_draws(session: Session) -> list[Draw]:
    """All draws that the actor may know of, the latest first."""
    found = [draw_of(record) for record in session.workspace.store.records("draw") if is_shown(session, record)]
    return found[::-1]


@flow("draw.show", Policy.READ)
def show_draw(session: Session, word: str) -> DrawState:
    """A draw by id or name: strata with their chances, what was drawn, who goes, who couldn't and why, what came of it.

    Raises
    ------
    NotFoundError
        ``unknown_draw``, also before it is opened for whoever may not plan.
    """
    return _state(session, draw_of(find_draw(session, word)))


def is_shown(session: Session, record: Record) -> bool:
    """Whether this actor may know of a draw, plan or seal at all."""
    return bool(record.fields.get(HIDDEN_UNTIL)) or Policy.PLAN in session.actor.may


def find_draw(session: Session, word: str) -> Record:
    """A draw's record by id or name, the latest of that name; raises as `show_draw` does."""
    store, word = session.workspace.store, word.strip()
    record = store.record(f"draw/{word}")
    if record is None:
        named = (one for one in reversed(store.records("draw")) if one.fields["name"] == word)
        record = next(named, None)
    if record is None or not is_shown(session, record):
        raise NotFoundError("unknown_draw", word=word[:100])
    return record


def looked_at(session: Session, draw_id: str) -> dict[str, Looked]:
    """What came of looking at the things of a draw, by their ids."""
    found = {}
    for record in session.workspace.store.records("recheck", draw_id):
        told = record.fields
        found[told["target"]] = Looked(
            passed=told["passed"],
            at=told["at"],
            on=told["on"],
            by=told["by"],
            recorded_by=told["recorded_by"],
            note=told.get("note", ""),
            reopened=told.get("reopened", False),
        )
    return found


def _state(session: Session, draw: Draw) -> DrawState:
    """All of a draw for who may plan, and what lies in their part of the county for others."""
    told, looks = draw.told(), looked_at(session, draw.id)
    whole = Policy.PLAN in session.actor.may
    drawn = told.get("drawn", [])
    lines = [_line(session, draw, one, told["level"], looks.get(one["id"])) for one in drawn]
    seen = [(tuple(one["stratum"]), looks[one["id"]].passed) for one in drawn if one["id"] in looks]
    checked, failed = Counter(key for key, _ in seen), Counter(key for key, passed in seen if not passed)
    sizes = {tuple(s["stratum"]): (s["size"], s["quota"]) for s in told.get("strata", ())}
    rates, overall = failure_rates({key: (size, checked[key], failed[key]) for key, (size, _) in sizes.items()})
    towns = None if whole else _towns_seen(session)
    strata = [
        StratumLine(stratum=stratum, size=size, quota=quota, rate=rates.get(key))
        for key, (size, quota) in sizes.items()
        for stratum in (dict(zip(told["level"], key, strict=True)),)
        if towns is None or stratum.get("town") in towns
    ]
    return DrawState(
        draw=draw,
        strata=tuple(strata),
        drawn=tuple(line for line in lines if _is_seen(session, draw, line)),
        overall=overall if len(strata) == len(sizes) else None,
        whole=whole and (not draw.rules.households or reach_of(session) is None),
    )


def told_draw(state: DrawState) -> dict[str, Any]:
    """A draw for a machine; ``proof`` is all that it is made again from."""
    draw = state.draw
    proof = {
        "seq": draw.seq,
        "head": draw.head,
        "list": draw.listed,
        "list_sha256": draw.listed_sha256,
        "register": draw.register,
        "number": draw.number,
        "seed": draw.seed,
        "inspectors": [{"id": one.id, "units": sorted(one.units)} for one in draw.inspectors],
        "duties": duties_fields(draw.duties),
        "result": draw.result,
        "result_sha256": draw.result_sha256,
    }
    return {
        **told_head(draw),
        "strata": [{**asdict(line), "stratum": dict(line.stratum)} for line in state.strata],
        "drawn": [{**asdict(line), "stratum": dict(line.stratum)} for line in state.drawn],
        "overall": asdict(state.overall) if state.overall else None,
        "proof": proof if state.whole else None,
    }


def told_head(draw: Draw) -> dict[str, Any]:
    """What a list says of a draw."""
    said = ("id", "name", "register", "number", "seed", "result_sha256", "frozen_at", "frozen_by", "drawn_at")
    rules = rules_fields(draw.rules)
    return {name: getattr(draw, name) for name in said} | {
        "opened_at": draw.opened_at,
        "seal": draw.seal,
        "rules": rules,
        "candidates": draw.size,
    }


def _line(
    session: Session, draw: Draw, told: Mapping[str, Any], level: Sequence[str], looked: Looked | None
) -> DrawnLine:
    workspace = session.workspace
    by_id = workspace.gazetteer().by_id
    if draw.rules.kind is Kind.CASES:
        issue = workspace.store.issue(told["id"])
        name, town = (issue.number or issue.id, by_id.get(issue.town_id or "")) if issue else (told["id"], None)
    else:
        place = by_id.get(told["id"])
        name, town = (place.name, workspace.gazetteer().town_of(place)) if place else (told["id"], None)
    return DrawnLine(
        id=told["id"],
        name=name,
        town=town.name if town else "",
        stratum=dict(zip(level, told["stratum"], strict=True)),
        inspectors=tuple(told["inspectors"]),
        excluded={who: tuple(why) for who, why in told["excluded"].items()},
        looked=looked,
    )


def _towns_seen(session: Session) -> set[str] | None:
    """The towns that an actor may look at as a whole; None for all."""
    parts = reach_of(session)
    if parts is None:
        return None
    free = [part for part in parts if not part.groups and not part.issues]
    return None if any(not part.places for part in free) else {place for part in free for place in part.places}


def _is_seen(session: Session, draw: Draw, line: DrawnLine) -> bool:
    if draw.rules.kind is Kind.CASES:
        issue = session.workspace.store.issue(line.id)
        return issue is not None and may_on(session, Policy.READ, issue)
    towns, place = _towns_seen(session), session.workspace.gazetteer().by_id.get(line.id)
    return towns is None or (place is not None and not {place.place_id, place.parent_id}.isdisjoint(towns))


# Records ↔ values


def draw_of(record: Record) -> Draw:
    """The draw that a record holds."""
    told = record.fields
    said = {name: told.get(name, "") for name in _LATER}
    return Draw(
        id=record.subject.removeprefix("draw/"),
        name=told["name"],
        rules=_rules(told),
        seq=told["seq"],
        head=told["head"],
        listed=told["listed"],
        listed_sha256=told["listed_sha256"],
        register=told["register"],
        inspectors=tuple(Inspector(id=one["id"], units=frozenset(one["units"])) for one in told["inspectors"]),
        frozen_at=told["frozen_at"],
        frozen_by=told["frozen_by"],
        duties={
            target: Duty(charged=frozenset(duty["charged"]), fixers=frozenset(duty["fixers"]))
            for target, duty in told.get("duties", {}).items()
        },
        **said,
    )


_LATER = ("number", "seed", "result", "result_sha256", "drawn_at", "drawn_by", "opened_at", "seal")


def rules_fields(rules: Rules) -> Fields:
    """Rules as a record holds them."""
    return {
        "kind": rules.kind.value,
        "size": rules.size,
        "each": rules.each,
        "day": rules.day.isoformat(),
        "towns": list(rules.towns),
        "categories": list(rules.categories),
        "since": rules.since.isoformat() if rules.since else "",
        "households": rules.households,
    }


def _rules(told: Mapping[str, Any]) -> Rules:
    said = told["rules"]
    return Rules(
        kind=Kind(said["kind"]),
        size=said["size"],
        each=said["each"],
        day=date.fromisoformat(said["day"]),
        towns=tuple(said["towns"]),
        categories=tuple(said["categories"]),
        since=date.fromisoformat(said["since"]) if said["since"] else None,
        households=said["households"],
    )


def duties_fields(duties: Mapping[str, Duty]) -> Fields:
    """Duties as a record holds them."""
    return {target: {"charged": sorted(duty.charged), "fixers": sorted(duty.fixers)} for target, duty in duties.items()}
