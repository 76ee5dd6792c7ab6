"""TLS by declaration: one spelling for Twisted (MLLP, both ways) and for the standard library's `ssl` (aiohttp).

Trust is exactly one of: the system's authorities, a file of authorities (`ca`), or fingerprints of the very certificates
(`pinned`, for the self-signed ones of analysers and small hospitals).  There is no switch that turns checking off.  TLS 1.2 is the
least, and ciphers are the libraries' own choice.  Certificates are read again when their files change or when told to; what cannot
be read leaves the old ones in use.
"""

from __future__ import annotations

import hashlib
import logging
import ssl
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from pydantic import AfterValidator, model_validator
from pydantic.dataclasses import dataclass
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, TLSVersion, optionsForClientTLS, platformTrust, trustRootFromCertificates
from zope.interface import implementer

from channels.errors import ConnectorError
from transforms.component import option
from transforms.declaration.quantities import Duration

log = logging.getLogger(__name__)

T = TypeVar("T")

EXPIRES_SOON = timedelta(days=30)

_TWISTED_MINIMUM = {"1.2": TLSVersion.TLSv1_2, "1.3": TLSVersion.TLSv1_3}
_SSL_MINIMUM = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def _fingerprint(text: str) -> str:
    """`AB:CD:…` or `abcd…` as 64 lower-case hexadecimal digits; a reference is left for when it is resolved."""
    if "${" in text:
        return text
    digits = text.lower().removeprefix("sha256:").replace(":", "")
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise ValueError("should be a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")
    return digits


@dataclass(frozen=True)
class ServerTls:
    """TLS of what listens."""

    certificate: str = option("File (PEM) with our certificate, and those of the authorities between it and the root.", min_length=1)
    key: str = option("File (PEM) with its private key.", min_length=1)
    key_password: str = option("Password of the private key, as ${secret:name}; empty: it has none.", default="")
    client_ca: str = option("File (PEM) of authorities; only clients with a certificate of theirs are let in.", default="")
    minimum: Literal["1.2", "1.3"] = option("Lowest version of TLS.", default="1.2")
    reload: Duration = option("How often changed files are looked for; 0s: only when told to.", default=60.0, ge=0)


