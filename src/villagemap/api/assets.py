"""Our own files and Leaflet's, under /static: from a fixed place, by a fixed list of kinds, tagged by content."""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from villagemap.api.tiles import has_tag
from villagemap.errors import NotFoundError
from villagemap.settings import shown_files

router = APIRouter(prefix="/static", include_in_schema=False)

KINDS = {  # not guessed: Windows' registry may call a module text/plain, and then no browser runs it
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


@router.get("/vendor/{path:path}")
def vendor(request: Request, path: str) -> Response:
    """A file of Leaflet's, out of its installed wheel."""
    from villagemap.maps import vendor_asset  # noqa: PLC0415 - Folium takes two seconds to import

    return _file(request, vendor_asset(path))


@router.get("/{path:path}")
def own(request: Request, path: str) -> Response:
    """A file of ours."""
    root = shown_files("static").resolve()
    file = (root / path).resolve() if "\0" not in path else root
    if not file.is_relative_to(root) or not file.is_file() or file.suffix not in KINDS:
        raise NotFoundError("unknown_asset", path=path[:200])
    return _file(request, file)


def _file(request: Request, path: Path) -> Response:
    stat = path.stat()
    content, tag = _read(path, stat.st_mtime_ns, stat.st_size)
    headers = {"etag": tag, "cache-control": "no-cache"}
    if has_tag(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers={**headers, "content-type": KINDS[path.suffix]})


@lru_cache(maxsize=64)
def _read(path: Path, _changed_ns: int, _size: int) -> tuple[bytes, str]:
    content = path.read_bytes()
    return content, f'"{sha256(content).hexdigest()[:24]}"'


favicon = APIRouter(include_in_schema=False)


@favicon.get("/favicon.ico")
def icon(request: Request) -> Response:
    """What browsers ask for on their own."""
    return own(request, "icon.svg")
