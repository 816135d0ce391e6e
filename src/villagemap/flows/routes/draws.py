"""Flows of a draw (双随机): freeze the register, draw by a spoken number, check, open, record what was found.

The list is frozen, as an event, before the number is spoken, so that nobody can choose the list to fit the number; and
every draw is an event, so that a second one shows. All steps but looking need the policy ``plan``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import orjson
from uuid_utils import uuid7

from villagemap.auth import Policy
from villagemap.chain import instant_text
from villagemap.draws import (
    Duty,
    Inspector,
    Kind,
    assign,
    conflicts,
    draw,
    list_text,
    register_hash,
    result_text,
    seed_of,
    sha256,
    spoken_number,
)
from villagemap.errors import AmbiguousError, BadInputError, ConflictError, ForbiddenError, NotFoundError, WrongUseError
from villagemap.flows.cases.actions import act_within
from villagemap.flows.cases.relapses import note_look
from villagemap.flows.narrowing import may_on, reach_of
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.draw_facts import Rules, candidates_at, duty_of, inspectors_of
from villagemap.flows.routes.draw_views import (
    Draw,
    Looked,
    draw_of,
    duties_fields,
    find_draw,
    looked_at,
    rules_fields,
)
from villagemap.model import Level, Record
from villagemap.settings import now
from villagemap.store import Head, Writer
from villagemap.workflow import ACTIONS, Given

MOST_SIZE = 2_000
MOST_EACH = 5
MOST_NAME = 60
NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be drawn, in people's words: towns and categories by code or name, inspectors as `inspectors_of`."""

    kind: Kind
    size: int
    each: int = 1
    towns: Sequence[str] = ()
    categories: Sequence[str] = ()
    since: date | None = None
    inspectors: Sequence[str] = ()
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that doesn't come out again: a code of ``draws.faults`` and its values."""

    code: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawCheck:
    """A draw made again: ``result_sha256`` is what came out, ``differences`` is empty where it is the same bytes."""

    draw: str
    result_sha256: str
    differences: tuple[Difference, ...]


@flow("draw.freeze", Policy.PLAN)
def freeze_draw(session: Session, asked: Asked) -> Draw:
    """Freeze what will be drawn from: where the chain stands, the candidates, the rules, the inspectors.

    Its register's hash is what is read out before the number is spoken.

    Raises
    ------
    BadInputError
        ``draw_size``, ``draw_empty``, ``draw_name``, and as `inspectors_of` does
    WrongUseError
        ``unknown_categories``; for towns as `Gazetteer.find` does.
    """
    with session.workspace.store.writing() as writer:  # nobody else writes meanwhile, so the head is that of the list
        return draw_of(_frozen(session, writer, asked, session.workspace.store.head()))


@flow("draw.make", Policy.PLAN)
def make_draw(session: Session, what: Asked | str, number: str) -> Draw:
    """Draw by a spoken number: out of what was frozen (its id or name), or out of what is frozen here and now.

    Raises
    ------
    BadInputError
        ``draw_number``, and as `freeze_draw` does
    ConflictError
        ``draw_drawn``: the number of a draw is spoken once.
    NotFoundError
        ``unknown_draw``
    """
    plain = spoken_number(number)
    with session.workspace.store.writing() as writer:
        if isinstance(what, Asked):
            record = _frozen(session, writer, what, session.workspace.store.head())
        else:
            record = find_draw(session, what)
        frozen = draw_of(record)
        if frozen.number:
            raise ConflictError("draw_drawn", name=frozen.name, number=frozen.number)
        at = now()
        seed, duties, result = _drawn(session, frozen, plain)
        fields = {
            **record.fields,
            "number": plain,
            "seed": seed,
            "duties": duties_fields(duties),
            "result": result,
            "result_sha256": sha256(result),
            "drawn_at": instant_text(at),
            "drawn_by": session.actor.id,
        }
        drawn = replace(record, fields=fields)
        writer.put_record(drawn, kind="draw", actor=session.actor.id, at=at)
    return draw_of(drawn)


