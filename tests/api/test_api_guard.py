"""Only this computer is let in, and every answer wears its headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from villagemap.api.app import create_app
from villagemap.api.guard import LOCAL_HOSTS, MOST_ADDRESS_BYTES, MOST_BODY_BYTES, Guard, check, host_name
from villagemap.api.problems import SECURITY
from villagemap.errors import ForbiddenError, TooLargeError


def scope(*headers: tuple[str, str], host: str | None = "localhost:8000", method: str = "GET", path: str = "/"):
    given_headers = [*([("host", host)] if host is not None else []), *headers]
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given_headers],
    }


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "LocalHost"]
)
def test_this_computer_is_let_in(host):
    check(scope(host=host))


@pytest.mark.parametrize(
    "host",
    [
        None, "", "example.com", "localhost.example.com", "127.0.0.1.example.com", "localhost:8000.example.com", "::1",
        "192.0.2.7:8000", "localhost@example.com", "localhost:", "[::1", "0.0.0.0", "127.0.0.2", "localhost:80:80",
        "example.com#localhost", "localhost, example.com",
    ],
)  # fmt: skip
def test_any_other_name_is_not(host):
    with pytest.raises(ForbiddenError) as fault:
        check(scope(host=host))
    assert fault.value.code == "host_foreign"


@given(st.text(alphabet=st.characters(codec="latin-1", exclude_characters="\0"), max_size=40))
def test_what_passes_is_a_local_name_and_a_port(host):
    name = host_name(host)
    if name in LOCAL_HOSTS:
        rest = host[len(name) :]
        assert host.lower().startswith(name)
        assert rest == "" or (rest[0] == ":" and rest[1:].isdecimal())


def test_two_hosts_are_none():
    with pytest.raises(ForbiddenError):
        check(scope(("host", "localhost:8000")))


@pytest.mark.parametrize(
    "name", ["forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-client-ip"]
)
def test_nothing_comes_through_a_proxy(name):
    with pytest.raises(ForbiddenError) as fault:
        check(scope((name, "127.0.0.1")))
    assert fault.value.code == "request_forwarded"


@pytest.mark.parametrize(
    "headers",
    [
        [("origin", "http://example.com")],
        [("origin", "null")],
        [("origin", "https://localhost:8000")],
        [("origin", "http://localhost:8001")],
        [("origin", "http://127.0.0.1:8000")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("origin", "http://localhost:8000"), ("sec-fetch-site", "cross-site")],
    ],
)
def test_no_other_origin_reads_through_a_visitor(headers):
    with pytest.raises(ForbiddenError) as fault:
        check(scope(*headers))
    assert fault.value.code == "origin_foreign"


@pytest.mark.parametrize(
    "headers",
    [[("origin", "http://localhost:8000")], [("sec-fetch-site", "same-origin")], [("sec-fetch-site", "none")], []],
)
def test_our_own_pages_are_let_in(headers):
    check(scope(*headers))


@pytest.mark.parametrize("length", [str(MOST_BODY_BYTES + 1), "-1", "many", "1e3", "99999999999999999999"])
def test_a_body_that_announces_too_much_is_refused(length):
    with pytest.raises(TooLargeError):
        check(scope(("content-length", length), method="POST"))


def test_a_body_is_counted_as_it_comes():
    """A chunked body announces nothing."""
    read = []

    async def reading(_scope, receive, _send):
        while True:
            message = await receive()
            read.append(len(message["body"]))

    async def receive():
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": True}

    async def send(_message):
        pass

    with pytest.raises(TooLargeError):
        Guard(reading)(scope(("origin", "http://localhost:8000"), method="POST"), receive, send).send(
            None
        )  # nothing here waits, so no loop is needed
    assert sum(read) <= MOST_BODY_BYTES


def test_refusals_are_problems_with_a_sentence(client):
    answer = client.get("/health", headers={"host": "example.com"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "host_foreign"
    assert "example.com" in answer.json()["detail"]
    long = client.get("/health?" + "a" * (MOST_ADDRESS_BYTES + 1))
    assert (long.status_code, long.json()["code"]) == (414, "address_too_long")
    large = client.post("/health", content=b"x" * (MOST_BODY_BYTES + 1))
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "path", ["/", "/health", "/nope", "/collections/issues/items", "/static/map.css", "/towns/449923101/map"]
)
def test_every_answer_wears_the_headers(client, path):
    headers = client.get(path).headers
    for name in SECURITY:
        assert name in headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert not any(name.startswith("access-control-") for name in headers)


def test_a_fault_of_ours_wears_them_too_and_tells_no_trace(unchanged):
    app = create_app(unchanged)

    def broken():
        raise ZeroDivisionError("secret")

    app.add_api_route("/broken", broken)
    answer = TestClient(app, base_url="http://localhost", raise_server_exceptions=False).get("/broken")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_fault"
    assert set(SECURITY) <= set(answer.headers)
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_head_is_get_without_a_body(client):
    get, head = client.get("/health"), client.head("/health")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
