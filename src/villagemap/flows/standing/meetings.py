"""Meetings: where the chain stood when a report was made, and the same report again with equal numbers.

A frozen meeting is a record ("meeting/<name>") of the chain's end, its hash, the day, and the figures. The figures made
again come from the events up to there; ranks too, as long as the county's rubric is the one of then.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import quote

import numpy as np

from villagemap.anchors import anchor_code
from villagemap.auth import Policy
from villagemap.errors import BadInputError, ConflictError, NotFoundError
from villagemap.flows.registry import Session, flow
from villagemap.flows.standing.moments import Moment, all_columns, moment_of
from villagemap.flows.standing.scores import case_columns, rubric_of, visited_villages
from villagemap.model import Level, Place, Record
from villagemap.scores import Tally, deductions, ranking, tally
from villagemap.settings import now
from villagemap.store import Head

MOST_NAME = 60

Figures = dict[str, Any]
"""JSON without floats: ``county`` and ``towns`` (by place id) as `scores.Tally` names them, ``rank`` as [rank, score as
text], ``deductions`` what remains, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A frozen meeting: where the chain stood, and the figures of then."""

    name: str
    seq: int
    hash: str
    anchor: str
    day: date
    frozen_at: str
    frozen_by: str
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingAgain:
    """A meeting, and its figures made again from the events.

    ``equal`` says that they are the same, ``same_rules`` that the rubric is (ranks and deductions are only compared
    then), ``intact`` that history up to there still has the hash of then.
    """

    meeting: Meeting
    figures: Figures
    equal: bool
    same_rules: bool
    intact: bool


@flow("meetings.freeze", Policy.WRITE)
def freeze_meeting(session: Session, name: str) -> Meeting:
    """Record where the chain stands now and what the figures are.

    Raises
    ------
    BadInputError
        ``meeting_name``
    ConflictError
        ``meeting_exists``: what was frozen stays.
    """
    name = name.strip()
    if not 1 <= len(name) <= MOST_NAME or not name.isprintable():
        raise BadInputError("meeting_name")
    store, at = session.workspace.store, now()
    with store.writing() as writer:  # nobody else writes meanwhile, so the head is that of the figures
        known = store.record(_subject(name))
        if known is not None:
            raise ConflictError("meeting_exists", name=name, seq=known.fields["seq"])
        moment = moment_of(session, None)
        gazetteer = session.workspace.gazetteer()
        towns = [
            town.place_id for town in gazetteer.level(Level.TOWN) if not (town.valid_to and town.valid_to < moment.day)
        ]
        fields = {
            "name": name,
            "seq": moment.head.seq,
            "hash": moment.head.hash,
            "anchor": anchor_code(*moment.head),
            "day": moment.day.isoformat(),
            "frozen_at": at.isoformat(),
            "frozen_by": session.actor.id,
            "rules": _rules(session),
            "figures": _figures(session, moment, towns),
        }
        record = Record(subject=_subject(name), type="meeting", fields=fields, revision=0)
        writer.put_record(record, kind="freeze", actor=session.actor.id, at=at)
    return _meeting(record)


@flow("meetings.list", Policy.READ)
def list_meetings(session: Session) -> list[Meeting]:
    """All frozen meetings, the latest first."""
    found = [_meeting(record) for record in session.workspace.store.records("meeting")]
    return sorted(found, key=lambda meeting: meeting.seq, reverse=True)


@flow("meetings.show", Policy.READ)
def meeting(session: Session, name: str) -> MeetingAgain:
    """A meeting's report made again from the events, beside what was frozen.

    Raises
    ------
    NotFoundError
        ``unknown_meeting``; it names those there are.
    """
    store = session.workspace.store
    record = store.record(_subject(name.strip()))
    if record is None:
        known = ", ".join(one.name for one in list_meetings(session)) or "-"
        raise NotFoundError("unknown_meeting", name=name[:MOST_NAME], known=known)
    frozen = _meeting(record)
    again = _figures(session, Moment(Head(frozen.seq, frozen.hash), frozen.day), [*frozen.figures["towns"]])
    same_rules = record.fields["rules"] == _rules(session)
    compared = set(again) if same_rules else {"county", "towns"}
    return MeetingAgain(
        meeting=frozen,
        figures=again,
        equal=all(again[part] == frozen.figures[part] for part in compared),
        same_rules=same_rules,
        intact=store.hash_of(frozen.seq) == frozen.hash,
    )


def _subject(name: str) -> str:
    """ASCII, and below the tilde that ends a type's range of subjects."""
    return "meeting/" + quote(name, safe="").replace("~", "%7E")


def _rules(session: Session) -> str:
    return hashlib.sha256(repr(rubric_of(session)).encode()).hexdigest()


def _figures(session: Session, moment: Moment, towns: Collection[str]) -> Figures:
    """The county's figures, whoever asks."""
    cases, rubric = case_columns(session, all_columns(session, moment)), rubric_of(session)
    ids = [int(town[1:]) for town in towns]
    villages = visited_villages(session, moment.head.seq)
    told = tally(cases, ids, moment.day, villages=villages)
    rank = ranking(cases, ids, moment.day, rubric.rank, villages=villages)
    sheet = deductions(cases, ids, rubric)
    everywhere = replace(cases, town=np.zeros_like(cases.town))
    all_villages = replace(villages, town=np.zeros_like(villages.town))
    return {
        "county": _row(tally(everywhere, [0], moment.day, villages=all_villages), 0),
        "towns": {town: _row(told, n) for n, town in enumerate(towns)},
        "rank": {town: [int(rank.rank[n]), f"{rank.score[n]:.1f}"] for n, town in enumerate(towns)},
        "deductions": {town: f"{sheet.total[n]:.2f}" for n, town in enumerate(towns)},
    }


def _stands(town: Place, day: date) -> bool:
    return town.valid_to is None or town.valid_to >= day


def _row(told: Tally, n: int) -> dict[str, int]:
    return {name: figure for name, figure in told.row(n).items() if name != "ids"}


def _meeting(record: Record) -> Meeting:
    told = record.fields
    return Meeting(
        name=told["name"],
        seq=told["seq"],
        hash=told["hash"],
        anchor=told["anchor"],
        day=date.fromisoformat(told["day"]),
        frozen_at=told["frozen_at"],
        frozen_by=told["frozen_by"],
        figures=told["figures"],
    )
