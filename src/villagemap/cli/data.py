"""Commands that bring data in: init, places import, places list, import."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from villagemap.cli.options import Datum, Dir, Json, Mapping
from villagemap.cli.session import opened, print_json
from villagemap.cli.words import LANG, say
from villagemap.errors import BadInputError, VillagemapError, WrongUseError
from villagemap.model import Level

if TYPE_CHECKING:
    from villagemap.flows.cases.imports import ImportReport
    from villagemap.readers.findings import Finding
    from villagemap.readers.issue_drafts import ImportOptions

EXAMPLES = 3
"""So many rows are shown of each kind of finding."""

Files = Annotated[list[Path], typer.Argument(help=say("options.files"), metavar="FILE", show_default=False)]


def init(
    folder: Annotated[Path, typer.Argument(help=say("init.folder"), metavar="DIR", show_default=False)],
    name: Annotated[str, typer.Option("--name", help=say("init.name"), show_default=False)] = "",
    county: Annotated[str, typer.Option("--county", help=say("init.county"), show_default=False)] = "",
    code: Annotated[str, typer.Option("--code", help=say("init.code"), show_default=False)] = "",
) -> None:
    """Make a new, empty county."""
    from villagemap.flows.workspace import init_workspace
    from villagemap.settings import Settings

    slug = county or re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.casefold()).strip("-") or "county"
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", slug):
        raise WrongUseError("slug_unreadable", value=slug)
    init_workspace(folder, Settings(county=slug, name=name or folder.resolve().name, code=code))
    click.echo(say("init.done", folder=folder), err=True)


def import_places(
    files: Files,
    directory: Dir = None,
    mapping: Mapping = None,
    level: Annotated[str, typer.Option("--level", help=say("places.import.level"), show_default=False)] = "",
    datum: Datum = "",
    as_json: Json = False,
) -> None:
    """Read towns, villages and hamlets."""
    from villagemap.flows.places import import_places as flow
    from villagemap.readers.columns import read_mapping

    with opened(directory) as session:
        report = flow(
            session,
            files,
            mapping=read_mapping(mapping, "places") if mapping else None,
            level=_level(level),
            datum=datum,
        )
    if as_json:
        print_json({**asdict(report), "findings": [_finding(f) for f in report.findings]})
    else:
        click.echo(say("places.import.done", **_figures(asdict(report))), err=True)
        if report.approximate:
            click.echo(say("places.import.approximate", count=report.approximate), err=True)
        _say_findings(report.findings, {})
    if report.read and report.rejected == report.read:
        raise typer.Exit(3)


def _figures(report: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in report.items() if isinstance(value, int)}


def _level(word: str) -> Level | None:
    if word and word not in list(Level):
        raise WrongUseError("level_unknown", value=word, known=", ".join(Level))
    return Level(word) if word else None


def list_places(
    level: Annotated[str, typer.Argument(help=say("places.list.level"))] = "town",
    town: Annotated[str, typer.Option("--town", help=say("options.town_of"), show_default=False)] = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """List towns, villages or hamlets."""
    import orjson

    from villagemap.flows.places import list_places as flow

    with opened(directory) as session:
        texts, _ = flow(session, _level(level) or Level.TOWN, town=town)
    rows = [orjson.loads(text)["properties"] for text in texts]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo("\t".join(str(row[name] or "") for name in ("code", "name", "parent_code")))


def import_issues(
    files: Files,
    directory: Dir = None,
    mapping: Mapping = None,
    category: Annotated[str, typer.Option("--category", help=say("import.category"), show_default=False)] = "",
    source: Annotated[str, typer.Option("--source", help=say("import.source"), show_default=False)] = "",
    datum: Datum = "",
    apply: Annotated[bool, typer.Option("--apply", help=say("import.apply"))] = False,
    as_json: Json = False,
) -> None:
    """Read issues: a preview first, then for good."""
    from villagemap.readers.columns import ColumnMapping, read_mapping
    from villagemap.readers.issue_drafts import ImportOptions

    columns = read_mapping(mapping, "issues") if mapping else ColumnMapping()
    options = ImportOptions(category=category, source=source, datum=datum, mapping=columns)
    reports, faults = _import_each(files, directory, options, apply=apply)
    if as_json:
        print_json([_told(report) for report in reports])
    for fault in faults:
        click.echo(fault.sentence(LANG), err=True)
        _say_findings(fault.params.get("findings", ()), fault.params.get("codes", {}))
    for report in reports if not as_json else ():
        _say_report(report, apply=apply)
    taken = sum(report.stored + report.known for report in reports)
    if faults and not taken:
        raise typer.Exit(max(fault.exit_code for fault in faults))
    if reports and not taken and sum(report.read for report in reports):
        raise typer.Exit(3)


def _import_each(
    files: list[Path], directory: Path | None, options: "ImportOptions", *, apply: bool
) -> "tuple[list[ImportReport], list[VillagemapError]]":
    """Each file on its own: one bad file doesn't hold up the others."""
    from villagemap.flows.cases.imports import import_issues as flow

    reports: list[ImportReport] = []
    faults: list[VillagemapError] = []
    with opened(directory) as session:
        for path in files:
            try:
                with _progress(path.name) as progress:
                    reports.append(flow(session, path, options, apply=apply, progress=progress))
            except (BadInputError, WrongUseError) as fault:
                faults.append(fault)
    return reports, faults


@contextmanager
def _progress(name: str) -> Iterator[Any]:
    """A bar on stderr where somebody looks at it."""
    if not sys.stderr.isatty():
        yield None
        return
    last = 0

    def show(done: int, total: int | None) -> None:
        nonlocal last
        bar = f"{done * 100 // max(total, 1):3d} %" if total else ""
        line = f"\r{name}  {done:,} {bar}"
        click.echo(line.ljust(last), nl=False, err=True)
        last = len(line)

    yield show
    if last:
        click.echo(err=True)


def _told(report: "ImportReport") -> dict[str, Any]:
    told = asdict(report)
    return {**told, "codes": dict(report.codes), "findings": [_finding(finding) for finding in report.findings]}


def _finding(finding: "Finding") -> dict[str, Any]:
    return {**asdict(finding), "sentence": finding.sentence(LANG)}


def _say_report(report: "ImportReport", *, apply: bool) -> None:
    done = "import.preview" if not apply else "import.applied" if report.operation else "import.nothing_new"
    figures = {name: getattr(report, name) for name in ("file", "read", "stored", "known", "rejected", "operation")}
    click.echo(say(done, **figures), err=True)
    for name in ("unlocated", "outside", "claimed", "relapses"):
        if getattr(report, name):
            click.echo(say(f"import.{name}", count=getattr(report, name)), err=True)
    if report.unmatched:
        click.echo(say("import.unmatched", columns=", ".join(report.unmatched)), err=True)
    _say_findings(report.findings, report.codes)
    if not apply and report.stored:
        click.echo(say("import.apply_hint"), err=True)


def _say_findings(findings: "Sequence[Finding]", codes: dict[str, int]) -> None:
    """Each kind of finding with how many there are and a few examples, rejections first."""
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    for code, found in sorted(by_code.items(), key=lambda item: not item[1][0].rejects):
        mark = say("import.rejects") if found[0].rejects else say("import.warns")
        count = max(codes.get(code, 0), len(found))
        click.echo(say("import.kind", mark=mark, count=count), err=True)
        for finding in found[:EXAMPLES]:
            click.echo(say("import.finding", row=finding.row, sentence=finding.sentence(LANG)), err=True)
        if count > EXAMPLES:
            click.echo(say("import.more", count=count - EXAMPLES), err=True)
