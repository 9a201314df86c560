"""The bytes that a request begins with, checked so that none of them can mean two things.

The lines themselves are the caller's. What is checked is what would let one request become two
(RFC 9112 §11.2): line ends inside a name, a value or the target, and a body's framing that does
not fit the body. The checks run on the whole head at once: a few scans in C, no loop over lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.exceptions import SendError

if TYPE_CHECKING:
    from gatewaylog.gateway.upstream import Headers, RequestBody


class OutgoingRequest(NamedTuple):
    """A request as it goes out. `length` is None for a chunked body, 0 without a body."""

    head: bytes
    body: RequestBody | None
    length: int | None
    expects_continue: bool


def outgoing(
    method: bytes, target: bytes, headers: Headers, body: RequestBody | None
) -> OutgoingRequest:
    """Return the request ready to be written.

    Raises SendError where its bytes would be ambiguous on the wire.
    """
    head = _head(method, target, headers)
    if body is not None:
        return _with_body(head, headers, body)
    lowered = head.lower()
    if b"\r\ntransfer-encoding:" in lowered or b"\r\ncontent-length:" in lowered:
        _refuse_length_of_nothing(headers)
    return OutgoingRequest(head, None, 0, expects_continue=False)


def _head(method: bytes, target: bytes, headers: Headers) -> bytes:
    line = b"%b %b HTTP/1.1" % (method, target)
    head = b"\r\n".join((line, *map(b": ".join, headers), b"", b""))
    lines = len(headers) + 2
    if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
        raise SendError("CR, LF or NUL in the request's head")
    if line.count(b" ") != 2:
        raise SendError("a space in the method or the target")
    return head


def _with_body(head: bytes, headers: Headers, body: RequestBody) -> OutgoingRequest:
    length = _content_length(headers)
    if length is None:
        head = head[:-2] + b"transfer-encoding: chunked\r\n\r\n"
    expects = any(
        name.lower() == b"expect" and value.lower() == b"100-continue" for name, value in headers
    )
    return OutgoingRequest(head, body, length, expects)


def _content_length(headers: Headers) -> int | None:
    length: int | None = None
    for name, value in headers:
        match name.lower():
            case b"transfer-encoding":
                raise SendError("transfer-encoding belongs to the engine")
            case b"content-length" if length is not None or not value.isdigit():
                raise SendError("content-length is no single number")
            case b"content-length":
                length = int(value)
    return length


def _refuse_length_of_nothing(headers: Headers) -> None:
    if _content_length(headers):
        raise SendError("content-length without a body")
