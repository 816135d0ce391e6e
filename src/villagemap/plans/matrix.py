"""How long and how far it is between sites, and where these figures come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]

NEVER = 1 << 30
"""Seconds or metres that stand for *no way*; sums of thousands of them still fit into int64."""


class MatrixKind(StrEnum):
    """Where travel times come from."""

    ROADS = "roads"
    LINE = "line"
    """Straight line × detour at one speed: an estimate, and labelled so wherever it shows."""
    GIVEN = "given"
    """The user's own; overrides all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrix:
    """Travel between n sites: ``duration_s[i, j]`` and ``distance_m[i, j]`` from site i to j, int64, shape (n, n).

    `NEVER` in both where there is no way; the diagonal is 0. ``ids`` name the sites. ``digest`` tells two sources
    apart (the road graph's content hash, or that of the given figures); ``about`` are facts for a person: ``file``,
    ``detour``, ``speed_km_h``, ``closed``.
    """

    ids: tuple[str, ...]
    duration_s: Whole
    distance_m: Whole
    kind: MatrixKind
    digest: str = ""
    about: Mapping[str, str | int | float] = field(default_factory=dict)

    @property
    def estimated(self) -> bool:
        """Whether these are no roads but straight lines."""
        return self.kind is MatrixKind.LINE

    def source(self) -> dict[str, Any]:
        """Where the figures come from, as a plan keeps it."""
        return {
            "kind": self.kind.value,
            "digest": self.digest,
            "estimated": self.estimated,
            "about": dict(self.about),
        }

    def index(self) -> dict[str, int]:
        """Site id to its row."""
        return {site: row for row, site in enumerate(self.ids)}

    def among(self, ids: Sequence[str]) -> "Matrix":
        """The part of it between ``ids``, in their order (an id may stand there twice).

        Raises
        ------
        KeyError
            For a site that it doesn't know.
        """
        row = self.index()
        rows = np.array([row[site] for site in ids], np.intp)
        cut = np.ix_(rows, rows)
        return Matrix(
            ids=tuple(ids),
            duration_s=self.duration_s[cut],
            distance_m=self.distance_m[cut],
            kind=self.kind,
            digest=self.digest,
            about=self.about,
        )
