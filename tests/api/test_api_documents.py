"""The description says what is, in a form that readers of OpenAPI 3.0 take."""

from collections.abc import Iterator
from typing import Any

from villagemap.api.documents import FEATURE, TILE
from villagemap.api.issues import CARD
from villagemap.api.work import ACTED, REPORTED

OURS = {"origin": "http://localhost"}


def schemas(value: Any) -> Iterator[dict]:
    """Every schema in a document."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "schema":
                yield from all_below(part)
            elif name not in {"example", "examples"}:
                yield from schemas(part)
    elif isinstance(value, list):
        for part in value:
            yield from schemas(part)


def all_below(schema: dict) -> Iterator[dict]:
    yield schema
    for part in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from all_below(part)


def test_it_is_openapi_3_0(client):
    answer = client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json;version=3.0"
    told = answer.json()
    assert told["openapi"].startswith("3.0.")
    found = list(schemas(told))
    assert len(found) > 50
    for schema in found:  # what only 3.1 knows
        assert not {"const", "examples", "prefixItems", "$defs"} & set(schema)
        assert not isinstance(schema.get("type"), list)
        assert schema.get("type") != "null"
        assert all(part.get("type") != "null" for part in schema.get("anyOf", ()))


def test_every_route_tells_its_parameters_with_an_example_and_its_faults(client):
    paths = client.get("/openapi.json").json()["paths"]
    operations = [(path, operation) for path, told in paths.items() for operation in told.values()]
    assert len({operation["operationId"] for _, operation in operations}) == len(operations)
    for path, operation in operations:
        assert operation["summary"], path
        assert "422" not in operation["responses"], path
        assert "400" in operation["responses"], path
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                assert parameter["description"], (path, parameter["name"])
                assert parameter["examples"], (path, parameter["name"])


def test_every_example_is_taken(client):
    """What the description shows as an example is never called unknown or unreadable."""
    for path, told in client.get("/openapi.json").json()["paths"].items():
        for parameter in told.get("get", {}).get("parameters", ()):
            if parameter["in"] != "query" or "{" in path or parameter["name"] in {"town", "village", "cursor"}:
                continue
            value = parameter["examples"]["example"]["value"]
            assert client.get(path, params={parameter["name"]: value}).status_code == 200, (path, parameter["name"])


def test_examples_have_the_shape_of_answers(client):
    feature = client.get("/collections/issues/items?limit=1").json()["features"][0]
    assert set(FEATURE) == set(feature)
    assert set(FEATURE["properties"]) == set(feature["properties"])
    assert set(TILE) == set(client.get("/tiles/issues/8/207/112").json())
    card = client.get("/issues/019c0000-0000-7000-8000-000000000001").json()
    assert set(CARD) <= set(card)
    assert set(CARD["events"][0]) == set(card["events"][0])


def test_every_write_of_a_days_work_tells_what_it_takes(client):
    paths = client.get("/openapi.json").json()["paths"]
    writes = [path for path, told in paths.items() if "post" in told and told["post"]["tags"] == ["work"]]
    assert len(writes) == 3
    for path in (*writes, "/campaigns", "/sweeps/{sweep}/board", "/sweeps/{sweep}/check-in"):
        content = paths[path]["post"]["requestBody"]["content"]
        for form in content.values():
            assert all(field["description"] for field in form["schema"]["properties"].values()), path
        pictured = "photo" in content["multipart/form-data"]["schema"]["properties"]
        assert pictured == (path not in {"/campaigns", "/sweeps/{sweep}/board"}), path


def test_examples_have_the_shape_of_what_a_write_answers(changing):
    reported = changing.post("/report", json={"category": "toilet_dry", "village": "449923101200"}, headers=OURS)
    assert (reported.status_code, set(REPORTED)) == (201, set(reported.json()))
    acted = changing.post(f"/issues/{reported.json()['id']}/actions/register", json={}, headers=OURS)
    assert (acted.status_code, set(ACTED)) == (200, set(acted.json()))
