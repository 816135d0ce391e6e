"""Commands of roads: import them, look them over, calibrate the estimate."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from villagemap.cli.options import Datum, Dir, Json
from villagemap.cli.session import opened, print_json
from villagemap.cli.words import LANG
from villagemap.texts import text

if TYPE_CHECKING:
    from villagemap.flows.routes.road_views import RoadReport

SHOWN = 10
MOST_TOLD = 20


def said(key: str, /, **params: Any) -> str:  # noqa: ANN401 - values of any printable type
    """A sentence of these commands."""
    return text(f"roads.cli.{key}", LANG, **params)


def helped(key: str) -> str:
    """What an option or command is for."""
    return text(f"roads.help.{key}", LANG)


roads = typer.Typer(help=helped("group"), no_args_is_help=True, rich_markup_mode=None)


@roads.command("import", help=helped("import"))
def import_roads(
    file: Annotated[Path, typer.Argument(help=helped("file"), metavar="FILE", show_default=False)],
    sheet: Annotated[str, typer.Option("--layer", help=helped("sheet"), show_default=False)] = "",
    everywhere: Annotated[bool, typer.Option("--everywhere", help=helped("everywhere"))] = False,
    datum: Datum = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Import a county's roads."""
    from villagemap.flows.routes.roads import import_roads as flow

    with opened(directory) as session:
        done = flow(session, file, sheet=sheet or None, datum=datum, everywhere=everywhere)
    findings = [{"row": one.row, "code": one.code, "sentence": one.sentence(LANG)} for one in done.findings]
    if as_json:
        print_json({**asdict(done), "findings": findings})
        return
    click.echo(
        said("read", file=done.file, rows=done.rows, used=done.used, left_out=done.left_out, outside=done.outside),
        err=True,
    )
    if done.columns:
        click.echo(said("columns", columns=", ".join(f"{k}={v}" for k, v in done.columns.items())), err=True)
    for word, count in done.unknown.items():
        click.echo(said("unknown", word=word, count=count), err=True)
    for one in findings[:SHOWN]:
        click.echo(said("finding", row=one["row"], sentence=one["sentence"]), err=True)
    if len(findings) > SHOWN:
        click.echo(said("more", count=len(findings) - SHOWN), err=True)
    click.echo(said("built", nodes=done.nodes, edges=done.edges, km=done.km, share=100 * done.main_share), err=True)
    if done.known:
        click.echo(said("known"), err=True)


@roads.command("report", help=helped("report"))
def report(directory: Dir = None, as_json: Json = False) -> None:
    """Look roads over before planning on them."""
    from villagemap.flows.routes.road_views import road_report

    with opened(directory) as session:
        found = road_report(session)
    if as_json:
        print_json(told_report(found))
        return
    if not found.file:
        click.echo(said("none", detour=found.detour, speed=found.speed_km_h))
        return
    click.echo(said("about", file=found.file, nodes=found.nodes, edges=found.edges, km=found.km))
    for code, km in found.classes.items():
        click.echo(said("class", label=_label(found.labels[code], code), km=km))
    _print_parts(found)
    _print_villages(found)


def _label(label: dict[str, str], code: str) -> str:
    """What people call a class; OSM's classes are called as OSM does."""
    return label.get(LANG) or code.removeprefix("osm.")


def _print_parts(found: "RoadReport") -> None:
    click.echo(said("parts", count=found.parts_in_all, share=100 * found.parts[0].part.share))
    for line in found.parts[1 : SHOWN + 1]:
        part = line.part
        click.echo(said("part", km=part.km, share=100 * part.share, lon=part.lon, lat=part.lat, villages=line.villages))


def _print_villages(found: "RoadReport") -> None:
    if found.findings:
        click.echo(said("unreachable", count=len(found.findings)))
    for one in found.findings[:MOST_TOLD]:
        name = found.names[one.site]
        click.echo("  " + text(f"roads.findings.{one.code}", LANG, site=name, **one.params))
    if found.detours:
        from villagemap.travel.surveying import SUSPICIOUS

        click.echo(said("detours", count=len(found.detours), factor=SUSPICIOUS))
    for pair in found.detours[:MOST_TOLD]:
        names = {"one": found.names[pair.one], "other": found.names[pair.other]}
        lengths = {"road_km": pair.road_m / 1000, "straight_km": pair.straight_m / 1000}
        click.echo(said("detour", **names, **lengths, minutes=round(pair.road_s / 60), times=pair.times))
    hidden = sum(max(0, len(told) - MOST_TOLD) for told in (found.findings, found.detours))
    if hidden:
        click.echo(said("more", count=hidden))
    if not found.findings and not found.detours:
        click.echo(said("sound", villages=found.villages))


def told_report(found: "RoadReport") -> dict[str, Any]:
    """A report for a machine."""
    findings = [
        {"village": one.site, "name": found.names[one.site], "code": one.code, "sentence": one.sentence(LANG)}
        for one in found.findings
    ]
    named = [{**asdict(pair), "names": [found.names[pair.one], found.names[pair.other]]} for pair in found.detours]
    parts = [{**asdict(line.part), "villages": line.villages} for line in found.parts]
    told = {key: value for key, value in asdict(found).items() if key != "names"}
    return {**told, "parts": parts, "findings": findings, "detours": named}


@roads.command("find", help=helped("find"))
def find(
    lon: Annotated[float, typer.Argument(help=helped("lon"), metavar="LON", show_default=False)],
    lat: Annotated[float, typer.Argument(help=helped("lat"), metavar="LAT", show_default=False)],
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Find the stretch of road at a point, to close it."""
    from villagemap.flows.routes.road_views import find_road

    with opened(directory) as session:
        found = find_road(session, lon, lat)
    if as_json:
        print_json(asdict(found))
        return
    label = _label(found.label, found.kind)
    click.echo(said("found", id=found.id, label=label, length_m=found.length_m, off_m=found.off_m))


@roads.command("calibrate", help=helped("calibrate"))
def calibrate(
    files: Annotated[list[Path] | None, typer.Option("--track", help=helped("track"), show_default=False)] = None,
    keep: Annotated[bool, typer.Option("--keep", help=helped("keep"))] = False,
    datum: Datum = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Calibrate the straight line by recorded tracks."""
    from villagemap.flows.routes.road_views import calibrate_line
    from villagemap.travel.calibrate import LEAST_LEGS

    with opened(directory) as session:
        done = calibrate_line(session, files or (), datum=datum, keep=keep)
    found = done.calibration
    if as_json:
        print_json(asdict(done))
        return
    for name in done.timeless:
        click.echo(said("timeless", file=name), err=True)
    if found.enough:
        click.echo(
            said("calibrated", detour=found.detour, speed=found.speed_km_h, legs=found.legs, km=found.km), err=True
        )
    else:
        figures = {"detour": found.detour, "speed": found.speed_km_h}
        click.echo(said("too_few", legs=found.legs, least=LEAST_LEGS, **figures), err=True)
    if done.kept:
        click.echo(said("kept"), err=True)
    if done.has_roads:
        click.echo(said("with_roads"), err=True)
