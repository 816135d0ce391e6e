"""Commands of routes: plan, explain, check, list, show; and the worker that does long work."""

from typing import Annotated

import typer

from villagemap.cli.options import Dir
from villagemap.settings import workspace_dir


def run_jobs(directory: Dir = None, linger: Annotated[float, typer.Option("--linger", hidden=True)] = 30.0) -> None:
    """Do the jobs that wait in a workspace; started by the server and by nobody else."""
    from villagemap.flows.routes.working import run_jobs as flow

    flow(workspace_dir(directory), linger_s=linger)
