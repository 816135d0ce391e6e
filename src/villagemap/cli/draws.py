"""Commands of a draw: freeze, draw by a spoken number, show, check, record results; seals."""

from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from villagemap.cli.options import Dir, Json, day_of
from villagemap.cli.session import opened, print_json
from villagemap.cli.words import LANG
from villagemap.texts import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from villagemap.draws import Rate
    from villagemap.flows.registry import Session
    from villagemap.flows.routes.draw_views import Draw, DrawnLine, DrawState, Looked
    from villagemap.flows.routes.draws import Asked
    from villagemap.flows.routes.seals import Seal, SealCheck


def said(key: str, /, **params: Any) -> str:  # noqa: ANN401 - values of any printable type
    """A sentence of these commands."""
    return text(f"draws.cli.{key}", LANG, **params)


def helped(key: str) -> str:
    """What an option or command is for."""
    return text(f"draws.help.{key}", LANG)


draws = typer.Typer(help=helped("draw"), no_args_is_help=True, rich_markup_mode=None)
seals = typer.Typer(help=helped("seal"), no_args_is_help=True, rich_markup_mode=None)

Size = Annotated[int, typer.Option("--size", min=1, help=helped("size"))]
Each = Annotated[int, typer.Option("--each", min=1, help=helped("each"))]
Towns = Annotated[list[str] | None, typer.Option("--town", help=helped("town"), show_default=False)]
People = Annotated[list[str] | None, typer.Option("--inspector", help=helped("inspector"), show_default=False)]
Named = Annotated[str, typer.Option("--name", help=helped("name"), show_default=False)]
Spoken = Annotated[str, typer.Option("--number", help=helped("said"), show_default=False)]
DrawWord = Annotated[str, typer.Argument(help=helped("draw_word"), metavar="DRAW", show_default=False)]
SealWord = Annotated[str, typer.Argument(help=helped("seal_word"), metavar="SEAL", show_default=False)]


