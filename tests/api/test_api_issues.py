"""One issue's card, its pictures, and the file of all."""

import io
import json
from datetime import UTC, datetime

import pytest

from villagemap.api.issues import file_name
from villagemap.model import Photo

JPEG = b"\xff\xd8\xff\xe0 not a real picture \xff\xd9"


def ident(n: int) -> str:
    return f"019c0000-0000-7000-8000-{n:012d}"


def test_a_card_tells_all_that_a_popup_shows(client):
    card = client.get(f"/issues/{ident(1)}").json()
    for name in (
        "id", "number", "category", "subdefects", "severity", "status", "urgency", "town", "village", "place",
        "location_text", "description", "quantity_found", "quantity_done", "unit", "found_on", "sources", "due_on",
        "days_left", "lead_unit", "responsible", "claimed_closed_on", "closed_on", "interim_on", "located",
        "relapse_of", "lon", "lat", "photos", "events",
    ):  # fmt: skip
        assert name in card
    assert (card["town"], card["village"]) == ("甲镇", "中村村委会")
    assert card["found_on"] == "2026-02-02"
    assert [event["kind"] for event in card["events"]] == ["issue.register", "issue.start"]
    assert client.get(f"/issues/{card['number']}").json() == card


def test_no_such_issue(client):
    answer = client.get("/issues/none")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_issue")


@pytest.fixture
def pictured(changing, tiny):
    """A picture of issue 1."""
    digest = tiny.photos.put(io.BytesIO(JPEG))
    photo = Photo(sha256=digest, issue_id=ident(1), stage="before", taken_at=datetime(2026, 2, 2, tzinfo=UTC))
    with tiny.store.writing() as writer:
        writer.add_photos([photo], actor="owner", at=datetime(2026, 3, 2, tzinfo=UTC))
    return changing.get(f"/issues/{ident(1)}").json()["photos"][0]["href"]


def test_a_picture_is_served_under_its_own_issue_only(changing, pictured):
    answer = changing.get(pictured)
    assert (answer.content, answer.headers["content-type"]) == (JPEG, "image/jpeg")
    assert changing.get(pictured, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    start = pictured.rpartition("/")[2]
    assert changing.get(f"/issues/{ident(2)}/photos/{start}").status_code == 404
    for other in (start[:8], "0" * 16, "x" * 16, start.upper() if start.upper() != start else "F" * 16, "%2e%2e"):
        assert changing.get(f"/issues/{ident(1)}/photos/{other}").status_code == 404


def test_the_file_holds_what_the_filter_says(client):
    answer = client.get("/export.geojson?town=甲镇&category=toilet_dry")
    assert answer.headers["content-type"] == "application/geo+json"
    assert answer.headers["content-disposition"] == 'attachment; filename="tiny_449923101_2026-03-20.geojson"'
    found = json.loads(answer.content)
    assert found["type"] == "FeatureCollection"
    assert {feature["properties"]["category"] for feature in found["features"]} == {"toilet_dry"}
    assert len(json.loads(client.get("/export.geojson").content)["features"]) == 60


def test_a_file_for_others_leaves_out_what_they_may_not_see(client):
    office = client.get("/export.geojson?for=office").json()["features"]
    public = client.get("/export.geojson?for=public").json()["features"]
    assert len(office) == 50  # without the 10 households
    assert "household_housing" not in {f["properties"]["category"] for f in office}
    hidden = [f for f in public if f["properties"]["category"] == "mudbrick_house"]
    assert hidden
    assert all(f["geometry"] is None for f in hidden)
    assert all(not f["properties"]["description"] for f in public)


def test_another_datum_says_so_in_the_name_and_in_the_file(client):
    answer = client.get("/export.geojson?datum=gcj02")
    assert answer.headers["content-disposition"].endswith('.gcj02.geojson"')
    moved = answer.json()
    assert moved["datum"] == "gcj02"
    plain = client.get("/export.geojson").json()
    pairs = zip(moved["features"], plain["features"], strict=True)
    assert all(a["geometry"] != b["geometry"] for a, b in pairs if b["geometry"])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("for=me", "value_unknown"),
        ("datum=wgs72", "value_unknown"),
        ("limit=5", "parameter_unknown"),
        ("town=丁镇", "unknown_town"),
        ("for=", "parameter_unreadable"),
    ],
)
def test_a_refusal_comes_before_the_file_begins(client, query, code):
    answer = client.get(f"/export.geojson?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (["tiny", "449923101", "2026-03-20"], "tiny_449923101_2026-03-20.geojson"),
        (['a"b\r\nset-cookie: x', "", "../.."], "a-b-set-cookie-x.geojson"),
        (["县"], "issues.geojson"),
    ],
)
def test_file_names_are_plain(parts, name):
    assert file_name(parts, "wgs84") == name
    assert file_name(parts, "gcj02") == name.replace(".geojson", ".gcj02.geojson")
