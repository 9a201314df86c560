"""What a WSGI application answers: its status, how much of it, how it ended (PEP 3333)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from gatewaylog.exchange import running

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse

    from gatewaylog.exchange import Exchange, Outcome

    Headers = list[tuple[str, str]]
    Write = Callable[[bytes], object]

_Result = TypeVar("_Result")
_BODILESS = frozenset({204, 304})  # RFC 9110 §6.4.1


class Answer:
    """One call's answer: its status, how much of it was handed over, how it ended.

    A status counts as sent with the first byte of the body, with `write` or with the body's end:
    until then the application may replace it (PEP 3333, The start_response() Callable).
    """

    __slots__ = ("_exhausted", "_headers", "_start_response", "_status", "exchange", "expected")

    def __init__(self, exchange: Exchange, start_response: StartResponse) -> None:
        self.exchange = exchange
        # Some servers give no `write` back, but None.
        self._start_response: Callable[..., Any] = start_response
        self._status: int | None = None
        self._headers: Headers = []
        self._exhausted = False
        self.expected: int | None = None  # bytes of the body, where a file tells them

    def start_response(
        self, status: str, headers: Headers, exc_info: OptExcInfo | None = None, /
    ) -> Any:
        """Pass status and header lines to the server. Raises what the server raises."""
        header = self.exchange.response_header()
        if header is not None:
            headers = [*headers, (header[0].decode("latin-1"), header[1].decode("latin-1"))]
        if exc_info is None:
            write = self._start_response(status, headers)
        else:
            try:
                write = self._start_response(status, headers, exc_info)
            finally:
                exc_info = None  # it holds this frame
        self._status = int(status[:3]) if status[:3].isdigit() else None
        self._headers = headers
        return partial(self._write, write) if write else write

    def _write(self, write: Write, data: bytes) -> None:
        try:
            write(data)
        except OSError:
            self.exchange.broke = self.exchange.broke or "client_abort"
            raise
        self.exchange.status = self._status
        self.handed(len(data))

    def run(self, step: Callable[[], _Result]) -> _Result:
        """Run a part of the application within the exchange, which an exception ends."""
        outer = running.get()
        running.set(self.exchange)
        try:
            return step()
        except BaseException as error:
            self.broken(error)
            raise
        finally:
            running.set(outer)

    def broken(self, error: BaseException) -> None:
        """End the exchange, as the application raised `error`."""
        exchange = self.exchange
        # What stops a program (SystemExit, KeyboardInterrupt) comes from the server's signals.
        reason: Outcome = "app_exception" if isinstance(error, Exception) else "shutdown"
        exchange.end(exchange.broke or reason)

    def handed(self, length: int) -> None:
        """Tell that so many bytes of the body were handed to the server."""
        if length:
            self.exchange.status = self._status
            self.exchange.bytes_out += length

    def exhausted(self) -> None:
        """Tell that the server has all of the body."""
        self._exhausted = True
        self.exchange.status = self._status

    def close(self, result: object, error: BaseException | None) -> None:
        """Close `result` as the server does, while it handles `error`, and end the exchange."""
        exchange = self.exchange
        outcome = self._outcome(error)
        if outcome != "complete":
            exchange.broke = exchange.broke or outcome
        close = getattr(result, "close", None)
        if close is not None:
            self.run(close)
        exchange.end(exchange.broke or outcome)

    def _outcome(self, error: BaseException | None) -> Outcome:
        if self._exhausted or (error is None and self._whole()):
            self.exchange.status = self._status
            return "app_exception" if self._status is None else "complete"
        if error is None or isinstance(error, (OSError, GeneratorExit)):
            return "client_abort"
        return "app_exception" if isinstance(error, Exception) else "shutdown"

    def _whole(self) -> bool:
        """Say whether a server that has stopped here has stopped at the answer's end."""
        if self.bodiless():
            return True
        expected = self.declared() if self.expected is None else self.expected
        return expected is not None and self.exchange.bytes_out >= expected

    def bodiless(self) -> bool:
        """Say whether a server sends no body, whatever the application gives it."""
        return self.exchange.method == "HEAD" or self._status in _BODILESS

    def declared(self) -> int | None:
        """Return the answer's Content-Length."""
        for name, value in self._headers:
            if name.lower() == "content-length" and value.isascii() and value.isdigit():
                return int(value)
        return None
