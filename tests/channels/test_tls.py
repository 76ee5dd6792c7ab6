"""TLS: who is let in, who is trusted, and certificates exchanged while running.

No sockets: both ends of a handshake are objects, and the bytes are carried over by hand.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key
from OpenSSL import SSL
from pydantic import ValidationError

from channels.errors import ConnectorError
from channels.tls import ClientCredentials, Reloading, ServerCredentials, ServerTls, Tls, reloading_context, ssl_context


class Site:
    """A folder with an authority's certificate and those it issued."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.authority = folder, trustme.CA()
        self.authority.cert_pem.write_to_path(folder / "ca.pem")

    def issue(self, name: str, *names: str, authority: trustme.CA | None = None, **more: object) -> str:
        """Write `name.pem` and `name.key`; returns the certificate's fingerprint."""
        issued = (authority or self.authority).issue_cert(*names or ("lab.example",), **more)
        (self.folder / f"{name}.pem").write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(self.folder / f"{name}.key")
        return x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes()).fingerprint(hashes.SHA256()).hex()

    def server(self, name: str = "server", **more: object) -> ServerTls:
        return ServerTls(certificate=f"{name}.pem", key=f"{name}.key", **more)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


class Wrapper:
    """What Twisted's TLS wrapper is to the makers of connections."""

    factory = SimpleNamespace(wrappedFactory=None)

    def failVerification(self, reason: object) -> None:
        """The name does not fit; OpenSSL refuses it by itself."""


class TwistedEnd:
    """One end of a TLS conversation as Twisted has it: pyOpenSSL over memory."""

    def __init__(self, make: Callable[[Wrapper], SSL.Connection], client: bool) -> None:
        self.wrapper = Wrapper()
        self.connection = make(self.wrapper)
        self.connection.set_connect_state() if client else self.connection.set_accept_state()

    def handshake(self) -> bool:
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    def read(self) -> None:
        try:
            self.connection.recv(1)
        except SSL.WantReadError:
            pass

    def take(self) -> bytes:
        try:
            return self.connection.bio_read(2**16)
        except SSL.WantReadError:
            return b""

    def give(self, data: bytes) -> None:
        self.connection.bio_write(data)


class StandardEnd:
    """The client's end as asyncio has it: `ssl` over memory."""

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.connection = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)

    def handshake(self) -> bool:
        try:
            self.connection.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> None:
        try:
            self.connection.read(1)
        except ssl.SSLWantReadError:
            pass

    def take(self) -> bytes:
        return self.outgoing.read()

    def give(self, data: bytes) -> None:
        self.incoming.write(data)


def twisted_client(tls: Tls, folder: Path, name: str = "lab.example") -> TwistedEnd:
    return TwistedEnd(ClientCredentials(tls, name, folder).clientConnectionForTLS, client=True)


def standard_client(tls: Tls, folder: Path, name: str = "lab.example") -> StandardEnd:
    return StandardEnd(ssl_context(tls, folder), tls.server_name or name)


def server_end(credentials: ServerCredentials) -> TwistedEnd:
    return TwistedEnd(credentials.serverConnectionForTLS, client=False)


def converse(client: TwistedEnd | StandardEnd, server: TwistedEnd) -> None:
    """Carry bytes between the two until both are done; raises what either of them raises."""
    done = {client: False, server: False}
    for _ in range(20):
        for one, other in ((client, server), (server, client)):
            done[one] = done[one] or one.handshake()
            if data := one.take():
                other.give(data)
        if all(done.values()):
            server.read(), client.read()  # under TLS 1.3 the server looks at the client's certificate last
            return
    raise AssertionError("the handshake does not end")


Client = Callable[..., "TwistedEnd | StandardEnd"]
both = pytest.mark.parametrize("client", [twisted_client, standard_client])
REFUSED = (SSL.Error, ssl.SSLError, ssl.CertificateError)


@both
def test_an_authority_of_ones_own_is_trusted(site: Site, client: Client) -> None:
    """A receiver whose certificate the declared authority signed is talked to."""
    site.issue("server")
    converse(client(Tls(ca="ca.pem"), site.folder), server_end(ServerCredentials(site.server(), site.folder)))


@both
@pytest.mark.parametrize("case", ["another authority", "the system's authorities", "another name", "expired"])
def test_a_certificate_that_proves_nothing_is_refused(site: Site, client: Client, case: str) -> None:
    """Signed by someone else, for someone else, or long ago: no connection."""
    past = datetime.now(timezone.utc) - timedelta(days=2)
    site.issue("server", *(["other.example"] if case == "another name" else []), **({"not_after": past} if case == "expired" else {}))
    trustme.CA().cert_pem.write_to_path(site.folder / "other.pem")
    ca = {"another authority": "other.pem", "the system's authorities": ""}.get(case, "ca.pem")
    with pytest.raises(REFUSED):
        converse(client(Tls(ca=ca), site.folder), server_end(ServerCredentials(site.server(), site.folder)))


@both
def test_a_receiver_known_by_another_name(site: Site, client: Client) -> None:
    """`server_name` says which name the certificate carries when it is not the address."""
    site.issue("server", "interface.lab.example")
    tls = Tls(ca="ca.pem", server_name="interface.lab.example")
    converse(client(tls, site.folder, "10.0.0.7"), server_end(ServerCredentials(site.server(), site.folder)))


