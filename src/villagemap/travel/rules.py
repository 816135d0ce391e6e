"""Classes of roads, their speeds and the words for them: ``roads.toml``, with a county's own laid over it."""

import hashlib
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from villagemap.errors import WorkspaceError
from villagemap.texts import LANGS

OTHER = "other"
_FASTEST_KM_H = 130.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadRules:
    """What is known of classes: ``speeds`` in km/h by class code (an OSM class is ``osm.…``), ``words`` to class code.

    ``barred`` are values of access tags, ``barriers`` kinds of barriers that no car passes, ``no`` and ``reverse`` what
    a column about one way or bridges says. ``digest`` tells rules apart.
    """

    speeds: Mapping[str, float]
    words: Mapping[str, str]
    labels: Mapping[str, Mapping[str, str]]
    limit_factor: float
    barred: frozenset[str]
    barriers: frozenset[str]
    no: frozenset[str]
    reverse: frozenset[str]
    digest: str

    def class_of(self, word: str) -> str | None:
        """The class that a person's word means, or the letter that a road's number begins with; None for neither."""
        plain = plain_word(word)
        if plain in self.words:
            return self.words[plain]
        return self.words.get(plain[:1]) if plain[1:4].isdigit() else None

    def speed(self, kind: str) -> float:
        """The speed of a class; a class that a changed table no longer has goes as any other road."""
        return self.speeds.get(kind, self.speeds[OTHER])


def plain_word(word: str) -> str:
    """A word without capitals, spaces and punctuation, full width made half."""
    return "".join(c for c in unicodedata.normalize("NFKC", word).casefold() if c.isalnum() or c == "-")


def load_rules(own: Path | None = None) -> RoadRules:
    """Our rules with a county's ``own`` file laid over them.

    Raises
    ------
    WorkspaceError
        ``roads_rules_unreadable`` if it isn't TOML; ``roads_rules_wrong`` names what can't be meant.
    """
    raw = tomllib.loads((Path(__file__).parents[1] / "roads.toml").read_text(encoding="utf-8"))
    if own is not None and own.exists():
        try:
            _overlay(raw, tomllib.loads(own.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
            raise WorkspaceError("roads_rules_unreadable", path=str(own), fault=str(fault)) from fault
    try:
        return _rules(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise WorkspaceError("roads_rules_wrong", path=str(own or "roads.toml"), fault=str(fault)) from fault


def _overlay(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _overlay(below[key], value)
        else:
            below[key] = value


def _rules(raw: Mapping[str, Any]) -> RoadRules:
    speeds = {code: _speed(f"classes.{code}.speed_km_h", entry["speed_km_h"]) for code, entry in raw["classes"].items()}
    speeds |= {f"osm.{name}": _speed(f"osm.{name}", value) for name, value in raw["osm"].items()}
    words = {plain_word(word): code for code, entry in raw["classes"].items() for word in entry["words"].split()}
    labels = {code: {lang: str(entry[lang]) for lang in LANGS} for code, entry in raw["classes"].items()}
    factor = raw["limit_factor"]
    if isinstance(factor, bool) or not 0.1 <= factor <= 1.5:  # noqa: PLR2004 - beyond these it is a typing error
        raise ValueError(f"limit_factor = {factor}")
    return RoadRules(
        speeds=speeds,
        words=words,
        labels=labels,
        limit_factor=float(factor),
        barred=frozenset(raw["access"]["barred"].split()),
        barriers=frozenset(raw["access"]["barriers"].split()),
        no=frozenset(map(plain_word, raw["said"]["no"].split())),
        reverse=frozenset(map(plain_word, raw["said"]["reverse"].split())),
        digest=hashlib.sha256(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)).hexdigest(),
    )


def _speed(where: str, value: Any) -> float:  # noqa: ANN401 - TOML
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _FASTEST_KM_H:
        raise ValueError(f"{where} = {value}")
    return float(value)
