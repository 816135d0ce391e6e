"""Who asks, and whether they may: one policy function for every door.

A grant is role × places (with all below them) × category groups × private or not × until a day. `permit` decides about
one thing; `reach` says of which part of the county it would say yes, so that lists, tiles, counts and files are cut to
it. Pure: an actor is made from accounts elsewhere, and on a computer without users there is only its owner.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from villagemap.errors import ForbiddenError
from villagemap.model import Issue, Part, Privacy
from villagemap.settings import TIME_ZONE, now
from villagemap.vocabulary import Vocabulary

OUTSIDE_GROUPS = ""
"""The group of a category that the vocabulary doesn't know: only grants for all groups reach it."""

Reach = tuple[Part, ...] | None
"""What of a county somebody may see: all of it (None), or what lies in any of the parts."""


class Policy(StrEnum):
    """What a flow needs its actor to be allowed."""

    PUBLIC = "public"
    """Nothing: whoever asks, may. For logging in and opening a link."""
    READ = "read"
    """Look at places, issues, maps, counts."""
    READ_ALL = "read_all"
    """Look at restricted rows and personal values too."""
    REPORT = "report"
    """Report an issue, add a sighting."""
    WORK = "work"
    """The duty side: start, progress, interim measure, submit, object."""
    CHECK = "check"
    """The town's first check (镇初验): pass on, or return."""
    VERIFY = "verify"
    """Close, return, reopen after a failed re-check."""
    DECIDE = "decide"
    """Register, assign, defer, mark duplicate, reject, answer an objection, overrule a likeness."""
    SWEEP = "sweep"
    """Run campaigns, check in at villages."""
    PLAN = "plan"
    """Plan routes, draw unannounced visits, see such plans."""
    WRITE = "write"
    """Import issues and places."""
    ACCOUNTS = "accounts"
    """Users, grants, tokens, links, the access log."""
    ADMIN = "admin"
    """Make, check, back up and restore a workspace."""


class Role(StrEnum):
    """What somebody is to the county."""

    COUNTY_ADMIN = "county_admin"
    COUNTY_ANALYST = "county_analyst"
    INSPECTOR = "inspector"
    BUREAU_OFFICER = "bureau_officer"
    TOWN_CADRE = "town_cadre"
    VILLAGE_CADRE = "village_cadre"
    AUDITOR = "auditor"
    VIEWER = "viewer"


_P = Policy
ROLE_POLICIES: dict[Role, frozenset[Policy]] = {
    Role.COUNTY_ADMIN: frozenset(Policy) - {_P.PUBLIC},
    Role.COUNTY_ANALYST: frozenset(
        {_P.READ, _P.READ_ALL, _P.REPORT, _P.VERIFY, _P.DECIDE, _P.SWEEP, _P.PLAN, _P.WRITE}
    ),
    Role.INSPECTOR: frozenset({_P.READ, _P.READ_ALL, _P.REPORT, _P.VERIFY, _P.SWEEP, _P.PLAN}),
    Role.BUREAU_OFFICER: frozenset({_P.READ, _P.READ_ALL, _P.REPORT, _P.WORK}),
    Role.TOWN_CADRE: frozenset({_P.READ, _P.READ_ALL, _P.REPORT, _P.WORK, _P.CHECK, _P.SWEEP}),
    Role.VILLAGE_CADRE: frozenset({_P.READ, _P.READ_ALL, _P.REPORT, _P.WORK, _P.SWEEP}),
    Role.AUDITOR: frozenset({_P.READ, _P.READ_ALL}),
    Role.VIEWER: frozenset({_P.READ}),
}
"""What each role is for. ``read_all`` comes into force only by a grant marked private."""

WHOLE_COUNTY = frozenset({Policy.PLAN, Policy.WRITE, Policy.ACCOUNTS, Policy.ADMIN})
"""What touches all of a county at once, so that a grant for a part of it doesn't give it."""

