"""Flows that look at issues: cards, pages, tiles, and what others than the owner see of them."""

import io
import sqlite3
from dataclasses import replace
from datetime import date, timedelta

import orjson
import pytest

from conftest import MORNING, TODAY, tiny_issue, tiny_places
from villagemap.auth import NOBODY, Actor, Grant, Link, Role
from villagemap.errors import ForbiddenError, NotFoundError, WrongUseError
from villagemap.flows.cases.issues import (
    CARD_FIELDS,
    count_issues,
    feature_page,
    list_issues,
    open_photo,
    show_feature,
    show_issue,
)
from villagemap.flows.registry import FLOWS, Session, flow
from villagemap.flows.tiles import TileFilter, issue_tile, place_tile, tiles_version
from villagemap.flows.upkeep.admin import state
from villagemap.model import Change, IssueFilter, Level, Located, Photo, Status, Urgency

VIEWER = Actor("u1", (Grant(role=Role.VIEWER),))
PHONE = "13812345678"


@pytest.fixture
def viewer(session: Session) -> Session:
    """Somebody who may look, but not at households and persons."""
    return Session(session.workspace, VIEWER)


def _edit(session: Session, number: str, **changed: object) -> None:
    store = session.workspace.store
    issue = store.issue(number)
    assert issue is not None
    with store.writing() as writer:
        writer.record([Change(kind="edit", issue=replace(issue, **changed), at=MORNING, actor="owner", note="改")])


def test_a_card_tells_all_that_a_popup_shows(session: Session):
    shown = show_issue(session, "2026-00003")
    assert set(shown) == {
        *CARD_FIELDS, "town", "village", "place", "urgency", "days_left", "sources", "responsible", "lon", "lat",
        "photos", "events",
    }  # fmt: skip
    issue = tiny_issue(2, tiny_places())
    assert (shown["id"], shown["category"], shown["status"]) == (issue.id, "black_water", Status.SUBMITTED)
    assert (shown["town"], shown["village"], shown["place"]) == ("甲镇", "西村村委会", "西村村委会")
    assert (shown["lon"], shown["lat"]) == (111.15, 20.85)
    assert shown["urgency"] is Urgency.SUBMITTED
    assert [(event["kind"], event["actor"]) for event in shown["events"]] == [
        ("issue.register", "owner"),
        ("issue.start", "owner"),
    ]
    assert shown == show_issue(session, shown["id"])
    orjson.dumps(shown)


@pytest.mark.parametrize(
    ("status", "until", "left", "urgency"),
    [
        (Status.RECTIFYING, None, -1, Urgency.OVERDUE),
        (Status.DEFERRED, TODAY + timedelta(days=20), 20, Urgency.IN_TIME),
        (Status.RECTIFYING, TODAY + timedelta(days=20), -1, Urgency.OVERDUE),
    ],
)
def test_days_left_and_colour_say_the_same(
    session: Session, status: Status, until: date | None, left: int, urgency: Urgency
):
    _edit(session, "2026-00001", status=status, due_on=TODAY - timedelta(days=1), deferred_until=until)
    shown = show_issue(session, "2026-00001")
    assert (shown["days_left"], shown["urgency"]) == (left, urgency)


def test_a_case_without_a_position_or_place_has_a_card_too(session: Session):
    _edit(session, "2026-00001", geometry=None, town_id=None, village_id=None, place_id=None,
          located=Located.UNLOCATED, due_on=None)  # fmt: skip
    shown = show_issue(session, "2026-00001")
    assert [shown[name] for name in ("lon", "lat", "town", "village", "place", "days_left")] == [None] * 6
    assert shown["located"] is Located.UNLOCATED


@pytest.mark.parametrize("word", ["2026-99999", "", "019c0000-0000-7000-8000-00000000ffff", "' OR 1=1"])
def test_an_issue_that_isnt_there_isnt_found(session: Session, word: str):
    with pytest.raises(NotFoundError):
        show_issue(session, word)
    with pytest.raises(NotFoundError):
        show_feature(session, word)


def test_households_are_only_there_for_those_who_may_see_them(session: Session, viewer: Session):
    household = "2026-00006"
    assert show_issue(session, household)["category"] == "household_housing"
    with sqlite3.connect(session.workspace.folder / "accounts.sqlite") as accounts:
        noted = accounts.execute("SELECT actor, flow, subject FROM access_log").fetchall()
    accounts.close()
    assert noted == [("owner", "issues.show", "019c0000-0000-7000-8000-000000000005")]
    for look in (show_issue, show_feature):
        with pytest.raises(NotFoundError):
            look(viewer, household)
    assert count_issues(session, IssueFilter()) - count_issues(viewer, IssueFilter()) == 10
    assert household not in "".join(feature_page(viewer, IssueFilter(), limit=100).features)
    tiles = [orjson.loads(issue_tile(who, 0, 0, 0, TileFilter())) for who in (session, viewer)]
    assert [len(tile["features"]) for tile in tiles] == [60, 50]
    assert "household_housing" not in {single[3] for single in tiles[1]["features"]}


def test_no_person_and_no_phone_reaches_who_may_not_see_them(session: Session, viewer: Session):
    _edit(
        session,
        "2026-00001",
        description=f"请打\n{PHONE}",
        location_text=f"电话{PHONE}",
        responsible="某人",
        phone=PHONE,
    )
    shown = orjson.dumps(show_issue(viewer, "2026-00001")).decode()
    feature = show_feature(viewer, "2026-00001")
    page = "".join(feature_page(viewer, IssueFilter(), limit=100).features)
    for text in (shown, feature, page):
        assert PHONE not in text
        assert "某人" not in text
    assert "某人" in orjson.dumps(show_issue(session, "2026-00001")).decode()
    with pytest.raises(ForbiddenError):
        list_issues(viewer, IssueFilter(), limit=10)


