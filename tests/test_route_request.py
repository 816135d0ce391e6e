"""A request for a plan: its form, its schema, and what of it can be planned in the tiny county."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.auth import Actor, Grant, Role
from villagemap.errors import ForbiddenError, NotFoundError
from villagemap.flows.campaigns.sweeps import Position, begin_sweep, check_in
from villagemap.flows.registry import Session
from villagemap.flows.routes.asking import Asked, ask
from villagemap.flows.routes.replanning import read_happened
from villagemap.flows.routes.request import (
    MOST_STOPS,
    UnreadableRequestError,
    read_request,
    request_schema,
    seconds,
)
from villagemap.flows.routes.spots import Draft, grouped, spots
from villagemap.flows.routes.travelling import matrix_for
from villagemap.model import IssueFilter, Privacy
from villagemap.plans import NEVER, LunchRule, MatrixKind, Objective, Stop, Window
from villagemap.texts import LANGS

ROOT = Path(__file__).parents[1]
HOUSEHOLDS = "household_housing"
INSPECTOR = Actor("u1", (Grant(role=Role.INSPECTOR),))


def asked(session: Session, **said: object) -> Asked:
    return ask(session, read_request({"teams": [{}], **said}))


def codes(found: Asked) -> dict[str, str]:
    """Code of each finding, by stop or team."""
    return {finding.stop or finding.team: finding.code for finding in found.findings}


# Its form


def test_the_schema_in_the_docs_is_the_models():
    assert (ROOT / "docs/request.schema.json").read_bytes() == request_schema()


def test_every_fault_of_the_form_is_told_at_once_with_its_place():
    said = {
        "teams": [{"day_start": "25:00", "cars": 1, "start": [1]}],
        "days": ["someday"],
        "stops": [{"priority": 1000}, {"lon": "east"}],
        "objectives": ["speed"],
        "seconds": -1,
    }
    with pytest.raises(UnreadableRequestError) as refused:
        read_request(said)
    assert [place for place, _, _ in refused.value.faults] == [
        "days", "teams[0].start", "teams[0].day_start", "teams[0].cars", "stops[0].priority", "stops[1].lon",
        "objectives[0]", "seconds",
    ]  # fmt: skip
    for lang in LANGS:
        sentence = refused.value.sentence(lang)
        assert all(place in sentence for place, _, _ in refused.value.faults)
        assert "pydantic" not in sentence


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b"null", b'"x"', b'{"teams": NaN}', b"\xff"])
def test_what_is_no_request_is_told(said):
    with pytest.raises(UnreadableRequestError) as refused:
        read_request(said)
    assert all(refused.value.sentence(lang) for lang in LANGS)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["teams", "stops", "days", "start", "choose", "travel", "lon"]), inner,
                        max_size=3), max_leaves=8))  # fmt: skip
def test_whatever_somebody_sends_is_a_request_or_told(value):
    told: list[str] = []
    try:
        read_request(orjson.dumps(value))
    except UnreadableRequestError as refused:
        told = [refused.sentence(lang) for lang in LANGS]
    assert all(told)


@given(st.integers(0, 23), st.integers(0, 59))
def test_a_time_of_day_is_seconds_after_midnight(hour, minute):
    assert seconds(f"{hour:02d}:{minute:02d}") == (hour * 60 + minute) * 60


def examples() -> list[str]:
    return re.findall(r"```json\n(.*?)```", (ROOT / "docs/routes.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", examples(), ids=range(len(examples())))
def test_the_examples_in_the_docs_are_what_they_say(session, text):
    said = json.loads(text)
    if "now" in said:
        assert read_happened(said).now == said["now"]
        return
    request = read_request(said)
    found = ask(session, request)
    assert found.problem.stops
    assert found.findings == ()
    assert matrix_for(session, request, found.problem)[0].duration_s.max() < NEVER


# What it means here


def test_a_team_gets_what_an_office_expects(session):
    (team,) = asked(session, stops=[{"place": "v4"}]).problem.teams
    assert (team.id, team.start, team.end) == ("t1", "@t1", "@t1")
    assert (team.day_start_s, team.day_end_s, team.lunch) == (8.5 * 3600, 17.5 * 3600, LunchRule())


def test_places_issues_and_points_become_stops(session):
    issue = session.workspace.store.issues(IssueFilter(), limit=1)[0]
    stops = [
        {"place": "乙镇/东村", "must": True, "service_min": 45, "windows": [["14:00", "15:00"], ["09:00", "10:00"]]},
        {"issue": issue.number},
        {"id": "p", "lon": 111.35, "lat": 20.85, "teams": ["t1"], "days": [1]},
    ]
    village, case, point = asked(session, stops=stops).problem.stops
    assert (village.id, village.name, village.village, village.town_name) == ("v7", "东村村委会", "v7", "乙镇")
    assert village.windows == (Window(9 * 3600, 10 * 3600), Window(14 * 3600, 15 * 3600))
    assert (village.service_s, village.must) == (2700, True)
    assert (case.id, case.issue_ids, case.village, case.service_s) == (issue.number, (issue.id,), "v4", 600)
    assert (point.village, point.teams, point.days) == ("v12", ("t1",), (1,))


def test_days_by_the_first_skip_weekends_if_asked(session):
    days = {"first": "2026-03-20", "count": 3, "weekends": False}
    found = asked(session, stops=[{"place": "v4"}], days=days)
    assert [day.isoformat() for day in found.problem.days] == ["2026-03-20", "2026-03-23", "2026-03-24"]


def test_days_past_the_end_of_the_calendar_are_told():
    with pytest.raises(UnreadableRequestError):
        read_request({"days": {"first": "9999-12-30", "count": 5}})


def test_all_villages_of_a_town_are_musts_and_its_open_issues_come_along(session):
    found = asked(session, choose={"towns": ["甲镇"], "villages": "all"})
    musts = [stop.id for stop in found.problem.stops if stop.must]
    assert musts == ["v4", "v5", "v6"]
    assert {stop.village for stop in found.problem.stops} == {"v4", "v5", "v6"}
    statuses = {
        session.workspace.store.issue(issue).status.value for stop in found.problem.stops for issue in stop.issue_ids
    }
    assert statuses <= {"registered", "rectifying", "returned"}
    assert Objective.COVER is found.problem.objectives[0]


def test_a_sweep_gives_what_nobody_has_visited_yet(session):
    sweep = begin_sweep(session, "春季排查", towns=["甲镇"])
    check_in(session, "春季排查", "v4", Position(lon=111.15, lat=20.65, accuracy_m=10))
    found = asked(session, sweep="春季排查")
    assert ([stop.id for stop in found.problem.stops], found.sweep) == (["v5", "v6"], sweep.id)
    assert all(stop.must for stop in found.problem.stops)
    with pytest.raises(NotFoundError):
        asked(session, sweep="没有")


def test_who_may_not_plan_asks_for_nothing_and_households_stay_unseen(session):
    cadre = Actor("u2", (Grant(role=Role.TOWN_CADRE, places=("t1",)),))
    with pytest.raises(ForbiddenError):
        asked(Session(session.workspace, cadre), choose={"villages": "all"})
    seen = asked(Session(session.workspace, INSPECTOR), choose={"categories": [HOUSEHOLDS]})
    assert seen.problem.stops == ()


def test_a_household_is_planned_at_its_villages_seat_and_not_named(session):
    store = session.workspace.store
    found = asked(session, choose={"categories": [HOUSEHOLDS]})
    assert found.problem.stops
    for stop in found.problem.stops:
        issue = store.issue(stop.issue_ids[0])
        assert issue.privacy is Privacy.RESTRICTED
        seat = session.workspace.gazetteer().by_id[issue.village_id].seat
        assert (stop.lon, stop.lat) == seat
        assert "住房" not in stop.name
    assert any(entry.flow == "plans.make" for entry in session.workspace.accounts.log_entries(limit=50))


BAD_STOPS = [
    ({"place": "没有"}, "unknown_place"),
    ({"place": "东村"}, "ambiguous_place"),
    ({"place": "丁镇/东村"}, "unknown_town"),
    ({"issue": "2026-99999"}, "unknown_issue"),
    ({"lon": 200.0, "lat": 20.0}, "position_impossible"),
    ({"lon": math.nan, "lat": 20.0}, "position_impossible"),
    ({"name": "?"}, "stop_nowhere"),
    ({"place": "v4", "windows": [["12:00", "10:00"]]}, "windows_backwards"),
    ({"place": "v4", "teams": ["nobody"]}, "no_known_team"),
    ({"place": "v4", "days": [3]}, "no_such_day"),
]


@pytest.mark.parametrize(("stop", "code"), BAD_STOPS, ids=[code for _, code in BAD_STOPS])
def test_a_bad_stop_is_told_by_its_id_and_the_rest_is_planned(session, stop, code):
    found = asked(session, stops=[{"id": "bad", **stop}, {"place": "v5"}])
    (finding,) = found.findings
    assert (finding.stop, finding.code, finding.left_out) == ("bad", code, True)
    assert all("bad" in finding.sentence(lang) for lang in LANGS)
    assert [one.id for one in found.problem.stops] == ["v5"]


def test_what_is_only_odd_is_told_and_planned(session):
    found = asked(
        session,
        stops=[
            {"id": "a", "lon": 111.15, "lat": 20.65, "windows": [["09:00", "10:00"], ["12:00", "11:00"]]},
            {"id": "b", "lon": 111.15, "lat": 20.65, "teams": ["t1", "x"]},
            {"id": "c", "place": "v5", "days": [1, 9]},
        ],
        locks=[{"stop": "zz"}, {"stop": "a", "team": "x"}, {"stop": "a", "day": 4}, {"stop": "a", "keep": True}],
    )
    assert [stop.id for stop in found.problem.stops] == ["a", "b", "c"]
    assert {finding.code for finding in found.findings} == {
        "window_backwards", "same_point", "unknown_team", "day_beyond", "lock_unknown_stop", "lock_unknown_team",
        "lock_unknown_day",
    }  # fmt: skip
    assert not any(finding.left_out for finding in found.findings)
    assert [lock.stop for lock in found.problem.locks] == ["a"]
    assert found.problem.stops[0].spot == found.problem.stops[1].spot != ""


def test_teams_that_cannot_drive_are_told(session):
    teams = [
        {"id": "late", "day_start": "18:00"},
        {"id": "short", "day_end": "08:40"},
        {"id": "lost", "start": "没有", "lunch": {"earliest": "13:00", "latest": "11:00"}},
        {"id": "lost"},
        {"id": "off", "days": [5]},
    ]
    found = ask(session, read_request({"teams": teams, "stops": [{"place": "v4"}]}))
    assert [team.id for team in found.problem.teams] == ["short", "lost"]
    told = [(finding.team, finding.code) for finding in found.findings]
    assert told == [
        ("late", "shift_backwards"), ("lost", "start_unknown"), ("lost", "lunch_backwards"), ("lost", "team_repeats"),
        ("off", "team_no_day"), ("short", "shift_short"),
    ]  # fmt: skip
    none = ask(session, read_request({"stops": [{"place": "v4"}]}))
    assert [finding.code for finding in none.findings] == ["no_teams"]
    assert all(f.sentence(lang) for f in (*found.findings, *none.findings) for lang in LANGS)


def test_five_thousand_stops_are_cut_to_those_that_weigh_most(session):
    stops = [{"id": f"s{n}", "lon": 111.1 + n / 1e5, "lat": 20.7, "priority": n % 50} for n in range(5000)]
    stops[17]["must"] = True
    found = asked(session, stops=stops, group_within_m=0)
    assert len(found.problem.stops) == MOST_STOPS
    assert "s17" in {stop.id for stop in found.problem.stops}
    left = {finding.stop for finding in found.findings if finding.code == "too_many_stops"}
    assert len(left) == 5000 - MOST_STOPS
    kept = [stop.priority for stop in found.problem.stops if not stop.must]
    assert min(kept) >= max(n % 50 for n in range(5000) if f"s{n}" in left)


def test_a_bare_matrix_needs_no_county(empty_session):
    matrix = {"ids": ["office", "a", "b"], "durations_s": [[0, 600, None], [600, 0, -5], [900, 300, 0]]}
    request = read_request({"teams": [{}], "travel": {"matrix": matrix}})
    found = ask(empty_session, request)
    assert [stop.id for stop in found.problem.stops] == ["a", "b"]
    made, findings = matrix_for(empty_session, request, found.problem)
    assert (made.kind, made.ids) == (MatrixKind.GIVEN, ("@office", "a", "b"))
    assert made.duration_s[0, 2] == made.duration_s[1, 2] == NEVER
    assert {finding.stop for finding in findings} == {"office", "a"}
    assert all(finding.sentence(lang) for finding in findings for lang in LANGS)


def test_a_matrix_by_codes_fits_places_and_what_it_lacks_is_told(session):
    matrix = {
        "ids": ["甲镇", "449923101200", "乙镇/东村村委会"],
        "durations_s": [[0, 60, 70], [60, 0, 80], [70, 80, 0]],
    }
    stops = [{"place": "v4"}, {"place": "v7"}, {"place": "v5"}]
    request = read_request({"teams": [{"start": "甲镇"}], "stops": stops, "travel": {"matrix": matrix}})
    found = ask(session, request)
    assert codes(found) == {"v5": "not_in_matrix"}
    made, _ = matrix_for(session, request, found.problem)
    assert made.duration_s.tolist() == [[0, 60, 70], [60, 0, 80], [70, 80, 0]]


# Spots


def drafts_of(points: list[tuple[int, int]], hamlets: list[str]) -> list[Draft]:
    return [
        Draft(
            stop=Stop(id=f"s{n}", name="", lon=111 + x / 1000, lat=20 + y / 1000, village="v", issue_ids=(f"i{n}",)),
            hamlet=hamlets[n % len(hamlets)],
            loose=True,
        )
        for n, (x, y) in enumerate(points)
    ]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=25),
    st.lists(st.sampled_from(["", "", "h1", "h2"]), min_size=1, max_size=5),
    st.integers(0, 400),
)
def test_a_spot_is_near_its_leader_and_no_issue_is_lost(points, hamlets, within_m):
    drafts = drafts_of(points, hamlets)
    leaders = spots(drafts, within_m)
    for draft, leader in zip(drafts, leaders, strict=True):
        head = drafts[leader]
        dx = (draft.stop.lon - head.stop.lon) * 111_195 * math.cos(math.radians(20))
        dy = (draft.stop.lat - head.stop.lat) * 111_195
        near = math.hypot(dx, dy) <= within_m + 1
        assert near or head.hamlet != ""
        if draft.hamlet:
            assert head.hamlet == draft.hamlet
    stops = [stop for stop, _ in grouped(drafts, within_m)]
    assert sorted(issue for stop in stops for issue in stop.issue_ids) == sorted(f"i{n}" for n in range(len(points)))
    assert sum(stop.service_s for stop in stops) == 1200 * len(points)


def test_different_windows_part_what_lies_together():
    one, two = drafts_of([(0, 0), (0, 0)], [""])
    two = replace(two, stop=replace(two.stop, windows=(Window(0, 10),)))
    first, second = (stop for stop, _ in grouped([one, two], 150))
    assert (first.issue_ids, second.issue_ids) == (("i0",), ("i1",))
    assert first.spot == second.spot != ""
