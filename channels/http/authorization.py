"""Who we are to an HTTP receiver: a fixed token, user and password, or tokens that an authorization server gives.

OAuth 2.0 client credentials (RFC 6749, 4.4) and SMART backend services (private_key_jwt, RFC 7523 with the claims of SMART App
Launch 2, "Client Authentication: Asymmetric").  No I/O: what to ask the authorization server, what its answer means, and when a
token is to be renewed.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass as plain
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from joserfc import jwk, jwt
from joserfc.errors import JoseError
from pydantic import AfterValidator, model_validator
from pydantic.dataclasses import dataclass

from channels.errors import ConnectorError
from channels.http.address import LOOPBACK
from channels.http.answer import Failure, Reply
from transforms.component import option

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTED = 240.0  # seconds an assertion is good for; SMART allows 300
UNSAID = 300.0  # seconds a token is believed to last where the server does not say
EARLY = 0.8  # of its life: then a new one is fetched while the old one is used
LATE = 5.0  # seconds before its end a token is used no more


def web_address(url: str) -> str:
    """An option that is an HTTP address; references are looked at when they are resolved."""
    if "${" not in url and not url.startswith(("http://", "https://")):
        raise ValueError("should be an address such as https://server.example/path")
    return url


def encrypted(url: str) -> str:
    """An address that credentials may be sent to: https, or this machine."""
    if "${" not in web_address(url) and url.startswith("http://"):
        host = url.removeprefix("http://").partition("/")[0].rpartition("@")[2]
        if (host if host.startswith("[") else host.partition(":")[0]).partition("]")[0].strip("[") not in LOOPBACK:
            raise ValueError("would send credentials unencrypted: use https")
    return url


@dataclass(frozen=True)
class Basic:
    """User and password (RFC 7617)."""

    user: str = option("The name.", min_length=1)
    password: str = option("The password, as ${secret:name}.")


@dataclass(frozen=True)
class OAuth2:
    """Tokens for a client's id and secret."""

    token_url: Annotated[str, AfterValidator(encrypted)] = option("Where tokens are asked for.")
    client_id: str = option("What the authorization server calls us.", min_length=1)
    client_secret: str = option("The secret, as ${secret:name}.", min_length=1)
    scope: str = option("Scopes to ask for, such as `system/*.rs`.", default="")
    audience: str = option("The receiver the token is for, where the server asks for that.", default="")
    secret_in: Literal["header", "body"] = option("Where the secret is put.", default="header")


@dataclass(frozen=True)
class Smart:
    """Tokens for a signed assertion: SMART backend services."""

    token_url: Annotated[str, AfterValidator(encrypted)] = option("Where tokens are asked for.")
    client_id: str = option("What the authorization server calls us.", min_length=1)
    key: str = option("File with our private key: PEM or JWK.", min_length=1)
    key_password: str = option("Password of a PEM file, as ${secret:name}; empty: it has none.", default="")
    key_id: str = option("The key's name in our JWKS; empty: the JWK's own `kid`.", default="")
    algorithm: Literal["RS384", "ES384"] = option("How the assertion is signed.", default="RS384")
    scope: str = option("Scopes to ask for.", default="system/*.rs")


@dataclass(frozen=True)
class Authorization:
    """One way of saying who we are."""

    bearer: str = option("A token that does not change, as ${secret:name}.", default="")
    basic: Basic | None = option("User and password.", default=None)
    oauth2: OAuth2 | None = option("Tokens for a client's id and secret.", default=None)
    smart: Smart | None = option("Tokens for a signed assertion.", default=None)

    @model_validator(mode="after")
    def _one(self) -> Authorization:
        if sum(bool(each) for each in (self.bearer, self.basic, self.oauth2, self.smart)) > 1:
            raise ValueError("takes one of bearer, basic, oauth2 and smart")
        return self

    @property
    def is_empty(self) -> bool:
        """We are nobody in particular."""
        return not (self.fixed or self.asked)

    @property
    def fixed(self) -> str:
        """The Authorization header that needs no asking; empty: none."""
        if self.bearer:
            return f"Bearer {self.bearer}"
        if self.basic:
            return "Basic " + b64encode(f"{self.basic.user}:{self.basic.password}".encode()).decode()
        return ""

    @property
    def asked(self) -> OAuth2 | Smart | None:
        """By what tokens are asked for."""
        return self.oauth2 or self.smart


