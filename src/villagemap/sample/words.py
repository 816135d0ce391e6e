"""The sample's word material (``words.toml``) and a county's vocabulary as tables that a loop can index."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from villagemap.model import Place, Privacy
from villagemap.vocabulary import Category, Vocabulary

FIRST_KIND, FIRST_SHAPE = 0.85, 0.75
"""How often an issue has the first geometry kind its category names: where that is a point, and elsewhere."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A category with all that its issues are written from."""

    category: Category
    privacy: Privacy
    severity: int
    least: int
    most: int
    recurrent: bool
    descriptions: tuple[str, ...]
    interim: tuple[str, ...]
    subdefects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """Tables by number: kinds (c of them, with ``weights``), sources, phrases."""

    kinds: tuple[Kind, ...]
    weights: npt.NDArray[np.float64]
    sources: tuple[str, ...]
    source_weights: npt.NDArray[np.float64]
    found_by_oneself: npt.NDArray[np.bool_]
    list_names: tuple[tuple[str, ...], ...]
    spots: tuple[str, ...]
    outside_spots: tuple[str, ...]
    tails: tuple[str, ...]
    surnames: tuple[str, ...]
    roles: tuple[str, ...]
    notes: Mapping[str, tuple[str, ...]]


@cache
def _material() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


def words_of(vocabulary: Vocabulary) -> Words:
    """The tables for a county's vocabulary; a category or source of its own is described by its label."""
    raw = _material()
    kinds = tuple(_kind(category, raw["categories"].get(code, {})) for code, category in vocabulary.categories.items())
    weights = np.array([raw["categories"].get(kind.category.code, {}).get("weight", 5) for kind in kinds], float)
    sources = tuple(vocabulary.words["sources"])
    return Words(
        kinds=kinds,
        weights=weights / weights.sum(),
        sources=sources,
        source_weights=np.array([raw["source_weights"].get(source, 1) for source in sources], float),
        found_by_oneself=np.array([bool(vocabulary.words["sources"][s].get("self")) for s in sources], bool),
        list_names=tuple(
            tuple(raw["list_names"].get(source, [vocabulary.label("sources", source, "zh")])) for source in sources
        ),
        spots=tuple(raw["spots"]),
        outside_spots=tuple(raw["outside_spots"]),
        tails=tuple(raw["tails"]),
        surnames=tuple(raw["surnames"]),
        roles=tuple(raw["responsible_roles"]),
        notes={kind: tuple(notes) for kind, notes in raw["notes"].items()},
    )


def _kind(category: Category, raw: Mapping[str, Any]) -> Kind:
    least, most = raw.get("quantity", (1, 3))
    return Kind(
        category=category,
        privacy=category.privacy,
        severity=raw.get("severity", 3),
        least=least,
        most=most,
        recurrent=raw.get("recurrent", False),
        descriptions=tuple(raw.get("descriptions", [category.labels["zh"] + "{n}。"])),
        interim=tuple(raw.get("interim", ())),
        subdefects=tuple(category.subdefects),
    )


def shape_kind(category: Category, chance: float) -> str:
    """Which of a category's geometry kinds an issue has, for a uniform ``chance``."""
    kinds = category.geometry
    often = FIRST_KIND if kinds[0] in {"point", "village"} else FIRST_SHAPE
    if len(kinds) == 1 or chance < often:
        return kinds[0]
    return kinds[1 + int((chance - often) / (1 - often) * (len(kinds) - 1))]


def office_of(town: Place) -> str:
    """The office that answers for a town."""
    return town.name + ("办事处" if town.name.endswith("街道") else "人民政府")


def quantity_text(quantity: float, unit: str) -> str:
    """A quantity with its unit as people write it: 3处, 240 m²."""
    return f"{quantity:g} {unit}" if unit.isascii() or unit == "m²" else f"{quantity:g}{unit}"
