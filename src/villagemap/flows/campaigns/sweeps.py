"""Flows of a sweep (大排查): begin it over a frozen list, record visits with their proof, close it, audit its list.

A visit is always recorded, proven or not: the one who stands there is told at once why it doesn't count. Of a position
only its distance from the place is kept, never where somebody stood.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import orjson
from uuid_utils import uuid7

from villagemap.auth import Policy, allows, permit
from villagemap.chain import instant_text
from villagemap.errors import BadInputError, ConflictError, NotFoundError, WrongUseError
from villagemap.flows.campaigns.sweep_views import (
    Sweep,
    VisitLine,
    as_visit,
    find_listed,
    find_sweep,
    listed_places,
    place_fields,
    scope_among,
    scope_in,
    sweep_of,
    visit_fields,
    visit_line,
    visits_of,
)
from villagemap.flows.cases.evidence import grade_of, photo_subject
from villagemap.flows.narrowing import seen_issue
from villagemap.flows.registry import Session, flow
from villagemap.model import Level, Record
from villagemap.reach import ListedPlace, Proof, Reaches, proof_by_check_in, proof_by_photo
from villagemap.settings import TIME_ZONE, now
from villagemap.store import Writer
from villagemap.sweeps import Outcome, check_close, list_digest

CLOCK_SKEW = timedelta(minutes=10)
"""How far ahead of ours a visitor's clock may be."""
MOST_METRES = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where somebody says to be, WGS 84 degrees; ``measured`` is False for a tap on the map."""

    lon: float
    lat: float
    accuracy_m: float | None = None
    measured: bool = True


@flow("sweeps.begin", Policy.SWEEP)
def begin_sweep(
    session: Session,
    name: str,
    *,
    towns: Sequence[str] = (),
    hamlets: bool = False,
    category: str = "",
    from_issue: str = "",
    begins_on: date | None = None,
    key: str = "",
) -> Sweep:
    """Begin a sweep and freeze its list.

    Parameters
    ----------
    towns
        Codes or names; without any, all of the county that the actor may sweep.
    hamlets
        Whether hamlets are listed beside their villages.
    category
        Code or label of the one kind to look for; "" for all, or for the kind of ``from_issue``.
    from_issue
        The finding that the sweep starts from (举一反三), by number or id.
    begins_on
        The first day on which a visit counts, today if not given.
    key
        Chosen by the client: a retry with the same key begins nothing and gets the same answer.

    Raises
    ------
    BadInputError
        ``sweep_nameless``, ``sweep_empty``
    ConflictError
        ``sweep_name_taken``, ``key_used``
    ForbiddenError
        If the actor may not sweep a place that was asked for.
    """
    finding = seen_issue(session, from_issue, "sweeps.begin") if from_issue else None
    kind = _category(session, category) or (finding.category if finding else "")
    title = " ".join(name.split())
    if not title:
        raise BadInputError("sweep_nameless")
    inside = [session.workspace.gazetteer().find(town, Level.TOWN).place_id for town in towns]

    def write(writer: Writer) -> Record:
        if any(record.fields["name"] == title for record in session.workspace.store.records("sweep")):
            raise ConflictError("sweep_name_taken", name=title)
        at = now()
        blank = Sweep(
            id=str(uuid7()),
            name=title,
            category=kind,
            from_issue=finding.id if finding else "",
            begins_on=begins_on or min(at.astimezone(TIME_ZONE).date(), session.workspace.settings.day()),
            begun_by=session.actor.id,
            begun_at=at,
            towns=tuple(inside),
            listed=(),
            villages={},
            digest="",
        )
        return _put_sweep(writer, _with_list(session, blank, hamlets=hamlets))

    return sweep_of(_once(session, "sweeps.begin", title, key, write))


@flow("sweeps.check_in", Policy.SWEEP)
def check_in(
    session: Session,
    sweep: str,
    place: str,
    position: Position,
    *,
    issues: bool = False,
    at: datetime | None = None,
    note: str = "",
    key: str = "",
) -> VisitLine:
    """Record a visit by being there; its proof says whether it counts, and why not.

    Parameters
    ----------
    issues
        Whether something was found.
    at
        When it was by the visitor's clock, now if not given.

    Raises
    ------
    NotFoundError, AmbiguousError
        ``unknown_sweep``, ``place_not_listed``, ``ambiguous_place``
    ConflictError
        ``sweep_closed``, ``key_used``
    BadInputError
        ``visit_too_early``, ``visit_in_future``
    """

    def proven(listed: ListedPlace) -> Proof:
        reaches = Reaches([on_ground(session, listed)])
        accuracy = None if position.accuracy_m is None else _bounded(position.accuracy_m)
        proof = proof_by_check_in(
            reaches, listed.place_id, position.lon, position.lat, accuracy, measured=position.measured
        )
        return proof if proof.distance_m is None else replace(proof, distance_m=_bounded(proof.distance_m))

    outcome = Outcome.VISITED_WITH_ISSUES if issues else Outcome.VISITED_CLEAN
    asked = _Asked(sweep, place, "sweeps.check_in", outcome, at, note=note)
    return _visit(session, asked, key, lambda listed: (proven(listed),))


@flow("sweeps.visit_by_photo", Policy.SWEEP)
def visit_by_photo(
    session: Session, sweep: str, place: str, issue_id: str, sha256: str, *, issues: bool = True, key: str = ""
) -> VisitLine:
    """Record a visit by a graded photo of an issue in the place, taken since the sweep began.

    Raises
    ------
    NotFoundError
        ``photo_missing``, or as for `check_in`.
    BadInputError
        ``photo_elsewhere``, ``photo_undated``, or as for `check_in`.
    """
    issue = seen_issue(session, issue_id, "sweeps.visit_by_photo")
    store = session.workspace.store
    record = store.record(photo_subject(issue.id, sha256))
    photo = next((one for one in store.photos(issue.id) if one.sha256 == sha256), None)
    if record is None or photo is None:
        raise NotFoundError("photo_missing", sha256=sha256[:12])
    if photo.taken_at is None:
        raise BadInputError("photo_undated", sha256=sha256[:12])
    proof = proof_by_photo(grade_of(record).letter.value)

    def proven(listed: ListedPlace) -> tuple[Proof, ...]:
        if listed.place_id not in {issue.place_id, issue.village_id}:
            raise BadInputError("photo_elsewhere", number=issue.number or issue.id, place=listed.name)
        return (proof,)

    outcome = Outcome.VISITED_WITH_ISSUES if issues else Outcome.VISITED_CLEAN
    asked = _Asked(sweep, place, "sweeps.visit_by_photo", outcome, photo.taken_at, source=record.subject)
    return _visit(session, asked, key, proven)


@flow("sweeps.unreachable", Policy.SWEEP)
def mark_unreachable(session: Session, sweep: str, place: str, reason: str, *, key: str = "") -> VisitLine:
    """Record why a place can't be reached; raises ``reason_needed`` without a reason, else as `check_in` does."""
    if not reason.strip():
        raise WrongUseError("reason_needed")
    asked = _Asked(sweep, place, "sweeps.unreachable", Outcome.UNREACHABLE, None, reason=reason.strip())
    return _visit(session, asked, key, lambda _: ())


