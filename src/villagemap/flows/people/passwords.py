"""Passwords: what makes one good enough, and their hashes (argon2id, RFC 9106's second parameter set)."""

import threading
import unicodedata
from functools import cache

from pwdlib import PasswordHash

from villagemap.errors import BadInputError

LEAST_LENGTH = 10
MOST_LENGTH = 200
LEAST_DIFFERENT = 5

_AT_ONCE = threading.BoundedSemaphore(2)
"""A hash takes 64 MB: a crowd at the login page must not take all the memory there is."""


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def no_ones_hash() -> str:
    """A hash of no one's password: verifying against it takes as long as against somebody's."""
    return hashed("nobody has this password")


def checked(password: str, login: str) -> str:
    """The password in one Unicode form, if it is good enough.

    Raises
    ------
    BadInputError
        ``password_weak``
    """
    plain = _plain(password)
    weak = (
        not LEAST_LENGTH <= len(plain) <= MOST_LENGTH
        or len(set(plain)) < LEAST_DIFFERENT
        or login.casefold() in plain.casefold()
    )
    if weak:
        raise BadInputError("password_weak", least=LEAST_LENGTH, different=LEAST_DIFFERENT)
    return plain


def hashed(password: str) -> str:
    """The argon2id hash of a password that was checked."""
    with _AT_ONCE:
        return _hasher().hash(password)


def verified(password: str, known: str) -> tuple[bool, str | None]:
    """Whether a password is the one behind a hash, and a stronger hash where ``known`` has grown old."""
    with _AT_ONCE:
        return _hasher().verify_and_update(_plain(password)[: MOST_LENGTH + 1], known)


def _plain(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
