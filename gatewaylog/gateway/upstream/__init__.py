"""What the gateway asks of an HTTP client, and nothing more.

An engine sends one request over one connection and gives the response back piece by piece.
Choosing a backend, retrying on another, hop-by-hop headers and time on the clock of the log
belong to `gateway.forward`; an engine neither adds nor removes a header line, except for the
framing of a body of unknown length (`Transfer-Encoding: chunked`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl

Headers = list[tuple[bytes, bytes]]
# Methods whose requests may be sent twice (RFC 9110 §9.2.2).
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origin:
    """Where a backend listens. Engines keep their connections by it: by its identity, as a hash
    of its values would be made anew for every request.

    `host` is a name or an address without brackets. `unix_path` replaces host and port for
    connecting only. `tls` is None for plain HTTP.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    unix_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds: to connect, until the response head, and between two pieces of the response.

    The time until the head starts anew with each piece of the request that could be sent. Time
    in which the client is waited for (its next piece, or that it takes the response) is not
    counted: it is not the backend's.
    """

    connect: float = 5.0
    response: float = 60.0
    idle: float = 60.0


class RequestBody(Protocol):
    """The request's body as it comes from the client."""

    async def read(self) -> bytes:
        """Return the next piece, `b""` at the end.

        What it raises (the client went away, sent too much, stopped) passes through
        `Engine.send` or `Response.read` as it is. Called by one task at a time, and no more
        once `content-length` bytes have come. It may be cancelled: when the response is over
        or given up, or to be called again for another connection before a first byte came.
        """


class Response(Protocol):
    """A response whose head has been read."""

    status: int
    headers: Headers  # every line as received, in order, names in lower case
    finished: bool  # no further piece will come: `read` would return b""

    @property
    def ready(self) -> bool:
        """Whether `read` would return at once."""

    async def read(self) -> bytes:
        """Return what has come since, waiting for at least one byte; `b""` at the end.

        Raises AnswerBroken or AnswerStalled, or what the request's body raised meanwhile.
        """

    async def aclose(self) -> None:
        """Give the connection back, or close it where response or request body are not over.

        Safe to call more than once; must be called in the end.
        """


class Engine(Protocol):
    """An HTTP client."""

    async def send(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        headers: Headers,
        body: RequestBody | None,
        timeouts: Timeouts,
    ) -> Response:
        """Send one request and return its final response (1xx are read past).

        `headers` go out as they are, Host among them. A body without a `content-length` line is
        sent chunked. With `expect: 100-continue` the body is first read when the backend says
        100, or a second has passed; a final response before that means that it never is.
        Raises the UpstreamError that tells how far it came: SendError also for a request that
        would be ambiguous on the wire (line ends or NUL in its head, a body that does not match
        its `content-length`), of which nothing more is sent.
        """

    async def aclose(self) -> None:
        """Close every kept connection."""
