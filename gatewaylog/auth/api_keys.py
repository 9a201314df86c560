"""API keys: random texts of which the gateway keeps nothing but the SHA-256.

A key comes in the header `apikey` or `x-api-key`, or in `authorization: Basic` (RFC 7617): as
the user with an empty password, or as the password of the application's name.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.errors import (
    INVALID_CREDENTIALS,
    MISSING_CREDENTIALS,
    WRONG_CREDENTIAL_TYPE,
    Failure,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.auth.applications import Application

_PREFIX = "sha256:"
AUTHORIZATION = b"authorization"
_KEY_HEADERS = frozenset((b"apikey", b"x-api-key"))
CREDENTIAL_HEADERS = _KEY_HEADERS | {AUTHORIZATION}
_BASIC = b"basic"
_NO_SCOPES: frozenset[str] = frozenset()


class Granted(NamedTuple):
    """A call that may go on.

    `credential` is the key as presented; `consumed` names the header lines it came in (lower
    case), which are the gateway's own and go no further unless `forward_credential` says so.
    A NamedTuple, as a frozen dataclass makes each good call a tenth slower.
    """

    application: str
    owner: str
    credential: bytes
    consumed: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A call that may not go on, and why.

    `credential` is what was presented (of several the first), None where there was none.
    `application` and `owner` are known when the key was good and its rights are not enough.
    """

    failure: Failure
    credential: bytes | None = None
    application: str | None = None
    owner: str | None = None


class Presented(NamedTuple):
    """What the headers hold: a key, and the name that must be its application's where given."""

    credential: bytes | None
    consumed: tuple[bytes, ...] = ()
    user: bytes | None = None
    failure: Failure | None = None


class ApiKeys:
    """Checks the keys of these applications."""

    def __init__(self, applications: Iterable[Application]) -> None:
        self._by_digest = {
            digest: (digest, application)
            for application in applications
            for digest in map(digest_of, application.keys)
        }

    def check(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        *,
        label: str,
        scopes: frozenset[str] = _NO_SCOPES,
    ) -> Granted | Refused:
        """Say whether a call with these ASGI headers may use the API with this label.

        Of a resource's `scopes`, one is enough, as in WSO2 API Manager. Never raises.
        """
        shown = presented(headers)
        credential = shown.credential
        if credential is None or shown.failure:
            failure = shown.failure or MISSING_CREDENTIALS
            return Refused(failure=failure, credential=credential)
        return judged(shown, credential, self._application(credential), label, scopes)

    def _application(self, key: bytes) -> Application | None:
        digest = hashlib.sha256(key).digest()
        known = self._by_digest.get(digest)
        # The lookup can tell by its time no more than a hash of the guess; the comparison tells
        # nothing.
        if known is None or not hmac.compare_digest(known[0], digest):
            return None
        return known[1]


def judged(
    shown: Presented,
    credential: bytes,
    application: Application | None,
    label: str,
    scopes: frozenset[str],
) -> Granted | Refused:
    """Say whether a call with a key of this application (None: of none) may use an API."""
    if application is None or (
        shown.user is not None and not hmac.compare_digest(shown.user, application.name.encode())
    ):
        return Refused(failure=INVALID_CREDENTIALS, credential=credential)
    failure_of_rights = application.lacks(label, scopes, application.scopes)
    if failure_of_rights:
        return Refused(
            failure=failure_of_rights,
            credential=credential,
            application=application.name,
            owner=application.owner,
        )
    return Granted(
        application=application.name,
        owner=application.owner,
        credential=credential,
        consumed=shown.consumed,
    )


def new_key() -> tuple[str, str]:
    """Return a new random key of 256 bits, and the form of it to keep: `sha256:…`."""
    key = secrets.token_urlsafe(32)
    return key, _PREFIX + hashlib.sha256(key.encode()).hexdigest()


def digest_of(kept: str) -> bytes:
    """Return the SHA-256 that the kept form of a secret stands for."""
    return bytes.fromhex(kept.removeprefix(_PREFIX))


def presented(headers: Iterable[tuple[bytes, bytes]]) -> Presented:
    """Return the key that these ASGI headers hold, or what is wrong with what they hold."""
    found = [line for line in headers if line[0] in CREDENTIAL_HEADERS]
    if len(found) == 1:
        return _of_line(*found[0])
    return _of_several(found) if found else Presented(None, failure=MISSING_CREDENTIALS)


def _of_several(lines: list[tuple[bytes, bytes]]) -> Presented:
    """Read a key beside an authorization of another kind, which is then for the backend.

    Anything else says two things at once.
    """
    keys = [line for line in lines if line[0] in _KEY_HEADERS]
    if len(keys) == 1 and len(lines) == 2:
        other = next(value for name, value in lines if name == AUTHORIZATION)
        if scheme_and_parameters(other)[0] != _BASIC:
            return _of_line(*keys[0])
    return _malformed(keys[0][1] if keys else scheme_and_parameters(lines[0][1])[1])


def _of_line(name: bytes, value: bytes) -> Presented:
    if name != AUTHORIZATION:
        return Presented(value, (name,)) if value else _malformed(value)
    scheme, parameters = scheme_and_parameters(value)
    if scheme == _BASIC:
        return _basic(parameters)
    if not parameters:
        return _malformed(parameters)
    return Presented(parameters, failure=WRONG_CREDENTIAL_TYPE)


def _malformed(credential: bytes) -> Presented:
    return Presented(credential or None, failure=INVALID_CREDENTIALS)


def scheme_and_parameters(authorization: bytes) -> tuple[bytes, bytes]:
    """Return an authorization's scheme in lower case, and what follows it."""
    scheme, _, parameters = authorization.partition(b" ")
    return scheme.lower(), parameters.strip(b" ")


def _basic(encoded: bytes) -> Presented:
    try:
        user, colon, password = binascii.a2b_base64(encoded, strict_mode=True).partition(b":")
    except binascii.Error:
        colon = b""
    if not colon or not (user or password):
        return _malformed(encoded)
    if password:
        return Presented(password, (AUTHORIZATION,), user)
    return Presented(user, (AUTHORIZATION,))
