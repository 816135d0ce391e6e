"""A real server on a real socket: it says when it is ready, answers this computer, and stops at Ctrl-C."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from villagemap.api.server import listen
from villagemap.errors import ConflictError, ForbiddenError, WrongUseError

PROGRAM = """
import sys
from pathlib import Path
from villagemap.api.server import serve
from villagemap.flows.workspace import open_workspace
serve(open_workspace(Path(sys.argv[1])), "127.0.0.1", 0, ready=lambda address: print(address, flush=True))
print("stopped", flush=True)
"""


@contextmanager
def served(workspace):
    """A server of its own process; gives it and its port."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(workspace.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), process.stderr.read()
        yield process, int(address.rpartition(":")[2])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def interrupt(process: subprocess.Popen) -> tuple[str, str]:
    process.send_signal(signal.CTRL_C_EVENT if os.name == "nt" else signal.SIGINT)
    return process.communicate(timeout=10)


@pytest.mark.skipif(os.name == "nt", reason="a console's Ctrl-C reaches the tests themselves on Windows")
def test_it_answers_and_stops_cleanly(tiny):
    with served(tiny) as (process, port):
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for path, kind in (
            ("/", "text/html"),
            ("/health", "application/json"),
            ("/export.geojson", "application/geo+json"),
        ):
            asked.request("GET", path)
            answer = asked.getresponse()
            content = answer.read()
            assert answer.status == 200
            assert answer.getheader("content-type").startswith(kind)
            assert answer.getheader("server") is None
        assert len(json.loads(content)["features"]) == 60
        asked.request("HEAD", "/health")
        assert asked.getresponse().read() == b""
        asked.request("GET", "/health", headers={"Host": "example.com"})
        assert asked.getresponse().status == 403
        asked.close()
        said, faults = interrupt(process)
        assert (process.returncode, said, faults) == (0, "stopped\n", "")


@pytest.mark.skipif(os.name == "nt", reason="a console's Ctrl-C reaches the tests themselves on Windows")
def test_an_open_connection_does_not_hold_it_up(tiny):
    with served(tiny) as (process, port), socket.create_connection(("127.0.0.1", port)) as idle:
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")  # never finished
        began = time.monotonic()
        interrupt(process)
        assert process.returncode == 0
        assert time.monotonic() - began < 8


def test_no_answer_waits_for_an_acknowledgement(tiny):
    """Nagle's algorithm together with delayed acknowledgements costs 40 ms an answer."""
    with served(tiny) as (_, port):
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        took = []
        for _ in range(10):
            began = time.monotonic()
            asked.request("GET", "/health")
            asked.getresponse().read()
            took.append(time.monotonic() - began)
        asked.close()
        assert min(took) < 0.03


def test_a_taken_port_is_named():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConflictError) as fault:
            listen("127.0.0.1", port)
    assert fault.value.code == "port_taken"
    assert str(port) in fault.value.sentence("zh")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.com", "", "127.0.0.2", "[::]"])
def test_other_computers_wait_for_users(host):
    with pytest.raises(ForbiddenError) as fault:
        listen(host, 0)
    assert fault.value.code == "host_needs_users"


@pytest.mark.parametrize("port", [-1, 65536, 10**12])
def test_no_such_port(port):
    with pytest.raises(WrongUseError) as fault:
        listen("127.0.0.1", port)
    assert fault.value.code == "port_refused"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_this_computer_by_all_its_names(host):
    if ":" in host and not _has_ipv6():
        pytest.skip("no IPv6 here")
    listen(host, 0).close()


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
