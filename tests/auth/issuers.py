"""Servers that gateways ask about tokens, and tokens that they sign: by `cryptography` alone, so
that no library that the gateway verifies with is on both sides.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

if TYPE_CHECKING:
    from tests.strict_backend import Received

ISSUER = "https://issuer.example"
AUDIENCE = "https://gw.example"
# Made once: an RSA key takes a while.
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Json = dict[str, Any]


def b64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode().rstrip("=")


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8))


def jwk(key: Private, **members: object) -> Json:
    """The public half of a key."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        public = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        public = {"kty": "EC", "crv": "P-256", "x": number(point.x, 32), "y": number(point.y, 32)}
    else:
        public = {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().public_bytes_raw())}
    return public | members


def pem(key: rsa.RSAPrivateKey) -> bytes:
    """The public half as PEM: what an attacker takes for an HMAC's key."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


def key_set(*keys: Json) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


KEY_SET = key_set(
    jwk(RSA_KEY, kid="r", use="sig"), jwk(EC_KEY, kid="e"), jwk(ED_KEY, kid="d", alg="EdDSA")
)


def claims(**changed: object) -> Json:
    """The claims of a good token; None takes one away."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "amy",
        "client_id": "mobile-client",
        "scope": "items.read other",
        "exp": now + 86_400,  # tests are collected long before they run
        "iat": now,
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def jwt(
    payload: Json | bytes | None = None, key: Private | bytes | None = RSA_KEY, **header: object
) -> str:
    """A JWT signed as its header says: `bytes` are an HMAC's key, None signs with nothing."""
    head = {"alg": "RS256", "typ": "JWT", "kid": "r"} | header
    head = {name: value for name, value in head.items() if value is not None}
    body = claims() if payload is None else payload
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signing = f"{b64(json.dumps(head).encode())}.{b64(raw)}".encode()
    return f"{signing.decode()}.{b64(_signature(signing, key))}"


def _signature(signing: bytes, key: Private | bytes | None) -> bytes:
    if key is None:
        return b""
    if isinstance(key, bytes):
        return hmac.digest(key, signing, "sha256")
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(signing, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(signing)
    der = key.sign(signing, ec.ECDSA(hashes.SHA256()))
    return b"".join(part.to_bytes(32) for part in utils.decode_dss_signature(der))


def kept(secret: str) -> str:
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()


def http(body: bytes, status: bytes = b"200 OK") -> bytes:
    """A response on the wire."""
    return b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


class KeyServer:
    """Answers with what `document` is at the moment, and counts how often it was asked."""

    def __init__(self, document: bytes = KEY_SET) -> None:
        self.answer = http(document)
        self.asked = 0

    def __call__(self, _: Received) -> bytes:
        self.asked += 1
        return self.answer
