"""Who asks, and whether they may: every door goes through `permit`.

Until users exist there is one actor, the owner of this computer. Doors tell the two apart by where a request comes
from; the policy stays in this one function.
"""

from dataclasses import dataclass
from enum import StrEnum

from villagemap.errors import ForbiddenError


class Policy(StrEnum):
    """What a flow needs its actor to be allowed."""

    READ = "read"
    """Look at places, issues, maps, counts."""
    READ_ALL = "read_all"
    """Look at restricted rows and personal values too."""
    WRITE = "write"
    """Change issues and places."""
    ADMIN = "admin"
    """Make, check and open a workspace."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks. ``id`` stands in events, so it is a role or an account and never a person's name."""

    id: str
    may: frozenset[Policy]


OWNER = Actor("owner", frozenset(Policy))
"""Whoever sits at this computer."""


def permit(actor: Actor, policy: Policy, flow: str) -> None:
    """Let the actor pass or say no.

    Raises
    ------
    ForbiddenError
        If the actor may not do what ``flow`` does.
    """
    if policy not in actor.may:
        raise ForbiddenError("forbidden", flow=flow)
