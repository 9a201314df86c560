"""OAuth clients as they come to the token endpoint: forms, and who sends them (RFC 6749 §2.3)."""

from __future__ import annotations

import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from gatewaylog.auth.api_keys import AUTHORIZATION, digest_of, scheme_and_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gatewaylog.auth.applications import Application
    from gatewaylog.auth.registry import Registry

_FORM = b"application/x-www-form-urlencoded"
_NOBODY = bytes(32)  # what a secret is compared with where there is no such client
_MOST_FIELDS = 100


class OAuthError(Exception):
    """The request is refused: `error` is the code of RFC 6749 §5.2, `description` why."""

    def __init__(
        self, error: str, description: str, *, status: int = 400, client_id: str | None = None
    ) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status
        self.client_id = client_id


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A request to one of the endpoints; `headers` are ASGI's, the body is whole."""

    method: str
    headers: list[tuple[bytes, bytes]]
    body: bytes = field(repr=False)
    query: bytes = field(default=b"", repr=False)
    remote_ip: str | None = None


def form_of(request: TokenRequest) -> dict[str, str]:
    """Return the form's fields, without empty ones (RFC 6749 §3.2). Raises OAuthError."""
    if request.query:
        raise OAuthError("invalid_request", "parameters belong into the body, not the query")
    kinds = [value for name, value in request.headers if name == b"content-type"]
    if len(kinds) != 1 or kinds[0].partition(b";")[0].strip().lower() != _FORM:
        raise OAuthError("invalid_request", f"the body must be {_FORM.decode()}")
    found: dict[str, str] = {}
    pieces = request.body.split(b"&")
    if len(pieces) > _MOST_FIELDS:
        raise OAuthError("invalid_request", "the form has too many fields")
    for piece in filter(None, pieces):
        name, _, value = map(_decoded, piece.partition(b"="))
        if name in found:
            raise OAuthError("invalid_request", "a parameter stands twice")
        found[name] = value
    return {name: value for name, value in found.items() if value}


class Clients:
    """Tells which application's client sends a request; those that the configuration does not
    know, `registry` may.
    """

    def __init__(
        self, applications: Iterable[Application], registry: Registry | None = None
    ) -> None:
        self._registry = registry
        self._known = {one.client_id: one for one in applications if one.client_id}

    async def authenticated(self, request: TokenRequest, form: Mapping[str, str]) -> Application:
        """Return the client by Basic or by the body, not both. Raises OAuthError, and
        TokenStoreError where it can't be known.

        An unknown client takes as long as a wrong secret.
        """
        client_id, secret = _presented(request, form)
        application = await self.named(client_id)
        digest = _NOBODY
        if application is not None and application.client_secret:
            digest = digest_of(application.client_secret)
        presented = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
        if not hmac.compare_digest(digest, presented) or application is None:
            known = None if application is None else client_id
            raise OAuthError(
                "invalid_client", "unknown client or wrong secret", status=401, client_id=known
            )
        return application

    async def named(self, client_id: str) -> Application | None:
        """Return the application of a client. Raises TokenStoreError."""
        known = self._known.get(client_id)
        if known is not None or self._registry is None or not client_id:
            return known
        return await self._registry.find(client_id)


def _presented(request: TokenRequest, form: Mapping[str, str]) -> tuple[str, str]:
    lines = [value for name, value in request.headers if name == AUTHORIZATION]
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if len(lines) > 1 or (lines and secret):
        raise OAuthError("invalid_request", "the client must authenticate in one way")
    if not lines:
        if not client_id or not secret:
            raise OAuthError("invalid_client", "the client must authenticate", status=401)
        return client_id, secret
    basic = _basic(lines[0])
    if client_id and client_id != basic[0]:
        raise OAuthError("invalid_request", "client_id is another than the one that authenticates")
    return basic


def _basic(authorization: bytes) -> tuple[str, str]:
    """Read Basic, whose two parts are encoded like a form's (RFC 6749 §2.3.1)."""
    scheme, encoded = scheme_and_parameters(authorization)
    try:
        pair = binascii.a2b_base64(encoded, strict_mode=True) if scheme == b"basic" else b""
    except binascii.Error:
        pair = b""
    name, colon, secret = pair.partition(b":")
    if not colon or not name or not secret:
        raise OAuthError("invalid_client", "the client must authenticate by Basic", status=401)
    return _decoded(name), _decoded(secret)


def _decoded(text: bytes) -> str:
    try:
        return unquote_plus(text.decode("ascii"), errors="strict")
    except UnicodeDecodeError:
        raise OAuthError("invalid_request", "a parameter is not UTF-8, percent-encoded") from None
