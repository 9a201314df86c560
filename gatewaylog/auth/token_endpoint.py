"""The token endpoint: tokens by client credentials (RFC 6749 §4.4), their end (RFC 7009), and
what they are (RFC 7662).
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from gatewaylog.auth.clients import OAuthError, TokenRequest, form_of
from gatewaylog.auth.tokens import Refill
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gatewaylog.audit.issued import Issued
    from gatewaylog.auth.applications import Application
    from gatewaylog.auth.clients import Clients
    from gatewaylog.auth.tokens import Tokens

    Told = Callable[["TokenEvent"], Awaitable[None]]

_log = logging.getLogger(__name__)
Kind: TypeAlias = Literal["issued", "refused", "revoked"]

_CHALLENGE = (b"www-authenticate", b'Basic realm="gatewaylog", charset="UTF-8"')
UNKEPT = [(b"cache-control", b"no-store"), (b"pragma", b"no-cache")]  # RFC 6749 §5.1
_HEADERS = [(b"content-type", b"application/json"), *UNKEPT]
_GRANT = "client_credentials"
_SOON = 1  # seconds after which to try again where the store does not answer


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEvent:
    """What happened to a token, or why none was given.

    `token` is the token itself, for its TokenRef alone: it must not be kept. `expires_at` is
    seconds since the epoch.
    """

    kind: Kind
    client_id: str | None
    reason: str = ""
    token: bytes | None = None
    expires_at: float | None = None
    remote_ip: str | None = None

    def __repr__(self) -> str:
        return f"TokenEvent(kind={self.kind!r}, client_id={self.client_id!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenResponse:
    """An answer of the endpoints."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""


async def _untold(_: TokenEvent) -> None:
    """Tell nobody."""


