"""Who the client is, when proxies stand in between: Forwarded (RFC 7239), X-Forwarded-For."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Headers = Iterable[tuple[bytes, bytes]]

UNIX = "unix"  # stands for every peer on a unix socket
_PAIR = re.compile(
    r'\s*+(?:([!#$%&\'*+.^_`|~0-9A-Za-z-]++)=("(?:[^"\\]|\\.)*+"|[^\s;"\\]*+)\s*+)?+(?:;|\Z)'
)
_PORT = re.compile(r":[A-Za-z0-9._-]*")  # or an obfuscated one (RFC 7239 §6.2)
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
        return parsed is not None and self._holds(parsed)

    def _holds(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)

    def client(self, peer: str | None, headers: Headers) -> str | None:
        """Return the client's address: the peer's, or the first that a trusted proxy forwarded
        and that is not trusted itself, walked from the right; of a chain of trusted ones the
        leftmost.
        """
        if not self.any or not self.trusts(peer):
            return peer
        client = peer
        for hop in _hops(headers):
            parsed = _address(hop)
            if parsed is None:
                break  # "unknown", an obfuscated name, nonsense: left of it is hearsay
            client = str(parsed)
            if not self._holds(parsed):
                break
        return client

    def scheme(self, peer: str | None, headers: Headers) -> str | None:
        """Return the scheme that the client used, where the peer is a trusted proxy and says so."""
        if not self.any or not self.trusts(peer):
            return None
        forwarded = b",".join(value for name, value in headers if name == b"forwarded")
        if forwarded:
            told = _parameter(next(_elements(forwarded.decode("latin-1")), ""), "proto")
        else:
            listed = b",".join(value for name, value in headers if name == b"x-forwarded-proto")
            told = next(_elements(listed.decode("latin-1")), "").strip()
        return told.lower() if told.lower() in {"http", "https"} else None


def _hops(headers: Headers) -> Iterator[str]:
    """Return the addresses that were forwarded, the last one first; Forwarded goes first."""
    forwarded = [value for name, value in headers if name == b"forwarded"]
    if forwarded:
        elements = _elements(b",".join(forwarded).decode("latin-1"))
        return (_parameter(element, "for") for element in elements)
    listed = [value for name, value in headers if name == b"x-forwarded-for"]
    return (hop.strip() for hop in _elements(b",".join(listed).decode("latin-1")))


def _elements(value: str) -> Iterator[str]:
    """Return the elements of a list, the last one first; empty ones don't count (RFC 9110 §5.6.1).

    A comma always parts, even between quotation marks: no address has one, and a quotation mark
    that a client opened must not swallow what a proxy has added behind it.
    """
    return (element for element in reversed(value.split(",")) if element.strip())


def _parameter(element: str, name: str) -> str:
    """Return a parameter of an element (RFC 7239 §4); "" where there is not one, or no element."""
    found: list[str] = []
    at = 0
    while at < len(element):
        pair = _PAIR.match(element, at)
        if pair is None:
            return ""
        if pair[1] is not None and pair[1].lower() == name:
            found.append(_unquoted(pair[2]))
        at = pair.end()
    return found[0] if len(found) == 1 else ""


def _unquoted(token: str) -> str:
    return _QUOTED.sub(r"\1", token[1:-1]) if token.startswith('"') else token


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in `text`, with or without brackets and port."""
    port = ""
    if text.startswith("["):
        text, _, port = text[1:].partition("]")
    elif text.count(":") == 1:
        text, colon, port = text.partition(":")
        port = colon + port
    if port and not _PORT.fullmatch(port):
        return None
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed
