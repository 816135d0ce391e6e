"""With users, everybody says who they are: by a cookie from the login page or a link, or by a program's token."""

import re
from importlib import import_module
from pkgutil import walk_packages

import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from conftest import TODAY, fill_tiny
from villagemap import api
from villagemap.api.app import create_app
from villagemap.api.guard import check
from villagemap.api.identity import COOKIE, OWN, PUBLIC, is_public, own_path
from villagemap.api.tls import Authority
from villagemap.auth import OWNER
from villagemap.errors import ForbiddenError
from villagemap.flows.people import accounts, links
from villagemap.flows.registry import Session
from villagemap.flows.workspace import init_workspace, open_workspace
from villagemap.settings import Settings

HOME = "http://localhost"
FROM_HERE = {"origin": HOME}
PASSWORD = "correct horse battery"
SAMPLES = {
    "code": "449923101", "collection": "towns", "issue_id": "019c0000-0000-7000-8000-000000000001",
    "path": "map.css", "start": "0123456789abcdef", "town": "449923101", "x": "207", "y": "112", "zoom": "8",
}  # fmt: skip
ROUTERS = [
    thing
    for module in walk_packages(api.__path__, "villagemap.api.")
    for thing in vars(import_module(module.name)).values()
    if isinstance(thing, APIRouter)
]
"""All there are: a new room's routes are walked without being listed here."""
ROUTES = sorted(
    {("GET", "/openapi.json")}
    | {
        (method, re.sub(r"\{(\w+)(?::path)?\}", lambda found: SAMPLES.get(found[1], "x"), route.path))
        for router in ROUTERS
        for route in router.routes
        for method in route.methods
    }
)


def peopled(workspace):
    """The owner of a county in which anna works in 甲镇, berta in 乙镇, and carl may nothing."""
    session = Session(workspace, OWNER)
    for login in ("anna", "berta", "carl"):
        accounts.add_user(session, login, PASSWORD, name=f"{login}'s name")
    accounts.grant(session, "anna", "town_cadre", places=["甲镇"])
    accounts.grant(session, "berta", "town_cadre", places=["乙镇"])
    return session


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    """A county with people, for tests that change nothing of it but tokens."""
    folder = tmp_path_factory.mktemp("settled") / "county"
    init_workspace(folder, Settings(county="tiny", name="小县", code="449923", today=TODAY))
    workspace = open_workspace(folder)
    fill_tiny(workspace)
    yield peopled(workspace)
    workspace.close()


@pytest.fixture(scope="module")
def settled_app(settled):
    return create_app(settled.workspace, authority=Authority(b"der", "AB:CD"))


@pytest.fixture
def office(tiny):
    """A county with people, for the test to change as it likes."""
    return peopled(tiny)


@pytest.fixture
def app(office):
    return create_app(office.workspace, authority=Authority(b"der", "AB:CD"))


def anonymous(app, base_url=HOME):
    return TestClient(app, base_url=base_url, raise_server_exceptions=False, follow_redirects=False)


def program(office, app, user):
    """A program that works as somebody."""
    client = anonymous(app)
    client.headers["authorization"] = f"Bearer {accounts.make_api_token(office, user, name='test').secret}"
    return client


def log_in(app, login="anna", base_url=HOME, **more):
    client = anonymous(app, base_url)
    answer = client.post("/login", data={"login": login, "password": PASSWORD, **more}, headers={"origin": base_url})
    assert answer.status_code == 303, answer.text
    return client, answer


