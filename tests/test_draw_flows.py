"""Draws and seals through the real store: frozen, drawn, checked against the chain, hidden until opened."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from conftest import TODAY
from test_cli import run
from villagemap.auth import NOBODY, OWNER, Actor, Grant, Link, Policy, Role
from villagemap.draws import Kind, read_list, register_hash, seed_of, sha256
from villagemap.errors import (
    VillagemapError,
)
from villagemap.flows.campaigns.sweeps import Position, begin_sweep, check_in, mark_unreachable
from villagemap.flows.cases.actions import take_action
from villagemap.flows.people import accounts
from villagemap.flows.registry import FLOWS, Session
from villagemap.flows.routes.draw_views import Draw, list_draws, show_draw, told_draw
from villagemap.flows.routes.draws import Asked, check_draw, freeze_draw, make_draw, open_draw, record_result
from villagemap.flows.routes.seals import (
    check_seal,
    commitment,
    content_of,
    list_seals,
    make_seal,
    open_seal,
)
from villagemap.flows.upkeep.snapshots import write_county
from villagemap.flows.workspace import Workspace
from villagemap.model import Audience, Change, IssueFilter, Privacy, Record, Status
from villagemap.settings import now
from villagemap.workflow import Given

PASSWORD = "correct horse battery"
TEAMS = ("甲组", "乙组", "丙组")
CASES = Asked(kind=Kind.CASES, size=5, inspectors=TEAMS, name="复查")
VILLAGES = Asked(kind=Kind.VILLAGES, size=4, inspectors=TEAMS, name="暗访")
TOWN = Actor("u91", (Grant(role=Role.TOWN_CADRE, places=("t1",)),))
STRANGERS = [
    TOWN,
    Actor("u92", (Grant(role=Role.VILLAGE_CADRE, places=("v4",), private=True),)),
    Actor("u93", (Grant(role=Role.BUREAU_OFFICER),)),
    Actor("u94", (Grant(role=Role.AUDITOR, private=True),)),
    Actor("u95", (Grant(role=Role.VIEWER),)),
    Actor("u96", (Grant(role=Role.INSPECTOR, places=("t1",)),)),
    Actor("l97", link=Link(places=("t1",))),
]


def as_(session: Session, actor: Actor) -> Session:
    return Session(session.workspace, actor)


def drawn_of(draw: Draw) -> list[dict]:
    return draw.told()["drawn"]


def fault_of(what: Callable[[], object]) -> str:
    with pytest.raises(VillagemapError) as fault:
        what()
    assert fault.value.sentence("zh")
    assert fault.value.sentence("en")
    return fault.value.code


@pytest.fixture
def staffed(session: Session) -> Session:
    """The tiny county with three inspectors: u1 of no unit, u2 of the first town, u3 of the second and locked."""
    for login, units in (("anna", []), ("ben", ["town:甲镇"]), ("cai", ["town:乙镇"])):
        accounts.add_user(session, login, PASSWORD, units=units)
        accounts.grant(session, login, "inspector")
    accounts.disable_user(session, "cai")
    return session


# Freezing and drawing


def test_the_list_is_frozen_before_the_number_is_spoken(session: Session) -> None:
    frozen = freeze_draw(session, CASES)
    closed = session.workspace.store.issues(IssueFilter(statuses=("closed",)), limit=100)
    assert {one.id for one in frozen.candidates()} == {issue.id for issue in closed}
    assert frozen.register == register_hash(frozen.head, sha256(frozen.listed))
    take_action(session, "reopen", closed[0].id, Given(on=TODAY, reason="反弹"))
    made = make_draw(session, "复查", "４711")
    assert (made.id, made.register, made.listed) == (frozen.id, frozen.register, frozen.listed)
    assert (made.number, made.seed) == ("4711", seed_of(frozen.register, "4711"))
    assert check_draw(session, made.id).differences == ()
    assert fault_of(lambda: make_draw(session, made.id, "1")) == "draw_drawn"
    assert [event.kind for event in session.workspace.store.events(f"draw/{made.id}")] == ["draw.freeze", "draw.draw"]
    assert session.workspace.store.verify() is None


def test_the_same_register_and_number_draw_the_same(session: Session) -> None:
    first, second = freeze_draw(session, VILLAGES), freeze_draw(session, VILLAGES)
    assert first.register != second.register  # the first is an event before the second
    made = make_draw(session, first.id, "12")
    assert made.result_sha256 == check_draw(session, made.id).result_sha256
    assert {one["id"] for one in drawn_of(made)} <= {f"v{n}" for n in range(4, 13)}
    assert len(drawn_of(made)) == 4


def test_a_draw_is_cut_to_what_was_asked(session: Session) -> None:
    asked = replace(CASES, towns=("乙镇",), categories=("旱厕",), since=TODAY - timedelta(days=400))
    codes = session.workspace.vocabulary
    asked = replace(asked, categories=(codes.label("categories", "toilet_dry", "zh"),))
    frozen = freeze_draw(session, asked)
    assert {one.values[:2] for one in frozen.candidates()} <= {("t2", "toilet_dry")}
    assert fault_of(lambda: freeze_draw(session, replace(CASES, since=TODAY))) == "draw_empty"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"size": 0}, "draw_size"),
        ({"size": 10**6}, "draw_size"),
        ({"each": 9}, "draw_size"),
        ({"towns": ("丁镇",)}, "unknown_town"),
        ({"categories": ("x",)}, "unknown_categories"),
        ({"inspectors": ()}, "draw_no_inspectors"),
        ({"name": "x" * 61}, "draw_name"),
    ],
)
def test_what_cant_be_drawn(session: Session, asked: dict, code: str) -> None:
    before = session.workspace.store.head()
    assert fault_of(lambda: freeze_draw(session, replace(CASES, **asked))) == code
    assert session.workspace.store.head() == before


def test_households_are_drawn_only_by_who_may_see_all_of_them(session: Session) -> None:
    store = session.workspace.store
    private = {
        i.id for i in store.issues(IssueFilter(statuses=("closed",)), limit=100) if i.privacy is Privacy.RESTRICTED
    }
    whole = {one.id for one in freeze_draw(session, CASES).candidates()}
    analyst = as_(session, Actor("u9", (Grant(role=Role.COUNTY_ANALYST),)))
    public = {one.id for one in freeze_draw(analyst, CASES).candidates()}
    assert private
    assert whole - public == private
    made = make_draw(session, replace(CASES, size=50, name="all"), "1")
    assert told_draw(show_draw(session, made.id))["proof"]["list"] == made.listed
    seen = show_draw(analyst, made.id)
    assert private.isdisjoint(line.id for line in seen.drawn)
    assert told_draw(seen)["proof"] is None


# Last results


def test_the_last_result_of_a_case(session: Session) -> None:
    made = make_draw(session, CASES, "5")
    failing, passing, *_ = drawn_of(made)
    record_result(session, made.id, failing["id"], passed=False, by=failing["inspectors"][0])
    record_result(session, made.id, passing["id"], passed=True, by=passing["inspectors"][0])
    last = {one.id: one.values[2] for one in freeze_draw(session, CASES).candidates()}
    assert (last.pop(failing["id"]), last.pop(passing["id"])) == ("failed", "passed")
    assert set(last.values()) == {"never"}
    assert check_draw(session, made.id).differences == ()  # what came later changes no list of before


def test_a_case_that_was_reopened_has_failed_until_somebody_looks_again(session: Session) -> None:
    store = session.workspace.store
    issue = store.issues(IssueFilter(statuses=("closed",)), limit=1)[0]
    take_action(session, "reopen", issue.id, Given(on=TODAY, reason="反弹"))
    reopened = store.issue(issue.id)
    again = replace(reopened, status=Status.CLOSED, closed_on=TODAY)
    with store.writing() as writer:
        writer.record([Change(kind="close", issue=again, at=now(), actor="owner")])
    last = {one.id: one.values[2] for one in freeze_draw(session, CASES).candidates()}
    assert last[issue.id] == "failed"


def test_the_last_result_of_a_village(session: Session) -> None:
    begin_sweep(session, "春季")
    here = Position(lon=111.15, lat=20.65, accuracy_m=12.0)
    check_in(session, "春季", "v4", here, issues=True)
    check_in(session, "春季", "v5", here)  # far away: proves nothing
    mark_unreachable(session, "春季", "v6", "塌方")
    last = {one.id: one.values for one in freeze_draw(session, VILLAGES).candidates()}
    assert (last["v4"], last["v5"], last["v6"]) == (("t1", "with_issues"), ("t1", "never"), ("t1", "unreachable"))
    made = make_draw(session, replace(VILLAGES, size=9), "1")
    by = next(one for one in drawn_of(made) if one["id"] == "v4")["inspectors"][0]
    record_result(session, made.id, "甲镇/东村", passed=True, by=by)
    assert {one.id: one.values[1] for one in freeze_draw(session, VILLAGES).candidates()}["v4"] == "clean"


# Conflicts of interest


def test_an_inspector_is_never_sent_to_their_own_towns_cases(staffed: Session) -> None:
    made = make_draw(staffed, replace(CASES, size=50, each=2, inspectors=()), "7")
    assert [one.id for one in made.inspectors] == ["u1", "u2"]  # u3 is locked
    towns = {one.id: one.values[0] for one in made.candidates()}
    for one in drawn_of(made):
        home = towns[one["id"]] == "t1"
        assert ("u2" in one["inspectors"]) is not home
        assert one["excluded"] == ({"u2": ["charged"]} if home else {})
    villages = make_draw(staffed, replace(VILLAGES, size=9, inspectors=("ben",)), "7")
    assert {one["id"] for one in drawn_of(villages) if not one["inspectors"]} == {"v4", "v5", "v6"}


def test_who_did_some_of_the_fixing_is_sent_to_none_of_it(staffed: Session) -> None:
    store = staffed.workspace.store
    issue = next(i for i in store.issues(IssueFilter(statuses=("closed",)), limit=100) if i.town_id == "t2")
    with store.writing() as writer:
        writer.record([Change(kind="progress", issue=replace(issue, severity=1), at=now(), actor="u1")])
    cases = make_draw(staffed, replace(CASES, size=50, inspectors=("anna",)), "7")
    assert {one["id"]: one["excluded"] for one in drawn_of(cases) if one["excluded"]} == {issue.id: {"u1": ["fixed"]}}
    villages = make_draw(staffed, replace(VILLAGES, size=9, inspectors=("anna",)), "7")
    assert {one["id"] for one in drawn_of(villages) if not one["inspectors"]} == {issue.village_id}


def test_a_cadres_role_in_a_place_is_a_conflict_too(staffed: Session) -> None:
    accounts.grant(staffed, "anna", "village_cadre", places=["乙镇/东村"])
    made = make_draw(staffed, replace(VILLAGES, size=9, inspectors=("anna",)), "7")
    assert {one["id"] for one in drawn_of(made) if not one["inspectors"]} == {"v7", "v8", "v9"}


def test_who_may_not_verify_is_no_inspector(staffed: Session) -> None:
    accounts.add_user(staffed, "dora", PASSWORD)
    assert fault_of(lambda: freeze_draw(staffed, replace(CASES, inspectors=("dora",)))) == "draw_no_inspector"
    assert fault_of(lambda: freeze_draw(staffed, replace(CASES, inspectors=("cai",)))) == "draw_no_inspector"
    assert fault_of(lambda: freeze_draw(staffed, replace(CASES, inspectors=("nobody",)))) == "unknown_user"


def test_a_conflict_that_came_up_since_is_refused(staffed: Session) -> None:
    made = make_draw(staffed, replace(CASES, size=50, inspectors=("anna",)), "7")
    target = drawn_of(made)[0]["id"]
    issue = staffed.workspace.store.issue(target)
    with staffed.workspace.store.writing() as writer:
        writer.record([Change(kind="progress", issue=replace(issue, severity=1), at=now(), actor="u1")])
    anna = as_(staffed, Actor("u1", (Grant(role=Role.INSPECTOR, private=True),)))
    assert fault_of(lambda: record_result(anna, made.id, target, passed=True)) == "draw_conflict"
    assert record_result(anna, made.id, drawn_of(made)[1]["id"], passed=True).by == "u1"


# Results


def test_a_case_that_failed_goes_back_to_work_in_one_step(session: Session) -> None:
    made = make_draw(session, CASES, "5")
    one = drawn_of(made)[0]
    number = session.workspace.store.issue(one["id"]).number
    say = {"passed": False, "by": one["inspectors"][0], "reopen": True}
    assert fault_of(lambda: record_result(session, made.id, number, **say)) == "reason_needed"
    looked = record_result(session, made.id, number, note="门又坏了", **say)
    assert (looked.passed, looked.reopened) == (False, True)
    issue = session.workspace.store.issue(one["id"])
    assert (issue.status, issue.closed_on) == (Status.RECTIFYING, None)
    assert record_result(session, made.id, number, note="门又坏了", **say) == looked  # a retry changes nothing
    assert session.workspace.store.verify() is None


def test_a_case_in_order_counts_as_looked_at_again(session: Session) -> None:
    store = session.workspace.store
    made = make_draw(session, CASES, "5")
    one = drawn_of(made)[0]
    due, later = (TODAY - timedelta(days=1)).isoformat(), (TODAY + timedelta(days=1)).isoformat()
    with store.writing() as writer:
        for days, due_on in ((30, due), (90, later)):
            fields = {"closed_on": "2026-02-01", "days": days, "due_on": due_on}
            record = Record(subject=f"revisit/{one['id']}/{days}", type="revisit", parent=one["id"], fields=fields)
            writer.put_record(record, kind="plan", actor="owner", at=now())
    record_result(session, made.id, one["id"], passed=True, by=one["inspectors"][0])
    done = [record.fields.get("done_on") for record in store.records("revisit", one["id"])]
    assert done == [TODAY.isoformat(), None]


def test_a_result_is_corrected_only_with_a_note(session: Session) -> None:
    made = make_draw(session, VILLAGES, "5")
    one = drawn_of(made)[0]
    by = one["inspectors"][0]
    record_result(session, made.id, one["id"], passed=True, by=by)
    assert fault_of(lambda: record_result(session, made.id, one["id"], passed=False, by=by)) == "draw_result_stands"
    again = {"passed": False, "by": by, "correct": True}
    assert fault_of(lambda: record_result(session, made.id, one["id"], **again)) == "reason_needed"
    assert record_result(session, made.id, one["id"], note="看错了", **again).passed is False
    assert len(session.workspace.store.events(f"recheck/{made.id}/{one['id']}")) == 2


def test_what_is_no_result(session: Session) -> None:
    frozen = freeze_draw(session, VILLAGES)
    assert fault_of(lambda: record_result(session, frozen.id, "v4", passed=True)) == "draw_not_drawn"
    assert fault_of(lambda: check_draw(session, frozen.id)) == "draw_not_drawn"
    made = make_draw(session, replace(VILLAGES, size=9, name="all"), "5")
    assert fault_of(lambda: record_result(session, made.id, "东村", passed=True)) == "ambiguous_place"
    assert fault_of(lambda: record_result(session, made.id, "甲镇/上东村", passed=True)) == "not_in_draw"
    assert fault_of(lambda: record_result(session, made.id, "v4", passed=True)) == "draw_by_whom"
    assert fault_of(lambda: record_result(session, "x", "v4", passed=True)) == "unknown_draw"


def test_failure_rates_by_stratum_and_overall(session: Session) -> None:
    made = make_draw(session, replace(VILLAGES, size=6), "5")
    assert show_draw(session, made.id).overall is None
    for n, one in enumerate(drawn_of(made)):
        record_result(session, made.id, one["id"], passed=n % 2 == 0, by=one["inspectors"][0])
    state = show_draw(session, made.id)
    assert [(line.size, line.quota, line.rate.checked, line.rate.failed) for line in state.strata] == [(3, 2, 2, 1)] * 3
    assert (state.overall.of, state.overall.share) == (9, pytest.approx(0.5))
    assert 0 < state.overall.low < 0.5 < state.overall.high < 1


# What was changed behind the program's back


def meddle(session: Session, sql: str, *values: str) -> None:
    """Change the file as its owner could, past all triggers."""
    with sqlite3.connect(session.workspace.folder / "villagemap.gpkg") as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(sql, values)
    connection.close()


SET = "UPDATE records SET fields = json_set(fields, '$.{}', ?) WHERE type = 'draw'"


@pytest.mark.parametrize(
    ("field", "value", "codes"),
    [
        ("number", "4712", {"record", "seed"}),
        ("seed", "0" * 64, {"record", "seed", "result"}),
        ("register", "0" * 64, {"record", "register"}),
        ("head", "0" * 64, {"record", "chain", "register", "seed"}),
        ("listed", "t1\tnever\tv4\n", {"record", "list_digest", "register", "seed", "candidates", "result"}),
        ("result", "{}", {"record", "result", "digest"}),
        ("result_sha256", "0" * 64, {"record", "digest"}),
    ],
)
def test_a_changed_draw_says_what_differs(session: Session, field: str, value: str, codes: set[str]) -> None:
    made = make_draw(session, VILLAGES, "4711")
    meddle(session, SET.format(field), value)
    found = check_draw(session, made.id)
    assert {one.code for one in found.differences} == codes
    assert found.draw == made.id


def test_a_changed_register_is_found(session: Session) -> None:
    made = make_draw(session, VILLAGES, "4711")
    body = "UPDATE events SET body = replace(body, '东村', '冬村') WHERE subject = ?"
    meddle(session, body, "place/v4")
    assert {one.code for one in check_draw(session, made.id).differences} == {"chain"}


def test_a_candidate_that_was_left_out_is_found(session: Session) -> None:
    """Whoever writes the event by hand, whole and well hashed, still can't leave a village out."""
    frozen = freeze_draw(session, VILLAGES)
    short = "".join(line + "\n" for line in frozen.listed.splitlines() if not line.endswith("\tv4"))
    store = session.workspace.store
    record = store.record(f"draw/{frozen.id}")
    fields = {**record.fields, "listed": short, "listed_sha256": sha256(short),
              "register": register_hash(frozen.head, sha256(short))}  # fmt: skip
    with store.writing() as writer:
        writer.put_record(replace(record, fields=fields), kind="freeze", actor="owner", at=now())
    made = make_draw(session, frozen.id, "1")
    (found,) = check_draw(session, made.id).differences
    assert (found.code, found.params) == ("candidates", {"lacking": 1, "strange": 0})
    assert len(read_list(made.listed)) == 8


