"""Responses out of bytes, strictly: what could be read in two ways is not read at all.

llhttp (in httptools) reads the head and chunks. It refuses by itself: bare CR and LF, obs-fold,
bad names, controls in values, Content-Length that is no number or comes twice or beside
Transfer-Encoding, bad chunk sizes and ends. Added here, for it does not: other versions and
protocols than HTTP/1.0 and 1.1, blank lines before the head, NUL in the reason, a status outside
100 to 599, codings other than `chunked`, chunks in HTTP/1.0 (RFC 9112 §6.1), the size of a head,
HEAD, bytes behind the end of a response, and blanks behind `chunked`, which it misreads.
"""

from __future__ import annotations

import httptools

from gatewaylog.exceptions import AnswerBroken, ProtocolViolation

MAX_HEAD = 64 * 1024
_VERSIONS = (b"HTTP/1.1 ", b"HTTP/1.0 ")
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection"))
_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
_BODYLESS = frozenset((204, 304))


class ResponseParser:
    """One response: feed it what arrives, then look at its attributes.

    A new llhttp parser for each head costs 0.4 µs and means that nothing of one response can
    be left for the next; bodies of known length then need no parser and are never copied.
    """

    __slots__ = (
        "_chunks", "_framing", "_head_only", "_left", "_partial", "complete", "continued",
        "head_read", "headers", "keep", "pieces", "status", "surplus", "until_close",
    )  # fmt: skip

    status: int
    headers: list[tuple[bytes, bytes]]  # names in lower case
    head_read: bool
    pieces: list[bytes]  # of the body, for the caller to take
    complete: bool
    continued: bool  # a 100 came before the response
    keep: bool  # the connection may carry another response
    surplus: bool  # something came behind the response's end
    until_close: bool  # the response ends with its connection

    def __init__(self, *, head_only: bool) -> None:
        self._head_only = head_only
        self._partial: bytearray | None = None
        self._chunks: httptools.HttpResponseParser | None = None
        self._left = 0
        self.status = 0
        self.pieces = []
        self.head_read = self.complete = self.continued = False
        self.keep = self.surplus = self.until_close = False

    def feed(self, data: bytes) -> None:
        """Read what has arrived.

        Raises ProtocolViolation in the head, AnswerBroken in the body; what was read before
        the offence is there to be taken.
        """
        if not self.head_read:
            data = self._feed_head(data)
        if not data:
            return
        if self.complete:
            self.surplus = True
        elif self._chunks is not None:
            self._feed_chunks(self._chunks, data)
        elif self.until_close:
            self.pieces.append(data)
        else:
            self._feed_counted(data)

    def _feed_head(self, data: bytes) -> bytes:
        """Read heads until a final one; return what stands behind it."""
        searched = 0
        if self._partial is not None:
            searched = max(0, len(self._partial) - 3)
            self._partial += data
            end = self._partial.find(b"\r\n\r\n", searched)
            if end < 0:
                return self._wait_for_head(self._partial)
            data, self._partial = bytes(self._partial), None
        while not self.head_read:
            end = data.find(b"\r\n\r\n", searched) + 4
            if end == 3:
                self._partial = bytearray(data)
                return self._wait_for_head(self._partial)
            self._read_head(data[:end])
            data = data[end:]
            searched = 0
        return data

    def _wait_for_head(self, partial: bytearray) -> bytes:
        if len(partial) > MAX_HEAD:
            raise ProtocolViolation("response head larger than 64 KiB")
        start = bytes(partial[:9])
        if not any(version.startswith(start) for version in _VERSIONS):
            raise ProtocolViolation("the response is no HTTP/1")
        if partial.count(b"\n") != partial.count(b"\r\n"):
            raise ProtocolViolation("bare LF in the response's head")
        return b""

    def _read_head(self, head: bytes) -> None:
        if len(head) > MAX_HEAD:
            raise ProtocolViolation("response head larger than 64 KiB")
        if not head.startswith(_VERSIONS):
            raise ProtocolViolation("the response is no HTTP/1")
        if b"\0" in head:
            raise ProtocolViolation("NUL in the response's head")
        self.headers = []
        self._framing: list[tuple[bytes, bytes]] = []
        llhttp = httptools.HttpResponseParser(self)
        try:
            llhttp.feed_data(head)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            raise ProtocolViolation(f"the response's head: {exc}") from exc
        self.status = status = llhttp.get_status_code()
        if 200 <= status < 600:
            coded = self._frame(head.startswith(b"HTTP/1.1"))
            self.head_read = True
            if coded:
                self._read_chunks()
        elif status == 100:
            self.continued = True
        elif not 101 < status < 200:
            raise ProtocolViolation(f"the response's status is {status}")

    def _frame(self, modern: bool) -> bool:
        """Settle where the body ends: RFC 9112 §6.3. Return whether it comes in chunks."""
        self.keep = modern
        length = None
        coded = False
        for name, value in self._framing:
            if name == b"content-length":
                length = int(value)
            elif name == b"connection":
                self.keep = self.keep and b"close" not in _tokens(value)
            elif coded or not modern or value.lower() != b"chunked":
                raise ProtocolViolation("a Transfer-Encoding other than chunked")
            else:
                coded = True
        if self._head_only or self.status in _BODYLESS or length == 0:
            self.complete = True
            return False
        if length is None and not coded:
            self.until_close, self.keep = True, False
        self._left = length or 0
        return coded

    def _read_chunks(self) -> None:
        """Have llhttp read chunks, whatever it made of the line that announced them.

        It takes `chunked` with a tab behind it for another coding and would hand the chunks'
        framing over as the body.
        """
        self._chunks = httptools.HttpResponseParser(self)
        self._chunks.feed_data(_CHUNKED)

    def _feed_counted(self, data: bytes) -> None:
        left = self._left = self._left - len(data)
        if left < 0:
            data, self.surplus = data[:left], True
        self.complete = left <= 0
        self.pieces.append(data)

    def _feed_chunks(self, llhttp: httptools.HttpResponseParser, data: bytes) -> None:
        try:
            llhttp.feed_data(data)
        except httptools.HttpParserError as exc:
            if not self.complete:
                raise AnswerBroken(f"the response's chunks: {exc}") from exc
            self.surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a line of the head; llhttp leaves blanks behind values. Trailers are dropped."""
        if self.head_read:
            return
        line = (name.lower(), value.rstrip(b" \t"))
        self.headers.append(line)
        if line[0] in _FRAMING:
            self._framing.append(line)

    def on_body(self, piece: bytes) -> None:
        """Keep what a chunk holds; bodies without chunks do not pass llhttp."""
        if not self.complete:
            self.pieces.append(piece)

    def on_message_begin(self) -> None:
        """Notice a second response behind the first; nothing of it is kept."""
        self.surplus = self.complete

    def on_message_complete(self) -> None:
        """Notice the last chunk. llhttp calls it for heads without a body too, harmlessly."""
        self.complete = self.head_read


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip() for token in value.lower().split(b",")]
