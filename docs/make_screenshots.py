"""Draw the pictures of the README: a real server on a fresh sample county, seen through a real Chromium.

python docs/make_screenshots.py [FOLDER]      (default: docs/images)
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from run import find_browser  # noqa: E402 - run.py lies in the root, which isn't a package

SIZE = {"width": 1440, "height": 900}
PATIENCE_S = 120


@contextmanager
def sample_server() -> Iterator[str]:
    """Address of a server that shows a sample county made for the occasion."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with TemporaryDirectory() as folder:
        words = ["demo", "--dir", f"{folder}/county", "--port", str(port)]
        server = subprocess.Popen([sys.executable, "-m", "villagemap", *words], cwd=ROOT)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(address, server)
            yield address
        finally:
            server.terminate()
            server.wait()


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    """Return once the server answers."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and server.poll() is None:
        try:
            with urlopen(f"{address}/health"):  # noqa: S310 - our own address
                return
        except (URLError, ConnectionError):
            time.sleep(0.2)
    sys.exit(f"no answer from {address}")


def draw(page: Page, address: str, folder: Path) -> None:
    """The home page, and the map of the first town in its table."""
    page.goto(address)
    page.screenshot(path=folder / "home.png")
    page.locator("a[href*='/towns/']").first.click()
    page.wait_for_selector("[data-drawn]")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / "town-map.png")
    draw_route(page, address, folder)


def draw_route(page: Page, address: str, folder: Path) -> None:
    """A plan made for the occasion: two teams, three days, the villages of three towns."""
    towns = page.request.get(f"{address}/collections/towns/items").json()["features"][:3]
    plan = {
        "name": "三月督查",
        "days": {"first": "2026-03-23", "count": 3},
        "teams": [{"id": "a", "name": "一组"}, {"id": "b", "name": "二组"}],
        "choose": {"towns": [town["properties"]["code"] for town in towns], "villages": "all", "issues": False},
        "iterations": 3000,
    }
    job = page.request.post(f"{address}/plans", data=plan, headers={"origin": address}).json()["href"]
    answer = {"status": "queued"}
    while answer["status"] in {"queued", "running"}:
        time.sleep(0.5)
        answer = page.request.get(f"{address}{job}").json()
    page.goto(f"{address}/routes/{answer['result']['plan']}")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1000)
    page.screenshot(path=folder / "route-plan.png")


def main() -> None:
    """Make the folder and the pictures in it."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with sample_server() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        draw(browser.new_page(viewport=SIZE, locale="zh-CN"), address, folder)
        browser.close()


if __name__ == "__main__":
    main()
