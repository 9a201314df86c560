"""Reading on after a request that asked for an upgrade which it does not get.

httptools takes whatever follows such a head for another protocol and reads none of it, neither the
request's body nor the next request. A server may ignore an upgrade (RFC 9110 §7.8), and clients
such as Java's ask for HTTP/2 with every first request, so a second parser reads on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httptools

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

FRAMING = frozenset((b"content-length", b"transfer-encoding"))


class Resumed:
    """llhttp's callbacks: those of the first head go nowhere, as it was read before."""

    def __init__(self, connection: HttpToolsProtocol) -> None:
        self._connection = connection
        self._read = False
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete

    def on_message_begin(self) -> None:
        """Pass on."""
        if self._read:
            self._connection.on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Pass on."""
        if self._read:
            self._connection.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Pass on."""
        if self._read:
            self._connection.on_header(name, value)

    def on_headers_complete(self) -> None:
        """Pass on."""
        if self._read:
            self._connection.on_headers_complete()
        self._read = True


def read_on(connection: HttpToolsProtocol, headers: list[tuple[bytes, bytes]], rest: bytes) -> None:
    """Have the connection read on behind a head of these lines. Raises httptools' errors."""
    parser = httptools.HttpRequestParser(Resumed(connection))
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    connection.parser = parser
    framing = b"".join(b"%b: %b\r\n" % line for line in headers if line[0] in FRAMING)
    parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)
    if rest:
        connection.data_received(rest)
