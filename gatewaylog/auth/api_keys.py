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
    NOT_SUBSCRIBED,
    SCOPE_MISSING,
    WRONG_CREDENTIAL_TYPE,
    Failure,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.auth.applications import Application

_PREFIX = "sha256:"
_KEY_HEADERS = frozenset((b"apikey", b"x-api-key"))
_AUTHORIZATION = b"authorization"
_BASIC = b"basic"
_HEADERS = _KEY_HEADERS | {_AUTHORIZATION}
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


class _Presented(NamedTuple):
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
            for digest in map(_digest_of, application.keys)
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
        presented = _presented(headers)
        credential = presented.credential
        if credential is None or presented.failure:
            failure = presented.failure or MISSING_CREDENTIALS
            return Refused(failure=failure, credential=credential)
        application = self._application(credential, presented.user)
        if application is None:
            return Refused(failure=INVALID_CREDENTIALS, credential=credential)
        failure_of_rights = _lacks(application, label, scopes)
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
            consumed=presented.consumed,
        )

    def _application(self, key: bytes, user: bytes | None) -> Application | None:
        digest = hashlib.sha256(key).digest()
        known = self._by_digest.get(digest)
        # The lookup can tell by its time no more than a hash of the guess; the comparison tells
        # nothing.
        if known is None or not hmac.compare_digest(known[0], digest):
            return None
        application = known[1]
        if user is not None and not hmac.compare_digest(user, application.name.encode()):
            return None
        return application


def new_key() -> tuple[str, str]:
    """Return a new random key of 256 bits, and the form of it to keep: `sha256:…`."""
    key = secrets.token_urlsafe(32)
    return key, _PREFIX + hashlib.sha256(key.encode()).hexdigest()


def _digest_of(kept: str) -> bytes:
    return bytes.fromhex(kept.removeprefix(_PREFIX))


def _lacks(application: Application, label: str, scopes: frozenset[str]) -> Failure | None:
    if not application.subscribes(label):
        return NOT_SUBSCRIBED
    if scopes and scopes.isdisjoint(application.scopes):
        return SCOPE_MISSING
    return None


def _presented(headers: Iterable[tuple[bytes, bytes]]) -> _Presented:
    found = [line for line in headers if line[0] in _HEADERS]
    if len(found) == 1:
        return _of_line(*found[0])
    return _of_several(found) if found else _Presented(None, failure=MISSING_CREDENTIALS)


def _of_several(lines: list[tuple[bytes, bytes]]) -> _Presented:
    """Read a key beside an authorization of another kind, which is then for the backend.

    Anything else says two things at once.
    """
    keys = [line for line in lines if line[0] in _KEY_HEADERS]
    if len(keys) == 1 and len(lines) == 2:
        other = next(value for name, value in lines if name == _AUTHORIZATION)
        if _scheme_and_parameters(other)[0] != _BASIC:
            return _of_line(*keys[0])
    return _malformed(keys[0][1] if keys else _scheme_and_parameters(lines[0][1])[1])


def _of_line(name: bytes, value: bytes) -> _Presented:
    if name != _AUTHORIZATION:
        return _Presented(value, (name,)) if value else _malformed(value)
    scheme, parameters = _scheme_and_parameters(value)
    if scheme == _BASIC:
        return _basic(parameters)
    if not parameters:
        return _malformed(parameters)
    return _Presented(parameters, failure=WRONG_CREDENTIAL_TYPE)


def _malformed(credential: bytes) -> _Presented:
    return _Presented(credential or None, failure=INVALID_CREDENTIALS)


def _scheme_and_parameters(authorization: bytes) -> tuple[bytes, bytes]:
    scheme, _, parameters = authorization.partition(b" ")
    return scheme.lower(), parameters.strip(b" ")


def _basic(encoded: bytes) -> _Presented:
    try:
        user, colon, password = binascii.a2b_base64(encoded, strict_mode=True).partition(b":")
    except binascii.Error:
        colon = b""
    if not colon or not (user or password):
        return _malformed(encoded)
    if password:
        return _Presented(password, (_AUTHORIZATION,), user)
    return _Presented(user, (_AUTHORIZATION,))
