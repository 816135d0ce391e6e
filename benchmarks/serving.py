"""A county served as its users have it: ``villagemap serve`` in a process of its own."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STARTS_WITHIN_S = 60


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """The address of a county's server, which ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "villagemap", "serve", "--dir", str(workspace), "--port", str(port)]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _await(server, f"{address}/health")
        yield address
    finally:
        server.terminate()
        server.wait()


def _await(server: "subprocess.Popen[bytes]", url: str) -> None:
    began = time.monotonic()
    while time.monotonic() - began < STARTS_WITHIN_S:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.05)
    raise RuntimeError(f"{url} doesn't answer")
