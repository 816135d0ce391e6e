"""Scores, due, outlook and meetings over HTTP; what a server does by itself."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conftest import MORNING, TODAY
from villagemap.api.daily import keep_the_day, seconds_to_midnight
from villagemap.model import Change, IssueFilter, Status

WRITE = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}


def test_scores_by_town_and_village(client):
    told = client.get("/scores").json()
    assert [(p["name"], p["found"]) for p in told["places"]] == [("甲镇", 21), ("乙镇", 21), ("丙镇", 18)]
    assert sorted(p["rank"] for p in told["rank"]) == [1, 2, 3]
    assert len(told["deductions"]) == 3
    villages = client.get("/scores", params={"by": "village", "town": "乙镇"}).json()
    assert [p["name"] for p in villages["places"]] == ["东村村委会", "中村村委会", "西村村委会"]


def test_scores_as_of_an_instant(client):
    told = client.get("/scores", params={"as_of": "2026-03-01T01:00:00Z"}).json()
    assert (told["day"], sum(p["claimed"] for p in told["places"])) == ("2026-03-01", 0)
    assert sum(p["claimed"] for p in client.get("/scores", params={"as_of": "2026-03-01"}).json()["places"]) == 24


@pytest.mark.parametrize(
    ("query", "code"),
    [("as_of=soon", "instant_unreadable"), ("by=hamlet", "value_unknown"), ("town=丁镇", "unknown_town"),
     ("colour=red", "parameter_unknown")],
)  # fmt: skip
def test_what_cannot_be_meant(client, query, code):
    answer = client.get(f"/scores?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_what_is_due(client):
    told = client.get("/due", params={"limit": "3"}).json()
    assert len(told["issues"]) == 3
    assert told["counts"]["overdue"] == sum(town["overdue"] for town in told["towns"])
    assert told["persons"][0]["person"] == "某人"
    assert client.get("/due", params={"unit": "county_rural"}).json()["units"][0]["unit"] == "county_rural"
    assert client.get("/due", params={"limit": "many"}).status_code == 400


def test_outlook_in_the_readers_language(client):
    english = client.get("/outlook", headers={"accept-language": "en"}).json()
    chinese = client.get("/outlook", headers={"accept-language": "zh"}).json()
    assert english["soft"]["verified"]["deadline"] == "2026-03-31"
    assert "到 2026-03-31" in chinese["soft"]["verified"]["in_words"]
    assert "2026-03-31" in english["soft"]["verified"]["in_words"]


def test_a_meeting_is_frozen_and_made_again(changing):
    frozen = changing.post("/meetings", json={"name": "三月底"}, headers=WRITE)
    assert frozen.status_code == 201, frozen.text
    assert frozen.json()["figures"]["county"]["found"] == 60
    assert [m["name"] for m in changing.get("/meetings").json()["meetings"]] == ["三月底"]
    again = changing.get("/meetings/三月底").json()
    assert (again["equal"], again["intact"], again["again"]) == (True, True, frozen.json()["figures"])
    assert changing.post("/meetings", json={"name": "三月底"}, headers=WRITE).json()["code"] == "meeting_exists"
    assert changing.get("/meetings/none").status_code == 404


def test_a_server_lets_ended_deferrals_return(tiny):
    issue = tiny.store.issues(IssueFilter(statuses=("registered",)), limit=1)[0]
    with tiny.store.writing() as writer:
        deferred = replace(issue, status=Status.DEFERRED, deferred_until=TODAY - timedelta(days=1))
        writer.record([Change(kind="defer", issue=deferred, at=MORNING, actor="owner")])
    stop = threading.Event()
    day = threading.Thread(target=keep_the_day, args=(tiny, stop))
    day.start()
    for _ in range(200):
        if tiny.store.issue(issue.id).status is Status.RECTIFYING:
            break
        stop.wait(0.02)
    stop.set()
    day.join(5)
    assert not day.is_alive()
    assert tiny.store.issue(issue.id).status is Status.RECTIFYING


def test_the_day_ends_at_midnight_in_shanghai():
    assert seconds_to_midnight(datetime(2026, 3, 31, 15, 59, tzinfo=UTC)) == 60
    assert seconds_to_midnight(datetime(2026, 3, 31, 16, 0, tzinfo=UTC)) == 86_400
