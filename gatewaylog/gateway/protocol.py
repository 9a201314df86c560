"""uvicorn's HTTP/1.1 connection, with what the gateway must see and uvicorn keeps to itself.

That is: the target's raw bytes, requests that no application sees, and the moment a client leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gatewaylog.gateway.answers import bad_request, body_length
from gatewaylog.gateway.client import CONNECTION, MALFORMED
from gatewaylog.gateway.cycle import GatewayCycle
from gatewaylog.gateway.fragments import Fragment, fragment, head_size
from gatewaylog.gateway.resumed import FRAMING, read_on
from gatewaylog.gateway.session import SessionProtocol
from gatewaylog.middleware.asgi import TARGET

if TYPE_CHECKING:
    import asyncio
    from collections import deque
    from collections.abc import Callable

    from gatewaylog.exchange import Outcome
    from gatewaylog.gateway.serving import Serving

_MAX_HEAD = 64 * 1024  # bytes of a request's head
_BLANKS = (b" ", b"\t")
_VERSIONS = frozenset(("1.0", "1.1"))
_LINGER = 2.0  # seconds that a client gets to read an answer that its request was not awaited for


class GatewayProtocol(HttpToolsProtocol):
    """One client connection."""

    on_lost: Callable[[], None] | None = None  # called once when the client goes away
    app: Serving
    cycle: GatewayCycle | None  # type: ignore[assignment]  # the newest
    pipeline: deque[GatewayCycle]  # type: ignore[assignment]  # those that wait, the newest first
    scope: Any
    _common: dict[str, Any]  # what all scopes of this connection hold
    heard = 0.0  # loop time of the last byte from the client
    _begun = False  # a request's head has begun, and is not whole
    _between = True  # the last request is whole, no further one has begun
    _begins = b""  # bytes that begin with the current request's first, while its head comes
    _torn = False  # `_begins` is not that, as another request's end came with it
    _large = False  # so much came at once that a too large head may be in it
    _unread = 0  # bytes of a body's framing since a piece of the body
    _upgrading = False  # the current request asks for another protocol
    _websocket = False  # namely for a WebSocket
    deaf = False  # nothing more is read, though the client may still send

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count the client's silence."""
        super().connection_made(transport)
        self.heard = self.loop.time()
        self._common = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            CONNECTION: self,
        }

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever serves a request that its client is gone."""
        if self._begun:
            self._note_refusal("client_abort")
        self.connections.discard(self)
        cycle, self.cycle = self.cycle, None
        if cycle is not None:
            cycle.disconnected = not cycle.response_complete
            cycle.wake()
        self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        self._let_go()
        if self.on_lost is not None:
            on_lost, self.on_lost = self.on_lost, None
            on_lost()

    def _let_go(self) -> None:
        """Drop what holds this object in turn, so that it needs no garbage collector."""
        self.parser = self.scope = None  # type: ignore[assignment]
        self._common = {}
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client.

        httptools keeps a header line, a trailer or a chunk's extension until it is whole, however
        long it gets; so what it has not handed over is counted here.
        """
        self.heard = self.loop.time()
        if self.deaf:
            return
        if self._begun:
            self._begins += data
        elif self._between:
            self._begins = data
        else:
            self._unread += len(data)
        if len(data) > _MAX_HEAD:
            self._large = True
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("")
        if self._unread > _MAX_HEAD or (self._begun and len(self._begins) > _MAX_HEAD):
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._begun = True
        self._between = False
        self._torn = not self._begins

    def on_headers_complete(self) -> None:
        """Hand the request over, with its target as it was sent."""
        parser, headers = self.parser, self.headers
        version = parser.get_http_version()
        if version not in _VERSIONS:
            raise ValueError("another version")  # ends in send_400_response
        if (self._torn or self._large) and head_size(self.url, headers) > _MAX_HEAD:
            raise ValueError("a head too large")
        if [line for line in headers if line[1][-1:] in _BLANKS]:
            headers[:] = map(_trimmed, headers)
        self._upgrading = parser.should_upgrade()
        self._websocket = self._upgrading and self._opens_websocket()
        self.scope = self._common | {
            TARGET: self.url,
            "method": parser.get_method().decode("ascii"),
            "http_version": version,
            "headers": headers,
        }
        self._begun = self._large = False
        self._begins = b""
        self._unread = 0
        self.headers = []  # for trailers, which are no header lines (RFC 9110 §6.5.1)
        if not self._websocket:
            self._take_on(
                GatewayCycle(
                    self,
                    self.scope,
                    keep_alive=version == "1.1" and parser.should_keep_alive(),
                    awaits_100=self.expect_100_continue and version == "1.1",  # RFC 9110 §10.1.1
                )
            )

    def _take_on(self, cycle: GatewayCycle) -> None:
        """Serve a request, once those that came before it are answered."""
        free = self.waits_for_head
        self.cycle = cycle
        if free:
            self._serve(cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft(cycle)

    def _serve(self, cycle: GatewayCycle) -> None:
        self.tasks.add(self.loop.create_task(cycle.run()))

    def on_response_complete(self) -> None:
        """Go on with the next request that is waiting, or wait for one.

        No timer is set for that, as by uvicorn for every response: `silent_too_long` looks.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._serve(self.pipeline.pop())

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unread = 0
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.wake()

    def on_message_complete(self) -> None:
        """End a request."""
        if self._upgrading:
            return  # llhttp thinks so, see `_upgrade`
        self._between = True
        self._begins = b""
        self._unread = 0
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.more_body = False
            cycle.wake()

    def _upgrade(self, rest: bytes) -> None:
        """Go on behind the head of a request that asks for an upgrade."""
        self._upgrading = False
        if self._websocket:
            self._between = True
            if self.waits_for_head:
                self._open_session(rest)
            else:
                self.send_400_response("")  # it had to wait for the answer before
            return
        try:
            read_on(self, self.scope["headers"], rest)
        except httptools.HttpParserError:
            self.send_400_response("")

    def _open_session(self, rest: bytes) -> None:
        """Hand the connection over, and what was read of the handshake and behind it."""
        self.connections.discard(self)
        protocol = SessionProtocol(self.config, self.server_state, self.app_state)
        protocol.target, protocol.lines = self.scope[TARGET], self.scope["headers"]
        lines = b"".join(b"%b: %b\r\n" % line for line in protocol.lines)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        target = self.url if self.url.startswith(b"/") else b"/"  # the form that uvicorn can parse
        self._let_go()
        protocol.data_received(b"GET %b HTTP/1.1\r\n%b\r\n" % (target, lines) + rest)

    def _opens_websocket(self) -> bool:
        """Say whether this opens a WebSocket: a GET without a body that asks for one."""
        if self.parser.get_method() != b"GET" or not self._should_upgrade():
            return False
        return not any(name in FRAMING for name, _ in self.headers)

    @property
    def waits_for_head(self) -> bool:
        """Whether no request is being served: the client is expected to send one."""
        cycle = self.cycle
        return cycle is None or cycle.response_complete

    def send_400_response(self, msg: str, outcome: Outcome = "complete") -> None:
        """Refuse what can't be read, and leave its record.

        A request that is being served ends by itself: where its body is what can't be read its
        exchange learns so and answers, and a next request behind it only closes the connection.
        """
        in_body = not self._between and not self._begun
        self.deaf = True
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            if not in_body:  # else it was answered early, and has its record
                self._refuse(outcome)
            self.linger()
            return
        cycle.keep_alive = False
        if not in_body:
            self._note_refusal(outcome)
        else:
            cycle.scope[MALFORMED] = True  # type: ignore[literal-required]
            cycle.wake()

    def linger(self) -> None:
        """Close once the client has, or soon: closing at once while it still sends would reset
        the connection, and the answer might never be read (RFC 9112 §9.6).
        """
        self.deaf = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(_LINGER, self.transport.close)

    def _refuse(self, outcome: Outcome) -> None:
        lines = self.headers or []
        header = self._note_refusal(outcome, sent=body_length(bad_request(lines)))
        self.transport.write(bad_request(lines, *([header] if header else [])))

    def _note_refusal(self, outcome: Outcome, sent: int = 0) -> tuple[bytes, bytes] | None:
        """Write the ERROR of a request that no application saw, with what of it was readable;
        return the header line that tells its MessageID, where one is wished.
        """
        begun, self._begun = self._begun, False
        seen = self._readable(begun=begun)
        scope: dict[str, Any] = {
            "type": "http",
            "method": seen.method,
            "client": self.client,
            "headers": seen.headers,
            TARGET: seen.target,
        }
        return self.app.refused(scope, outcome, sent)

    def _readable(self, *, begun: bool) -> Fragment:
        """Return what is to be seen of the request that came last."""
        found = None if begun and self._torn else fragment(self._begins)
        if found is None and begun and self.url:
            found = Fragment(self.parser.get_method().decode("ascii"), self.url, self.headers)
        return found or Fragment()

    def silent_too_long(self, now: float, seconds: float) -> None:
        """Close the connection of a client that has not sent a whole request for too long."""
        if self.waits_for_head and now - self.heard > seconds:
            if self._begun:
                self.send_400_response("", "timeout")
            else:
                self.transport.close()


def _trimmed(line: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return a line without the blanks behind its value, which are none of it (RFC 9110 §5.5).

    Those of a body's framing stay, and have the request refused: not every program skips them.
    """
    return line if line[0] in FRAMING else (line[0], line[1].rstrip(b" \t"))