@plain(frozen=True, slots=True)
class Token:
    """A token and its life, in seconds of the clock that tells when it was given."""

    header: str
    given: float
    ends: float

    def is_good(self, now: float) -> bool:
        """It may be used."""
        return now < self.ends - LATE

    def is_old(self, now: float) -> bool:
        """A new one should be fetched."""
        return now >= self.given + EARLY * (self.ends - self.given)


@plain(frozen=True, slots=True)
class TokenRequest:
    """What to POST to the authorization server."""

    url: str
    headers: dict[str, str]
    body: bytes


def token_request(declared: OAuth2 | Smart, folder: Path, now: float, number: str) -> TokenRequest:
    """How to ask for a token.  `number` must never come again (jti).  ConnectorError where the key cannot be used."""
    form = {"grant_type": "client_credentials"}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if declared.scope:
        form["scope"] = declared.scope
    if isinstance(declared, Smart):
        form |= {"client_assertion_type": ASSERTION, "client_assertion": _assertion(declared, folder, now, number)}
    else:
        if declared.audience:
            form["audience"] = declared.audience
        if declared.secret_in == "body":
            form |= {"client_id": declared.client_id, "client_secret": declared.client_secret}
        else:  # RFC 6749, 2.3.1: both are form-encoded before they are joined
            pair = f"{quote(declared.client_id, safe='')}:{quote(declared.client_secret, safe='')}"
            headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
    return TokenRequest(declared.token_url, headers, urlencode(form).encode())


def token_of(reply: Reply, now: float) -> Token | Failure:
    """The token in an authorization server's answer; a Failure says why there is none, and never what it said."""
    said = _json(reply.body)
    text, life = said.get("access_token"), said.get("expires_in")
    if 200 <= reply.status < 300 and isinstance(text, str) and text.isprintable() and text:
        seconds = float(life) if isinstance(life, int | float) and life > 0 else UNSAID
        return Token(f"Bearer {text}", now, now + seconds)
    error = said.get("error")
    known = error if isinstance(error, str) and error in _ERRORS else f"status {reply.status}"
    return Failure("token", f"the authorization server gives no token ({known})")


_ERRORS = {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _assertion(declared: Smart, folder: Path, now: float, number: str) -> str:
    key = signing_key(declared, folder)
    header = {"alg": declared.algorithm, "typ": "JWT"}
    if name := declared.key_id or key.kid:
        header["kid"] = name
    claims = {
        "iss": declared.client_id, "sub": declared.client_id, "aud": declared.token_url,
        "iat": int(now), "exp": int(now + ASSERTED), "jti": number,
    }  # fmt: skip
    try:
        return jwt.encode(header, claims, key, algorithms=[declared.algorithm])
    except (JoseError, ValueError) as error:
        raise ConnectorError(f"the key of `smart` cannot sign {declared.algorithm}: {type(error).__name__}") from None


def signing_key(declared: Smart, folder: Path) -> Any:
    """The private key.  ConnectorError where the file is none that can be used."""
    file = folder / declared.key
    try:
        return _key(file.read_bytes(), declared.algorithm, declared.key_password)
    except OSError as error:
        raise ConnectorError(f"the key of `smart` cannot be read: {error.strerror}: {file}") from None
    except (JoseError, ValueError, TypeError) as error:
        raise ConnectorError(f"the key of `smart` is no private key for {declared.algorithm}: {file} ({type(error).__name__})") from None


@lru_cache(maxsize=8)
def _key(content: bytes, algorithm: str, password: str) -> Any:
    kind = "RSA" if algorithm.startswith("RS") else "EC"
    if content.lstrip()[:1] == b"{":
        found = jwk.import_key(json.loads(content))
        if found.key_type != kind:
            raise ValueError("of another type")
    else:
        found = jwk.import_key(content, kind, {"password": password} if password else None) if not password else _unlocked(content, kind, password)
    if not found.is_private:
        raise ValueError("no private key")
    return found


def _unlocked(content: bytes, kind: str, password: str) -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

    opened = load_pem_private_key(content, password.encode())
    return jwk.import_key(opened.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), kind)
