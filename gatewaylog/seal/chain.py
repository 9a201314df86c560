"""The chain of a writer's lines: each carries a MAC of itself and of the MAC before it.

Chain is the first 32 hex digits of HMAC-SHA-256 (RFC 2104) over the writer's previous Chain (none
before its first line) and the line's bytes before its own Chain, and stands last on the line. Each
writer has a chain of its own, so that several append to a file without a lock for all.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.sinks.numbers import numbers_at_end

if TYPE_CHECKING:
    from gatewaylog.sinks import Sink

_DIGITS = 32
_BLOCK = 64  # bytes, of SHA-256
# What stands before and behind Chain, by the first byte of the line: an object, a time (the default
# format), anything else (logfmt); and how many bytes of a line without it that is put before.
_OBJECT = (b', "Chain": "', b'"}', 2)
_PAIRS = (b', Chain="', b'"', 1)
_WORDS = (b" Chain=", b"", 1)
ROOM = len(_OBJECT[0]) + _DIGITS + 1  # bytes that a line is longer by, at most


class Mac:
    """HMAC-SHA-256 with one key.

    The key's two blocks are hashed once: half of what `hmac.digest` takes for a line
    (benchmarks/event_cost.py).
    """

    def __init__(self, key: bytes) -> None:
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def chain(self, before: bytes, head: bytes) -> bytes:
        """Return the Chain of a line: its bytes before that are `head`, the one before `before`."""
        inner = self._inner.copy()
        inner.update(before + head)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()[:_DIGITS].encode()


class Chain:
    """One writer's chain: lines get their Chain on the way to `sink`. Used under a lock."""

    def __init__(self, mac: Mac, sink: Sink) -> None:
        self.sink = sink
        self._mac = mac
        self._last = b""

    def write(self, line: bytes) -> str | None:
        """Write a line, as `Sink.write`; one that can't be written is no part of the chain."""
        opening, closing, end = _around(line)
        head = line[:-end]
        chain = self._mac.chain(self._last, head)
        reason = self.sink.write(b"%b%b%b%b\n" % (head, opening, chain, closing))
        if reason is None:
            self._last = chain
        return reason


class Link(NamedTuple):
    """A line of a chain: whose, which of that writer's, what its Chain is made of, and that."""

    writer: str
    seq: int
    head: bytes
    chain: bytes


def link_of(raw: bytes) -> Link | None:
    """Read a line without its line feed; None where no Chain stands last on it."""
    match = numbers_at_end(raw)
    if match is None:
        return None
    writer, seq, before, chain, behind = match.groups()
    opening, closing, _ = _around(raw)
    if before != opening or behind != closing or match.end(5) != len(raw):
        return None
    return Link(writer.decode(), int(seq), raw[: match.start(3)], chain)


def _around(line: bytes) -> tuple[bytes, bytes, int]:
    first = line[:1]
    if first == b"{":
        return _OBJECT
    return _PAIRS if first.isdigit() else _WORDS
