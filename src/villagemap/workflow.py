"""The life of an issue: its statuses, the actions that move it, who may take them and what each needs.

Pure: values in, values out. The table `ACTIONS` is what pages, documentation and the policy read; `refusals` says why
an action can't be taken, `moved` gives the issue after it. The chain of verification is data: by default the village
asks, the town checks, the county verifies.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from villagemap.model import Issue, Status
from villagemap.texts import text
from villagemap.vocabulary import Category

OPEN = frozenset(
    {Status.REPORTED, Status.REGISTERED, Status.RECTIFYING, Status.SUBMITTED, Status.RETURNED, Status.DEFERRED}
)
"""What still counts as not done: a submission is a claim, and a deferral only moves the day."""

CLAIMED = frozenset({Status.SUBMITTED, Status.CLOSED})
"""What the duty unit says is done (自报完成); only ``closed`` is verified (核实销号)."""

RUNNING = frozenset({Status.REPORTED, Status.REGISTERED, Status.RECTIFYING, Status.RETURNED, Status.DEFERRED})
"""What a duty unit still has to work on, and so can be overdue with."""

NO_CASES = frozenset({Status.DUPLICATE, Status.REJECTED})
"""What turned out to be no case of its own: kept, and counted and drawn nowhere."""

STATUSES = tuple(Status)

CHAIN = ("village", "town", "county")
"""Who asks, who checks, who verifies: the last closes."""

FIXING = frozenset({"start", "progress", "interim", "submit"})
"""Whoever took one of these has done some of the fixing, and can't be the verifier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One step of an issue's life.

    ``before`` are the statuses it starts from, ``after`` the one it leads to (None: the issue keeps its own);
    ``policies`` name what the actor must be allowed, any one of them; ``needs`` what must be given (see `Given`) or
    hold (``evidence``, ``quantity``, ``chain``, ``apart``: the verifier is none of the fixers; ``may_defer``).
    """

    code: str
    before: frozenset[Status]
    after: Status | None
    policies: tuple[str, ...]
    needs: tuple[str, ...] = ()


_S = Status
_AT_WORK = frozenset({_S.REGISTERED, _S.RECTIFYING, _S.RETURNED, _S.DEFERRED})
_UNDECIDED = frozenset({_S.REPORTED, *_AT_WORK, _S.SUBMITTED})

ACTIONS = {
    action.code: action
    for action in (
        Action(code="register", before=frozenset({_S.REPORTED}), after=_S.REGISTERED, policies=("decide",)),
        Action(code="assign", before=_UNDECIDED, after=None, policies=("decide",), needs=("lead_unit",)),
        Action(code="start", before=frozenset({_S.REGISTERED, _S.RETURNED}), after=_S.RECTIFYING, policies=("work",)),
        Action(
            code="progress", before=frozenset({_S.RECTIFYING}), after=None, policies=("work",), needs=("quantity_done",)
        ),
        Action(code="interim", before=_AT_WORK, after=None, policies=("work",), needs=("reason", "interim_photo")),
        Action(
            code="submit",
            before=frozenset({_S.REGISTERED, _S.RECTIFYING, _S.RETURNED}),
            after=_S.SUBMITTED,
            policies=("work",),
        ),
        Action(
            code="check", before=frozenset({_S.SUBMITTED}), after=None, policies=("check",), needs=("evidence", "apart")
        ),
        Action(
            code="return",
            before=frozenset({_S.SUBMITTED}),
            after=_S.RETURNED,
            policies=("check", "verify"),
            needs=("reason",),
        ),
        Action(
            code="close",
            before=frozenset({_S.SUBMITTED}),
            after=_S.CLOSED,
            policies=("verify",),
            needs=("chain", "apart", "evidence", "quantity"),
        ),
        Action(
            code="reopen", before=frozenset({_S.CLOSED}), after=_S.RECTIFYING, policies=("verify",), needs=("reason",)
        ),
        Action(
            code="defer",
            before=frozenset({_S.REGISTERED, _S.RECTIFYING, _S.RETURNED}),
            after=_S.DEFERRED,
            policies=("decide",),
            needs=("reason", "until", "interim", "may_defer"),
        ),
        Action(code="resume", before=frozenset({_S.DEFERRED}), after=_S.RECTIFYING, policies=("decide",)),
        Action(
            code="duplicate",
            before=_UNDECIDED,
            after=_S.DUPLICATE,
            policies=("decide",),
            needs=("reason", "duplicate_of"),
        ),
        Action(code="reject", before=_UNDECIDED, after=_S.REJECTED, policies=("decide",), needs=("reason",)),
        Action(code="object", before=frozenset(_S) - {_S.REPORTED}, after=None, policies=("work",), needs=("reason",)),
        Action(code="answer", before=frozenset(_S), after=None, policies=("decide",), needs=("reason",)),
    )
}
"""All steps by code; ``report`` begins a life and so is none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What somebody says when taking an action; blank where the action doesn't ask for it."""

    on: date
    reason: str = ""
    quantity_done: float | None = None
    until: date | None = None
    lead_unit: str = ""
    help_units: tuple[str, ...] = ()
    duplicate_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What holds around an action.

    ``step`` is the place in the chain that the actor stands for; ``units`` those the actor belongs to; ``charged`` the
    units that answer for the case; ``fixers`` the ids and units that did some of the fixing; ``missing`` what the
    category's evidence still lacks;
    ``interim_photo`` whether a photo of an interim measure is there.
    """

    category: Category
    actor: str
    step: str
    units: frozenset[str] = frozenset()
    charged: frozenset[str] = frozenset()
    fixers: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()
    interim_photo: bool = False
    chain: tuple[str, ...] = CHAIN


def allowed(status: Status) -> tuple[str, ...]:
    """The actions that start from a status."""
    return tuple(code for code, action in ACTIONS.items() if status in action.before)


def refusals(action: Action, issue: Issue, given: Given, facts: Facts) -> list[str]:
    """Why an action can't be taken now, as codes of the catalog's room ``workflow``; empty when it can."""
    if issue.status not in action.before:
        return ["not_from_here"]
    return [need for need in action.needs if not _HOLDS[need](issue, given, facts)]


def _chain_passed(issue: Issue, _given: Given, facts: Facts) -> bool:
    return facts.step == facts.chain[-1] and set(facts.chain[:-1]) <= set(issue.checked)


def _stands_apart(_issue: Issue, _given: Given, facts: Facts) -> bool:
    """The verifier belongs to no unit that is charged with the case, and did none of the fixing.

    A town is charged with all that lies in it, so its check before the county's asks only that it didn't do the work.
    """
    charged = facts.charged if facts.step == facts.chain[-1] else frozenset()
    return facts.actor not in facts.fixers and not facts.units & (charged | facts.fixers)


def _quantity_done(issue: Issue, given: Given, _facts: Facts) -> bool:
    done = issue.quantity_done if given.quantity_done is None else given.quantity_done
    return done >= issue.quantity_found


_Holds = Callable[[Issue, Given, Facts], bool]
_HOLDS: dict[str, _Holds] = {
    "reason": lambda _i, given, _f: bool(given.reason.strip()),
    "lead_unit": lambda _i, given, _f: bool(given.lead_unit),
    "quantity_done": lambda issue, given, _f: (
        given.quantity_done is not None and given.quantity_done >= issue.quantity_done
    ),
    "until": lambda _i, given, _f: given.until is not None and given.until > given.on,
    "interim": lambda issue, _g, _f: issue.interim_on is not None,
    "interim_photo": lambda _i, _g, facts: facts.interim_photo,
    "may_defer": lambda _i, _g, facts: facts.category.may_defer,
    "duplicate_of": lambda issue, given, _f: given.duplicate_of not in {"", issue.id},
    "evidence": lambda _i, _g, facts: not facts.missing,
    "quantity": _quantity_done,
    "chain": _chain_passed,
    "apart": _stands_apart,
}


def moved(action: Action, issue: Issue, given: Given, facts: Facts) -> Issue:
    """The issue after an action that nothing refuses."""
    issue = replace(issue, status=action.after or issue.status)
    if given.quantity_done is not None:
        issue = replace(issue, quantity_done=given.quantity_done)
    change = _MOVES.get(action.code)
    return change(issue, given, facts) if change else issue


def _submitted(issue: Issue, given: Given, facts: Facts) -> Issue:
    asked = facts.chain[: facts.chain.index(facts.step) + 1] if facts.step in facts.chain[:-1] else facts.chain[:-1]
    return replace(issue, claimed_closed_on=given.on, checked=asked)


def _checked(issue: Issue, _given: Given, facts: Facts) -> Issue:
    passed = facts.chain[: facts.chain.index(facts.step) + 1]
    return replace(issue, checked=tuple(dict.fromkeys((*issue.checked, *passed))))


_Move = Callable[[Issue, Given, Facts], Issue]
_MOVES: dict[str, _Move] = {
    "assign": lambda issue, given, _f: replace(issue, lead_unit=given.lead_unit, help_units=given.help_units),
    "interim": lambda issue, given, _f: replace(issue, interim_on=given.on),
    "submit": _submitted,
    "check": _checked,
    "return": lambda issue, _g, _f: replace(issue, claimed_closed_on=None, checked=()),
    "close": lambda issue, given, _f: replace(issue, closed_on=given.on),
    "reopen": lambda issue, _g, _f: replace(issue, closed_on=None, claimed_closed_on=None, checked=()),
    "defer": lambda issue, given, _f: replace(issue, deferred_until=given.until),
    "resume": lambda issue, _g, _f: replace(issue, deferred_until=None),
    "duplicate": lambda issue, given, _f: replace(issue, duplicate_of=given.duplicate_of),
}


def transition_table(lang: str) -> list[tuple[str, str, str, str, str]]:
    """The table of actions for documentation: code, label, from, to, needs; statuses and needs as codes."""
    return [
        (
            code,
            text(f"workflow.actions.{code}", lang),
            ", ".join(status.value for status in Status if status in action.before),
            action.after.value if action.after else "-",
            ", ".join((*action.policies, *(f"+{need}" for need in action.needs))),
        )
        for code, action in ACTIONS.items()
    ]
