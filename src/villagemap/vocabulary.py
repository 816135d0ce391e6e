"""Categories, sources, statuses and their labels: data in ``vocabulary.toml``, which a county edits.

A workspace may hold its own ``vocabulary.toml``; what it says is laid over ours, entry by entry.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from villagemap.errors import WorkspaceError
from villagemap.model import Privacy
from villagemap.texts import LANGS

Labels = Mapping[str, str]
"""Language to label."""

WORDS = ("units", "sources", "statuses", "urgencies", "levels", "datums")
"""The plain word lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One kind of issue. ``due_days`` is None where ``due`` names a rule or the clock has no days.

    A new case within ``radius_m`` of a closed one is its relapse (0: in the same village); ``revisit_days`` after a
    closing somebody looks again.
    """

    code: str
    group: str
    labels: Labels
    unit: str
    geometry: tuple[str, ...]
    privacy: Privacy
    due_days: int | None
    due: str
    evidence: tuple[str, ...]
    may_defer: bool
    lead: str
    help: tuple[str, ...]
    subdefects: Mapping[str, Labels]
    radius_m: float
    revisit_days: tuple[int, ...]

    @property
    def bound_to_village(self) -> bool:
        """Whether its place is the village itself, so that it needs no position."""
        return "village" in self.geometry


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """All words a county works with, in a fixed order."""

    groups: Mapping[str, Labels]
    categories: Mapping[str, Category]
    words: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """Plain word lists: units, sources, statuses, urgencies, levels, datums."""
    chain: tuple[str, ...]
    """Who asks for close-out, who checks, who verifies."""
    evidence_grade: str
    """The least grade of a photo that counts when a case is closed."""
    suffixes: Mapping[str, tuple[str, ...]]
    """By level: what a short name leaves out."""

    def label(self, kind: str, code: str, lang: str) -> str:
        """What people call ``code``; the code itself where the list doesn't know it (a unit's proper name)."""
        if kind == "groups":
            return self.groups[code][lang] if code in self.groups else code
        if kind == "categories":
            return self.categories[code].labels[lang] if code in self.categories else code
        entry = self.words[kind].get(code)
        return str(entry[lang]) if entry else code

    def short_name(self, name: str, level: str) -> str:
        """A place's name without its official ending; the whole name where nothing would be left."""
        endings = (ending for ending in self.suffixes.get(level, ()) if name.endswith(ending))
        return next((name[: -len(ending)] for ending in endings if len(name) > len(ending)), name)

    def code_of(self, kind: str, word: str) -> str | None:
        """The code for what a person wrote: the code itself or any of its labels, spaces and case aside."""
        return self._codes(kind).get(_plain(word))

    def _codes(self, kind: str) -> Mapping[str, str]:
        return _codes(self, kind)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@cache
def _codes(vocabulary: Vocabulary, kind: str) -> Mapping[str, str]:
    entries: Mapping[str, Mapping[str, Any]]
    if kind == "categories":
        entries = {code: category.labels for code, category in vocabulary.categories.items()}
    else:
        entries = vocabulary.groups if kind == "groups" else vocabulary.words[kind]
    codes: dict[str, str] = {}
    for code, entry in entries.items():
        for word in (code, entry["zh"], entry["en"], *entry.get("also", ())):
            codes.setdefault(_plain(str(word)), code)
    return codes


@lru_cache(4096)
def _plain(word: str) -> str:
    return "".join(word.split()).casefold()


@cache
def load_vocabulary(own: Path | None = None) -> Vocabulary:
    """Our vocabulary with the county's ``own`` file laid over it.

    Raises
    ------
    WorkspaceError
        If the county's file isn't TOML or misses a part of a category; it says which.
    """
    raw = tomllib.loads((Path(__file__).parent / "vocabulary.toml").read_text(encoding="utf-8"))
    if own is not None and own.exists():
        try:
            _overlay(raw, tomllib.loads(own.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
            raise WorkspaceError("vocabulary_unreadable", path=str(own), fault=str(fault)) from fault
    try:
        categories = {code: _category(code, entry, raw["revisit_days"]) for code, entry in raw["categories"].items()}
        words = {kind: raw[kind] for kind in WORDS}
        for kind in ("groups", *WORDS):
            for code, entry in raw[kind].items():
                _labels(f"{kind}.{code}", entry)
        suffixes = {level: tuple(words) for level, words in raw["suffixes"].items()}
        chain, grade = tuple(map(str, raw["chain"])), str(raw["evidence_grade"])
    except (KeyError, ValueError, TypeError, AttributeError) as fault:
        raise WorkspaceError("vocabulary_incomplete", path=str(own), fault=str(fault)) from fault
    return Vocabulary(
        groups=raw["groups"],
        categories=categories,
        words=words,
        chain=chain,
        evidence_grade=grade,
        suffixes=suffixes,
    )


def _labels(where: str, entry: Mapping[str, Any]) -> Labels:
    """The labels of an entry in all languages; ``where`` names it to whom it lacks one."""
    labels = {lang: entry.get(lang) for lang in LANGS}
    lacking = [f"{where}.{lang}" for lang, label in labels.items() if not (isinstance(label, str) and label.strip())]
    if lacking:
        raise ValueError(", ".join(lacking))
    return {lang: str(label) for lang, label in labels.items()}


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _overlay(below[key], value)
        else:
            below[key] = value


def _category(code: str, entry: Mapping[str, Any], revisit_days: Sequence[int]) -> Category:
    days, radius = entry.get("revisit_days", revisit_days), float(entry.get("radius_m", 0))
    if radius < 0 or not all(type(day) is int and day > 0 for day in days):
        raise ValueError(f"categories.{code}.radius_m, revisit_days")
    return Category(
        code=code,
        group=entry["group"],
        labels=_labels(f"categories.{code}", entry),
        unit=entry["unit"],
        geometry=tuple(entry["geometry"]),
        privacy=Privacy(entry["privacy"]),
        due_days=entry.get("due_days"),
        due=entry.get("due", ""),
        evidence=tuple(entry.get("evidence", ())),
        may_defer=entry.get("may_defer", True),
        lead=entry["lead"],
        help=tuple(entry.get("help", ())),
        subdefects=entry.get("subdefects", {}),
        radius_m=radius,
        revisit_days=tuple(days),
    )
