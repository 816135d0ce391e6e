"""What opens a door: tokens of users and links, links themselves, and how often somebody tried.

A token or a link's secret is known to its bearer alone; here stands its SHA-256. They are random, 32 bytes, so a
plain hash is enough: there is nothing to guess.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from villagemap.chain import instant_text
from villagemap.errors import NotFoundError
from villagemap.store.accounts_file import AccountsFile

USED_EVERY = timedelta(minutes=10)
"""A token's last use is written down at most so often: every write waits for the disk."""
FORGET_ATTEMPTS_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An open door: ``kind`` is session, api or link; either ``user_id`` or ``link_id`` is set."""

    id: str
    kind: str
    user_id: str | None
    link_id: str | None
    name: str
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenLink:
    """A link as it was made: it reads ``places``, or works on ``issues``; ``units`` whom its submissions count for."""

    id: str
    name: str
    units: tuple[str, ...]
    places: tuple[str, ...]
    issues: tuple[str, ...]
    uses_left: int
    made_at: datetime
    made_by: str
    expires_at: datetime
    revoked_at: datetime | None


class Tries(NamedTuple):
    """How many attempts to log in failed lately: of this name from this address, of the name, from the address."""

    pair: int
    name: int
    address: int


class Tokens:
    """Tokens, links and attempts in the file of accounts."""

    def __init__(self, file: AccountsFile) -> None:
        self._file = file

    def add(
        self,
        kind: str,
        digest: bytes,
        user_id: str,
        *,
        name: str,
        expires_at: datetime,
        by: str,
        flow: str,
        at: datetime,
    ) -> Token:
        """Note a user's new token by its hash."""
        with self._file.writing() as connection:
            token = _add(connection, kind, digest, user=int(user_id[1:]), name=name, expires_at=expires_at, at=at)
            note(connection, at, by, flow, f"{user_id} {token.id}")
        return token

    def by_hash(self, digest: bytes, at: datetime) -> Token | None:
        """The token that is good at this instant: known, not expired, not revoked."""
        with self._file.reading() as connection:
            row = connection.execute(
                "SELECT * FROM tokens WHERE hash = ? AND revoked_at IS NULL AND expires_at > ?",
                (digest, instant_text(at)),
            ).fetchone()
        return _token(row) if row else None

    def used(self, token: Token, at: datetime) -> None:
        """Note when a token was last used, to the next `USED_EVERY`."""
        if token.used_at is None or at - token.used_at >= USED_EVERY:
            with self._file.writing() as connection:
                connection.execute(
                    "UPDATE tokens SET used_at = ? WHERE number = ?", (instant_text(at), int(token.id[1:]))
                )

    def all(self, kind: str = "") -> list[Token]:
        """Tokens, newest first: all kinds or one; what expired or was revoked stands there too."""
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM tokens WHERE ?1 = '' OR kind = ?1 ORDER BY number DESC", (kind,)
            ).fetchall()
        return [_token(row) for row in rows]

    def revoke(self, token_id: str, *, by: str, flow: str, at: datetime) -> None:
        """End a token; it counts from the next request on.

        Raises
        ------
        NotFoundError
            ``unknown_token``: there is none, or it has ended before.
        """
        self._revoke("tokens", "t", token_id, "unknown_token", by=by, flow=flow, at=at)

    def add_link(
        self,
        digest: bytes,
        *,
        name: str,
        units: Sequence[str],
        places: Sequence[str],
        issues: Sequence[str],
        uses: int,
        expires_at: datetime,
        by: str,
        flow: str,
        at: datetime,
    ) -> GivenLink:
        """Note a new link by its secret's hash."""
        lists = [json.dumps(list(words), ensure_ascii=False) for words in (units, places, issues)]
        with self._file.writing() as connection:
            row = connection.execute(
                "INSERT INTO links (hash, name, units, places, issues, uses_left, made_at, made_by, expires_at)"
                " VALUES (?,?,?,?,?,?,?,?,?) RETURNING *",
                (digest, name, *lists, uses, instant_text(at), by, instant_text(expires_at)),
            ).fetchone()
            link = _link(row)
            note(connection, at, by, flow, link.id)
        return link

    def links(self) -> list[GivenLink]:
        """All links, newest first."""
        with self._file.reading() as connection:
            return [_link(row) for row in connection.execute("SELECT * FROM links ORDER BY number DESC").fetchall()]

    def link(self, link_id: str, at: datetime) -> GivenLink | None:
        """A link that is good at this instant, whether or not it has uses left for others."""
        with self._file.reading() as connection:
            row = connection.execute(
                "SELECT * FROM links WHERE 'l' || number = ? AND revoked_at IS NULL AND expires_at > ?",
                (link_id, instant_text(at)),
            ).fetchone()
        return _link(row) if row else None

    def redeem_link(
        self, digest: bytes, token: bytes, *, expires_at: datetime, flow: str, at: datetime
    ) -> tuple[GivenLink, Token] | None:
        """Use a link once: one use less and a token, in one transaction; None where it isn't good (any more)."""
        with self._file.writing() as connection:
            row = connection.execute(
                "UPDATE links SET uses_left = uses_left - 1"
                " WHERE hash = ? AND uses_left > 0 AND revoked_at IS NULL AND expires_at > ? RETURNING *",
                (digest, instant_text(at)),
            ).fetchone()
            if row is None:
                return None
            link = _link(row)
            until = min(expires_at, link.expires_at)
            opened = _add(connection, "link", token, link=row["number"], name=link.name, expires_at=until, at=at)
            note(connection, at, link.id, flow, opened.id)
        return link, opened

    def revoke_link(self, link_id: str, *, by: str, flow: str, at: datetime) -> None:
        """End a link and all that was opened with it; raises NotFoundError ``unknown_link``."""
        self._revoke("links", "l", link_id, "unknown_link", by=by, flow=flow, at=at)

    def _revoke(self, table: str, letter: str, word: str, unknown: str, *, by: str, flow: str, at: datetime) -> None:
        with self._file.writing() as connection:
            row = connection.execute(
                f"UPDATE {table} SET revoked_at = ? WHERE ? || number = ? AND revoked_at IS NULL RETURNING number",
                (instant_text(at), letter, word),
            ).fetchone()
            if row is None:
                raise NotFoundError(unknown, word=word[:100])
            if table == "links":
                end_tokens(connection, "link", row["number"], at)
            note(connection, at, by, flow, word)

    def try_login(self, name_key: str, address: str, at: datetime, window: timedelta, most: Tries) -> bool:
        """Note an attempt, unless there were too many in the ``window`` before; whether it may go on.

        Counted and noted in one transaction, so that a hundred attempts at once are no way around the limit.
        """
        since = instant_text(at - window)
        with self._file.writing() as connection:
            connection.execute("DELETE FROM login_attempts WHERE at < ?", (instant_text(at - FORGET_ATTEMPTS_AFTER),))
            seen = connection.execute(
                "SELECT coalesce(sum(name_key = ?1 AND address = ?2), 0), coalesce(sum(name_key = ?1), 0),"
                " coalesce(sum(address = ?2), 0) FROM login_attempts WHERE at > ?3",
                (name_key, address, since),
            ).fetchone()
            if any(count >= limit for count, limit in zip(seen, most, strict=True)):
                return False
            connection.execute("INSERT INTO login_attempts VALUES (?, ?, ?)", (instant_text(at), name_key, address))
        return True

    def forget_attempts(self, name_key: str, address: str) -> None:
        """Somebody got in: what they mistyped before doesn't count any more."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM login_attempts WHERE name_key = ? AND address = ?", (name_key, address))


def note(connection: sqlite3.Connection, at: datetime, actor: str, flow: str, subject: str) -> None:
    """Write one line of the access log."""
    connection.execute("INSERT INTO access_log VALUES (?, ?, ?, ?)", (instant_text(at), actor, flow, subject))


def end_tokens(connection: sqlite3.Connection, holder: str, number: int, at: datetime) -> None:
    """Revoke all tokens of a ``user`` or ``link``."""
    connection.execute(
        f"UPDATE tokens SET revoked_at = ? WHERE {holder} = ? AND revoked_at IS NULL", (instant_text(at), number)
    )


def _add(
    connection: sqlite3.Connection,
    kind: str,
    digest: bytes,
    *,
    name: str,
    expires_at: datetime,
    at: datetime,
    user: int | None = None,
    link: int | None = None,
) -> Token:
    row = connection.execute(
        "INSERT INTO tokens (kind, hash, user, link, name, made_at, expires_at) VALUES (?,?,?,?,?,?,?) RETURNING *",
        (kind, digest, user, link, name, instant_text(at), instant_text(expires_at)),
    ).fetchone()
    return _token(row)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _token(row: sqlite3.Row) -> Token:
    return Token(
        id=f"t{row['number']}",
        kind=row["kind"],
        user_id=f"u{row['user']}" if row["user"] else None,
        link_id=f"l{row['link']}" if row["link"] else None,
        name=row["name"],
        made_at=datetime.fromisoformat(row["made_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
        used_at=_instant(row["used_at"]),
        revoked_at=_instant(row["revoked_at"]),
    )


def _link(row: sqlite3.Row) -> GivenLink:
    return GivenLink(
        id=f"l{row['number']}",
        name=row["name"],
        units=tuple(json.loads(row["units"])),
        places=tuple(json.loads(row["places"])),
        issues=tuple(json.loads(row["issues"])),
        uses_left=row["uses_left"],
        made_at=datetime.fromisoformat(row["made_at"]),
        made_by=row["made_by"],
        expires_at=datetime.fromisoformat(row["expires_at"]),
        revoked_at=_instant(row["revoked_at"]),
    )
