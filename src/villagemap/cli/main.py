"""The program ``villagemap``: its commands, and what becomes of errors.

Exit codes: 0 done, 1 a fault of ours, 2 wrong use, 3 nothing applied because the input has faults.
"""

import os
import signal
import sqlite3
import sys
import traceback
from typing import NoReturn

import click
import typer

from villagemap.cli import backups, data, draws, links, output, roads, routes, scores, server, sweeps, users, work
from villagemap.cli.words import LANG, say
from villagemap.errors import DiskFullError, VillagemapError, WorkspaceError

app = typer.Typer(
    name="villagemap",
    help=say("help"),
    epilog=say("epilog"),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
places = typer.Typer(help=say("places.help"), no_args_is_help=True, rich_markup_mode=None)
app.add_typer(places, name="places")
app.add_typer(roads.roads, name="roads")
app.add_typer(routes.routes, name="route")
app.add_typer(sweeps.sweeps, name="sweep")
app.add_typer(users.users, name="users")
app.add_typer(links.tokens, name="tokens")
app.add_typer(links.links, name="links")
app.add_typer(scores.meetings, name="meeting")
app.add_typer(draws.draws, name="draw")
app.add_typer(draws.seals, name="seal")


@app.callback()
def _everywhere(
    lang: str = typer.Option(LANG, "--lang", help=say("options.lang"), metavar="zh|en", show_default=False),
    debug: bool = typer.Option(False, "--debug", help=say("options.debug")),
) -> None:
    """Both are read before the commands are made; they stand here for the help."""


app.command("demo", help=say("demo.help"))(server.demo)
app.command("init", help=say("init.help"))(data.init)
places.command("import", help=say("places.import.help"))(data.import_places)
places.command("list", help=say("places.list.help"))(data.list_places)
app.command("import", help=say("import.help"))(data.import_issues)
app.command("map", help=say("map.help"))(output.town_map)
app.command("export", help=say("export.help"))(output.export)
app.command("show", help=say("show.help"))(output.show)
app.command("counts", help=scores.helped("counts"))(scores.counts)
app.command("due", help=scores.helped("due"))(scores.due)
app.command("outlook", help=scores.helped("outlook"))(scores.outlook)
app.command("scores", help=scores.helped("scores"))(scores.scores)
app.command("rank", help=scores.helped("rank"))(scores.rank)
app.command("deductions", help=scores.helped("deductions"))(scores.deductions)
app.command("tasks", help=say("tasks.help"))(work.tasks)
app.command("queue", help=say("queue.help"))(work.queue)
app.command("act", help=say("act.help"))(work.act)
app.command("photo", help=say("photo.help"))(work.photo)
app.command("report", help=say("report.help"))(work.report)
app.command("verify", help=say("verify.help"))(output.verify)
app.command("anchor", help=backups.helped("anchor"))(backups.anchor)
app.command("backup", help=backups.helped("backup"))(backups.backup)
app.command("restore", help=backups.helped("restore"))(backups.restore)
app.command("snapshot", help=backups.helped("snapshot"))(backups.snapshot)
app.command("upgrade", help=backups.helped("upgrade"))(backups.upgrade)
app.command("doctor", help=say("doctor.help"))(output.doctor)
app.command("run-jobs", hidden=True)(routes.run_jobs)
app.command("serve", help=say("serve.help"))(server.serve)
app.command("bench", help=say("bench.help"), context_settings={"ignore_unknown_options": True})(server.bench)


def main() -> NoReturn:
    """Run one command and exit with its code."""
    debug = "--debug" in sys.argv
    words = _without_everywhere(sys.argv[1:])
    _speak_utf8()
    try:
        code = app(words, prog_name="villagemap", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except VillagemapError as fault:
        if debug:
            traceback.print_exc()
        sys.exit(_tell(fault.sentence(LANG), fault.exit_code))
    except click.UsageError as fault:
        sys.exit(_tell(_of_use(fault), 2))
    except (KeyboardInterrupt, click.Abort):
        sys.exit(_tell(say("stopped"), 128 + signal.SIGINT))
    except BrokenPipeError:
        # whoever read our output has had enough; Python must not complain about it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (sqlite3.Error, OSError) as fault:
        if debug:
            traceback.print_exc()
        sys.exit(_tell(_outside(fault).sentence(LANG), WorkspaceError.exit_code))
    except Exception as fault:  # noqa: BLE001 - the last door: a person gets a sentence, --debug the trace
        if debug:
            traceback.print_exc()
        sys.exit(_tell(say("fault", kind=type(fault).__name__, fault=str(fault)[:200]), 1))


def _outside(fault: sqlite3.Error | OSError) -> WorkspaceError:
    """What is wrong with a file or the disk, which isn't a fault of ours."""
    from villagemap.store.disk import is_full

    if is_full(fault):
        return DiskFullError()
    if isinstance(fault, sqlite3.Error):
        return WorkspaceError("store_fault", fault=str(fault))
    return WorkspaceError("disk_fault", path=fault.filename or "?", fault=fault.strerror or str(fault))


def _without_everywhere(words: list[str]) -> list[str]:
    """The words without ``--lang`` and ``--debug``, which may stand anywhere."""
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word == "--lang":
            skip = True
        elif word != "--debug" and not word.startswith("--lang="):
            kept.append(word)
    return kept


def _of_use(fault: click.UsageError) -> str:
    """What was wrong with the words; the help where there were none."""
    message = fault.format_message()
    if isinstance(fault, click.exceptions.NoArgsIsHelpError):
        return message
    return say("wrong_use", message=message, command=fault.ctx.command_path if fault.ctx else "villagemap")


def _tell(sentence: str, code: int) -> int:
    click.echo(sentence, err=True)
    return code


def _speak_utf8() -> None:
    """Chinese must leave by any terminal or pipe; an old code page shows what it can."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(encoding="utf-8" if not stream.isatty() else stream.encoding, errors="replace")
