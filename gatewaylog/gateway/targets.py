"""The request target and the lines that frame a request, checked before anything is routed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from gatewaylog.middleware.asgi import TARGET

if TYPE_CHECKING:
    from gatewaylog.gateway.headers import Headers

_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?#]*)(.*)", re.DOTALL)
_HOST = re.compile(
    rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?"
)
# What `framing_of` looks at: most lines are others, and are passed over in one sweep.
_FRAMED = frozenset((b"host", b"content-length", b"transfer-encoding"))
ASTERISK = b"*"
_LONGEST = 18  # digits of a length


class Target(NamedTuple):
    """A request target (RFC 9112 §3.2): its path, and `?` with the query where there is one.

    `authority` is that of an absolute form, which stands in place of Host.
    """

    path: bytes
    query: bytes
    authority: bytes | None = None


class Framing(NamedTuple):
    """What a request's lines say: which host it is for, and how long its body is.

    `length` is None without Content-Length; `has_body` also without one.
    """

    host: bytes
    length: int | None
    has_body: bool


def target_of(scope: Any) -> Target:
    """Return the target as the client sent it, or as the server left it."""
    raw: bytes | None = scope.get(TARGET)
    if raw is None:
        query = scope["query_string"]
        path = scope.get("raw_path") or scope["path"].encode()
        return Target(path.partition(b"?")[0], b"?" + query if query else b"")
    authority = None
    if not raw.startswith(b"/") and (absolute := _ABSOLUTE.fullmatch(raw)):
        authority, raw = absolute.groups()
        raw = raw if raw.startswith(b"/") else b"/" + raw
    path, mark, query = raw.partition(b"?")
    return Target(path, mark + query, authority)


def framing_of(scope: Any, target: Target) -> Framing | None:
    """Return what the lines say, None where different programs could read them differently.

    Exactly one Host, the same as an absolute target's; one Content-Length of digits at most;
    Transfer-Encoding `chunked` alone and once, not beside a Content-Length nor in HTTP/1.0
    (RFC 9112 §3.2, §6.1, §6.3).
    """
    host = length = None
    chunked = False
    for name, value in [line for line in scope["headers"] if line[0] in _FRAMED]:
        if name == b"host":
            if host is not None:
                return None
            host = value
        elif name == b"content-length":
            if length is not None or not value.isdigit() or len(value) > _LONGEST:
                return None
            length = int(value)
        elif name == b"transfer-encoding":
            if chunked or value.lower() != b"chunked":
                return None
            chunked = True
    version: str = scope["http_version"]
    if not _is_host(host, target) or (chunked and (length is not None or version == "1.0")):
        return None
    has_body = chunked or bool(length) or not version.startswith("1")
    return Framing(host or b"", length, has_body)


def _is_host(host: bytes | None, target: Target) -> bool:
    if not host or not _HOST.fullmatch(host):
        return False
    return target.authority is None or target.authority.lower() == host.lower()


def accept_of(headers: Headers) -> bytes | None:
    """Return what kind of answer the client likes, where its lines are not otherwise looked at."""
    return next((value for name, value in headers if name == b"accept"), None)
