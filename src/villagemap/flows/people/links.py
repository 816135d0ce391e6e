"""Flows about links: doors without an account, for a town to look or for somebody to work on named issues."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from villagemap.auth import Policy
from villagemap.errors import ForbiddenError, NotFoundError, UnknownActorError, WrongUseError
from villagemap.flows.people.accounts import Opened, digest, place_id, unit_code
from villagemap.flows.registry import Session, flow
from villagemap.model import Issue, Level, Privacy
from villagemap.settings import now
from villagemap.store.tokens import GivenLink

SESSION_DAYS = 14
MOST_DAYS = 92
MOST_USES = 1_000
MOST_ISSUES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeLink:
    """A new link; its ``secret`` is told this once, for the #fragment of an address."""

    link: GivenLink
    secret: str = field(repr=False)


@flow("links.make", Policy.ACCOUNTS)
def make_link(
    session: Session,
    *,
    name: str,
    places: Sequence[str] = (),
    issues: Sequence[str] = (),
    units: Sequence[str] = (),
    days: int = 14,
    uses: int = 50,
) -> MadeLink:
    """Make a link that reads what is open in ``places``, or one that works on named ``issues``.

    A link for issues stands for ``units``, and its work counts as all of theirs; not said, they are the units that
    the issues are charged to.

    Raises
    ------
    WrongUseError
        ``link_for_what`` unless exactly one of ``places`` and ``issues`` is given; ``days_unreadable``,
        ``uses_unreadable``, ``unit_unknown``
    NotFoundError
        For a place or an issue that isn't there.
    ForbiddenError
        ``link_restricted``: a household's case is never shown without an account.
    """
    if bool(places) == bool(issues) or len(issues) > MOST_ISSUES:
        raise WrongUseError("link_for_what", most=MOST_ISSUES)
    if not 1 <= days <= MOST_DAYS:
        raise WrongUseError("days_unreadable", value=days, most=MOST_DAYS)
    if not 1 <= uses <= MOST_USES:
        raise WrongUseError("uses_unreadable", value=uses, most=MOST_USES)
    named = [_open_issue(session, word) for word in issues]
    given = {unit_code(session, unit) for unit in units} or {
        u for issue in named for u in charged_units(session, issue)
    }
    secret, at = secrets.token_urlsafe(32), now()
    link = session.workspace.accounts.tokens.add_link(
        digest(secret),
        name=name.strip()[:100],
        units=sorted(given),
        places=[place_id(session, place) for place in places],
        issues=list(dict.fromkeys(issue.id for issue in named)),
        uses=uses,
        expires_at=at + timedelta(days=days),
        by=session.actor.id,
        flow="links.make",
        at=at,
    )
    return MadeLink(link=link, secret=secret)


@flow("links.revoke", Policy.ACCOUNTS)
def revoke_link(session: Session, link_id: str) -> None:
    """End a link, and all that was opened with it."""
    session.workspace.accounts.tokens.revoke_link(link_id, by=session.actor.id, flow="links.revoke", at=now())


@flow("links.list", Policy.ACCOUNTS)
def list_links(session: Session) -> list[GivenLink]:
    """All links, newest first; without their secrets, which nobody knows but who holds them."""
    return session.workspace.accounts.tokens.links()


@flow("links.redeem", Policy.PUBLIC)
def redeem_link(session: Session, secret: str) -> Opened:
    """Use a link once; what it opens ends with the link, and after `SESSION_DAYS` at the latest.

    Raises
    ------
    UnknownActorError
        ``link_invalid``: unknown, used up, expired or revoked.
    """
    opened, at = secrets.token_urlsafe(32), now()
    redeemed = session.workspace.accounts.tokens.redeem_link(
        digest(secret), digest(opened), expires_at=at + timedelta(days=SESSION_DAYS), flow="links.redeem", at=at
    )
    if redeemed is None:
        raise UnknownActorError("link_invalid")
    link, token = redeemed
    return Opened(id=token.id, actor=link.id, secret=opened, expires_at=token.expires_at)


def charged_units(session: Session, issue: Issue) -> set[str]:
    """The duty units an issue is charged to, towns and villages by their codes ("town:449923101")."""
    by_id = session.workspace.gazetteer().by_id
    places = {Level.TOWN.value: issue.town_id, Level.VILLAGE.value: issue.village_id}
    units = set()
    for unit in {issue.lead_unit, *issue.help_units} - {""}:
        place = by_id.get(places.get(unit) or "")
        units.add(f"{unit}:{place.code or place.place_id}" if place else unit)
    return units


def _open_issue(session: Session, word: str) -> Issue:
    issue = session.workspace.store.issue(word)
    if issue is None:
        raise NotFoundError("unknown_issue", word=word[:100])
    if issue.privacy is Privacy.RESTRICTED:
        raise ForbiddenError("link_restricted", number=issue.number or issue.id)
    return issue
