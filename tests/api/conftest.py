"""The tiny county over HTTP, asked in the process."""

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from villagemap.api.app import create_app
from villagemap.flows.workspace import Workspace

HOME = "http://localhost"


@pytest.fixture
def asking() -> Iterator[Callable[[Workspace], TestClient]]:
    """Make clients of a workspace: as this computer's own programs, faults answered and not raised."""

    def ask(workspace: Workspace) -> TestClient:
        return TestClient(create_app(workspace), base_url=HOME, raise_server_exceptions=False, follow_redirects=False)

    return ask


@pytest.fixture
def client(tiny: Workspace, asking: Callable[[Workspace], TestClient]) -> TestClient:
    return asking(tiny)
