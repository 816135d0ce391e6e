"""The message catalog: every sentence a person reads, in Chinese first and English whole.

``texts/<lang>/<room>.toml`` holds flat or nested keys; ``text("maps.legend", "zh")`` reads
``texts/zh/maps.toml`` and its key ``legend``. Files load at first use, so that ``--help`` stays quick.
"""

import locale
import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

LANGS = ("zh", "en")
DEFAULT_LANG = "zh"
_IN_WORDS = {"zh": "chinese", "en": "english"}


@cache
def catalog(room: str, lang: str) -> dict[str, Any]:
    """All texts of one room as nested dictionaries of strings."""
    path = Path(__file__).parent / lang / f"{room}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def text(key: str, lang: str, /, **params: Any) -> str:  # noqa: ANN401 - str.format takes anything
    """The sentence under ``key`` ("room.path.to.key") in ``lang``, filled with ``params``.

    Raises
    ------
    KeyError
        If the catalog has no such key: a fault of ours, found by a test.
    """
    room, *path = key.split(".")
    value: Any = catalog(room, lang)
    for part in path:
        value = value[part]
    if not isinstance(value, str):
        raise KeyError(key)
    return value.format(**params) if params else value


def lang_of_locale() -> str:
    """``zh`` or ``en`` by ``$VILLAGEMAP_LANG``, else by the system's locale; Chinese when it says neither."""
    named = (os.environ.get(name, "") for name in ("VILLAGEMAP_LANG", "LC_ALL", "LC_MESSAGES", "LANG"))
    # Windows sets none of these and names its locales in words
    chosen = next((name for name in named if name), locale.getlocale()[0] or "" if os.name == "nt" else "")
    return next((lang for lang in LANGS if chosen.casefold().startswith((lang, _IN_WORDS[lang]))), DEFAULT_LANG)


def lang_of_header(accept_language: str) -> str:
    """The best of our languages for an ``Accept-Language`` header; Chinese when it asks for neither."""
    ranked: list[tuple[float, int, str]] = []
    for order, part in enumerate(accept_language.split(",")[:20]):
        tag, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        if tag[:2].lower() in LANGS and quality > 0:
            ranked.append((-quality, order, tag[:2].lower()))
    return min(ranked)[2] if ranked else DEFAULT_LANG
