"""Who there is: users, what they were granted, who looked at what. Passwords come and go as hashes only.

Every change notes itself in the access log, in its own transaction.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from villagemap.chain import instant_text
from villagemap.errors import ConflictError, NotFoundError
from villagemap.store.accounts_file import AccountsFile
from villagemap.store.tokens import Tokens, end_tokens, note


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody with a password. ``login`` is what they type, ``name`` what others read, ``units`` where they belong."""

    id: str
    login: str
    name: str
    units: tuple[str, ...]
    disabled: bool
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenGrant:
    """A grant as it was given; ``role`` is a code, ``places`` are place ids, ``revoked_at`` None while it stands."""

    id: str
    user_id: str
    role: str
    places: tuple[str, ...]
    groups: tuple[str, ...]
    private: bool
    until: date | None
    made_at: datetime
    made_by: str
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One look at restricted rows, or one change of accounts."""

    at: datetime
    actor: str
    flow: str
    subject: str


class Accounts:
    """The users of one workspace; ``tokens`` holds what opens a door."""

    def __init__(self, path: Path) -> None:
        """Open the file; raises like `AccountsFile`."""
        self._file = AccountsFile(path)
        self.tokens = Tokens(self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def exist(self) -> bool:
        """Whether there is any user, disabled ones too: what was locked once doesn't open again by itself."""
        with self._file.reading() as connection:
            return connection.execute("SELECT 1 FROM users LIMIT 1").fetchone() is not None

    def users(self) -> list[User]:
        """All users in the order in which they came."""
        with self._file.reading() as connection:
            return [_user(row) for row in connection.execute("SELECT * FROM users ORDER BY number").fetchall()]

    def user(self, word: str) -> User:
        """One user by id or login name.

        Raises
        ------
        NotFoundError
            ``unknown_user``
        """
        with self._file.reading() as connection:
            row = connection.execute(
                "SELECT * FROM users WHERE login_key = ?1 OR 'u' || number = ?2 ORDER BY login_key = ?1 DESC",
                (login_key(word), word),
            ).fetchone()
        if row is None:
            raise NotFoundError("unknown_user", word=word[:100])
        return _user(row)

    def units_of(self, ids: Iterable[str]) -> frozenset[str]:
        """All units that any of these users or links belong to; ids that are neither count as units themselves."""
        wanted = set(ids)
        known = {user.id: user.units for user in self.users()} | {link.id: link.units for link in self.tokens.links()}
        return frozenset(unit for name in wanted for unit in known.get(name, (name,)))

    def password(self, login: str) -> tuple[User, str] | None:
        """A user by login name, with the hash of the password."""
        with self._file.reading() as connection:
            row = connection.execute("SELECT * FROM users WHERE login_key = ?", (login_key(login),)).fetchone()
        return (_user(row), row["password"]) if row else None

    def add_user(
        self, login: str, name: str, password: str, units: Sequence[str], *, by: str, flow: str, at: datetime
    ) -> User:
        """Add somebody; ``password`` is its hash.

        Raises
        ------
        ConflictError
            ``login_taken``
        """
        values = (login, login_key(login), name, password, _list(units), instant_text(at))
        with self._file.writing() as connection:
            try:
                row = connection.execute(
                    "INSERT INTO users (login, login_key, name, password, units, made_at) VALUES (?,?,?,?,?,?)"
                    " RETURNING *",
                    values,
                ).fetchone()
            except sqlite3.IntegrityError as fault:
                raise ConflictError("login_taken", login=login) from fault
            user = _user(row)
            note(connection, at, by, flow, user.id)
        return user

    def set_password(self, user_id: str, password: str, *, by: str, flow: str, at: datetime) -> None:
        """Set another password (a hash); whatever the user had open is closed."""
        with self._file.writing() as connection:
            connection.execute("UPDATE users SET password = ? WHERE number = ?", (password, _number(user_id)))
            end_tokens(connection, "user", _number(user_id), at)
            note(connection, at, by, flow, user_id)

    def renew_hash(self, user_id: str, old: str, new: str) -> None:
        """The same password under a stronger hash, unless it was changed meanwhile."""
        with self._file.writing() as connection:
            connection.execute(
                "UPDATE users SET password = ? WHERE number = ? AND password = ?", (new, _number(user_id), old)
            )

    def disable(self, user_id: str, *, disabled: bool, by: str, flow: str, at: datetime) -> None:
        """Lock somebody out (whatever they had open is closed), or let them in again."""
        with self._file.writing() as connection:
            connection.execute("UPDATE users SET disabled = ? WHERE number = ?", (disabled, _number(user_id)))
            if disabled:
                end_tokens(connection, "user", _number(user_id), at)
            note(connection, at, by, flow, f"{user_id} {'disabled' if disabled else 'enabled'}")

    def grants(self, user_id: str = "") -> list[GivenGrant]:
        """The grants that stand, of one user or of all."""
        condition, values = (" AND user = ?", (_number(user_id),)) if user_id else ("", ())
        with self._file.reading() as connection:
            rows = connection.execute(
                f"SELECT * FROM grants WHERE revoked_at IS NULL{condition} ORDER BY number", values
            ).fetchall()
        return [_grant(row) for row in rows]

    def add_grant(
        self,
        user_id: str,
        role: str,
        *,
        places: Sequence[str],
        groups: Sequence[str],
        private: bool,
        until: date | None,
        by: str,
        flow: str,
        at: datetime,
    ) -> GivenGrant:
        """Give somebody a role over a part of the county."""
        values = (
            _number(user_id), role, _list(places), _list(groups), private, until.isoformat() if until else None,
            instant_text(at), by,
        )  # fmt: skip
        with self._file.writing() as connection:
            row = connection.execute(
                "INSERT INTO grants (user, role, places, groups, private, until, made_at, made_by)"
                " VALUES (?,?,?,?,?,?,?,?) RETURNING *",
                values,
            ).fetchone()
            grant = _grant(row)
            note(connection, at, by, flow, f"{user_id} {grant.id} {role}")
        return grant

    def revoke_grant(self, grant_id: str, *, by: str, flow: str, at: datetime) -> None:
        """Take a grant back; it counts from the next request on.

        Raises
        ------
        NotFoundError
            ``unknown_grant``: there is none, or it was taken back before.
        """
        with self._file.writing() as connection:
            done = connection.execute(
                "UPDATE grants SET revoked_at = ? WHERE 'g' || number = ? AND revoked_at IS NULL",
                (instant_text(at), grant_id),
            )
            if not done.rowcount:
                raise NotFoundError("unknown_grant", word=grant_id[:100])
            note(connection, at, by, flow, grant_id)

    def log(self, actor: str, flow: str, subject: str, at: datetime) -> None:
        """Note that somebody looked at restricted rows."""
        with self._file.writing() as connection:
            note(connection, at, actor, flow, subject)

    def log_entries(self, *, actor: str = "", since: datetime | None = None, limit: int) -> list[Access]:
        """The newest entries of the access log, newest first."""
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM access_log WHERE (?1 = '' OR actor = ?1) AND at >= ?2"
                " ORDER BY at DESC, rowid DESC LIMIT ?3",
                (actor, instant_text(since) if since else "", limit),
            ).fetchall()
        return [
            Access(at=datetime.fromisoformat(row["at"]), actor=row["actor"], flow=row["flow"], subject=row["subject"])
            for row in rows
        ]


def login_key(login: str) -> str:
    """What makes two login names the same: letter case and outer spaces don't."""
    return login.strip().casefold()


def _user(row: sqlite3.Row) -> User:
    return User(
        id=f"u{row['number']}",
        login=row["login"],
        name=row["name"],
        units=tuple(json.loads(row["units"])),
        disabled=bool(row["disabled"]),
        made_at=datetime.fromisoformat(row["made_at"]),
    )


def _grant(row: sqlite3.Row) -> GivenGrant:
    return GivenGrant(
        id=f"g{row['number']}",
        user_id=f"u{row['user']}",
        role=row["role"],
        places=tuple(json.loads(row["places"])),
        groups=tuple(json.loads(row["groups"])),
        private=bool(row["private"]),
        until=date.fromisoformat(row["until"]) if row["until"] else None,
        made_at=datetime.fromisoformat(row["made_at"]),
        made_by=row["made_by"],
        revoked_at=datetime.fromisoformat(row["revoked_at"]) if row["revoked_at"] else None,
    )


def _number(account_id: str) -> int:
    return int(account_id[1:])


def _list(words: Sequence[str]) -> str:
    return json.dumps(list(words), ensure_ascii=False)
