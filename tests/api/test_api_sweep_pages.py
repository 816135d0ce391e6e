"""Pages of a sweep over HTTP: what a browser and what a program gets of the same addresses."""

import re
from io import BytesIO

import pytest
from PIL import Image
from starlette.testclient import TestClient

from villagemap.api.app import create_app
from villagemap.auth import OWNER, Actor, Grant, Role
from villagemap.flows.campaigns.sweeps import begin_sweep
from villagemap.flows.registry import Session
from villagemap.flows.workspace import Workspace
from villagemap.settings import TIME_ZONE, now

OURS = {"origin": "http://localhost"}
BROWSER = OURS | {"accept": "text/html", "accept-language": "zh"}
HERE = {"place": "v4", "lon": "111.15", "lat": "20.65", "accuracy_m": "12", "issues": "0"}
BOARD = "/sweeps/春季/board"
CHECK_IN = "/sweeps/春季/check-in"


@pytest.fixture
def sweeping(tiny: Workspace, changing: TestClient) -> TestClient:
    begin_sweep(Session(tiny, OWNER), "春季", towns=["甲镇"])
    return changing


def as_cadre(tiny: Workspace, place: str) -> TestClient:
    cadre = Actor("the cadre", (Grant(role=Role.VILLAGE_CADRE, places=(place,)),))
    return TestClient(create_app(tiny, actor=cadre), base_url="http://localhost", follow_redirects=False)


