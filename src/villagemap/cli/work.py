"""Commands of a day's work: tasks, queue, act, photo, report."""

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from villagemap.cli.options import Dir, Json
from villagemap.cli.session import opened, print_json
from villagemap.cli.words import LANG, say
from villagemap.errors import NotFoundError, WrongUseError

if TYPE_CHECKING:
    from villagemap.flows.cases.tasks import Task
    from villagemap.flows.registry import Session

IssueId = Annotated[str, typer.Argument(help=say("show.id"), metavar="ID", show_default=False)]


def tasks(directory: Dir = None, as_json: Json = False) -> None:
    """What has to be worked on, returned cases first, then by urgency."""
    from villagemap.flows.cases.tasks import my_tasks

    with opened(directory) as session:
        found, count = my_tasks(session)
        _tell_tasks(session, found, count, as_json=as_json)


def queue(directory: Dir = None, as_json: Json = False) -> None:
    """What waits for a verifier."""
    from villagemap.flows.cases.tasks import verifiers_queue

    with opened(directory) as session:
        found, count = verifiers_queue(session)
        _tell_tasks(session, found, count, as_json=as_json)


def _tell_tasks(session: "Session", found: "list[Task]", count: int, *, as_json: bool) -> None:
    lines = [_task_line(session, task) for task in found]
    if as_json:
        print_json({"count": count, "tasks": lines})
        return
    for line in lines:
        click.echo("\t".join(str(value) for value in line.values() if value not in ("", None)))
    click.echo(say("work.count", count=count), err=True)


def _task_line(session: "Session", task: "Task") -> dict[str, Any]:
    words, by_id = session.workspace.vocabulary, session.workspace.gazetteer().by_id
    village = by_id.get(task.issue.village_id or "")
    return {
        "number": task.issue.number or task.issue.id,
        "category": words.label("categories", task.issue.category, LANG),
        "village": village.name if village else "",
        "status": words.label("statuses", task.issue.status, LANG),
        "urgency": words.label("urgencies", task.urgency, LANG),
        "due_on": task.issue.due_on,
        "days_left": task.days_left,
        "returned_because": task.returned_because,
    }


def act(
    issue: IssueId,
    action: Annotated[str, typer.Argument(help=say("work.action"), metavar="ACTION", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help=say("work.reason"), show_default=False)] = "",
    done: Annotated[float | None, typer.Option("--done", min=0, help=say("work.done"), show_default=False)] = None,
    until: Annotated[str, typer.Option("--until", help=say("work.until"), show_default=False)] = "",
    lead: Annotated[str, typer.Option("--lead", help=say("work.lead"), show_default=False)] = "",
    helping: Annotated[list[str] | None, typer.Option("--help-unit", help=say("work.help_unit"))] = None,
    duplicate_of: Annotated[str, typer.Option("--duplicate-of", help=say("work.duplicate_of"))] = "",
    revision: Annotated[int | None, typer.Option("--revision", help=say("work.revision"))] = None,
    key: Annotated[str, typer.Option("--key", help=say("work.key"), show_default=False)] = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Take one step of an issue's life."""
    from villagemap.flows.cases.actions import take_action
    from villagemap.workflow import Given

    with opened(directory) as session:
        given = Given(
            on=session.workspace.settings.day(),
            reason=reason,
            quantity_done=done,
            until=_day(until),
            lead_unit=lead,
            help_units=tuple(helping or ()),
            duplicate_of=duplicate_of,
        )
        moved = take_action(session, action, issue, given, revision=revision, key=key)
        status = session.workspace.vocabulary.label("statuses", moved.status, LANG)
    if as_json:
        print_json({"id": moved.id, "number": moved.number, "status": moved.status, "revision": moved.revision})
    click.echo(say("work.moved", number=moved.number or moved.id, status=status), err=True)


def _day(word: str) -> date | None:
    try:
        return date.fromisoformat(word) if word else None
    except ValueError as fault:
        raise WrongUseError("date_unreadable", value=word) from fault


def photo(
    issue: IssueId,
    file: Annotated[Path, typer.Argument(help=say("work.file"), metavar="FILE", show_default=False)],
    stage: Annotated[str, typer.Option("--stage", help=say("work.stage"))] = "after",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Add a photo to an issue; it says how far it proves anything, and why."""
    from villagemap.flows.cases.evidence import add_photo

    if not file.is_file():
        raise NotFoundError("file_missing", file=str(file))
    with opened(directory) as session, file.open("rb") as stream:
        kept, grade = add_photo(session, issue, stage, stream, file.name)
    reasons = [reason.sentence(LANG) for reason in grade.reasons]
    if as_json:
        print_json({"sha256": kept.sha256, "stage": kept.stage, "grade": grade.letter.value, "reasons": reasons})
        return
    click.echo(say("work.graded", letter=grade.letter.value))
    for reason in reasons:
        click.echo(f"  {reason}")


def report(
    category: Annotated[str, typer.Argument(help=say("work.category"), metavar="CATEGORY", show_default=False)],
    description: Annotated[str, typer.Option("--description", help=say("work.description"))] = "",
    village: Annotated[str, typer.Option("--village", help=say("work.village"), show_default=False)] = "",
    lon: Annotated[float | None, typer.Option("--lon", min=-180, max=180, help=say("work.lon"))] = None,
    lat: Annotated[float | None, typer.Option("--lat", min=-90, max=90, help=say("work.lat"))] = None,
    source: Annotated[str, typer.Option("--source", help=say("work.source"))] = "county_unannounced",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Report an issue; it waits to be registered."""
    from villagemap.flows.cases.tasks import Report, report_issue

    with opened(directory) as session:
        words = session.workspace.vocabulary
        code = words.code_of("categories", category) or category
        lonlat = (lon, lat) if lon is not None and lat is not None else None
        told = Report(category=code, description=description, village=village, lonlat=lonlat,
                      source=words.code_of("sources", source) or source)  # fmt: skip
        issue = report_issue(session, told)
    if as_json:
        print_json({name: value for name, value in asdict(issue).items() if name in {"id", "status", "located"}})
    click.echo(say("work.reported", id=issue.id), err=True)
