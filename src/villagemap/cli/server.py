"""Commands that start something: demo, serve, bench."""

import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
import typer

from villagemap.cli.options import Dir, Host, Port
from villagemap.cli.session import opened
from villagemap.cli.words import say
from villagemap.errors import NotFoundError
from villagemap.settings import workspace_dir

if TYPE_CHECKING:
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


def serve(directory: Dir = None, host: Host = LOOPBACK, port: Port = 8000) -> None:
    """Serve a county's pages and API."""
    with opened(directory) as session:
        _serve(session, host, port)


def _serve(session: "Session", host: str, port: int) -> None:
    from villagemap.api.server import serve as run

    run(session.workspace, host, port, ready=lambda address: click.echo(say("serve.ready", address=address), err=True))


def bench(
    words: Annotated[list[str] | None, typer.Argument(help=say("bench.words"), show_default=False)] = None,
) -> None:
    """Run the benchmarks that come with the sources."""
    script = Path(__file__).parents[3] / "benchmarks" / "run.py"
    if not script.is_file():
        raise NotFoundError("benchmarks_missing")
    sys.argv = [str(script), *(words or ())]
    runpy.run_path(str(script), run_name="__main__")
