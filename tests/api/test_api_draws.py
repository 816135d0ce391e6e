"""Draws and seals over HTTP: from the frozen list to the opened seal, and no door that tells a town before."""

import pytest
from starlette.testclient import TestClient

from villagemap.api.app import create_app
from villagemap.auth import Actor, Grant, Role
from villagemap.flows.workspace import Workspace

from .test_api_routes import PATHS, WRITES, sample

OURS = {"origin": "http://localhost"}
ASKED = {"kind": "villages", "size": 9, "each": 1, "inspectors": "甲组,乙组", "name": "三月暗访"}
TOWN = Actor("u9", (Grant(role=Role.TOWN_CADRE, places=("t1",), private=True),))


def post(client: TestClient, path: str, **said):
    return client.post(path, json=said, headers=OURS)


@pytest.fixture
def town(tiny: Workspace) -> TestClient:
    """A town's cadre over the same county."""
    return TestClient(create_app(tiny, actor=TOWN), base_url="http://localhost", follow_redirects=False)


def test_from_the_frozen_list_to_the_opened_seal(changing: TestClient, town: TestClient):
    frozen = post(changing, "/draws", **ASKED)
    assert (frozen.status_code, frozen.json()["candidates"], frozen.json()["number"]) == (201, 9, "")
    draw = frozen.json()["id"]
    made = post(changing, f"/draws/{draw}/number", number="4711").json()
    assert (len(made["drawn"]), made["proof"]["register"]) == (9, frozen.json()["register"])
    assert post(changing, f"/draws/{draw}/number", number="4711").json()["code"] == "draw_drawn"
    assert changing.get(f"/draws/{draw}/check").json()["differences"] == []
    seal = post(changing, "/seals", what=f"draw/{draw}").json()
    assert changing.get(f"/seals/{seal['id']}").json()["holds"] is True
    one = made["drawn"][0]
    said = {"target": one["id"], "by": one["inspectors"][0], "note": "垃圾未清"}
    assert post(changing, f"/draws/{draw}/results", **said).json()["code"] == "field_unreadable"
    looked = post(changing, f"/draws/{draw}/results", passed=0, **said)
    assert (looked.status_code, looked.json()["passed"]) == (201, False)
    assert changing.get(f"/draws/{draw}").json()["overall"]["failed"] == 1
    assert town.get(f"/draws/{draw}").json()["code"] == "unknown_draw"
    assert town.get("/draws").json() == {"draws": []}
    assert post(changing, f"/draws/{draw}/open").json()["code"] == "draw_sealed"
    opened = post(changing, f"/seals/{seal['id']}/open").json()
    assert (opened["holds"], opened["seal"]["subject"]) == (True, f"draw/{draw}")
    assert {line["id"] for line in town.get(f"/draws/{draw}").json()["drawn"]} == {"v4", "v5", "v6"}


def test_no_door_tells_a_town_before_the_visit(changing: TestClient, town: TestClient):
    """Every address, with every id there is in it, asked by a town's cadre: nothing of a sealed draw comes out."""
    made = post(changing, "/draws", **ASKED, number="471108154711").json()
    seal = post(changing, "/seals", what=made["id"]).json()
    hidden = [made["id"], made["name"], made["number"], made["seed"], made["register"], made["result_sha256"],
              seal["id"], seal["commitment"]]  # fmt: skip
    for path in PATHS:
        for word in ("none", made["id"], seal["id"]):
            answer = town.get(sample(path.replace("{draw}", word).replace("{seal}", word).replace("{sweep}", word)))
            said = answer.text.replace(word, "") if answer.status_code == 404 else answer.text
            assert [one for one in hidden if one in said] == [], path
    for path, _ in WRITES:
        if path.startswith(("/draws", "/seals", "/corridor")):
            said = {
                "kind": "cases",
                "size": 1,
                "number": "1",
                "passed": 1,
                "target": "v4",
                "what": made["id"],
                "legs": [],
            }
            assert post(town, path.format(draw=made["id"], seal=seal["id"]), **said).json()["code"] == "forbidden"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"kind": "towns"}, "field_unreadable"),
        ({"size": "many"}, "field_unreadable"),
        ({"size": ""}, "field_unreadable"),
        ({"size": 0}, "draw_size"),
        ({"number": "x"}, "draw_number"),
        ({"inspectors": ""}, "draw_no_inspectors"),
        ({"towns": "丁镇"}, "unknown_town"),
        ({"kind": "cases", "since": "soon"}, "field_unreadable"),
    ],
)
def test_what_is_no_draw(changing: TestClient, said: dict, code: str):
    assert post(changing, "/draws", **ASKED | said).json()["code"] == code


def test_the_corridor(changing: TestClient):
    answer = post(changing, "/corridor", legs=[[[111.1, 20.65], [111.4, 20.65]]], within_m=50)
    along = [issue["along_m"] for issue in answer.json()["issues"]]
    assert (answer.status_code, along) == (200, sorted(along))
    assert len(along) > 5
    for body in (b"[]", b"{", b'{"legs": 3}', b'{"legs": [], "within_m": "x"}'):
        answer = changing.post("/corridor", content=body, headers={**OURS, "content-type": "application/json"})
        assert answer.json()["code"] == "body_unreadable"
