"""Every fault as problem+json (RFC 9457), and to somebody in a browser as a small page with the same sentence."""

import logging
import secrets
import sqlite3
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from villagemap.api.language import lang_of
from villagemap.api.templates import render
from villagemap.errors import DiskFullError, NotFoundError, VillagemapError, WrongUseError
from villagemap.store.disk import is_full
from villagemap.texts import text

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MOST_JSON_INTEGER = 2**53 - 1
SECURITY = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "private, no-cache",
}
"""Headers of every answer that doesn't set its own."""

PAGE_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""For pages without any script."""


def wants_page(headers: Headers) -> bool:
    """Whether the reader is a person in a browser."""
    return "text/html" in headers.get("accept", "")


def problem_response(scope: Scope, error: VillagemapError, status: int | None = None) -> Response:
    """The answer for an error, in the reader's language; ``status`` where the error's class has no fitting one."""
    lang, number = lang_of(scope), status or error.status
    problem = {
        "type": f"urn:villagemap:problem:{error.code}",
        "title": text(f"api.status.s{number}", lang),
        "status": number,
        "detail": error.sentence(lang),
        "code": error.code,
        "instance": scope["path"],
        "params": {name: value for name, value in error.params.items() if _plain(value)},
    }
    headers = {**SECURITY, "vary": "Accept, Accept-Language, Cookie", "content-language": lang}
    if wants_page(Headers(scope=scope)):
        page = render("fault.html", lang, problem=problem)
        return HTMLResponse(page, number, {**headers, "content-security-policy": PAGE_CSP})
    return Response(orjson.dumps(problem), number, headers, MEDIA_TYPE)


def _plain(value: object) -> bool:
    """Whether a value can stand in JSON as it is, also for readers whose numbers are doubles."""
    if isinstance(value, list | tuple):
        return all(isinstance(entry, str) for entry in value)
    if isinstance(value, int):
        return abs(value) <= MOST_JSON_INTEGER
    return value is None or isinstance(value, str | float)


async def _known_fault(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, VillagemapError):
        raise fault
    return problem_response(request.scope, fault)


async def _http_fault(request: Request, fault: Exception) -> Response:
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    if status == 405:  # noqa: PLR2004
        error: VillagemapError = WrongUseError("method_unknown", method=request.method, path=request.url.path)
    else:
        error = NotFoundError("address_unknown", path=request.url.path)
    return problem_response(request.scope, error, status)


async def _bad_parameter(request: Request, fault: Exception) -> Response:
    faults: list[Mapping[str, Any]] = list(fault.errors()) if isinstance(fault, RequestValidationError) else []
    name, value = ("", "") if not faults else (str(faults[0]["loc"][-1]), str(faults[0].get("input", "")))
    return problem_response(request.scope, WrongUseError("parameter_unreadable", name=name, value=value[:200]))


async def _system_fault(request: Request, fault: Exception) -> Response:
    """A full disk is told as what it is, wherever it is met; what else the system says is a fault of ours."""
    if not is_full(fault):
        raise fault
    return problem_response(request.scope, DiskFullError())


async def _unknown_fault(request: Request, fault: Exception) -> Response:
    """A fault of ours: the reader gets a number, under which the log has the trace that the server writes."""
    incident = secrets.token_hex(4)
    log.error("incident %s at %s: %s", incident, request.url.path, type(fault).__name__)
    return problem_response(request.scope, VillagemapError("internal_fault", incident=incident))


def add_fault_handlers(app: FastAPI) -> None:
    """Make every fault answer in the one shape."""
    app.add_exception_handler(VillagemapError, _known_fault)
    app.add_exception_handler(HTTPException, _http_fault)
    app.add_exception_handler(RequestValidationError, _bad_parameter)
    app.add_exception_handler(OSError, _system_fault)
    app.add_exception_handler(sqlite3.Error, _system_fault)
    app.add_exception_handler(Exception, _unknown_fault)