@flow("draw.check", Policy.READ)
def check_draw(session: Session, word: str) -> DrawCheck:
    """Make a draw again, from the chain to the last byte, and say what differs.

    Raises
    ------
    NotFoundError
        ``unknown_draw``
    ConflictError
        ``draw_not_drawn`` before the number was spoken.
    """
    record = find_draw(session, word)
    made = draw_of(record)
    _check_drawn(made)
    store = session.workspace.store
    signed = {one.subject: one.fields for one in store.records_at("draw", store.head().seq)}
    listed = list_text(candidates_at(session, made.rules, made.seq))
    register = register_hash(made.head, sha256(made.listed))
    again = _result(made, made.seed, made.duties)
    found = {
        "record": signed.get(record.subject) != record.fields,
        "chain": store.hash_of(made.seq) != made.head,
        "list_digest": sha256(made.listed) != made.listed_sha256,
        "register": register != made.register,
        "seed": seed_of(register, made.number) != made.seed,
        "candidates": listed != made.listed,
        "result": again != made.result,
        "digest": sha256(made.result) != made.result_sha256,
    }
    values = {"candidates": _moved(made.listed, listed), "result": _otherwise(made.result, again)}
    wrong = [Difference(code=code, params=values.get(code, {})) for code, differs in found.items() if differs]
    return DrawCheck(draw=made.id, result_sha256=sha256(again), differences=tuple(wrong))


@flow("draw.open", Policy.PLAN)
def open_draw(session: Session, word: str) -> Draw:
    """Let everybody see a draw that was never sealed; opening one that is open changes nothing.

    Raises
    ------
    ConflictError
        ``draw_sealed``: what was sealed is opened by its seal. ``draw_not_drawn``.
    """
    with session.workspace.store.writing() as writer:
        record = find_draw(session, word)
        made = draw_of(record)
        _check_drawn(made)
        if made.opened_at:
            return made
        if made.seal:
            raise ConflictError("draw_sealed", name=made.name, seal=made.seal)
        at = now()
        opened = replace(record, fields={**record.fields, "opened_at": instant_text(at)})
        writer.put_record(opened, kind="open", actor=session.actor.id, at=at)
    return draw_of(opened)


@flow("draw.result", Policy.PLAN)
def record_result(
    session: Session,
    word: str,
    target: str,
    *,
    passed: bool,
    by: str = "",
    note: str = "",
    reopen: bool = False,
    correct: bool = False,
) -> Looked:
    """Record what an inspector found at a drawn thing.

    A case found in order counts as looked at again (`relapses`). The very same result once more changes nothing.

    Parameters
    ----------
    target
        The case by number or id, the village by id, code or name.
    by
        The inspector; the actor if not given.
    note
        What was seen; the reason where the case is reopened.
    reopen
        Whether a case that failed goes back to work by the workflow's own step, in the same transaction.
    correct
        Whether this takes the place of what was recorded, which needs a note.

    Raises
    ------
    NotFoundError
        ``unknown_draw``, ``not_in_draw``
    ForbiddenError
        ``draw_conflict`` where the inspector has a hand in it by now; ``forbidden`` if the actor may not reopen.
    ConflictError
        ``draw_not_drawn``, ``draw_result_stands``
    WrongUseError
        ``draw_by_whom``, ``reason_needed``
    """
    store = session.workspace.store
    with store.writing() as writer:
        made = draw_of(find_draw(session, word))
        _check_drawn(made)
        drawn = _find_drawn(session, made, target)
        who = _by_whom(session, made, drawn, by)
        at, day = now(), session.workspace.settings.day()
        said = Looked(
            passed=passed, at=instant_text(at), on=day.isoformat(), by=who, recorded_by=session.actor.id,
            note=note.strip(), reopened=reopen and not passed and made.rules.kind is Kind.CASES,
        )  # fmt: skip
        stands = looked_at(session, made.id).get(drawn["id"])
        if stands is not None and _same(stands, said):
            return stands
        if stands is not None and not correct:
            raise ConflictError("draw_result_stands", name=target[:100], by=stands.by, day=stands.on)
        if (said.reopened or stands is not None) and not said.note:
            raise WrongUseError("reason_needed")
        _follow(session, writer, made.rules.kind, drawn["id"], said)
        _put_result(writer, made, drawn["id"], said, store.record(f"recheck/{made.id}/{drawn['id']}"))
    return said


