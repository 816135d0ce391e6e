"""Commands about how it stands: counts, due, outlook, scores, rank, deductions, meeting."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from villagemap.cli.options import Dir, Json, day_of
from villagemap.cli.session import opened, print_json
from villagemap.cli.words import LANG
from villagemap.model import Level
from villagemap.texts import text

if TYPE_CHECKING:
    from villagemap.flows.cases.deadlines import DueCounts

meetings = typer.Typer(help=text("scores.help.meeting", LANG), no_args_is_help=True, rich_markup_mode=None)

FIGURES = (
    "found", "open", "overdue", "claimed", "verified", "left", "on_time", "late", "returned", "failed", "relapsed",
    "by_others", "visited", "villages",
)  # fmt: skip
COUNTS = ("found", "open", "overdue", "claimed", "verified", "deferred", "unlocated", "outside")
DUE = ("overdue", "behind", "near")


def said(key: str, /, **params: Any) -> str:  # noqa: ANN401 - values of any printable type
    """A sentence of these commands."""
    return text(f"scores.cli.{key}", LANG, **params)


def helped(key: str) -> str:
    """What an option or command is for."""
    return text(f"scores.help.{key}", LANG)


Town = Annotated[str, typer.Option("--town", help=helped("town"), show_default=False)]
AsOf = Annotated[str, typer.Option("--as-of", help=helped("as_of"), metavar="INSTANT", show_default=False)]
ByVillage = Annotated[bool, typer.Option("--village", help=helped("village"))]
Name = Annotated[str, typer.Argument(help=helped("name"), metavar="NAME", show_default=False)]


def _instant(word: str) -> datetime | None:
    from villagemap.flows.standing.moments import instant_meant

    return instant_meant(word) if word else None


def _level(by_village: bool) -> Level:
    return Level.VILLAGE if by_village else Level.TOWN


def _row(cells: Iterable[object]) -> None:
    click.echo("\t".join("" if cell is None else str(cell) for cell in cells))


def _heads(names: Iterable[str]) -> list[str]:
    return [text(f"scores.figures.{name}", LANG) for name in names]


def counts(directory: Dir = None, as_of: AsOf = "", as_json: Json = False) -> None:
    """Count the county's and each town's cases."""
    from dataclasses import asdict

    from villagemap.flows.cases.issues import county_table

    with opened(directory) as session:
        whole, rows = county_table(session, as_of=_instant(as_of))
    if as_json:
        towns = [{"code": r.town.code if r.town else None, **asdict(r.counts)} for r in rows]
        print_json({"county": asdict(whole), "towns": towns})
        return
    _row([said("place"), *_heads(COUNTS)])
    for name, line in [
        (said("county"), whole),
        *((r.town.name if r.town else said("outside"), r.counts) for r in rows),
    ]:
        _row([name, *(getattr(line, figure) for figure in COUNTS)])


def due(
    directory: Dir = None,
    town: Town = "",
    unit: Annotated[str, typer.Option("--unit", help=helped("unit"), show_default=False)] = "",
    person: Annotated[str, typer.Option("--person", help=helped("person"), show_default=False)] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, max=1000, help=helped("limit"))] = 20,
    as_json: Json = False,
) -> None:
    """Let ended deferrals return, and list what is due."""
    from villagemap.flows.cases.deadlines import wake_deferred, what_is_due
    from villagemap.flows.cases.relapses import due_revisits
    from villagemap.flows.standing.score_views import told_due, told_revisits

    with opened(directory) as session:
        woken = wake_deferred(session)
        sheet = what_is_due(session, town=town, unit=unit, person=person, limit=limit)
        revisits = due_revisits(session, town=town)
        words = session.workspace.vocabulary
    if as_json:
        print_json({"woken": woken, **told_due(sheet), "revisits": told_revisits(revisits)})
        return
    if woken:
        click.echo(said("woken", count=woken), err=True)
    _row([said("place"), *_heads(DUE)])
    _due_row(said("county"), sheet.counts)
    for place, counted in sheet.towns:
        _due_row(place.name if place else said("outside"), counted)
    for name, counted in sheet.units:
        _due_row(words.label("units", name, LANG), counted)
    for name, counted in sheet.persons:
        _due_row(name, counted)
    for line in sheet.lines:
        marks = (words.label("urgencies", line.urgency, LANG), said("days_left", days=line.days_left))
        kind, lead = words.label("categories", line.category, LANG), words.label("units", line.lead_unit, LANG)
        _row([line.number or line.id, *marks, line.town, line.village, kind, lead, line.responsible])
    if revisits:
        click.echo(said("revisits", count=len(revisits), numbers=", ".join(r.number for r in revisits[:20])))


def _due_row(name: str, counted: "DueCounts") -> None:
    _row([name, *(getattr(counted, figure) for figure in DUE)])


def outlook(directory: Dir = None, town: Town = "", as_json: Json = False) -> None:
    """Say whether it will be done in time."""
    from villagemap.flows.cases.deadlines import will_we_make_it
    from villagemap.flows.standing.score_views import told_outlook

    with opened(directory) as session:
        told = will_we_make_it(session, town=town)
    if as_json:
        print_json(told_outlook(told, LANG))
        return
    for name, found in (("soft", told.soft), ("hard", told.hard)):
        if found is not None:
            click.echo(said(f"outlook_{name}"))
            click.echo(said("outlook_verified", words=found.verified.in_words(LANG)))
            click.echo(said("outlook_claimed", words=found.claimed.in_words(LANG)))


def scores(
    directory: Dir = None, town: Town = "", as_of: AsOf = "", village: ByVillage = False, as_json: Json = False
) -> None:
    """Show what each town or village found and did."""
    from villagemap.flows.standing.score_views import told_scores
    from villagemap.flows.standing.scores import score_table

    with opened(directory) as session:
        told = told_scores(score_table(session, by=_level(village), town=town, as_of=_instant(as_of)))
    if as_json:
        print_json(told)
        return
    _row([said("place"), *_heads(FIGURES), said("claimed_percent"), said("verified_percent")])
    for row in told["places"]:
        _row([row["name"], *(row[name] for name in FIGURES), row["claimed_percent"], row["verified_percent"]])


def rank(
    directory: Dir = None, town: Town = "", as_of: AsOf = "", village: ByVillage = False, as_json: Json = False
) -> None:
    """Rank towns or villages by standardised rates."""
    from villagemap.flows.standing.score_views import told_rank
    from villagemap.flows.standing.scores import rank_table

    with opened(directory) as session:
        told = told_rank(rank_table(session, by=_level(village), town=town, as_of=_instant(as_of)))
    if as_json:
        print_json(told)
        return
    for row in sorted(told["places"], key=lambda row: row["rank"] or len(told["places"]) + 1):
        marks = [text(f"scores.marks.{mark}", LANG) for mark in ("tied", "small") if row[mark]]
        marks += [] if row["rank"] else [text("scores.marks.unranked", LANG)]
        exposure = {name: row[name] for name in ("visited", "villages", "decided")}
        points = [f"{text(f'scores.rates.{name}', LANG)} {rate['points']}" for name, rate in row["rates"].items()]
        _row([row["rank"], row["name"], row["score"], *marks, *points, text("scores.marks.exposure", LANG, **exposure)])
    click.echo(text("scores.marks.standard", LANG), err=True)
    click.echo(text("scores.marks.quick", LANG, cap=told["quick_cap"]), err=True)


def deductions(
    directory: Dir = None,
    town: Town = "",
    as_of: AsOf = "",
    village: ByVillage = False,
    first: Annotated[str, typer.Option("--from", help=helped("from"), show_default=False)] = "",
    last: Annotated[str, typer.Option("--to", help=helped("to"), show_default=False)] = "",
    as_json: Json = False,
) -> None:
    """Show the capped-deduction sheet, from cases found by others."""
    from villagemap.flows.standing.score_views import told_deductions
    from villagemap.flows.standing.scores import deduction_table

    with opened(directory) as session:
        table = deduction_table(
            session,
            by=_level(village),
            town=town,
            as_of=_instant(as_of),
            first_on=day_of(first),
            last_on=day_of(last),
        )
    told = told_deductions(table)
    if as_json:
        print_json(told)
        return
    labels = {indicator.code: indicator.labels[LANG] for indicator in table.rubric.indicators}
    for row in told["places"]:
        lines = [(labels[code], line) for code, line in row["indicators"].items() if line["cases"]]
        lost = [said("deduction", line=label, cases=line["cases"], off=line["off"]) for label, line in lines]
        _row([row["name"], row["total"], *lost])
    if not told["official"]:
        click.echo(text("scores.marks.example", LANG), err=True)


@meetings.command("freeze", help=helped("freeze"))
def freeze(name: Name, directory: Dir = None, as_json: Json = False) -> None:
    """Freeze a meeting's figures."""
    from villagemap.flows.standing.meetings import freeze_meeting
    from villagemap.flows.standing.score_views import told_meeting

    with opened(directory) as session:
        meeting = freeze_meeting(session, name)
    if as_json:
        print_json(told_meeting(meeting))
    else:
        click.echo(said("frozen", name=meeting.name, seq=meeting.seq, anchor=meeting.anchor))


