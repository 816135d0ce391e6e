"""Plans through the real store: made, kept, checked, changed, taken back, planned anew, taken along."""

import json
import re
from dataclasses import replace

import openpyxl
import pytest

from villagemap.auth import Actor, Grant, Role
from villagemap.errors import ConflictError, ForbiddenError, NotFoundError, WrongUseError
from villagemap.flows.campaigns.sweeps import Position, begin_sweep, check_in
from villagemap.flows.registry import FLOWS, Session
from villagemap.flows.routes.candidates import candidates
from villagemap.flows.routes.editing import PlanBreaksError, keep_moves, set_locks, try_moves
from villagemap.flows.routes.exporting import MEDIA_TYPES, export_plan, plan_view
from villagemap.flows.routes.kept import (
    KeptPlan,
    keep_plan,
    list_plans,
    made_of,
    matrices,
    matrix_of,
    show_plan,
    undo,
)
from villagemap.flows.routes.legs import issues_beside, plan_legs
from villagemap.flows.routes.planning import check_kept, make_plan, told_progress
from villagemap.flows.routes.replanning import read_happened, replan_day, told_changes
from villagemap.flows.routes.request import UnreadableRequestError, read_request
from villagemap.flows.routes.seals import check_seal, make_seal
from villagemap.flows.routes.telling import tell_plan
from villagemap.flows.upkeep.backups import back_up
from villagemap.flows.upkeep.restoring import restore
from villagemap.flows.workspace import open_workspace
from villagemap.model import IssueFilter, Privacy, Status
from villagemap.plan_check import check_plan
from villagemap.plans import Lock
from villagemap.plans.codec import to_json
from villagemap.routing.editing import Move
from villagemap.routing.solving import Progress
from villagemap.texts import LANGS
from villagemap.workflow import RUNNING

ALL = {"teams": [{}, {"start": "乙镇"}], "choose": {"villages": "all", "issues": False}, "iterations": 60}
CADRE = Actor("u2", (Grant(role=Role.TOWN_CADRE, places=("t1",)),))


def make(session: Session, **said: object) -> KeptPlan:
    return make_plan(session, read_request({**ALL, **said}))


@pytest.fixture
def kept(session: Session) -> KeptPlan:
    """Nine villages, two teams, one day."""
    return make(session)


def calls(kept: KeptPlan) -> dict[str, tuple[str, int]]:
    """By stop its team and day."""
    return {call.stop: (route.team, route.day) for route in kept.plan.routes for call in route.calls}


def test_a_plan_is_kept_as_it_was_made_and_made_again_it_is_the_same(session, kept):
    again = make(session)
    assert again.id != kept.id
    told = [to_json(replace(plan.plan, seconds=0.0, first_s=None)) for plan in (kept, again)]
    assert told[0] == told[1]
    shown = show_plan(session, kept.id)
    assert (shown.plan, shown.problem, shown.digest) == (kept.plan, kept.problem, kept.digest)
    assert [head.id for head in list_plans(session)] == [again.id, kept.id]
    assert show_plan(session, kept.name).id == again.id
    assert set(calls(kept)) == {f"v{n}" for n in range(4, 13)}
    assert session.workspace.store.verify() is None


def test_a_kept_plan_is_checked_by_digest_and_by_the_verifier(session, kept):
    found = check_kept(session, kept.id)
    assert (found.whole, found.breaches, found.sound) == (True, (), True)
    made = made_of(session, kept)
    calls_ = kept.plan.routes[0].calls
    torn = replace(kept.plan.routes[0], calls=calls_[1:])
    wrong = keep_plan(session, replace(made, plan=replace(kept.plan, routes=(torn, *kept.plan.routes[1:]))))
    found = check_kept(session, wrong.id)
    assert found.whole
    assert not found.sound


def test_its_matrix_lies_beside_the_store_and_a_damaged_one_is_told(session, kept):
    store = matrices(session)
    assert list(store.names()) == [f"{kept.matrix}.npz"]
    matrix = matrix_of(session, kept)
    assert store.put(matrix) == kept.matrix
    assert matrix.estimated
    store.path(kept.matrix).write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(NotFoundError, match="backup"):
        check_kept(session, kept.id)