# Hidden until opened


def secrets_of(session: Session) -> list[str]:
    """A drawn and sealed draw and plan; what of them nobody may see who may not plan."""
    store = session.workspace.store
    made = make_draw(session, VILLAGES, "471108154711")
    plan = Record(subject="plan/019c0009-0000-7000-8000-000000000001", type="plan", fields={"name": "暗访方案甲乙丙"})
    with store.writing() as writer:
        writer.put_record(plan, kind="make", actor="owner", at=now())
    seals = [make_seal(session, f"draw/{made.id}"), make_seal(session, plan.subject)]
    salts = [store.record(subject).fields["salt"] for subject in (f"draw/{made.id}", plan.subject)]
    told = [text for seal in seals for text in (seal.id, seal.commitment)]
    return [
        made.id,
        made.number,
        made.seed,
        made.register,
        made.result_sha256,
        plan.subject,
        "暗访方案甲乙丙",
        *told,
        *salts,
    ]


@pytest.mark.parametrize("actor", STRANGERS, ids=lambda actor: actor.id)
def test_nobody_else_sees_a_draw_or_seal_before_the_visit(session: Session, actor: Actor) -> None:
    draw, *_ = hidden = secrets_of(session)
    seal = hidden[7]
    stranger = as_(session, actor)
    assert list_draws(stranger) == []
    assert list_seals(stranger) == []
    for word in (draw, "暗访"):
        assert fault_of(lambda word=word: show_draw(stranger, word)) == "unknown_draw"
        assert fault_of(lambda word=word: check_draw(stranger, word)) == "unknown_draw"
    for word in (seal, hidden[8], hidden[8][:12]):
        assert fault_of(lambda word=word: check_seal(stranger, word)) == "unknown_seal"
    for forbidden in (
        lambda: freeze_draw(stranger, VILLAGES),
        lambda: make_draw(stranger, draw, "1"),
        lambda: open_draw(stranger, draw),
        lambda: record_result(stranger, draw, "v4", passed=True),
        lambda: make_seal(stranger, draw),
        lambda: open_seal(stranger, seal),
    ):
        assert fault_of(forbidden) == "forbidden"
    assert fault_of(lambda: show_draw(as_(session, NOBODY), draw)) == "forbidden"