@draws.command("villages", help=helped("villages"))
def villages(
    size: Size = 10,
    each: Each = 1,
    towns: Towns = None,
    inspectors: People = None,
    name: Named = "",
    number: Spoken = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Draw villages to visit."""
    from villagemap.draws import Kind
    from villagemap.flows.routes.draws import Asked

    asked = Asked(kind=Kind.VILLAGES, size=size, each=each, towns=towns or (), inspectors=inspectors or (), name=name)
    with opened(directory) as session:
        _make(session, asked, number, as_json=as_json)


@draws.command("cases", help=helped("cases"))
def cases(
    size: Size = 10,
    each: Each = 1,
    towns: Towns = None,
    categories: Annotated[list[str] | None, typer.Option("--category", help=helped("category"))] = None,
    since: Annotated[str, typer.Option("--since", help=helped("since"), show_default=False)] = "",
    inspectors: People = None,
    name: Named = "",
    number: Spoken = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Draw closed cases to look at again."""
    from villagemap.draws import Kind
    from villagemap.flows.routes.draws import Asked

    asked = Asked(
        kind=Kind.CASES,
        size=size,
        each=each,
        towns=towns or (),
        categories=categories or (),
        since=day_of(since),
        inspectors=inspectors or (),
        name=name,
    )
    with opened(directory) as session:
        _make(session, asked, number, as_json=as_json)


def _make(session: "Session", asked: "Asked", number: str, *, as_json: bool) -> None:
    from villagemap.flows.routes.draw_views import told_head
    from villagemap.flows.routes.draws import freeze_draw, make_draw

    if number:
        _tell(session, make_draw(session, asked, number), as_json=as_json)
        return
    frozen = freeze_draw(session, asked)
    if as_json:
        print_json(told_head(frozen))
        return
    _tell_frozen(frozen)


def _tell_frozen(frozen: "Draw") -> None:
    shown = {"name": frozen.name, "id": frozen.id, "register": frozen.register, "seq": frozen.seq}
    click.echo(said("frozen", candidates=frozen.size, **shown))


@draws.command("number", help=helped("number"))
def number(
    word: DrawWord,
    spoken: Annotated[str, typer.Argument(help=helped("number_word"), metavar="NUMBER", show_default=False)],
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Draw out of what was frozen."""
    from villagemap.flows.routes.draws import make_draw

    with opened(directory) as session:
        _tell(session, make_draw(session, word, spoken), as_json=as_json)


@draws.command("list", help=helped("list"))
def list_all(directory: Dir = None, as_json: Json = False) -> None:
    """List all draws."""
    from villagemap.flows.routes.draw_views import list_draws, told_head

    with opened(directory) as session:
        found = list_draws(session)
    if as_json:
        print_json([told_head(draw) for draw in found])
        return
    for draw in found:
        kind = text(f"draws.kinds.{draw.rules.kind}", LANG)
        click.echo(said("line", id=draw.id, name=draw.name, kind=kind, state=said(f"state_{_stage(draw)}")))
    if not found:
        click.echo(said("none"), err=True)


def _stage(draw: "Draw") -> str:
    if draw.opened_at:
        return "open"
    return "sealed" if draw.seal else "drawn" if draw.number else "frozen"


@draws.command("show", help=helped("show"))
def show(word: DrawWord, directory: Dir = None, as_json: Json = False) -> None:
    """Show a draw and what came of it."""
    from villagemap.flows.routes.draw_views import show_draw

    with opened(directory) as session:
        _tell(session, show_draw(session, word).draw, as_json=as_json)


def _tell(session: "Session", draw: "Draw", *, as_json: bool) -> None:
    from villagemap.flows.routes.draw_views import show_draw, told_draw

    state = show_draw(session, draw.id)
    if as_json:
        print_json(told_draw(state))
        return
    if not draw.number:
        _tell_frozen(draw)
        return
    shown = {"name": draw.name, "register": draw.register, "number": draw.number, "seed": draw.seed}
    count = len(draw.told()["drawn"])
    click.echo(said("drawn", candidates=draw.size, count=count, digest=draw.result_sha256, **shown))
    _tell_strata(session, state)
    for line in state.drawn:
        _tell_line(line)
    if state.overall:
        figures = {"of": state.overall.of, "checked": state.overall.checked, "failed": state.overall.failed}
        click.echo(said("overall", **figures, **_percents(state.overall)))
        click.echo(said("overall_how"))


def _tell_strata(session: "Session", state: "DrawState") -> None:
    from villagemap.draws import FIELDS

    level = state.draw.told().get("level", ())
    fields = " × ".join(text(f"draws.fields.{name}", LANG) for name in level)
    coarse = tuple(level) != FIELDS[state.draw.rules.kind]
    key = "level_one" if not level else "level_coarse" if coarse else "level"
    click.echo(said(key, fields=fields) if level else said("level_one"))
    for line in state.strata:
        shown = {"stratum": _stratum(session, line.stratum), "size": line.size, "quota": line.quota}
        if line.rate is None:
            click.echo(said("stratum", **shown))
        else:
            figures = {"checked": line.rate.checked, "failed": line.rate.failed}
            click.echo(said("stratum_rate", **shown, **figures, **_percents(line.rate)))


def _tell_line(line: "DrawnLine") -> None:
    who = ", ".join(line.inspectors) or said("nobody")
    click.echo(f"{line.town}\t{line.name}\t{who}\t{_came(line.looked)}")
    for name, why in line.excluded.items():
        click.echo(said("excluded", who=name, why=", ".join(text(f"draws.conflicts.{code}", LANG) for code in why)))


def _came(looked: "Looked | None") -> str:
    if looked is None:
        return said("open_yet")
    return said("passed" if looked.passed else "reopened" if looked.reopened else "failed")


def _stratum(session: "Session", stratum: "Mapping[str, str]") -> str:
    """A stratum's values as people read them."""
    by_id, vocabulary = session.workspace.gazetteer().by_id, session.workspace.vocabulary
    words = []
    for field, value in stratum.items():
        if field == "town":
            words.append(by_id[value].name if value in by_id else value)
        elif field == "category":
            words.append(vocabulary.label("categories", value, LANG))
        else:
            words.append(text(f"draws.last.{value}", LANG))
    return " · ".join(words) or said("everything")


def _percents(rate: "Rate") -> dict[str, str]:
    return {name: f"{100 * getattr(rate, name):.1f}" for name in ("share", "low", "high")}


@draws.command("check", help=helped("check"))
def check(word: DrawWord, directory: Dir = None, as_json: Json = False) -> None:
    """Draw again and compare; exit code 1 where anything differs."""
    from villagemap.flows.routes.draws import check_draw

    with opened(directory) as session:
        found = check_draw(session, word)
    wrong = [
        {"code": one.code, "sentence": text(f"draws.faults.{one.code}", LANG, **one.params)}
        for one in found.differences
    ]
    if as_json:
        print_json({"draw": found.draw, "result_sha256": found.result_sha256, "differences": wrong})
    else:
        for one in wrong:
            click.echo(one["sentence"])
        if not wrong:
            click.echo(said("same", digest=found.result_sha256))
    if wrong:
        raise typer.Exit(1)


@draws.command("open", help=helped("open"))
def open_one(word: DrawWord, directory: Dir = None) -> None:
    """Make a draw public."""
    from villagemap.flows.routes.draws import open_draw

    with opened(directory) as session:
        draw = open_draw(session, word)
    click.echo(said("opened", name=draw.name), err=True)


@draws.command("result", help=helped("result"))
def result(
    word: DrawWord,
    target: Annotated[str, typer.Argument(help=helped("target"), metavar="TARGET", show_default=False)],
    passed: Annotated[bool, typer.Option("--passed/--failed", help=helped("passed"), show_default=False)],
    by: Annotated[str, typer.Option("--by", help=helped("by"), show_default=False)] = "",
    note: Annotated[str, typer.Option("--note", help=helped("note"), show_default=False)] = "",
    reopen: Annotated[bool, typer.Option("--reopen", help=helped("reopen"))] = False,
    correct: Annotated[bool, typer.Option("--correct", help=helped("correct"))] = False,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Record what was found."""
    from dataclasses import asdict

    from villagemap.flows.routes.draws import record_result

    with opened(directory) as session:
        looked = record_result(session, word, target, passed=passed, by=by, note=note, reopen=reopen, correct=correct)
    if as_json:
        print_json(asdict(looked))
        return
    click.echo(said("recorded", result=_came(looked)), err=True)


# Seals


@seals.command("make", help=helped("seal_make"))
def seal_make(
    what: Annotated[str, typer.Argument(help=helped("what"), metavar="WHAT", show_default=False)],
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Seal something."""
    from dataclasses import asdict

    from villagemap.flows.routes.seals import make_seal

    with opened(directory) as session:
        seal = make_seal(session, what)
    if as_json:
        print_json(asdict(seal))
        return
    click.echo(said("sealed", id=seal.id, commitment=seal.commitment, seq=seal.seq))
    if seal.salt:
        click.echo(said("keep_salt", salt=seal.salt))


@seals.command("open", help=helped("seal_open"))
def seal_open(
    word: SealWord,
    salt: Annotated[str, typer.Option("--salt", help=helped("salt"), show_default=False)] = "",
    digest: Annotated[str, typer.Option("--sha256", help=helped("digest"), show_default=False)] = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Open a seal."""
    from villagemap.flows.routes.seals import open_seal

    with opened(directory) as session:
        _tell_seal(open_seal(session, word, salt=salt, digest=digest), as_json=as_json)


@seals.command("check", help=helped("seal_check"))
def seal_check(word: SealWord, directory: Dir = None, as_json: Json = False) -> None:
    """Check a seal; exit code 1 where it doesn't hold."""
    from villagemap.flows.routes.seals import check_seal

    with opened(directory) as session:
        _tell_seal(check_seal(session, word), as_json=as_json)


def _tell_seal(found: "SealCheck", *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json(asdict(found))
    else:
        key = "seal_unseen" if found.holds is None else "seal_holds" if found.holds else "seal_broken"
        at, seq = found.seal.sealed_at, found.seal.seq
        click.echo(text(f"draws.cli.{key}", LANG, at=at, seq=seq))
        if not found.intact:
            click.echo(said("seal_history"))
        if found.changed:
            click.echo(said("seal_changed", fields=", ".join(found.changed)))
    if found.holds is False or not found.intact:
        raise typer.Exit(1)


@seals.command("list", help=helped("seal_list"))
def seal_list(directory: Dir = None, as_json: Json = False) -> None:
    """List all seals."""
    from dataclasses import asdict

    from villagemap.flows.routes.seals import list_seals

    with opened(directory) as session:
        found = list_seals(session)
    if as_json:
        print_json([asdict(seal) for seal in found])
        return
    _tell_seals(found)


def _tell_seals(found: "Sequence[Seal]") -> None:
    for seal in found:
        state = said("seal_opened" if seal.opened_at else "seal_closed")
        click.echo(said("seal_line", id=seal.id, commitment=seal.commitment, at=seal.sealed_at, state=state))
    if not found:
        click.echo(said("seal_none"), err=True)
