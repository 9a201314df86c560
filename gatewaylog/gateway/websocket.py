"""Relays a WebSocket between client and backend: messages both ways, closed with its code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gatewaylog.gateway.client import ClientGone
from gatewaylog.gateway.headers import to_client
from gatewaylog.gateway.upstream.websocket import HandshakeRefused, WebSocketClosed
from gatewaylog.middleware.websocket import SWITCHING

if TYPE_CHECKING:
    from gatewaylog.gateway.call import Call
    from gatewaylog.gateway.forward import Forwarder, Outgoing
    from gatewaylog.gateway.upstream.websocket import WebSocketLink

_NO_CODE = 1005  # RFC 6455 §7.4.1: never sent, tells that there was none
_ABNORMAL = 1006  # never sent, tells that the connection broke
_NORMAL = 1000
_GOING_AWAY = 1001
_BACKEND_BROKE = 1014  # "bad gateway", IANA's WebSocket close code registry
_HANDSHAKE = b"sec-websocket-"


async def relay(request: Outgoing, forwarder: Forwarder, call: Call) -> None:
    """Open the session at a backend, then at the client, and relay until one of them ends it.

    A backend that refuses the handshake has its own answer passed on. Raises Unanswered where
    no backend answers.
    """
    if (await call.receive())["type"] != "websocket.connect":
        raise ClientGone
    request = request._replace(headers=_offered(request.headers))
    if call.connection is not None:
        call.watch(None)
    try:
        link = await forwarder.connect(request, call.exchange, call.scope["subprotocols"])
    except HandshakeRefused as refused:
        call.exchange.answered(refused.status)
        await call.deny(refused.status, to_client(refused.headers), refused.body)
        return
    call.unwatch()
    call.exchange.answered(SWITCHING)
    try:
        headers = _offered(to_client(link.headers))
        await call.send(
            {"type": "websocket.accept", "subprotocol": link.subprotocol, "headers": headers}
        )
        await _both_ways(link, call)
    finally:
        await link.close(_GOING_AWAY, "")


def _offered(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the lines without those of the handshake itself, which each side makes anew."""
    return [line for line in headers if not line[0].startswith(_HANDSHAKE)]


async def _both_ways(link: WebSocketLink, call: Call) -> None:
    """Relay until either way ends; what either raises is raised."""
    ways = {
        asyncio.create_task(_from_client(link, call)),
        asyncio.create_task(_from_backend(link, call)),
    }
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    for way in done:
        way.result()


async def _from_client(link: WebSocketLink, call: Call) -> None:
    while True:
        message = await call.receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code") or _NO_CODE
            sent = {_NO_CODE: _NORMAL, _ABNORMAL: _GOING_AWAY}.get(code, code)
            await link.close(sent, message.get("reason") or "")
            return
        text = message.get("text")
        try:
            await link.send(message["bytes"] if text is None else text)
        except WebSocketClosed:
            await asyncio.Event().wait()  # the other way sees it too, and ends the session


async def _from_backend(link: WebSocketLink, call: Call) -> None:
    try:
        while True:
            data = await link.receive()
            kind = "text" if isinstance(data, str) else "bytes"
            await call.send({"type": "websocket.send", kind: data})
    except WebSocketClosed as closed:
        code = closed.code
        if code == _ABNORMAL:
            call.exchange.broke = "upstream_abort"
        sent = {_NO_CODE: _NORMAL, _ABNORMAL: _BACKEND_BROKE}.get(code, code)
        await call.send({"type": "websocket.close", "code": sent, "reason": closed.reason})
