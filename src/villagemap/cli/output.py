"""Commands that give something out: map, export, show, verify, doctor."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from villagemap.cli.options import Dir, Json, day_of
from villagemap.cli.session import few, opened, print_json
from villagemap.cli.words import LANG, say
from villagemap.errors import WrongUseError
from villagemap.model import Audience
from villagemap.settings import TIME_ZONE
from villagemap.texts import catalog, text

if TYPE_CHECKING:
    from villagemap.flows.upkeep.admin import Verified
    from villagemap.vocabulary import Vocabulary


def town_map(
    town: Annotated[str, typer.Argument(help=say("options.town"), metavar="TOWN", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help=say("map.output"), show_default=False)],
    directory: Dir = None,
    inline: Annotated[bool, typer.Option("--inline", help=say("map.inline"))] = True,  # noqa: ARG001
) -> None:
    """Write a town's map as a page; a file is always self-contained, since a linked one needs a server."""
    from villagemap.flows.maps import town_map as flow

    with opened(directory) as session:
        drawn = flow(session, town, LANG, inline=True)
        page = drawn.page_inline()
        clusters = drawn.view.inline is not None and drawn.view.inline.clusters is not None
    _write(output, [page.encode()])
    click.echo(say("map.done", path=output, size_kb=len(page) // 1000), err=True)
    if clusters:
        click.echo(say("map.clusters"), err=True)


def export(
    output: Annotated[Path, typer.Argument(help=say("export.output"), metavar="FILE", show_default=False)],
    directory: Dir = None,
    town: Annotated[list[str] | None, typer.Option("--town", help=say("options.town"), show_default=False)] = None,
    village: Annotated[list[str] | None, typer.Option("--village", help=say("export.village"))] = None,
    category: Annotated[list[str] | None, typer.Option("--category", help=say("export.category"))] = None,
    status: Annotated[list[str] | None, typer.Option("--status", help=say("export.status"))] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help=say("export.overdue"))] = False,
    bbox: Annotated[str, typer.Option("--bbox", help=say("export.bbox"), show_default=False)] = "",
    found_from: Annotated[str, typer.Option("--from", help=say("export.from"), show_default=False)] = "",
    found_to: Annotated[str, typer.Option("--to", help=say("export.to"), show_default=False)] = "",
    audience: Annotated[Audience, typer.Option("--for", help=say("export.for"))] = Audience.OWNER,
    datum: Annotated[str, typer.Option("--datum", help=say("export.datum"))] = "wgs84",
) -> None:
    """Write issues as GeoJSON."""
    from villagemap.crs import parse_datum
    from villagemap.exports import named_for
    from villagemap.flows.cases.choosing import choose_issues
    from villagemap.flows.cases.issues import count_issues, export_geojson

    datum = parse_datum(datum)
    path = output if str(output) == "-" else named_for(output, datum)
    with opened(directory) as session:
        where = choose_issues(
            session,
            towns=town or (),
            villages=village or (),
            categories=category or (),
            statuses=status or (),
            overdue=overdue,
            bbox=_extent(bbox),
            found_from=day_of(found_from),
            found_to=day_of(found_to),
            audience=audience,
        )
        count = count_issues(session, where)
        _write(path, export_geojson(session, where, datum=datum))
    click.echo(say("export.done", path=path, count=count), err=True)


def _extent(words: str) -> list[float] | None:
    try:
        return [float(word) for word in words.split(",")] if words else None
    except ValueError as fault:
        raise WrongUseError("bbox_unreadable", value=words) from fault


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a whole file or none; "-" is stdout."""
    from villagemap.exports import write_whole

    if str(path) != "-":
        write_whole(path, chunks)
        return
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)


def show(
    issue: Annotated[str, typer.Argument(help=say("show.id"), metavar="ID", show_default=False)],
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Show one issue with its story."""
    from villagemap.flows.cases.issues import show_issue

    with opened(directory) as session:
        shown = show_issue(session, issue)
        vocabulary = session.workspace.vocabulary
    if as_json:
        print_json(shown)
        return
    for label, value in _said(shown, vocabulary):
        click.echo(f"{label}\t{value}")
    for event in shown["events"]:
        at = event["at"].astimezone(TIME_ZONE).strftime("%Y-%m-%d %H:%M")
        click.echo(f"{at}\t{_event(event['kind'])}\t{event['actor']}\t{event['note']}")


