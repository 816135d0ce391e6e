"""What a draw is made from, read from the register: candidates as of an event, inspectors, whose a drawn thing is.

Candidates follow from the events up to the frozen one, so a check makes the list again and finds one that was left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from villagemap.auth import Grant, Policy, Role
from villagemap.chain import Fields
from villagemap.deadlines import day_number
from villagemap.draws import NOWHERE, Candidate, Duty, Inspector, Kind, Last
from villagemap.errors import BadInputError
from villagemap.flows.campaigns.sweep_views import as_visit, visit_line
from villagemap.flows.cases.actions import charged_units, fixers_of
from villagemap.flows.registry import Session
from villagemap.model import IssueFilter, Level, Place, Privacy, Status
from villagemap.settings import TIME_ZONE, now
from villagemap.store import IssueColumns
from villagemap.store.accounts import User
from villagemap.sweeps import Outcome, VisitFault, faults
from villagemap.workflow import STATUSES

AT_WORK = frozenset({Role.TOWN_CADRE, Role.VILLAGE_CADRE})
"""Who holds such a role in a place belongs to its town, whatever units the account names."""
MOST_CASES = 100_000

_VISITED = {
    Outcome.VISITED_CLEAN: Last.CLEAN,
    Outcome.VISITED_WITH_ISSUES: Last.WITH_ISSUES,
    Outcome.UNREACHABLE: Last.UNREACHABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is to be drawn: ``size`` things, ``each`` inspectors for each, out of which part of the register.

    ``towns`` are place ids and ``categories`` codes, () for all; ``since`` keeps cases closed on that day or later;
    ``households`` says whether restricted cases are among them. ``day`` is the draw's, on which a village must stand.
    """

    kind: Kind
    size: int
    each: int
    day: date
    towns: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    since: date | None = None
    households: bool = False


def candidates_at(session: Session, rules: Rules, seq: int) -> list[Candidate]:
    """All that could be drawn after event ``seq``, with the values that stratify it."""
    return _cases(session, rules, seq) if rules.kind is Kind.CASES else _villages(session, rules, seq)


# Closed cases


def _cases(session: Session, rules: Rules, seq: int) -> list[Candidate]:
    store = session.workspace.store
    columns = store.columns_at(seq)
    rows = np.flatnonzero(_closed(columns, rules))
    duties = store.duties(columns.fid[rows].tolist())
    looks = _looks(session, seq)
    found = []
    for row in rows.tolist():
        issue_id = duties[int(columns.fid[row])].id
        town = f"t{columns.town[row]}" if columns.town[row] else NOWHERE
        last = _last(int(columns.closed[row]), looks.get(issue_id, ()), reopened=bool(columns.reopened[row]))
        found.append(Candidate(id=issue_id, values=(town, columns.categories[columns.category[row]], last.value)))
    return found


def _closed(columns: IssueColumns, rules: Rules) -> npt.NDArray[np.bool_]:
    most = Privacy.RESTRICTED if rules.households else Privacy.OFFICE
    kept = (columns.status == STATUSES.index(Status.CLOSED)) & (columns.privacy <= list(Privacy).index(most))
    if rules.towns:
        kept &= np.isin(columns.town, [int(town[1:]) for town in rules.towns])
    if rules.categories:
        kept &= np.isin(columns.category, [n for n, code in enumerate(columns.categories) if code in rules.categories])
    if rules.since:
        kept &= columns.closed >= day_number(rules.since)
    return np.asarray(kept)


def _looks(session: Session, seq: int) -> dict[str, list[tuple[int, bool]]]:
    """For each case the looks again after its closing: the day's number, and whether it failed."""
    store = session.workspace.store
    found: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for record in store.records_at("revisit", seq):
        if done := record.fields.get("done_on"):
            found[record.subject.split("/")[1]].append((day_number(date.fromisoformat(done)), False))
    for record in store.records_at("recheck", seq):
        if record.fields["kind"] == Kind.CASES:
            day = day_number(date.fromisoformat(record.fields["on"]))
            found[record.fields["target"]].append((day, not record.fields["passed"]))
    return found


def _last(closed: int, looks: Iterable[tuple[int, bool]], *, reopened: bool) -> Last:
    """The last look since the closing; without one, a case that was reopened has failed before."""
    since = [look for look in looks if look[0] >= closed]
    failed = max(since)[1] if since else reopened
    return Last.FAILED if failed else Last.PASSED if since else Last.NEVER


# Villages


def _villages(session: Session, rules: Rules, seq: int) -> list[Candidate]:
    told = session.workspace.store.places_at(seq)
    visited = _visited(session, seq)
    return [
        Candidate(id=place_id, values=(town, visited.get(place_id, ("", Last.NEVER))[1].value))
        for place_id, fields in told.items()
        if _stands(fields, rules.day)
        for town in (fields.get("parent_id") or NOWHERE,)
        if not rules.towns or town in rules.towns
    ]


