"""What lies along a route: distances, order, and what the actor may not see."""

import time

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from villagemap.auth import Actor, Grant, Role
from villagemap.corridor import passed
from villagemap.errors import BadInputError, ForbiddenError
from villagemap.flows.registry import Session
from villagemap.flows.routes.corridor import issues_along
from villagemap.flows.workspace import Workspace
from villagemap.model import Privacy

EAST = 104_211.0
"""Metres in a degree of longitude at 20.65 N, to 0.1 %."""
ROW = [(111.1, 20.65), (111.4, 20.65)]
BY_HOUSEHOLDS = [(111.1, 20.85), (111.4, 20.85)]

degrees = st.tuples(st.floats(110.0, 110.1), st.floats(21.0, 21.1))


@given(
    lines=st.lists(st.lists(degrees, min_size=1, max_size=6), min_size=1, max_size=4),
    points=st.lists(degrees, min_size=1, max_size=20),
    within=st.floats(10, 5000),
)
def test_it_finds_what_shapely_finds(lines, points, within):
    arrays, at = [np.array(line) for line in lines], np.array(points)
    found = passed(arrays, at[:, 0], at[:, 1], within)
    middle = np.radians((min(p[1] for line in lines for p in line) + max(p[1] for line in lines for p in line)) / 2)
    scale = [111_412.84 * np.cos(middle) - 93.5 * np.cos(3 * middle) + 0.118 * np.cos(5 * middle),
             111_132.954 - 559.822 * np.cos(2 * middle) + 1.175 * np.cos(4 * middle)]  # fmt: skip
    shapes = [shapely.linestrings([*line, *(line if len(line) == 1 else [])] * np.array(scale)) for line in arrays]
    far = [min(shapely.distance(shape, shapely.Point(p * scale)) for shape in shapes) for p in at]
    assert {n for n, metres in enumerate(far) if metres < within - 0.01} <= set(found.point.tolist())
    assert set(found.point.tolist()) <= {n for n, metres in enumerate(far) if metres < within + 0.01}
    assert found.off_m == pytest.approx([far[n] for n in found.point], abs=0.01)
    assert (np.diff(found.along_m) >= 0).all()


def test_points_stand_where_the_way_first_passes_them():
    there_and_back = [np.array([(111.0, 20.6), (111.1, 20.6)]), np.array([(111.1, 20.6), (111.0, 20.6)])]
    found = passed(there_and_back, np.array([111.09, 111.01, np.nan]), np.array([20.601, 20.599, 20.6]), 200)
    assert (found.point.tolist(), found.line.tolist()) == ([1, 0], [0, 0])
    assert found.along_m == pytest.approx([1042.4, 9382.0], rel=1e-3)
    assert found.off_m == pytest.approx([110.7, 110.7], rel=1e-2)


def test_open_issues_along_a_route(session: Session):
    found = issues_along(session, [ROW[:1], ROW], within_m=50)
    assert [one.along_m for one in found] == sorted(one.along_m for one in found)
    assert {one.status for one in found} <= {"registered", "rectifying", "submitted", "returned"}
    assert {one.village_id for one in found} == {"v4", "v7", "v10"}
    assert {one.off_m for one in found} == {0}
    first = found[0]
    assert (first.leg, first.along_m) == (1, pytest.approx(0.05 * EAST, rel=2e-3))
    again = issues_along(session, [ROW], within_m=50, leave_out={first.id})
    assert first.id not in {one.id for one in again}
    assert len(again) == len(found) - 1


def test_who_may_not_see_households_finds_none(tiny: Workspace, session: Session):
    private = {
        i.id
        for i in (tiny.store.issue(one.id) for one in issues_along(session, [BY_HOUSEHOLDS]))
        if i.privacy is Privacy.RESTRICTED
    }
    inspector = Session(tiny, Actor("u1", (Grant(role=Role.INSPECTOR),)))
    assert private
    assert private.isdisjoint(one.id for one in issues_along(inspector, [BY_HOUSEHOLDS]))
    with pytest.raises(ForbiddenError):
        issues_along(Session(tiny, Actor("u2", (Grant(role=Role.TOWN_CADRE, places=("t1",)),))), [ROW])


@pytest.mark.parametrize(
    "legs", [[[(200, 20)]], [[("x", 20)]], [[(111,)]], [["x"]], [[{}]], [[(float("nan"), 20)]], [3]]
)
def test_what_is_no_line(session: Session, legs):
    with pytest.raises(BadInputError) as fault:
        issues_along(session, legs)
    assert fault.value.code == "corridor_lines"


@pytest.mark.parametrize("within", [0, -1, float("nan"), 1e9])
def test_what_is_no_width(session: Session, within):
    with pytest.raises(BadInputError) as fault:
        issues_along(session, [ROW], within_m=within)
    assert fault.value.code == "corridor_width"


def test_nothing_lies_along_no_route(session: Session):
    assert issues_along(session, []) == issues_along(session, [[]]) == []


def test_a_hundred_thousand_points_are_quick():
    """Measured 0.05 s; the bound leaves room for a busy machine."""
    chance = np.random.default_rng(7)
    lon, lat = chance.uniform(110, 110.7, 100_000), chance.uniform(21, 21.6, 100_000)
    way = np.cumsum(chance.normal(0.00003, 0.001, (5_000, 2)), axis=0) + np.array([110.2, 21.2])
    began = time.perf_counter()
    passed([way], lon, lat, 300)
    assert time.perf_counter() - began < 1.5
