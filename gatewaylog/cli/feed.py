"""The lines that logs hold, and then those that are written to them, each once."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gatewaylog.cli.terminal import printable
from gatewaylog.exceptions import ReaderError
from gatewaylog.notices import notice
from gatewaylog.reader import Follower, Pipe, between, lines_of, parts_before
from gatewaylog.reader.following import EVERY
from gatewaylog.reader.names import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import FrameType

    from gatewaylog.cli.logs import Named
    from gatewaylog.cli.span import Span
    from gatewaylog.reader import Entry, Source


class Feed:
    """Logs by index, as `logs.named_by` returns them, within a span of time.

    Read what they hold by `held`; where they are followed then what comes by `fresh`. `index_of`
    tells the index of a file by its name. Raises ReaderError for what can't be read; where logs are
    followed, those that are not there are waited for. To be closed, as a context is.
    """

    def __init__(self, logs: Mapping[str, Named], span: Span, *, follow: bool) -> None:
        self.index_of: dict[str, str] = {}
        self._span = span
        self._closing = contextlib.ExitStack()
        self._pipes: list[Pipe] = []
        self._grows = False  # something that may get more lines for ever
        self._follower: Follower | None = None
        self._sources: list[Source] = []
        self._logs = logs
        with contextlib.ExitStack() as opened:  # closes what is open if there is more that fails
            if follow:
                self._begin_following(opened)
            self._sources = self._found(waits=follow)
            self._closing = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _begin_following(self, opened: contextlib.ExitStack) -> None:
        paths = dict.fromkeys(path for named in self._logs.values() for path in named.paths)
        pipes = [path for path in paths if _is_pipe(path)]
        self._pipes = [opened.enter_context(Pipe(path)) for path in pipes]
        growing = [path for path in paths if path not in pipes and not _is_packed(path)]
        self._grows = bool(growing)
        self._follower = opened.enter_context(Follower(growing))

    def _found(self, *, waits: bool) -> list[Source]:
        found: dict[str, Source] = {}
        for index, named in self._logs.items():
            paths = [path for path in named.paths if not waits or _is_there(path)]
            for source in named._replace(paths=tuple(paths)).sources() if paths else ():
                found.setdefault(source.name, source)
                if index:
                    self.index_of[source.name] = index
        sources = list(found.values())
        return sorted(sources, key=_begin) if len(self._logs) > 1 else sources

    def sources(self) -> list[Source]:
        """Return what `held` reads."""
        sources = between(self._sources, *self._span)
        return parts_before(self._follower, sources) if self._follower else sources

    def held(self) -> Iterator[Entry]:
        """Yield the lines that were there, with some that lie outside the span."""
        return lines_of(self.sources())

    def last(self, wanted: Callable[[bytes], bool] | None) -> Iterator[Entry]:
        """Yield the same, newest first; `wanted` may refuse many that stand together."""
        return lines_of(self.sources(), newest_first=True, wanted=wanted)

    def fresh(self) -> Iterator[Entry | None]:
        """Yield lines as they come, and None after each look.

        It ends with Ctrl-C, of which a second one is KeyboardInterrupt, when all pipes have ended
        and nothing else may grow, or when nobody reads standard output any more.
        """
        gone = _reader_of_output()
        with _interrupts() as stopped:
            while not (stopped.is_set() or self._is_over() or gone.poll(EVERY * 1000)):
                yield from self._poll()
                yield None
            if stopped.is_set():
                yield from self._poll()

    def _is_over(self) -> bool:
        return not self._grows and all(pipe.ended for pipe in self._pipes)

    def _poll(self) -> Iterable[Entry]:
        for pipe in self._pipes:
            yield from pipe.poll()
        if self._follower is not None:
            yield from self._follower.poll()


@contextlib.contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Keep the first Ctrl-C for a good moment: what is under way is shown before the end."""
    stopped = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if stopped.is_set():
            signal.default_int_handler(number, frame)
        stopped.set()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _begin(source: Source) -> float:
    return source.since


def _is_pipe(path: str) -> bool:
    try:
        mode = os.fstat(sys.stdin.fileno()) if path == "-" else Path(path).stat()
    except OSError:
        return False
    return path == "-" or not (stat.S_ISREG(mode.st_mode) or stat.S_ISDIR(mode.st_mode))


def _is_packed(path: str) -> bool:
    return bool(name_of(Path(path).name).packed)


def _is_there(path: str) -> bool:
    """Tell whether a path that is followed names a log now; say so where it does not."""
    from gatewaylog.reader import find

    if _is_pipe(path):
        return False
    try:
        find(path)
    except ReaderError:
        if _is_packed(path) or (Path(path).exists() and not Path(path).is_dir()):
            raise  # nothing to be waited for
        notice(f"{printable(path)}: not there yet, waiting for it")
        return False
    return True


def _reader_of_output() -> select.poll:
    """Return what tells that nobody reads our output: without a reader there is nothing to do."""
    reader = select.poll()
    with contextlib.suppress(OSError, ValueError):
        output = sys.stdout.fileno()
        if stat.S_ISFIFO(os.fstat(output).st_mode):
            reader.register(output, 0)
    return reader
