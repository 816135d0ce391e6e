"""Flows about photos as evidence: keep one, grade it, show it, look at its likeness, and say what closing still lacks.

A photo's grade is a record of its own ("photo/<issue>/<sha256>"), so that overruling a likeness is an event with its
reason. Positions stay out of it: it says how far away a photo was taken, never where.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from typing import BinaryIO

import shapely

from villagemap.auth import Policy
from villagemap.errors import NotFoundError, WrongUseError
from villagemap.evidence import Cause, Grade, Letter, PhotoFacts, Reason, enough_evidence, grade
from villagemap.flows.narrowing import may_on, permit_on, seen_issue
from villagemap.flows.registry import Session, flow
from villagemap.likeness import LikenessIndex
from villagemap.model import Issue, Photo, Record
from villagemap.readers.pictures import PhotoRead, read_photo
from villagemap.settings import now


def photo_subject(issue_id: str, sha256: str) -> str:
    """Subject of a photo's record."""
    return f"photo/{issue_id}/{sha256}"


def grades_of(session: Session, issue: Issue) -> Iterator[tuple[str, Grade]]:
    """(stage, grade) of every photo of an issue; one that came without facts (an old import) is not graded here."""
    for record in session.workspace.store.records("photo", issue.id):
        yield str(record.fields["stage"]), grade_of(record)


def grades_by_photo(session: Session, issue: Issue) -> dict[str, Grade]:
    """SHA-256 to grade of an issue's photos."""
    records = session.workspace.store.records("photo", issue.id)
    return {record.subject.rpartition("/")[2]: grade_of(record) for record in records}


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


STAGES = ("before", "during", "after", "interim")
"""What a photo can show of an issue's life."""

MAY_ADD = (Policy.REPORT, Policy.WORK, Policy.VERIFY)
"""Any of these lets somebody add a photo: capture is never refused to whom the issue concerns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """How a photo came: see `evidence.PhotoFacts` for what each part means."""

    live: bool = False
    device_at: datetime | None = None
    submitted_at: datetime | None = None
    device_lonlat: tuple[float, float] | None = None
    device_accuracy_m: float | None = None
    tapped: bool = False


@flow("evidence.add", Policy.READ)
def add_photo(
    session: Session, issue_id: str, stage: str, stream: BinaryIO, name: str, capture: Capture = Capture()
) -> tuple[Photo, Grade]:
    """Keep a photo of an issue: the original, a clean copy to serve, its grade with reasons.

    The same file again for the same issue is the same photo, with the grade that it has.

    Raises
    ------
    NotFoundError, ForbiddenError
        If the actor can't see the issue, or has no part in it.
    WrongUseError
        If there is no such stage.
    BadInputError
        If the file is no picture that we read.
    """
    issue = _concerned(session, issue_id)
    if stage not in STAGES:
        raise WrongUseError("unknown_stage", word=stage[:40], known=", ".join(STAGES))
    workspace, received_at = session.workspace, now()
    read = read_photo(stream, name)
    known = workspace.store.record(photo_subject(issue.id, read.sha256))
    photo = Photo(
        sha256=read.sha256, issue_id=issue.id, stage=stage, taken_at=read.taken_at, media_type=read.media_type
    )
    if known is not None:
        return replace(photo, stage=str(known.fields["stage"])), grade_of(known)
    graded = grade(_facts(session, issue, stage, read, capture, received_at))
    stream.seek(0)
    workspace.photos.put(stream)
    served = workspace.photos.put(BytesIO(read.served))
    fields = {**grade_fields(stage, graded), "served": served}
    record = Record(subject=photo_subject(issue.id, read.sha256), type="photo", parent=issue.id, fields=fields)
    with workspace.store.writing() as writer:
        writer.add_photos([photo], actor=session.actor.id, at=received_at)
        writer.put_record(record, kind="grade", actor=session.actor.id, at=received_at)
        writer.keep_fingerprint(read.sha256, read.fingerprint)
    likeness_index(session).add(read.sha256, read.fingerprint.marks)
    return photo, graded


def _concerned(session: Session, issue_id: str) -> Issue:
    issue = seen_issue(session, issue_id, "evidence.add")
    if not any(may_on(session, policy, issue) for policy in MAY_ADD):
        permit_on(session, Policy.WORK, "evidence.add", issue)
    return issue


def _facts(
    session: Session, issue: Issue, stage: str, read: PhotoRead, capture: Capture, received_at: datetime
) -> PhotoFacts:
    """What is known of a photo: how it came, what its file says, where else it or its like is."""
    uses = session.workspace.store.picture_uses([read.sha256]).get(read.sha256, [])
    likes = [like.id for like in likeness_index(session).nearest(read.fingerprint) if like.id != read.sha256]
    like_uses = [use for found in session.workspace.store.picture_uses(likes).values() for use in found]
    point = shapely.point_on_surface(shapely.from_wkt(issue.geometry)) if issue.geometry else None
    return PhotoFacts(
        stage=stage,
        live=capture.live,
        received_at=received_at,
        submitted_at=capture.submitted_at,
        device_at=capture.device_at,
        device_lonlat=capture.device_lonlat,
        device_accuracy_m=capture.device_accuracy_m,
        tapped=capture.tapped,
        exif_at=read.taken_at,
        exif_lonlat=read.lonlat,
        issue_lonlat=(float(point.x), float(point.y)) if point is not None else None,
        found_on=issue.found_on,
        copies=sum(used_by != issue.id for used_by, _ in uses),
        alike=sum(used_by != issue.id for used_by, _ in like_uses),
        same_stages=any(used_by == issue.id and shown != stage for used_by, shown in uses),
        alike_stages=any(used_by == issue.id and shown != stage for used_by, shown in like_uses),
    )


def likeness_index(session: Session) -> LikenessIndex:
    """All pictures of the county by their marks; read once, then kept up to date by who adds one."""
    workspace = session.workspace
    if workspace.likeness is None:
        found = workspace.store.picture_marks()
        hashes, marks = [sha256 for sha256, _ in found], [mark for _, mark in found]
        workspace.likeness = LikenessIndex(hashes, marks, workspace.store.fingerprints)
    return workspace.likeness


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
    issue = seen_issue(session, issue_id, "evidence.overrule")
    permit_on(session, Policy.DECIDE, "evidence.overrule", issue)
    record = workspace.store.record(photo_subject(issue.id, sha256))
    if record is None:
        raise NotFoundError("photo_missing", sha256=sha256[:12])
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
