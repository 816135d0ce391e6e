"""HTTPS: an authority of the county's own in the workspace's folder ``tls/``, or a certificate that was given.

Phones give their position and camera to pages over HTTPS only. A county's server has no public name, so no public
authority can vouch for it: the county becomes its own, and each phone is told once to trust it.
"""

import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from villagemap.errors import BadInputError, WrongUseError
from villagemap.settings import now

AUTHORITY_DAYS = 3652
SERVER_DAYS = 397
"""Browsers refuse certificates that last longer (CA/Browser Forum, ballot SC31)."""
RENEW_DAYS = 30
EARLIER = timedelta(days=1)
"""Valid from a day before it is made: clocks of phones differ."""


@dataclass(frozen=True, slots=True)
class Authority:
    """What a phone must be given: the certificate (DER), and its SHA-256 fingerprint to compare."""

    der: bytes
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Secured:
    """Files for HTTPS; ``authority`` is None for a certificate that was given, ``until`` its last day."""

    cert: Path
    key: Path
    until: datetime
    authority: Authority | None


def own_certificate(folder: Path, names: Sequence[str], *, at: datetime | None = None) -> Secured:
    """The county's own authority in ``folder``, and a server certificate for ``names`` by it.

    Made where there is none; the server's is made anew in its last `RENEW_DAYS`, or where it lacks a name. The
    authority's key never leaves the folder (0600).

    Raises
    ------
    WrongUseError
        ``tls_name_bad`` for a name that no certificate can hold.
    BadInputError
        ``tls_pair_bad`` where the authority's files don't fit together.
    """
    at = at or now()
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted = [_general_name(name) for name in dict.fromkeys(names)]
    ca_cert, ca_key = folder / "ca.crt", folder / "ca.key"
    if not ca_key.exists():
        _make_authority(ca_cert, ca_key, at)
    issuer, signer = _read(ca_cert, ca_key)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise _bad(ca_cert, ca_key, TypeError("not elliptic"))
    cert, key = folder / "server.crt", folder / "server.key"
    if not _still_good(cert, key, issuer, wanted, at):
        _make_server(cert, key, issuer, signer, wanted, at)
    der = issuer.public_bytes(serialization.Encoding.DER)
    authority = Authority(der, issuer.fingerprint(hashes.SHA256()).hex(":").upper())
    return Secured(cert, key, _read(cert, key)[0].not_valid_after_utc, authority)


def given_certificate(cert: Path, key: Path) -> Secured:
    """A certificate (with its chain) and key in PEM files, if a server can use them.

    Raises
    ------
    BadInputError
        ``tls_pair_bad``
    """
    found, _ = _read(cert, key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: b"")
    except (OSError, ValueError) as fault:
        raise _bad(cert, key, fault) from fault
    return Secured(cert, key, found.not_valid_after_utc, None)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        pass
    try:
        plain = name.encode("idna").decode().lower()
        if plain and not set(plain) - set("abcdefghijklmnopqrstuvwxyz0123456789.-"):
            return x509.DNSName(plain)
    except (UnicodeError, ValueError):
        pass
    raise WrongUseError("tls_name_bad", name=name[:100])


def _make_authority(cert: Path, key: Path, at: datetime) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"villagemap {at:%Y-%m-%d} {os.urandom(3).hex()}")])
    usage = _usage(key_cert_sign=True, crl_sign=True)
    made = (
        _builder(name, name, secret, at, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(secret, hashes.SHA256())
    )
    _write(key, _pem(secret))
    _write(cert, made.public_bytes(serialization.Encoding.PEM))


def _make_server(
    cert: Path,
    key: Path,
    issuer: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey,
    names: Sequence[x509.GeneralName],
    at: datetime,
) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "villagemap")])
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    days = min(SERVER_DAYS, (issuer.not_valid_after_utc - at).days)
    made = (
        _builder(subject, issuer.subject, secret, at, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(authority_key, critical=False)
        .sign(signer, hashes.SHA256())
    )
    _write(key, _pem(secret))
    _write(cert, made.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, secret: ec.EllipticCurvePrivateKey, at: datetime, days: int
) -> x509.CertificateBuilder:
    # the server's 397 days are counted from the earlier start, which browsers count from too
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - EARLIER)
        .not_valid_after(at - EARLIER + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(secret.public_key()), critical=False)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _still_good(
    cert: Path, key: Path, issuer: x509.Certificate, wanted: Sequence[x509.GeneralName], at: datetime
) -> bool:
    """Whether the server's certificate is by this authority, holds all names, and isn't near its end."""
    if not cert.exists() or not key.exists():
        return False
    try:
        found, _ = _read(cert, key)
        found.verify_directly_issued_by(issuer)
        held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (BadInputError, InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    lasts = found.not_valid_after_utc - at
    return timedelta(days=RENEW_DAYS) < lasts and set(wanted) <= set(held) and found.not_valid_before_utc <= at


def _read(cert: Path, key: Path) -> tuple[x509.Certificate, PrivateKeyTypes]:
    """A certificate and its own key; raises BadInputError ``tls_pair_bad``."""
    try:
        found = x509.load_pem_x509_certificate(cert.read_bytes())
        secret = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise _bad(cert, key, fault) from fault
    if found.public_key() != secret.public_key():
        raise _bad(cert, key, ValueError("key values mismatch"))
    return found, secret


def _bad(cert: Path, key: Path, fault: Exception) -> BadInputError:
    return BadInputError("tls_pair_bad", cert=str(cert), key=str(key), fault=str(fault) or type(fault).__name__)


def _pem(secret: ec.EllipticCurvePrivateKey) -> bytes:
    return secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or none, for its owner alone."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
