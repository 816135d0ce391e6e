"""Pages for coming in and going out: login, a link's door, who one is, how to trust the server's certificate."""

from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from villagemap.api.deps import Asked, lang_given, next_given
from villagemap.api.documents import answers
from villagemap.api.identity import forget, own_path, remember, secret_of
from villagemap.api.language import COOKIE as LANG_COOKIE
from villagemap.api.language import lang_of
from villagemap.api.problems import PAGE_CSP
from villagemap.api.templates import render
from villagemap.errors import TooOftenError, UnknownActorError, VillagemapError
from villagemap.flows.people.accounts import log_in, log_out, who
from villagemap.flows.people.links import redeem_link
from villagemap.texts import catalog

router = APIRouter(tags=["accounts"])
authority_router = APIRouter(tags=["accounts"])
"""Only there where the server speaks HTTPS by an authority of its own."""

LINK_CSP = f"{PAGE_CSP}; script-src 'self'"
"""The link's page has one script: it takes the secret out of the address into the form."""
MOST_FIELDS = 10
A_YEAR_S = 365 * 24 * 3600
RETRY_AFTER_S = 900

Lang = Annotated[str, Depends(lang_given)]
Next = Annotated[str, Depends(next_given)]


@router.get("/login", summary="The login page", responses=answers("text/html"))
def login_page(request: Request, session: Asked, lang: Lang, after: Next) -> Response:
    """Name and password; ``next`` is where to go then."""
    return _page(request, "login.html", session, {"after": own_path(after), "login": ""}, lang=lang)


@router.post("/login", include_in_schema=False)
async def enter(request: Request, session: Asked) -> Response:
    """Log in by the page's form."""
    form = await _form(request)
    login, after = form.get("login", ""), own_path(form.get("next", "/"))
    address = request.client.host if request.client else ""
    try:
        opened = await run_in_threadpool(log_in, session, login, form.get("password", ""), address=address)
    except (UnknownActorError, TooOftenError) as fault:
        return _refused(request, "login.html", session, fault, {"after": after, "login": login[:100]})
    return remember(RedirectResponse(after, 303), request.scope, opened.secret, opened.expires_at)


@router.post("/logout", include_in_schema=False)
def leave(request: Request, session: Asked) -> Response:
    """Close the door behind oneself."""
    log_out(session, secret_of(request.headers))
    return forget(RedirectResponse("/login", 303), request.scope)


@router.get("/me", summary="Who one is", responses=answers("text/html"))
def me(request: Request, session: Asked, lang: Lang) -> Response:
    """Who the reader is to the server, and the way out."""
    return _page(request, "me.html", session, {"who": who(session)}, lang=lang)


@router.get("/link", summary="The door of a link", responses=answers("text/html"))
def link_page(request: Request, session: Asked, lang: Lang) -> Response:
    """Where a link leads; its secret stands behind the #, which no server and no log gets to see."""
    return _page(request, "link.html", session, {}, lang=lang)


@router.post("/link", include_in_schema=False)
async def redeem(request: Request, session: Asked) -> Response:
    """Exchange a link's secret for a cookie."""
    secret = (await _form(request)).get("secret", "").rpartition("#")[2].strip()
    try:
        opened = await run_in_threadpool(redeem_link, session, secret)
    except UnknownActorError as fault:
        return _refused(request, "link.html", session, fault, {})
    return remember(RedirectResponse("/", 303), request.scope, opened.secret, opened.expires_at)


@authority_router.get("/ca", summary="How to trust this server", responses=answers("text/html"))
def authority_page(request: Request, session: Asked, lang: Lang) -> Response:
    """How to install the certificate of the county's own authority."""
    return _page(
        request, "authority.html", session, {"fingerprint": request.app.state.authority.fingerprint}, lang=lang
    )


@authority_router.get("/ca.crt", summary="The authority's certificate", responses=answers("application/x-x509-ca-cert"))
def authority(request: Request) -> Response:
    """The certificate of the county's own authority, as phones take it (DER)."""
    headers = {"content-disposition": 'attachment; filename="villagemap-ca.crt"'}
    return Response(request.app.state.authority.der, headers=headers, media_type="application/x-x509-ca-cert")


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form of ours; what isn't one has none."""
    try:
        fields = parse_qs((await request.body()).decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}


def _page(
    request: Request, name: str, session: Asked, values: dict[str, Any], status: int = 200, *, lang: str = ""
) -> HTMLResponse:
    """A page of this room; ``lang`` is a language chosen in the address, which later pages keep."""
    shown, settings = lang_of(request.scope), session.workspace.settings
    fixed = {"a": catalog("accounts", shown)["page"], "county": settings.name, "path": request.url.path, "fault": ""}
    headers = {
        "content-security-policy": LINK_CSP if name == "link.html" else PAGE_CSP,
        "cache-control": "no-store",
        "vary": "Accept-Language, Cookie",
        "content-language": shown,
    }
    answer = HTMLResponse(render(name, shown, **{**fixed, **values}), status, headers)
    if lang:
        answer.set_cookie(LANG_COOKIE, lang, max_age=A_YEAR_S, httponly=True, samesite="lax")
    return answer


def _refused(
    request: Request, name: str, session: Asked, fault: VillagemapError, values: dict[str, Any]
) -> HTMLResponse:
    """The same page again, with what went wrong next to it."""
    said = fault.sentence(lang_of(request.scope))
    answer = _page(request, name, session, {**values, "fault": said}, fault.status)
    if isinstance(fault, TooOftenError):
        answer.headers["retry-after"] = str(RETRY_AFTER_S)
    return answer
