"""One place that lines come from: a file, compressed or not, a pipe, standard input."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import stat
import sys
import tempfile
import weakref
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from gatewaylog.exceptions import ReaderError
from gatewaylog.reader.names import name_of
from gatewaylog.reader.numbering import PIECE, Numbered
from gatewaylog.reader.packing import Frames, unpacked
from gatewaylog.reader.times import first_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Identity: TypeAlias = tuple[int, int]  # a device and an inode
STANDARD_INPUT = "-"
_LOOK = 64 * 1024  # bytes at a file's begin and end that are searched for a time


class Source(Numbered):
    """A file that was found; it is opened when it is read.

    `name` is the path as it was given, `-` for standard input. `damage` tells, once it was read,
    how compressed data broke off; else it is empty. Raises ReaderError where it can't be read.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.path = Path(name)
        self.identity: Identity | None = None
        self.damage = ""
        self.on_damage: Callable[[Source], object] | None = None
        """Is called whenever the end of compressed data was read and it was found to break off."""
        self.first = 0
        """The byte that blocks of lines begin with."""
        self.stop: int | None = None
        """The byte that they end before, None: the source's end."""
        self._pipe: io.BufferedReader | None = None  # can't be opened again
        self._spool: io.BufferedReader | None = (
            None  # what the pipe held, once it was read backwards
        )
        if name == STANDARD_INPUT:
            self._pipe = cast("io.BufferedReader", sys.stdin.buffer)
            return
        with asking(name):
            status = self.path.stat()
            self.identity = identity_of(status)
            if not stat.S_ISREG(status.st_mode):
                self._pipe = _open(self.path)
                weakref.finalize(self, self._pipe.close)

    def __repr__(self) -> str:
        return f"Source({self.name!r})"

    def part(self, first: int, stop: int | None) -> Source:
        """Return the same file, of which the bytes from `first` to `stop` are read: whole lines."""
        part = copy.copy(self)
        part.first, part.stop = first, stop
        return part

    @property
    def is_pipe(self) -> bool:
        """Tell whether it can be read but once, from its beginning on."""
        return self._pipe is not None

    @property
    def is_packed(self) -> bool:
        """Tell whether it is compressed, so that it can't be read from any place."""
        with self._opened() as stream:
            return isinstance(stream.raw, Frames)

    @cached_property
    def begin(self) -> float | None:
        """The time of the first line that has one, in seconds since the epoch."""
        with self._opened() as stream, asking(self.name):
            return first_time(stream.peek(_LOOK).split(b"\n"))

    @cached_property
    def end(self) -> float | None:
        """The time of the last line that has one, where that is at hand: not in what is packed."""
        if self.is_pipe:
            return None
        with self._opened() as stream, asking(self.name):
            if isinstance(stream.raw, Frames):
                return None
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LOOK))
            return first_time(reversed(stream.read(_LOOK).split(b"\n")))

    @cached_property
    def since(self) -> float:
        """Where it stands among others: its begin, else when it was written to; a pipe last."""
        if self.begin is not None:
            return self.begin
        with asking(self.name):
            return float("inf") if self.is_pipe else self.path.stat().st_mtime

    def pieces(self, size: int = PIECE, start: int = 0) -> Iterator[bytes]:
        """Yield what it holds from the byte `start` on, up to `size` bytes at once."""
        with self._opened() as stream, asking(self.name):
            if stream.seekable() and (stream is self._spool or not self.is_pipe):
                start -= stream.seek(start)
            while piece := stream.read1(size):
                kept, start = piece[start:], max(0, start - len(piece))
                if kept:
                    yield kept
            if isinstance(stream.raw, Frames):
                self.damage = stream.raw.damage
        if self.damage and self.on_damage is not None:
            self.on_damage(self)

    @contextlib.contextmanager
    def seekable(self) -> Iterator[io.BufferedReader]:
        """Open as a file that can be read from any place: a temporary one where this is none."""
        with self._opened() as stream, contextlib.ExitStack() as stack:
            if not self.is_pipe and not isinstance(stream.raw, Frames):
                yield stream
                return
            spool = self._spool or self._spooled()
            if self.is_pipe:
                self._spool = spool
                weakref.finalize(self, spool.close)
            else:
                stack.enter_context(spool)
            yield spool

    def _spooled(self) -> io.BufferedReader:
        with asking(self.name):
            spool = tempfile.TemporaryFile()  # noqa: SIM115 - outlives this
            for piece in self.pieces():
                spool.write(piece)
            spool.flush()
        return cast("io.BufferedReader", spool)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[io.BufferedReader]:
        """Open at the beginning, what is packed unpacked."""
        if self._spool is not None:
            self._spool.seek(0)
            yield self._spool
        elif self._pipe is not None:
            with asking(self.name):
                self._pipe = unpacked(self._pipe, self.name)
            yield self._pipe
        else:
            with self._reopened() as file:
                with asking(self.name):
                    stream = unpacked(file, self.name)
                with stream:
                    yield stream

    def _reopened(self) -> io.BufferedReader:
        """Open the file that was found, though it may have been renamed since."""
        for path in _candidates(self.path):
            with asking(self.name), contextlib.suppress(FileNotFoundError):
                file = _open(path)
                if identity_of(os.fstat(file.fileno())) == self.identity:
                    self.path = path
                    return file
                file.close()
        raise ReaderError(f"{self.name}: was rotated away while it was read")


def _open(path: Path) -> io.BufferedReader:
    return io.BufferedReader(io.FileIO(path), _LOOK)


def _candidates(path: Path) -> Iterator[Path]:
    yield path
    yield from siblings(path)


@contextlib.contextmanager
def asking(name: str) -> Iterator[None]:
    """Turn what the system says of `name` into a ReaderError of one line."""
    try:
        yield
    except OSError as error:
        raise ReaderError(f"{name}: {error.strerror or error}") from None


def identity_of(status: os.stat_result) -> Identity:
    """Return what makes a file itself, whatever its name."""
    return status.st_dev, status.st_ino


def siblings(path: Path, *, packed: bool = True) -> list[Path]:
    """Return the files beside `path` that belong to the same log, it among them, oldest first."""
    family = name_of(path.name).family
    with asking(str(path.parent)):
        found = [(name_of(other.name), other) for other in path.parent.iterdir()]
    return [
        other
        for name, other in sorted(found)
        if name.family == family and (packed or not name.packed) and other.is_file()
    ]
