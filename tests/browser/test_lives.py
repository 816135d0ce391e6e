"""A case on a phone: submitted by a cadre, returned by the county with a reason, submitted again, closed."""

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from conftest import MORNING, TODAY, fill_tiny, tiny_issue, tiny_places
from villagemap.auth import OWNER
from villagemap.flows.people.accounts import add_user, grant
from villagemap.flows.registry import Session
from villagemap.flows.workspace import init_workspace, open_workspace
from villagemap.model import Change, Status
from villagemap.sample.pictures import sample_photos
from villagemap.settings import Settings

from .test_served_pages import SERVE

ISSUE = "019c0000-0000-7000-8000-00000000dddd"
PASSWORD = "village-roads-2026"


@pytest.fixture(scope="module")
def county(tmp_path_factory):
    """Address of a server with a town cadre and a county inspector, and one registered case in town t1."""
    folder = tmp_path_factory.mktemp("lives") / "county"
    init_workspace(folder, Settings(county="tiny", name="小县", today=TODAY))
    workspace = open_workspace(folder)
    fill_tiny(workspace)
    issue = replace(tiny_issue(0, tiny_places()), id=ISSUE, status=Status.REGISTERED, description="村口垃圾堆")
    with workspace.store.writing() as writer:
        writer.record([Change(kind="register", issue=issue, at=MORNING, actor="owner")])
    session = Session(workspace, OWNER)
    add_user(session, "cadre", PASSWORD, name="镇干部", units=["town:449923101"])
    grant(session, "cadre", "town_cadre", places=["449923101"])
    add_user(session, "inspector", PASSWORD, name="督查组")
    grant(session, "inspector", "inspector")
    add_user(session, "town2", PASSWORD, name="镇初验", units=["town:449923101"])
    workspace.close()
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    issues = [replace(tiny_issue(n, tiny_places()), category="garbage_scattered") for n in range(0, 60, 5)]
    paths = []
    for number, (_, _, jpeg, _) in enumerate(sample_photos(issues, seed=3, count=3)):
        path = folder / f"{number}.jpg"
        path.write_bytes(jpeg)
        paths.append(path)
    return paths


def enter(page, county: str, login: str) -> None:
    page.goto(f"{county}/login?lang=zh")
    page.fill("[name=login]", login)
    page.fill("[name=password]", PASSWORD)
    page.click("button.vm-go")
    page.wait_for_url(f"{county}/")


def leave(page, county: str) -> None:
    page.goto(f"{county}/me")
    page.click("form[action='/logout'] button")
    page.wait_for_url(re.compile("/login"))


def submit(page, county: str, picture) -> None:
    page.goto(f"{county}/tasks")
    page.locator(f"a.vm-task[href*='{ISSUE}']").click()
    page.locator("#do-submit summary").click()
    page.locator("#do-submit input[type=file]").set_input_files(str(picture))
    page.locator("#do-submit button.vm-go").click()
    page.wait_for_load_state()
    assert "已报结" in page.locator("h1").inner_text()


def test_from_submission_to_closed_at_phone_width(page, county, pictures):
    page.set_viewport_size({"width": 360, "height": 740})
    page.context.set_geolocation({"longitude": 111.15, "latitude": 20.65, "accuracy": 12})
    page.context.grant_permissions(["geolocation"], origin=county)
    enter(page, county, "cadre")
    submit(page, county, pictures[0])
    assert page.locator("figure img").count() == 1
    assert "佐证" in page.locator("figcaption").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    leave(page, county)

    enter(page, county, "inspector")
    page.goto(f"{county}/queue")
    assert page.locator("section.vm-pair").count() >= 1
    page.goto(f"{county}/issues/{ISSUE}/story")
    assert page.locator("#do-return").count() == 1
    page.locator("#do-return summary").click()
    page.fill("#do-return [name=reason]", "垃圾没有清完，请重拍")
    page.locator("#do-return button.vm-go").click()
    page.wait_for_load_state()
    assert "退回" in page.locator("h1").inner_text()
    leave(page, county)

    enter(page, county, "cadre")
    page.goto(f"{county}/tasks")
    assert "垃圾没有清完，请重拍" in page.locator(f"a.vm-task[href*='{ISSUE}']").inner_text()
    submit(page, county, pictures[2])
    leave(page, county)

    enter(page, county, "inspector")
    page.goto(f"{county}/issues/{ISSUE}/story")
    page.locator("#do-close summary").click()
    page.locator("#do-close button.vm-go").click()
    page.wait_for_load_state()
    assert "已销号" in page.locator("h1").inner_text()
    steps = page.locator(".vm-story b").all_inner_texts()
    assert steps == ["立账", "加了照片", "开始整改", "报结", "退回", "加了照片", "开始整改", "报结", "核实销号"]
