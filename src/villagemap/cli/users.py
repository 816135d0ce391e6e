"""Commands about who there is: users, grants, the access log, and the table of roles.

A password is typed where nobody sees it, or comes on standard input; it is never an argument, which others could read
in the list of processes.
"""

import sys
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from villagemap.cli.options import Dir, Json
from villagemap.cli.session import opened, print_json
from villagemap.cli.words import LANG
from villagemap.errors import BadInputError
from villagemap.texts import text

if TYPE_CHECKING:
    from villagemap.flows.people.accounts import UserLine
    from villagemap.flows.registry import Session
    from villagemap.store.accounts import GivenGrant

users = typer.Typer(help=text("accounts.help.users", LANG), no_args_is_help=True, rich_markup_mode=None)


def said(key: str, /, **params: Any) -> str:  # noqa: ANN401 - values of any printable type
    """A sentence of these commands."""
    return text(f"accounts.cli.{key}", LANG, **params)


def helped(key: str) -> str:
    """What an option or command is for."""
    return text(f"accounts.help.{key}", LANG)


User = Annotated[str, typer.Argument(help=helped("user"), metavar="USER", show_default=False)]
Places = Annotated[list[str] | None, typer.Option("--place", help=helped("place"), show_default=False)]
Groups = Annotated[list[str] | None, typer.Option("--group", help=helped("group"), show_default=False)]


@users.command("add", help=helped("users_add"))
def add(
    login: Annotated[str, typer.Argument(help=helped("login"), metavar="LOGIN", show_default=False)],
    name: Annotated[str, typer.Option("--name", help=helped("name"), show_default=False)] = "",
    units: Annotated[list[str] | None, typer.Option("--unit", help=helped("unit"), show_default=False)] = None,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Add a user."""
    from villagemap.flows.people.accounts import add_user

    with opened(directory) as session:
        user = add_user(session, login, asked_password(), name=name, units=units or ())
    if as_json:
        print_json(asdict(user))
    else:
        click.echo(said("user_added", id=user.id, login=user.login), err=True)


@users.command("list", help=helped("users_list"))
def list_all(directory: Dir = None, as_json: Json = False) -> None:
    """List users with their grants."""
    from villagemap.flows.people.accounts import list_users

    with opened(directory) as session:
        lines = list_users(session)
        if as_json:
            print_json([{**asdict(line.user), "grants": [asdict(grant) for grant in line.grants]} for line in lines])
        elif not lines:
            click.echo(said("no_users"), err=True)
        else:
            _print_users(session, lines)


def _print_users(session: "Session", lines: "list[UserLine]") -> None:
    for line in lines:
        user = line.user
        state = said("locked") if user.disabled else ""
        click.echo("\t".join([user.id, user.login, user.name, ",".join(user.units), state]).rstrip())
        for grant in line.grants:
            click.echo(f"  {grant.id}\t{_told(session, grant)}")
        if not line.grants:
            click.echo(f"  {said('no_grants')}")


def _told(session: "Session", grant: "GivenGrant") -> str:
    words = _words(session, grant)
    parts = [words["role"], words["where"], words["groups"]]
    return said("comma").join(parts) + words["private"] + words["until"]


def _words(session: "Session", grant: "GivenGrant") -> dict[str, str]:
    """A grant in words."""
    gazetteer, vocabulary = session.workspace.gazetteer(), session.workspace.vocabulary
    known = [gazetteer.by_id.get(place) for place in grant.places]
    names = [gazetteer.full_name(place) if place else code for place, code in zip(known, grant.places, strict=True)]
    groups = [vocabulary.label("groups", group, LANG) for group in grant.groups]
    return {
        "role": text(f"accounts.roles.{grant.role}", LANG),
        "where": said("in_places", names=said("comma").join(names)) if names else said("everywhere"),
        "groups": said("comma").join(groups) if groups else said("all_groups"),
        "private": said("with_private") if grant.private else "",
        "until": said("until", day=grant.until.isoformat()) if grant.until else "",
    }


@users.command("grant", help=helped("users_grant"))
def grant(
    user: User,
    role: Annotated[str, typer.Argument(help=helped("role"), metavar="ROLE", show_default=False)],
    places: Places = None,
    groups: Groups = None,
    private: Annotated[bool, typer.Option("--private", help=helped("private"))] = False,
    until: Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help=helped("until"))] = None,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Give a user a role."""
    from villagemap.flows.people.accounts import grant as flow

    last = until.date() if until else None
    with opened(directory) as session:
        given = flow(session, user, role, places=places or (), groups=groups or (), private=private, until=last)
        if as_json:
            print_json(asdict(given))
        else:
            click.echo(said("granted", id=given.id, login=user, **_words(session, given)), err=True)


@users.command("revoke", help=helped("users_revoke"))
def revoke(
    grant_id: Annotated[str, typer.Argument(help=helped("grant"), metavar="GRANT", show_default=False)],
    directory: Dir = None,
) -> None:
    """Take a grant back."""
    from villagemap.flows.people.accounts import revoke_grant

    with opened(directory) as session:
        revoke_grant(session, grant_id)
    click.echo(said("revoked", id=grant_id), err=True)


@users.command("password", help=helped("users_password"))
def password(user: User, directory: Dir = None) -> None:
    """Give a user another password."""
    from villagemap.flows.people.accounts import set_password

    with opened(directory) as session:
        set_password(session, user, asked_password())
    click.echo(said("password_set", login=user), err=True)


@users.command("disable", help=helped("users_disable"))
def disable(
    user: User,
    enable: Annotated[bool, typer.Option("--enable", help=helped("enable"))] = False,
    directory: Dir = None,
) -> None:
    """Lock a user out, or let them in again."""
    from villagemap.flows.people.accounts import disable_user

    with opened(directory) as session:
        disable_user(session, user, disabled=not enable)
    click.echo(said("enabled" if enable else "disabled", login=user), err=True)


@users.command("log", help=helped("users_log"))
def log(
    actor: Annotated[str, typer.Option("--actor", help=helped("log_actor"), show_default=False)] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help=helped("log_limit"))] = 100,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Show the access log."""
    from villagemap.flows.people.accounts import access_log

    with opened(directory) as session:
        entries = access_log(session, actor=actor, limit=limit)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    for entry in entries:
        click.echo(f"{entry.at.astimezone():%Y-%m-%d %H:%M}\t{entry.actor}\t{entry.flow}\t{entry.subject}")


def asked_password() -> str:
    """A password typed twice where nobody sees it, or one line of standard input.

    Raises
    ------
    BadInputError
        ``password_not_given``
    """
    if sys.stdin.isatty():
        return str(click.prompt(said("password"), hide_input=True, confirmation_prompt=said("password_again")))
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise BadInputError("password_not_given")
    return given


def policy_table(lang: str = "en") -> str:
    """Which role may do what, as a Markdown table: a line for each policy, a column for each role."""
    from villagemap.auth import ROLE_POLICIES, Policy, Role

    heads = ["", *(text(f"accounts.roles.{role}", lang) for role in Role)]
    lines = [heads, ["---", *(":-:" for _ in Role)]]
    for policy in Policy:
        marks = ["●" if policy in ROLE_POLICIES[role] or policy is Policy.PUBLIC else "" for role in Role]
        lines.append([f"**{policy}**: {text(f'accounts.policies.{policy}', lang)}", *marks])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
