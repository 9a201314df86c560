"""Digests of files that retention deleted, removed from the front of `FILE.digest`.

A digest holds the hash of the one before it, so that only the oldest can go. In their place stands
one signed line, the anchor: the number and the hash of the last that went, and where the chain of
each writer stood, from which the lines that are left go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.seal.digest import Digest, hash_of, read_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gatewaylog.seal.digest import Span

_WRITERS = 1000  # that an anchor names at most, the last that were heard of: 120 KB


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A line of the digests, and what it tells, if it can be read."""

    raw: bytes
    digest: Digest | None


def pruned(raws: Iterable[bytes], *, at: str, name: str) -> tuple[Digest, list[bytes]] | None:
    """Return the anchor, not signed yet, and the lines that stay behind it; None where none can go.

    `raws` are all digests of the log `name`, without line feeds; `at` is now, in RFC 3339.
    """
    lines = [_Read(raw=raw, digest=_read(raw)) for raw in raws]
    count = _superfluous(lines)
    if not any(line.digest is None or not line.digest.pruned for line in lines[:count]):
        return None
    return _anchor(lines[:count], at, name), [line.raw for line in lines[count:]]


def count_of(raws: Iterable[bytes]) -> int:
    """Return the last one's number: one that can't be read has the next after that before it."""
    number = 0
    for raw in raws:
        digest = _read(raw)
        number = number + 1 if digest is None else digest.number
    return number


def _read(raw: bytes) -> Digest | None:
    try:
        return read_line(raw).digest
    except ValueError:
        return None


def _superfluous(lines: list[_Read]) -> int:
    """Return how many lines at the front tell of deleted files alone; the last one always stays."""
    gone = set(_gone(line.digest for line in lines))
    for count, line in enumerate(lines[:-1]):
        digest = line.digest
        if digest is not None and not (digest.deleted or digest.pruned or digest.first in gone):
            return count
    return max(0, len(lines) - 1)


def _gone(digests: Iterable[Digest | None]) -> Iterator[str]:
    """Yield the hashes of the first lines of files that were deleted."""
    finals: dict[str, str] = {}
    for digest in digests:
        if digest is not None and digest.final:
            finals[digest.name] = digest.first
        elif digest is not None and digest.deleted:
            yield digest.first or finals.get(digest.name, "")


def _anchor(lines: list[_Read], at: str, name: str) -> Digest:
    writers: dict[str, Span] = {}
    for line in lines:
        if line.digest is not None:
            _take_over(writers, line.digest.writers)
    return Digest(
        number=count_of(line.raw for line in lines),
        at=at,
        name=name,
        first="",
        writers=dict(list(writers.items())[-_WRITERS:]),
        before=hash_of(lines[-1].raw),
        pruned=True,
    )


def _take_over(writers: dict[str, Span], newer: Mapping[str, Span]) -> None:
    """Take newer spans, which stand last then."""
    for writer, span in newer.items():
        writers.pop(writer, None)
        writers[writer] = span
