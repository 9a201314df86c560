"""Whether bytes of a file are still what they were, by digests of them."""

from __future__ import annotations

import hashlib
import os
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PIECE = 1024 * 1024
_SAMPLE = 4096
_SAMPLES = 16
_HEAD = 64 * 1024  # bytes in which a first line has to end


def digest(fd: int, begin: int, end: int) -> str:
    """Return the digest of all bytes from `begin` to `end`."""
    found = hashlib.blake2b(digest_size=16)
    for at in range(begin, end, _PIECE):
        found.update(os.pread(fd, min(_PIECE, end - at), at))
    return found.hexdigest()


def samples(fd: int, begin: int, end: int) -> str:
    """Return the digest of some of the bytes, the last among them: 64 kB whatever the length."""
    found = hashlib.blake2b(digest_size=8)
    step = max(1, (end - begin) // _SAMPLES)
    for at in [*range(begin, end, step)[:_SAMPLES], max(begin, end - _SAMPLE)]:
        found.update(os.pread(fd, min(_SAMPLE, end - at), at))
    return found.hexdigest()


def name_of_log(fd: int, size: int, *, packed: bool) -> str | None:
    """Return what a log is known by, whatever its name: by its first line, which stays while it
    grows; a packed one, which does not grow, by its begin, its end and its size. None: too short.
    """
    if packed:
        return f"packed-{size}-{samples(fd, 0, size)}"
    line, feed, _ = os.pread(fd, _HEAD, 0).partition(b"\n")
    return hashlib.blake2b(line, digest_size=16).hexdigest() if feed else None


def checksum(path: Path) -> int:
    """Return a file's CRC-32. Raises OSError."""
    found = 0
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            found = zlib.crc32(piece, found)
    return found
