"""Cross-origin requests, answered as the Fetch standard wants it (section "CORS protocol").

The gateway only tells browsers what a page may do; it refuses nothing by itself, since an Origin
header proves nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.gateway.config import CorsConfig

Headers = list[tuple[bytes, bytes]]

# What the gateway decides where it knows the API's policy: a backend's own lines give way.
OWN_HEADERS = frozenset(
    (
        b"access-control-allow-origin",
        b"access-control-allow-credentials",
        b"access-control-expose-headers",
    )
)

_EVERY = "*"
_TOKENS = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsPolicy:
    """One API's policy, as header values; `methods` and `headers` None: whatever is asked for."""

    origins: frozenset[bytes]
    every_origin: bool
    methods: bytes | None
    headers: bytes | None
    expose: bytes
    credentials: bool
    max_age: bytes


def cors_policy(config: CorsConfig) -> CorsPolicy:
    """Return the policy that `[api.cors]` describes."""
    return CorsPolicy(
        origins=frozenset(origin.encode() for origin in config.origins),
        every_origin=_EVERY in config.origins,
        methods=None if _EVERY in config.methods else _joined(config.methods),
        headers=None if _EVERY in config.headers else _joined(config.headers),
        expose=_joined(config.expose_headers),
        credentials=config.credentials,
        max_age=str(config.max_age).encode(),
    )


def is_preflight(method: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether it is OPTIONS with Origin and Access-Control-Request-Method."""
    if method != "OPTIONS":
        return False
    names = {name for name, _ in headers}
    return b"origin" in names and b"access-control-request-method" in names


def preflight_headers(policy: CorsPolicy, headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of the answer to a preflight (a 204 without content).

    An origin that is not allowed gets nothing but Vary, which makes the browser refuse.
    """
    asked = list(headers)
    answer = _vary(policy)
    origin = _allowed_origin(policy, asked)
    if origin is None:
        return answer
    methods = policy.methods or _asked(asked, b"access-control-request-method")
    names = policy.headers or _asked(asked, b"access-control-request-headers")
    answer += _allowed(policy, origin)
    if methods:
        answer.append((b"access-control-allow-methods", methods))
    if names:
        answer.append((b"access-control-allow-headers", names))
    answer.append((b"access-control-max-age", policy.max_age))
    return answer


def response_headers(policy: CorsPolicy, headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the lines to add to the answer to a request with these headers.

    Vary also comes without an Origin, for caches; a policy for every origin needs none.
    """
    origin = _allowed_origin(policy, headers)
    answer = _vary(policy)
    if origin is not None:
        answer += _allowed(policy, origin)
        if policy.expose:
            answer.append((b"access-control-expose-headers", policy.expose))
    return answer


def _allowed_origin(policy: CorsPolicy, headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the value of Access-Control-Allow-Origin; two Origin lines are no origin."""
    sent = [value for name, value in headers if name == b"origin"]
    if len(sent) != 1:
        return None
    if policy.every_origin:
        return b"*"
    return sent[0] if sent[0] in policy.origins else None


def _allowed(policy: CorsPolicy, origin: bytes) -> Headers:
    headers = [(b"access-control-allow-origin", origin)]
    if policy.credentials:
        headers.append((b"access-control-allow-credentials", b"true"))
    return headers


def _vary(policy: CorsPolicy) -> Headers:
    return [] if policy.every_origin else [(b"vary", b"Origin")]


def _asked(headers: Headers, name: bytes) -> bytes:
    """Return what a preflight asks for, if it is a list of tokens: it goes into the answer."""
    asked = b", ".join(value for key, value in headers if key == name)
    return asked if _TOKENS.fullmatch(asked) else b""


def _joined(names: Iterable[str]) -> bytes:
    return ", ".join(names).encode()
