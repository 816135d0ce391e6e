"""Faults have one shape, a stable code, and the reader's language."""

import pytest

from villagemap import errors
from villagemap.texts import LANGS, text


def every(root: type) -> list[type]:
    return [root, *(below for child in root.__subclasses__() for below in every(child))]


@pytest.mark.parametrize("status", sorted({error.status for error in every(errors.VillagemapError)} | {405, 414}))
@pytest.mark.parametrize("lang", LANGS)
def test_every_status_has_a_title(status, lang):
    assert text(f"api.status.s{status}", lang)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "没有镇"),
        ({"accept-language": "en-GB,en;q=0.9"}, "There is no town"),
        ({"accept-language": "fr"}, "没有镇"),
        ({"accept-language": "en", "cookie": "villagemap_lang=zh"}, "没有镇"),
        ({"accept-language": "en", "cookie": "villagemap_lang=xx; a=b"}, "There is no town"),
        ({"accept-language": "en", "cookie": 'villagemap_lang="\\"; ][={'}, "There is no town"),
    ],
)
def test_it_speaks_the_readers_language(client, headers, words):
    answer = client.get("/collections/issues/items?town=丁镇", headers=headers)
    problem = answer.json()
    assert problem["detail"].startswith(words)
    assert answer.headers["content-language"] == ("en" if words.startswith("There") else "zh")
    assert set(problem) == {"type", "title", "status", "detail", "code", "instance", "params"}
    assert problem["type"] == "urn:villagemap:problem:unknown_town"


@pytest.mark.parametrize(
    "path", ["/nope", "/issues/", "/collections/", "/static/", "/towns/449923101/", "/docs", "/redoc"]
)
def test_there_is_nothing_elsewhere(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_person_in_a_browser_gets_a_page(client):
    answer = client.get("/towns/<script>alert(1)</script>/map", headers={"accept": "text/html,*/*;q=0.8"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "unknown_town" in client.get("/towns/nope/map", headers={"accept": "text/html"}).text
    assert 'href="/"' in answer.text
