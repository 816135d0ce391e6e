"""Kept plans: as made, by revision, with what they were made from; and going back by a revision.

A plan is a record: problem and plan as the very texts that `plans.codec` wrote, and a digest over both; the matrix lies
beside the store by its own digest, on disk before the event that names it. Going back writes an earlier revision's
texts as a new revision, so that nothing is ever lost.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
from uuid_utils import uuid7

from villagemap.auth import Policy
from villagemap.chain import Fields, fold, instant_text
from villagemap.errors import ConflictError, NotFoundError
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.findings import Finding, finding_fields, findings_of
from villagemap.model import Record
from villagemap.plans import Matrix, Plan, Problem
from villagemap.plans.codec import from_json, to_json
from villagemap.settings import now
from villagemap.store.matrices import FOLDER, MatrixStore

SEAL_FIELDS = ("seal", "salt", "sealed", "opened_at")
"""What a seal writes into a plan's record: no edit touches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A plan with all that it was made from; ``request`` is the text that asked for it ("" for none)."""

    problem: Problem
    matrix: Matrix
    plan: Plan
    findings: tuple[Finding, ...] = ()
    request: str = ""
    sweep: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPlan:
    """A plan as it is kept. ``before`` is the revision that going back leads to, 0 for none."""

    id: str
    revision: int
    name: str
    problem: Problem
    plan: Plan
    matrix: str
    digest: str
    made_at: datetime
    made_by: str
    sweep: str = ""
    sealed: bool = False
    request: str = ""
    findings: tuple[Finding, ...] = ()
    before: int = 0

    @property
    def can_undo(self) -> bool:
        """Whether there is something to go back to."""
        return self.before > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHead:
    """A plan in a list."""

    id: str
    name: str
    made_at: datetime
    made_by: str
    sealed: bool
    sweep: str
    counts: Mapping[str, int] = field(default_factory=dict)
    """``days``, ``teams``, ``stops``, ``left_out``."""


@flow("plans.list", Policy.PLAN)
def list_plans(session: Session) -> list[PlanHead]:
    """All kept plans, the latest first."""
    records = session.workspace.store.records("plan")
    return [_head(record) for record in reversed(records)]


@flow("plans.show", Policy.PLAN)
def show_plan(session: Session, word: str, *, revision: int | None = None) -> KeptPlan:
    """A kept plan by id or name (of several the latest), as it is or as it was at a revision.

    Raises
    ------
    NotFoundError
        ``unknown_plan``
    """
    record = find_plan(session, word)
    if revision is not None and revision != record.revision:
        return plan_of(replace(record, fields=_at(session, record, revision), revision=revision))
    return plan_of(record)


@flow("plans.matrix", Policy.PLAN)
def matrix_of(session: Session, kept: KeptPlan) -> Matrix:
    """The matrix that a kept plan was made with; raises NotFoundError ``matrix_missing``."""
    return matrices(session).get(kept.matrix)


@flow("plans.undo", Policy.PLAN)
def undo(session: Session, word: str, *, revision: int) -> KeptPlan:
    """Go back by one revision, as a new revision.

    Raises
    ------
    ConflictError
        ``plan_changed`` if somebody else was first, ``nothing_to_undo``.
    """
    with session.workspace.store.writing() as writer:
        record = find_plan(session, word)
        check_revision(record, revision)
        before = int(record.fields.get("before", 0))
        if before < 1:
            raise ConflictError("nothing_to_undo", name=record.fields["name"])
        fields = _at(session, record, before) | {n: record.fields[n] for n in SEAL_FIELDS if n in record.fields}
        writer.put_record(replace(record, fields=fields), kind="undo", actor=session.actor.id, at=now())
    return plan_of(find_plan(session, record.subject.removeprefix("plan/")))


def find_plan(session: Session, word: str) -> Record:
    """The record of a plan by id or name; raises NotFoundError ``unknown_plan``."""
    store = session.workspace.store
    record = store.record(f"plan/{word}")
    if record is None:
        named = [one for one in store.records("plan") if one.fields["name"] == word.strip()]
        record = named[-1] if named else None
    if record is None:
        raise NotFoundError("unknown_plan", word=word[:100])
    return record


def check_revision(record: Record, revision: int | None) -> None:
    """Refuse a change of what somebody else has changed meanwhile."""
    if revision is not None and revision != record.revision:
        raise ConflictError("plan_changed", name=record.fields["name"], revision=record.revision)


def matrices(session: Session) -> MatrixStore:
    """Where the matrices of kept plans lie."""
    return MatrixStore(session.workspace.folder / FOLDER)


