"""The one list of what the system does: each flow with its name and policy.

A flow is a function whose first parameter is a `Session`; the decorator asks the policy before it runs. Doors (command
line, pages, API, notebooks) call flows and nothing below them.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from villagemap.auth import Actor, Policy, permit
from villagemap.flows.workspace import Workspace

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody at work in a workspace."""

    workspace: Workspace
    actor: Actor


class NothingNew(Exception):  # noqa: N818 - no error: it takes a transaction back
    """What was to be written is here already."""


FLOWS: dict[str, Policy] = {}
"""Flow name to policy: what the route test and the policy table read."""

Flow = Callable[Concatenate[Session, Given], Answer]


def flow(name: str, policy: Policy) -> Callable[[Flow[Given, Answer]], Flow[Given, Answer]]:
    """Register a flow under ``name`` and guard it by ``policy``."""

    def guarded(function: Flow[Given, Answer]) -> Flow[Given, Answer]:
        if name in FLOWS:
            raise ValueError(name)
        FLOWS[name] = policy

        def asked(session: Session, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
            permit(session.actor, policy, name)
            return function(session, *args, **kwargs)

        return functools.update_wrapper(asked, function)

    return guarded
