"""A town's map as a flow: the right town, the right figures, and no household in a file."""

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest
import shapely

import villagemap.maps
from conftest import MORNING, TODAY
from villagemap.errors import AmbiguousError, NotFoundError, WrongUseError
from villagemap.flows.cases.issues import county_table
from villagemap.flows.maps import town_map
from villagemap.flows.registry import Session
from villagemap.model import Change, Issue, IssueFilter, Level, Place, Status
from villagemap.settings import Basemap


def _inline(session: Session, word: str = "甲镇") -> dict[str, Any]:
    page = town_map(session, word, "zh", inline=True).page_inline()
    block = re.search(r'<script type="application/json" id="villagemap-town">(.*?)</script>', page, re.DOTALL)
    assert block is not None
    return orjson.loads(block[1])


def _edit(session: Session, issue: Issue, **changed: object) -> None:
    with session.workspace.store.writing() as writer:
        writer.record([Change(kind="edit", issue=replace(issue, **changed), at=MORNING, actor="owner")])


@pytest.mark.parametrize("word", ["甲镇", "甲", "449923101", "449923101000"])
def test_a_town_is_named_by_code_or_name(session: Session, word: str):
    view = town_map(session, word, "zh").view
    assert (view.code, view.name, view.county_name, view.today) == ("449923101", "甲镇", "小县", TODAY)
    assert view.counts == county_table(session)[1][0].counts
    assert list(view.bbox) == pytest.approx([111.1, 20.6, 111.2, 20.9])
    assert not view.approximate


def test_a_town_that_isnt_there_or_is_two_is_told(session: Session):
    with pytest.raises(NotFoundError):
        town_map(session, "丁镇", "zh")
    with pytest.raises(NotFoundError):
        town_map(session, "东村", "zh")
    town = session.workspace.store.places(Level.TOWN)[1]
    with session.workspace.store.writing() as writer:
        writer.put_places([replace(town, name="甲镇", short_name="甲")], actor="owner", at=MORNING)
    with pytest.raises(AmbiguousError):
        town_map(session, "甲镇", "zh")


def test_a_file_holds_the_towns_cases_and_no_household_or_person(session: Session):
    town = _inline(session)
    issues = session.workspace.store.issues(IssueFilter(towns=("t1",)), limit=100)
    shown = {card["id"] for card in town["cards"]}
    assert shown == {issue.id for issue in issues if issue.privacy != "restricted"}
    text = orjson.dumps(town).decode()
    assert "household_housing" not in text
    assert "某人" not in text
    assert "00012345678" not in text
    view = town_map(session, "甲镇", "zh", inline=True).view
    assert view.withheld == len(issues) - len(shown) > 0
    assert view.withheld + len(shown) == view.counts.found
    assert {feature["properties"]["name"] for feature in town["neighbours"]["features"]} == {"乙镇", "丙镇"}


def test_what_is_no_case_is_neither_counted_nor_withheld_nor_drawn(session: Session):
    for issue in session.workspace.store.issues(IssueFilter(towns=("t1",)), limit=100)[:12]:
        _edit(session, issue, status=Status.DUPLICATE)
    view = town_map(session, "甲镇", "zh", inline=True).view
    assert view.inline is not None
    assert view.withheld + len(view.inline.cards) == view.counts.found


def test_too_many_for_a_file_are_clusters_without_households(session: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(villagemap.maps, "INLINE_CARDS", 5)
    town = _inline(session)
    assert town["cards"] == []
    counted = {group: sum(cluster[2] for cluster in found) for group, found in town["clusters"].items()}
    view = town_map(session, "甲镇", "zh", inline=True).view
    assert counted["households"] == 0
    assert sum(counted.values()) == view.counts.found - view.withheld


def test_lines_and_areas_come_with_their_shape(session: Session):
    issue = session.workspace.store.issues(IssueFilter(towns=("t1",), categories=("black_water",)), limit=1)[0]
    _edit(session, issue, geometry="POLYGON ((111.11 20.61, 111.12 20.61, 111.12 20.62, 111.11 20.61))")
    (card,) = (card for card in _inline(session)["cards"] if card["id"] == issue.id)
    assert card["geometry"]["type"] == "Polygon"
    assert shapely.intersects(
        shapely.from_geojson(orjson.dumps(card["geometry"])), shapely.Point(card["lon"], card["lat"])
    )


def _put(session: Session, *places: Place) -> None:
    with session.workspace.store.writing() as writer:
        writer.put_places(places, actor="owner", at=MORNING)


def test_approximate_areas_are_captioned(session: Session):
    village = session.workspace.store.places(Level.VILLAGE)[0]
    _put(session, replace(village, approximate=True))
    assert town_map(session, "甲镇", "zh").view.approximate
    assert "示意,非行政区域界线".replace(",", "，") in town_map(session, "甲镇", "zh", inline=True).page_inline()
    assert not town_map(session, "乙镇", "zh").view.approximate


def test_a_town_without_any_outline_is_drawn_around_its_issues(session: Session):
    bare = [replace(place, geometry=None, seat=None) for place in session.workspace.store.places()]
    _put(session, *bare)
    view = town_map(session, "甲镇", "zh", inline=True).view
    assert list(view.bbox) == pytest.approx([111.15, 20.65, 111.156, 20.85], abs=1e-3)
    for issue in session.workspace.store.issues(IssueFilter(towns=("t1",)), limit=100):
        _edit(session, issue, geometry=None)
    with pytest.raises(WrongUseError):
        town_map(session, "甲镇", "zh")


def test_a_town_without_issues_and_an_empty_county(session: Session):
    for issue in session.workspace.store.issues(IssueFilter(towns=("t1",)), limit=100):
        _edit(session, issue, town_id="t2")
    view = town_map(session, "甲镇", "en", inline=True).view
    assert (view.counts.found, view.withheld) == (0, 0)


def test_settings_reach_the_map(session: Session):
    workspace = session.workspace
    workspace.settings = replace(
        workspace.settings, demo=True, map_review_number="粤S(2026)001", basemap=Basemap(url="/t/{z}/{x}/{y}.png")
    )
    view = town_map(session, "甲镇", "zh").view
    assert (view.demo, view.review_number, view.basemap.url) == (True, "粤S(2026)001", "/t/{z}/{x}/{y}.png")
