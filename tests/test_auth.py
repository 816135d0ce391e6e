"""Who may do what: grants, links, and lists that show exactly what `permit` lets pass."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import fill_tiny, tiny_issue, tiny_places
from villagemap import api, cli, flows, notebook
from villagemap.auth import (
    NOBODY,
    OWNER,
    ROLE_POLICIES,
    WHOLE_COUNTY,
    Actor,
    Grant,
    Link,
    Policy,
    Role,
    Scope,
    allows,
    covers,
    permit,
    reach,
    scope_of,
)
from villagemap.errors import ForbiddenError, NotFoundError
from villagemap.flows.cases.actions import take_action
from villagemap.flows.cases.issues import count_issues, county_table, feature_page, list_issues, show_issue
from villagemap.flows.narrowing import columns_seen, permit_on, reach_tag, seen_issue, visible
from villagemap.flows.registry import FLOWS, Session
from villagemap.flows.tiles import TileFilter, issue_tile, tiles_version
from villagemap.flows.workspace import Workspace, init_workspace, open_workspace
from villagemap.model import Audience, IssueFilter, Privacy
from villagemap.settings import Settings
from villagemap.vocabulary import load_vocabulary
from villagemap.workflow import ACTIONS, Given

QUIET = pytest.mark.filterwarnings("ignore:'click.utils:DeprecationWarning")
"""typer imports what click is about to drop."""
VOCABULARY = load_vocabulary()
TODAY = date(2026, 3, 20)
ISSUES = [tiny_issue(n, tiny_places()) for n in range(60)]

grants = st.builds(
    Grant,
    role=st.sampled_from(Role),
    places=st.sampled_from([(), ("t1",), ("t2", "t3"), ("v4",), ("v12", "t2"), ("t9",)]),
    groups=st.sampled_from([(), ("toilets",), ("cleanup", "households"), ("sewage",), ("no_such_group",)]),
    private=st.booleans(),
    until=st.sampled_from([None, date(2000, 1, 1), date(2999, 1, 1)]),
)
links = st.one_of(
    st.none(),
    st.builds(Link, places=st.sampled_from([("t1",), ("v8", "t3")])),
    st.builds(Link, issues=st.sampled_from([(ISSUES[0].id,), (ISSUES[5].id, ISSUES[7].id)])),
)
actors = st.builds(Actor, st.just("u1"), st.lists(grants, max_size=3).map(tuple), st.just(frozenset()), links)


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The tiny county, only looked at: one for all examples."""
    folder = tmp_path_factory.mktemp("auth") / "county"
    init_workspace(folder, Settings(county="tiny", name="小县", code="449923", today=TODAY))
    workspace = open_workspace(folder)
    fill_tiny(workspace)
    yield workspace
    workspace.close()


def may_see(actor: Actor, policy: Policy = Policy.READ) -> set[str]:
    return {issue.id for issue in ISSUES if allows(actor, policy, scope_of(issue, VOCABULARY))}


# Grants


def test_the_owner_may_all_and_nobody_nothing():
    assert OWNER.may == frozenset(Policy)
    assert NOBODY.may == {Policy.PUBLIC}
    assert reach(OWNER, Policy.READ, VOCABULARY) is None
    assert reach(NOBODY, Policy.READ, VOCABULARY) == ()


def test_a_grant_ends_after_its_last_day():
    actor = Actor("u1", (Grant(role=Role.VIEWER, until=TODAY),))
    permit(actor, Policy.READ, "x", on=TODAY)
    with pytest.raises(ForbiddenError):
        permit(actor, Policy.READ, "x", on=TODAY + timedelta(days=1))
    assert reach(actor, Policy.READ, VOCABULARY, TODAY + timedelta(days=1)) == ()


def test_what_touches_the_whole_county_needs_a_grant_for_all_of_it():
    for narrow in ({"places": ("t1",)}, {"groups": ("toilets",)}):
        grant = Grant(role=Role.COUNTY_ADMIN, private=True, **narrow)
        assert grant.policies.isdisjoint(WHOLE_COUNTY)
        assert Policy.DECIDE in grant.policies


def test_private_values_need_a_private_grant():
    assert Policy.READ_ALL not in Actor("u1", (Grant(role=Role.COUNTY_ADMIN),)).may
    assert Policy.READ_ALL in Actor("u1", (Grant(role=Role.AUDITOR, private=True),)).may
    viewer = Grant(role=Role.VIEWER, private=True)  # a viewer's role has no private values to give
    assert viewer.part().most_private is Privacy.OFFICE


@pytest.mark.parametrize(
    ("scope", "passes"),
    [
        (Scope(("h13", "v4", "t1"), "toilets"), True),
        (Scope(("v8", "t2"), "toilets"), False),
        (Scope(("t1",), "sewage"), False),
        (Scope(("t1",), "toilets", Privacy.OFFICE), True),
        (Scope(("t1",), "toilets", Privacy.RESTRICTED), False),
        (Scope((), "toilets"), False),
    ],
)
def test_a_grant_holds_for_its_places_and_all_below_them(scope, passes):
    actor = Actor("u1", (Grant(role=Role.BUREAU_OFFICER, places=("t1",), groups=("toilets",)),))
    assert allows(actor, Policy.WORK, scope) is passes
    assert not allows(actor, Policy.VERIFY, scope)


