"""Opening a county for one command, and printing for machines."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from villagemap.settings import workspace_dir

if TYPE_CHECKING:
    from villagemap.flows.registry import Session

SHOWN = 5
"""So many hashes are named in a line; --json names all."""


@contextmanager
def opened(directory: Path | None) -> "Iterator[Session]":
    """The owner of this computer at work in a workspace, closed at the end."""
    from villagemap.auth import OWNER
    from villagemap.flows.registry import Session
    from villagemap.flows.workspace import open_workspace

    workspace = open_workspace(workspace_dir(directory))
    try:
        yield Session(workspace, OWNER)
    finally:
        workspace.close()


def few(hashes: Sequence[str]) -> str:
    """The first of many hashes, short enough for a line."""
    return ", ".join(sha256[:12] for sha256 in hashes[:SHOWN]) + (" …" if len(hashes) > SHOWN else "")


def print_json(value: Any) -> None:  # noqa: ANN401 - anything that JSON can say
    """Print a report for a machine: UTF-8 JSON on stdout."""
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=_plain).decode())


def _plain(value: object) -> object:
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(type(value))
