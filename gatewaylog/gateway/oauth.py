"""The token endpoint on the gateway's own listener.

It is no API: its requests leave no access events. What happens to tokens is told elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.auth.clients import TokenRequest
from gatewaylog.auth.token_endpoint import UNKEPT, TokenResponse
from gatewaylog.gateway.answers import answer
from gatewaylog.gateway.client import Body, BodyMalformed, BodyTooLarge, ClientError, ClientGone
from gatewaylog.gateway.paths import normalised
from gatewaylog.gateway.targets import framing_of, target_of
from gatewaylog.middleware.asgi import TARGET
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.auth.token_endpoint import TokenEndpoint
    from gatewaylog.gateway.headers import Headers
    from gatewaylog.gateway.targets import Target
    from gatewaylog.middleware.asgi import ASGIApp, Receive, Scope, Send

_MOST = 64 * 1024  # bytes of a form
_CLOSE = (b"connection", b"close")
_STATUSES: dict[type[ClientError], int] = {BodyMalformed: 400, BodyTooLarge: 413}
_STALLED = 408


class OAuthEntry:
    """Answers what is sent to the endpoints below `path`; all else goes on to `app`.

    `client_timeout` is seconds, `client` tells a client's address from its peer's and its lines.
    """

    def __init__(
        self,
        app: ASGIApp,
        endpoint: TokenEndpoint,
        *,
        path: str,
        client_timeout: float,
        client: Callable[[str | None, Headers], str | None],
    ) -> None:
        self._app = app
        self._endpoint = endpoint
        self._prefix = path.rstrip("/").encode() + b"/"
        self._names = {self._prefix + name.encode(): name for name in endpoint.names}
        self._client_timeout = client_timeout
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        target = self._target(scope)
        name = None if target is None else self._names.get(normalised(target.path))
        if target is None or name is None:
            await self._app(scope, receive, send)
            return
        body = Body(receive, limit=_MOST, timeout=self._client_timeout)
        try:
            response = await self._answered(name, scope, target, body)
        except ClientGone:
            return
        except ClientError as error:
            response = TokenResponse(status=_STATUSES.get(type(error), _STALLED), headers=UNKEPT)
        except Exception as error:  # noqa: BLE001 - the system log tells why
            told = f"a fault of the gateway's own, {type(error).__name__}: {error}"
            notice(told, "ERROR", SystemCode.INTERNAL, error=error)
            response = TokenResponse(status=500, headers=UNKEPT)
        headers = response.headers if body.whole else [*response.headers, _CLOSE]
        await answer(send, response.status, headers, response.body)

    def _target(self, scope: Scope) -> Target | None:
        """Return the target of a request that may be for the endpoints: most can't be."""
        raw = scope.get(TARGET, b"*")
        if scope["type"] != "http" or (raw[:1] == b"/" and not raw.startswith(self._prefix)):
            return None
        return target_of(scope)

    async def _answered(self, name: str, scope: Scope, target: Target, body: Body) -> TokenResponse:
        if framing_of(scope, target) is None:
            raise BodyMalformed
        content = b""
        while piece := await body.read():
            content += piece
        client = scope.get("client")
        peer = (client[0] or None) if client else None
        request = TokenRequest(
            method=scope["method"],
            headers=scope["headers"],
            body=content,
            query=target.query,
            remote_ip=self._client(peer, scope["headers"]),
        )
        return await self._endpoint.answer(name, request)