def test_only_looking_needs_less_than_the_policy_plan() -> None:
    looking = {"draw.list", "draw.show", "draw.check", "seal.list", "seal.check"}
    ours = {name for name in FLOWS if name.startswith(("draw.", "seal.", "routes.corridor"))}
    assert {name for name in ours if FLOWS[name] is not Policy.PLAN} == looking


@pytest.mark.parametrize("audience", [Audience.OFFICE, Audience.PUBLIC])
@pytest.mark.parametrize("actor", [OWNER, TOWN], ids=lambda actor: actor.id)
def test_no_snapshot_holds_a_draw_plan_or_seal(
    session: Session, tmp_path: Path, audience: Audience, actor: Actor
) -> None:
    hidden = secrets_of(session)
    path = tmp_path / "for.gpkg"
    write_county(as_(session, actor), path, audience)
    with sqlite3.connect(path) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        text = "\n".join(connection.iterdump())
    connection.close()
    assert tables.isdisjoint({"records", "events", "requests"})
    assert [word for word in hidden if word in text or word.encode() in path.read_bytes()] == []


def test_an_opened_draw_is_seen_by_a_town_as_far_as_its_own_places(session: Session) -> None:
    made = make_draw(session, replace(VILLAGES, size=9), "3")
    assert fault_of(lambda: show_draw(as_(session, TOWN), made.id)) == "unknown_draw"
    assert open_draw(session, made.id).opened_at
    assert open_draw(session, made.id).opened_at  # once more changes nothing
    state = show_draw(as_(session, TOWN), made.id)
    assert {line.id for line in state.drawn} == {"v4", "v5", "v6"}
    assert [line.stratum["town"] for line in state.strata] == ["t1"]
    told = told_draw(state)
    assert (told["proof"], told["overall"], state.overall) == (None, None, None)
    assert b"v7" not in orjson.dumps(told)
    assert check_draw(as_(session, TOWN), made.id).differences == ()