@pytest.mark.parametrize("name", ["backup.zip", "backup"])
def test_a_backup_holds_plans_whole(session, kept, tmp_path, name):
    back_up(session, tmp_path / name)
    restore(tmp_path / name, tmp_path / "again")
    workspace = open_workspace(tmp_path / "again")
    assert check_kept(Session(workspace, session.actor), kept.id).sound
    workspace.close()


def test_what_cannot_be_planned_is_told_and_nothing_is_an_error(session):
    for said in ({"teams": []}, {"choose": None, "stops": []}, {"teams": [{"day_end": "08:35"}]}):
        kept = make(session, **said)
        planned, left = kept.plan.figures.stops, kept.plan.figures.left_out
        assert (planned, left) == (0, len(kept.problem.stops))
        assert kept.findings
        told = tell_plan(session, kept, "en")
        assert told["told"]["breaches"] == []
        assert all(said["why"] for said in told["told"]["left_out"].values())


def test_a_plan_is_told_in_sentences_of_both_languages(session):
    kept = make(session, teams=[{"day_end": "13:00"}])
    assert kept.plan.left_out
    for lang in LANGS:
        told = json.loads(json.dumps(tell_plan(session, kept, lang)))
        assert set(told["told"]["left_out"]) == {left.stop for left in kept.plan.left_out}
        for said in told["told"]["left_out"].values():
            assert said["why"]
            assert len(said["proof"]) == 1
            assert said["hints"]
        assert told["told"]["matrix"]
        assert told["told"]["shortfall"]


def test_a_day_more_as_the_hint_says_takes_the_stop_in(session):
    kept = make(session, teams=[{"day_end": "13:00"}])
    stop = kept.plan.left_out[0]
    hint = next(h for h in stop.hints if [code for code, _ in h.changes] == ["extend_day"])
    until = hint.changes[0][1]["until_at"]
    team = replace(kept.problem.teams[0], day_end_s=until)
    made = made_of(session, kept)
    later = keep_plan(session, replace(made, problem=replace(made.problem, teams=(team,))))
    tried = try_moves(session, later.id, [Move(stop=stop.stop, team=hint.team, day=hint.day, after=hint.after)])[1]
    assert tried.breaches == ()


# Changed by hand


def other_shift(kept: KeptPlan, stop: str) -> Move:
    team = next(route.team for route in kept.plan.routes if route.team != calls(kept)[stop][0])
    return Move(stop=stop, team=team, day=1, after=0)


def test_a_try_keeps_nothing_and_a_move_is_a_revision(session, kept):
    stop = kept.plan.routes[0].calls[0].stop
    move = other_shift(kept, stop)
    seq = session.workspace.store.head().seq
    _, tried = try_moves(session, kept.id, [move])
    assert session.workspace.store.head().seq == seq
    moved = keep_moves(session, kept.id, [move], revision=1, force=True)
    assert (moved.revision, calls(moved)[stop][0]) == (2, move.team)
    assert moved.plan.figures.travel_s - kept.plan.figures.travel_s == tried.delta.travel_s
    with pytest.raises(ConflictError, match="Load it again"):
        keep_moves(session, kept.id, [move], revision=1, force=True)


def test_what_breaks_a_rule_is_kept_only_by_force(session):
    kept = make(session, locks=[{"stop": "v4", "team": "t1"}])
    move = Move(stop="v4", team="t2", day=1)
    with pytest.raises(PlanBreaksError) as refused:
        keep_moves(session, kept.id, [move])
    assert "lock_team" in {breach.code for breach in refused.value.breaches}
    assert show_plan(session, kept.id).revision == 1
    forced = keep_moves(session, kept.id, [move], force=True)
    assert tell_plan(session, forced, "en")["told"]["breaches"][0]["sentence"]
    out = keep_moves(session, kept.id, [Move(stop="v12", out=True)])  # what was broken before stops nobody
    assert {left.stop: left.code for left in out.plan.left_out}["v12"] == "taken_out"


