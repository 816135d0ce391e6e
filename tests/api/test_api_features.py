"""Collections: filters, pages, links, what is refused. Issue n of the tiny county lies in village n mod 9."""

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from villagemap.api.deps import MOST_LIMIT, after_of, cursor_of
from villagemap.api.deps import Page as PageAsked
from villagemap.errors import WrongUseError
from villagemap.model import Change

ISSUES = "/collections/issues/items"


def features(client, path: str) -> list[dict]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    return answer.json()["features"]


def all_pages(client, path: str) -> list[dict]:
    """Every feature, by following the next links."""
    found = []
    while path:
        page = client.get(path).json()
        assert page["numberReturned"] == len(page["features"])
        found += page["features"]
        links = {link["rel"]: link["href"] for link in page["links"]}
        parts = urlsplit(links.get("next", ""))
        path = f"{parts.path}?{parts.query}" if parts.path else ""
    return found


@pytest.mark.parametrize("limit", [1, 7, 30, 60, 61])
def test_pages_give_every_issue_once(client, limit):
    found = all_pages(client, f"{ISSUES}?limit={limit}")
    assert len(found) == 60
    assert len({feature["id"] for feature in found}) == 60


def test_a_page_keeps_its_filter(client):
    query = "town=449923101&status=closed&count=true"
    found = all_pages(client, f"{ISSUES}?limit=1&{query}")
    assert found == features(client, f"{ISSUES}?{query}")
    assert 2 <= len(found) < 12


def test_the_first_page_counts_and_others_only_if_asked(client):
    first = client.get(f"{ISSUES}?limit=10").json()
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    assert first["numberMatched"] == 60
    assert "numberMatched" not in client.get(following).json()
    assert client.get(following + "&count=true").json()["numberMatched"] == 60
    assert "numberMatched" not in client.get(f"{ISSUES}?limit=10&count=false").json()
    assert client.get(f"{ISSUES}?town=甲镇&limit=2").json()["numberMatched"] == 21


def test_the_next_page_holds_while_issues_are_added(changing, tiny):
    first = changing.get(f"{ISSUES}?limit=50").json()
    issue = tiny.store.issue(first["features"][0]["id"])
    with tiny.store.writing() as writer:
        changed = replace(issue, severity=5)
        writer.record([Change(kind="edit", issue=changed, at=datetime(2026, 3, 19, tzinfo=UTC), actor="owner")])
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    rest = changing.get(following).json()["features"]
    assert len({f["id"] for f in first["features"]} | {f["id"] for f in rest}) == 60


def test_every_property_is_in_every_feature(client):
    """QGIS learns the fields from the first ten."""
    found = features(client, f"{ISSUES}?limit=10")
    assert {
        "id", "number", "town_code", "town", "village_code", "village", "category", "status", "severity",
        "quantity_found", "quantity_done", "unit", "source", "found_on", "due_on", "claimed_closed_on", "closed_on",
        "description", "lead_unit", "revision",
    } <= set(found[0]["properties"])  # fmt: skip
    assert {frozenset(feature["properties"]) for feature in found} == {frozenset(found[0]["properties"])}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 60),
        ("town=449923101", 21),
        ("town=乙镇", 21),
        ("town=甲镇,丙镇", 39),
        ("town=甲镇&town=丙镇", 39),
        ("village=449923101200", 7),
        ("village=东村&town=乙镇", 7),
        ("category=toilet_dry", 10),
        ("category=toilet_dry,black_water", 20),
        ("status=closed", 12),
        ("status=closed&status=returned", 24),
        ("severity=5", 12),
        ("severity=1,2", 24),
        ("located=inside", 60),
        ("located=unlocated", 0),
        ("found_from=2026-02-10&found_to=2026-02-10", 2),
        ("datetime=2026-02-10", 2),
        ("datetime=2026-02-10/2026-02-12", 6),
        ("datetime=../2026-02-01", 2),
        ("datetime=2026-03-12/..", 1),
        ("datetime=/2026-02-01", 2),
        ("datetime=2026-02-09T16:00:00Z", 2),  # midnight in Asia/Shanghai
        ("datetime=2026-02-10/2026-02-12&found_from=2026-02-12", 2),
        ("bbox=111.1,20.6,111.2,20.7", None),
        ("bbox=0,0,1,1", 0),
        ("bbox=111.1,20.6,-50,111.2,20.7,50", None),
        ("overdue=false", 60),
    ],
)
def test_filters(client, query, count):
    found = features(client, f"{ISSUES}?limit=100&{query}")
    if count is None:  # those of village 4 (0 mod 9) that have a position
        assert found == features(client, f"{ISSUES}?limit=100&village=449923101200&bbox=111.1,20.6,111.2,20.7")
        assert len(found) == len([f for f in features(client, f"{ISSUES}?village=449923101200") if f["geometry"]]) > 0
    else:
        assert len(found) == count