# Seals


def test_a_seal_tells_nothing_until_it_is_opened_and_then_proves_it(session: Session) -> None:
    store = session.workspace.store
    made = make_draw(session, VILLAGES, "3")
    seal = make_seal(session, "暗访")
    (event,) = store.events(f"seal/{seal.id}")
    told = json.loads(event.body)["set"]
    assert set(told) == {"commitment", "sealed_at", "sealed_by", "elsewhere"}
    assert made.id not in event.body
    closed = check_seal(session, seal.id)
    assert (closed.holds, closed.intact, closed.changed, closed.seal.salt) == (True, True, (), "")
    assert fault_of(lambda: open_draw(session, made.id)) == "draw_sealed"
    opened = open_seal(session, seal.commitment[:16])
    assert (opened.holds, opened.intact, opened.seal.seq) == (True, True, event.seq)
    assert opened.seal.subject == f"draw/{made.id}"
    then = next(r for r in store.records_at("draw", event.seq) if r.subject == f"draw/{made.id}")
    assert commitment(opened.seal.salt, content_of(then.subject, then.fields)) == seal.commitment
    assert show_draw(as_(session, TOWN), made.id)
    assert check_seal(as_(session, TOWN), seal.id).holds
    assert open_seal(session, seal.id) == opened
    assert check_draw(session, made.id).differences == ()
    assert fault_of(lambda: make_seal(session, made.id)) == "seal_stands"
    assert store.verify() is None