@dataclass(frozen=True)
class Tls:
    """TLS towards a receiver."""

    ca: str = option("File (PEM) of the only authorities to trust; empty: the system's.", default="")
    pinned: tuple[Annotated[str, AfterValidator(_fingerprint)], ...] = option(
        "SHA-256 fingerprints of the only certificates to trust, whoever signed them and whatever names they carry.", default=()
    )
    server_name: str = option("The name the receiver's certificate must carry; empty: the host of its address.", default="")
    certificate: str = option("File (PEM) with our own certificate, where the receiver asks for one.", default="")
    key: str = option("File (PEM) with its private key.", default="")
    key_password: str = option("Password of the private key, as ${secret:name}; empty: it has none.", default="")
    minimum: Literal["1.2", "1.3"] = option("Lowest version of TLS.", default="1.2")
    reload: Duration = option("How often changed files are looked for; 0s: only when told to.", default=60.0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Tls:
        if self.ca and self.pinned:
            raise ValueError("trusts either authorities (`ca`) or single certificates (`pinned`), not both")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("needs `certificate` and `key` together")
        return self


class Reloading(Generic[T]):
    """Something made from files, made again when they change.

    Changes are looked for when the thing is asked for, at most every `every` seconds: no timer runs.
    """

    def __init__(self, make: Callable[[], T], files: Sequence[Path], every: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._make, self._files, self._every, self._clock = make, files, every, clock
        self._seen, self._looked = self._stamps(), clock()
        self._value = make()

    def current(self) -> T:
        """The thing as the files have it now."""
        if self._every and self._clock() - self._looked >= self._every:
            self._looked = self._clock()
            stamps = self._stamps()
            if stamps != self._seen and self.reload():
                self._seen = stamps
        return self._value

    def reload(self) -> bool:
        """Read the files again; where that fails, say so, go on with what there was, and return False."""
        try:
            self._value = self._make()
        except ConnectorError as error:
            log.error("certificates not reloaded, the old ones stay in use: %s", error)
            return False
        return True

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        return tuple(_stamp(each) for each in self._files)


def _stamp(file: Path) -> tuple[int, int]:
    """What changes when a file does; a missing one, in the middle of being exchanged, has one too."""
    try:
        found = file.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)


def _files(declaration: ServerTls | Tls, folder: Path) -> list[Path]:
    names = (declaration.certificate, declaration.key, getattr(declaration, "client_ca", ""), getattr(declaration, "ca", ""))
    return [folder / name for name in names if name]


# --- Twisted


@implementer(IOpenSSLServerConnectionCreator)
class ServerCredentials:
    """What a listening Twisted factory is given (`TLSMemoryBIOFactory(credentials, False, factory)`)."""

    def __init__(self, declaration: ServerTls, folder: Path) -> None:
        self._options = Reloading(lambda: _server_options(declaration, folder), _files(declaration, folder), declaration.reload)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """A connection under the certificates of this moment."""
        return self._options.current().serverConnectionForTLS(protocol)

    def reload(self) -> bool:
        """Read the certificates again, for connections to come."""
        return self._options.reload()


@implementer(IOpenSSLClientConnectionCreator)
class ClientCredentials:
    """What a connecting Twisted endpoint is given (`wrapClientTLS(credentials, endpoint)`)."""

    def __init__(self, declaration: Tls, host: str, folder: Path) -> None:
        name = declaration.server_name or host
        self._creator = Reloading(lambda: _client_creator(declaration, name, folder), _files(declaration, folder), declaration.reload)

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """A connection under the certificates of this moment."""
        return self._creator.current().clientConnectionForTLS(protocol)

    def reload(self) -> bool:
        """Read the certificates again, for connections to come."""
        return self._creator.reload()


@implementer(IOpenSSLClientConnectionCreator)
class _PinnedCreator:
    """Connections that trust a certificate by its fingerprint alone."""

    def __init__(self, options: CertificateOptions, name: str, pinned: tuple[str, ...]) -> None:
        self._options, self._name, self._pinned = options, name, pinned

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        connection = self._options.clientConnectionForTLS(protocol)
        if not isIPAddress(self._name) and not isIPv6Address(self._name):
            connection.set_tlsext_host_name(self._name.encode("idna"))
        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._trusted)
        return connection

    def _trusted(self, connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, fine: int) -> bool:
        return depth > 0 or _plain(certificate.digest("sha256")) in self._pinned


def _server_options(declaration: ServerTls, folder: Path) -> CertificateOptions:
    trust = trustRootFromCertificates(_authorities(folder / declaration.client_ca)) if declaration.client_ca else None
    minimum = _TWISTED_MINIMUM[declaration.minimum]
    return _checked(CertificateOptions(trustRoot=trust, raiseMinimumTo=minimum, **_own(declaration, folder)))


def _client_creator(declaration: Tls, name: str, folder: Path) -> Any:
    extra = {"raiseMinimumTo": _TWISTED_MINIMUM[declaration.minimum], **(_own(declaration, folder) if declaration.certificate else {})}
    untrusting = _checked(CertificateOptions(**extra))
    if declaration.pinned:
        return _PinnedCreator(untrusting, name, declaration.pinned)
    trust = trustRootFromCertificates(_authorities(folder / declaration.ca)) if declaration.ca else platformTrust()
    return optionsForClientTLS(name, trust, extraCertificateOptions=extra)


def _checked(options: CertificateOptions) -> CertificateOptions:
    """`options`, once they have shown that certificate and key belong together."""
    try:
        options.getContext()
    except SSL.Error:
        raise ConnectorError("tls: the private key does not belong to the certificate") from None
    return options


def _own(declaration: ServerTls | Tls, folder: Path) -> dict[str, Any]:
    """Our certificate, chain and key, as CertificateOptions takes them."""
    first, *chain = _certificates(folder / declaration.certificate)
    return {
        "certificate": first,
        "extraCertChain": chain,
        "privateKey": _private_key(folder / declaration.key, declaration.key_password),
    }


