"""Every address has a flow behind it, which asks the policy; what has none is on a short list."""

import re

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from villagemap.api import (
    assets,
    draws,
    features,
    issues,
    jobs,
    login_pages,
    pages,
    plans,
    route_pages,
    scores,
    sweep_pages,
    sweeps,
    tiles,
    work,
)
from villagemap.api.app import create_app
from villagemap.auth import NOBODY
from villagemap.flows.registry import FLOWS

PUBLIC = {
    "/openapi.json",
    "/conformance",
    "/collections/{collection}/queryables",
    "/static/{path:path}",
    "/static/vendor/{path:path}",
    "/favicon.ico",
    "/health",
    "/link",
    "/login",
    "/me",
}
"""What shows nothing of a county's issues and places."""

ROUTERS = (
    assets.router, assets.favicon, draws.router, features.router, issues.router, jobs.router, login_pages.router,
    pages.router, plans.router, route_pages.router, scores.router, sweep_pages.router, sweeps.router, tiles.router,
    work.router,
)  # fmt: skip
SAMPLES = {
    "code": "449923101", "collection": "towns", "draw": "none", "form": "txt", "job": "none", "name": "none",
    "issue_id": "019c0000-0000-7000-8000-000000000001",
    "path": "map.css", "plan": "none", "seal": "none", "start": "0123456789abcdef", "sweep": "none",
    "town": "449923101", "x": "207", "y": "112", "zoom": "8",
}  # fmt: skip
WRITES = {(route.path, *route.methods) for router in ROUTERS for route in router.routes if "GET" not in route.methods}
PATHS = sorted(
    {"/openapi.json", *(route.path for router in ROUTERS for route in router.routes if "GET" in route.methods)}
)


def sample(path: str) -> str:
    return re.sub(r"\{(\w+)(?::path)?\}", lambda found: SAMPLES[found[1]], path)


def test_the_application_has_these_routes_and_no_other(app):
    documented = {path for path, told in app.openapi()["paths"].items() if "get" in told}
    assert documented <= {re.sub(":path", "", path) for path in PATHS}
    assert all(isinstance(route, APIRoute) for router in ROUTERS for route in router.routes)
    assert set(PATHS) >= PUBLIC


@pytest.mark.parametrize("path", [path for path in PATHS if path not in PUBLIC])
def test_who_may_nothing_gets_nothing(unchanged, path):
    nobody = TestClient(create_app(unchanged, actor=NOBODY), base_url="http://localhost")
    answer = nobody.get(sample(path))
    assert answer.status_code == 403, answer.text
    problem = answer.json()
    assert problem["code"] == "forbidden"
    assert problem["params"]["flow"] in FLOWS


@pytest.mark.parametrize("path", PATHS)
def test_the_owner_gets_an_answer_of_every_route(client, path):
    assert client.get(sample(path).replace("vendor/map.css", "vendor/leaflet/leaflet.css")).status_code in {200, 404}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_else_is_written(client, method):
    assert {
        ("/campaigns", "POST"), ("/corridor", "POST"), ("/draws", "POST"), ("/draws/{draw}/number", "POST"),
        ("/draws/{draw}/open", "POST"), ("/draws/{draw}/results", "POST"), ("/seals", "POST"),
        ("/seals/{seal}/open", "POST"), ("/issues/{issue_id}/actions/{code}", "POST"),
        ("/issues/{issue_id}/photos", "POST"),
        ("/jobs/{job}/stop", "POST"), ("/plans", "POST"), ("/plans/{plan}/locks", "POST"),
        ("/plans/{plan}/moves", "POST"), ("/plans/{plan}/replan", "POST"), ("/plans/{plan}/try", "POST"),
        ("/plans/{plan}/undo", "POST"),
        ("/link", "POST"), ("/login", "POST"), ("/logout", "POST"), ("/meetings", "POST"), ("/report", "POST"),
        ("/sweeps/{sweep}/board", "POST"), ("/sweeps/{sweep}/check-in", "POST"), ("/sweeps/{sweep}/close", "POST"),
        ("/sweeps/{sweep}/visits", "POST"),
    } == WRITES  # fmt: skip
    for path in PATHS:
        if (path, method) in WRITES:
            continue
        answer = client.request(method, sample(path), headers={"origin": "http://localhost"})
        assert (answer.status_code, answer.json()["code"]) == (405, "method_unknown"), path


@pytest.mark.parametrize("path", sorted(path for path, *_ in WRITES if path not in {"/link", "/login", "/logout"}))
def test_who_may_nothing_writes_nothing(unchanged, path):
    nobody = TestClient(create_app(unchanged, actor=NOBODY), base_url="http://localhost")
    said = {"category": "toilet_dry", "name": "x", "place": "v4", "lon": 111.15, "lat": 20.65, "stage": "before",
            "kind": "cases", "size": 1, "passed": 1, "legs": []}  # fmt: skip
    at = sample(path.replace("{code}", "close"))
    answer = nobody.post(at, json=said, headers={"origin": "http://localhost"})
    refusals = {"forbidden", "unknown_issue", "field_unreadable"}  # what lacks its photo is never looked at
    assert answer.json()["code"] in refusals, answer.text