def test_pages_are_as_long_as_asked_and_lead_on(session: Session):
    ids, after = [], 0
    while after is not None:
        page = feature_page(session, IssueFilter(towns=("t1",)), limit=6, after=after)
        assert len(page.features) <= 6
        ids += [orjson.loads(text)["id"] for text in page.features]
        after = page.after
    assert len(ids) == len(set(ids)) == count_issues(session, IssueFilter(towns=("t1",)))


def test_a_picture_is_served_under_its_issue_only(session: Session, viewer: Session):
    workspace = session.workspace
    digest = workspace.photos.put(io.BytesIO(b"\xff\xd8picture"))
    household = show_issue(session, "2026-00006")["id"]
    with workspace.store.writing() as writer:
        writer.add_photos([Photo(sha256=digest, issue_id=household, stage="before")], actor="owner", at=MORNING)
    (listed,) = show_issue(session, household)["photos"]
    assert listed == {"stage": "before", "href": f"/issues/{household}/photos/{digest[:16]}"}
    assert open_photo(session, household, digest[:16]) == (b"\xff\xd8picture", "image/jpeg")
    with pytest.raises(NotFoundError):
        open_photo(session, "2026-00001", digest[:16])
    with pytest.raises(NotFoundError):
        open_photo(viewer, household, digest[:16])


def test_a_tile_holds_shapes_and_answers_filters(session: Session):
    _edit(session, "2026-00003", geometry="LINESTRING (111.11 20.61, 111.12 20.62)", interim_on=TODAY)
    tile = orjson.loads(issue_tile(session, 0, 0, 0, TileFilter(categories=("black_water",))))
    assert {single[3] for single in tile["features"]} == {"black_water"}
    (shape,) = tile["shapes"].values()
    assert shape == {"type": "LineString", "coordinates": [[111.11, 20.61], [111.12, 20.62]]}
    assert [single[5] for single in tile["features"] if single[0] in tile["shapes"]] == [True]
    town = session.workspace.gazetteer().by_id["t2"]
    here = orjson.loads(issue_tile(session, 0, 0, 0, TileFilter(towns=(town,), urgencies=("overdue",))))
    assert len(here["features"]) == count_issues(session, IssueFilter(towns=("t2",), overdue_on=TODAY))
    assert orjson.loads(issue_tile(session, 0, 0, 0, TileFilter(categories=("no_such",))))["features"] == []


@pytest.mark.parametrize("at", [(-1, 0, 0), (23, 0, 0), (3, 8, 0), (3, 0, 8), (0, -1, 0), (99, 1, 1)])
def test_a_tile_that_isnt_is_refused(session: Session, at: tuple[int, int, int]):
    with pytest.raises(WrongUseError):
        issue_tile(session, *at, TileFilter())
    with pytest.raises(WrongUseError):
        place_tile(session, Level.TOWN, *at)


def test_places_of_a_tile_are_whole(session: Session):
    collection = orjson.loads(place_tile(session, Level.VILLAGE, 0, 0, 0))
    assert len(collection["features"]) == 9
    assert collection["features"][0]["properties"]["parent_code"] == "449923101"
    assert orjson.loads(place_tile(session, Level.VILLAGE, 5, 0, 0))["features"] == []


def test_tiles_know_when_they_are_old(session: Session, viewer: Session):
    before, others = tiles_version(session), tiles_version(viewer)
    assert before == tiles_version(session) != others
    first = issue_tile(session, 0, 0, 0, TileFilter())
    _edit(session, "2026-00001", status=Status.DUPLICATE)
    assert tiles_version(session) != before
    assert (
        len(orjson.loads(issue_tile(session, 0, 0, 0, TileFilter()))["features"])
        == len(orjson.loads(first)["features"]) - 1
    )


def test_the_state_is_of_the_last_event(session: Session, empty_session: Session):
    assert state(session).seq == session.workspace.store.head().seq
    assert state(session).changed_at is not None
    assert empty_session.workspace is session.workspace


def test_every_flow_asks_before_it_does_anything(session: Session):
    from villagemap.flows import maps, places, tiles
    from villagemap.flows.cases import choosing, imports, issues
    from villagemap.flows.upkeep import admin

    modules = (admin, choosing, imports, issues, maps, places, tiles)
    asked = {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if getattr(function, "__wrapped__", None) and getattr(function, "__module__", "") == module.__name__
    }
    assert len(asked) >= 20
    for function in asked.values():
        with pytest.raises(ForbiddenError):
            function(Session(session.workspace, NOBODY))
    assert len(FLOWS) >= len(asked)


def test_a_link_to_look_at_shows_no_free_text(session: Session):
    guest = Session(session.workspace, Actor("l1", link=Link(places=("t1",))))
    issue = session.workspace.store.issues(IssueFilter(towns=("t1",), categories=("toilet_dry",)), limit=1)[0]
    shown = show_issue(guest, issue.id)
    assert (shown["description"], shown["location_text"], shown["responsible"]) == ("", "", "")
    with pytest.raises(NotFoundError):
        show_issue(guest, session.workspace.store.issues(IssueFilter(towns=("t2",)), limit=1)[0].id)


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match=r"issues\.show"):
        flow("issues.show", FLOWS["issues.show"])(lambda _session: None)
