"""By which names and addresses a server is called: what a certificate must hold, and what a Host header may say."""

import socket
from collections.abc import Iterable
from contextlib import suppress

ANYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def own_names(host: str, more: Iterable[str] = ()) -> list[str]:
    """The names of this computer when it listens at ``host``, with ``more`` that it is known by."""
    plain = _as_sent(host)
    names = ["localhost", "127.0.0.1", "::1", *map(_as_sent, more)]
    if plain not in ANYWHERE:
        return list(dict.fromkeys([*names, plain]))
    called = socket.gethostname().lower()
    names += [called, *([f"{called}.local"] if "." not in called else [])]
    with suppress(OSError):
        names += [str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(called, None)]
    return list(dict.fromkeys([*names, *outward_addresses()]))


def _as_sent(name: str) -> str:
    """A name as browsers send it: small letters, Chinese ones in ASCII (RFC 3490)."""
    plain = name.strip("[]").lower()
    with suppress(UnicodeError):
        return plain.encode("idna").decode()
    return plain


def outward_addresses() -> list[str]:
    """The addresses that this computer would speak from; nothing is sent to the documentation addresses asked for."""
    found = []
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            found.append(str(probe.getsockname()[0]).partition("%")[0])
    return found


def shown_name(host: str, more: Iterable[str] = ()) -> str:
    """What people type to come here: a name that was given, else an address that others reach, else ``host``."""
    plain = host.strip("[]")
    reached = outward_addresses() if plain in ANYWHERE else []
    return bracketed(next(iter([*more, *reached, plain])))


def bracketed(name: str) -> str:
    """A name as it stands in an address: IPv6 in brackets."""
    return f"[{name.strip('[]')}]" if ":" in name else name
