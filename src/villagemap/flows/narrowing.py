"""What an actor may see, laid over what is asked: every list, count, tile and file goes through here."""

import hashlib
from dataclasses import replace

from villagemap.auth import Policy, Reach, allows, permit, reach, scope_of
from villagemap.errors import NotFoundError
from villagemap.flows.registry import Session
from villagemap.model import Audience, Issue, IssueFilter, Privacy
from villagemap.store import IssueColumns
from villagemap.store.columns import columns_within

_STRICTER = (Audience.OWNER, Audience.OFFICE, Audience.PUBLIC)


def reach_of(session: Session, policy: Policy = Policy.READ) -> Reach:
    """The parts of the county for which this actor has ``policy`` today; None for all of it."""
    return reach(session.actor, policy, session.workspace.vocabulary)


def visible(session: Session, where: IssueFilter, policy: Policy = Policy.READ) -> IssueFilter:
    """The filter cut down to what this actor may see, and to no franker an audience than they are."""
    parts = reach_of(session, policy)
    audience = max(where.audience, _audience(session, parts), key=_STRICTER.index)
    return replace(where, audience=audience, within=parts)


def _audience(session: Session, parts: Reach) -> Audience:
    """As whom the actor reads lists: the owner's way only where all that they see, they may see whole."""
    if sees_no_text(session):
        return Audience.PUBLIC
    whole = parts is None or (bool(parts) and all(part.most_private is Privacy.RESTRICTED for part in parts))
    return Audience.OWNER if whole else Audience.OFFICE


def sees_no_text(session: Session) -> bool:
    """Whether free texts are kept from this actor, because somebody may be named in them: a link that only looks."""
    link = session.actor.link
    return link is not None and not link.issues


def columns_seen(session: Session) -> IssueColumns:
    """The issues that this actor may see, as arrays."""
    return columns_within(session.workspace.columns(), reach_of(session))


def reach_tag(session: Session) -> str:
    """What tells two actors' tiles apart; "" for who sees all."""
    parts = reach_of(session)
    return "" if parts is None else hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def may_on(session: Session, policy: Policy, issue: Issue) -> bool:
    """Whether this actor may do on this issue what ``policy`` guards."""
    return allows(session.actor, policy, scope_of(issue, session.workspace.vocabulary))


def permit_on(session: Session, policy: Policy, flow: str, issue: Issue) -> None:
    """Let the actor pass with this issue, or say no: what every flow asks once it knows which issue is meant.

    Raises
    ------
    ForbiddenError
        If the issue may be seen, but this may not be done with it.
    NotFoundError
        ``unknown_issue``: whoever may not see an issue isn't told that there is one.
    """
    if not may_on(session, Policy.READ, issue):
        raise NotFoundError("unknown_issue", word=issue.number or issue.id)
    permit(session.actor, policy, flow, scope_of(issue, session.workspace.vocabulary))


def seen_issue(session: Session, word: str, flow: str) -> Issue:
    """An issue by id or number, if this actor may see it; looking at a household's case is noted.

    Raises
    ------
    NotFoundError
        ``unknown_issue``
    """
    issue = session.workspace.store.issue(word)
    if issue is None or not may_on(session, Policy.READ, issue):
        raise NotFoundError("unknown_issue", word=word[:100])
    if issue.privacy is Privacy.RESTRICTED:
        session.workspace.log_access(session.actor.id, flow, issue.id)
    return issue