# All routes


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_who_doesnt_say_who_they_are_gets_nothing(settled_app, method, path):
    answer = anonymous(settled_app).request(method, path, headers=FROM_HERE)
    if is_public(path):
        assert answer.status_code in {200, 401, 404}
        assert "甲镇" not in answer.text
    else:
        assert (answer.status_code, answer.json()["code"]) == (401, "login_required")
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if not is_public(route[1])])
def test_who_has_no_grant_gets_nothing(settled, settled_app, method, path):
    answer = program(settled, settled_app, "carl").request(method, path, headers=FROM_HERE)
    if path in OWN:
        assert answer.status_code in {200, 303}
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if not is_public(route[1])])
def test_a_token_that_ended_opens_nothing(settled, settled_app, method, path):
    opened = accounts.make_api_token(settled, "anna", name="ended")
    accounts.revoke_token(settled, opened.id)
    headers = FROM_HERE | {"authorization": f"Bearer {opened.secret}"}
    answer = anonymous(settled_app).request(method, path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


def test_an_address_that_isnt_there_isnt_told_either(settled_app):
    assert anonymous(settled_app).get("/no/such/page").status_code == 401


def test_public_addresses_are_these(settled_app):
    assert {"/health", "/login", "/link", "/ca", "/ca.crt", "/favicon.ico"} == PUBLIC
    assert not is_public("/static")
    assert not is_public("/staticx")
    assert not is_public("/health/")
    assert anonymous(settled_app).get("/health").json() == {"status": "ok"}


def test_without_users_the_owner_needs_no_login(unchanged):
    client = anonymous(create_app(unchanged))
    assert client.get("/").status_code == 200
    assert client.get("/health").json()["county"] == "tiny"
    assert client.get("/ca").status_code == 404


def test_from_the_first_user_on_a_running_server_asks(tiny):
    client = anonymous(create_app(tiny))
    assert client.get("/collections").status_code == 200
    accounts.add_user(Session(tiny, OWNER), "anna", PASSWORD)
    assert client.get("/collections").status_code == 401


# The login page


def test_a_person_is_led_to_the_login_page_and_back(settled_app):
    asked = anonymous(settled_app).get("/towns/449923101/map?lang=en", headers={"accept": "text/html"})
    assert asked.status_code == 303
    assert asked.headers["location"] == "/login?next=%2Ftowns%2F449923101%2Fmap%3Flang%3Den"
    page = anonymous(settled_app).get(asked.headers["location"])
    wanted = re.search(r'name="next" value="([^"]*)"', page.text)[1]
    client, answer = log_in(settled_app, next=wanted)
    assert answer.headers["location"] == "/towns/449923101/map?lang=en"
    assert client.get("/towns/449923101/map").status_code == 200


def test_the_cookie_is_out_of_scripts_and_other_sites_reach(settled_app):
    for base_url, secure in ((HOME, False), ("https://localhost", True)):
        client, answer = log_in(settled_app, base_url=base_url)
        cookie = answer.headers["set-cookie"].lower()
        assert cookie.startswith(f"{COOKIE}=")
        assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in cookie.split(";")}
        assert ("secure" in cookie) is secure
        assert answer.headers["cache-control"] == "no-store"
        assert client.get("/collections").status_code == 200


