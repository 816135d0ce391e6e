"""Flows about who there is: users and what they are granted; logging in and out; tokens; who looked at what."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from villagemap.auth import OWNER, Actor, Grant, Link, Policy, Role
from villagemap.errors import BadInputError, NotFoundError, TooOftenError, UnknownActorError, WrongUseError
from villagemap.flows.people.passwords import checked, hashed, no_ones_hash, verified
from villagemap.flows.registry import Session, flow
from villagemap.model import Level
from villagemap.settings import now
from villagemap.store.accounts import Access, GivenGrant, User, login_key
from villagemap.store.tokens import Token, Tries
from villagemap.texts import LANGS, catalog
from villagemap.vocabulary import Vocabulary

LOGIN_NAME = re.compile(r"[\w.-]{2,40}")
ACCOUNT_ID = re.compile(r"[ul]\d+")
SESSION_DAYS = 14
MOST_TOKEN_DAYS = 366
TRY_WINDOW = timedelta(minutes=15)
MOST_TRIES = Tries(pair=5, name=50, address=30)
"""Failed attempts in `TRY_WINDOW`: of a name from one address, of a name, from an address (an office shares one)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserLine:
    """A user with the grants that stand."""

    user: User
    grants: tuple[GivenGrant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A door that was opened: ``secret`` is shown this once, and ``id`` is the token's."""

    id: str
    actor: str
    secret: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who somebody is to themselves: a name to show, and whether they came by a link."""

    id: str
    name: str
    by_link: bool


@flow("users.add", Policy.ACCOUNTS)
def add_user(session: Session, login: str, password: str, *, name: str = "", units: Sequence[str] = ()) -> User:
    """Add somebody who may log in; without a grant they may do nothing.

    Raises
    ------
    BadInputError
        ``login_unreadable``, ``password_weak``, ``unit_unknown``
    ConflictError
        ``login_taken``
    """
    plain = login.strip()
    if not LOGIN_NAME.fullmatch(plain) or ACCOUNT_ID.fullmatch(plain):
        raise BadInputError("login_unreadable", login=login[:100])
    codes = [unit_code(session, unit) for unit in units]
    password_hash = hashed(checked(password, plain))
    return session.workspace.accounts.add_user(
        plain, name.strip() or plain, password_hash, codes, by=session.actor.id, flow="users.add", at=now()
    )


@flow("users.password", Policy.ACCOUNTS)
def set_password(session: Session, user: str, password: str) -> None:
    """Give somebody another password; whatever they had open is closed."""
    accounts = session.workspace.accounts
    found = accounts.user(user)
    password_hash = hashed(checked(password, found.login))
    accounts.set_password(found.id, password_hash, by=session.actor.id, flow="users.password", at=now())


@flow("users.disable", Policy.ACCOUNTS)
def disable_user(session: Session, user: str, *, disabled: bool = True) -> None:
    """Lock somebody out at once, or let them in again (they log in anew)."""
    accounts = session.workspace.accounts
    accounts.disable(accounts.user(user).id, disabled=disabled, by=session.actor.id, flow="users.disable", at=now())


@flow("users.grant", Policy.ACCOUNTS)
def grant(
    session: Session,
    user: str,
    role: str,
    *,
    places: Sequence[str] = (),
    groups: Sequence[str] = (),
    private: bool = False,
    until: date | None = None,
) -> GivenGrant:
    """Give somebody a role: in the whole county, or in towns and villages; for all categories, or for groups of them.

    Words of people are taken for all of them: codes, or names in any of our languages; a village's name stands behind
    its town's with a slash.

    Raises
    ------
    WrongUseError
        ``role_unknown``, ``group_unknown``, and as `place_id` does
    """
    accounts, vocabulary = session.workspace.accounts, session.workspace.vocabulary
    return accounts.add_grant(
        accounts.user(user).id,
        role_code(role),
        places=[place_id(session, place) for place in places],
        groups=[_group(vocabulary, group) for group in groups],
        private=private,
        until=until,
        by=session.actor.id,
        flow="users.grant",
        at=now(),
    )


@flow("users.revoke", Policy.ACCOUNTS)
def revoke_grant(session: Session, grant_id: str) -> None:
    """Take a grant back; it counts from the next request on."""
    session.workspace.accounts.revoke_grant(grant_id, by=session.actor.id, flow="users.revoke", at=now())


@flow("users.list", Policy.ACCOUNTS)
def list_users(session: Session) -> list[UserLine]:
    """All users with what they are granted."""
    accounts = session.workspace.accounts
    grants = accounts.grants()
    return [
        UserLine(user=user, grants=tuple(grant for grant in grants if grant.user_id == user.id))
        for user in accounts.users()
    ]


@flow("session.log_in", Policy.PUBLIC)
def log_in(session: Session, login: str, password: str, *, address: str) -> Opened:
    """Open a door by name and password.

    The answer and its time are the same for an unknown name, a wrong password and a locked account.

    Raises
    ------
    TooOftenError
        ``login_too_often``: too many attempts from this ``address`` or under this name, whether or not it exists.
    UnknownActorError
        ``login_failed``
    """
    tokens, key, at = session.workspace.accounts.tokens, digest(login_key(login)).hex(), now()
    if not tokens.try_login(key, address, at, TRY_WINDOW, MOST_TRIES):
        raise TooOftenError("login_too_often", minutes=int(TRY_WINDOW.total_seconds() // 60))
    nobody = no_ones_hash()
    found = session.workspace.accounts.password(login)
    fits, stronger = verified(password, found[1] if found else nobody)
    if found is None or not fits or found[0].disabled:
        raise UnknownActorError("login_failed")
    tokens.forget_attempts(key, address)
    if stronger:
        session.workspace.accounts.renew_hash(found[0].id, found[1], stronger)
    return _open(session, found[0], "session", address, timedelta(days=SESSION_DAYS), by=found[0].id, said="log_in")


@flow("session.log_out", Policy.PUBLIC)
def log_out(session: Session, secret: str) -> None:
    """Close the door that a token opened; one that opens nothing is closed already."""
    tokens, at = session.workspace.accounts.tokens, now()
    token = tokens.by_hash(digest(secret), at)
    if token is not None:
        tokens.revoke(token.id, by=token.user_id or token.link_id or "", flow="session.log_out", at=at)


@flow("session.actor", Policy.PUBLIC)
def actor_of_token(session: Session, secret: str) -> Actor:
    """Who shows this token, with the grants that stand today.

    Raises
    ------
    UnknownActorError
        ``token_invalid``: it is unknown, expired or revoked, or its account is locked.
    """
    accounts, at = session.workspace.accounts, now()
    token = accounts.tokens.by_hash(digest(secret), at)
    actor = None if token is None else _actor(session, token, at)
    if token is None or actor is None:
        raise UnknownActorError("token_invalid")
    accounts.tokens.used(token, at)
    return actor


@flow("session.needed", Policy.PUBLIC)
def login_needed(session: Session) -> bool:
    """Whether this county has users, so that everybody must say who they are."""
    return session.workspace.accounts.exist()


@flow("session.who", Policy.PUBLIC)
def who(session: Session) -> Who:
    """Who the actor is, for the top of a page."""
    actor = session.actor
    if actor.link is not None:
        link = session.workspace.accounts.tokens.link(actor.id, now())
        return Who(id=actor.id, name=link.name if link else "", by_link=True)
    name = session.workspace.accounts.user(actor.id).name if ACCOUNT_ID.fullmatch(actor.id) else ""
    return Who(id=actor.id, name=name, by_link=False)


@flow("tokens.make", Policy.ACCOUNTS)
def make_api_token(session: Session, user: str, *, name: str, days: int = 90) -> Opened:
    """Make a token for a program that works as somebody; its secret is told this once.

    Raises
    ------
    WrongUseError
        ``days_unreadable``
    """
    if not 1 <= days <= MOST_TOKEN_DAYS:
        raise WrongUseError("days_unreadable", value=days, most=MOST_TOKEN_DAYS)
    found = session.workspace.accounts.user(user)
    return _open(session, found, "api", name, timedelta(days=days), by=session.actor.id, said="make")


@flow("tokens.revoke", Policy.ACCOUNTS)
def revoke_token(session: Session, token_id: str) -> None:
    """End a token, whatever its kind."""
    session.workspace.accounts.tokens.revoke(token_id, by=session.actor.id, flow="tokens.revoke", at=now())


@flow("tokens.list", Policy.ACCOUNTS)
def list_tokens(session: Session) -> list[Token]:
    """All tokens, newest first; without their secrets, which nobody knows but the bearer."""
    return session.workspace.accounts.tokens.all()


@flow("access.log", Policy.ACCOUNTS)
def access_log(session: Session, *, actor: str = "", since: datetime | None = None, limit: int = 1000) -> list[Access]:
    """Who looked at restricted rows or changed accounts, newest first."""
    return session.workspace.accounts.log_entries(actor=actor, since=since, limit=limit)


def _open(session: Session, user: User, kind: str, name: str, lasts: timedelta, *, by: str, said: str) -> Opened:
    secret, at = ("vm_" if kind == "api" else "") + secrets.token_urlsafe(32), now()
    room = "tokens" if kind == "api" else "session"
    token = session.workspace.accounts.tokens.add(
        kind, digest(secret), user.id, name=name[:100], expires_at=at + lasts, by=by, flow=f"{room}.{said}", at=at
    )
    return Opened(id=token.id, actor=user.id, secret=secret, expires_at=token.expires_at)


def _actor(session: Session, token: Token, at: datetime) -> Actor | None:
    accounts = session.workspace.accounts
    if token.link_id is not None:
        link = accounts.tokens.link(token.link_id, at)
        if link is None:
            return None
        return Actor(link.id, units=frozenset(link.units), link=Link(places=link.places, issues=link.issues))
    return actor_of_account(session, token.user_id or "")


def actor_of_account(session: Session, account: str) -> Actor | None:
    """An account with the grants that stand today, for work that goes on without whoever asked; None if it is locked.

    Raises
    ------
    NotFoundError
        ``unknown_user``
    """
    if account == OWNER.id:
        return OWNER
    accounts = session.workspace.accounts
    user = accounts.user(account)
    if user.disabled:
        return None
    return Actor(user.id, tuple(_as_grant(given) for given in accounts.grants(user.id)), frozenset(user.units))


def _as_grant(given: GivenGrant) -> Grant:
    return Grant(
        role=Role(given.role), places=given.places, groups=given.groups, private=given.private, until=given.until
    )


def role_code(word: str) -> str:
    """The role that a code or a label in any of our languages means."""
    plain = word.strip().casefold()
    for role in Role:
        labels = {catalog("accounts", lang)["roles"][role.value].casefold() for lang in LANGS}
        if plain in {role.value, *labels}:
            return role.value
    raise WrongUseError("role_unknown", word=word[:100], known=", ".join(Role))


def place_id(session: Session, word: str) -> str:
    """The town or village that a code or name means; a village by name stands behind its town ("甲镇/东村").

    Raises
    ------
    NotFoundError, AmbiguousError
        Where no place fits, or several do.
    """
    gazetteer = session.workspace.gazetteer()
    town, slash, village = word.partition("/")
    if slash:
        return gazetteer.find(village, Level.VILLAGE, gazetteer.find(town, Level.TOWN)).place_id
    try:
        return gazetteer.find(word, Level.TOWN).place_id
    except NotFoundError:
        if not gazetteer.candidates(word, Level.VILLAGE):
            raise NotFoundError("place_unknown", word=word[:100]) from None
        return gazetteer.find(word, Level.VILLAGE).place_id


def unit_code(session: Session, word: str) -> str:
    """A duty unit as it stands in issues: "town:CODE", "village:CODE", or a code of the vocabulary.

    Raises
    ------
    WrongUseError
        ``unit_unknown``
    """
    kind, colon, place = word.partition(":")
    if colon and kind in {Level.TOWN, Level.VILLAGE}:
        found = session.workspace.gazetteer().by_id[place_id(session, place)]
        if found.level == kind:
            return f"{kind}:{found.code or found.place_id}"
    vocabulary = session.workspace.vocabulary
    code = vocabulary.code_of("units", word) if not colon else None
    if code is None or code in {Level.TOWN, Level.VILLAGE}:
        raise WrongUseError("unit_unknown", word=word[:100], known=", ".join(vocabulary.words["units"]))
    return code


def _group(vocabulary: Vocabulary, word: str) -> str:
    code = vocabulary.code_of("groups", word)
    if code is None:
        raise WrongUseError("group_unknown", word=word[:100], known=", ".join(vocabulary.groups))
    return code


def digest(secret: str) -> bytes:
    """What stands in the file in a secret's place: its SHA-256."""
    return hashlib.sha256(secret.encode()).digest()
