"""Forwards a request to a backend and its response to the client, both as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from gatewaylog import errors
from gatewaylog.exceptions import (
    AnswerBroken,
    AnswerStalled,
    ConnectError,
    ConnectionClosed,
    ConnectTimeout,
    ProtocolViolation,
    ResponseTimeout,
    SendError,
    UpstreamError,
)
from gatewaylog.gateway.client import FOLLOWED
from gatewaylog.gateway.headers import to_backend, to_client
from gatewaylog.gateway.upstream import IDEMPOTENT
from gatewaylog.gateway.upstream.websocket import connect as open_link

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gatewaylog.errors import Failure
    from gatewaylog.exchange import Exchange
    from gatewaylog.gateway.apis import Api
    from gatewaylog.gateway.backends import Backend
    from gatewaylog.gateway.balance import Balancer
    from gatewaylog.gateway.client import Body
    from gatewaylog.gateway.headers import Headers, Peer
    from gatewaylog.gateway.upstream import Engine, Response
    from gatewaylog.gateway.upstream.websocket import WebSocketLink
    from gatewaylog.middleware.asgi import Send

Answered = TypeVar("Answered")
Attempt: TypeAlias = "Callable[[Outgoing, Backend, bytes], Awaitable[Answered]]"

FAILURES: dict[type[UpstreamError], Failure] = {
    ConnectError: errors.CONNECT_ERROR,
    ConnectTimeout: errors.CONNECT_TIMEOUT,
    ResponseTimeout: errors.RESPONSE_TIMEOUT,
    ConnectionClosed: errors.CONNECTION_CLOSED,
    ProtocolViolation: errors.PROTOCOL_VIOLATION,
    SendError: errors.SEND_ERROR,
}


class Outgoing(NamedTuple):
    """A request on its way: what every attempt to send it needs.

    `rest` is the path after the API's context and the query, as the client sent them. `dropped`
    names header lines that carried a credential of the gateway's own. `replaced` names lines of
    the response that give way to `added`.
    """

    api: Api
    method: str
    rest: bytes
    headers: Headers
    host: bytes
    peer: Peer
    body: Body | None
    dropped: tuple[bytes, ...] = ()
    added: Headers = []  # noqa: RUF012 - never changed
    replaced: frozenset[bytes] = frozenset()


class Unanswered(Exception):
    """No backend answered; `failure` is what the client gets."""

    def __init__(self, failure: Failure, retry_after: int | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.retry_after = retry_after


class Forwarder:
    """Sends requests on by one engine, to the backends that one balancer picks."""

    def __init__(self, engine: Engine, balancer: Balancer) -> None:
        self.engine = engine
        self.balancer = balancer

    async def respond(self, request: Outgoing, exchange: Exchange, send: Send) -> None:
        """Send the request, pass on the response. Raises Unanswered before its head; what breaks
        after it is told to the exchange, and the response stays unfinished.
        """
        response = await self._tried(request, exchange, self._send)
        exchange.answered(response.status)
        try:
            await _pass_on(response, request, exchange, send)
        finally:
            await response.aclose()

    async def connect(
        self, request: Outgoing, exchange: Exchange, subprotocols: list[str]
    ) -> WebSocketLink:
        """Open a WebSocket. Raises Unanswered, or HandshakeRefused with the backend's answer."""

        async def opened(request: Outgoing, backend: Backend, target: bytes) -> WebSocketLink:
            headers = _headers(request, backend)
            timeouts = request.api.timeouts
            return await open_link(backend.origin, target, headers, subprotocols, timeouts)

        return await self._tried(request, exchange, opened)

    async def _tried(
        self, request: Outgoing, exchange: Exchange, send: Attempt[Answered]
    ) -> Answered:
        """Return what the first attempt gives that succeeds, of as many as are allowed."""
        api, body = request.api, request.body
        failure = None
        for backend in self.balancer.attempts(api):
            target = _target(request, backend)
            exchange.attempt(request.method, _url(backend, target))
            try:
                return await send(request, backend, target)
            except UpstreamError as error:
                failure = FAILURES[type(error)]
                unreached = isinstance(error, (ConnectError, ConnectTimeout))
                if unreached:
                    self.balancer.suspend(api, backend)
                if (body is not None and body.consumed) or not (
                    unreached or _may_repeat(request, error)
                ):
                    break
        if failure is None:
            raise Unanswered(errors.SUSPENDED, self.balancer.retry_after(api))
        raise Unanswered(failure)

    def _send(self, request: Outgoing, backend: Backend, target: bytes) -> Awaitable[Response]:
        return self.engine.send(
            backend.origin,
            request.method.encode("ascii"),
            target,
            _headers(request, backend),
            request.body,
            request.api.timeouts,
        )


def _target(request: Outgoing, backend: Backend) -> bytes:
    target = backend.path + request.rest
    return target if target.startswith(b"/") else b"/" + target


def _url(backend: Backend, target: bytes) -> str:
    return backend.base + target.decode("utf-8", "surrogateescape")


def _headers(request: Outgoing, backend: Backend) -> Headers:
    host = request.host if request.api.preserve_host else backend.host
    return to_backend(request.headers, host, request.host, request.peer, request.dropped)


def _may_repeat(request: Outgoing, error: UpstreamError) -> bool:
    """Say whether nothing of an answer was seen, and sending twice does what sending once does."""
    return (
        request.method.encode("ascii") in IDEMPOTENT
        and not error.answer_begun
        and not isinstance(error, ProtocolViolation)
    )


async def _pass_on(response: Response, request: Outgoing, exchange: Exchange, send: Send) -> None:
    headers = to_client(response.headers, request.replaced)
    headers.extend(request.added)
    start = {"type": "http.response.start", "status": response.status, "headers": headers}
    if response.ready:
        start[FOLLOWED] = True
    await send(start)
    try:
        while True:
            piece = await response.read()
            finished = response.finished or not piece
            await send({"type": "http.response.body", "body": piece, "more_body": not finished})
            if finished:
                return
    except AnswerStalled:
        exchange.broke = "timeout"
    except AnswerBroken:
        exchange.broke = "upstream_abort"
