"""The tiny county over HTTP, asked in the process."""

from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from conftest import TODAY, fill_tiny
from villagemap.api.app import create_app
from villagemap.flows.workspace import Workspace, init_workspace, open_workspace
from villagemap.settings import Settings

Ask = Callable[[Workspace], TestClient]


def client_of(app: FastAPI) -> TestClient:
    """One of this computer's own programs; faults are answered and not raised."""
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture(scope="session")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The tiny county for all tests that only look."""
    folder = tmp_path_factory.mktemp("unchanged") / "county"
    init_workspace(folder, Settings(county="tiny", name="小县", code="449923", today=TODAY))
    workspace = open_workspace(folder)
    fill_tiny(workspace)
    yield workspace
    workspace.close()


@pytest.fixture(scope="session")
def app(unchanged: Workspace) -> FastAPI:
    return create_app(unchanged)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """Asks the county that stays as it is."""
    return client_of(app)


@pytest.fixture
def asking() -> Ask:
    """Make a client of a workspace."""
    return lambda workspace: client_of(create_app(workspace))


@pytest.fixture
def changing(tiny: Workspace, asking: Ask) -> TestClient:
    """Asks ``tiny``, which the test may change."""
    return asking(tiny)
