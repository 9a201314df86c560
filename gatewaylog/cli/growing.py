"""A file that grows, is renamed and replaced, or is cut to nothing and begun again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_ROOM = 64 * 1024  # bytes read from the end at first


class GrowingFile:
    """The lines of a log, from its last ones on.

    A file that is not there yet is waited for by `fresh`; `last` raises FileNotFoundError.
    To be closed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._current: _Lines | None = None
        self._former: _Lines | None = None  # other processes may still be writing to it
        self._open()

    def close(self) -> None:
        """Close the file, and the one that had its name before."""
        for lines in (self._former, self._current):
            if lines is not None:
                lines.close()

    @property
    def is_open(self) -> bool:
        """Tell whether the file is there."""
        return self._current is not None

    @property
    def place(self) -> int:
        """The byte that `fresh` goes on from: where the first line begins that it has not given."""
        return self._current.place if self._current is not None else 0

    def last(self, count: int, *, partial: bool = False) -> list[bytes]:
        """Return the last lines that are there; `partial`: one that has no end yet is a line."""
        if self._current is None:
            raise FileNotFoundError(2, os.strerror(2), str(self.path))
        return self._current.last(count, partial=partial)

    def fresh(self) -> list[bytes]:
        """Return the lines that were ended since the last look."""
        if self._current is None or self._current.is_not(self.path):
            self._open()
        return [
            line
            for lines in (self._former, self._current)
            if lines is not None
            for line in lines.fresh()
        ]

    def _open(self) -> None:
        try:
            opened = _Lines(self.path)
        except FileNotFoundError:
            return
        if self._former is not None:
            self._former.close()
        self._former, self._current = self._current, opened


class _Lines:
    """The lines of one file, whatever its name has become."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._rest = b""

    def close(self) -> None:
        self._file.close()

    def is_not(self, path: Path) -> bool:
        """Tell whether another file has the name now."""
        try:
            return not os.path.samestat(path.stat(), os.fstat(self._file.fileno()))
        except OSError:
            return False

    @property
    def place(self) -> int:
        return self._file.tell() - len(self._rest)

    def last(self, count: int, *, partial: bool) -> list[bytes]:
        size = self._file.seek(0, os.SEEK_END)
        room, start, found = _ROOM, size, b""
        while start and found.count(b"\n") <= count:
            start = max(0, size - room)
            self._file.seek(start)
            found = self._file.read(size - start)
            room *= 2
        *lines, self._rest = found.split(b"\n")
        if partial and self._rest:
            lines.append(self._rest)
        return lines[-count:] if count else []

    def fresh(self) -> list[bytes]:
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._rest = b""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        return lines
