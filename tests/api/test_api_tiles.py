"""Tiles over HTTP: their shape, their tag, their filters. Which issues a tile clusters is the tiles' own test."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from villagemap.model import Change, IssueFilter
from villagemap.vocabulary import load_vocabulary

COUNTY = "/tiles/issues/7/103/56"
"""Holds 109.7-112.5 E, 19-21.9 N: all of the tiny county."""


def shown(tile: dict) -> int:
    return sum(cluster[2] for cluster in tile["clusters"]) + len(tile["features"])


def test_a_tile_has_the_shape_that_the_map_reads(client):
    answer = client.get(COUNTY)
    assert answer.headers["content-type"] == "application/json"
    tile = answer.json()
    assert set(tile) == {"clusters", "features", "shapes"}
    for lon, lat, count, urgencies in tile["clusters"]:
        assert 111 < lon < 111.5
        assert 20.5 < lat < 21
        assert sum(urgencies) == count
        assert len(urgencies) == 6
    for issue_id, lon, _lat, category, urgency, *_held in tile["features"]:
        assert issue_id.startswith("019c0000")
        assert 111 < lon < 111.5
        assert category in load_vocabulary().categories
        assert urgency in {"overdue", "behind", "near", "in_time", "submitted", "closed"}
    assert shown(tile) > 40


def test_parts_add_up(client):
    towns = [shown(client.get(f"{COUNTY}?town=44992310{n}").json()) for n in (1, 2, 3)]
    assert sum(towns) == shown(client.get(COUNTY).json())
    assert shown(client.get(f"{COUNTY}?village=东村&town=甲镇").json()) < towns[0]
    statuses = "registered", "rectifying", "submitted", "closed", "returned"
    by_status = [shown(client.get(f"{COUNTY}?status={status}").json()) for status in statuses]
    assert sum(by_status) == sum(towns)
    urgencies = "overdue", "behind", "near", "in_time", "submitted", "closed"
    by_urgency = [shown(client.get(f"{COUNTY}?urgency={urgency}").json()) for urgency in urgencies]
    assert sum(by_urgency) == sum(towns)
    assert shown(client.get(f"{COUNTY}?overdue=true").json()) == by_urgency[0]
    assert shown(client.get(f"{COUNTY}?category=garbage_accumulated").json()) == 0


@pytest.mark.parametrize("collection", ["issues", "towns", "villages", "hamlets"])
def test_a_tile_is_asked_for_again_only_when_something_changed(changing, tiny, collection):
    path = f"/tiles/{collection}/7/103/56"
    first = changing.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = changing.get(path, headers={"if-none-match": given})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    assert changing.get(path, headers={"if-none-match": '"other"'}).status_code == 200
    issue = tiny.store.issues(IssueFilter(), limit=1)[0]
    with tiny.store.writing() as writer:
        changed = replace(issue, severity=5 if issue.severity < 5 else 4)
        writer.record([Change(kind="edit", issue=changed, at=datetime(2026, 3, 19, tzinfo=UTC), actor="owner")])
    assert changing.get(path, headers={"if-none-match": tag}).status_code == 200


def test_tiles_of_places_are_whole_features(client):
    tile = client.get("/tiles/villages/7/103/56")
    assert tile.headers["content-type"] == "application/geo+json"
    assert len(tile.json()["features"]) == 9
    assert len(client.get("/tiles/towns/7/103/56").json()["features"]) == 3
    assert client.get("/tiles/hamlets/8/0/0").json()["features"] == []


@pytest.mark.parametrize(
    ("path", "code", "status"),
    [
        ("/tiles/issues/8/256/0", "no_such_tile", 400),
        ("/tiles/issues/-1/0/0", "no_such_tile", 400),
        ("/tiles/issues/99/0/0", "no_such_tile", 400),
        ("/tiles/villages/8/0/256", "no_such_tile", 400),
        ("/tiles/issues/8/x/0", "parameter_unreadable", 400),
        ("/tiles/issues/8/1.5/0", "parameter_unreadable", 400),
        (f"/tiles/issues/{'9' * 30}/0/0", "no_such_tile", 400),
        (f"{COUNTY}?severity=5", "parameter_unknown", 400),
        (f"{COUNTY}?urgency=late", "value_unknown", 400),
        (f"{COUNTY}?urgency=near&overdue=true", "parameter_unreadable", 400),
        (f"{COUNTY}?town=丁镇", "unknown_town", 400),
        ("/tiles/roads/7/103/56", "address_unknown", 404),
    ],
)
def test_no_such_tile(client, path, code, status):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
