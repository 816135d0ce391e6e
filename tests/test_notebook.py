"""The notebook door on the tiny county."""

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from PIL import Image

import villagemap
from conftest import MORNING, TODAY, tiny_issue, tiny_places
from villagemap.auth import OWNER
from villagemap.deadlines import URGENCIES, urgency
from villagemap.errors import AmbiguousError, NotFoundError, RefusedError, WrongUseError
from villagemap.flows.registry import Session
from villagemap.flows.workspace import Workspace
from villagemap.model import Change, Issue, IssueFilter, Located, Status
from villagemap.notebook import County
from villagemap.vocabulary import load_vocabulary
from villagemap.workflow import STATUSES


@pytest.fixture
def county(tiny: Workspace) -> Iterator[County]:
    with villagemap.open(tiny.folder) as opened:
        yield opened


def stored(tiny: Workspace) -> list[Issue]:
    return tiny.store.issues(IssueFilter(), limit=1000)


def test_every_issue_is_a_row_as_it_is_stored(county: County, tiny: Workspace):
    frame, issues = county.issues(), stored(tiny)
    assert frame.crs == "EPSG:4326"
    assert list(frame["id"]) == [issue.id for issue in issues]
    for name in ("category", "status", "severity", "description", "lead_unit", "number", "revision", "located"):
        assert frame[name].tolist() == [getattr(issue, name) for issue in issues], name
    shapes = [shapely.from_wkt(issue.geometry) if issue.geometry else None for issue in issues]
    assert all(a == b for a, b in zip(frame.geometry, shapes, strict=True))
    for name in ("found_on", "due_on", "claimed_closed_on", "closed_on"):
        days = [None if pd.isna(day) else day.date() for day in frame[name]]
        assert days == [getattr(issue, name) for issue in issues], name


def test_urgency_is_the_one_that_the_rules_give(county: County, tiny: Workspace):
    assert county.issues()["urgency"].tolist() == [urgency(issue, TODAY) for issue in stored(tiny)]


def test_a_deferral_moves_the_day_of_urgency(county: County, tiny: Workspace):
    issue = next(i for i in stored(tiny) if i.status == "rectifying" and i.due_on and i.due_on < TODAY)
    later = replace(issue, status=Status.DEFERRED, deferred_until=TODAY + timedelta(days=30))
    with tiny.store.writing() as writer:
        writer.record([Change(kind="defer", issue=later, at=MORNING + timedelta(days=1), actor="owner")])
    row = county.issues().set_index("id").loc[issue.id]
    assert (row["urgency"], row["deferred_until"].date()) == ("in_time", TODAY + timedelta(days=30))


def test_words_are_categories_in_an_order_that_means_something(county: County):
    frame = county.issues()
    assert list(frame["status"].cat.categories) == [s.value for s in STATUSES]
    assert list(frame["urgency"].cat.categories) == [u.value for u in URGENCIES]
    assert list(frame["category"].cat.categories) == list(load_vocabulary().categories)
    assert list(frame["town"].cat.categories) == ["甲镇", "乙镇", "丙镇"]
    assert frame.groupby("town", observed=False).size().tolist() == [21, 21, 18]
    assert frame["village_code"].dtype == "category"


def test_instants_are_aware_and_in_shanghai(county: County):
    at = county.issues()["last_event_at"]
    assert str(at.dt.tz) == "Asia/Shanghai"
    assert set(at.dt.hour) <= {9, 10}
    assert (at.min(), at.max()) == (pd.Timestamp(MORNING), pd.Timestamp(MORNING + timedelta(hours=1)))


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({"town": "甲镇"}, lambda i: i.town_id == "t1"),
        ({"town": ["甲镇", "449923103"]}, lambda i: i.town_id in {"t1", "t3"}),
        ({"town": "乙镇", "village": "东村"}, lambda i: i.village_id == "v7"),
        ({"category": "toilet_dry"}, lambda i: i.category == "toilet_dry"),
        ({"category": "应拆未拆旱厕", "status": ["closed", "submitted"]},
         lambda i: i.category == "toilet_dry" and i.status in {"closed", "submitted"}),
        ({"overdue": True}, lambda i: urgency(i, TODAY) == "overdue"),
        ({"found_from": "2026-02-20", "found_to": date(2026, 2, 25)},
         lambda i: date(2026, 2, 20) <= i.found_on <= date(2026, 2, 25)),
        ({"bbox": (111.1, 20.6, 111.2, 20.7)}, lambda i: i.geometry and i.village_id == "v4"),
    ],
)  # fmt: skip
def test_filters_keep_what_they_say(county: County, tiny: Workspace, filters, kept):
    expected = [issue.id for issue in stored(tiny) if kept(issue)]
    assert expected
    assert list(county.issues(**filters)["id"]) == expected


def test_nothing_found_is_still_a_table(county: County):
    frame = county.issues(category="black_water", status="deferred")
    assert len(frame) == 0
    assert frame.crs == "EPSG:4326"
    assert list(frame.columns) == list(county.issues().columns)
    assert str(frame["last_event_at"].dt.tz) == "Asia/Shanghai"


@pytest.mark.parametrize(
    ("filters", "error"),
    [
        ({"town": "丁镇"}, NotFoundError),
        ({"village": "东村"}, AmbiguousError),
        ({"category": "unicorns"}, WrongUseError),
        ({"status": "asleep"}, WrongUseError),
        ({"bbox": (111.2, 20.6, 111.1, 20.7)}, WrongUseError),
        ({"bbox": (111.2, np.nan, 111.3, 20.7)}, WrongUseError),
        ({"bbox": (111.2, 20.6)}, WrongUseError),
        ({"found_from": "yesterday"}, WrongUseError),
    ],
)
def test_words_that_mean_nothing_are_refused(county: County, filters, error):
    with pytest.raises(error):
        county.issues(**filters)