@both
def test_a_pinned_certificate_needs_no_authority(site: Site, client: Client) -> None:
    """Its fingerprint is enough, in either spelling, whatever name it carries; any other certificate is refused."""
    pin = site.issue("server", "somebody.example")
    spelled = ":".join(pin[at : at + 2] for at in range(0, 64, 2)).upper()
    for pinned in (pin, spelled):
        converse(client(Tls(pinned=(pinned,)), site.folder), server_end(ServerCredentials(site.server(), site.folder)))
    site.issue("server", "somebody.example")
    with pytest.raises(REFUSED):
        converse(client(Tls(pinned=(pin,)), site.folder), server_end(ServerCredentials(site.server(), site.folder)))


@both
@pytest.mark.parametrize("minimum", ["1.2", "1.3"])
def test_clients_must_show_a_certificate(site: Site, client: Client, minimum: str) -> None:
    """With `client_ca`, only the authority's clients are let in."""
    site.issue("server")
    site.issue("client", "analyser.example")
    site.issue("stranger", "analyser.example", authority=trustme.CA())
    server = ServerCredentials(site.server(client_ca="ca.pem", minimum=minimum), site.folder)
    converse(client(Tls(ca="ca.pem", certificate="client.pem", key="client.key"), site.folder), server_end(server))
    for tls in (Tls(ca="ca.pem"), Tls(ca="ca.pem", certificate="stranger.pem", key="stranger.key")):
        with pytest.raises(REFUSED):
            converse(client(tls, site.folder), server_end(server))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(("version", "refused"), [(ssl.TLSVersion.TLSv1_1, True), (ssl.TLSVersion.TLSv1_2, False)])
def test_old_versions_are_refused(site: Site, version: ssl.TLSVersion, refused: bool) -> None:
    """Less than TLS 1.2 is not spoken."""
    site.issue("server")
    context = ssl_context(Tls(ca="ca.pem"), site.folder)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
    client, server = StandardEnd(context, "lab.example"), server_end(ServerCredentials(site.server(), site.folder))
    if refused:
        with pytest.raises(REFUSED):
            converse(client, server)
    else:
        converse(client, server)


def test_certificates_are_exchanged_while_running(site: Site) -> None:
    """After `reload`, new connections see the new certificate; a half-written one leaves the old in use."""
    old = site.issue("server")
    credentials = ServerCredentials(site.server(reload=0.0), site.folder)
    new = site.issue("server")
    converse(twisted_client(Tls(pinned=(old,)), site.folder), server_end(credentials))
    assert credentials.reload()
    converse(twisted_client(Tls(pinned=(new,)), site.folder), server_end(credentials))
    (site.folder / "server.pem").write_text("half")
    assert not credentials.reload()
    converse(twisted_client(Tls(pinned=(new,)), site.folder), server_end(credentials))


def test_changed_files_are_noticed(tmp_path: Path) -> None:
    """Without being told, at most once in the declared while; what fails is tried again the next time."""
    file, now = tmp_path / "x", [0.0]
    file.write_text("1")

    def make() -> int:
        try:
            return int(file.read_text())
        except ValueError:
            raise ConnectorError("no number") from None

    thing = Reloading(make, [file], 60.0, clock=lambda: now[0])
    file.write_text("22")
    assert thing.current() == 1
    now[0] = 60.0
    assert thing.current() == 22
    file.write_text("half")
    now[0] = 120.0
    assert thing.current() == 22
    file.write_text("333")
    now[0] = 180.0
    assert thing.current() == 333


def test_a_client_certificate_is_exchanged_for_http(site: Site) -> None:
    """The context of the moment is a new one once files changed."""
    site.issue("client")
    contexts = reloading_context(Tls(ca="ca.pem", certificate="client.pem", key="client.key"), site.folder)
    before = contexts.current()
    assert contexts.current() is before
    assert contexts.reload()
    assert contexts.current() is not before


def test_a_key_may_have_a_password(site: Site) -> None:
    """It is opened with it, and refused without."""
    site.issue("server")
    file = site.folder / "server.key"
    key = load_pem_private_key(file.read_bytes(), None)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame")))
    ServerCredentials(site.server(key_password="open sesame"), site.folder)
    with pytest.raises(ConnectorError, match="password"):
        ServerCredentials(site.server(key_password="close sesame"), site.folder)
    with pytest.raises(ConnectorError, match="password"):
        ServerCredentials(site.server(), site.folder)


def test_what_is_wrong_with_files_is_said(site: Site) -> None:
    """Missing, no certificate, and key of another certificate are three different sentences."""
    site.issue("server")
    site.issue("other")
    with pytest.raises(ConnectorError, match="missing.pem cannot be read: No such file"):
        ServerCredentials(ServerTls(certificate="missing.pem", key="server.key"), site.folder)
    with pytest.raises(ConnectorError, match="server.key holds no certificate"):
        ServerCredentials(ServerTls(certificate="server.key", key="server.key"), site.folder)
    for make in (ServerCredentials, lambda tls, folder: ClientCredentials(tls, "x", folder), ssl_context):
        with pytest.raises(ConnectorError, match="does not belong"):
            declared = ServerTls if make is ServerCredentials else Tls
            make(declared(certificate="server.pem", key="other.key"), site.folder)


@pytest.mark.parametrize(
    "options", [{"pinned": ("ab",)}, {"ca": "ca.pem", "pinned": ("0" * 64,)}, {"certificate": "client.pem"}, {"minimum": "1.1"}]
)
def test_declarations_that_contradict_themselves(options: dict[str, object]) -> None:
    """They are refused before any file is read."""
    with pytest.raises(ValidationError):
        Tls(**options)