def test_logging_out_ends_the_token_and_not_only_the_cookie(settled_app):
    client, _ = log_in(settled_app)
    token = client.cookies[COOKIE]
    answer = client.post("/logout", headers=FROM_HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert COOKIE not in client.cookies
    client.cookies.set(COOKIE, token)
    assert client.get("/collections").status_code == 401


def test_the_page_says_what_went_wrong_and_keeps_the_name(app):
    client = anonymous(app)
    for login in ("anna", "nobody_here"):
        form = {"login": login, "password": "<b>wrong", "next": "/collections"}
        answer = client.post("/login", data=form, headers=FROM_HERE | {"accept-language": "en"})
        assert answer.status_code == 401
        assert "The name or the password is wrong" in answer.text
        assert f'value="{login}"' in answer.text
        assert 'value="/collections"' in answer.text
        assert "&lt;b&gt;" not in answer.text
        assert "<b>wrong" not in answer.text
        assert "set-cookie" not in answer.headers


def test_too_many_attempts_are_told_when_to_come_back(app):
    form = {"login": '"><script>', "password": "wrong password"}
    answers = [anonymous(app).post("/login", data=form, headers=FROM_HERE) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "900"
    assert '"><script>' not in answers[-1].text


def test_a_form_that_is_none_logs_nobody_in(app):
    headers = FROM_HERE | {"content-type": "application/x-www-form-urlencoded"}
    for content in (b"", b"\xff\xfe", b"login", b"a=1&" * 200, b"login=anna&password=%ff"):
        assert anonymous(app).post("/login", content=content, headers=headers).status_code == 401


@given(st.text(max_size=60) | st.sampled_from(["//x.example", "/\\x.example", "/\t/x.example", "https://x.example"]))
def test_nobody_is_led_to_another_host(wanted):
    path = own_path(wanted)
    assert re.match(r"/(?![/\\])", path)
    assert not re.search(r"[\x00-\x20\\\x7f-\U0010ffff]", path)


def test_who_is_logged_in_stands_on_the_pages(settled_app):
    client, _ = log_in(settled_app)
    assert "anna&#39;s name" in client.get("/me").text
    assert "anna&#39;s name" in client.get("/", headers={"accept": "text/html"}).text


@pytest.mark.parametrize("path", ["/login", "/link", "/me", "/ca"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_pages_speak_both_languages_and_run_nothing_strange(settled_app, path, lang):
    client, _ = log_in(settled_app)
    answer = client.get(path, params={"lang": lang})
    assert answer.status_code == 200
    assert answer.headers["content-language"] == lang
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert ("script-src 'self'" in policy) is (path == "/link")


# What they see


def test_everybody_sees_their_own_towns_and_no_other(settled, settled_app):
    seen = {}
    for user in ("anna", "berta"):
        found = program(settled, settled_app, user).get("/collections/issues/items?limit=100").json()
        seen[user] = {feature["properties"]["town_code"] for feature in found["features"]}
        assert len(found["features"]) == found["numberMatched"]
    assert seen == {"anna": {"449923101"}, "berta": {"449923102"}}


def test_a_tile_of_one_isnt_taken_for_another_users(settled, settled_app):
    path = "/tiles/issues/8/207/112"
    tag = program(settled, settled_app, "anna").get(path).headers["etag"]
    assert program(settled, settled_app, "anna").get(path, headers={"if-none-match": tag}).status_code == 304
    assert program(settled, settled_app, "berta").get(path, headers={"if-none-match": tag}).status_code == 200


def test_a_grant_taken_back_counts_with_the_next_request(office, app):
    client = program(office, app, "anna")
    assert client.get("/collections").status_code == 200
    accounts.revoke_grant(office, "g1")
    assert client.get("/collections").status_code == 403


# Links


def test_a_link_is_posted_once_for_a_cookie(settled, settled_app):
    made = links.make_link(settled, name="甲镇", places=["甲镇"], uses=1)
    client = anonymous(settled_app)
    page = client.get("/link")
    assert 'src="/static/link.js"' in page.text
    answer = client.post("/link", data={"secret": made.secret}, headers=FROM_HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert made.secret not in answer.headers["set-cookie"]
    assert client.get("/", headers={"accept": "text/html"}).status_code == 200
    found = client.get("/collections/issues/items?limit=100").json()["features"]
    assert {feature["properties"]["town_code"] for feature in found} == {"449923101"}
    assert {feature["properties"]["description"] for feature in found} == {None}
    again = anonymous(settled_app).post(
        "/link", data={"secret": made.secret}, headers=FROM_HERE | {"accept-language": "en"}
    )
    assert again.status_code == 401
    assert "This link isn" in again.text


def test_a_whole_address_may_be_pasted(settled, settled_app):
    made = links.make_link(settled, name="甲镇", places=["甲镇"])
    form = {"secret": f" https://county.example/link#{made.secret} "}
    assert anonymous(settled_app).post("/link", data=form, headers=FROM_HERE).status_code == 303


# Writes come from our own pages


WRITES = [(method, path) for method, path in ROUTES if method not in {"GET", "HEAD"}]


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://example.com"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": HOME, "sec-fetch-site": "cross-site"},
        {"origin": "http://localhost:8001", "sec-fetch-site": "same-origin"},
        {"origin": "https://example.com", "sec-fetch-mode": "navigate"},
        {"authorization": "Basic YTpi"},
    ],
)
def test_a_write_from_elsewhere_is_refused(settled_app, method, path, headers):
    answer = anonymous(settled_app).request(method, path, headers=headers, data={"login": "anna", "password": PASSWORD})
    assert answer.status_code == 403
    assert answer.json()["code"] in {"write_without_origin", "origin_foreign"}
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("headers", [FROM_HERE, {"sec-fetch-site": "same-origin"}, {"authorization": "Bearer x"}])
def test_a_write_from_here_or_with_a_token_is_heard(settled_app, headers):
    assert anonymous(settled_app).post("/link", data={"secret": "x"}, headers=headers).status_code == 401


def test_a_message_may_lead_to_open_pages_and_no_others(settled_app):
    from_chat = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    client, _ = log_in(settled_app)
    assert {path: client.get(path, headers=from_chat).status_code for path in ("/link", "/login", "/ca", "/")} == {
        "/link": 200, "/login": 200, "/ca": 200, "/": 403,
    }  # fmt: skip
    assert client.get("/link", headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_the_server_answers_to_its_names_and_no_other(settled):
    app = create_app(settled.workspace, hosts=["county.example", "192.0.2.7", "[2001:db8::1]"])
    for host in ("county.example:8000", "192.0.2.7", "[2001:db8::1]:8000", "localhost"):
        assert anonymous(app, f"http://{host}").get("/health").status_code == 200, host
    for host in ("other.example", "192.0.2.8", "[2001:db8::2]"):
        assert anonymous(app, f"http://{host}").get("/health").status_code == 403, host


def test_names_count_only_where_they_are_given():
    scope = {
        "type": "http", "method": "GET", "scheme": "http", "path": "/", "raw_path": b"/", "query_string": b"",
        "headers": [(b"host", b"county.example")],
    }  # fmt: skip
    with pytest.raises(ForbiddenError):
        check(scope)
    check(scope, {"county.example"})
