"""In which language a reader is answered: by ``?lang=``, else by the cookie it left, else by ``Accept-Language``."""

from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Scope

from villagemap.texts import LANGS, lang_of_header

COOKIE = "villagemap_lang"


def lang_of(scope: Scope) -> str:
    """``zh`` or ``en``; what can't be read counts as not said."""
    asked = parse_qs(scope["query_string"].decode("latin-1")).get("lang", [""])[-1]
    headers = Headers(scope=scope)
    for said in (asked, _of_cookie(headers.get("cookie", ""))):
        if said in LANGS:
            return said
    return lang_of_header(headers.get("accept-language", ""))


def _of_cookie(header: str) -> str:
    if COOKIE not in header:
        return ""
    try:
        jar = SimpleCookie(header)
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""
