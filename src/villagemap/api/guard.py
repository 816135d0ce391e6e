"""Who is let in before any route is asked: only by this server's names, and only from pages of its own.

A page elsewhere must neither read a county's data through its visitor's browser (other origin) nor pretend to be this
computer (a name that resolves here), and a proxy in front would make everybody look local. So each of these is refused.
"""

import re
from collections.abc import Awaitable, Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from villagemap.api.problems import SECURITY, problem_response
from villagemap.errors import ForbiddenError, TooLargeError, VillagemapError, WrongUseError

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
FORWARDED = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"})
READS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PAGES = frozenset({"/link", "/login", "/ca"})
"""Pages that a link in a message may lead to: they show nothing of a county, and no cookie comes along."""
MOST_BODY_BYTES = 64 * 1024
MOST_PHOTO_BYTES = 42 * 1024 * 1024
"""A form with a photo: the addresses that take one say so by their ends."""
TAKE_PHOTOS = re.compile(r"/report|/issues/[^/]+/(photos|actions/[a-z]+)|/sweeps/[^/]+/check-in")
MOST_REQUEST_BYTES = 16 * 1024 * 1024
"""A request for a plan may hold a matrix or thousands of stops."""
TAKE_REQUESTS = re.compile(r"/plans(/[^/]+/replan)?")
MOST_ADDRESS_BYTES = 8 * 1024

Next = Callable[[], Awaitable[Message]]


class Guard:
    """ASGI around the application: refuses what isn't local, limits sizes, answers HEAD, sets security headers."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self.app = app
        self.hosts = LOCAL_HOSTS.union(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the application, or answer in its place."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        answer = _answering(send, without_body=head)
        try:
            check(scope, self.hosts)
        except VillagemapError as fault:
            status = 414 if fault.code == "address_too_long" else None
            await problem_response(scope, fault, status)(scope, receive, answer)
            return
        asked = {**scope, "method": "GET"} if head else scope
        await self.app(asked, _counted(receive, most_bytes(scope)), answer)


def check(scope: Scope, known: Collection[str] = LOCAL_HOSTS) -> None:
    """Let a request pass or say why not; ``known`` are the names that this server may be called by.

    Raises
    ------
    ForbiddenError
        If it comes through a proxy, by a foreign host name, or from a page of another origin; or if it would write
        and doesn't show that it comes from a page of ours or carries a token that no browser sends by itself.
    TooLargeError
        If it announces a body of more than `MOST_BODY_BYTES`.
    WrongUseError
        If its address is longer than `MOST_ADDRESS_BYTES`.
    """
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    host = hosts[0] if len(hosts) == 1 else ""
    if host_name(host) not in known:
        raise ForbiddenError("host_foreign", host=", ".join(hosts)[:200])
    for name in headers:
        if name in FORWARDED or name.startswith("x-forwarded-"):
            raise ForbiddenError("request_forwarded", header=name)
    _check_origin(scope, headers, f"{scope['scheme']}://{host}")
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MOST_ADDRESS_BYTES:
        raise WrongUseError("address_too_long", most=MOST_ADDRESS_BYTES)
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most_bytes(scope):
        raise TooLargeError("body_too_large", most=most_bytes(scope))
    _check_write(scope, headers)


def most_bytes(scope: Scope) -> int:
    """How long a request's body may be: photos are long, and requests for plans; nothing else is."""
    if TAKE_REQUESTS.fullmatch(scope["path"]):
        return MOST_REQUEST_BYTES
    return MOST_PHOTO_BYTES if TAKE_PHOTOS.fullmatch(scope["path"]) else MOST_BODY_BYTES


def host_name(host: str) -> str:
    """The name in a Host header, without its port; "" where there is none or the port is no number."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host.lower()
    return name.lower() if port.isdecimal() else ""


def _check_origin(scope: Scope, headers: Headers, own: str) -> None:
    """A browser says from where a request comes: by ``Sec-Fetch-Site``, by ``Origin``, or by neither."""
    if scope["method"] in READS and scope["path"] in OPEN_PAGES and headers.get("sec-fetch-mode") == "navigate":
        return
    origin = headers.get("origin")
    if origin is not None and origin.lower() != own.lower():
        raise ForbiddenError("origin_foreign", origin=origin[:200])
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise ForbiddenError("origin_foreign", origin=headers.get("referer", headers["sec-fetch-site"])[:200])


def _check_write(scope: Scope, headers: Headers) -> None:
    """A write must say that it comes from a page of ours, by either header; both were compared already."""
    if scope["method"] in READS or headers.get("authorization", "").lower().startswith("bearer "):
        return
    if headers.get("sec-fetch-site", "same-origin" if "origin" in headers else "none") != "same-origin":
        raise ForbiddenError("write_without_origin")


def _counted(receive: Receive, most: int) -> Receive:
    """Count a body's bytes as they come: a chunked one announces no length."""
    seen = 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise TooLargeError("body_too_large", most=most)
        return message

    return counting


def _answering(send: Send, *, without_body: bool) -> Send:
    async def answering(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY.items():
                headers.setdefault(name, value)
        elif without_body and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return answering