def jpeg() -> bytes:
    """A picture whose file says that it was taken just now."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = f"{now().astimezone(TIME_ZONE):%Y:%m:%d %H:%M:%S}"
    picture, file = Image.effect_noise((320, 240), 90).convert("RGB"), BytesIO()
    picture.save(file, "JPEG", exif=exif)
    return file.getvalue()


def heading(page: str) -> str:
    return re.search(r"<h1>(.*?)</h1>", page)[1]


def test_the_board_states_the_finding(sweeping: TestClient):
    assert "3 个村，已到 0，未到 3" in heading(sweeping.get(BOARD, headers=BROWSER).text)
    answer = sweeping.post(CHECK_IN, data=HERE, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"][-14:]) == (303, "board?place=v4")
    page = sweeping.get(answer.headers["location"], headers=BROWSER).text
    assert "已到 1，未到 2" in heading(page)
    assert "东村村委会：已查，无问题。" in page
    assert page.count("/check-in?place=") == 2
    assert "1 visited, 2 still to visit" in heading(sweeping.get(f"{BOARD}?lang=en").text)
    assert "已到 1，未到 2" in sweeping.get("/campaigns", headers=BROWSER).text


def test_a_place_is_found_by_its_code_too(sweeping: TestClient):
    assert "东村村委会" in heading(sweeping.get(f"{CHECK_IN}?place=449923101200", headers=BROWSER).text)
    assert sweeping.get(f"{CHECK_IN}?place=v9", headers=BROWSER).status_code == 404
    assert sweeping.get(f"{CHECK_IN}?spot=v4").json()["code"] == "parameter_unknown"


def test_a_program_gets_its_answer_as_json(sweeping: TestClient):
    told = sweeping.post(CHECK_IN, json=HERE | {"tapped": "1", "id": "k1"}, headers=OURS)
    assert (told.status_code, told.json()["counts"], bool(told.json()["why"])) == (201, False, True)
    again = sweeping.post(CHECK_IN, json=HERE | {"tapped": "1", "id": "k1"}, headers=OURS)
    assert again.json()["id"] == told.json()["id"]
    assert sweeping.post(CHECK_IN, json={"place": "v4"}, headers=OURS).json()["code"] == "visit_without_proof"


def test_closing_is_refused_by_name(sweeping: TestClient):
    page = sweeping.post(BOARD, data={}, headers=BROWSER)
    assert page.status_code == 409
    assert "甲镇 东村村委会" in page.text
    assert "甲镇 西村村委会" in page.text
    for place in ("v4", "v5", "v6"):
        assert sweeping.post(CHECK_IN, data={"place": place, "reason": "<b>塌方"}, headers=BROWSER).status_code == 303
    page = sweeping.get(BOARD, headers=BROWSER).text
    assert page.count("&lt;b&gt;塌方") == 3  # what people write is no markup
    assert sweeping.post(BOARD, data={}, headers=BROWSER).status_code == 303
    assert 'id="close"' not in sweeping.get(BOARD, headers=BROWSER).text
    assert sweeping.post(CHECK_IN, data=HERE, headers=BROWSER).status_code == 409


def test_a_finding_with_its_photo_is_reported_as_well(tiny: Workspace, sweeping: TestClient):
    key = "019c0000-0000-7000-8000-00000000eeee"
    said = HERE | {"issues": "1", "category": "toilet_dry", "note": "村口旱厕", "id": key, "live": "1"}
    files = {"photo": ("a.jpg", jpeg(), "image/jpeg")}
    for _ in range(2):  # a phone that sends twice
        assert sweeping.post(CHECK_IN, data=said, files=files, headers=BROWSER).status_code == 303
    issue = tiny.store.issue(key)
    assert (issue.village_id, issue.description, len(tiny.store.photos(key))) == ("v4", "村口旱厕", 1)
    (line,) = [line for line in sweeping.get("/sweeps/春季").json()["places"] if line["place_id"] == "v4"]
    assert line["outcome"] == "visited_with_issues"
    assert [visit["proofs"][0]["kind"] for visit in line["visits"]] == ["check_in", "photo"]


def test_a_sweep_is_begun_once_for_a_key(changing: TestClient):
    said = {"name": "饮水", "town": "449923101", "hamlets": "1", "category": "toilet_dry", "id": "begin-1"}
    begun = changing.post("/campaigns", json=said, headers=OURS)
    assert (begun.status_code, begun.json()["listed"], begun.json()["category"]) == (201, 12, "toilet_dry")
    assert changing.post("/campaigns", json=said, headers=OURS).json()["id"] == begun.json()["id"]
    refused = changing.post("/campaigns", data={"name": "饮水"}, headers=BROWSER)
    assert refused.status_code == 409
    assert "“饮水”" in refused.text
    assert changing.post("/campaigns", json={"name": ""}, headers=OURS).json()["code"] == "sweep_nameless"


@pytest.mark.usefixtures("sweeping")
def test_only_who_may_sweep_there_is_led_there(tiny: Workspace):
    cadre = as_cadre(tiny, "v4")
    page = cadre.get(BOARD, headers=BROWSER).text
    assert page.count("/check-in?place=") == 1
    assert 'id="close"' not in page  # a sweep of other villages too is not this one's to close
    assert cadre.get(f"{CHECK_IN}?place=v5").status_code in {403, 404}
    assert cadre.post(CHECK_IN, json=HERE | {"place": "v5"}, headers=OURS).status_code in {403, 404}
    assert cadre.post(BOARD, data={}, headers=BROWSER).status_code == 403
    viewer = TestClient(
        create_app(tiny, actor=Actor("the viewer", (Grant(role=Role.VIEWER),))), base_url="http://localhost"
    )
    page = viewer.get(BOARD, headers=BROWSER).text
    assert "/check-in?place=" not in page
    assert "东村村委会" in page
    assert "/campaigns" not in page  # the nav leads only where one may work
    assert 'id="begin"' not in viewer.get("/campaigns", headers=BROWSER).text


def test_the_browser_may_load_only_what_the_map_needs(sweeping: TestClient):
    policy = sweeping.get(f"{CHECK_IN}?place=v4", headers=BROWSER).headers["content-security-policy"]
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:",
            "connect-src 'self'"} <= set(policy.split("; "))  # fmt: skip
    assert "unsafe" not in policy
    assert "connect-src" not in sweeping.get(BOARD, headers=BROWSER).headers["content-security-policy"]
