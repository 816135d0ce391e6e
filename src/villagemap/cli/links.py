"""Commands about doors: tokens for programs, and links without an account, with their QR codes.

A secret goes to standard output or into a file that was asked for, once, and nowhere else.
"""

import os
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
import typer

from villagemap.cli.options import Dir, Json
from villagemap.cli.session import opened, print_json
from villagemap.cli.users import User, helped, said
from villagemap.errors import WrongUseError

if TYPE_CHECKING:
    from segno import QRCode

tokens = typer.Typer(help=helped("tokens"), no_args_is_help=True, rich_markup_mode=None)
links = typer.Typer(help=helped("links"), no_args_is_help=True, rich_markup_mode=None)

QR_KINDS = (".svg", ".png")


@tokens.command("make", help=helped("tokens_make"))
def make_token(
    user: User,
    name: Annotated[str, typer.Option("--name", help=helped("token_name"), show_default=False)],
    days: Annotated[int, typer.Option("--days", min=1, max=366, help=helped("days"))] = 90,
    directory: Dir = None,
) -> None:
    """Make a token for a program."""
    from villagemap.flows.people.accounts import make_api_token

    with opened(directory) as session:
        made = make_api_token(session, user, name=name, days=days)
    click.echo(said("token_made", id=made.id, day=_day(made.expires_at)), err=True)
    click.echo(made.secret)


@tokens.command("revoke", help=helped("tokens_revoke"))
def revoke_token(
    token: Annotated[str, typer.Argument(help=helped("token"), metavar="TOKEN", show_default=False)],
    directory: Dir = None,
) -> None:
    """End a token."""
    from villagemap.flows.people.accounts import revoke_token as flow

    with opened(directory) as session:
        flow(session, token)
    click.echo(said("ended", id=token), err=True)


@tokens.command("list", help=helped("tokens_list"))
def list_tokens(directory: Dir = None, as_json: Json = False) -> None:
    """List tokens."""
    from villagemap.flows.people.accounts import list_tokens as flow

    with opened(directory) as session:
        found = flow(session)
    if as_json:
        print_json([asdict(token) for token in found])
        return
    for token in found:
        bearer = token.user_id or token.link_id or ""
        state = _state(token.expires_at, token.revoked_at)
        click.echo("\t".join([token.id, token.kind, bearer, token.name, _day(token.expires_at), state]))


@links.command("make", help=helped("links_make"))
def make_link(
    address: Annotated[str, typer.Option("--address", help=helped("base"), show_default=False)],
    name: Annotated[str, typer.Option("--name", help=helped("link_name"), show_default=False)],
    places: Annotated[list[str] | None, typer.Option("--place", help=helped("link_place"))] = None,
    issues: Annotated[list[str] | None, typer.Option("--issue", help=helped("link_issue"))] = None,
    units: Annotated[list[str] | None, typer.Option("--unit", help=helped("link_unit"))] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=92, help=helped("days"))] = 14,
    uses: Annotated[int, typer.Option("--uses", min=1, max=1000, help=helped("uses"))] = 50,
    qr: Annotated[Path | None, typer.Option("--qr", help=helped("qr"), show_default=False)] = None,
    directory: Dir = None,
) -> None:
    """Make a link, with its QR code."""
    import segno

    from villagemap.flows.people.links import make_link as flow

    if qr is not None and qr.suffix.casefold() not in QR_KINDS:
        raise WrongUseError("export_suffix", suffix=qr.suffix or qr.name, known=", ".join(QR_KINDS))
    with opened(directory) as session:
        made = flow(
            session, name=name, places=places or (), issues=issues or (), units=units or (), days=days, uses=uses
        )
    opens = f"{address.rstrip('/')}/link#{made.secret}"
    code = segno.make(opens, micro=False)
    click.echo(said("link_made", id=made.link.id, day=_day(made.link.expires_at), uses=uses), err=True)
    click.echo(opens)
    if sys.stderr.isatty():
        code.terminal(out=sys.stderr, compact=True)
    if qr is not None:
        _write_secret(qr, code)
        click.echo(said("qr_written", path=qr), err=True)


def _write_secret(path: Path, code: "QRCode") -> None:
    """Write a QR code into a file that its owner alone may read."""
    try:
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            code.save(file, kind=path.suffix.casefold().lstrip("."), scale=8)
    except OSError as fault:
        raise WrongUseError("output_unwritable", path=path, fault=fault.strerror or str(fault)) from fault


@links.command("revoke", help=helped("links_revoke"))
def revoke_link(
    link: Annotated[str, typer.Argument(help=helped("link"), metavar="LINK", show_default=False)],
    directory: Dir = None,
) -> None:
    """End a link."""
    from villagemap.flows.people.links import revoke_link as flow

    with opened(directory) as session:
        flow(session, link)
    click.echo(said("ended", id=link), err=True)


@links.command("list", help=helped("links_list"))
def list_links(directory: Dir = None, as_json: Json = False) -> None:
    """List links."""
    from villagemap.flows.people.links import list_links as flow

    with opened(directory) as session:
        found = flow(session)
    if as_json:
        print_json([asdict(link) for link in found])
        return
    for link in found:
        state = _state(link.expires_at, link.revoked_at)
        aims = ",".join(link.places or link.issues)
        click.echo("\t".join([link.id, link.name, aims, str(link.uses_left), _day(link.expires_at), state]))


def _day(at: datetime) -> str:
    return at.astimezone().date().isoformat()


def _state(expires_at: datetime, revoked_at: datetime | None) -> str:
    from villagemap.settings import now

    return said("gone") if revoked_at or expires_at <= now() else said("good")
