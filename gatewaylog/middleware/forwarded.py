"""Who the client is, when proxies stand in between: Forwarded (RFC 7239), X-Forwarded-For."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    Headers = Iterable[tuple[bytes, bytes]]

UNIX = "unix"  # stands for every peer on a unix socket
_PAIR = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]*)\s*')
_QUOTED = re.compile(r"\\(.)")


class TrustedProxies:
    """The networks whose word about the client is believed.

    `networks` are addresses or CIDR networks, or `"unix"`. Raises ValueError for others.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        chosen = list(networks)
        self._unix = UNIX in chosen
        self._networks = tuple(ip_network(text) for text in chosen if text != UNIX)
        self.any = bool(chosen)

    def trusts(self, address: str | None) -> bool:
        """Say whether `address` (None: a unix socket) is a trusted proxy."""
        if address is None:
            return self._unix
        parsed = _address(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def client(self, peer: str | None, headers: Headers) -> str | None:
        """Return the client's address: the peer's, or the first that a trusted proxy forwarded
        and that is not trusted itself, walked from the right; of a chain of trusted ones the
        leftmost.
        """
        if not self.any or not self.trusts(peer):
            return peer
        client = peer
        for hop in reversed(_hops(headers)):
            parsed = _address(hop)
            if parsed is None:
                break  # "unknown", an obfuscated name, nonsense: left of it is hearsay
            client = str(parsed)
            if not self.trusts(client):
                break
        return client


def _hops(headers: Headers) -> list[str]:
    """Return the addresses that were forwarded, left to right; Forwarded goes first."""
    forwarded = [value for name, value in headers if name == b"forwarded"]
    if forwarded:
        return _forwarded_for(b",".join(forwarded).decode("latin-1"))
    listed = [value for name, value in headers if name == b"x-forwarded-for"]
    return [hop.strip() for hop in b",".join(listed).decode("latin-1").split(",") if hop.strip()]


def _forwarded_for(value: str) -> list[str]:
    """Return the `for` of each element (RFC 7239 §4); an element without one is ""."""
    hops, current, at = [], "", 0
    while at < len(value):
        match = _PAIR.match(value, at)
        if match is not None:
            if match[1].lower() == "for":
                current = _unquoted(match[2])
            at = match.end()
        separator = value[at : at + 1]
        if separator == ",":
            hops.append(current)
            current = ""
        elif separator not in {";", ""}:
            # Not to be read from here on: nothing left of it may be believed either.
            return ["", *_forwarded_for(value[_comma(value, at) :])]
        at += 1
    return [*hops, current]


def _comma(value: str, at: int) -> int:
    found = value.find(",", at)
    return len(value) if found < 0 else found + 1


def _unquoted(token: str) -> str:
    return _QUOTED.sub(r"\1", token[1:-1]) if token.startswith('"') else token


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in `text`, with or without brackets and port."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed
