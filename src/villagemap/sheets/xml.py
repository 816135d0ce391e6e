"""XML written out: elements from values, so that no text can become markup."""

from collections.abc import Iterable
from html import escape

from villagemap.sheets.words import plain

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def element(name: str, *inner: str, **attributes: str) -> str:
    """An element around elements and escaped texts; attribute values are escaped here (a trailing ``_`` is cut)."""
    said = "".join(f' {key.rstrip("_")}="{escape(plain(value))}"' for key, value in attributes.items())
    return f"<{name}{said}>{''.join(inner)}</{name}>" if inner else f"<{name}{said}/>"


def leaf(name: str, said: str) -> str:
    """An element around a person's text; "" where there is none, as all of ours are optional."""
    cleaned = escape(plain(said).strip(), quote=False)
    return f"<{name}>{cleaned}</{name}>" if cleaned else ""


def document(root: str) -> bytes:
    """A whole file, UTF-8."""
    return (HEAD + root + "\n").encode()


def joined(parts: Iterable[str]) -> str:
    """Elements below each other."""
    return "\n".join(parts)
