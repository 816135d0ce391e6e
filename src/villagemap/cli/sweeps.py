"""Commands of a sweep: begin it, record visits, see who is missed, close it."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from villagemap.cli.options import Datum, Dir, Json
from villagemap.cli.session import opened, print_json
from villagemap.cli.words import LANG, say
from villagemap.errors import WrongUseError
from villagemap.settings import TIME_ZONE
from villagemap.texts import text

if TYPE_CHECKING:
    from villagemap.flows.campaigns.sweep_views import PlaceLine, SweepState, VisitLine
    from villagemap.flows.campaigns.tracks import TrackReport

sweeps = typer.Typer(help=say("sweep.help"), no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help=say("sweep.name"), metavar="SWEEP", show_default=False)]
PlaceWord = Annotated[str, typer.Argument(help=say("sweep.place"), metavar="PLACE", show_default=False)]
Key = Annotated[str, typer.Option("--key", help=say("sweep.key"), show_default=False)]
Issues = Annotated[bool, typer.Option("--issues/--clean", help=say("sweep.issues"))]


@sweeps.command("begin", help=say("sweep.begin.help"))
def begin(
    name: Name,
    towns: Annotated[list[str] | None, typer.Option("--town", help=say("sweep.town"), show_default=False)] = None,
    hamlets: Annotated[bool, typer.Option("--hamlets", help=say("sweep.hamlets"))] = False,
    category: Annotated[str, typer.Option("--category", help=say("sweep.category"), show_default=False)] = "",
    issue: Annotated[str, typer.Option("--from-issue", help=say("sweep.from_issue"), show_default=False)] = "",
    first: Annotated[
        datetime | None, typer.Option("--begins-on", formats=["%Y-%m-%d"], help=say("sweep.first"))
    ] = None,
    key: Key = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Begin a sweep."""
    from villagemap.flows.campaigns.sweep_views import coverage, told_sweep
    from villagemap.flows.campaigns.sweeps import begin_sweep

    begins_on = first.date() if first else None
    with opened(directory) as session:
        sweep = begin_sweep(
            session,
            name,
            towns=towns or (),
            hamlets=hamlets,
            category=category,
            from_issue=issue,
            begins_on=begins_on,
            key=key,
        )
        if as_json:
            print_json(told_sweep(coverage(session, sweep.id)))
    if not as_json:
        shown = {"name": sweep.name, "count": len(sweep.listed), "digest": sweep.digest[:12]}
        click.echo(say("sweep.begin.done", first=sweep.begins_on.isoformat(), **shown), err=True)