def test_undo_goes_back_step_by_step_and_nothing_is_lost(session, kept):
    one = keep_moves(session, kept.id, [Move(stop="v4", out=True)], force=True)
    two = set_locks(session, kept.id, [Lock(stop="v5", keep=True)])
    assert (two.problem.locks[0].stop, two.can_undo) == ("v5", True)
    back = undo(session, kept.id, revision=3)
    assert (back.digest, back.revision) == (one.digest, 4)
    first = undo(session, kept.id, revision=4)
    assert (first.digest, first.can_undo) == (kept.digest, False)
    with pytest.raises(ConflictError):
        undo(session, kept.id, revision=5)
    assert show_plan(session, kept.id, revision=3).digest == two.digest
    assert session.workspace.store.verify() is None


@pytest.mark.parametrize("lock", [Lock(stop="v99"), Lock(stop="v4", team="t9"), Lock(stop="v4", day=7)])
def test_a_lock_of_what_is_not_there_is_refused(session, kept, lock):
    with pytest.raises(NotFoundError):
        set_locks(session, kept.id, [lock])


def test_a_seal_outlives_changes_and_tells_them(session, kept):
    seal = make_seal(session, f"plan/{kept.id}")
    assert show_plan(session, kept.id).sealed
    moved = keep_moves(session, kept.id, [Move(stop="v4", out=True)], force=True)
    back = undo(session, kept.id, revision=moved.revision)
    assert (back.sealed, back.digest) == (True, kept.digest)
    found = check_seal(session, seal.id)
    assert (found.holds, found.intact) == (True, True)


# During the day


def test_a_new_plan_keeps_what_happened_and_tells_every_change(session, kept):
    first = kept.plan.routes[0]
    done = [call.stop for call in first.calls[:2]]
    happened = {
        "day": 1,
        "now": "11:00",
        "done": done,
        "late": {first.team: 60},
        "broken": [route.team for route in kept.plan.routes if route.team != first.team],
        "new_stops": [{"id": "spill", "lon": 111.16, "lat": 20.76, "must": True}],
    }
    new = replan_day(session, kept.id, read_happened(happened))
    assert (new.kept.id, new.kept.revision, new.kept.can_undo) == (kept.id, 2, True)
    after = calls(new.kept)
    assert all(after[stop] == (first.team, 1) for stop in done)
    told = told_changes(new, "en")
    dropped = {change["stop"] for change in told["dropped"]}
    assert set(calls(kept)) - set(after) <= dropped
    assert "spill" in dropped | {change["stop"] for change in told["added"]}
    assert all(change["sentence"] for kind in ("moved", "dropped", "added") for change in told[kind])
    assert check_plan(new.kept.problem, matrix_of(session, new.kept), new.kept.plan) == []
    assert undo(session, kept.id, revision=2).digest == kept.digest


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"day": 1, "now": "11:00", "done": ["v99"]}, NotFoundError),
        ({"day": 1, "now": "11:00", "late": {"t9": 5}}, NotFoundError),
        ({"day": 1, "now": "eleven"}, UnreadableRequestError),
        ({"now": "11:00"}, UnreadableRequestError),
    ],
)
def test_what_cannot_have_happened_is_told(session, kept, said, error):
    with pytest.raises(error):
        replan_day(session, kept.id, read_happened(said))
    assert show_plan(session, kept.id).revision == 1


def test_a_check_in_marks_the_sweep_and_the_plan(session):
    begin_sweep(session, "春季排查")
    kept = make(session, choose=None, sweep="春季排查")
    assert len(kept.problem.stops) == 9
    check_in(session, "春季排查", "v4", Position(lon=111.15, lat=20.65, accuracy_m=10))
    told = tell_plan(session, kept, "zh")
    done = [call["stop"] for route in told["plan"]["routes"] for call in route["calls"] if call["done"]]
    assert done == told["visited"] == ["v4"]
    new = replan_day(session, kept.id, read_happened({"day": 1, "now": "10:00"}))
    assert [c.stop for r in new.kept.plan.routes for c in r.calls if c.done] == ["v4"]
    tomorrow = make(session, choose=None, sweep="春季排查", days=["2026-03-21"])
    assert "v4" not in {stop.id for stop in tomorrow.problem.stops}
    assert len(tomorrow.problem.stops) == 8


