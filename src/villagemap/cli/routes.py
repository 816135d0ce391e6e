"""Commands of routes: plan, list, show, explain, check, new plan during the day, take along; and the worker of jobs."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from villagemap.cli.options import Dir, Json
from villagemap.cli.session import opened, print_json
from villagemap.cli.words import LANG
from villagemap.errors import BadInputError, NotFoundError, WrongUseError
from villagemap.settings import workspace_dir
from villagemap.texts import text

if TYPE_CHECKING:
    from villagemap.flows.registry import Session
    from villagemap.flows.routes.kept import KeptPlan
    from villagemap.flows.routes.request import Request
    from villagemap.plans import Problem, Route
    from villagemap.routing.solving import Progress

MOST_TOLD = 20


def say(key: str, /, **params: Any) -> str:  # noqa: ANN401 - values of any printable type
    """A sentence of these commands."""
    return text(f"plans.cli.{key}", LANG, **params)


routes = typer.Typer(help=say("help"), no_args_is_help=True, rich_markup_mode=None)

PlanWord = Annotated[str, typer.Argument(help=say("plan_word"), metavar="PLAN", show_default=False)]
Team = Annotated[str, typer.Option("--team", help=say("team"), show_default=False)]
Day = Annotated[int, typer.Option("--day", min=0, max=20, help=say("day"), show_default=False)]


@routes.command("plan", help=say("plan_help"))
def plan(
    request: Annotated[Path | None, typer.Argument(help=say("request"), metavar="REQUEST.json")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help=say("output"), show_default=False)] = None,
    towns: Annotated[list[str] | None, typer.Option("--town", help=say("town"), show_default=False)] = None,
    teams: Annotated[int, typer.Option("--teams", min=1, max=12, help=say("teams"))] = 2,
    days: Annotated[int, typer.Option("--days", min=1, max=20, help=say("days"))] = 1,
    first: Annotated[datetime | None, typer.Option("--first", formats=["%Y-%m-%d"], help=say("first"))] = None,
    start: Annotated[str, typer.Option("--start", help=say("start"), show_default=False)] = "",
    sweep: Annotated[str, typer.Option("--sweep", help=say("sweep"), show_default=False)] = "",
    categories: Annotated[list[str] | None, typer.Option("--category", help=say("category"))] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help=say("overdue"))] = False,
    issues: Annotated[bool, typer.Option("--issues/--villages-only", help=say("issues"))] = False,
    matrix: Annotated[Path | None, typer.Option("--matrix", help=say("matrix"), show_default=False)] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help=say("seconds"), show_default=False)] = None,
    iterations: Annotated[int | None, typer.Option("--iterations", help=say("iterations"), show_default=False)] = None,
    seed: Annotated[int | None, typer.Option("--seed", help=say("seed"), show_default=False)] = None,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Make a plan and keep it."""
    common: dict[str, Any] = {
        "days": {"first": f"{first:%Y-%m-%d}", "count": days} if first else None,
        "count": days,
        "teams": [{"start": start or None} for _ in range(teams)],
        "sweep": sweep,
        "choose": {"towns": towns or [], "categories": categories or [], "overdue": overdue, "issues": issues},
    }
    budget = {"seconds": seconds, "iterations": iterations, "seed": seed}
    with opened(directory) as session:
        asked = _request(session, request, common, {k: v for k, v in budget.items() if v is not None}, matrix)
        kept = _planned(session, asked)
        told = _told(session, kept)
    if output is not None:
        _write(output, told)
    if as_json:
        print_json(told)
    else:
        _print_plan(kept, told)


def _request(
    session: "Session", path: Path | None, common: dict[str, Any], budget: dict[str, Any], matrix: Path | None
) -> "Request":
    """The request of a file, or of the options."""
    import orjson

    from villagemap.flows.routes.request import read_request
    from villagemap.flows.routes.travelling import with_matrix

    said = _read(path) if path else _common(session, common)
    if isinstance(said, bytes):
        read_request(said)  # its form is told with the places in the file
        said = orjson.loads(said)
    request = read_request({**said, **budget})
    return with_matrix(request, matrix) if matrix else request