def _said(shown: dict[str, Any], vocabulary: "Vocabulary") -> Iterator[tuple[str, str]]:
    """What a card holds as labels and words, blank ones left out."""
    kinds = {
        "category": "categories", "status": "statuses", "urgency": "urgencies", "lead_unit": "units",
        "help_units": "units", "sources": "sources",
    }  # fmt: skip
    subdefects = (
        vocabulary.categories[shown["category"]].subdefects if shown["category"] in vocabulary.categories else {}
    )
    for name, label in catalog("cli", LANG)["show"]["labels"].items():
        values = shown[name] if isinstance(shown[name], list | tuple) else [shown[name]]
        words = [_plain(value) for value in values if value not in (None, "")]
        if name in kinds:
            words = [vocabulary.label(kinds[name], word, LANG) for word in words]
        elif name == "subdefects":
            words = [subdefects[word][LANG] if word in subdefects else word for word in words]
        elif name == "located":
            words = [say(f"show.located.{word}") for word in words]
        if words:
            yield label, ", ".join(words)


def _plain(value: object) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _event(kind: str) -> str:
    """What people call a kind of event; the map's popups use the same words."""
    words = catalog("maps", LANG)["page"]
    return str(words.get(f"event_{kind.rpartition('.')[2]}", words["event_other"]))


def verify(
    directory: Dir = None,
    anchors: Annotated[list[str] | None, typer.Option("--anchor", help=say("verify.anchor"), metavar="CODE")] = None,
    no_photos: Annotated[bool, typer.Option("--no-photos", help=say("verify.no_photos"))] = False,
    as_json: Json = False,
) -> None:
    """Replay the chain of events against the rows, the photos and printed anchors."""
    from villagemap.flows.upkeep.admin import verify as flow

    with opened(directory) as session:
        found = flow(session, anchors=anchors or (), photos=not no_photos)
    if as_json:
        told = {"seq": found.head.seq, "hash": found.head.hash}
        told |= {"broken": found.broken._asdict() if found.broken else None, "erased": found.erased}
        told |= {"photos": asdict(found.photos) if found.photos else None, "anchors": [*map(asdict, found.anchors)]}
        print_json(told)
    if not as_json or not found.whole:
        for line in _verified(found):
            click.echo(line, err=True)
    if not found.whole:
        raise typer.Exit(3)


def _verified(found: "Verified") -> Iterator[str]:
    """What a replay found, line by line."""
    broken, photos = found.broken, found.photos
    if broken is None:
        yield say("verify.whole", seq=found.head.seq, hash=found.head.hash[:16])
    else:
        yield say("verify.broken", table=broken.table, key=broken.key, fault=text(f"store.{broken.fault}", LANG))
    if found.erased:
        yield say("verify.erased", count=found.erased)
    if photos:
        if photos.named and not (photos.missing or photos.changed):
            yield say("verify.photos", named=photos.named)
        for key, hashes in (("photos_missing", photos.missing), ("photos_changed", photos.changed)):
            if hashes:
                yield say(f"verify.{key}", count=len(hashes), names=few(hashes))
    for check in found.anchors:
        yield say(f"verify.standing.{check.standing}", code=check.code, seq=check.seq)


def doctor(
    directory: Dir = None,
    as_json: Json = False,
    policies: Annotated[bool, typer.Option("--policies", help=text("accounts.help.policies", LANG))] = False,
) -> None:
    """Look at what commonly goes wrong."""
    if policies:
        from villagemap.cli.users import policy_table

        click.echo(policy_table(LANG))
        return
    from villagemap.flows.upkeep.admin import doctor as flow

    with opened(directory) as session:
        checks = flow(session)
    if as_json:
        print_json([asdict(check) for check in checks])
    for check in checks if not as_json else ():
        mark = say("doctor.ok") if check.ok else say("doctor.bad")
        click.echo(f"{mark}\t{say(f'doctor.checks.{check.code}')}\t{check.seen}")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)
