"""What can be read of a request that is none: enough for its record, never to be routed by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gatewaylog.gateway.headers import Headers

_REQUEST_LINE = re.compile(
    rb"(?P<method>[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (?P<target>[^\n]*?)"
    rb"(?: HTTP/[0-9.]{1,8})?\r?(?:\n|\Z)"
)
_LINE = re.compile(rb"\n([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*(?=\r?\n)")


class Fragment(NamedTuple):
    """Method, target and header lines, as far as they are to be seen."""

    method: str | None = None
    target: bytes = b""
    headers: Headers = []  # noqa: RUF012 - never changed


def fragment(raw: bytes) -> Fragment | None:
    """Return what the bytes that begin a request tell; None where there is no request line.

    llhttp tells less: it keeps the last line, and all that an odd byte stands in.
    """
    line = _REQUEST_LINE.match(raw.lstrip(b"\r\n"))
    if line is None:
        return None
    headers = [(name.lower(), value) for name, value in _LINE.findall(raw)]
    return Fragment(line["method"].decode("ascii"), line["target"], headers)


def head_size(target: bytes, headers: Headers) -> int:
    """Return about how many bytes a head had."""
    return len(target) + sum(len(name) + len(value) + 4 for name, value in headers)
