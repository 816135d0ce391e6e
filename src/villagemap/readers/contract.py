"""What both sides of the sandbox agree on: how much is read, and the shape of what a parser gives."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one reading. What exceeds one is refused with a sentence, never cut off.

    ``wall_s`` counts only time spent waiting for the child, so that a slow consumer doesn't end it.
    ``cells`` is the area that a sheet's filled cells span, which is what a spreadsheet parser allocates.
    """

    file_bytes: int = 200 * MEGABYTE
    unpacked_bytes: int = 500 * MEGABYTE
    memory_bytes: int = 1024 * MEGABYTE
    cpu_s: int = 60
    wall_s: float = 120.0
    rows: int = 2_000_000
    columns: int = 1_000
    cells: int = 16_000_000
    field_chars: int = 100_000


DEFAULT_LIMITS = Limits()

ParsedRow = tuple[int, list[str], str | None, str]
"""Number in the file as a person counts (a table's header is row 1), values as text, geometry as WKT, fault or ""."""


class Parsed(NamedTuple):
    """A parser's answer: what is known before the first row (``columns`` at least), and the rows to come."""

    head: dict[str, Any]
    rows: Iterator[ParsedRow]