def test_a_plan_that_was_changed_after_its_sealing_is_told(session: Session) -> None:
    store = session.workspace.store
    plan = Record(subject="plan/p1", type="plan", fields={"name": "甲", "plan": "{}"})
    with store.writing() as writer:
        writer.put_record(plan, kind="make", actor="owner", at=now())
    seal = make_seal(session, "plan/p1")
    stands = store.record("plan/p1")
    with store.writing() as writer:
        changed = replace(stands, fields={**stands.fields, "plan": '{"routes":[]}'})
        writer.put_record(changed, kind="edit", actor="owner", at=now())
    found = check_seal(session, seal.id)
    assert (found.holds, found.changed) == (True, ("plan",))


def test_a_sealed_record_that_was_meddled_with_breaks_the_seal(session: Session) -> None:
    made = make_draw(session, VILLAGES, "3")
    seal = make_seal(session, made.id)
    meddle(session, "UPDATE events SET body = replace(body, '暗访', '明访') WHERE subject = ?", f"draw/{made.id}")
    found = check_seal(session, seal.id)
    assert (found.holds, found.intact) == (False, False)


def test_what_is_kept_elsewhere_is_sealed_by_its_hash(session: Session) -> None:
    digest = sha256("a plan on paper")
    seal = make_seal(session, digest.upper())
    assert check_seal(session, seal.id).holds is None
    kept = session.workspace.store.record(f"seal/{seal.id}").fields
    assert digest not in orjson.dumps(kept).decode()
    assert seal.salt not in orjson.dumps(kept).decode()
    assert fault_of(lambda: open_seal(session, seal.id)) == "seal_needs_salt"
    assert fault_of(lambda: open_seal(session, seal.id, salt="0" * 32, digest=digest)) == "seal_broken"
    assert open_seal(session, seal.id, salt=seal.salt, digest=digest).holds is True
    assert commitment(seal.salt, digest) == seal.commitment