@sweeps.command("visit", help=say("sweep.visit.help"))
def visit(
    name: Name,
    place: PlaceWord,
    lon: Annotated[float | None, typer.Option("--lon", help=say("sweep.lon"), show_default=False)] = None,
    lat: Annotated[float | None, typer.Option("--lat", help=say("sweep.lat"), show_default=False)] = None,
    accuracy: Annotated[
        float | None, typer.Option("--accuracy", help=say("sweep.accuracy"), show_default=False)
    ] = None,
    tapped: Annotated[bool, typer.Option("--tapped", help=say("sweep.tapped"))] = False,
    issue: Annotated[str, typer.Option("--issue", help=say("sweep.issue"), show_default=False)] = "",
    photo: Annotated[str, typer.Option("--photo", help=say("sweep.photo"), show_default=False)] = "",
    at: Annotated[datetime | None, typer.Option("--at", formats=["%Y-%m-%dT%H:%M"], help=say("sweep.at"))] = None,
    found: Issues = False,
    note: Annotated[str, typer.Option("--note", help=say("sweep.note"), show_default=False)] = "",
    key: Key = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Record a visit, by a position or by a photo of an issue there."""
    from villagemap.flows.campaigns.sweeps import Position, check_in, visit_by_photo

    when = at.replace(tzinfo=TIME_ZONE) if at else None
    with opened(directory) as session:
        if photo and issue:
            line = visit_by_photo(session, name, place, issue, photo, issues=found, key=key)
        elif lon is None or lat is None:
            raise WrongUseError("visit_without_proof")
        else:
            position = Position(lon=lon, lat=lat, accuracy_m=accuracy, measured=not tapped)
            line = check_in(session, name, place, position, issues=found, at=when, note=note, key=key)
    _tell_visit(line, as_json=as_json)


@sweeps.command("unreachable", help=say("sweep.unreachable.help"))
def unreachable(
    name: Name,
    place: PlaceWord,
    reason: Annotated[str, typer.Option("--reason", help=say("sweep.reason"), show_default=False)] = "",
    key: Key = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Record why a place can't be reached."""
    from villagemap.flows.campaigns.sweeps import mark_unreachable

    with opened(directory) as session:
        line = mark_unreachable(session, name, place, reason, key=key)
    _tell_visit(line, as_json=as_json)


def _tell_visit(line: "VisitLine", *, as_json: bool) -> None:
    from villagemap.flows.campaigns.sweep_views import visit_fields
    from villagemap.reach import proof_of_visit

    if as_json:
        print_json({"id": line.id, "sweep": line.sweep, **visit_fields(line)})
        return
    click.echo(say("sweep.visit.done", outcome=text(f"sweeps.outcomes.{line.outcome}", LANG)), err=True)
    proof = proof_of_visit(line.proofs)
    if proof is not None and proof.fault is not None:
        click.echo(say("sweep.visit.unproven", why=text(f"sweeps.proofs.{proof.fault}", LANG)), err=True)


@sweeps.command("status", help=say("sweep.status.help"))
def status(
    name: Annotated[str, typer.Argument(help=say("sweep.name"), metavar="[SWEEP]", show_default=False)] = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """List all sweeps, or show how far one is."""
    from villagemap.flows.campaigns.sweep_views import coverage, list_sweeps, told_places, told_sweep

    with opened(directory) as session:
        states = [coverage(session, name)] if name else list_sweeps(session)
    if as_json and name:
        print_json({**told_sweep(states[0]), "places": told_places(states[0].places)})
    elif as_json:
        print_json([told_sweep(state) for state in states])
    elif not states:
        click.echo(say("sweep.status.none"), err=True)
    else:
        for state in states:
            _print_state(state, places=bool(name))


def _print_state(state: "SweepState", *, places: bool) -> None:
    from villagemap.flows.campaigns.sweep_views import told_sweep

    sweep = state.sweep
    mark = say("sweep.status.closed") if sweep.closed_at else say("sweep.status.open")
    told: dict[str, Any] = told_sweep(state)
    figures = {figure: told[figure] for figure in ("listed", "visited", "unreachable", "missed")}
    click.echo(say("sweep.status.line", name=sweep.name, mark=mark, **figures))
    if not places:
        return
    for town in state.towns:
        figures = {figure: getattr(town, figure) for figure in ("listed", "visited", "unreachable", "missed")}
        click.echo(say("sweep.status.town", town=town.town, unproven=town.unproven, **figures))
    for line in state.places:
        click.echo(f"{line.place.town}\t{line.place.name}\t{text(f'sweeps.outcomes.{line.outcome}', LANG)}")


@sweeps.command("missed", help=say("sweep.missed.help"))
def missed(name: Name, directory: Dir = None, as_json: Json = False) -> None:
    """List who is still missed: what one prints each evening."""
    from villagemap.flows.campaigns.sweep_views import missed as flow
    from villagemap.flows.campaigns.sweep_views import told_places

    with opened(directory) as session:
        lines = flow(session, name)
    if as_json:
        print_json(told_places(lines))
        return
    for line in lines:
        click.echo(f"{line.place.town}\t{line.place.name}\t{_why_not(line)}".rstrip())
    click.echo(say("sweep.missed.count" if lines else "sweep.missed.none", count=len(lines)), err=True)


def _why_not(line: "PlaceLine") -> str:
    """Why the visits that there were don't count; "" where there was none."""
    faults = {proof.fault for visit in line.visits for proof in visit.proofs if proof.fault}
    return " ".join(text(f"sweeps.proofs.{fault}", LANG) for fault in sorted(faults))


@sweeps.command("close", help=say("sweep.close.help"))
def close(name: Name, key: Key = "", directory: Dir = None, as_json: Json = False) -> None:
    """Close a sweep, if nobody is missed."""
    from villagemap.flows.campaigns.sweep_views import coverage, told_sweep
    from villagemap.flows.campaigns.sweeps import close_sweep

    with opened(directory) as session:
        sweep = close_sweep(session, name, key=key)
        if as_json:
            print_json(told_sweep(coverage(session, sweep.id)))
    if not as_json:
        click.echo(say("sweep.close.done", name=sweep.name), err=True)


@sweeps.command("track", help=say("sweep.track.help"))
def track(
    name: Name,
    file: Annotated[Path, typer.Argument(help=say("sweep.track.file"), metavar="FILE", show_default=False)],
    datum: Datum = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Turn a track into visits."""
    from villagemap.flows.campaigns.tracks import import_track

    with opened(directory) as session:
        report = import_track(session, file, name, datum=datum)
    if as_json:
        print_json(told_track(report))
        return
    figures = {figure: getattr(report, figure) for figure in ("file", "rows", "within", "left_out", "unreadable")}
    click.echo(say("sweep.track.read", untimed=report.untimed, **figures), err=True)
    if not report.timed:
        click.echo(say("sweep.track.timeless"), err=True)
    for passed in report.passed:
        dwell = "" if passed.dwell_s is None else say("sweep.track.dwell", seconds=round(passed.dwell_s))
        click.echo(f"{passed.order}\t{passed.place.town}\t{passed.place.name}\t{dwell}".rstrip())
    click.echo(say("sweep.track.visits", count=len(report.visits)), err=True)
    if report.known:
        click.echo(say("sweep.track.known"), err=True)
    if report.elsewhere:
        click.echo(say("sweep.track.elsewhere", count=report.elsewhere), err=True)
    if report.points_until:
        click.echo(say("sweep.track.until", day=report.points_until.isoformat()), err=True)


def told_track(report: "TrackReport") -> dict[str, Any]:
    """A track's report for a machine."""
    from villagemap.flows.campaigns.sweep_views import place_fields, visit_fields

    figures = ("file", "sweep", "timed", "rows", "within", "left_out", "unreadable", "untimed", "elsewhere", "known")
    return {
        **{figure: getattr(report, figure) for figure in figures},
        "points_until": report.points_until,
        "visits": [{"id": line.id, **visit_fields(line)} for line in report.visits],
        "passed": [
            {**place_fields(passed.place), "order": passed.order, "dwell_s": passed.dwell_s} for passed in report.passed
        ],
    }


@sweeps.command("audit", help=say("sweep.audit.help"))
def audit(
    name: Name,
    ledgers: Annotated[
        list[Path] | None, typer.Option("--ledger", help=say("sweep.audit.ledger"), show_default=False)
    ] = None,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Look for what a sweep's list lacks."""
    from villagemap.flows.campaigns.sweep_audit import audit_sweep

    with opened(directory) as session:
        found = audit_sweep(session, name, ledgers=ledgers or ())
    if as_json:
        lacking = [{**asdict(one), "sources": dict(one.sources)} for one in found.lacking]
        print_json({"lacking": lacking, "stops": [asdict(stop) for stop in found.stops]})
        return
    for one in found.lacking:
        told = text("sweeps.audit.lacking", LANG, name=one.name, town=one.town, count=sum(one.sources.values()))
        others = text("sweeps.audit.elsewhere", LANG, names=", ".join(one.elsewhere)) if one.elsewhere else ""
        click.echo(f"{told} {others}".rstrip())
    for stop in found.stops:
        at, minutes = f"{stop.at.astimezone(TIME_ZONE):%Y-%m-%d %H:%M}", round(stop.dwell_s / 60)
        lon, lat = f"{stop.lon:.5f}", f"{stop.lat:.5f}"
        click.echo(text("sweeps.audit.stop", LANG, at=at, minutes=minutes, lon=lon, lat=lat))
    if not found.lacking and not found.stops:
        click.echo(say("sweep.audit.none"), err=True)


@sweeps.command("forget-tracks", help=say("sweep.forget.help"))
def forget(directory: Dir = None) -> None:
    """Delete the points of tracks whose time is over."""
    from villagemap.flows.campaigns.tracks import forget_tracks

    with opened(directory) as session:
        count = forget_tracks(session)
    click.echo(say("sweep.forget.done", count=count), err=True)
