"""Plans of routes in a notebook."""

from collections.abc import Iterator

import pytest

import villagemap
from villagemap.errors import NotFoundError
from villagemap.flows.routes.request import UnreadableRequestError
from villagemap.flows.workspace import Workspace
from villagemap.notebook import County, RoutePlan


@pytest.fixture
def county(tiny: Workspace) -> Iterator[County]:
    with villagemap.open(tiny.folder) as opened:
        yield opened


@pytest.fixture
def plan(county: County) -> RoutePlan:
    return county.plan_routes(town="甲镇", teams=1, days=2, iterations=30)


def test_a_plan_shows_itself(plan: RoutePlan):
    page = plan._repr_html_()
    assert "第 1 组" in page
    assert "2026-03-20" in page
    assert repr(plan).endswith("0 left out)")


def test_hostile_names_are_text(county: County):
    stops = [{"id": "<script>", "name": "<b>", "lon": 111.15, "lat": 20.65}]
    plan = county.plan_routes(teams=[{"name": "<script>alert(1)</script>"}], stops=stops, name="<i>", iterations=5)
    assert "<script>" not in plan._repr_html_()
    assert "<i>" not in plan._repr_html_()


def test_routes_are_rows_with_the_leg_that_leads_there(plan: RoutePlan):
    routes = plan.routes
    called = routes[routes["stop"] != ""]
    assert set(called["stop"]) == {"v4", "v5", "v6"}
    assert routes.crs.to_epsg() == 4326
    assert routes["leg_m"].sum() == plan.kept.plan.figures.distance_m
    assert (called["begin"] >= called["arrive"]).all()
    assert routes.geometry.notna().all()


def test_what_was_left_out_says_why_and_what_would_help(county: County):
    stops = [{"place": "没有"}, {"place": "v4"}, {"place": "v12"}]
    plan = county.plan_routes(teams=[{"day_end": "10:00"}], stops=stops, iterations=20)
    left = plan.left_out.set_index("stop")
    assert "s1" in left.index
    assert left["why"].str.len().min() > 0
    assert plan.check().sound


def test_a_plan_is_found_again_planned_anew_and_exported(county: County, plan: RoutePlan, tmp_path):
    assert county.plan(plan.id).kept == plan.kept
    with pytest.raises(NotFoundError):
        county.plan("nothing")
    new, changes = plan.replan(day=1, now="10:00", late={"t1": 30})
    assert (new.id, new.kept.revision) == (plan.id, 2)
    assert set(changes) == {"moved", "dropped", "added", "stability"}
    assert new.export(tmp_path / "a.kml").read_bytes().startswith(b"<?xml")


def test_a_request_that_is_none_is_told(county: County):
    with pytest.raises(UnreadableRequestError):
        county.plan_routes(cars=3)


def test_its_map_needs_no_network(plan: RoutePlan):
    page = plan.map()._repr_html_()
    assert "srcdoc" in page
    assert "villagemap" in page
