"""Who asks over HTTP: by a cookie or a bearer's token once there are users, else whoever sits at this computer.

Everything but a few public addresses needs somebody who may look at something; what they may do beyond that, the flows
decide. This stands in front of all routes, so that no route can forget it.
"""

import re
from contextlib import suppress
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from villagemap.api.problems import problem_response, wants_page
from villagemap.auth import NOBODY, Actor, Policy, permit
from villagemap.errors import UnknownActorError, VillagemapError
from villagemap.flows.people.accounts import actor_of_token, login_needed
from villagemap.flows.registry import Session
from villagemap.settings import now

COOKIE = "villagemap"
PUBLIC = frozenset({"/health", "/login", "/link", "/ca", "/ca.crt", "/favicon.ico"})
"""Open to everybody; and so is /static, which holds nothing of a county."""

OWN = frozenset({"/me", "/logout"})
"""Open to everybody who is somebody, whether or not they may look at anything."""


class Identity:
    """ASGI in front of the routes: puts who asks into ``request.state.actor``, or answers in the routes' place."""

    def __init__(self, app: ASGIApp, local: Session) -> None:
        self.app = app
        self.local = local
        self._needed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the routes as somebody, or send them to the login page."""
        if scope["type"] == "http":
            try:
                actor = self._actor(scope) if self._login_needed() else self.local.actor
            except VillagemapError as fault:
                await refusal(scope, fault)(scope, receive, send)
                return
            scope.setdefault("state", {})["actor"] = actor
        await self.app(scope, receive, send)

    def _login_needed(self) -> bool:
        """Whether there are users; what was locked once doesn't open again, so it is asked until it is so."""
        self._needed = self._needed or login_needed(self.local)
        return self._needed

    def _actor(self, scope: Scope) -> Actor:
        """Who asks this.

        Raises
        ------
        UnknownActorError
            ``login_required``, ``token_invalid``, where the address isn't public.
        ForbiddenError
            If they may look at nothing.
        """
        path, secret = scope["path"], secret_of(Headers(scope=scope))
        if is_public(path):
            with suppress(UnknownActorError):
                return actor_of_token(self.local, secret) if secret else NOBODY
            return NOBODY
        if not secret:
            raise UnknownActorError("login_required")
        actor = actor_of_token(self.local, secret)
        if path not in OWN:
            permit(actor, Policy.READ, path)
        return actor


def is_public(path: str) -> bool:
    """Whether an address is open to everybody."""
    return path in PUBLIC or path.startswith("/static/")


def secret_of(headers: Headers) -> str:
    """The token that a request shows: a bearer's, else the cookie's; "" for none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def refusal(scope: Scope, fault: VillagemapError) -> Response:
    """What somebody is told who isn't let in: a person is led to the login page, a program gets the problem."""
    headers = Headers(scope=scope)
    if isinstance(fault, UnknownActorError) and scope["method"] in {"GET", "HEAD"} and wants_page(headers):
        query = scope["query_string"].decode("latin-1")
        wanted = scope["path"] + (f"?{query}" if query else "")
        after = f"?next={quote(wanted, safe='')}" if wanted != "/" else ""
        return RedirectResponse(f"/login{after}", 303, {"cache-control": "no-store"})
    answer = problem_response(scope, fault)
    if isinstance(fault, UnknownActorError):
        answer.headers["www-authenticate"] = 'Bearer realm="villagemap"'
    return answer


def own_path(wanted: str) -> str:
    """Where to go after logging in: a path of ours, never another host's ("//host", a backslash, a control)."""
    return wanted if re.fullmatch(r"/(?![/\\])[!-\[\]-~]*", wanted) else "/"


def remember(response: Response, scope: Scope, secret: str, expires_at: datetime) -> Response:
    """Give the browser its token: out of scripts' reach, for this server alone, by HTTPS only where it has it."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=max(int((expires_at - now()).total_seconds()), 0),
        path="/",
        httponly=True,
        samesite="strict",
        secure=scope["scheme"] == "https",
    )
    response.headers["cache-control"] = "no-store"
    return response


def forget(response: Response, scope: Scope) -> Response:
    """Take the token back from the browser."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=scope["scheme"] == "https")
    response.headers["cache-control"] = "no-store"
    return response