@flow("sweeps.close", Policy.SWEEP)
def close_sweep(session: Session, word: str, *, key: str = "") -> Sweep:
    """Close a sweep; only who may sweep all of its places may.

    Raises
    ------
    ConflictError
        ``sweep_missed`` while a place is missed, naming them; ``sweep_closed``.
    """

    def write(writer: Writer) -> Record:
        sweep = find_sweep(session, word)
        for place in sweep.listed:
            permit(session.actor, Policy.SWEEP, "sweeps.close", scope_in(session, sweep, place))
        check_open(sweep)
        check_close(sweep.listed, [as_visit(line) for line in visits_of(session, sweep)])
        record = session.workspace.store.record(f"sweep/{sweep.id}")
        if record is None:
            raise NotFoundError("unknown_sweep", word=word[:100])
        at = now()
        fields = {**record.fields, "closed_at": instant_text(at), "closed_by": session.actor.id}
        record = replace(record, fields=fields)
        writer.put_record(record, kind="close", actor=session.actor.id, at=at)
        return record

    return sweep_of(_once(session, "sweeps.close", word, key, write))


# What the flows share


def check_open(sweep: Sweep) -> None:
    """Refuse to change a closed sweep."""
    if sweep.closed_at is not None:
        raise ConflictError("sweep_closed", name=sweep.name, day=f"{sweep.closed_at.astimezone(TIME_ZONE):%Y-%m-%d}")


def on_ground(session: Session, place: ListedPlace) -> ListedPlace:
    """A listed place with its area and seat as the county knows them today."""
    known = session.workspace.gazetteer().by_id.get(place.place_id)
    if known is None:
        return place
    return replace(place, area=known.geometry, seat=known.seat, approximate=known.approximate)


def put_visit(writer: Writer, line: VisitLine, at: datetime) -> Record:
    """Write a visit; ``at`` is when it is recorded."""
    record = Record(subject=f"visit/{line.id}", type="visit", parent=line.sweep, fields=visit_fields(line))
    writer.put_record(record, kind="record", actor=line.by, at=at)
    return record


@dataclass(frozen=True, slots=True)
class _Asked:
    """What somebody wants recorded of a place."""

    sweep: str
    place: str
    flow: str
    outcome: Outcome
    at: datetime | None
    note: str = ""
    reason: str = ""
    source: str = ""


