"""Anchor codes: the end of a county's chain in twenty characters, short enough to be printed on a sheet and typed back.

Whoever owns the computer could rebuild a whole chain of events; a code kept on paper elsewhere shows it. A code holds
80 bits of the hash, so that no other history can be made to fit it, the number of the event, and a check character.

The letters are Crockford's base 32 (no I, L, O, U; small letters, and I or L for 1, O for 0, are read too). Crockford's
own check needs five more signs, among them ``*`` and ``$``; ours is a sum over GF(32) in the same letters. Each letter
has a weight of its own, so that one wrong letter and any two letters swapped are always told.
"""

import unicodedata
from typing import NamedTuple

from villagemap.errors import BadInputError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
HASH_LETTERS = 16
"""Of 5 bits each: 80 bits."""
GROUP = 4

_SEQ_LETTERS = (3, 7)
"""With the hash and the check these make whole groups; seven letters number 34 thousand million events."""
_LOOKALIKES = str.maketrans("ILO", "110", "- \t\r\n")
_REDUCE = 0b100101
"""x⁵ + x² + 1, which is primitive over GF(2): the weights of 31 letters differ."""


class Anchor(NamedTuple):
    """What a code says: the hash of event ``seq`` begins with these 20 hex digits."""

    seq: int
    start: str


def anchor_code(seq: int, digest: str) -> str:
    """The code of the event ``seq`` whose hash is ``digest`` (hex), such as ``0G2C-9S1W-7YVQ-4K3E-0B8M``."""
    letters = next(length for length in _SEQ_LETTERS if seq < 32**length)
    number = int(digest[: HASH_LETTERS * 5 // 4], 16)
    body = _letters(number, HASH_LETTERS) + _letters(seq, letters)
    code = body + ALPHABET[_times_x(_remainder(body))]
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def read_anchor(code: str) -> Anchor:
    """What a typed code says.

    Raises
    ------
    BadInputError
        ``anchor_unreadable`` if it can't be a code at all, ``anchor_typo`` if its check character doesn't fit.
    """
    plain = unicodedata.normalize("NFKC", code).upper().translate(_LOOKALIKES)
    lengths = {HASH_LETTERS + letters + 1 for letters in _SEQ_LETTERS}
    if len(plain) not in lengths or set(plain) - set(ALPHABET):
        raise BadInputError("anchor_unreadable", typed=code[:100])
    if _remainder(plain):
        raise BadInputError("anchor_typo", typed=code[:100])
    number, seq = _number(plain[:HASH_LETTERS]), _number(plain[HASH_LETTERS:-1])
    return Anchor(seq, f"{number:0{HASH_LETTERS * 5 // 4}x}")


def _letters(number: int, length: int) -> str:
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number << 5 | ALPHABET.index(letter)
    return number


def _remainder(letters: str) -> int:
    """The sum of the letters, each times a power of x in GF(32), the last times 1 (Horner's rule)."""
    total = 0
    for letter in letters:
        total = _times_x(total) ^ ALPHABET.index(letter)
    return total


def _times_x(element: int) -> int:
    doubled = element << 1
    return doubled ^ _REDUCE if doubled > 31 else doubled  # noqa: PLR2004 - five bits