# Freezing and drawing


def _frozen(session: Session, writer: Writer, asked: Asked, head: Head) -> Record:
    """Write what will be drawn from."""
    if not (1 <= asked.size <= MOST_SIZE and 1 <= asked.each <= MOST_EACH):
        raise BadInputError("draw_size", most=MOST_SIZE, each=MOST_EACH)
    at = now()
    name = asked.name.strip() or f"{asked.kind.value} {session.workspace.settings.day().isoformat()} {head.seq}"
    if len(name) > MOST_NAME or not name.isprintable():
        raise BadInputError("draw_name", most=MOST_NAME)
    rules, inspectors = _rules(session, asked), inspectors_of(session, asked.inspectors)
    candidates = candidates_at(session, rules, head.seq)
    if not candidates:
        raise BadInputError("draw_empty")
    listed = list_text(candidates)
    fields = {
        "name": name,
        "rules": rules_fields(rules),
        "seq": head.seq,
        "head": head.hash,
        "listed": listed,
        "listed_sha256": sha256(listed),
        "register": register_hash(head.hash, sha256(listed)),
        "inspectors": [{"id": one.id, "units": sorted(one.units)} for one in inspectors],
        "frozen_at": instant_text(at),
        "frozen_by": session.actor.id,
    }
    record = Record(subject=f"draw/{uuid7()}", type="draw", fields=fields)
    writer.put_record(record, kind="freeze", actor=session.actor.id, at=at)
    return replace(record, revision=1)


def _rules(session: Session, asked: Asked) -> Rules:
    workspace = session.workspace
    codes = []
    for word in asked.categories:
        code = workspace.vocabulary.code_of("categories", word)
        if code is None:
            raise WrongUseError("unknown_categories", word=word[:100], known=", ".join(workspace.vocabulary.categories))
        codes.append(code)
    towns = {workspace.gazetteer().find(town, Level.TOWN).place_id for town in asked.towns}
    return Rules(
        kind=asked.kind,
        size=asked.size,
        each=asked.each,
        day=workspace.settings.day(),
        towns=tuple(sorted(towns)),
        categories=tuple(sorted(set(codes))),
        since=asked.since,
        households=reach_of(session) is None,
    )


def _drawn(session: Session, frozen: Draw, number: str) -> tuple[str, dict[str, Duty], str]:
    """The seed, whose the drawn things are, and the result."""
    seed = seed_of(frozen.register, number)
    lot = draw(frozen.rules.kind, frozen.candidates(), frozen.rules.size, seed)
    duties = {pick.id: duty_of(session, frozen.rules.kind, pick.id) for pick in lot.picks}
    return seed, duties, _result(frozen, seed, duties)


def _result(made: Draw, seed: str, duties: Mapping[str, Duty]) -> str:
    rules = made.rules
    lot = draw(rules.kind, made.candidates(), rules.size, seed)
    sent = assign(lot.picks, made.inspectors, duties, rules.each, seed)
    return result_text(rules.kind, lot, sent)


def _check_drawn(made: Draw) -> None:
    if not made.number:
        raise ConflictError("draw_not_drawn", name=made.name)


def _moved(recorded: str, again: str) -> dict[str, Any]:
    """How many candidates the register has that the draw's list lacks, and the other way."""
    before, after = set(recorded.splitlines()), set(again.splitlines())
    return {"lacking": len(after - before), "strange": len(before - after)}