def test_two_grants_are_no_product():
    """Toilets in one town and sewage in another don't make toilets in the other."""
    toilets = Grant(role=Role.BUREAU_OFFICER, places=("t1",), groups=("toilets",))
    actor = Actor("u1", (toilets, replace(toilets, places=("t2",), groups=("sewage",))))
    assert allows(actor, Policy.WORK, Scope(("t1",), "toilets"))
    assert not allows(actor, Policy.WORK, Scope(("t2",), "toilets"))


def test_a_link_looks_at_public_places_or_works_on_named_issues():
    looks = Actor("l1", link=Link(places=("t1",)))
    assert looks.may == {Policy.PUBLIC, Policy.READ}
    assert allows(looks, Policy.READ, Scope(("t1",), "toilets"))
    assert not allows(looks, Policy.READ, Scope(("t1",), "toilets", Privacy.OFFICE))
    works = Actor("l2", link=Link(issues=("a",)))
    assert works.may == {Policy.PUBLIC, Policy.READ, Policy.WORK}
    assert allows(works, Policy.WORK, Scope(("t1",), "cleanup", Privacy.OFFICE, "a"))
    assert not allows(works, Policy.WORK, Scope(("t1",), "cleanup", issue="b"))
    assert not allows(works, Policy.READ, Scope(("t1",), "households", Privacy.RESTRICTED, "a"))


def test_every_role_has_policies_and_every_policy_somebody():
    assert set(ROLE_POLICIES) == set(Role)
    assert all(Policy.READ in policies for policies in ROLE_POLICIES.values())
    assert set().union(*ROLE_POLICIES.values()) == set(Policy) - {Policy.PUBLIC}
    for role, policies in ROLE_POLICIES.items():  # whoever mends never verifies, but who may all
        assert role is Role.COUNTY_ADMIN or not {Policy.WORK, Policy.VERIFY} <= policies


def modules(package: ModuleType) -> list[ModuleType]:
    return [import_module(found.name) for found in walk_packages(package.__path__, f"{package.__name__}.")]


def registered(function: Callable[..., object]) -> bool:
    """Whether a function stands in the list of flows: the decorator leaves what it guards under ``__wrapped__``."""
    return hasattr(function, "__wrapped__")


def guarded() -> list[Callable[..., object]]:
    """All flows."""
    return [
        function
        for module in modules(flows)
        for function in vars(module).values()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and registered(function)
    ]


def test_every_flow_has_a_policy():
    moves = {f"issue.{code}" for code in ACTIONS}  # one function takes them all, each under its own policy
    assert moves < set(FLOWS)
    assert len(guarded()) == len(FLOWS) - len(moves) > 20
    assert all(isinstance(policy, Policy) for policy in FLOWS.values())
    assert {name for name, policy in FLOWS.items() if policy is Policy.PUBLIC} == {
        "links.redeem", "session.actor", "session.log_in", "session.log_out", "session.needed", "session.who",
    }  # fmt: skip


@QUIET
@pytest.mark.parametrize("door", [api, cli, notebook], ids=lambda door: door.__name__)
def test_no_door_goes_past_the_policy(door):
    """Whatever a door takes from the flows and gives a session to asks a policy.

    It is a flow, or decides by itself, or takes an issue or a sweep, which a door has from one of these alone.
    """
    past = set()
    for module in [door, *(modules(door) if hasattr(door, "__path__") else [])]:
        for function in vars(module).values():
            if inspect.isfunction(function) and function.__module__.startswith("villagemap.flows."):
                takes = list(inspect.signature(function).parameters)
                decides = (
                    registered(function) or function in {seen_issue, take_action} or {"issue", "sweep"} & set(takes)
                )
                if takes[:1] == ["session"] and not decides:
                    past.add(f"{module.__name__}: {function.__module__}.{function.__name__}")
    assert past == set()


# What lists show


@given(actor=actors, policy=st.sampled_from(Policy))
def test_reach_is_what_permit_lets_pass(actor, policy):
    parts = reach(actor, policy, VOCABULARY, TODAY)
    for issue in ISSUES:
        scope = scope_of(issue, VOCABULARY)
        reached = parts is None or any(covers(part, scope) for part in parts)
        assert reached is (policy is not Policy.PUBLIC and allows(actor, policy, scope, TODAY))


