"""Flows that move an issue: one for each action of the workflow, decided, written and answered in one transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import orjson

from villagemap.auth import Actor, Policy, Role
from villagemap.errors import ConflictError, ForbiddenError, NotFoundError, RefusedError
from villagemap.flows.cases.evidence import missing_evidence, stages_shown
from villagemap.flows.cases.relapses import schedule_revisits
from villagemap.flows.narrowing import may_on, permit_on, seen_issue
from villagemap.flows.registry import FLOWS, Session
from villagemap.model import Change, Event, Issue, Status
from villagemap.settings import now
from villagemap.store import Writer
from villagemap.workflow import ACTIONS, FIXING, Action, Facts, Given, allowed, moved, refusals

for _action in ACTIONS.values():
    FLOWS[f"issue.{_action.code}"] = Policy(_action.policies[0])

SAID = frozenset({"reason", "lead_unit", "quantity_done", "until", "duplicate_of", "quantity"})
"""Needs that are met by what somebody says while taking the action; the others hold before or don't."""

BY_LINK = "submit"
"""The one action that a link without an account is for."""

_STEP_OF_ROLE = {
    Role.VILLAGE_CADRE: "village",
    Role.TOWN_CADRE: "town",
    Role.BUREAU_OFFICER: "town",
    Role.INSPECTOR: "county",
    Role.COUNTY_ANALYST: "county",
    Role.COUNTY_ADMIN: "county",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Possible:
    """An action that starts from where the issue stands: what it needs, and what of that isn't so yet."""

    code: str
    needs: tuple[str, ...]
    lacking: tuple[str, ...]


def possible_actions(session: Session, issue: Issue) -> list[Possible]:
    """The actions that this actor may take on an issue now: what its page shows as buttons."""
    facts = facts_of(session, issue)
    given = Given(on=session.workspace.settings.day())
    found = []
    for code in allowed(issue.status):
        action = ACTIONS[code]
        if _may(session, action, issue):
            lacking = tuple(need for need in refusals(action, issue, given, facts) if need not in SAID)
            found.append(Possible(code=code, needs=action.needs, lacking=lacking))
    return found


def may_take(session: Session, code: str, issue: Issue) -> bool:
    """Whether this actor may take an action that starts from where the issue stands, whatever it still needs."""
    return code in allowed(issue.status) and _may(session, ACTIONS[code], issue)


def take_action(
    session: Session, code: str, issue_id: str, given: Given, *, revision: int | None = None, key: str = ""
) -> Issue:
    """Take one action on an issue, and give it back as it stands then.

    Parameters
    ----------
    revision
        The revision that the actor looked at; another one now is a conflict.
    key
        Chosen by the client: a retry with the same key changes nothing and gets the same answer.

    Raises
    ------
    NotFoundError, ForbiddenError
        If the actor can't see the issue, or may not do this to it.
    RefusedError
        If the workflow refuses; the sentence says why and what is allowed.
    ConflictError
        If the issue was changed since ``revision``, or the key was used for something else.
    """
    action = ACTIONS.get(code)
    if action is None:
        raise NotFoundError("unknown_action", word=code, known=", ".join(ACTIONS))
    store = session.workspace.store
    with store.writing() as writer:
        answered = writer.answer_to(key) if key else None
        if answered is not None:
            return _answered(session, orjson.loads(answered), issue_id, code)
        issue = act_within(session, writer, action, issue_id, given, revision=revision)
        if key:
            answer = orjson.dumps({"issue": issue.id, "action": code, "actor": session.actor.id}).decode()
            writer.keep_answer(key, answer, actor=session.actor.id, flow=f"issue.{code}", at=now())
    return _present(session, issue.id)


def act_within(
    session: Session, writer: Writer, action: Action, issue_id: str, given: Given, *, revision: int | None = None
) -> Issue:
    """Take one action as a part of a larger transaction; raises like `take_action`, and gives the issue from before."""
    store = session.workspace.store
    issue = _permitted(session, action, issue_id)
    if revision is not None and revision != issue.revision:
        raise _changed_since(issue, revision, given)
    changes = _changes(session, action, issue, given)
    writer.record(changes)
    if action.code == "close":
        schedule_revisits(writer, store, session.workspace.vocabulary, changes[-1].issue, session.actor.id)
    return issue


def _changed_since(issue: Issue, revision: int, given: Given) -> ConflictError:
    """The second of two editors sees both: how the issue stands now, and what they were about to say."""
    stands = {"status": issue.status.value, "quantity_done": issue.quantity_done, "due_on": str(issue.due_on or "")}
    said = {name: str(value) for name, value in asdict(given).items() if value not in (None, "", ())}
    return ConflictError(
        "issue_changed",
        number=issue.number or issue.id,
        revision=issue.revision,
        yours={"revision": revision, **said},
        theirs={"revision": issue.revision, **stands},
    )


def _answered(session: Session, answer: dict[str, str], issue_id: str, code: str) -> Issue:
    issue = _present(session, issue_id)
    if answer != {"issue": issue.id, "action": code, "actor": session.actor.id}:
        raise ConflictError("key_used")
    return issue


def _present(session: Session, issue_id: str) -> Issue:
    issue = session.workspace.store.issue(issue_id)
    if issue is None:
        raise NotFoundError("unknown_issue", word=issue_id)
    return issue


def _permitted(session: Session, action: Action, issue_id: str) -> Issue:
    flow = f"issue.{action.code}"
    issue = seen_issue(session, issue_id, flow)
    if not _may(session, action, issue):
        permit_on(session, Policy(action.policies[0]), flow, issue)
        raise ForbiddenError("forbidden", flow=flow)
    return issue


def _may(session: Session, action: Action, issue: Issue) -> bool:
    if session.actor.link is not None and action.code != BY_LINK:
        return False
    return any(may_on(session, Policy(policy), issue) for policy in action.policies)


def _changes(session: Session, action: Action, issue: Issue, given: Given) -> list[Change]:
    """The steps to write: a submission of a case that nobody has started starts it too."""
    at, facts = now(), facts_of(session, issue)
    unstarted = action.code == "submit" and issue.status in {Status.REGISTERED, Status.RETURNED}
    changes = []
    for step in (ACTIONS["start"], action) if unstarted else (action,):
        why = refusals(step, issue, given, facts)
        if why:
            raise _refused(session, step, issue, facts, why)
        issue = moved(step, issue, given, facts)
        changes.append(Change(kind=step.code, issue=issue, at=at, actor=session.actor.id, note=given.reason))
    return changes


def _refused(session: Session, action: Action, issue: Issue, facts: Facts, why: Sequence[str]) -> RefusedError:
    status = session.workspace.vocabulary.words["statuses"][issue.status.value]
    steps = [step for step in facts.chain[:-1] if step not in issue.checked]
    missing = facts.missing
    return RefusedError(action.code, why, status=status, allowed=allowed(issue.status), missing=missing, steps=steps)


def facts_of(session: Session, issue: Issue) -> Facts:
    """What holds around an issue for this actor."""
    workspace = session.workspace
    events = workspace.store.events(f"issue/{issue.id}")
    return Facts(
        category=workspace.vocabulary.categories[issue.category],
        actor=session.actor.id,
        step=step_of(session.actor),
        units=session.actor.units,
        charged=charged_units(session, issue),
        fixers=fixers_of(session, events),
        missing=missing_evidence(session, issue),
        interim_photo="interim" in stages_shown(session, issue),
        chain=workspace.vocabulary.chain,
    )


def step_of(actor: Actor) -> str:
    """The place in the chain that an actor stands for: the highest of its roles, a link for whoever works below."""
    order = ("village", "town", "county")
    steps = {_STEP_OF_ROLE[grant.role] for grant in actor.grants if grant.role in _STEP_OF_ROLE}
    return max(steps, key=order.index, default=order[0])


def charged_units(session: Session, issue: Issue) -> frozenset[str]:
    """The units that answer for a case, as codes: "county_ecology", "town:449923101", or a proper name as written."""
    by_id = session.workspace.gazetteer().by_id
    places = {"town": by_id.get(issue.town_id or ""), "village": by_id.get(issue.village_id or "")}
    units = set()
    for unit in (issue.lead_unit, *issue.help_units):
        named = next((f"{level}:{p.code}" for level, p in places.items() if p and unit.startswith(p.name)), unit)
        place = places.get(unit)
        units.add(f"{unit}:{place.code}" if place else named)
    return frozenset(units - {""})


def fixers_of(session: Session, events: Sequence[Event]) -> frozenset[str]:
    """Who did some of the fixing: their ids, and the units that they belong to."""
    ids = {event.actor for event in events if event.kind.removeprefix("issue.") in FIXING}
    return frozenset(ids) | session.workspace.accounts.units_of(ids)
