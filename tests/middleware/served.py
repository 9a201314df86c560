"""An ASGI server made by hand: what it sends, what it got, and the events that were logged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gatewaylog.events import CallEvent, IncomingRequest, RequestComplete, RequestError
from gatewaylog.formats import Line, parse_line
from gatewaylog.middleware import AccessLogMiddleware
from gatewaylog.sinks import MemorySink

if TYPE_CHECKING:
    from gatewaylog.middleware.asgi import ASGIApp, Message, Scope, Send

Headers = Iterable[tuple[bytes, bytes]]
DISCONNECT = {"type": "http.disconnect"}
REQUEST = {"type": "http.request", "body": b"", "more_body": False}


def start(status: int = 200, headers: Headers = ()) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data: bytes = b"", more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def http(target: bytes = b"/", headers: Headers = (), **more: Any) -> dict[str, Any]:
    path, mark, query = target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "GET",
        "path": path.decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query if mark else b"",
        "headers": list(headers),
        "client": ("192.0.2.1", 5000),
        **more,
    }


def websocket(target: bytes = b"/", headers: Headers = ()) -> dict[str, Any]:
    scope = http(target, headers, type="websocket")
    del scope["method"]
    return scope


class Served:
    """`app` behind the middleware, and what came of serving it."""

    def __init__(self, app: ASGIApp, **options: Any) -> None:
        self.sink = MemorySink()
        self.middleware = AccessLogMiddleware(app, log=self.sink, **options)
        self.sent: list[Message] = []
        self.lines_when_sent: list[int] = []

    async def __call__(
        self,
        scope: Scope | None = None,
        messages: Iterable[dict[str, Any]] = (REQUEST,),
        send: Send | None = None,
    ) -> list[CallEvent]:
        """Serve one connection, and return the events that are logged by then."""
        coming = iter([*messages])

        async def receive() -> Message:
            return next(coming)

        async def keep(message: Message) -> None:
            self.sent.append(message)
            self.lines_when_sent.append(len(self.sink.lines))

        await self.middleware(http() if scope is None else scope, receive, send or keep)
        return self.events

    @property
    def events(self) -> list[CallEvent]:
        lines = [parse_line(raw.removesuffix(b"\n")) for raw in self.sink.lines]
        assert all(isinstance(line, Line) for line in lines)
        return [line.call for line in lines if isinstance(line, Line)]

    @property
    def incoming(self) -> IncomingRequest:
        event = self.events[0]
        assert isinstance(event, IncomingRequest)
        return event

    @property
    def terminal(self) -> RequestComplete | RequestError:
        """The one event that ended the one exchange."""
        terminal = [event for event in self.events if not isinstance(event, IncomingRequest)]
        assert len(terminal) == 1
        assert len(self.events) <= 2
        return terminal[0]

    @property
    def complete(self) -> RequestComplete:
        assert isinstance(self.terminal, RequestComplete)
        return self.terminal

    @property
    def error(self) -> RequestError:
        assert isinstance(self.terminal, RequestError)
        return self.terminal
