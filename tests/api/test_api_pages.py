"""The home page's figures and words, the map page, our files."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from villagemap.api.pages import bar_of
from villagemap.auth import OWNER
from villagemap.flows.cases.issues import county_table
from villagemap.flows.places import import_places
from villagemap.flows.registry import Session
from villagemap.model import Counts
from villagemap.settings import shown_files

HTML = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def cells(page: str) -> list[list[str]]:
    """The table's rows as texts."""
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    plain = [
        [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        for row in rows
    ]
    return [[cell for number, cell in enumerate(row) if number != 1] for row in plain]


def test_the_table_shows_what_is_counted(client, session):
    total, rows = county_table(session)
    page = client.get("/", headers=HTML).text
    head, *body, foot = cells(page)
    assert head == ["镇", "问题总数", "未销号", "超期", "自报完成", "核实销号"]

    def shown(name: str, c: Counts) -> list[str]:
        return [name, *(str(n) for n in (c.found, c.open, c.overdue, c.claimed, c.verified))]

    assert body == [shown(row.town.name, row.counts) for row in rows if row.town]
    assert foot == shown("全县", total)
    assert total.found == sum(row.counts.found for row in rows)
    assert f"小县：{total.open}\u202f件未销号，其中 {total.overdue}\u202f件超期，3 个镇中 3 个有超期" in page


def test_each_town_leads_to_its_map(client):
    links = re.findall(r'href="(/towns/[^"]*/map)"', client.get("/", headers=HTML).text)
    assert links == [f"/towns/44992310{n}/map" for n in (1, 2, 3)]
    assert {client.get(link, headers=HTML).status_code for link in links} == {200}


@pytest.mark.parametrize(
    ("headers", "query", "lang"),
    [
        ({}, "", "zh-CN"),
        ({"accept-language": "en-US"}, "", "en"),
        ({"accept-language": "en-US"}, "?lang=zh", "zh-CN"),
        ({}, "?lang=en", "en"),
        ({"cookie": "villagemap_lang=en"}, "", "en"),
        ({"cookie": "villagemap_lang=en"}, "?lang=zh", "zh-CN"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/towns/449923101/map"])
def test_language(client, path, headers, query, lang):
    answer = client.get(path + query, headers=HTML | headers)
    assert f'<html lang="{lang}">' in answer.text
    assert "Accept-Language" in answer.headers["vary"]
    assert ("set-cookie" in answer.headers) == bool(query)


def test_a_chosen_language_stays(client):
    client.get("/?lang=en", headers=HTML)
    assert '<html lang="en">' in client.get("/", headers=HTML).text
    assert client.get("/?lang=fr").json()["code"] == "value_unknown"


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html,*/*;q=0.8", True),
        ("*/*", True),
        ("", True),
        ("application/json", False),
        ("application/json, text/html;q=0.5", False),
        ("text/html, application/json", True),
        ("application/json;q=0.2, text/html;q=0.9", True),
        ("application/json;q=x", True),
        ("application/json;q=0", True),
    ],
)
def test_people_get_a_page_and_programs_json(client, accept, html):
    assert client.get("/", headers={"accept": accept}).headers["content-type"].startswith("text/html") == html
    assert client.get("/?f=json", headers=HTML).headers["content-type"] == "application/json"
    assert (
        client.get("/?f=html", headers={"accept": "application/json"}).headers["content-type"].startswith("text/html")
    )


def test_what_people_wrote_stays_text(changing, tiny):
    hostile = "<script>alert(1)</script>{{ 7*7 }}{% raw %}\"'"
    town = next(place for place in tiny.store.places() if place.name == "甲镇")
    with tiny.store.writing() as writer:
        writer.put_places([replace(town, name=hostile, code="")], actor="owner", at=datetime(2026, 3, 19, tzinfo=UTC))
    answer = changing.get("/", headers=HTML)
    assert "<script" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}{% raw %}&#34;&#39;" in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]  # so default-src 'none' holds
    link = re.search(r'href="(/towns/%3C[^"]*/map)"', answer.text)
    assert changing.get(link[1], headers=HTML).status_code == 200


def test_no_page_names_another_host_or_holds_a_style_of_its_own(client):
    page = client.get("/", headers=HTML).text
    assert re.findall(r'(?:src|href)="(?!/)[^"]*"', page) == []
    assert " style=" not in page
    for path in re.findall(r'(?:src|href)="(/static/[^"]*)"', page):
        assert client.get(path).status_code == 200


def test_an_empty_county_says_what_to_do(asking, empty):
    page = asking(empty).get("/", headers=HTML).text
    assert "还没有问题数据" in page
    assert "villagemap places import" in page
    assert "villagemap import" in page
    assert "/export.geojson" not in page


def test_places_without_issues_ask_for_issues(asking, tiny_without_issues):
    page = asking(tiny_without_issues).get("/", headers=HTML).text
    assert "villagemap places import" not in page
    assert "villagemap import" in page
    assert "甲镇" in page


@pytest.fixture
def tiny_without_issues(empty, tmp_path):
    path = tmp_path / "towns.csv"
    path.write_text("代码,名称,级别,经度,纬度\n449923101,甲镇,镇,111.15,20.75\n", encoding="utf-8")
    import_places(Session(empty, OWNER), [path])
    return empty


@given(
    st.builds(
        lambda verified, submitted, fresh, overdue: Counts(
            found=verified + submitted + fresh + overdue,
            open=submitted + fresh + overdue,
            overdue=overdue,
            claimed=verified + submitted,
            verified=verified,
        ),
        *[st.integers(0, 100_000)] * 4,
    )
)
def test_a_bar_is_whole(counts):
    bar = bar_of(counts)
    assert sum(part.count for part in bar) == counts.found
    if bar:
        assert sum(part.width for part in bar) == pytest.approx(100, abs=0.05)
        assert bar[0].start == 0
    for part, following in pairwise(bar):
        assert part.start + part.width == pytest.approx(following.start, abs=0.02)


def test_a_map_page_has_a_nonce_of_its_own(client):
    pages = [client.get("/towns/449923101/map", headers=HTML) for _ in range(2)]
    nonces = [re.search(r"'nonce-([\w-]+)'", page.headers["content-security-policy"])[1] for page in pages]
    assert nonces[0] != nonces[1]
    for page, nonce in zip(pages, nonces, strict=True):
        assert len(page.content) < 40_000
        tags = re.findall(r"<(?:script|style)(?![^>]*application/json)[^>]*>", page.text)
        assert tags
        assert all(f'nonce="{nonce}"' in tag for tag in tags)


def test_a_town_by_name_or_old_code_leads_to_its_code(changing, tiny):
    answer = changing.get("/towns/甲镇/map?lang=en", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (308, "/towns/449923101/map?lang=en")
    town = next(place for place in tiny.store.places() if place.name == "甲镇")
    with tiny.store.writing() as writer:
        renamed = replace(town, code="449923001", former_codes=("449923101",))
        writer.put_places([renamed], actor="owner", at=datetime(2026, 3, 19, tzinfo=UTC))
    assert changing.get("/towns/449923101/map").headers["location"] == "/towns/449923001/map"
    assert changing.get("/towns/丁镇/map").status_code == 404


def test_health_tells_the_last_event_and_nothing_secret(changing, tiny):
    answer = changing.get("/health")
    assert answer.json() == {"status": "ok", "county": "tiny", "last_event": tiny.store.head().seq}
    assert answer.headers["cache-control"] == "no-store"


def test_our_files_are_tagged_and_of_their_kind(client):
    for path in sorted(shown_files("static").iterdir()):
        answer = client.get(f"/static/{path.name}")
        assert answer.content == path.read_bytes()
        kind = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[path.suffix]
        assert answer.headers["content-type"].startswith(kind)
        again = client.get(f"/static/{path.name}", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert client.get("/static/vendor/leaflet/leaflet.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/favicon.ico").headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize(
    "path",
    [
        "../pyproject.toml", "%2e%2e/pyproject.toml", "..%2fpyproject.toml", "%2e%2e%2f%2e%2e%2fetc/passwd",
        "/etc/passwd", "%2fetc/passwd", "vendor/%2e%2e/map.css", "vendor/..%2f..%2fpyproject.toml", "", ".", "nope.js",
        "map.css%00.js", "vendor/leaflet/leaflet.js.map", "C:/Windows/win.ini", "..\\pyproject.toml",
    ],
)  # fmt: skip
def test_no_other_file_is_served(client, path):
    answer = client.get(f"/static/{path}")
    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "[project]" not in answer.text


def test_a_file_of_a_known_kind_elsewhere_is_not_served(client, tmp_path):
    secret = tmp_path / "secret.svg"
    secret.write_text("<svg/>", encoding="utf-8")
    up = "..%2f" * len(shown_files("static").resolve().parts)
    for path in (secret.as_posix(), "%2f" + secret.as_posix().lstrip("/"), up + secret.as_posix().lstrip("/")):
        assert client.get(f"/static/{path}").status_code == 404