def _otherwise(recorded: str, again: str) -> dict[str, Any]:
    """How many of the drawn things differ, by what they are or who goes there."""
    made = orjson.loads(again)["drawn"]
    try:
        told = orjson.loads(recorded)["drawn"]
    except (ValueError, TypeError, KeyError):  # whoever changed it didn't care
        told = []
    return {"count": sum(one not in told for one in made), "drawn": len(made)}


# Results


def _find_drawn(session: Session, made: Draw, word: str) -> dict[str, Any]:
    """What was drawn under that word."""
    drawn = {one["id"]: one for one in made.told()["drawn"]}
    name = word.strip()
    if name not in drawn and made.rules.kind is Kind.CASES:
        issue = session.workspace.store.issue(name)
        name = issue.id if issue is not None and may_on(session, Policy.READ, issue) else ""
    elif name not in drawn:
        town, _, village = name.rpartition("/")
        gazetteer = session.workspace.gazetteer()
        inside = gazetteer.find(town, Level.TOWN) if town else None
        meant = [place for place in gazetteer.candidates(village, Level.VILLAGE, inside) if place.place_id in drawn]
        if len(meant) > 1:
            names = [gazetteer.full_name(place).replace(" ", "/") for place in meant]
            raise AmbiguousError("ambiguous_place", word=word[:100], candidates=names, listed="; ".join(names))
        name = meant[0].place_id if meant else ""
    if name not in drawn:
        raise NotFoundError("not_in_draw", word=word[:100], draw=made.name)
    found: dict[str, Any] = drawn[name]
    return found


def _by_whom(session: Session, made: Draw, drawn: dict[str, Any], by: str) -> str:
    """The inspector who looked: one of those sent; whoever has no conflict where nobody could be."""
    who = by.strip() or session.actor.id
    accounts = session.workspace.accounts
    if by.strip() and accounts.exist():
        who = accounts.user(by.strip()).id
    sent = drawn["inspectors"]
    if sent and who not in sent:
        raise WrongUseError("draw_by_whom", sent=", ".join(sent))
    units = accounts.units_of([who]) | session.actor.units if accounts.exist() else frozenset()
    known = next((one for one in made.inspectors if one.id == who), Inspector(id=who, units=units))
    alone = not accounts.exist() and who == session.actor.id
    if not alone and conflicts(known, duty_of(session, made.rules.kind, drawn["id"])):
        raise ForbiddenError("draw_conflict", who=who)
    return who


def _same(stands: Looked, said: Looked) -> bool:
    return replace(said, at=stands.at, on=stands.on, recorded_by=stands.recorded_by) == stands


def _follow(session: Session, writer: Writer, kind: Kind, target: str, said: Looked) -> None:
    """What a result means for its case."""
    if kind is not Kind.CASES:
        return
    if said.reopened:
        given = Given(on=date.fromisoformat(said.on), reason=said.note)
        act_within(session, writer, ACTIONS["reopen"], target, given)
    elif said.passed:
        day = date.fromisoformat(said.on)
        note_look(writer, session.workspace.store, target, day, session.actor.id, said.note)


def _put_result(writer: Writer, made: Draw, target: str, said: Looked, known: Record | None) -> None:
    fields = {
        "kind": made.rules.kind.value,
        "target": target,
        "passed": said.passed,
        "at": said.at,
        "on": said.on,
        "by": said.by,
        "recorded_by": said.recorded_by,
        "note": said.note,
        "reopened": said.reopened,
    }
    record = Record(
        subject=f"recheck/{made.id}/{target}",
        type="recheck",
        parent=made.id,
        fields=fields,
        revision=known.revision if known else 0,
    )
    kind = "correct" if known else "record"
    writer.put_record(record, kind=kind, actor=said.recorded_by, at=now(), note=said.note)