def test_overdue_is_what_runs_past_its_deadline(client):
    found = features(client, f"{ISSUES}?overdue=true")
    assert found
    for feature in found:
        assert feature["properties"]["due_on"] < "2026-03-20"
        assert feature["properties"]["status"] in {"registered", "rectifying", "returned"}
    everything = features(client, ISSUES)
    running = [f for f in everything if f["properties"]["status"] in {"registered", "rectifying", "returned"}]
    assert len(found) == len([f for f in running if (f["properties"]["due_on"] or "9") < "2026-03-20"])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("colour=red", "parameter_unknown"),
        ("Town=449923101", "parameter_unknown"),
        ("filter=severity=5", "parameter_unknown"),
        ("town=", "parameter_unreadable"),
        ("town=甲镇,", "parameter_unreadable"),
        ("town=丁镇", "unknown_town"),
        ("village=东村", "ambiguous_place"),
        ("village=北村&town=甲镇", "unknown_village"),
        ("category=nonsense", "unknown_categories"),
        ("category=" + ",".join(["toilet_dry"] * 3 + [f"x{n}" for n in range(200)]), "parameter_unreadable"),
        ("status=done", "unknown_statuses"),
        ("severity=6", "value_unknown"),
        ("severity=5.0", "value_unknown"),
        ("severity=٥", "value_unknown"),
        ("located=here", "value_unknown"),
        ("overdue=1", "value_unknown"),
        ("count=yes", "value_unknown"),
        ("limit=0", "parameter_unreadable"),
        ("limit=-1", "parameter_unreadable"),
        ("limit=ten", "parameter_unreadable"),
        ("limit=1e3", "parameter_unreadable"),
        ("limit=٣", "parameter_unreadable"),
        ("limit=5&limit=6", "parameter_unreadable"),
        ("cursor=nonsense", "parameter_unreadable"),
        ("cursor=dG93bnM6MQ", "parameter_unreadable"),  # towns:1
        ("cursor=aXNzdWVzOi0x", "parameter_unreadable"),  # issues:-1
        ("bbox=1,2,3", "bbox_unreadable"),
        ("bbox=1,2,3,4,5", "bbox_unreadable"),
        ("bbox=a,b,c,d", "bbox_unreadable"),
        ("bbox=nan,0,1,1", "bbox_unreadable"),
        ("bbox=0,0,inf,1", "bbox_unreadable"),
        ("bbox=20.6,111.1,20.7,111.2", "bbox_unreadable"),  # axes swapped
        ("bbox=111.2,20.6,111.1,20.7", "bbox_unreadable"),
        ("bbox=1_0,0,20,1", "bbox_unreadable"),
        ("datetime=yesterday", "date_unreadable"),
        ("datetime=2026-02-30", "date_unreadable"),
        ("datetime=2026-02-10T08:00:00", "date_unreadable"),
        ("datetime=2026-02-12/2026-02-10", "date_unreadable"),
        ("datetime=../..", "date_unreadable"),
        ("datetime=2026-01-01/2026-01-02/2026-01-03", "date_unreadable"),
        ("datetime=9999-12-31T23:59:59Z", "date_unreadable"),
        ("found_from=20260210", "date_unreadable"),
        ("found_to=2026-W07-2", "date_unreadable"),
        ("f=html", "parameter_unknown"),
    ],
)
def test_what_cannot_be_meant_is_refused(client, query, code):
    answer = client.get(f"{ISSUES}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert problem["status"] == 400
    assert problem["instance"] == ISSUES
    assert problem["detail"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["town", "village", "category", "status", "severity", "limit", "cursor", "bbox", "datetime"]),
    value=st.text(max_size=30),
)
def test_no_value_breaks_it(client, name, value):
    assert client.get(ISSUES, params={name: value}).status_code in {200, 400}


def test_candidates_are_named(client):
    problem = client.get(f"{ISSUES}?village=东村").json()
    assert len(problem["params"]["candidates"]) == 3
    assert "乙镇" in problem["detail"]


def test_a_limit_above_the_maximum_is_the_maximum(client):
    assert len(features(client, f"{ISSUES}?limit={MOST_LIMIT + 1}")) == 60
    assert len(features(client, f"{ISSUES}?limit=99999999999")) == 60


