"""Options that many commands share, and days as people write them."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from villagemap.cli.words import LANG, say
from villagemap.errors import WrongUseError

Dir = Annotated[Path | None, typer.Option("--dir", help=say("options.dir"), show_default=False)]
Json = Annotated[bool, typer.Option("--json", help=say("options.json"))]
Mapping = Annotated[Path | None, typer.Option("--mapping", help=say("options.mapping"), show_default=False)]
Datum = Annotated[str, typer.Option("--datum", help=say("options.datum"), show_default=False)]
Port = Annotated[int, typer.Option("--port", min=1, max=65535, help=say("options.port"))]
Host = Annotated[str, typer.Option("--host", help=say("options.host"))]

__all__ = ["LANG", "Datum", "Dir", "Host", "Json", "Mapping", "Port", "day_of"]


def day_of(word: str) -> date | None:
    """The day that somebody wrote; None for nothing.

    Raises
    ------
    WrongUseError
        ``date_unreadable``
    """
    try:
        return date.fromisoformat(word) if word else None
    except ValueError as fault:
        raise WrongUseError("date_unreadable", value=word) from fault