def keep_plan(session: Session, made: Made) -> KeptPlan:
    """Keep a new plan."""
    plan_id = str(uuid7())
    fields = _texts(made, matrices(session).put(made.matrix)) | {
        "made_at": instant_text(now()),
        "made_by": session.actor.id,
    }
    return _put(session, Record(subject=f"plan/{plan_id}", type="plan", fields=fields), "make")


def keep_revision(session: Session, word: str, made: Made, *, revision: int | None, kind: str) -> KeptPlan:
    """Keep a plan as a new revision of a kept one; raises ConflictError ``plan_changed`` if somebody was first."""
    digest = matrices(session).put(made.matrix)
    record = find_plan(session, word)
    check_revision(record, revision)
    fields = {**record.fields, **_texts(made, digest), "before": record.revision}
    return _put(session, replace(record, fields=fields), kind)


def _put(session: Session, record: Record, kind: str) -> KeptPlan:
    with session.workspace.store.writing() as writer:
        writer.put_record(record, kind=kind, actor=session.actor.id, at=now())
    return plan_of(replace(record, revision=record.revision + 1))


def _texts(made: Made, matrix: str) -> Fields:
    problem, plan = to_json(made.problem).decode(), to_json(made.plan).decode()
    return {
        "name": made.problem.name,
        "problem": problem,
        "plan": plan,
        "digest": plan_digest(problem, plan),
        "matrix": matrix,
        "sweep": made.sweep,
        "request": made.request,
        "findings": finding_fields(made.findings),
        "counts": {
            "days": len(made.problem.days),
            "teams": len(made.problem.teams),
            "stops": made.plan.figures.stops,
            "left_out": made.plan.figures.left_out,
        },
    }


def plan_digest(problem: str, plan: str) -> str:
    """SHA-256 (hex) of a problem's and a plan's texts, a line each."""
    return hashlib.sha256(f"{problem}\n{plan}".encode()).hexdigest()


def whole(record: Record) -> bool:
    """Whether a plan's texts are those that its digest was made of."""
    digest: str = record.fields["digest"]
    return plan_digest(record.fields["problem"], record.fields["plan"]) == digest


def plan_of(record: Record) -> KeptPlan:
    """The plan that a record holds."""
    fields = record.fields
    return KeptPlan(
        id=record.subject.removeprefix("plan/"),
        revision=record.revision,
        name=fields["name"],
        problem=from_json(Problem, fields["problem"]),
        plan=from_json(Plan, fields["plan"]),
        matrix=fields["matrix"],
        digest=fields["digest"],
        made_at=datetime.fromisoformat(fields["made_at"]),
        made_by=fields["made_by"],
        sweep=fields.get("sweep", ""),
        sealed=bool(fields.get("sealed")) and not fields.get("opened_at"),
        request=fields.get("request", ""),
        findings=findings_of(fields.get("findings", ())),
        before=int(fields.get("before", 0)),
    )


def _head(record: Record) -> PlanHead:
    fields = record.fields
    return PlanHead(
        id=record.subject.removeprefix("plan/"),
        name=fields["name"],
        made_at=datetime.fromisoformat(fields["made_at"]),
        made_by=fields["made_by"],
        sealed=bool(fields.get("sealed")) and not fields.get("opened_at"),
        sweep=fields.get("sweep", ""),
        counts=fields["counts"],
    )


def _at(session: Session, record: Record, revision: int) -> Fields:
    """A record's fields as they stood at one of its revisions: the sum of its first events."""
    state: Fields = {}
    events = session.workspace.store.events(record.subject)
    if not 1 <= revision <= len(events):
        raise NotFoundError("unknown_plan", word=f"{record.fields['name']} {revision}")
    for event in events[:revision]:
        fold(state, orjson.loads(event.body)["set"])
    return state


def made_of(session: Session, kept: KeptPlan) -> Made:
    """A kept plan with its matrix, to be changed."""
    return Made(
        problem=kept.problem,
        matrix=matrices(session).get(kept.matrix),
        plan=kept.plan,
        findings=kept.findings,
        request=kept.request,
        sweep=kept.sweep,
    )


def told_head(head: PlanHead) -> dict[str, Any]:
    """A plan in a list, for a machine."""
    return {
        "id": head.id,
        "name": head.name,
        "made_at": instant_text(head.made_at),
        "made_by": head.made_by,
        "sealed": head.sealed,
        "sweep": head.sweep,
        **head.counts,
    }


def told_findings(findings: Sequence[Finding], lang: str) -> list[dict[str, Any]]:
    """Findings for a machine and a person."""
    return [
        {"stop": f.stop, "team": f.team, "code": f.code, "left_out": f.left_out, "sentence": f.sentence(lang)}
        for f in findings
    ]
