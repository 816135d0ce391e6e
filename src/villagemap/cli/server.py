"""Commands that start something: demo, serve, bench."""

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
import typer

from villagemap.cli.options import Dir, Host, Port
from villagemap.cli.session import opened
from villagemap.cli.users import helped
from villagemap.cli.words import LANG, say
from villagemap.errors import NotFoundError, WrongUseError
from villagemap.settings import workspace_dir
from villagemap.texts import text

if TYPE_CHECKING:
    from villagemap.api.tls import Secured
    from villagemap.flows.registry import Session

LOOPBACK = "127.0.0.1"


def demo(
    directory: Dir = None,
    issues: Annotated[int, typer.Option("--issues", min=1, max=20_000_000, help=say("demo.issues"))] = 4200,
    seed: Annotated[int, typer.Option("--seed", min=0, help=say("demo.seed"))] = 1,
    port: Port = 8000,
    no_serve: Annotated[bool, typer.Option("--no-serve", help=say("demo.no_serve"))] = False,
) -> None:
    """Build the sample county if there is none, and serve it."""
    from villagemap.sample.building import build_sample, check_sample

    folder = workspace_dir(directory)
    if not check_sample(folder):
        click.echo(say("demo.building", count=issues, folder=folder), err=True)
        build_sample(folder, count=issues, seed=seed, progress=_say_progress)
    if not no_serve:
        with opened(folder) as session:
            _serve(session, LOOPBACK, port)


def _say_progress(done: int, total: int) -> None:
    click.echo(say("demo.progress", done=done, total=total), err=True)


def serve(
    directory: Dir = None,
    host: Host = LOOPBACK,
    port: Port = 8000,
    tls: Annotated[bool, typer.Option("--tls", help=helped("tls"))] = False,
    cert: Annotated[Path | None, typer.Option("--cert", help=helped("cert"), show_default=False)] = None,
    key: Annotated[Path | None, typer.Option("--key", help=helped("key"), show_default=False)] = None,
    names: Annotated[list[str] | None, typer.Option("--name", help=helped("host_name"), show_default=False)] = None,
) -> None:
    """Serve a county's pages and API."""
    with opened(directory) as session:
        secured = _secured(session.workspace.folder, host, names or (), tls=tls, cert=cert, key=key)
        _serve(session, host, port, secured=secured, names=names or ())


def _secured(
    folder: Path, host: str, names: Sequence[str], *, tls: bool, cert: Path | None, key: Path | None
) -> "Secured | None":
    """What HTTPS needs: the files that were given, else by our own authority; None for plain HTTP."""
    if (cert is None) != (key is None):
        raise WrongUseError("tls_pair_missing")
    if cert is not None and key is not None:
        from villagemap.api.tls import given_certificate

        return given_certificate(cert, key)
    if not tls:
        return None
    from villagemap.api.names import own_names
    from villagemap.api.tls import own_certificate

    return own_certificate(folder / "tls", own_names(host, names))


def _serve(
    session: "Session", host: str, port: int, *, secured: "Secured | None" = None, names: Sequence[str] = ()
) -> None:
    from villagemap.api.server import LOOPBACK as LOCAL
    from villagemap.api.server import serve as run

    def ready(address: str) -> None:
        click.echo(say("serve.ready", address=address), err=True)
        if secured is not None:
            _say_secured(secured, address)
        elif host.strip("[]") not in {*LOCAL, "localhost"}:
            click.echo(text("accounts.tls.plain", LANG), err=True)

    run(session.workspace, host, port, ready=ready, secured=secured, names=names)


def _say_secured(secured: "Secured", address: str) -> None:
    """How phones come to trust the server, and until when its certificate is good."""
    if secured.authority is not None:
        for key in ("ready", "open", "compare", "install"):
            words = {"address": address, "fingerprint": secured.authority.fingerprint}
            click.echo(text(f"accounts.tls.{key}", LANG, **words), err=True)
    click.echo(text("accounts.tls.until", LANG, day=secured.until.date().isoformat()), err=True)


def bench(
    words: Annotated[list[str] | None, typer.Argument(help=say("bench.words"), show_default=False)] = None,
) -> None:
    """Run the benchmarks that come with the sources."""
    script = Path(__file__).parents[3] / "benchmarks" / "run.py"
    if not script.is_file():
        raise NotFoundError("benchmarks_missing")
    sys.argv = [str(script), *(words or ())]
    runpy.run_path(str(script), run_name="__main__")