@meetings.command("show", help=helped("show"))
def show(name: Name, directory: Dir = None, as_json: Json = False) -> None:
    """Make a meeting's report again."""
    from villagemap.flows.standing.meetings import meeting as flow
    from villagemap.flows.standing.score_views import told_again

    with opened(directory) as session:
        again = flow(session, name)
        names = {key: place.name for key, place in session.workspace.gazetteer().by_id.items()}
    told = again.meeting
    if as_json:
        print_json(told_again(again))
    else:
        click.echo(said("frozen", name=told.name, seq=told.seq, anchor=told.anchor))
        _row([said("place"), *_heads(FIGURES)])
        _row([said("county"), *(again.figures["county"][name] for name in FIGURES)])
        for key, figures in again.figures["towns"].items():
            _row([names.get(key, key), *(figures[name] for name in FIGURES)])
        click.echo(said("equal" if again.equal else "unequal"), err=True)
        if not again.same_rules:
            click.echo(said("other_rules"), err=True)
        if not again.intact:
            click.echo(said("not_intact"), err=True)
    if not (again.equal and again.intact):
        raise typer.Exit(3)


@meetings.command("list", help=helped("list"))
def list_all(directory: Dir = None, as_json: Json = False) -> None:
    """List frozen meetings."""
    from villagemap.flows.standing.meetings import list_meetings
    from villagemap.flows.standing.score_views import told_meeting

    with opened(directory) as session:
        found = list_meetings(session)
    if as_json:
        print_json([told_meeting(meeting) for meeting in found])
        return
    for meeting in found:
        _row([meeting.name, meeting.day, meeting.seq, meeting.anchor])