def _visit(session: Session, asked: _Asked, key: str, proven: Callable[[ListedPlace], tuple[Proof, ...]]) -> VisitLine:
    sweep = find_sweep(session, asked.sweep)
    listed = _permitted(session, sweep, asked)
    recorded = now()
    at = asked.at or recorded
    _check_time(sweep, at, recorded)
    line = VisitLine(
        id=str(uuid7()),
        sweep=sweep.id,
        place_id=listed.place_id,
        outcome=asked.outcome,
        at=at,
        by=session.actor.id,
        proofs=proven(listed),
        reason=asked.reason,
        note=asked.note.strip(),
        source=asked.source,
    )

    def write(writer: Writer) -> Record:
        check_open(find_sweep(session, sweep.id))  # it may have been closed since
        return put_visit(writer, line, recorded)

    return visit_line(_once(session, asked.flow, f"{asked.sweep}\n{asked.place}", key, write))


def _permitted(session: Session, sweep: Sweep, asked: _Asked) -> ListedPlace:
    """The place that is meant, if the actor may sweep there; who may see none of the sweep isn't told that it is."""
    if not any(allows(session.actor, Policy.READ, scope_in(session, sweep, place)) for place in sweep.listed):
        raise NotFoundError("unknown_sweep", word=asked.sweep[:100])
    listed = find_listed(session, sweep, asked.place)
    permit(session.actor, Policy.SWEEP, asked.flow, scope_in(session, sweep, listed))
    return listed


def _check_time(sweep: Sweep, at: datetime, recorded: datetime) -> None:
    """A visit lies between the sweep's first day and now."""
    if at.tzinfo is None or at > recorded + CLOCK_SKEW:
        raise BadInputError("visit_in_future", at=f"{at:%Y-%m-%d %H:%M}")
    if at.astimezone(TIME_ZONE).date() < sweep.begins_on:
        raise BadInputError("visit_too_early", day=f"{at.astimezone(TIME_ZONE):%Y-%m-%d}", first=sweep.begins_on)


def _once(session: Session, flow_name: str, asked: str, key: str, write: Callable[[Writer], Record]) -> Record:
    """Do something once for a key: a retry finds the record that the first one wrote."""
    store = session.workspace.store
    with store.writing() as writer:
        answered = writer.answer_to(key) if key else None
        if answered is None:
            record = write(writer)
            if key:
                answer = {"flow": flow_name, "actor": session.actor.id, "asked": asked, "subject": record.subject}
                said = orjson.dumps(answer).decode()
                writer.keep_answer(key, said, actor=session.actor.id, flow=flow_name, at=now())
            return record
    answer = orjson.loads(answered)
    subject = answer.pop("subject", "")
    kept = store.record(subject)
    if kept is None or answer != {"flow": flow_name, "actor": session.actor.id, "asked": asked}:
        raise ConflictError("key_used")
    return kept


def _category(session: Session, word: str) -> str:
    if not word:
        return ""
    vocabulary = session.workspace.vocabulary
    code = vocabulary.code_of("categories", word)
    if code is None:
        raise WrongUseError("unknown_categories", word=word[:100], known=", ".join(vocabulary.categories))
    return code


def _bounded(metres: float) -> float:
    """A length that a record can hold; one that is no number is as bad as the worst."""
    return min(metres, MOST_METRES) if math.isfinite(metres) else MOST_METRES


def _with_list(session: Session, blank: Sweep, *, hamlets: bool) -> Sweep:
    """The sweep with the places that the actor may sweep."""
    listed, villages = [], {}
    for place, village in listed_places(session, {Level.VILLAGE, Level.HAMLET} if hamlets else {Level.VILLAGE}):
        if blank.towns and place.town_id not in blank.towns:
            continue
        scope = scope_among(session, blank.category, (place.place_id, village, place.town_id))
        if blank.towns:
            permit(session.actor, Policy.SWEEP, "sweeps.begin", scope)
        elif not allows(session.actor, Policy.SWEEP, scope):
            continue
        listed.append(place)
        villages[place.place_id] = village
    if not listed:
        raise BadInputError("sweep_empty")
    return replace(blank, listed=tuple(listed), villages=villages, digest=list_digest(listed))


def _put_sweep(writer: Writer, sweep: Sweep) -> Record:
    fields = {
        "name": sweep.name,
        "category": sweep.category,
        "from_issue": sweep.from_issue,
        "begins_on": sweep.begins_on.isoformat(),
        "begun_by": sweep.begun_by,
        "begun_at": instant_text(sweep.begun_at),
        "towns": list(sweep.towns),
        "listed": [
            {**place_fields(p), "other_names": list(p.other_names), "village_id": sweep.villages[p.place_id]}
            for p in sweep.listed
        ],
        "digest": sweep.digest,
    }
    record = Record(subject=f"sweep/{sweep.id}", type="sweep", fields=fields)
    writer.put_record(record, kind="begin", actor=sweep.begun_by, at=sweep.begun_at)
    return record
