"""HTTPS by an authority of the county's own: phones that were told of it trust the server, and nobody else's."""

import http.client
import os
import ssl
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from villagemap.api.names import bracketed, own_names, shown_name
from villagemap.api.tls import RENEW_DAYS, SERVER_DAYS, given_certificate, own_certificate
from villagemap.auth import OWNER
from villagemap.errors import BadInputError, WrongUseError
from villagemap.flows.people import accounts
from villagemap.flows.registry import Session

NAMES = ["localhost", "127.0.0.1", "county.example", "2001:db8::1"]
TODAY = datetime(2026, 3, 20, tzinfo=UTC)


def shakes_hands(secured, authority, name):
    """Whether a client that trusts ``authority`` (PEM) accepts the server under ``name``; nothing leaves memory."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(secured.cert, secured.key)
    client = ssl.create_default_context(cadata=authority.read_text())
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_hostname=name),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return True


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "tls"


def test_who_was_told_of_the_authority_trusts_the_server(folder, tmp_path):
    secured = own_certificate(folder, NAMES)
    for name in NAMES:
        assert shakes_hands(secured, folder / "ca.crt", name), name
    assert not shakes_hands(secured, folder / "ca.crt", "other.example")
    own_certificate(tmp_path / "other", NAMES)
    assert not shakes_hands(secured, tmp_path / "other" / "ca.crt", "localhost")


def test_keys_are_their_owners_alone(folder):
    own_certificate(folder, NAMES)
    assert {path.name for path in folder.iterdir()} == {"ca.crt", "ca.key", "server.crt", "server.key"}
    if os.name != "nt":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_authority_signs_servers_and_no_other_authority(folder):
    secured = own_certificate(folder, NAMES, at=TODAY)
    authority = x509.load_der_x509_certificate(secured.authority.der)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(
        ca=True, path_length=0
    )
    assert secured.authority.fingerprint == authority.fingerprint(hashes.SHA256()).hex(":").upper()
    assert 3640 < (authority.not_valid_after_utc - TODAY).days < 3660
    server = x509.load_pem_x509_certificate(secured.cert.read_bytes())
    assert (server.not_valid_after_utc - server.not_valid_before_utc).days == SERVER_DAYS
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_certificate_is_kept_until_it_is_near_its_end(folder):
    first = own_certificate(folder, NAMES, at=TODAY)
    kept = first.cert.read_bytes()
    own_certificate(folder, NAMES[:2], at=first.until - timedelta(days=RENEW_DAYS + 1))
    assert first.cert.read_bytes() == kept
    renewed = own_certificate(folder, NAMES, at=first.until - timedelta(days=RENEW_DAYS - 1))
    assert renewed.until > first.until
    assert renewed.authority == first.authority  # phones needn't be told again
    assert renewed.cert.read_bytes() != kept


def test_another_name_makes_another_certificate(folder):
    first = own_certificate(folder, NAMES)
    kept = first.cert.read_bytes()
    second = own_certificate(folder, [*NAMES, "镇.example"])
    assert second.cert.read_bytes() != kept
    assert second.authority == first.authority
    assert shakes_hands(second, folder / "ca.crt", "镇.example".encode("idna").decode())


@pytest.mark.parametrize("damage", ["server.crt", "server.key"])
def test_a_damaged_server_certificate_is_made_anew(folder, damage):
    own_certificate(folder, NAMES)
    (folder / damage).write_text("nothing")
    assert shakes_hands(own_certificate(folder, NAMES), folder / "ca.crt", "localhost")


def test_a_certificate_of_another_authority_is_made_anew(folder, tmp_path):
    own_certificate(folder, NAMES)
    other = own_certificate(tmp_path / "other", NAMES)
    (folder / "server.crt").write_bytes(other.cert.read_bytes())
    (folder / "server.key").write_bytes(other.key.read_bytes())
    assert shakes_hands(own_certificate(folder, NAMES), folder / "ca.crt", "localhost")


def test_a_lost_authority_is_told_and_not_replaced(folder):
    """Every phone would have to be told anew, so a person must decide it."""
    own_certificate(folder, NAMES)
    (folder / "ca.crt").unlink()
    with pytest.raises(BadInputError) as fault:
        own_certificate(folder, NAMES)
    assert fault.value.code == "tls_pair_bad"


@pytest.mark.parametrize("name", ["", "two words", "a/b", "x" * 300, "-\n"])
def test_what_is_no_name_is_refused(folder, name):
    with pytest.raises(WrongUseError) as fault:
        own_certificate(folder, [*NAMES, name])
    assert fault.value.code == "tls_name_bad"


def test_given_files_must_fit_together(folder, tmp_path):
    own = own_certificate(folder, NAMES)
    other = own_certificate(tmp_path / "other", NAMES)
    assert given_certificate(own.cert, own.key).authority is None
    for cert, key in ((own.cert, other.key), (own.key, own.cert), (tmp_path / "none.crt", own.key)):
        with pytest.raises(BadInputError) as fault:
            given_certificate(cert, key)
        assert fault.value.code == "tls_pair_bad"


def test_a_server_knows_by_which_names_it_is_called():
    assert own_names("192.0.2.7", ["County.example"]) == [
        "localhost", "127.0.0.1", "::1", "county.example", "192.0.2.7",
    ]  # fmt: skip
    assert "镇.example".encode("idna").decode() in own_names("::", ["镇.example"])  # as browsers send it
    assert own_names("[::1]").count("::1") == 1
    anywhere = own_names("0.0.0.0")
    assert "0.0.0.0" not in anywhere
    assert len(anywhere) == len(set(anywhere))
    assert shown_name("0.0.0.0", ["county.example"]) == "county.example"
    assert shown_name("::1") == "[::1]"
    assert bracketed("192.0.2.7") == "192.0.2.7"


SERVER = """
import sys
from pathlib import Path
from villagemap.api.names import own_names
from villagemap.api.server import serve
from villagemap.api.tls import own_certificate
from villagemap.flows.workspace import open_workspace
folder = Path(sys.argv[1])
secured = own_certificate(folder / "tls", own_names("0.0.0.0"))
serve(open_workspace(folder), "0.0.0.0", 0, ready=lambda address: print(address, flush=True), secured=secured)
"""


def test_a_server_for_others_speaks_https_and_asks_who_is_there(tiny):
    accounts.add_user(Session(tiny, OWNER), "anna", "correct horse battery")
    command = [sys.executable, "-W", "error", "-c", SERVER, str(tiny.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline().rpartition(":")[2])
            trusting = ssl.create_default_context(cafile=tiny.folder / "tls" / "ca.crt")
            asked = http.client.HTTPSConnection("localhost", port, context=trusting, timeout=10)
            answers = {}
            for path in ("/health", "/ca.crt", "/collections"):
                asked.request("GET", path)
                answer = asked.getresponse()
                answers[path] = (answer.status, answer.read())
            asked.close()
        finally:
            process.kill()
    assert {path: status for path, (status, _) in answers.items()} == {
        "/health": 200, "/ca.crt": 200, "/collections": 401,
    }  # fmt: skip
    fetched = x509.load_der_x509_certificate(answers["/ca.crt"][1])
    assert fetched == x509.load_pem_x509_certificate((tiny.folder / "tls" / "ca.crt").read_bytes())
