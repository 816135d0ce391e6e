"""Commands that keep a county: backup, restore, snapshot, upgrade, anchor."""

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import click
import typer

from villagemap.cli.options import Dir, Json, day_of
from villagemap.cli.session import few, opened, print_json
from villagemap.cli.words import LANG
from villagemap.model import Audience
from villagemap.settings import workspace_dir
from villagemap.texts import text


class Recipient(StrEnum):
    """For whom a snapshot may be."""

    OFFICE = "office"
    PUBLIC = "public"


def said(key: str, /, **params: Any) -> str:  # noqa: ANN401 - values of any printable type
    """A sentence of these commands."""
    return text(f"backups.cli.{key}", LANG, **params)


def helped(key: str) -> str:
    """What an option or command is for."""
    return text(f"backups.help.{key}", LANG)


def backup(
    target: Annotated[Path, typer.Argument(help=helped("target"), metavar="FILE|DIR", show_default=False)],
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Back up the whole county."""
    from villagemap.flows.upkeep.backups import back_up

    with opened(directory) as session:
        made = back_up(session, target, progress=_say_progress if sys.stderr.isatty() else None)
    if as_json:
        print_json({**asdict(made), "path": str(made.path)})
        return
    size_mb = made.size // 1_000_000
    click.echo(
        said("backed_up", path=made.path, seq=made.seq, photos=made.photos, size_mb=size_mb, anchor=made.anchor),
        err=True,
    )
    if made.changed:
        click.echo(said("changed", count=len(made.changed), names=few(made.changed)), err=True)


def _say_progress(done: int, total: int) -> None:
    if done % 1000 == 0 or done == total:
        click.echo(said("progress", done=done, total=total), err=True)


def restore(
    source: Annotated[Path, typer.Argument(help=helped("source"), metavar="FILE|DIR", show_default=False)],
    directory: Dir = None,
    replace: Annotated[bool, typer.Option("--replace", help=helped("replace"))] = False,
    as_json: Json = False,
) -> None:
    """Restore a backup."""
    from villagemap.flows.upkeep.restoring import restore as restored

    done = restored(source, workspace_dir(directory), replace=replace)
    if as_json:
        print_json({**asdict(done), "folder": str(done.folder), "aside": done.aside and str(done.aside)})
        return
    told = {"seq": done.seq, "made_at": done.made_at, "anchor": done.anchor}
    click.echo(said("restored", folder=done.folder, photos=done.photos.named, **told), err=True)
    for key, hashes in (("missing", done.photos.missing), ("changed", done.photos.changed)):
        if hashes:
            click.echo(said(key, count=len(hashes), names=few(hashes)), err=True)
    if done.aside:
        click.echo(said("aside", path=done.aside), err=True)


def snapshot(
    output: Annotated[Path, typer.Argument(help=helped("output"), metavar="FILE", show_default=False)],
    audience: Annotated[Recipient, typer.Option("--for", help=helped("for"), show_default=False)],
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Write one GeoPackage for others."""
    from villagemap.flows.upkeep.snapshots import write_county

    with opened(directory) as session:
        made = write_county(session, output, Audience(audience.value))
    if as_json:
        print_json({"path": str(made.path), "rows": dict(made.rows), "seq": made.seq})
        return
    rows = {name: made.rows.get(name, 0) for name in ("issues", "villages")}
    click.echo(said("snapshot", path=output, seq=made.seq, **rows), err=True)


def upgrade(
    directory: Dir = None,
    target: Annotated[Path | None, typer.Option("--backup", help=helped("upgrade_target"), show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Bring an older county up to date, after a backup."""
    from villagemap.flows.upkeep.backups import upgrade as upgraded

    done = upgraded(workspace_dir(directory), target)
    if as_json:
        print_json({"store": done.store, "accounts": done.accounts, "backup": done.backup and str(done.backup.path)})
        return
    if done.backup is None:
        click.echo(said("upgrade_nothing", schema=done.store[1]), err=True)
        return
    versions = dict(zip(("before", "after", "users_before", "users_after"), (*done.store, *done.accounts), strict=True))
    click.echo(said("upgraded", **versions), err=True)
    click.echo(said("upgrade_backup", path=done.backup.path), err=True)


def anchor(
    on: Annotated[str, typer.Option("--on", help=helped("on"), show_default=False)] = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Print the chain's anchor code."""
    from villagemap.flows.upkeep.admin import anchor as anchored

    with opened(directory) as session:
        made = anchored(session, day_of(on))
    if as_json:
        print_json({"code": made.code, "seq": made.head.seq, "hash": made.head.hash})
        return
    click.echo(made.code)
    click.echo(said("anchor", seq=made.head.seq, hash=made.head.hash[:16]), err=True)