def _common(session: "Session", common: dict[str, Any]) -> dict[str, Any]:
    """The request that options make: a sweep's missed villages, else all villages of the towns."""
    first = common["days"] or {"first": session.workspace.settings.day().isoformat(), "count": common["count"]}
    choose = common["choose"]
    wanted = bool(choose["categories"] or choose["overdue"])
    said = {"days": first, "teams": [{k: v for k, v in team.items() if v} for team in common["teams"]]}
    if common["sweep"]:
        said["sweep"] = common["sweep"]
    if not common["sweep"] or choose["issues"] or wanted:
        villages = [] if wanted or common["sweep"] else "all"
        said["choose"] = {**choose, "issues": choose["issues"] or wanted, "villages": villages}
    return said


def _read(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except FileNotFoundError as fault:
        raise NotFoundError("file_missing", file=str(path)) from fault
    except OSError as fault:
        raise BadInputError("file_unreadable", file=str(path), fault=fault.strerror or str(fault)) from fault


def _planned(session: "Session", request: "Request") -> "KeptPlan":
    """The plan, with a line that says how far it is; Ctrl-C keeps the best so far."""
    from villagemap.flows.routes.planning import fraction, make_plan

    with _stoppable() as stopped, _line() as line:

        def watch(progress: "Progress") -> bool:
            line(say("progress", percent=round(100 * fraction(progress, request)), stops=progress.stops,
                     left_out=progress.left_out, travel=_duration(progress.travel_s)))  # fmt: skip
            return stopped()

        return make_plan(session, request, watch=watch)


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Take the first Ctrl-C as "enough"; the second ends the program."""
    pressed: list[int] = []

    def note(number: int, _frame: object) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _line() -> Iterator[Callable[[str], None]]:
    """A line that is written over; nothing where nobody looks at a terminal."""
    shown = sys.stderr.isatty()

    def write(words: str) -> None:
        if shown:
            click.echo(f"\r\x1b[K{words}", nl=False, err=True)

    yield write
    if shown:
        click.echo("\r\x1b[K", nl=False, err=True)


def _told(session: "Session", kept: "KeptPlan") -> dict[str, Any]:
    from villagemap.flows.routes.telling import tell_plan

    return tell_plan(session, kept, LANG)


def _write(path: Path, told: dict[str, Any]) -> None:
    import orjson

    from villagemap.exports import write_whole

    write_whole(path, [orjson.dumps(told, option=orjson.OPT_INDENT_2), b"\n"])


def _print_plan(kept: "KeptPlan", told: dict[str, Any], *, calls: bool = False) -> None:
    """A plan in words: its figures, each team's days, what was left out, and what to know."""
    figures = kept.plan.figures
    click.echo(say("kept", name=kept.name, id=kept.id, revision=kept.revision))
    click.echo(say("figures", stops=figures.stops, left_out=figures.left_out, villages=figures.villages,
                   of=figures.villages_in_all, km=f"{figures.distance_m / 1000:.1f}",
                   travel=_duration(figures.travel_s)))  # fmt: skip
    for line in (told["told"]["matrix"], told["told"]["shortfall"]):
        if line:
            click.echo(line)
    for route in sorted(kept.plan.routes, key=lambda route: (route.day, route.team)):
        if route.calls:
            _print_route(kept.problem, route, calls=calls)
    _print_left_out(kept, told["told"]["left_out"])
    for finding in told["findings"][:MOST_TOLD]:
        click.echo(finding["sentence"], err=True)
    if len(told["findings"]) > MOST_TOLD:
        click.echo(say("more", count=len(told["findings"]) - MOST_TOLD), err=True)
    for breach in told["told"]["breaches"]:
        click.echo(say("breach", sentence=breach["sentence"]), err=True)


def _print_left_out(kept: "KeptPlan", left_out: dict[str, Any]) -> None:
    """The first stops left out with their reasons, and how to see the rest and what would help."""
    names = {stop.id: stop.name for stop in kept.problem.stops}
    for stop, told in list(left_out.items())[:MOST_TOLD]:
        click.echo(say("left_out", stop=stop, name=names[stop], why=told["why"]))
    if left_out:
        click.echo(say("see_explain", count=len(left_out), id=kept.id), err=True)


def _print_route(problem: "Problem", route: "Route", *, calls: bool) -> None:
    teams = {team.id: team.name for team in problem.teams}
    names = {stop.id: stop.name for stop in problem.stops}
    click.echo(say("route", team=teams[route.team], day=problem.days[route.day - 1], leave=_clock(route.leave_s),
                   back=_clock(route.back_s), stops=len(route.calls), km=f"{route.distance_m / 1000:.1f}"))  # fmt: skip
    for order, call in enumerate(route.calls if calls else (), 1):
        click.echo(f"{order}\t{_clock(call.begin_s)}\t{_clock(call.leave_s)}\t{call.stop}\t{names[call.stop]}")


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"


def _duration(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}"


@routes.command("schema", help=say("schema_help"))
def schema() -> None:
    """Print the JSON Schema of a request."""
    from villagemap.flows.routes.request import request_schema

    click.echo(request_schema().decode(), nl=False)


@routes.command("list", help=say("list_help"))
def list_them(directory: Dir = None, as_json: Json = False) -> None:
    """List kept plans."""
    from villagemap.flows.routes.kept import list_plans, told_head

    with opened(directory) as session:
        heads = [told_head(head) for head in list_plans(session)]
    if as_json:
        print_json(heads)
        return
    for head in heads:
        click.echo(
            f"{head['id']}\t{head['name']}\t{head['days']}\t{head['teams']}\t{head['stops']}\t{head['left_out']}"
        )
    if not heads:
        click.echo(say("none"), err=True)


@routes.command("show", help=say("show_help"))
def show(word: PlanWord, directory: Dir = None, as_json: Json = False) -> None:
    """Show a plan with all its calls."""
    from villagemap.flows.routes.kept import show_plan

    with opened(directory) as session:
        kept = show_plan(session, word)
        told = _told(session, kept)
    if as_json:
        print_json(told)
    else:
        _print_plan(kept, told, calls=True)


@routes.command("explain", help=say("explain_help"))
def explain(
    word: PlanWord,
    stop: Annotated[str, typer.Argument(help=say("stop"), metavar="[STOP]", show_default=False)] = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Say why stops were left out, with the proof, and what would help."""
    from villagemap.flows.routes.kept import show_plan

    with opened(directory) as session:
        kept = show_plan(session, word)
        told = _told(session, kept)
    left_out = {s: t for s, t in told["told"]["left_out"].items() if not stop or s == stop}
    outside = [f for f in told["findings"] if f["left_out"] and f["stop"] and (not stop or f["stop"] == stop)]
    if stop and not left_out and not outside:
        raise NotFoundError("stop_not_left_out", stop=stop[:100])
    if as_json:
        print_json({"left_out": left_out, "findings": outside, "shortfall": told["plan"]["shortfall"]})
        return
    names = {one.id: one.name for one in kept.problem.stops}
    if told["told"]["shortfall"]:
        click.echo(told["told"]["shortfall"])
    for one, said in left_out.items():
        click.echo(say("left_out", stop=one, name=names[one], why=said["why"]))
        for line in (*said["proof"], *said["hints"]):
            click.echo(f"  {line}")
    for finding in outside:
        click.echo(finding["sentence"])
    if not left_out and not outside:
        click.echo(say("nothing_left_out"), err=True)


@routes.command("check", help=say("check_help"))
def check(word: PlanWord, directory: Dir = None, as_json: Json = False) -> None:
    """Check a kept plan again."""
    from villagemap.flows.routes.planning import check_kept
    from villagemap.flows.routes.telling import told_breaches

    with opened(directory) as session:
        found = check_kept(session, word)
    breaches = told_breaches(found.kept.problem, found.breaches, LANG)
    if as_json:
        print_json({"id": found.kept.id, "digest": found.kept.digest, "whole": found.whole, "breaches": breaches})
    else:
        click.echo(say("whole" if found.whole else "changed", digest=found.kept.digest), err=not found.whole)
        for breach in breaches:
            click.echo(say("breach", sentence=breach["sentence"]), err=True)
        if not breaches:
            click.echo(say("sound"))
    if not found.sound:
        raise typer.Exit(3)


@routes.command("replan", help=say("replan_help"))
def replan(
    word: PlanWord,
    happened: Annotated[Path | None, typer.Argument(help=say("happened"), metavar="[HAPPENED.json]")] = None,
    day: Annotated[int, typer.Option("--day", min=1, max=20, help=say("replan_day"))] = 1,
    at: Annotated[str, typer.Option("--now", help=say("now"), show_default=False)] = "",
    done: Annotated[list[str] | None, typer.Option("--done", help=say("done"), show_default=False)] = None,
    broken: Annotated[list[str] | None, typer.Option("--broken", help=say("broken"), show_default=False)] = None,
    late: Annotated[list[str] | None, typer.Option("--late", help=say("late"), metavar="TEAM=MINUTES")] = None,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Plan the rest of a day anew."""
    from villagemap.flows.routes.replanning import read_happened, replan_day, told_changes

    said: bytes | dict[str, Any]
    if happened:
        said = _read(happened)
    else:
        lateness = dict(_late(entry) for entry in late or ())
        said = {"day": day, "now": at, "done": done or [], "broken": broken or [], "late": lateness}
    with opened(directory) as session:
        new = replan_day(session, word, read_happened(said))
        told = _told(session, new.kept)
    changes = told_changes(new, LANG)
    if as_json:
        print_json({"changes": changes, "plan": told})
        return
    _print_plan(new.kept, told)
    for kind in ("dropped", "moved", "added"):
        for change in changes[kind]:
            click.echo(change["sentence"])
    click.echo(say("stability", percent=changes["stability"]))


def _late(entry: str) -> tuple[str, str]:
    team, equals, minutes = entry.partition("=")
    if not equals:
        raise WrongUseError("late_unreadable", value=entry[:60])
    return team, minutes


@routes.command("export", help=say("export_help"))
def export(
    word: PlanWord,
    output: Annotated[Path, typer.Option("-o", "--output", help=say("export_output"), show_default=False)],
    team: Team = "",
    day: Day = 0,
    address: Annotated[str, typer.Option("--address", help=say("address"), show_default=False)] = "",
    directory: Dir = None,
) -> None:
    """Write a plan to take along."""
    from villagemap.exports import write_whole
    from villagemap.flows.routes.exporting import export_plan
    from villagemap.flows.routes.kept import show_plan

    form = output.suffix.lower().removeprefix(".")
    with opened(directory) as session:
        made = export_plan(
            session, show_plan(session, word), form, lang=LANG, team=team, day=day, address=address.rstrip("/")
        )
    write_whole(output, [made])
    click.echo(say("written", path=output), err=True)


@routes.command("corridor", help=say("corridor_help"))
def corridor(
    word: PlanWord,
    within: Annotated[float, typer.Option("--within", help=say("within"))] = 200.0,
    team: Team = "",
    day: Day = 0,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """List open issues beside a plan's way."""
    from dataclasses import asdict

    from villagemap.flows.routes.kept import show_plan
    from villagemap.flows.routes.legs import issues_beside

    with opened(directory) as session:
        found = issues_beside(session, show_plan(session, word), within_m=within, team=team, day=day)
        labels = {code: entry.labels[LANG] for code, entry in session.workspace.vocabulary.categories.items()}
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        label = labels.get(one.category, one.category)
        click.echo(
            say("beside", number=one.number or one.id, category=label, off=one.off_m, km=f"{one.along_m / 1000:.1f}")
        )
    click.echo(say("beside_count", count=len(found), within=f"{within:g}"), err=True)


def run_jobs(directory: Dir = None, linger: Annotated[float, typer.Option("--linger", hidden=True)] = 30.0) -> None:
    """Do the jobs that wait in a workspace; started by the server and by nobody else."""
    from villagemap.flows.routes.working import run_jobs as flow

    flow(workspace_dir(directory), linger_s=linger)
