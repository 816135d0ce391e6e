"""The application: one county, all routes, and in front of them who may come in and who asks."""

import logging
import threading
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio.to_thread
from fastapi import Depends, FastAPI

from villagemap.api import (
    assets,
    draws,
    features,
    issues,
    jobs,
    login_pages,
    pages,
    plans,
    route_pages,
    scores,
    sweep_pages,
    sweeps,
    tiles,
    work,
)
from villagemap.api.daily import keep_the_day
from villagemap.api.deps import only_known
from villagemap.api.documents import describe, openapi_json
from villagemap.api.guard import Guard
from villagemap.api.identity import Identity
from villagemap.api.problems import add_fault_handlers
from villagemap.auth import OWNER, Actor
from villagemap.flows.registry import Session
from villagemap.flows.tiles import tile_index
from villagemap.flows.workspace import Workspace

if TYPE_CHECKING:
    from villagemap.api.tls import Authority

log = logging.getLogger(__name__)

THREADS = 8
"""Requests at work at once: more would only wait for each other, and each holds a connection to the store."""


def create_app(
    workspace: Workspace,
    *,
    actor: Actor = OWNER,
    hosts: Collection[str] = (),
    authority: "Authority | None" = None,
) -> FastAPI:
    """The application that serves one county.

    Parameters
    ----------
    actor
        Whoever asks while there are no users.
    hosts
        By what names besides this computer's own the server may be called, IPv6 addresses in brackets.
    authority
        The authority behind its HTTPS, for phones to fetch.
    """
    app = FastAPI(
        title="villagemap",
        version=version("villagemap"),
        lifespan=_lifespan,
        dependencies=[Depends(only_known)],
        openapi_url=None,  # ours is served below, as OpenAPI 3.0
        docs_url=None,  # Swagger's page would fetch from another host
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.session = Session(workspace, actor)
    app.state.authority = authority
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    for router in (
        login_pages.router,
        pages.router,
        features.router,
        issues.router,
        work.router,
        sweeps.router,
        draws.router,
        scores.router,
        jobs.router,
        plans.router,
        sweep_pages.router,
        route_pages.router,
        tiles.router,
        assets.router,
        assets.favicon,
    ):
        app.include_router(router)
    if authority is not None:
        app.include_router(login_pages.authority_router)
    app.add_api_route("/openapi.json", openapi_json, include_in_schema=False)
    add_fault_handlers(app)
    app.add_middleware(Identity, local=app.state.session)
    app.add_middleware(Guard, hosts=hosts)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Get ready what the first map needs, beside the first page and not before it; keep the day while serving."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    threading.Thread(target=_warm, args=(app,), name="warm", daemon=True).start()
    stop = threading.Event()
    day = threading.Thread(target=keep_the_day, args=(app.state.session.workspace, stop), name="day", daemon=True)
    day.start()
    yield
    stop.set()
    await anyio.to_thread.run_sync(day.join)  # what it writes is whole before the store is closed


def _warm(app: FastAPI) -> None:
    try:
        app.openapi()
        tile_index(app.state.session.workspace)
        import villagemap.maps  # noqa: F401, PLC0415 - Folium takes two seconds to import
    except Exception:
        log.debug("warming failed", exc_info=True)
