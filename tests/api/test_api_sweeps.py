"""Sweeps over HTTP: what phones and programs ask and send."""

import pytest
from starlette.testclient import TestClient

from villagemap.api.app import create_app
from villagemap.auth import NOBODY, OWNER
from villagemap.flows.campaigns.sweeps import begin_sweep
from villagemap.flows.registry import Session
from villagemap.flows.workspace import Workspace

OURS = {"origin": "http://localhost"}
HERE = {"place": "v4", "lon": 111.15, "lat": 20.65, "accuracy_m": 12}


@pytest.fixture
def sweeping(tiny: Workspace, changing: TestClient) -> TestClient:
    begin_sweep(Session(tiny, OWNER), "春季", towns=["甲镇"])
    return changing


def visit(client: TestClient, **said):
    key = said.pop("key", "")
    return client.post("/sweeps/春季/visits", json=said, headers=OURS | ({"idempotency-key": key} if key else {}))


def test_from_the_first_check_in_to_the_end(sweeping: TestClient):
    (told,) = sweeping.get("/sweeps").json()["sweeps"]
    assert (told["name"], told["listed"], told["missed"]) == ("春季", 3, 3)
    answer = visit(sweeping, **HERE, issues=1, key="k1")
    assert (answer.status_code, answer.json()["counts"], answer.json()["why"]) == (201, True, "")
    assert visit(sweeping, **HERE, issues=1, key="k1").json() == answer.json()
    assert visit(sweeping, **HERE | {"place": "v5"}, key="k1").json()["code"] == "key_used"
    tapped = visit(sweeping, place="v5", lon=111.15, lat=20.75, tapped=1)
    assert (tapped.json()["counts"], "tapped" in tapped.json()["why"] or "点选" in tapped.json()["why"]) == (
        False,
        True,
    )
    refused = sweeping.post(f"/sweeps/{told['id']}/close", headers=OURS)
    assert (refused.status_code, refused.json()["code"]) == (409, "sweep_missed")
    assert refused.json()["params"]["missed"] == ["甲镇 中村村委会", "甲镇 西村村委会"]
    for place in ("v5", "v6"):
        assert visit(sweeping, place=place, reason="塌方").json()["outcome"] == "unreachable"
    closed = sweeping.post(f"/sweeps/{told['id']}/close", json={}, headers=OURS).json()
    assert (closed["visited"], closed["unreachable"], bool(closed["closed_at"])) == (1, 2, True)
    assert visit(sweeping, **HERE).json()["code"] == "sweep_closed"


def test_a_sweep_and_its_map(sweeping: TestClient):
    visit(sweeping, **HERE)
    told = sweeping.get("/sweeps/春季").json()
    assert [place["outcome"] for place in told["places"]] == ["visited_clean", "pending", "pending"]
    assert told["places"][0]["visits"][0]["proofs"] == [{"kind": "check_in", "distance_m": 0, "accuracy_m": 12}]
    drawn = sweeping.get("/sweeps/春季/map")
    assert drawn.headers["content-type"] == "application/geo+json"
    assert [f["properties"]["outcome"] for f in drawn.json()["features"]] == ["visited_clean", "pending", "pending"]
    assert sweeping.get("/sweeps/夏季").status_code == sweeping.get("/sweeps/夏季/map").status_code == 404


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({}, 400, "field_unreadable"),
        ({"place": "v4"}, 400, "visit_without_proof"),
        ({"place": "v4", "lon": "x", "lat": 1}, 400, "field_unreadable"),
        ({"place": "v4", "lon": "nan", "lat": 1}, 400, "field_unreadable"),
        ({"place": "v7", "lon": 111.15, "lat": 20.65}, 404, "place_not_listed"),
        ({"place": "v4", "photo_sha256": "00", "issue": "x"}, 404, "unknown_issue"),
        ({**HERE, "device_at": 0}, 422, "visit_too_early"),
        ({**HERE, "device_at": 4e12}, 422, "visit_in_future"),
        ({**HERE, "device_at": 1e300}, 400, "field_unreadable"),
    ],
)
def test_what_is_no_visit(sweeping: TestClient, said: dict, status: int, code: str):
    answer = visit(sweeping, **said)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_another_site_records_nothing(sweeping: TestClient):
    answer = sweeping.post("/sweeps/春季/visits", json=HERE, headers={"origin": "http://attacker.test"})
    assert answer.status_code == 403
    assert sweeping.post("/sweeps/春季/visits", json=HERE).status_code == 403
    assert sweeping.get("/sweeps/春季").json()["missed"] == 3


@pytest.mark.parametrize("path", ["/sweeps/春季/visits", "/sweeps/春季/close"])
def test_who_may_nothing_writes_nothing(tiny: Workspace, path: str):
    nobody = TestClient(create_app(tiny, actor=NOBODY), base_url="http://localhost")
    answer = nobody.post(path, json=HERE, headers=OURS)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
