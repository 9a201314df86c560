"""One connection to a backend: bytes, flow control and deadlines of one exchange after another."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from gatewaylog.exceptions import (
    AnswerBroken,
    AnswerStalled,
    ConnectionClosed,
    ResponseTimeout,
    SendError,
    UpstreamError,
)
from gatewaylog.gateway.upstream.deadline import Deadline
from gatewaylog.gateway.upstream.incoming import IncomingResponse
from gatewaylog.gateway.upstream.pump import BodyPump
from gatewaylog.gateway.upstream.response_parser import ResponseParser

if TYPE_CHECKING:
    from gatewaylog.gateway.upstream import Origin, Timeouts
    from gatewaylog.gateway.upstream.pool import KeptConnections
    from gatewaylog.gateway.upstream.request_head import OutgoingRequest

HIGH_WATER = 256 * 1024  # bytes of a response that may wait for their reader


class Connection(asyncio.Protocol):
    """Carries one exchange at a time; between two of them it rests in `kept`."""

    __slots__ = (
        "_client_awaited", "_deadline", "_drained", "_held_back", "_kept", "_parser", "_pump",
        "_response", "_timeouts", "_transport", "answered", "loop", "origin",
    )  # fmt: skip

    answered: bool  # a byte of the response has come

    _transport: asyncio.Transport
    _parser: ResponseParser
    _timeouts: Timeouts

    def __init__(
        self, loop: asyncio.AbstractEventLoop, origin: Origin, kept: KeptConnections
    ) -> None:
        self.loop = loop
        self.origin = origin
        self.answered = False
        self._kept = kept
        self._deadline = Deadline(loop, self._on_deadline)
        self._response: IncomingResponse | None = None
        self._pump: BodyPump | None = None
        self._drained: asyncio.Future[None] | None = None
        self._held_back = False
        self._client_awaited = False

    # What the engine asks for.

    async def exchange(self, request: OutgoingRequest, timeouts: Timeouts) -> IncomingResponse:
        """Send a request and return its response when the head has come."""
        response = IncomingResponse(self, self.loop.create_future())
        self._response = response
        self._timeouts = timeouts
        self._held_back = self._client_awaited = False
        self._parser = ResponseParser(head_only=request.head.startswith(b"HEAD "))
        self.answered = False
        self._transport.write(request.head)
        self._deadline.set(timeouts.response)
        self._pump = None if request.body is None else BodyPump(self, request, request.body)
        try:
            await response.head()
        except BaseException:
            self.abandon(response)
            raise
        return response

    @property
    def usable(self) -> bool:
        """Whether the backend has not closed it."""
        return not self._transport.is_closing()

    @property
    def replaceable(self) -> bool:
        """Whether the last request may be sent again elsewhere as if it never had been."""
        return not self.answered and (self._pump is None or not self._pump.consumed)

    async def pump_stopped(self) -> None:
        """Wait until the request's body is not being read any more."""
        if self._pump is not None:
            await self._pump.stopped()

    def rest(self, seconds: float) -> None:
        """Wait for the next exchange, so long at most."""
        self._deadline.set(seconds)

    def close(self) -> None:
        """Close, whatever is under way."""
        self._deadline.cancel()
        self._transport.abort()

    # What the response asks for.

    def abandon(self, response: IncomingResponse) -> None:
        """Give an exchange up: nobody waits for it, and nobody can use what is left of it.

        Its response may just have become whole: then the connection serves another one already.
        """
        if self._response is response:
            self.fail(AnswerBroken("the response was closed"))

    def taken(self) -> None:
        """Read on: the consumer has taken what there was."""
        if self._held_back and self.usable:
            self._held_back = False
            self._transport.resume_reading()
            self._watch()

    # What the pump asks for.

    def write(self, piece: bytes) -> None:
        """Write a piece of the request's body."""
        self._transport.write(piece)

    async def drained(self) -> None:
        """Wait until the transport wants more, one turn of the loop at least.

        A body that is always ready would else keep the loop from ever reading, or from telling
        that the connection is lost.
        """
        if self._drained is not None:
            await self._drained
        else:
            await asyncio.sleep(0)

    def await_client(self) -> None:
        """Stop the clock: the client's next piece is waited for, not the backend."""
        self._client_awaited = True
        self._watch()

    def await_backend(self) -> None:
        """Start the clock: the backend has to read, or to answer."""
        self._client_awaited = False
        self._watch()

    def fail(self, error: BaseException) -> None:
        """End the exchange with an error, and the connection with it."""
        response, self._response = self._response, None
        if response is not None:
            if isinstance(error, UpstreamError):
                error.answer_begun = self.answered
            self._stop_pump()
            response.fail(error)
        self.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = transport  # type: ignore[assignment]  # always a Transport here

    def data_received(self, data: bytes) -> None:
        """Read a piece of the response, if one is expected."""
        response = self._response
        if response is None:
            self.close()
            return
        self.answered = True
        try:
            self._parser.feed(data)
        except UpstreamError as exc:
            self._deliver(response)
            self.fail(exc)
        else:
            self._deliver(response)

    def eof_received(self) -> bool:
        """End what runs: a backend that has finished sending can't answer any more."""
        self._ended(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End what runs, and leave the kept connections."""
        if exc is not None and self._response is not None:
            self._read_the_rest()
        self._ended(exc)
        self.resume_writing()

    def pause_writing(self) -> None:
        """Let the pump wait."""
        self._drained = self.loop.create_future()

    def resume_writing(self) -> None:
        """Let the pump go on."""
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # Inner life

    def _deliver(self, response: IncomingResponse) -> None:
        parser = self._parser
        if not parser.head_read:
            if parser.continued and self._pump is not None:
                self._pump.go_ahead()
            return
        if not response.status:
            self._open(response, parser)
        if parser.pieces:
            response.push(parser.pieces)
            parser.pieces = []
        if parser.complete:
            self._complete(response, parser)
        elif response.buffered > HIGH_WATER:
            self._hold_back()
        else:
            self._watch()

    def _hold_back(self) -> None:
        if self.usable and not self._held_back:
            self._held_back = True
            self._transport.pause_reading()
        self._watch()

    def _watch(self) -> None:
        """Have a deadline while the backend, and nobody else, is waited for."""
        if self._held_back or self._client_awaited:
            self._deadline.suspend()
        elif self._parser.head_read:
            self._deadline.set(self._timeouts.idle)
        else:
            self._deadline.set(self._timeouts.response)

    def _open(self, response: IncomingResponse, parser: ResponseParser) -> None:
        response.opened(parser.status, parser.headers)
        if self._pump is not None and self._pump.held:
            self._pump.stop()

    def _complete(self, response: IncomingResponse, parser: ResponseParser) -> None:
        self._response = None
        response.end()
        sent = self._pump is None or self._pump.over
        self._stop_pump()
        if parser.keep and sent and not parser.surplus and self._drained is None and self.usable:
            self._kept.put(self)
        else:
            self.close()

    def _stop_pump(self) -> None:
        if self._pump is not None:
            self._pump.stop()

    def _ended(self, exc: Exception | None) -> None:
        self._kept.forget(self)
        response = self._response
        if response is None:
            self.close()
        elif response.status:
            self._ended_in_body(response, exc)
        elif exc is None or isinstance(exc, ConnectionError):
            self.fail(ConnectionClosed("closed before a response head"))
        else:
            self.fail(SendError(str(exc)))

    def _ended_in_body(self, response: IncomingResponse, exc: Exception | None) -> None:
        if exc is None and self._parser.until_close:
            self._complete(response, self._parser)
        else:
            self.fail(AnswerBroken(f"closed in the middle of the response: {exc or 'end'}"))

    def _read_the_rest(self) -> None:
        """Read what the kernel still holds of a response.

        A backend that answers early and then resets makes our next write fail; the transport
        gives up at once, with the answer unread in the socket's buffer.
        """
        if self.origin.tls is not None:
            return
        descriptor = self._transport.get_extra_info("socket").fileno()
        try:
            while self._response is not None and (data := os.read(descriptor, 65536)):
                self.data_received(data)
        except OSError:
            return

    def _on_deadline(self) -> None:
        if self._response is None:
            self._kept.forget(self)
            self.close()
        elif self._parser.head_read:
            self.fail(AnswerStalled(f"no further piece within {self._timeouts.idle:g} s"))
        else:
            self.fail(ResponseTimeout(f"no response head within {self._timeouts.response:g} s"))
