"""Who we are: headers, token requests as the standards write them, and when a token is renewed."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwk, jwt
from pydantic import ValidationError

from channels.errors import ConnectorError
from channels.fhir.destination import FhirDestination
from channels.http.answer import Failure, Reply
from channels.http.authorization import Authorization, Basic, OAuth2, Smart, Token, token_of, token_request

URL = "https://auth.example/token"
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP384R1())


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: str = "") -> bytes:
    locked = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)


PUBLIC = EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_fixed_headers() -> None:
    """A token as it is; user and password in base64 of UTF-8 (RFC 7617)."""
    assert Authorization(bearer="x.y").fixed == "Bearer x.y"
    assert b64decode(Authorization(basic=Basic("lab", "größer:1")).fixed.removeprefix("Basic ")) == "lab:größer:1".encode()
    assert Authorization().fixed == "" and Authorization().asked is None


def test_only_one_way_at_a_time() -> None:
    """Two ways are a mistake of whoever configured them."""
    with pytest.raises(ValidationError, match="takes one of"):
        Authorization(bearer="x", basic=Basic("a", "b"))


def test_a_secret_goes_where_the_server_wants_it() -> None:
    """RFC 6749, 2.3.1: in the header form-encoded, or in the body."""
    asked = token_request(OAuth2(URL, "lab:1", "s e/cret", scope="system/*.rs"), Path(), 0.0, "1")
    assert b64decode(asked.headers["Authorization"].removeprefix("Basic ")) == b"lab%3A1:s%20e%2Fcret"
    assert parse_qs(asked.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["system/*.rs"]}
    asked = token_request(OAuth2(URL, "lab", "s e", secret_in="body", audience="https://fhir.example"), Path(), 0.0, "1")
    assert "Authorization" not in asked.headers
    said = parse_qs(asked.body.decode())
    assert (said["client_id"], said["client_secret"], said["audience"]) == (["lab"], ["s e"], ["https://fhir.example"])


@pytest.mark.parametrize(("key", "algorithm", "password"), [(RSA, "RS384", ""), (EC, "ES384", ""), (RSA, "RS384", "geheim")])
def test_an_assertion_is_what_smart_asks_for(tmp_path: Path, key: rsa.RSAPrivateKey, algorithm: str, password: str) -> None:
    """iss and sub are the client, aud the token endpoint, exp within five minutes, jti unique, signed with the key named by kid."""
    (tmp_path / "key.pem").write_bytes(pem(key, password))
    declared = Smart(URL, "lab", "key.pem", key_password=password, key_id="2026", algorithm=algorithm)
    form = parse_qs(token_request(declared, tmp_path, 1000.0, "number").body.decode())
    assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    public = jwk.import_key(pem(key), "RSA" if algorithm == "RS384" else "EC")
    token = jwt.decode(form["client_assertion"][0], public, algorithms=[algorithm])
    assert token.header == {"alg": algorithm, "typ": "JWT", "kid": "2026"}
    assert token.claims == {"iss": "lab", "sub": "lab", "aud": URL, "iat": 1000, "exp": 1240, "jti": "number"}


def test_a_jwk_names_itself(tmp_path: Path) -> None:
    """The `kid` of a JWK file is used where none is declared."""
    key = jwk.import_key(pem(EC), "EC", {"kid": "own"})
    (tmp_path / "key.jwk").write_text(json.dumps(key.as_dict(private=True)))
    form = parse_qs(token_request(Smart(URL, "lab", "key.jwk", algorithm="ES384"), tmp_path, 0.0, "1").body.decode())
    assert jwt.decode(form["client_assertion"][0], key, algorithms=["ES384"]).header["kid"] == "own"


@pytest.mark.parametrize("content", [b"", b"{}", b"nothing", pem(EC), PUBLIC], ids=["empty", "object", "words", "other", "public"])
def test_a_key_that_cannot_sign_is_said_so(tmp_path: Path, content: bytes) -> None:
    """Nothing, no key, a key of another kind, a public one: the file is named, its content is not."""
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(ConnectorError, match="no private key for RS384"):
        token_request(Smart(URL, "lab", "key.pem"), tmp_path, 0.0, "1")
    with pytest.raises(ConnectorError, match="cannot be read"):
        token_request(Smart(URL, "lab", "missing.pem"), tmp_path, 0.0, "1")


def test_a_token_is_renewed_before_its_end() -> None:
    """Used to five seconds before its end, renewed from four fifths of its life on."""
    token = token_of(Reply(200, body=b'{"access_token":"x","expires_in":100,"token_type":"bearer"}'), 1000.0)
    assert isinstance(token, Token) and token.header == "Bearer x"
    assert [(token.is_good(now), token.is_old(now)) for now in (1000, 1079, 1081, 1094, 1096)] == [
        (True, False), (True, False), (True, True), (True, True), (False, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"error":"invalid_client","error_description":"secret"}', "invalid_client"), (400, b'{"error":"Meier"}', "status 400"),
        (500, b"", "status 500"), (200, b"{}", "status 200"), (200, b"[]", "status 200"), (200, b'{"access_token":"a\\nb"}', "status 200"),
        (200, b'{"access_token":5}', "status 200"),
    ],
)  # fmt: skip
def test_no_token_says_why_in_known_words(status: int, body: bytes, said: str) -> None:
    """Error codes of RFC 6749 are told, nothing else of what the server says."""
    assert token_of(Reply(status, body=body), 0.0) == Failure("token", f"the authorization server gives no token ({said})")


@pytest.mark.parametrize("url", ["http://auth.example/token", "http://localhost.example/token", "http://127.0.0.1@auth.example/token"])
def test_credentials_do_not_travel_in_the_open(url: str) -> None:
    """Neither to an authorization server nor to a FHIR server; on this machine they may."""
    for declared in (lambda: OAuth2(url, "lab", "secret"), lambda: FhirDestination(url=url, authorization=Authorization(bearer="x"))):
        with pytest.raises(ValidationError, match="unencrypted"):
            declared()
    for here in ("http://127.0.0.1:8080/token", "http://[::1]:8080/token", "http://localhost/token"):
        assert OAuth2(here, "lab", "secret").token_url == here
