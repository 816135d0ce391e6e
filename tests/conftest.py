"""The tiny county that every test knows by heart: 3 towns, 9 villages, 27 hamlets, 60 issues.

Towns 甲镇, 乙镇, 丙镇 lie side by side from west to east, each 0.1 degrees wide, between 20.6 and 20.9 N; each has
three villages above each other, 0.1 degrees high; each village three hamlets on its middle line. Every town has a
village 东村: a bare name never says which. Issue n (0 to 59) lies in village n mod 9; its category and status go round.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import shapely

from villagemap.auth import OWNER
from villagemap.deadlines import due_on
from villagemap.flows.registry import Session
from villagemap.flows.workspace import Workspace, init_workspace, open_workspace
from villagemap.model import Change, Issue, Level, Located, Place, Sighting, Status
from villagemap.settings import Settings
from villagemap.vocabulary import load_vocabulary

TODAY = date(2026, 3, 20)
MORNING = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
TOWNS = ("甲镇", "乙镇", "丙镇")
VILLAGES = ("东村", "中村", "西村")
CATEGORIES = (
    "garbage_scattered",
    "toilet_dry",
    "black_water",
    "mudbrick_house",
    "garden_not_started",
    "household_housing",
)
STATUSES = (Status.REGISTERED, Status.RECTIFYING, Status.SUBMITTED, Status.CLOSED, Status.RETURNED)


def tiny_places() -> list[Place]:
    """3 towns t1 to t3, 9 villages v4 to v12, 27 hamlets h13 to h39."""
    towns = [_town(n) for n in range(3)]
    villages = [_village(n, towns[n // 3]) for n in range(9)]
    return [*towns, *villages, *(_hamlet(n, villages[n // 3]) for n in range(27))]


def _town(n: int) -> Place:
    west = 111.1 + 0.1 * n
    return Place(
        place_id=f"t{n + 1}",
        county="tiny",
        level=Level.TOWN,
        code=f"44992310{n + 1}",
        name=TOWNS[n],
        short_name=TOWNS[n][0],
        geometry=shapely.to_wkb(shapely.box(west, 20.6, west + 0.1, 20.9), byte_order=1),
    )


def _village(n: int, town: Place) -> Place:
    west, south = 111.1 + 0.1 * (n // 3), 20.6 + 0.1 * (n % 3)
    return Place(
        place_id=f"v{n + 4}",
        county="tiny",
        level=Level.VILLAGE,
        code=f"{town.code}20{n % 3}",
        name=VILLAGES[n % 3] + "村委会",
        short_name=VILLAGES[n % 3],
        parent_id=town.place_id,
        households=100 + n,
        geometry=shapely.to_wkb(shapely.box(west, south, west + 0.1, south + 0.1), byte_order=1),
        seat=(round(west + 0.05, 6), round(south + 0.05, 6)),
    )


def _hamlet(n: int, village: Place) -> Place:
    lon, lat = village.seat or (0.0, 0.0)
    at = (round(lon + 0.03 * (n % 3 - 1), 6), lat)
    return Place(
        place_id=f"h{n + 13}",
        county="tiny",
        level=Level.HAMLET,
        code=f"{village.code}{n % 3 + 1:03d}",
        name=f"{'上中下'[n % 3]}{village.short_name}",
        short_name=f"{'上中下'[n % 3]}{village.short_name}",
        parent_id=village.place_id,
        geometry=shapely.to_wkb(shapely.Point(at), byte_order=1),
        seat=at,
    )


def tiny_issue(n: int, places: list[Place]) -> Issue:
    """Issue n of the tiny county."""
    category = load_vocabulary().categories[CATEGORIES[n % len(CATEGORIES)]]
    status = STATUSES[n % len(STATUSES)]
    village = places[3 + n % 9]
    lon, lat = village.seat or (0.0, 0.0)
    found_on = date(2026, 2, 1) + timedelta(days=n % 40)
    bound = category.bound_to_village
    done_on = found_on + timedelta(days=5)
    return Issue(
        id=f"019c0000-0000-7000-8000-{n:012d}",
        county="tiny",
        category=category.code,
        status=status,
        source="town_sweep",
        severity=n % 5 + 1,
        quantity_done=1.0 if status in {Status.SUBMITTED, Status.CLOSED} else 0.0,
        unit=category.unit,
        place_id=village.place_id,
        village_id=village.place_id,
        town_id=village.parent_id,
        located=Located.INSIDE,
        geometry=None if bound else f"POINT ({round(lon + 0.001 * (n // 9), 6)} {lat})",
        location_text="村口",
        description=f"第{n}号问题",
        found_on=found_on,
        lead_unit=category.lead,
        responsible="某人" if n % 7 == 0 else "",
        phone="00012345678" if n % 7 == 0 else "",
        due_on=due_on(category, found_on),
        claimed_closed_on=done_on if status in {Status.SUBMITTED, Status.CLOSED} else None,
        closed_on=done_on if status is Status.CLOSED else None,
        privacy=category.privacy,
        sightings=(Sighting(id=f"019c0001-0000-7000-8000-{n:012d}", source="town_sweep", list_number=str(n + 1)),),
    )


def fill_tiny(workspace: Workspace) -> None:
    """Put the tiny county into an empty workspace."""
    places = tiny_places()
    issues = [tiny_issue(n, places) for n in range(60)]
    registered = [Change(kind="register", issue=_as_registered(issue), at=MORNING, actor="owner") for issue in issues]
    moved = [
        Change(kind="start", issue=issue, at=MORNING + timedelta(hours=1), actor="owner")
        for issue in issues
        if issue.status is not Status.REGISTERED
    ]
    with workspace.store.writing() as writer:
        for _ in places:
            writer.next_place_number()
        writer.put_places(places, actor="owner", at=MORNING)
        writer.record([*registered, *moved])


def _as_registered(issue: Issue) -> Issue:
    return replace(issue, status=Status.REGISTERED, quantity_done=0.0, claimed_closed_on=None, closed_on=None)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace without anything in it, on the tiny county's day."""
    init_workspace(tmp_path / "county", Settings(county="tiny", name="小县", code="449923", today=TODAY))
    workspace = open_workspace(tmp_path / "county")
    yield workspace
    workspace.close()


@pytest.fixture
def tiny(empty: Workspace) -> Workspace:
    """The tiny county's workspace, for the test to change as it likes."""
    fill_tiny(empty)
    return empty


@pytest.fixture
def session(tiny: Workspace) -> Session:
    """The owner at work in the tiny county."""
    return Session(tiny, OWNER)


@pytest.fixture
def empty_session(empty: Workspace) -> Session:
    """The owner at work in an empty county."""
    return Session(empty, OWNER)