@given(after=st.integers(0, 10**18 - 1))
def test_cursors_close(after):
    assert after_of("issues", PageAsked(1, cursor_of("issues", after))) == after
    with pytest.raises(WrongUseError):
        after_of("towns", PageAsked(1, cursor_of("issues", after)))


def test_one_issue_by_id_and_number(client):
    feature = features(client, f"{ISSUES}?limit=1")[0]
    for word in (feature["id"], feature["properties"]["number"]):
        one = client.get(f"{ISSUES}/{word}").json()
        assert {name: one[name] for name in feature} == feature
        assert {link["rel"] for link in one["links"]} == {"self", "collection"}
    assert client.get(f"{ISSUES}/none").json()["code"] == "unknown_issue"


@pytest.mark.parametrize(("collection", "count"), [("towns", 3), ("villages", 9), ("hamlets", 27)])
def test_places(client, collection, count):
    found = all_pages(client, f"/collections/{collection}/items?limit=4")
    assert len(found) == count
    assert {
        "place_id", "code", "name", "short_name", "level", "parent_code", "households", "approximate", "seat",
    } <= set(found[0]["properties"])  # fmt: skip
    assert client.get(f"/collections/{collection}/items?limit=1").json()["numberMatched"] == count
    one = client.get(f"/collections/{collection}/items/{found[0]['id']}").json()
    assert one["properties"] == found[0]["properties"]


def test_places_of_a_town_and_of_an_extent(client):
    assert len(features(client, "/collections/villages/items?town=449923102")) == 3
    assert len(features(client, "/collections/hamlets/items?town=乙镇")) == 9
    assert len(features(client, "/collections/villages/items?bbox=111.11,20.61,111.12,20.62")) == 1
    assert client.get("/collections/villages/items?town=丁镇").json()["code"] == "unknown_town"
    assert client.get("/collections/villages/items?category=toilet_dry").json()["code"] == "parameter_unknown"


def test_an_old_code_leads_to_the_new_one(changing, tiny):
    town = next(place for place in tiny.store.places() if place.name == "甲镇")
    with tiny.store.writing() as writer:
        renamed = replace(town, code="449923001", name="甲街道", former_codes=("449923101",))
        writer.put_places([renamed], actor="owner", at=datetime(2026, 3, 19, tzinfo=UTC))
    answer = changing.get("/collections/towns/items/449923101")
    assert (answer.status_code, answer.headers["location"]) == (308, "/collections/towns/items/449923001")
    assert changing.get("/collections/towns/items/449923001").json()["properties"]["name"] == "甲街道"
    assert changing.get("/collections/towns/items/t1").headers["location"] == "/collections/towns/items/449923001"
    assert changing.get("/collections/villages/items/449923001").status_code == 404


def test_landing_and_collections(client):
    landing = client.get("/", headers={"accept": "application/json"}).json()
    rels = {link["rel"]: urlsplit(link["href"]).path for link in landing["links"]}
    assert rels["data"] == "/collections"
    for path in rels.values():
        assert client.get(path).status_code == 200
    listed = client.get("/collections").json()["collections"]
    assert [entry["id"] for entry in listed] == ["issues", "towns", "villages", "hamlets"]
    assert listed[0]["extent"]["spatial"]["bbox"] == [[111.1, 20.6, 111.4, 20.9]]
    for entry in listed:
        assert client.get(f"/collections/{entry['id']}").json() == entry
        for link in entry["links"]:
            assert client.get(urlsplit(link["href"]).path).headers["content-type"] == link["type"]
    assert client.get("/collections/roads").json()["code"] == "collection_unknown"
    assert client.get("/collections/roads/items").json()["code"] == "collection_unknown"


def test_queryables_are_parameters(client):
    documented = client.get("/openapi.json").json()["paths"]
    for collection in ("issues", "towns", "villages", "hamlets"):
        schema = client.get(f"/collections/{collection}/queryables").json()
        path = ISSUES if collection == "issues" else "/collections/{collection}/items"
        names = {parameter["name"] for parameter in documented[path]["get"]["parameters"]}
        assert set(schema["properties"]) - {"geometry"} <= names
    assert "toilet_dry" in client.get("/collections/issues/queryables").json()["properties"]["category"]["enum"]


def test_an_empty_county_has_empty_collections(asking, empty):
    client = asking(empty)
    for collection in ("issues", "towns", "villages", "hamlets"):
        page = client.get(f"/collections/{collection}/items").json()
        assert (page["features"], page["numberMatched"]) == ([], 0)
        assert "extent" not in client.get(f"/collections/{collection}").json()
