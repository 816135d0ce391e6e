"""Plans and jobs over HTTP, as the route page and programs use them."""

import functools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from villagemap import jobs as jobs_room
from villagemap.flows.registry import Session
from villagemap.flows.routes import working
from villagemap.flows.routes.planning import make_plan
from villagemap.flows.routes.request import read_request

FROM_HERE = {"origin": "http://localhost"}
REQUEST = {"teams": [{}, {"start": "乙镇"}], "choose": {"villages": "all", "issues": False}, "iterations": 40}
PATIENCE_S = 40.0
DEEP: dict[str, Any] = functools.reduce(lambda inner, _: {"a": inner}, range(900), {})


@pytest.fixture
def client(changing: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Asks ``tiny``; workers go when nothing waits."""
    command = working.worker_command
    monkeypatch.setattr(working, "worker_command", lambda folder: [*command(folder), "--linger", "0.2"])
    yield changing
    for process in jobs_room._started:
        process.wait(PATIENCE_S)
    jobs_room._started.clear()


@pytest.fixture
def plan(session: Session) -> str:
    """Id of a kept plan of nine villages."""
    return make_plan(session, read_request(REQUEST)).id


def post(client: TestClient, path: str, said: Any, **headers: str) -> Any:
    return client.post(path, json=said, headers=FROM_HERE | headers)


def ended(client: TestClient, href: str) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        job = client.get(href).json()
        if job["status"] in {"done", "failed", "cancelled"}:
            return job
        time.sleep(0.1)
    raise AssertionError(job)


def test_a_plan_is_asked_for_made_by_a_worker_and_planned_anew(client):
    answer = post(client, "/plans", REQUEST, **{"idempotency-key": "once"})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert post(client, "/plans", REQUEST, **{"idempotency-key": "once"}).json()["id"] == answer.json()["id"]
    job = ended(client, answer.json()["href"])
    assert (job["status"], job["fault"]) == ("done", None)
    plan = client.get(f"/plans/{job['result']['plan']}").json()
    assert plan["plan"]["figures"]["stops"] == 9
    assert [head["id"] for head in client.get("/plans").json()] == [plan["id"]]
    first = plan["plan"]["routes"][0]
    happened = {"day": 1, "now": "10:00", "done": [first["calls"][0]["stop"]], "late": {first["team"]: 30}}
    again = ended(client, post(client, f"/plans/{plan['id']}/replan", happened).json()["href"])
    assert again["result"]["plan"] == plan["id"]
    assert 0 <= again["result"]["changes"]["stability"] <= 100
    assert client.get(f"/plans/{plan['id']}").json()["revision"] == 2


def test_stopping_what_waits_cancels_it(client, monkeypatch):
    monkeypatch.setattr(jobs_room, "AT_ONCE", 0)
    job = post(client, "/plans", REQUEST).json()
    assert post(client, f"/jobs/{job['id']}/stop", {}).json()["status"] == "cancelled"
    assert client.get("/jobs/none").json()["code"] == "unknown_job"


def test_a_request_that_is_none_is_refused_before_it_is_a_job(client):
    answer = post(client, "/plans", {"teams": 3, "cars": 1})
    assert (answer.status_code, answer.json()["code"]) == (422, "request_unreadable")
    assert answer.json()["params"]["places"] == ["teams", "cars"]
    form = client.post("/plans", data={"name": "x"}, headers=FROM_HERE)
    assert form.json()["code"] == "body_unreadable"
    foreign = client.post("/plans", json=REQUEST, headers={"origin": "http://evil.example"})
    assert foreign.json()["code"] == "origin_foreign"
    assert client.post("/plans", json=REQUEST).json()["code"] == "write_without_origin"


def test_a_large_request_comes_in_and_a_larger_one_does_not(client):
    stops = [{"lon": 111.2, "lat": 20.7, "name": "x" * 150} for _ in range(1000)]
    big = client.post("/plans", json={"stops": stops, "cars": 1}, headers=FROM_HERE)
    assert big.json()["code"] == "request_unreadable"
    assert client.post("/plans", content=b" " * 17_000_000, headers=FROM_HERE).json()["code"] == "body_too_large"
    assert client.post("/plans/x/undo", content=b" " * 70_000, headers=FROM_HERE).json()["code"] == "body_too_large"


def test_a_plan_is_shown_with_its_legs_and_sheets(client, plan):
    told = client.get(f"/plans/{plan}").json()
    assert told["told"]["breaches"] == []
    assert told["told"]["matrix"]
    legs = client.get(f"/plans/{plan}/legs")
    assert legs.headers["content-type"] == "application/geo+json"
    assert len(legs.json()["features"]) == 9 + len(told["plan"]["routes"])
    sheet = client.get(f"/plans/{plan}/sheet.gpx?team=t1&day=1")
    assert "filename*=UTF-8''" in sheet.headers["content-disposition"]
    assert sheet.text.startswith("<?xml")
    assert client.get(f"/plans/{plan}/sheet.doc").json()["code"] == "value_unknown"
    assert client.get(f"/plans/{plan}/sheet.gpx?day=9").json()["code"] == "unknown_shift"
    assert client.get(f"/plans/{plan}/sheet.gpx?day=x").json()["code"] == "parameter_unreadable"
    assert client.get("/plans/none").json()["code"] == "unknown_plan"


def test_a_move_is_tried_refused_forced_and_taken_back(client, plan):
    route = client.get(f"/plans/{plan}").json()["plan"]["routes"][0]
    lock = {"stop": route["calls"][0]["stop"], "team": route["team"]}
    assert post(client, f"/plans/{plan}/locks", {"locks": [lock], "revision": 1}).json()["revision"] == 2
    other = "t2" if route["team"] == "t1" else "t1"
    moves = [{"stop": lock["stop"], "team": other, "day": 1, "after": 0}]
    tried = post(client, f"/plans/{plan}/try", {"moves": moves}).json()
    assert {breach["code"] for breach in tried["breaches"]} >= {"lock_team"}
    assert all(breach["sentence"] for breach in tried["breaches"])
    assert set(tried["delta"]) == {"travel_s", "distance_m", "working_s", "stops"}
    refused = post(client, f"/plans/{plan}/moves", {"moves": moves, "revision": 2})
    assert (refused.status_code, refused.json()["code"]) == (409, "plan_breaks")
    assert {breach["code"] for breach in refused.json()["breaches"]} >= {"lock_team"}
    unseen = post(client, f"/plans/{plan}/moves", {"moves": moves, "revision": 0, "force": True})
    assert unseen.json()["code"] == "plan_changed"
    forced = post(client, f"/plans/{plan}/moves", {"moves": moves, "revision": 2, "force": True}).json()
    assert (forced["revision"], forced["can_undo"]) == (3, True)
    stale = post(client, f"/plans/{plan}/undo", {"revision": 2})
    assert (stale.status_code, stale.json()["code"]) == (409, "plan_changed")
    assert post(client, f"/plans/{plan}/undo", {"revision": 3}).json()["revision"] == 4


@pytest.mark.parametrize(
    ("path", "said", "code"),
    [
        ("try", {"moves": 3}, "field_unreadable"),
        ("try", {"moves": [{"stop": "v4", "day": "x"}]}, "request_unreadable"),
        ("try", {"moves": [{"stop": "v99", "team": "t1", "day": 1}]}, "unknown_stop"),
        ("moves", {"moves": []}, "field_unreadable"),
        ("moves", [], "body_unreadable"),
        ("undo", {"revision": "1"}, "field_unreadable"),
        ("undo", {"revision": 1}, "nothing_to_undo"),
        ("locks", {"revision": 1, "locks": [{"stop": "v99"}]}, "unknown_stop"),
        ("locks", {"revision": 1, "locks": [{"stop": "v4", "position": "middle"}]}, "request_unreadable"),
        ("locks", {"revision": 1, "locks": [{"stop": "v4", "day": -5}]}, "request_unreadable"),
        ("try", {"moves": DEEP}, "body_unreadable"),
        ("replan", {"day": 1}, "request_unreadable"),
        ("replan", {"day": 1, "now": "10:00", "closed": [DEEP]}, "request_unreadable"),
    ],
)
def test_what_cannot_be_meant_is_told(client, plan, path, said, code):
    assert post(client, f"/plans/{plan}/{path}", said).json()["code"] == code


def test_candidates_are_cut_by_the_filters_of_issues(client):
    everything = client.get("/stops.geojson").json()
    here = client.get("/stops.geojson?town=甲镇&category=toilet_dry&overdue=true").json()
    assert here["numberReturned"] < everything["numberReturned"]
    assert {f["properties"]["town_name"] for f in here["features"]} == {"甲镇"}
    assert client.get("/stops.geojson?colour=red").json()["code"] == "parameter_unknown"


def test_what_lies_beside_a_plans_way_is_listed_as_far_as_is_asked(client, plan):
    near, far = (client.get(f"/plans/{plan}/corridor", params={"within_m": m}).json()["issues"] for m in (150, 1500))
    assert 0 < len(near) < len(far)
    assert all(one["off_m"] <= 150 for one in near)
    for wrong, status in (("x", 400), ("0", 422)):
        assert client.get(f"/plans/{plan}/corridor", params={"within_m": wrong}).status_code == status
