"""Relapses: what counts as one, found the same for many rows as for one; and the looks again after a closing."""

import math
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import MORNING, TODAY, tiny_issue, tiny_places
from test_actions import ANALYST, GOOD, INSPECTOR, OTHER_TOWN, TOWN, VIEWER, photograph, submitted_issue, take
from villagemap.errors import ConflictError, ForbiddenError, NotFoundError
from villagemap.flows.cases.imports import import_issues
from villagemap.flows.cases.relapses import Predecessors, due_revisits, pass_revisit, predecessors, with_predecessor
from villagemap.flows.cases.tasks import Report, report_issue
from villagemap.flows.registry import Session
from villagemap.flows.standing.scores import score_table
from villagemap.flows.workspace import Workspace
from villagemap.model import Change, Issue, IssueFilter, Status
from villagemap.readers.issue_drafts import ImportOptions
from villagemap.store.protocol import ClosedCase
from villagemap.vocabulary import load_vocabulary

VOCABULARY = load_vocabulary()
PER_LAT = 110_700.0
LAT = 20.65
PER_LON = 111_320.0 * math.cos(math.radians(LAT))
CLOSED_ON = date(2026, 2, 20)


def case(n: int, *, east_m: float = 0.0, **changes: object) -> Issue:
    point = f"POINT ({111.15 + east_m / PER_LON:.7f} {LAT})"
    issue = replace(tiny_issue(0, tiny_places()), id=f"019c0000-0000-7000-8000-0000000f{n:04d}", geometry=point,
                    category="toilet_dry", status=Status.REGISTERED, found_on=TODAY, sightings=())  # fmt: skip
    return replace(issue, **changes)  # type: ignore[arg-type]


def close_one(workspace: Workspace, issue: Issue, on: date = CLOSED_ON) -> Issue:
    done = replace(issue, status=Status.CLOSED, claimed_closed_on=on, closed_on=on)
    with workspace.store.writing() as writer:
        writer.record([Change(kind="close", issue=done, at=MORNING, actor="u5")])
    return done


def one(workspace: Workspace, issue: Issue) -> str | None:
    """By the way of a single report, which must be that of an import."""
    alone = with_predecessor(workspace.store, VOCABULARY, issue, TODAY).relapse_of
    assert predecessors(workspace.store, VOCABULARY).linked([issue], TODAY)[0].relapse_of == alone
    return alone


def test_within_its_radius_and_not_beyond(empty: Workspace):
    radius = VOCABULARY.categories["toilet_dry"].radius_m
    old = close_one(empty, case(1))
    assert one(empty, case(2, east_m=radius - 1)) == old.id
    assert one(empty, case(2, east_m=radius + 1)) is None
    assert one(empty, case(2, category="toilet_odor")) is None
    assert one(empty, case(2, found_on=CLOSED_ON - timedelta(days=1))) is None
    assert one(empty, case(2, found_on=None)) == old.id
    assert (
        one(empty, case(2, relapse_of="019c0000-0000-7000-8000-000000000009")) == "019c0000-0000-7000-8000-000000000009"
    )
    assert one(empty, case(2, geometry=None)) is None


def test_what_is_not_verified_has_no_relapse(empty: Workspace):
    with empty.store.writing() as writer:
        claimed = case(1, status=Status.SUBMITTED, claimed_closed_on=CLOSED_ON)
        writer.record([Change(kind="register", issue=claimed, at=MORNING, actor="u5")])
    assert one(empty, case(2)) is None


def test_the_one_closed_last_then_the_nearest(empty: Workspace):
    close_one(empty, case(1, east_m=1))
    close_one(empty, case(2, east_m=9), CLOSED_ON + timedelta(days=3))
    near = close_one(empty, case(3, east_m=4), CLOSED_ON + timedelta(days=3))
    assert one(empty, case(4)) == near.id


def test_a_village_case_comes_back_in_its_village(empty: Workspace):
    old = close_one(empty, case(1, category="garden_not_started", geometry=None))
    assert one(empty, case(2, category="garden_not_started", geometry=None)) == old.id
    assert one(empty, case(2, category="garden_not_started", geometry=None, village_id="v5")) is None


def test_a_line_is_measured_from_its_whole_length(empty: Workspace):
    west, east = 111.15 - 400 / PER_LON, 111.15
    old = close_one(
        empty, case(1, category="sewage_on_road", geometry=f"LINESTRING ({west:.7f} {LAT}, {east:.7f} {LAT})")
    )
    assert one(empty, case(2, category="sewage_on_road", east_m=-390)) == old.id
    assert one(empty, case(2, category="sewage_on_road", east_m=60)) is None


spots = st.lists(st.tuples(st.integers(0, 200), st.sampled_from(["toilet_dry", "black_water"]), st.integers(0, 9)))