@given(actor=actors)
@settings(max_examples=60, deadline=None)
def test_no_list_shows_what_permit_would_refuse(county, actor):
    session = Session(county, actor)
    store, seen = county.store, may_see(actor)
    listed = {issue.id for issue in store.issues(visible(session, IssueFilter()), limit=100)}
    assert listed <= seen
    if visible(session, IssueFilter()).audience is Audience.OWNER:
        assert listed == seen
    open_to_all = {issue.id for issue in ISSUES if issue.privacy is not Privacy.RESTRICTED}
    assert listed >= seen & open_to_all
    named = bool(actor.link and actor.link.issues)
    assert len(columns_seen(session).fid) == len(seen) or (named and len(columns_seen(session).fid) <= len(seen))
    if Policy.READ in actor.may:
        assert count_issues(session, IssueFilter()) == len(listed)
        assert len(feature_page(session, IssueFilter(), limit=100).features) == len(listed)
        assert county_table(session)[0].found <= len(seen)
        assert tile_size(session) <= len(seen)
    if Policy.READ_ALL in actor.may:
        assert {issue.id for issue in list_issues(session, IssueFilter(), limit=100)} <= may_see(actor, Policy.READ_ALL)


def tile_size(session: Session) -> int:
    tile = orjson.loads(issue_tile(session, 0, 0, 0, TileFilter()))
    return sum(cluster[2] for cluster in tile["clusters"]) + len(tile["features"])


@given(actor=actors)
@settings(max_examples=40, deadline=None)
def test_a_card_is_shown_to_whom_permit_lets_pass(county, actor):
    session = Session(county, actor)
    if Policy.READ not in actor.may:
        with pytest.raises(ForbiddenError):
            show_issue(session, ISSUES[0].id)
        return
    private = may_see(actor, Policy.READ_ALL)
    for issue in ISSUES[:12]:
        if issue.id in may_see(actor):
            card = show_issue(session, issue.id)
            assert not card["responsible"] or issue.id in private
        else:
            with pytest.raises(NotFoundError) as fault:
                show_issue(session, issue.id)
            assert fault.value.code == "unknown_issue"


def test_a_link_that_looks_reads_no_free_text(county):
    session = Session(county, Actor("l1", link=Link(places=("t1",))))
    issue = next(i for i in ISSUES if i.town_id == "t1" and i.privacy is Privacy.OPEN)
    card = show_issue(session, issue.id)
    assert (card["description"], card["location_text"], card["responsible"]) == ("", "", "")
    assert {event["note"] for event in card["events"]} == {""}
    assert not any(re.search("号问题", text) for text in feature_page(session, IssueFilter(), limit=100).features)


def test_two_actors_never_share_a_tile(county):
    one, other = (Session(county, Actor("u1", (Grant(role=Role.VIEWER, places=(p,)),))) for p in ("t1", "t2"))
    assert tiles_version(one) != tiles_version(other)
    assert reach_tag(Session(county, OWNER)) == ""


def test_who_may_not_see_an_issue_is_not_told_of_it(county):
    session = Session(county, Actor("u1", (Grant(role=Role.TOWN_CADRE, places=("t1",)),)))
    here, there = (next(i for i in ISSUES if i.town_id == town and i.privacy is Privacy.OPEN) for town in ("t1", "t2"))
    permit_on(session, Policy.WORK, "issues.start", here)
    with pytest.raises(ForbiddenError):
        permit_on(session, Policy.VERIFY, "issues.close", here)
    with pytest.raises(NotFoundError):
        permit_on(session, Policy.WORK, "issues.start", there)


def neighbour(county: Workspace, role: Role, place: str) -> tuple[Session, str]:
    """Somebody with a role in one town, and an issue of another."""
    session = Session(county, Actor("u1", (Grant(role=role, places=(place,), private=True),)))
    return session, next(i.id for i in ISSUES if i.town_id != place and i.privacy is Privacy.OPEN)


@pytest.mark.parametrize("code", ACTIONS)
@pytest.mark.parametrize("role", Role)
def test_no_action_is_taken_on_a_neighbours_issue(county, code, role):
    session, issue_id = neighbour(county, role, "t1")
    before = county.store.head()
    with pytest.raises(NotFoundError) as fault:
        take_action(session, code, issue_id, Given(on=TODAY, reason="x", quantity_done=1.0, until=TODAY))
    assert fault.value.code == "unknown_issue"
    assert county.store.head() == before


def test_no_flow_about_one_issue_tells_of_a_neighbours(county):
    """Whatever takes an issue's id: it asks about that issue before anything else."""
    session, issue_id = neighbour(county, Role.COUNTY_ADMIN, "t1")
    asked = 0
    for function in guarded():
        parameters = inspect.signature(function).parameters.values()
        wanted = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        if "issue_id" in wanted and "sweep" not in wanted:  # a sweep asks about its own places first
            others = dict.fromkeys(wanted[1:], "x")
            with pytest.raises((NotFoundError, ForbiddenError)):
                function(session, **{**others, "issue_id": issue_id})
            asked += 1
    assert asked >= 3


# The table in the docs


@QUIET
def test_the_table_of_roles_stands_in_the_docs():
    from villagemap.cli.users import policy_table

    page = (Path(__file__).parents[1] / "docs" / "policies.md").read_text(encoding="utf-8")
    assert policy_table() in page