@pytest.mark.parametrize(("level", "count"), [("town", 3), ("village", 9), ("hamlet", 27), ("county", 0)])
def test_places_of_a_level(county: County, level: str, count: int):
    frame = county.places(level)
    assert (len(frame), frame.crs) == (count, "EPSG:4326")
    assert list(frame["code"]) == sorted(place.code for place in tiny_places() if place.level == level)


def test_places_of_one_town(county: County):
    frame = county.places("village", town="乙镇")
    assert list(frame["name"]) == ["东村村委会", "中村村委会", "西村村委会"]
    assert list(frame["households"]) == [103, 104, 105]
    assert frame.geometry.iloc[0].covers(shapely.Point(111.25, 20.65))
    with pytest.raises(WrongUseError):
        county.places("planet")


def test_counts_of_towns_add_up(county: County, tiny: Workspace):
    counts = county.counts()
    assert list(counts["town"]) == ["甲镇", "乙镇", "丙镇"]
    issues = stored(tiny)
    assert counts.loc["449923101", "found"] == sum(issue.town_id == "t1" for issue in issues)
    assert counts["overdue"].sum() == sum(urgency(issue, TODAY) == "overdue" for issue in issues)
    assert counts["verified"].sum() == sum(issue.status == "closed" for issue in issues)


def test_an_issue_outside_every_town_is_counted_and_shown(county: County, tiny: Workspace):
    nowhere = {"place_id": None, "village_id": None, "town_id": None, "located": Located.OUTSIDE}
    issue = replace(tiny_issue(60, tiny_places()), **nowhere, geometry="POINT (5 5)")
    with tiny.store.writing() as writer:
        writer.record([Change(kind="register", issue=issue, at=MORNING, actor="owner")])
    assert county.counts().loc[""].to_dict()["outside"] == 1
    row = county.issues().iloc[-1]
    assert (row["located"], pd.isna(row["town"])) == ("outside", True)


def test_the_map_asks_no_network(county: County):
    for lang in ("zh", "en"):
        shown = county.map("甲镇", lang=lang)._repr_html_()
        assert "甲镇" in shown
        hosts = set(re.findall(r"(?:https?:)?//([a-z0-9-]+(?:\.[a-z0-9-]+)+)", shown)) - {"www.w3.org", "leafletjs.com"}
        assert hosts == set()


def test_export_writes_what_is_asked_for(county: County, tmp_path):
    path = county.export(tmp_path / "out.geojson", town="甲镇", status="closed")
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    assert [f["id"] for f in features] == list(county.issues(town="甲镇", status="closed")["id"])
    everything = json.loads(county.export(tmp_path / "all.geojson").read_text(encoding="utf-8"))["features"]
    office = county.export(str(tmp_path / "office.geojson"), audience="office").read_text(encoding="utf-8")
    categories = {f["properties"]["category"] for f in json.loads(office)["features"]}
    assert len(everything) == 60
    assert "household_housing" not in categories
    assert county.export(tmp_path / "shifted.geojson", datum="gcj02").name == "shifted.gcj02.geojson"


def test_a_file_that_cannot_be_written_leaves_nothing(county: County, tmp_path):
    with pytest.raises(WrongUseError):
        county.export(tmp_path / "missing" / "out.geojson")
    with pytest.raises(WrongUseError):
        county.export(tmp_path / "out.shp")
    with pytest.raises(WrongUseError):
        county.export(tmp_path / "out.geojson", audience="everybody")
    assert [p for p in tmp_path.iterdir() if p.name != "county"] == []


def test_it_shows_itself_in_one_line(county: County):
    shown = county._repr_html_()
    assert "<b>小县</b>" in shown
    assert "3 towns" in shown
    assert len(shown) < 300
    assert "小县" in repr(county)


def test_an_owner_looking_at_all_rows_is_noted(county: County, tiny: Workspace):
    list(county.issues()["id"])
    connection = sqlite3.connect(tiny.folder / "accounts.sqlite")
    assert connection.execute("SELECT actor, flow FROM access_log").fetchall()[-1] == (OWNER.id, "issues.table")
    connection.close()


def test_a_folder_without_a_county_is_refused(tmp_path):
    with pytest.raises(NotFoundError):
        villagemap.open(tmp_path)


def test_states_come_in_the_order_of_features(session: Session):
    store = session.workspace.store
    features = [json.loads(f)["id"] for block in store.features(IssueFilter(towns=("t2",))) for f in block]
    assert [s.id for block in store.states(IssueFilter(towns=("t2",))) for s in block] == features


def test_a_life_from_a_notebook(tiny: Workspace, tmp_path: Path) -> None:
    tiny.close()
    with villagemap.open(tiny.folder) as county:
        issue = county.report("应拆未拆旱厕", lonlat=(111.15, 20.65), description="村口旱厕")
        registered = county.act(issue.id, "register")
        assert registered.number == "2026-00061"
        with pytest.raises(RefusedError, match="start"):
            county.act(issue.id, "close")
        picture = tmp_path / "after.jpg"
        Image.new("RGB", (320, 240), "green").save(picture)
        assert county.add_photo(issue.id, picture).letter in "ABCD"
        assert county.act(issue.id, "submit", quantity_done=1.0).status is Status.SUBMITTED
