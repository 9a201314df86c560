"""Counts what a WSGI application reads of the request's body."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gatewaylog.exchange import Exchange

# Not in PEP 3333, but where a server's stream has them they read too.
_ALSO_READ = frozenset({"read1", "readinto", "readinto1"})


class CountedInput:
    """Stands for `wsgi.input` and is in all else the server's stream.

    `declared` is the request's Content-Length. A body that ends before it, or a stream that
    raises OSError, tells that the client has gone.
    """

    __slots__ = ("_declared", "_exchange", "_lines", "_short", "_stream")

    def __init__(self, stream: Any, exchange: Exchange, declared: int | None) -> None:
        self._stream = stream
        self._exchange = exchange
        self._declared = declared
        self._lines: Iterator[bytes] | None = None
        self._short = False  # the body seems to have ended early

    def read(self, *size: Any) -> Any:
        """Read as the server's stream does."""
        data = self._reading(self._stream.read, *size)
        wanted = size[0] if size and size[0] is not None else -1
        self._count(len(data), at_end=wanted < 0 or len(data) < wanted)
        return data

    def readline(self, *size: Any) -> Any:
        """Read a line."""
        line = self._reading(self._stream.readline, *size)
        self._count(len(line), at_end=not line and size != (0,))
        return line

    def readlines(self, *hint: Any) -> Any:
        """Read lines."""
        lines = self._reading(self._stream.readlines, *hint)
        self._count(sum(map(len, lines)), at_end=not lines or not hint)
        return lines

    def __iter__(self) -> CountedInput:
        self._lines = self._reading(iter, self._stream)
        return self

    def __next__(self) -> Any:
        try:
            line = self._reading(next, self._stream if self._lines is None else self._lines)
        except StopIteration:
            self._count(0, at_end=True)
            raise
        self._count(len(line), at_end=False)
        return line

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._stream, name)
        return partial(self._also_read, attribute) if name in _ALSO_READ else attribute

    def _also_read(self, read: Callable[..., Any], *args: Any) -> Any:
        got = self._reading(read, *args)
        length = got if isinstance(got, int) else len(got or b"")
        self._count(length, at_end=not length and args != (0,))
        return got

    def _reading(self, read: Callable[..., Any], *args: Any) -> Any:
        try:
            return read(*args)
        except OSError:
            self._exchange.broke = self._exchange.broke or "client_abort"
            raise

    def _count(self, length: int, *, at_end: bool) -> None:
        exchange = self._exchange
        exchange.bytes_in += length
        if self._declared is None:
            exchange.received = exchange.received or at_end
        elif exchange.bytes_in >= self._declared:
            exchange.received = True
            if self._short:  # it was only slow: some streams give less than they are asked for
                self._short = False
                exchange.broke = None
        elif at_end and exchange.broke is None:
            self._short = True
            exchange.broke = "client_abort"