_MOST_PRIVATE = {True: Privacy.RESTRICTED, False: Privacy.OFFICE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What somebody was given: ``places`` are ids of towns or villages, () the county; ``groups`` () means all.

    ``until`` is the last day on which it holds (Asia/Shanghai).
    """

    role: Role
    places: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    private: bool = False
    until: date | None = None

    @property
    def policies(self) -> frozenset[Policy]:
        """What of its role this grant brings into force."""
        withheld = frozenset() if self.private else frozenset({Policy.READ_ALL})
        return ROLE_POLICIES[self.role] - withheld - (WHOLE_COUNTY if self.places or self.groups else frozenset())

    def part(self) -> Part:
        """The part of the county it holds for."""
        return Part(self.places, self.groups, _MOST_PRIVATE[Policy.READ_ALL in self.policies])


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A door without an account: reads what is open in ``places``, or works on the named ``issues`` and no other."""

    places: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()

    @property
    def policies(self) -> frozenset[Policy]:
        """What the link is for: with issues the duty side's steps on them, else looking."""
        return frozenset({Policy.READ, Policy.WORK} if self.issues else {Policy.READ})

    def part(self) -> Part:
        """The part of the county it opens: a named issue may stand at somebody's home, the rest is public places."""
        if self.issues:
            return Part(issues=self.issues, most_private=Privacy.OFFICE)
        return Part(self.places, most_private=Privacy.OPEN)


@dataclass(frozen=True, slots=True)
class Scope:
    """One thing that is asked about: its place and all above it, its category's group, how private it is, its id."""

    places: tuple[str, ...] = ()
    group: str = OUTSIDE_GROUPS
    privacy: Privacy = Privacy.OPEN
    issue: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks. ``id`` stands in events, so it is an account and never a person's name.

    ``units`` are the duty units that this person belongs to ("town:449923101", "county_ecology"): a verifier must be
    of none that is charged with the case, and a link's submission counts as its whole unit's.
    """

    id: str
    grants: tuple[Grant, ...] = ()
    units: frozenset[str] = frozenset()
    link: Link | None = None

    @property
    def may(self) -> frozenset[Policy]:
        """What this actor may do anywhere in the county today."""
        given = {policy for policy in Policy if any(_parts(self, policy, _today()))}
        return frozenset({Policy.PUBLIC, *given})


OWNER = Actor("owner", (Grant(role=Role.COUNTY_ADMIN, private=True),))
"""Whoever sits at this computer."""

NOBODY = Actor("nobody")
"""Whoever has not said who they are."""


def permit(actor: Actor, policy: Policy, flow: str, scope: Scope | None = None, on: date | None = None) -> None:
    """Let the actor pass or say no.

    Without ``scope`` the question is whether the actor may do this anywhere: what a flow asks before it knows which
    thing is meant. ``on`` is the day that grants are measured against, today if not given.

    Raises
    ------
    ForbiddenError
        If the actor may not do what ``flow`` does.
    """
    if not allows(actor, policy, scope, on):
        raise ForbiddenError("forbidden", flow=flow)


def allows(actor: Actor, policy: Policy, scope: Scope | None = None, on: date | None = None) -> bool:
    """Whether `permit` would let the actor pass."""
    if policy is Policy.PUBLIC:
        return True
    return any(scope is None or covers(part, scope) for part in _parts(actor, policy, on or _today()))


def reach(actor: Actor, policy: Policy, vocabulary: Vocabulary, on: date | None = None) -> Reach:
    """The parts of the county for which `permit` says yes, with groups spelt out as categories.

    Exact both ways: a row that lies in a part is permitted, and a permitted row lies in a part.
    """
    parts = tuple(_parts(actor, policy, on or _today()))
    if any(part == Part(most_private=Privacy.RESTRICTED) for part in parts):
        return None
    return tuple(dict.fromkeys(_spelt_out(part, vocabulary) for part in parts))


def covers(part: Part, scope: Scope) -> bool:
    """Whether a thing lies in a part of the county."""
    order = list(Privacy)
    return (
        (not part.places or not set(part.places).isdisjoint(scope.places))
        and (not part.groups or scope.group in part.groups)
        and (not part.issues or scope.issue in part.issues)
        and order.index(scope.privacy) <= order.index(part.most_private)
    )


def scope_of(issue: Issue, vocabulary: Vocabulary) -> Scope:
    """What `permit` asks about an issue; its place is what stands in its row, which lists are cut by too."""
    category = vocabulary.categories.get(issue.category)
    places = (issue.place_id, issue.village_id, issue.town_id)
    return Scope(
        tuple(dict.fromkeys(place for place in places if place)),
        category.group if category else OUTSIDE_GROUPS,
        issue.privacy,
        issue.id,
    )


def _parts(actor: Actor, policy: Policy, day: date) -> Iterator[Part]:
    """Where the actor may do what ``policy`` guards."""
    for grant in actor.grants:
        if policy in grant.policies and (grant.until is None or day <= grant.until):
            yield grant.part()
    if actor.link is not None and policy in actor.link.policies:
        yield actor.link.part()


def _spelt_out(part: Part, vocabulary: Vocabulary) -> Part:
    if not part.groups:
        return part
    codes = tuple(code for code, category in vocabulary.categories.items() if category.group in part.groups)
    return replace(part, categories=codes)


def _today() -> date:
    return now().astimezone(TIME_ZONE).date()