class TokenEndpoint:
    """Answers `token`, `revoke` and `token_info`; `told` hears what happens to tokens."""

    def __init__(self, clients: Clients, tokens: Tokens, *, told: Told = _untold) -> None:
        self._clients = clients
        self._tokens = tokens
        self._told = told
        self._answers: Mapping[str, Callable[[TokenRequest], Awaitable[TokenResponse]]] = {
            "token": self._token,
            "revoke": self._revoke,
            "token_info": self._token_info,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The last segments of the endpoints' paths."""
        return tuple(self._answers)

    async def answer(self, name: str, request: TokenRequest) -> TokenResponse:
        """Answer a request to one of the endpoints, whatever is wrong with it."""
        if request.method != "POST":
            return TokenResponse(status=405, headers=[*_HEADERS, (b"allow", b"POST")])
        try:
            return await self._answers[name](request)
        except OAuthError as error:
            told = error.error, error.description, error.client_id
            _log.debug("%s: refused, %s: %s; client %.200r", name, *told)
            await self._tell("refused", request, error.client_id, reason=error.error)
            headers = [_CHALLENGE] if error.status == 401 else []
            return _refusal(error.status, error.error, error.description, *headers)
        except TokenStoreError:
            if name != "token_info":  # that nobody can be told of a token refuses none
                await self._tell("refused", request, None, reason="temporarily_unavailable")
            again = (b"retry-after", b"%d" % _SOON)
            description = "tokens can't be looked up or kept just now"
            return _refusal(503, "temporarily_unavailable", description, again)

    async def _token(self, request: TokenRequest) -> TokenResponse:
        form = form_of(request)
        application = await self._clients.authenticated(request, form)
        scopes = _granted(form, application)
        issued = await self._tokens.issue(application, scopes)
        if isinstance(issued, Refill):
            await self._tell("refused", request, application.client_id, reason="too_many_tokens")
            again = (b"retry-after", b"%d" % max(1, math.ceil(issued.seconds)))
            description = "the client has as many live tokens as it may: use or revoke one of them"
            return _refusal(429, "too_many_tokens", description, again)
        token = issued.token
        await self._tell(
            "issued",
            request,
            application.client_id,
            token=token.encode(),
            expires_at=issued.expires_at,
        )
        answer: dict[str, object] = {
            "access_token": token,
            "expires_in": self._tokens.lifetime,
            "token_type": "bearer",
        }
        return _json(answer | ({"scope": " ".join(sorted(scopes))} if scopes else {}))

    async def _revoke(self, request: TokenRequest) -> TokenResponse:
        form = form_of(request)
        application = await self._clients.authenticated(request, form)
        token = _asked_about(form, application)
        issued = await self._tokens.find(token)
        if issued is None or issued.revoked_at is not None:
            return TokenResponse(status=200, headers=_HEADERS)  # RFC 7009 §2.2: no error
        if not _is_of(issued, application):
            raise OAuthError(
                "invalid_grant",
                "the token is another client's",
                client_id=application.client_id,
            )
        if self._tokens.is_live(issued):  # one that has expired ended by itself
            await self._tokens.revoke(issued)
            await self._tell(
                "revoked", request, application.client_id, token=token, expires_at=issued.expires_at
            )
        return TokenResponse(status=200, headers=_HEADERS)

    async def _token_info(self, request: TokenRequest) -> TokenResponse:
        form = form_of(request)
        asking = await self._clients.authenticated(request, form)
        issued = await self._tokens.find(_asked_about(form, asking))
        application = None if issued is None else await self._clients.named(issued.client_id)
        if issued is None or application is None or not _is_of(issued, application):
            return _json({"active": False})
        if not self._tokens.is_live(issued):
            return _json({"active": False})
        answer: dict[str, object] = {
            "active": True,
            "client_id": issued.client_id,
            "token_type": "bearer",
            "iat": int(issued.issued_at),
            "exp": int(issued.expires_at),
        }
        scopes = issued.scopes & application.scopes
        return _json(answer | ({"scope": " ".join(sorted(scopes))} if scopes else {}))

    async def _tell(
        self,
        kind: Kind,
        request: TokenRequest,
        client_id: str | None,
        *,
        reason: str = "",
        token: bytes | None = None,
        expires_at: float | None = None,
    ) -> None:
        event = TokenEvent(
            kind=kind,
            client_id=client_id,
            reason=reason,
            token=token,
            expires_at=expires_at,
            remote_ip=request.remote_ip,
        )
        await self._told(event)


def _is_of(issued: Issued, application: Application) -> bool:
    """Tell whether a token was issued to this client while it was this application's."""
    return (issued.client_id, issued.application) == (application.client_id, application.name)


def _granted(form: Mapping[str, str], application: Application) -> frozenset[str]:
    """Return the scopes that are asked for, all of the application's where none are."""
    client_id = application.client_id
    grant = form.get("grant_type")
    if grant is None:
        raise OAuthError("invalid_request", "grant_type is missing", client_id=client_id)
    if grant != _GRANT:
        description = f"grant_type must be {_GRANT}"
        raise OAuthError("unsupported_grant_type", description, client_id=client_id)
    if "scope" not in form:
        return application.scopes
    asked = frozenset(form["scope"].split(" ")) - {""}
    if not asked <= application.scopes:
        description = "the application has no such scope"
        raise OAuthError("invalid_scope", description, client_id=client_id)
    return asked


def _asked_about(form: Mapping[str, str], application: Application) -> bytes:
    token = form.get("token")
    if token is None:
        client_id = application.client_id
        raise OAuthError("invalid_request", "token is missing", client_id=client_id)
    return token.encode("utf-8", "surrogatepass")


def _json(
    answer: Mapping[str, object], status: int = 200, *headers: tuple[bytes, bytes]
) -> TokenResponse:
    body = json.dumps(answer, separators=(",", ":")).encode()
    return TokenResponse(status=status, headers=[*_HEADERS, *headers], body=body)


def _refusal(
    status: int, error: str, description: str, *headers: tuple[bytes, bytes]
) -> TokenResponse:
    return _json({"error": error, "error_description": description}, status, *headers)