@pytest.mark.parametrize(
    ("what", "code"), [("plan/none", "unknown_sealed"), ("draw/none", "unknown_draw"), ("x", "unknown_draw")]
)
def test_what_cant_be_sealed(session: Session, what: str, code: str) -> None:
    assert fault_of(lambda: make_seal(session, what)) == code
    frozen = freeze_draw(session, VILLAGES)
    assert fault_of(lambda: make_seal(session, frozen.id)) == "draw_not_drawn"


# The command line


def test_a_draw_by_the_command_line(tiny: Workspace) -> None:
    tiny.close()
    at = ("--dir", str(tiny.folder))
    teams = [word for team in TEAMS for word in ("--inspector", team)]
    frozen = run("draw", "villages", "--size", "4", *teams, "--name", "spring", *at)
    assert (frozen.code, "The register's hash" in frozen.out) == (0, True)
    assert "waits for its number" in run("draw", "list", *at).out
    made = json.loads(run("draw", "number", "spring", "4711", "--json", *at).out)
    assert len(made["drawn"]) == 4
    shown = run("draw", "show", "spring", *at).out
    assert f"Number 4711, seed {made['seed']}" in shown
    assert "never looked at: 1 out of 3" in shown
    one = made["drawn"][0]
    seal = json.loads(run("seal", "make", "spring", "--json", *at).out)
    words = ("draw", "result", "spring", one["id"], "--failed", "--by", one["inspectors"][0])
    assert run(*words, *at).err == "Recorded: failed.\n"
    assert "95% interval" in run("draw", "show", "spring", *at).out
    assert (
        run("draw", "check", "spring", *at).out
        == f"The same, byte for byte. SHA-256 of the result {made['result_sha256']}\n"
    )
    assert run("draw", "open", "spring", *at).code == 2
    assert "The seal holds" in run("seal", "open", seal["id"], *at).out
    assert "open" in run("seal", "list", *at).out
    assert run("draw", "check", "none", *at).code == 2
    with sqlite3.connect(tiny.folder / "villagemap.gpkg") as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(SET.format("number"), ["1"])
    connection.close()
    changed = run("draw", "check", "spring", *at)
    assert (changed.code, "The seed comes out otherwise" in changed.out) == (1, True)
