"""What a client gets whose call is refused, as its INCOMING_REQUEST can't be written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gatewaylog import errors

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

    from gatewaylog.exchange import Exchange
    from gatewaylog.middleware.asgi import Scope, Send

_BODY = json.dumps(
    {
        "code": errors.LOG_UNAVAILABLE.code,
        "type": "Status report",
        "message": errors.LOG_UNAVAILABLE.message,
        "description": "The call can't be logged, and is not served without.",
    },
    separators=(",", ":"),
).encode()
_HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(_BODY)))]


async def refuse(exchange: Exchange, scope: Scope, send: Send) -> None:
    """Answer a request, or close a WebSocket before it is accepted."""
    exchange.failed(errors.LOG_UNAVAILABLE)
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    headers = [(name.lower().encode(), value.encode()) for name, value in _HEADERS]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})


def refused(exchange: Exchange, start_response: StartResponse) -> list[bytes]:
    """Return the answer of a WSGI application."""
    exchange.failed(errors.LOG_UNAVAILABLE)
    start_response("503 Service Unavailable", list(_HEADERS))
    return [_BODY]