def _stands(fields: Fields, day: date) -> bool:
    """Whether it is a village, and one on that day."""
    begins, ends = fields.get("valid_from", ""), fields.get("valid_to", "")
    return bool(
        fields.get("level") == Level.VILLAGE
        and (not begins or begins <= day.isoformat())
        and (not ends or ends >= day.isoformat())
    )


def _visited(session: Session, seq: int) -> dict[str, tuple[str, Last]]:
    """For each village its last visit that counts, or re-check: when it was, and what came of it."""
    store = session.workspace.store
    seen: list[tuple[str, str, Last]] = []
    for record in store.records_at("visit", seq):
        line = visit_line(record)
        if set(faults(as_visit(line), ())) <= {VisitFault.NOT_LISTED}:
            seen.append((line.place_id, record.fields["at"], _VISITED[line.outcome]))
    for record in store.records_at("recheck", seq):
        if record.fields["kind"] == Kind.VILLAGES:
            last = Last.CLEAN if record.fields["passed"] else Last.WITH_ISSUES
            seen.append((record.fields["target"], record.fields["at"], last))
    return {place: (at, last) for place, at, last in sorted(seen)}


# Inspectors


def inspectors_of(session: Session, words: Sequence[str]) -> list[Inspector]:
    """The accounts that are named, else all that hold an inspector's grant today; each with its units.

    A county without accounts names its teams, each with its units, as NAME or NAME=UNIT,UNIT.

    Raises
    ------
    NotFoundError
        ``unknown_user``
    BadInputError
        ``draw_no_inspectors``; ``draw_no_inspector`` for an account that may not verify.
    """
    accounts, day = session.workspace.accounts, now().astimezone(TIME_ZONE).date()
    grants: dict[str, list[Grant]] = defaultdict(list)
    for given in accounts.grants():
        grant = Grant(role=Role(given.role), places=given.places, groups=given.groups, until=given.until)
        if grant.until is None or grant.until >= day:
            grants[given.user_id].append(grant)
    if not accounts.exist():
        found = [_team(word) for word in words]
    elif words:
        found = [_named(session, accounts.user(word), grants) for word in words]
    else:
        found = [
            _inspector(session, user, grants[user.id])
            for user in accounts.users()
            if not user.disabled and any(grant.role is Role.INSPECTOR for grant in grants[user.id])
        ]
    if not found:
        raise BadInputError("draw_no_inspectors")
    return sorted({one.id: one for one in found}.values(), key=lambda one: one.id)


def _team(word: str) -> Inspector:
    name, _, units = word.partition("=")
    return Inspector(id=name.strip(), units=frozenset(unit.strip() for unit in units.split(",") if unit.strip()))


def _named(session: Session, user: User, grants: dict[str, list[Grant]]) -> Inspector:
    if user.disabled or not any(Policy.VERIFY in grant.policies for grant in grants[user.id]):
        raise BadInputError("draw_no_inspector", login=user.login)
    return _inspector(session, user, grants[user.id])


def _inspector(session: Session, user: User, grants: Sequence[Grant]) -> Inspector:
    """An account with its units, and those of the places that it belongs to by them or by what it works as."""
    by_id, by_code = session.workspace.gazetteer().by_id, session.workspace.gazetteer().by_code
    places = [place for grant in grants if grant.role in AT_WORK for name in grant.places if (place := by_id.get(name))]
    for unit in user.units:
        kind, _, code = unit.partition(":")
        place = by_code(code) if code else None
        if place is not None and place.level == kind:
            places.append(place)
    return Inspector(id=user.id, units=frozenset(user.units).union(*(place_units(session, p) for p in places)))


def place_units(session: Session, place: Place | None) -> set[str]:
    """The units of a village and its town, as accounts and cases name them."""
    found = set()
    if place is not None:
        gazetteer = session.workspace.gazetteer()
        for one in (gazetteer.town_of(place), gazetteer.village_of(place)):
            if one is not None:
                found.add(f"{one.level}:{one.code or one.place_id}")
    return found


# Whose a drawn thing is


def duty_of(session: Session, kind: Kind, target: str) -> Duty:
    """Who is charged with a case, or with a village and all that was mended in it; towns with all that lies in them."""
    store = session.workspace.store
    by_id = session.workspace.gazetteer().by_id
    charged: set[str] = set()
    if kind is Kind.VILLAGES:
        issues = store.issues(IssueFilter(villages=(target,)), limit=MOST_CASES)
        charged = place_units(session, by_id.get(target))
    else:
        issue = store.issue(target)
        issues = [issue] if issue else []
        for one in issues:
            charged |= charged_units(session, one) | place_units(
                session, by_id.get(one.village_id or one.town_id or "")
            )
    events = [event for one in issues for event in store.events(f"issue/{one.id}")]
    return Duty(charged=frozenset(charged), fixers=fixers_of(session, events))
