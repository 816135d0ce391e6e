import re

import pytest

from villagemap.flows.people.accounts import add_user, grant
from villagemap.flows.registry import Session

HTML = {"accept": "text/html"}


def test_the_form_offers_towns_and_says_what_it_may_load(client):
    answer = client.get("/routes", headers=HTML)
    assert answer.status_code == 200
    for words in ("甲镇", "乙镇", "丙镇", "排路线", "一个村也不漏"):
        assert words in answer.text
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.findall(r'\bon\w+="|style="', answer.text)


def test_the_form_is_english_whole(client):
    text = client.get("/routes?lang=en", headers=HTML).text
    body = re.sub(r'<script type="application/json".*?</script>', "", text[text.index("<h1>") :], flags=re.DOTALL)
    left = re.sub("[甲乙丙]镇", "", body)
    assert not re.findall(r"[\u4e00-\u9fff]+", left)


def test_a_plan_that_is_not_there_is_a_page_that_says_so(client):
    answer = client.get("/routes/none", headers=HTML)
    assert answer.status_code == 404
    assert "none" in answer.text


@pytest.fixture
def cadre(session: Session, asking):
    """A town's cadre, who may not see where unannounced visits go."""
    add_user(session, "cadre", "a long password 1", name="镇干部", units=["town:449923101"])
    grant(session, "cadre", "town_cadre", places=["449923101"])
    client = asking(session.workspace)
    said = {"login": "cadre", "password": "a long password 1"}
    client.post("/login", data=said, headers={"origin": "http://localhost"})
    return client


def test_a_town_sees_no_plan_and_no_door_to_them(cadre):
    assert cadre.get("/routes", headers=HTML).status_code == 403
    assert cadre.get("/routes/none", headers=HTML).status_code == 403
    assert 'href="/routes"' not in cadre.get("/", headers=HTML).text
