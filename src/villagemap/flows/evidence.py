"""Flows about photos as evidence: keep one, grade it, show it, look at its likeness, and say what closing still lacks.

A photo's grade is a record of its own ("photo/<issue>/<sha256>"), so that overruling a likeness is an event with its
reason. Positions stay out of it: it says how far away a photo was taken, never where.
"""

from collections.abc import Iterator
from dataclasses import replace

from villagemap.auth import Policy, permit, scope_of
from villagemap.errors import NotFoundError, WrongUseError
from villagemap.evidence import Cause, Grade, Letter, Reason, enough_evidence
from villagemap.flows.registry import Session, flow
from villagemap.model import Issue, Record
from villagemap.settings import now


def photo_subject(issue_id: str, sha256: str) -> str:
    """Subject of a photo's record."""
    return f"photo/{issue_id}/{sha256}"


def grades_of(session: Session, issue: Issue) -> Iterator[tuple[str, Grade]]:
    """(stage, grade) of every photo of an issue; one that came without facts (an old import) is not graded here."""
    for record in session.workspace.store.records("photo", issue.id):
        yield str(record.fields["stage"]), grade_of(record)


def grade_of(record: Record) -> Grade:
    """The grade that a photo's record holds."""
    reasons = tuple(
        Reason(Cause(cause), tuple((str(name), int(value)) for name, value in values))
        for cause, values in record.fields["reasons"]
    )
    return Grade(Letter(record.fields["grade"]), reasons)


def grade_fields(stage: str, grade: Grade) -> dict[str, object]:
    """A grade as a record holds it."""
    reasons = [[reason.cause.value, [list(pair) for pair in reason.values]] for reason in grade.reasons]
    return {"stage": stage, "grade": grade.letter.value, "reasons": reasons}


def stages_shown(session: Session, issue: Issue) -> frozenset[str]:
    """The stages of which there is a photo, whatever its grade."""
    return frozenset(photo.stage for photo in session.workspace.store.photos(issue.id))


def missing_evidence(session: Session, issue: Issue) -> tuple[str, ...]:
    """What closing an issue still lacks by its category and the county's least grade, as codes."""
    vocabulary = session.workspace.vocabulary
    category = vocabulary.categories[issue.category]
    return enough_evidence(category, grades_of(session, issue), vocabulary.evidence_grade)


@flow("evidence.overrule", Policy.DECIDE)
def overrule_likeness(session: Session, issue_id: str, sha256: str, reason: str) -> Grade:
    """Say that a photo's likeness to another is in order, and why; it counts as C from then on.

    Raises
    ------
    NotFoundError
        If there is no such photo.
    WrongUseError
        If no likeness asks for it, or no reason is given.
    """
    workspace = session.workspace
    issue = workspace.store.issue(issue_id)
    record = workspace.store.record(photo_subject(issue.id, sha256)) if issue else None
    if issue is None or record is None:
        raise NotFoundError("photo_missing", sha256=sha256[:12])
    permit(session.actor, Policy.DECIDE, "evidence.overrule", scope_of(issue, workspace.vocabulary))
    grade = grade_of(record)
    if not grade.asks:
        raise WrongUseError("nothing_to_overrule")
    if not reason.strip():
        raise WrongUseError("reason_needed")
    lifted = _overruled(grade)
    fields = {**record.fields, **grade_fields(str(record.fields["stage"]), lifted)}
    with workspace.store.writing() as writer:
        writer.put_record(
            replace(record, fields=fields), kind="overrule", actor=session.actor.id, at=now(), note=reason.strip()
        )
    return lifted


def _overruled(grade: Grade) -> Grade:
    """The grade without what asked a person to look, but with the mark that it did."""
    kept = [reason for reason in grade.reasons if reason.letter is not Letter.D] + [Reason(Cause.ALIKE_OVERRULED)]
    ranked = tuple(sorted(kept, key=lambda reason: reason.letter, reverse=True))
    return Grade(ranked[0].letter, ranked)
