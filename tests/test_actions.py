"""The life of an issue, driven at random through the real store by everybody at once: what must not happen, doesn't."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from conftest import MORNING, TODAY, fill_tiny, tiny_issue, tiny_places
from villagemap.auth import OWNER, Actor, Grant, Link, Policy, Role
from villagemap.errors import ConflictError, ForbiddenError, NotFoundError, RefusedError
from villagemap.evidence import Cause, Grade, Letter, Reason
from villagemap.flows.cases.actions import possible_actions, take_action
from villagemap.flows.cases.evidence import grade_fields, overrule_likeness, photo_subject
from villagemap.flows.registry import FLOWS, Session
from villagemap.flows.workspace import Workspace, init_workspace, open_workspace
from villagemap.model import Change, Issue, Photo, Record, Status
from villagemap.settings import Settings
from villagemap.workflow import ACTIONS, Given

VILLAGE = Actor("u1", (Grant(role=Role.VILLAGE_CADRE, places=("v4",)),), frozenset({"village:449923101200"}))
TOWN = Actor("u2", (Grant(role=Role.TOWN_CADRE, places=("t1",)),), frozenset({"town:449923101"}))
OTHER_TOWN = Actor("u3", (Grant(role=Role.TOWN_CADRE, places=("t2",)),), frozenset({"town:449923102"}))
BUREAU = Actor("u4", (Grant(role=Role.BUREAU_OFFICER, groups=("toilets",)),), frozenset({"county_rural"}))
INSPECTOR = Actor("u5", (Grant(role=Role.INSPECTOR),))
ANALYST = Actor("u6", (Grant(role=Role.COUNTY_ANALYST, private=True),))
CHARGED = Actor("u7", (Grant(role=Role.COUNTY_ANALYST),), frozenset({"county_rural"}))
VIEWER = Actor("u8", (Grant(role=Role.VIEWER),))
EVERYBODY = (VILLAGE, TOWN, OTHER_TOWN, BUREAU, INSPECTOR, ANALYST, CHARGED, VIEWER, OWNER)

GOOD = Grade(Letter.A, (Reason(Cause.LIVE), Reason(Cause.NEAR), Reason(Cause.TIMELY)))
ALIKE = Grade(Letter.D, (Reason(Cause.ALIKE_ELSEWHERE, (("count", 1),)), Reason(Cause.LIVE)))
FAR = Grade(Letter.D, (Reason(Cause.FAR, (("distance_m", 4000),)),))


def given(**said: object) -> Given:
    return Given(on=TODAY, **said)  # type: ignore[arg-type]


def put(workspace: Workspace, **changes: object) -> Issue:
    """A dry toilet in village v4 of town t1, two found."""
    issue = replace(tiny_issue(0, tiny_places()), id="019c0000-0000-7000-8000-00000000dddd", category="toilet_dry",
                    unit="座", lead_unit="county_rural", help_units=("county_health", "town"), quantity_found=2.0,
                    status=Status.REPORTED, **changes)  # type: ignore[arg-type]  # fmt: skip
    with workspace.store.writing() as writer:
        writer.record([Change(kind="report", issue=issue, at=MORNING, actor="u9")])
    return issue


def photograph(workspace: Workspace, issue: Issue, stage: str, grade: Grade, mark: int = 0) -> str:
    sha256 = f"{mark:02x}" + stage.encode().hex().ljust(62, "0")[:62]
    with workspace.store.writing() as writer:
        writer.add_photos([Photo(sha256=sha256, issue_id=issue.id, stage=stage)], actor="u1", at=MORNING)
        record = Record(subject=photo_subject(issue.id, sha256), type="photo", parent=issue.id,
                        fields=grade_fields(stage, grade))  # fmt: skip
        writer.put_record(record, kind="grade", actor="u1", at=MORNING)
    return sha256


def take(workspace: Workspace, actor: Actor, code: str, issue: Issue, **said: object) -> Issue:
    return take_action(Session(workspace, actor), code, issue.id, given(**said))


def now_of(workspace: Workspace, issue: Issue) -> Issue:
    found = workspace.store.issue(issue.id)
    assert found is not None
    return found


def test_the_usual_way_from_report_to_closed(tiny: Workspace) -> None:
    issue = put(tiny)
    assert take(tiny, ANALYST, "register", issue).number
    take(tiny, VILLAGE, "start", issue)
    take(tiny, VILLAGE, "progress", issue, quantity_done=1.0)
    photograph(tiny, issue, "before", GOOD)
    photograph(tiny, issue, "after", GOOD)
    submitted = take(tiny, VILLAGE, "submit", issue, quantity_done=2.0)
    assert (submitted.claimed_closed_on, submitted.checked) == (TODAY, ("village",))
    with pytest.raises(RefusedError, match="town checks"):
        take(tiny, INSPECTOR, "close", issue)
    take(tiny, TOWN, "check", issue)
    closed = take(tiny, INSPECTOR, "close", issue)
    assert (closed.status, closed.closed_on) == (Status.CLOSED, TODAY)
    kinds = [event.kind for event in tiny.store.events(f"issue/{issue.id}")]
    assert kinds == ["issue.report", "issue.register", "issue.start", "issue.progress", "photo.add", "photo.add",
                     "issue.submit", "issue.check", "issue.close"]  # fmt: skip
    assert tiny.store.verify() is None


def submitted_issue(workspace: Workspace, **changes: object) -> Issue:
    issue = put(workspace, **changes)
    take(workspace, ANALYST, "register", issue)
    photograph(workspace, issue, "before", GOOD)
    photograph(workspace, issue, "after", GOOD)
    take(workspace, TOWN, "submit", issue, quantity_done=2.0)
    return issue


def test_a_return_says_why_and_a_submission_starts_it_again(tiny: Workspace) -> None:
    issue = submitted_issue(tiny)
    with pytest.raises(RefusedError, match="reason"):
        take(tiny, TOWN, "return", issue)
    returned = take(tiny, TOWN, "return", issue, reason="旱厕没有拆净")
    assert (returned.status, returned.claimed_closed_on, returned.checked) == (Status.RETURNED, None, ())
    take(tiny, TOWN, "submit", issue)
    events = tiny.store.events(f"issue/{issue.id}")
    assert [event.kind for event in events[-3:]] == ["issue.return", "issue.start", "issue.submit"]
    assert "旱厕没有拆净" in events[-3].body


def test_a_verifier_of_a_charged_unit_or_who_did_the_work_is_refused(tiny: Workspace) -> None:
    issue = submitted_issue(tiny)
    with pytest.raises(RefusedError, match="charged unit"):
        take(tiny, CHARGED, "close", issue)
    take(tiny, INSPECTOR, "close", issue)
    mine = replace(issue, id="019c0000-0000-7000-8000-00000000eeee")
    with tiny.store.writing() as writer:
        writer.record([Change(kind="register", issue=replace(mine, status=Status.REGISTERED, quantity_done=2.0),
                              at=MORNING, actor="u9")])  # fmt: skip
    photograph(tiny, mine, "before", GOOD, 1)
    photograph(tiny, mine, "after", GOOD, 1)
    take(tiny, OWNER, "submit", mine)
    with pytest.raises(RefusedError, match="done any of the fixing"):
        take(tiny, OWNER, "close", mine)


@pytest.mark.parametrize(("after", "why"), [(None, "after"), (FAR, "after"), (ALIKE, "after")])
def test_nothing_closes_below_the_countys_evidence(tiny: Workspace, after: Grade | None, why: str) -> None:
    issue = put(tiny)
    take(tiny, ANALYST, "register", issue)
    photograph(tiny, issue, "before", GOOD)
    sha256 = photograph(tiny, issue, "after", after) if after else ""
    take(tiny, TOWN, "submit", issue, quantity_done=2.0)
    with pytest.raises(RefusedError) as refused:
        take(tiny, INSPECTOR, "close", issue)
    assert [code.partition("_")[0] for code in refused.value.params["missing"]] == [why]
    if after is ALIKE:  # a person may look and say why it is in order
        overrule_likeness(Session(tiny, ANALYST), issue.id, sha256, "同一村口两处问题，背景相同")
        assert take(tiny, INSPECTOR, "close", issue).status is Status.CLOSED
        assert tiny.store.verify() is None
    else:
        assert now_of(tiny, issue).status is Status.SUBMITTED


def test_less_done_than_found_does_not_close(tiny: Workspace) -> None:
    issue = put(tiny)
    take(tiny, ANALYST, "register", issue)
    photograph(tiny, issue, "before", GOOD)
    photograph(tiny, issue, "after", GOOD)
    take(tiny, TOWN, "submit", issue, quantity_done=1.0)
    with pytest.raises(RefusedError, match="quantity"):
        take(tiny, INSPECTOR, "close", issue)


def test_a_dry_toilet_has_no_deferral_and_others_need_an_interim_measure(tiny: Workspace) -> None:
    issue = put(tiny)
    take(tiny, ANALYST, "register", issue)
    photograph(tiny, issue, "interim", GOOD)
    take(tiny, TOWN, "interim", issue, reason="封闭停用")
    with pytest.raises(RefusedError, match="can't be deferred"):
        take(tiny, ANALYST, "defer", issue, reason="雨季", until=TODAY + timedelta(days=20))
    other = next(i for i in tiny.store.issues(_registered_black_water(), limit=60) if i.status is Status.REGISTERED)
    with pytest.raises(RefusedError, match="interim measure must stand first"):
        take(tiny, ANALYST, "defer", other, reason="雨季", until=TODAY + timedelta(days=20))
    photograph(tiny, other, "interim", GOOD)
    take(tiny, ANALYST, "start", other) if Policy.WORK in ANALYST.may else None
    take(tiny, OWNER, "interim", other, reason="撒药、截污")
    deferred = take(tiny, ANALYST, "defer", other, reason="雨季", until=TODAY + timedelta(days=20))
    assert (deferred.status, deferred.deferred_until) == (Status.DEFERRED, TODAY + timedelta(days=20))


def _registered_black_water():
    from villagemap.model import IssueFilter

    return IssueFilter(categories=("black_water",))


def test_an_illegal_move_says_what_is_allowed(tiny: Workspace) -> None:
    issue = put(tiny)
    with pytest.raises(RefusedError) as refused:
        take(tiny, INSPECTOR, "close", issue)
    assert refused.value.sentence("zh") == "不能核实销号：现在是“待核实”，可以：立账、分派、标为重复、不属实、答复申诉"
    assert "register" in refused.value.sentence("en")


@pytest.mark.parametrize(
    ("actor", "code", "error"),
    [
        (OTHER_TOWN, "start", NotFoundError),
        (VIEWER, "start", ForbiddenError),
        (VILLAGE, "reject", ForbiddenError),
        (TOWN, "close", ForbiddenError),
        (BUREAU, "duplicate", ForbiddenError),
    ],
)
def test_who_may_not_is_told_and_nothing_is_written(tiny: Workspace, actor: Actor, code: str, error: type) -> None:
    issue = put(tiny)
    take(tiny, ANALYST, "register", issue)
    before = tiny.store.head()
    with pytest.raises(error):
        take(tiny, actor, code, issue, reason="因为", duplicate_of="x")
    assert tiny.store.head() == before


def test_a_hundred_retries_are_one_record_and_get_one_answer(tiny: Workspace) -> None:
    issue = put(tiny)
    take(tiny, ANALYST, "register", issue)
    session = Session(tiny, TOWN)
    answers = {take_action(session, "start", issue.id, given(), key="k1").revision for _ in range(100)}
    assert answers == {3}
    with pytest.raises(ConflictError):
        take_action(session, "submit", issue.id, given(), key="k1")
    with pytest.raises(ConflictError):
        take_action(Session(tiny, ANALYST), "start", issue.id, given(), key="k1")


def test_the_second_of_two_editors_is_told(tiny: Workspace) -> None:
    issue = put(tiny)
    registered = take(tiny, ANALYST, "register", issue)
    session = Session(tiny, TOWN)
    take_action(session, "start", issue.id, given(), revision=registered.revision)
    with pytest.raises(ConflictError, match="revision 3") as told:
        take_action(session, "progress", issue.id, given(quantity_done=1.0), revision=registered.revision)
    yours, theirs = told.value.params["yours"], told.value.params["theirs"]
    assert (yours["revision"], yours["quantity_done"]) == (2, "1.0")
    assert (theirs["revision"], theirs["status"], theirs["quantity_done"]) == (3, "rectifying", 0.0)


def test_buttons_are_what_works(tiny: Workspace) -> None:
    issue = submitted_issue(tiny)
    shown = {p.code: p for p in possible_actions(Session(tiny, INSPECTOR), now_of(tiny, issue))}
    assert set(shown) == {"return", "close"}
    assert shown["close"].lacking == ()
    assert {p.code for p in possible_actions(Session(tiny, VIEWER), now_of(tiny, issue))} == set()


def test_a_link_submits_and_does_nothing_else(tiny: Workspace) -> None:
    issue = put(tiny)
    take(tiny, ANALYST, "register", issue)
    by_link = Actor("l1", units=frozenset({"town:449923101"}), link=Link(issues=(issue.id,)))
    for code in ("start", "interim", "object"):
        with pytest.raises(ForbiddenError):
            take(tiny, by_link, code, issue, reason="因为")
    submitted = take(tiny, by_link, "submit", issue, quantity_done=2.0)
    assert (submitted.status, submitted.checked) == (Status.SUBMITTED, ("village",))
    with pytest.raises(NotFoundError):
        take(tiny, by_link, "submit", tiny_issue(1, tiny_places()))


def test_every_action_is_a_flow_with_its_policy() -> None:
    for code, action in ACTIONS.items():
        assert FLOWS[f"issue.{code}"] == Policy(action.policies[0])


@contextmanager
def county() -> Iterator[Workspace]:
    with tempfile.TemporaryDirectory() as folder:
        init_workspace(Path(folder) / "county", Settings(county="tiny", name="小县", today=TODAY))
        workspace = open_workspace(Path(folder) / "county")
        try:
            fill_tiny(workspace)
            yield workspace
        finally:
            workspace.close()


class Lives(RuleBasedStateMachine):
    """Everybody tries everything on three cases."""

    @initialize()
    def begin(self) -> None:
        self.context = county()
        self.workspace = self.context.__enter__()
        self.issues = [put(self.workspace)]
        for n, category in ((1, "garbage_scattered"), (2, "black_water")):
            issue = replace(self.issues[0], id=f"019c0000-0000-7000-8000-0000000dddd{n}", category=category)
            with self.workspace.store.writing() as writer:
                writer.record([Change(kind="report", issue=issue, at=MORNING, actor="u9")])
            self.issues.append(issue)
            take(self.workspace, ANALYST, "register", issue)
            take(self.workspace, TOWN, "submit", issue, quantity_done=2.0)
        self.events = self.workspace.store.head().seq
        self.photos = 0

    @rule(
        which=st.integers(0, 2),
        actor=st.sampled_from(EVERYBODY),
        code=st.sampled_from(sorted(ACTIONS)),
        said=st.booleans(),
        done=st.sampled_from([None, 0.0, 1.0, 2.0]),
    )
    def anything(self, which: int, actor: Actor, code: str, said: bool, done: float | None) -> None:
        """Take any step at all."""
        self.act(which, actor, code, said=said, done=done)

    def act(self, which: int, actor: Actor, code: str, *, said: bool, done: float | None) -> None:
        issue = self.issues[which]
        words = given(reason="因为", until=TODAY + timedelta(days=9), lead_unit="county_rural", duplicate_of="x",
                      quantity_done=done) if said else given(quantity_done=done)  # fmt: skip
        before = self.workspace.store.head().seq
        try:
            take_action(Session(self.workspace, actor), code, issue.id, words)
        except (RefusedError, ForbiddenError, NotFoundError):
            assert self.workspace.store.head().seq == before
        else:
            assert self.workspace.store.head().seq > before

    @rule(which=st.integers(0, 2), actor=st.sampled_from(EVERYBODY), choice=st.integers(0, 9), skip=st.booleans())
    def push(self, which: int, actor: Actor, choice: int, skip: bool) -> None:
        """Take a step that the page would offer, so that lives get somewhere; ``skip`` ends in decisions less often."""
        session, issue = Session(self.workspace, actor), now_of(self.workspace, self.issues[which])
        ends = {"duplicate", "reject", "defer"} if skip else set()
        offered = [p.code for p in possible_actions(session, issue) if p.code not in ends]
        if offered:
            self.act(which, actor, offered[choice % len(offered)], said=True, done=2.0)

    @rule(which=st.integers(0, 2), stage=st.sampled_from(["before", "after", "interim"]),
          grade=st.sampled_from([GOOD, ALIKE, FAR]))  # fmt: skip
    def picture(self, which: int, stage: str, grade: Grade) -> None:
        self.photos += 1
        photograph(self.workspace, self.issues[which], stage, grade, self.photos)

    @precondition(lambda self: hasattr(self, "workspace"))
    @invariant()
    def nothing_is_lost(self) -> None:
        head = self.workspace.store.head().seq
        assert head >= self.events
        self.events = head

    @precondition(lambda self: hasattr(self, "workspace"))
    @invariant()
    def what_is_closed_was_proven_by_somebody_apart(self) -> None:
        for issue in self.issues:
            stands = now_of(self.workspace, issue)
            if stands.status is not Status.CLOSED:
                continue
            events = self.workspace.store.events(f"issue/{issue.id}")
            fixing = {"issue.start", "issue.progress", "issue.interim", "issue.submit"}
            fixers = {event.actor for event in events if event.kind in fixing}
            closer = [event.actor for event in events if event.kind == "issue.close"][-1]
            photos = self.workspace.store.records("photo", issue.id)
            good = [r for r in photos if r.fields["stage"] == "after" and str(r.fields["grade"]) <= "C"]
            units = next(actor.units for actor in EVERYBODY if actor.id == closer)
            assert closer not in fixers
            assert not units & {"county_rural", "town:449923101", "county_health"}
            assert good
            assert stands.quantity_done >= stands.quantity_found
            assert {"village", "town"} <= set(stands.checked)

    def teardown(self) -> None:
        if hasattr(self, "workspace"):
            assert self.workspace.store.verify() is None
            self.context.__exit__(None, None, None)


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
