"""Time travel: which event an instant means, and the county's issues as they stood after it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from villagemap.auth import Policy
from villagemap.errors import WrongUseError
from villagemap.flows.narrowing import reach_of, visible
from villagemap.flows.registry import Session, flow
from villagemap.model import Issue, IssueFilter
from villagemap.settings import TIME_ZONE
from villagemap.store import Head, IssueColumns
from villagemap.store.columns import columns_within
from villagemap.store.filters import holds

_NEXT = timedelta(microseconds=1)
"""Instants in the chain are whole microseconds."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The end of the chain at an instant, and the day that deadlines are measured against."""

    head: Head
    day: date


def instant_meant(word: str) -> datetime:
    """An instant: RFC 3339, in Asia/Shanghai where it names no zone; a date means the end of that day.

    Raises
    ------
    WrongUseError
        ``instant_unreadable``
    """
    try:
        if len(word) == len("2026-03-31"):
            return datetime.combine(date.fromisoformat(word) + timedelta(days=1), time(), TIME_ZONE) - _NEXT
        at = datetime.fromisoformat(word)
        return at if at.tzinfo else at.replace(tzinfo=TIME_ZONE)
    except (ValueError, OverflowError) as fault:
        raise WrongUseError("instant_unreadable", value=word[:60]) from fault


def moment_of(session: Session, as_of: datetime | None, today: date | None = None) -> Moment:
    """The last event up to ``as_of`` (inclusive; now if not given), and its day, never after the county's own."""
    store, day = session.workspace.store, today or session.workspace.settings.day()
    if as_of is None:
        return Moment(store.head(), day)
    head = store.head_by(as_of + _NEXT)
    return Moment(head, today or min(day, as_of.astimezone(TIME_ZONE).date()))


def all_columns(session: Session, moment: Moment) -> IssueColumns:
    """All issues of the county as they stood then, whoever asks: for figures that must be the same to everybody."""
    now = session.workspace.columns()
    return now if now.seq == moment.head.seq else session.workspace.store.columns_at(moment.head.seq)


def columns_then(session: Session, moment: Moment) -> IssueColumns:
    """The issues as they stood then, cut to what this actor may see."""
    return columns_within(all_columns(session, moment), reach_of(session))


@flow("issues.list_then", Policy.READ_ALL)
def list_issues_then(
    session: Session, where: IssueFilter, as_of: datetime, *, limit: int, after: int = 0
) -> list[tuple[int, Issue]]:
    """(key, issue) of the issues that a filter matched at an instant, with all that was known of them then."""
    seq = moment_of(session, as_of).head.seq
    found: list[tuple[int, Issue]] = []
    for block in _matching(session, visible(session, where, Policy.READ_ALL), seq):
        found += [(fid, issue) for fid, issue in block if fid > after][: limit - len(found)]
        if len(found) >= limit:
            break
    return found


@flow("issues.matched_then", Policy.READ)
def count_issues_then(session: Session, where: IssueFilter, as_of: datetime) -> int:
    """How many issues a filter matched at an instant."""
    seq = moment_of(session, as_of).head.seq
    return sum(len(block) for block in _matching(session, visible(session, where), seq))


def _matching(session: Session, where: IssueFilter, seq: int) -> Iterator[list[tuple[int, Issue]]]:
    for block in session.workspace.store.states_at(seq):
        yield [(fid, issue) for fid, issue in block if holds(where, issue)]