def _authorities(file: Path) -> list[Certificate]:
    return [Certificate(crypto.X509.from_cryptography(each)) for each in _certificates(file, ours=False)]


def _certificates(file: Path, ours: bool = True) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(_read(file))
    except ValueError:
        raise ConnectorError(f"tls: {file} holds no certificate in PEM form") from None
    left = found[0].not_valid_after_utc - datetime.now(timezone.utc)
    if ours and left < EXPIRES_SOON:
        log.warning("the certificate in %s expires on %s", file, found[0].not_valid_after_utc.date())
    return found


def _private_key(file: Path, password: str) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(_read(file), password.encode() or None)
    except (ValueError, TypeError):
        raise ConnectorError(f"tls: {file} holds no private key in PEM form that this password opens") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConnectorError(f"tls: {file} cannot be read: {error.strerror}") from None


def _plain(digest: bytes) -> str:
    return digest.decode("ascii").replace(":", "").lower()


# --- the standard library


class _PinnedObject(ssl.SSLObject):
    """Compares the peer's certificate with the pinned ones as soon as the peer has proved that it holds its key."""

    def do_handshake(self) -> None:
        super().do_handshake()
        certificate = self.getpeercert(binary_form=True) or b""
        if hashlib.sha256(certificate).hexdigest() not in self.context.pinned:
            raise ssl.SSLCertVerificationError("the certificate is none of the pinned ones")


class _PinnedContext(ssl.SSLContext):
    """Trusts `pinned` and nothing else."""

    sslobject_class = _PinnedObject
    pinned: tuple[str, ...] = ()


def ssl_context(declaration: Tls, folder: Path) -> ssl.SSLContext:
    """A client's context for aiohttp and asyncio, which must be given `server_hostname=declaration.server_name or None` with it."""
    context = _pinned_context(declaration.pinned) if declaration.pinned else _trusting_context(declaration, folder)
    context.minimum_version = _SSL_MINIMUM[declaration.minimum]
    if declaration.certificate:
        certificate, key = folder / declaration.certificate, folder / declaration.key
        _certificates(certificate), _private_key(key, declaration.key_password)  # for errors that say what is wrong
        try:
            context.load_cert_chain(certificate, key, declaration.key_password or None)
        except ssl.SSLError:
            raise ConnectorError("tls: the private key does not belong to the certificate") from None
    return context


def reloading_context(declaration: Tls, folder: Path) -> Reloading[ssl.SSLContext]:
    """The context of the moment is its `current()`: a new one for connections to come, once files have changed."""
    return Reloading(lambda: ssl_context(declaration, folder), _files(declaration, folder), declaration.reload)


def _pinned_context(pinned: tuple[str, ...]) -> ssl.SSLContext:
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.pinned = pinned
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # _PinnedObject checks instead
    return context


def _trusting_context(declaration: Tls, folder: Path) -> ssl.SSLContext:
    if declaration.ca:
        _certificates(folder / declaration.ca, ours=False)
        return ssl.create_default_context(cafile=folder / declaration.ca)
    return ssl.create_default_context()


def server_context(declaration: ServerTls, folder: Path) -> Reloading[ssl.SSLContext]:
    """The context of an aiohttp server: one for as long as it runs, into which changed files are read again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _SSL_MINIMUM[declaration.minimum]

    def filled() -> ssl.SSLContext:
        certificate, key = folder / declaration.certificate, folder / declaration.key
        _certificates(certificate), _private_key(key, declaration.key_password)
        try:
            context.load_cert_chain(certificate, key, declaration.key_password or None)
        except ssl.SSLError:
            raise ConnectorError("tls: the private key does not belong to the certificate") from None
        if declaration.client_ca:
            _certificates(folder / declaration.client_ca, ours=False)
            context.load_verify_locations(folder / declaration.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    return Reloading(filled, _files(declaration, folder), declaration.reload)
