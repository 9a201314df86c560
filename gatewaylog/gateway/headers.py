"""Which header lines pass the gateway, and which it adds (RFC 9110 §7.6, RFC 7239)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_FORWARDING = frozenset(
    (b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
)
_STOPPED = HOP_BY_HOP | _FORWARDING
# What Connection can't name away: the message's own framing, and what the gateway decides by.
_KEPT = frozenset((b"host", b"content-length", b"content-type", b"authorization", b"via"))
_CHAINED = frozenset((b"forwarded", b"x-forwarded-for"))
_VIA = (b"via", b"1.1 gatewaylog")
_PLAIN = re.compile(r"[0-9A-Za-z._:-]+")  # an address, or a name that stands for one
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Peer(NamedTuple):
    """Who sent the request, for the headers that tell a backend.

    `address` is the connection's, None on a unix socket. `trusted`: what it says of those before
    it is passed on.
    """

    address: str | None
    scheme: str
    trusted: bool


def to_backend(
    headers: Headers, host: bytes, client_host: bytes, peer: Peer, dropped: Iterable[bytes] = ()
) -> Headers:
    """Return the header lines of a request as the backend gets them.

    The client's come in their order and number; Host has the value `host` in place of
    `client_host`; those named in `dropped` (a credential that was consumed), those of one hop and
    those that tell of the client are left out. Then follow our own: Forwarded, X-Forwarded-*, Via.
    """
    stopped = _stopped(headers, _STOPPED)
    if dropped:
        stopped = stopped.union(dropped)
    named = (b"host", host)
    lines = [named if line[0] == b"host" else line for line in headers if line[0] not in stopped]
    _tell_of_client(lines, headers, peer, client_host)
    lines.append(_VIA)
    return lines


def to_client(headers: Headers, replaced: frozenset[bytes] = frozenset()) -> Headers:
    """Return the header lines of a response as the client gets them, without those of one hop."""
    stopped = _stopped(headers, HOP_BY_HOP)
    if replaced:
        stopped = stopped | replaced
    return [line for line in headers if line[0] not in stopped]


def _stopped(headers: Headers, always: frozenset[bytes]) -> frozenset[bytes]:
    """Return what is left out: `always`, and what Connection names."""
    for name, value in headers:
        if name == b"connection" and value.lower() not in {b"keep-alive", b"close"}:
            return always | _named(headers)
    return always


def _named(headers: Headers) -> set[bytes]:
    options = b",".join(value for name, value in headers if name == b"connection")
    return {option.strip().lower() for option in options.split(b",")} - _KEPT


def _tell_of_client(lines: Headers, headers: Headers, peer: Peer, host: bytes) -> None:
    """Add Forwarded and X-Forwarded-*: in place of the client's own, or after a trusted one's."""
    own = _own_word(peer, host)
    lines.extend(_after_theirs(headers, own) if peer.trusted else own)


@lru_cache(maxsize=4096)
def _own_word(peer: Peer, host: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return the lines that tell of the client; most requests come after others of the same."""
    address = peer.address
    proto = peer.scheme.encode()
    node = b"unknown" if address is None else _node(address)
    return (
        (b"forwarded", b"for=%b;host=%b;proto=%b" % (node, _quoted(host), proto)),
        (b"x-forwarded-for", b"unknown" if address is None else address.encode()),
        (b"x-forwarded-proto", proto),
        (b"x-forwarded-host", host),
    )


def _after_theirs(headers: Headers, own: tuple[tuple[bytes, bytes], ...]) -> Headers:
    """Return the lines behind a trusted proxy: its own word, and ours after it.

    Scheme and host are what it was asked for, where it says so.
    """
    lines = []
    for name, value in own:
        theirs = [other for key, other in headers if key == name]
        if name == b"forwarded" and not theirs:
            theirs = _translated(headers)
        if not theirs or name in _CHAINED:
            theirs.append(value)
        lines.append((name, b", ".join(theirs)))
    return lines


def _translated(headers: Headers) -> list[bytes]:
    """Return X-Forwarded-For as elements of Forwarded (RFC 7239 §7.4): whoever reads that first
    would lose the client otherwise.
    """
    listed = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    hops = [hop.strip() for hop in listed.decode("latin-1").split(",")]
    return [b"for=" + _node(hop) for hop in hops if _PLAIN.fullmatch(hop)]


def _node(address: str) -> bytes:
    """Return an address as a node of Forwarded (RFC 7239 §6): IPv6 in brackets and quotes."""
    return f'"[{address}]"'.encode() if ":" in address else address.encode()


def _quoted(host: bytes) -> bytes:
    if _TOKEN.fullmatch(host):
        return host
    return b'"%b"' % host.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