def wkb_at(east_m: float) -> bytes:
    return bytes(shapely.to_wkb(shapely.from_wkt(case(0, east_m=east_m).geometry)))


@settings(max_examples=60, deadline=None)
@given(spots, spots)
def test_many_at_once_are_what_one_by_one_gives(olds, news):
    closed = [
        ClosedCase(f"c{n:03d}", kind, "v4", CLOSED_ON + timedelta(days=days), wkb_at(m))
        for n, (m, kind, days) in enumerate(olds)
    ]
    fresh = [
        case(n, east_m=m, category=kind, found_on=CLOSED_ON + timedelta(days=days))
        for n, (m, kind, days) in enumerate(news)
    ]
    told = [issue.relapse_of for issue in Predecessors(closed, VOCABULARY).linked(fresh, TODAY)]
    for (m, kind, days), answer in zip(news, told, strict=True):
        radius = VOCABULARY.categories[kind].radius_m
        fits = [
            (d, -abs(m - at), f"c{n:03d}")
            for n, (at, category, d) in enumerate(olds)
            if category == kind and d <= days and abs(m - at) <= radius * 0.99
        ]
        edge = any(abs(abs(m - at) - radius) < radius * 0.02 for at, _, _ in olds)
        if not edge:
            assert (answer is None) == (not fits)
        if answer is not None and not edge:
            assert max(fits)[:1] == next((d,) for n, (_, _, d) in enumerate(olds) if f"c{n:03d}" == answer)


def test_an_import_links_counts_and_shows(empty: Workspace, tmp_path: Path):
    session = Session(empty, ANALYST)
    old = close_one(empty, case(1, town_id="t1"))
    lines = ["问题类别,经度,纬度,坐标系,发现日期", f"应拆未拆旱厕,111.15001,{LAT},wgs84,2026-03-01",
             f"应拆未拆旱厕,111.16,{LAT},wgs84,2026-03-01"]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding="utf-8")
    for apply in (False, True):
        report = import_issues(session, tmp_path / "a.csv", ImportOptions(), apply=apply)
        assert (report.stored, report.relapses) == (2, 1)
    columns = empty.columns()
    assert columns.relapse.sum() == 1
    assert old.id in {issue.relapse_of for issue in empty.store.issues(IssueFilter(), limit=9)}
    assert empty.store.verify() is None


def test_a_report_links_and_the_town_sees_it(tiny: Workspace):
    before = score_table(Session(tiny, ANALYST)).tally.row(0)["relapsed"]
    close_one(tiny, case(1))
    new = report_issue(Session(tiny, TOWN), Report(category="toilet_dry", lonlat=(111.15005, LAT)))
    assert new.relapse_of == case(1).id
    assert score_table(Session(tiny, ANALYST)).tally.row(0)["relapsed"] == before + 1


def test_looks_again_are_planned_with_the_closing_and_passed_or_reopened(tiny: Workspace):
    issue = submitted_issue(tiny)
    take(tiny, INSPECTOR, "close", issue)
    due = [(r.days, r.due_on) for r in due_revisits(Session(tiny, INSPECTOR), TODAY + timedelta(days=90))]
    assert due == [(30, TODAY + timedelta(days=30)), (90, TODAY + timedelta(days=90))]
    later = TODAY + timedelta(days=30)
    assert due_revisits(Session(tiny, INSPECTOR), later - timedelta(days=1)) == []
    assert [r.number for r in due_revisits(Session(tiny, TOWN), later, town="甲镇")] == [
        tiny.store.issue(issue.id).number
    ]
    assert due_revisits(Session(tiny, OTHER_TOWN), later) == due_revisits(Session(tiny, TOWN), later, town="乙镇") == []
    for actor, error in ((VIEWER, ForbiddenError), (TOWN, ForbiddenError)):
        with pytest.raises(error):
            pass_revisit(Session(tiny, actor), issue.id, 30)
    with pytest.raises(NotFoundError):
        pass_revisit(Session(tiny, INSPECTOR), issue.id, 31)
    pass_revisit(Session(tiny, INSPECTOR), issue.id, 30, "仍完好")
    with pytest.raises(ConflictError):
        pass_revisit(Session(tiny, INSPECTOR), issue.id, 30)
    assert due_revisits(Session(tiny, INSPECTOR), later) == []
    take(tiny, INSPECTOR, "reopen", issue, reason="又有人用")
    assert due_revisits(Session(tiny, INSPECTOR), later + timedelta(days=90)) == []
    photograph(tiny, issue, "after", GOOD, 7)
    take(tiny, TOWN, "submit", issue)
    take(tiny, INSPECTOR, "close", issue)
    assert [r.days for r in due_revisits(Session(tiny, INSPECTOR), later)] == [30]
    assert tiny.store.verify() is None