# Looked at and taken along


def test_legs_are_lines_from_the_start_back_to_the_end(session, kept):
    features = plan_legs(session, kept)["features"]
    assert len(features) == sum(len(route.calls) + 1 for route in kept.plan.routes)
    metres = sum(feature["properties"]["leg_m"] for feature in features)
    assert metres == kept.plan.figures.distance_m
    by_order = {(f["properties"]["team"], f["properties"]["order"]): f for f in features}
    assert by_order["t1", 0]["geometry"]["coordinates"][0] == (111.15, 20.75)
    assert all(feature["properties"]["estimated"] for feature in features)


def test_every_format_has_every_stop(session):
    kept = make(session, choose={"villages": "all"}, teams=[{}, {}, {}, {}])
    names = {stop.name for stop in kept.problem.stops if stop.id in calls(kept)}
    for form in set(MEDIA_TYPES) - {"pdf", "xlsx"}:
        text = export_plan(session, kept, form, lang="zh").decode()
        assert {name for name in names if name not in text} == set(), form
    path = session.workspace.folder.parent / "plan.xlsx"
    path.write_bytes(export_plan(session, kept, "xlsx", lang="zh"))
    book = openpyxl.load_workbook(path)
    cells = {cell.value for sheet in book for row in sheet for cell in row}
    assert {name for name in names if name not in cells} == set()
    one = export_plan(session, kept, "geojson", lang="zh", team=kept.plan.routes[0].team, day=1)
    assert len(one) < len(export_plan(session, kept, "geojson", lang="zh"))


def test_a_sheet_shows_open_issues_without_households_and_phones(session):
    kept = make(session, choose={"villages": "all"}, teams=[{"people": ["u7"]}, {}, {}])
    view = plan_view(session, kept, lang="zh", address="http://example.test")
    shown = [issue for route in view.routes for call in route.calls for issue in call.issues]
    assert shown
    store = session.workspace.store
    assert all(store.issue(issue.number).privacy.value != "restricted" for issue in shown)
    assert {person for route in view.routes for person in route.people} == {"u7"}
    assert view.ground
    assert view.estimated


@pytest.mark.parametrize(("form", "team", "error"), [("doc", "", WrongUseError), ("gpx", "t9", NotFoundError)])
def test_what_cannot_be_taken_along_is_told(session, kept, form, team, error):
    with pytest.raises(error):
        export_plan(session, kept, form, lang="zh", team=team)


def test_candidates_are_villages_and_open_issues(session):
    found = candidates(session, IssueFilter(towns=("t1",)))
    kinds = [feature["properties"]["kind"] for feature in found["features"]]
    assert kinds.count("village") == 3
    assert kinds.count("issue") == found["numberMatched"]
    assert all(len(feature["geometry"]["coordinates"]) == 2 for feature in found["features"])


# Who may


def test_a_town_sees_no_plan(session, kept):
    town = Session(session.workspace, CADRE)
    for ask in (
        lambda: list_plans(town),
        lambda: show_plan(town, kept.id),
        lambda: tell_plan(town, kept, "zh"),
        lambda: try_moves(town, kept.id, []),
        lambda: export_plan(town, kept, "txt", lang="zh"),
        lambda: candidates(town, IssueFilter()),
    ):
        with pytest.raises(ForbiddenError):
            ask()
    assert {policy.value for name, policy in FLOWS.items() if name.startswith("plans.")} == {"plan"}


