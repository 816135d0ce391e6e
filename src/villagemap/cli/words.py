"""The language of the command line, and click's own words in it."""

import sys
from collections.abc import Iterable
from typing import Any

import click

from villagemap.texts import LANGS, catalog, lang_of_locale, text


def _given_lang() -> str:
    """The value of ``--lang`` anywhere on the command line, else the locale's language."""
    words = sys.argv[1:]
    for word, following in zip(words, [*words, ""][1:], strict=True):
        value = following if word == "--lang" else word.partition("--lang=")[2]
        if value in LANGS:
            return value
    return lang_of_locale()


LANG = _given_lang()


def say(key: str, /, **params: Any) -> str:  # noqa: ANN401 - values of any printable type
    """A sentence of the command line."""
    return text(f"cli.{key}", LANG, **params)


class Formatter(click.HelpFormatter):
    """Help whose frame is in the reader's language too."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage line."""
        super().write_usage(prog, args, prefix=say("frame.usage") if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """Write a section's heading."""
        super().write_heading(_framed().get(heading, heading))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 34, col_spacing: int = 2) -> None:
        """Write options or commands with what they do."""
        super().write_dl([(first, _translated(second)) for first, second in rows], col_max, col_spacing)


def _framed() -> dict[str, str]:
    frame: dict[str, str] = catalog("cli", LANG)["frame"]["words"]
    return frame


def _translated(words: str) -> str:
    for said, meant in _framed().items():
        words = words.replace(said, meant)
    return words


click.Context.formatter_class = Formatter
