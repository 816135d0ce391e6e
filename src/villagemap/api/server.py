"""Serve a county until somebody presses Ctrl-C: to this computer, or with users to others too."""

import errno
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn

from villagemap.api.app import create_app
from villagemap.api.names import bracketed, own_names, shown_name
from villagemap.errors import ConflictError, ForbiddenError, WrongUseError
from villagemap.flows.workspace import Workspace

if TYPE_CHECKING:
    from villagemap.api.tls import Secured

LOOPBACK = ("127.0.0.1", "::1")
BACKLOG = 128
GRACE_S = 3
"""How long a Ctrl-C waits for answers that are on their way."""


class _Server(uvicorn.Server):
    """Tells when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(
    workspace: Workspace,
    host: str,
    port: int,
    *,
    ready: Callable[[str], None] | None = None,
    secured: "Secured | None" = None,
    names: Sequence[str] = (),
) -> None:
    """Serve ``workspace`` until interrupted; ``ready`` is called with the address once it answers.

    ``secured`` makes it HTTPS; ``names`` are what the server is called by besides ``host`` and this computer's names.

    Raises
    ------
    ForbiddenError
        If ``host`` isn't this computer: others may come in only when there are users.
    ConflictError
        If another program has the port.
    WrongUseError
        If the port isn't ours to take.
    """
    listener = listen(host, port, to_others=workspace.accounts.exist())
    scheme = "https" if secured else "http"
    address = f"{scheme}://{shown_name(host, names)}:{listener.getsockname()[1]}"
    hosts = [bracketed(name) for name in own_names(host, names)]
    config = uvicorn.Config(
        create_app(workspace, hosts=hosts, authority=secured.authority if secured else None),
        ssl_certfile=secured.cert if secured else None,
        ssl_keyfile=str(secured.key) if secured else None,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=32 * 1024,
    )
    server = _Server(config, lambda: ready(address) if ready else None)
    with listener, suppress(KeyboardInterrupt):  # uvicorn raises the interrupt again once all is closed
        server.run(sockets=[listener])


def listen(host: str, port: int, *, to_others: bool = False) -> socket.socket:
    """A socket that listens on this computer alone, unless ``to_others``; raises like `serve`."""
    plain = "127.0.0.1" if host == "localhost" else host.strip("[]")
    if plain not in LOOPBACK and not (to_others and plain):
        raise ForbiddenError("host_needs_users", host=host)
    family = socket.AF_INET6 if ":" in plain else socket.AF_INET
    # Only where the protocol is named does asyncio switch Nagle's algorithm off, which costs 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Windows lets two programs share a port unless one says no; elsewhere a port just left would stay taken a while.
    listener.setsockopt(socket.SOL_SOCKET, _exclusive(), 1)
    try:
        listener.bind((plain, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as fault:
        listener.close()
        if isinstance(fault, OSError) and fault.errno == errno.EADDRINUSE:
            raise ConflictError("port_taken", port=port, next=port + 1) from fault
        raise WrongUseError("port_refused", host=host, port=port, fault=str(fault)) from fault
    return listener


def _exclusive() -> int:
    return int(getattr(socket, "SO_EXCLUSIVEADDRUSE", 0)) if os.name == "nt" else socket.SO_REUSEADDR