def test_no_event_of_a_plan_holds_a_households_position(session):
    kept = make(session, choose={"categories": ["household_housing"]})
    assert kept.problem.stops
    body = session.workspace.store.events(f"plan/{kept.id}")[0].body
    store = session.workspace.store
    for stop in kept.problem.stops:
        for issue in map(store.issue, stop.issue_ids):
            lon, lat = re.findall(r"-?\d+\.?\d*", issue.geometry)[:2]
            if (float(lon), float(lat)) != (stop.lon, stop.lat):
                assert lon not in body


def test_progress_is_a_part_of_what_was_asked_for():
    progress = Progress(seconds=3.0, iterations=50, stops=4, left_out=1, travel_s=60, feasible=True)
    by_time = told_progress(progress, read_request({"seconds": 6}))
    by_rounds = told_progress(progress, read_request({"iterations": 200}))
    assert (by_time["fraction"], by_rounds["fraction"]) == (0.5, 0.25)


def test_stopping_early_keeps_the_best_so_far(session):
    request = read_request({**ALL, "iterations": None, "seconds": 30})
    kept = make_plan(session, request, watch=lambda progress: progress.feasible)
    assert kept.plan.stopped
    assert kept.plan.seconds < 10
    assert check_kept(session, kept.id).sound


def test_an_empty_county_plans_bare_points(empty_session):
    stops = [{"lon": 111.2, "lat": 20.7}, {"lon": 111.3, "lat": 20.7}]
    request = read_request({"teams": [{"start": [111.25, 20.7]}], "stops": stops, "iterations": 20})
    kept = make_plan(empty_session, request)
    assert kept.plan.figures.stops == 2
    assert export_plan(empty_session, kept, "gpx", lang="en").startswith(b"<?xml")


def test_a_pdf_is_printed(session, kept):
    pytest.importorskip("typst")
    made = export_plan(session, kept, "pdf", lang="zh", team=kept.plan.routes[0].team, day=1)
    assert made.startswith(b"%PDF-")


def test_what_a_plan_passes_without_calling_is_listed(session: Session):
    """The tiny county's issues lie at the villages' seats or 0.001 to 0.006 degrees (100 to 620 m) east of them."""
    kept = make(session)
    beside = issues_beside(session, kept, within_m=300)
    issues = {issue.id: issue for issue in session.workspace.store.issues(IssueFilter(), limit=100)}
    assert beside
    assert all(issues[one.id].status is not Status.CLOSED and one.off_m <= 300 for one in beside)
    assert len(issues_beside(session, kept, within_m=2000)) > len(beside)
    one_day = issues_beside(session, kept, within_m=300, team=kept.plan.routes[0].team, day=1)
    assert {one.id for one in one_day} <= {one.id for one in beside}
    with pytest.raises(NotFoundError, match="nobody"):
        issues_beside(session, kept, team="nobody")


def test_a_village_has_all_its_open_issues_on_paper_but_those_called_at_by_themselves(session: Session):
    village = "v4"
    own = next(
        i.id for i in session.workspace.store.issues(IssueFilter(villages=(village,)), limit=100) if i.status in RUNNING
    )
    kept = make(session, choose=None, stops=[{"place": "甲镇/东村", "must": True}, {"issue": own, "must": True}])
    shown = {
        issue.number for r in plan_view(session, kept, lang="zh").routes for c in r.calls[:9] for issue in c.issues
    }
    there = session.workspace.store.issues(IssueFilter(villages=(village,)), limit=100)
    open_there = {i.number for i in there if i.status in RUNNING and i.privacy is not Privacy.RESTRICTED}
    assert shown == open_there
    listed = [i.number for r in plan_view(session, kept, lang="zh").routes for c in r.calls for i in c.issues]
    assert len(listed) == len(set(listed))


def test_what_a_plan_calls_at_is_not_beside_it(session: Session):
    called = session.workspace.store.issues(IssueFilter(), limit=1)[0]
    kept = make(session, choose={"issues": False, "villages": []}, stops=[{"issue": called.id, "must": True}])
    assert called.id not in {one.id for one in issues_beside(session, kept, within_m=500)}
