"""`gatewaylog tail [FILE…]`: the last events of logs, one readable line each."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
from argparse import ArgumentTypeError
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli.event_lines import EventLines
from gatewaylog.cli.growing import GrowingFile
from gatewaylog.cli.terminal import printable, wants_colour
from gatewaylog.cli.verbs import WrongCall
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable
    from typing import BinaryIO

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog tail -n 20 -f logs/api-access.log

A line shows: time; ▸ came in, ✓ complete or ✗ error; the id that links a call's events;
status, duration, client, API, method and URL; of an error its code, message and source.
Without FILE: logs/api-access.log or api-access.log, whichever is here. - is standard input."""

_USUAL = (Path("logs/api-access.log"), Path("api-access.log"))
_STANDARD_INPUT = Path("-")
_LOOK_EVERY = 100  # milliseconds


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("file", metavar="FILE", nargs="*", type=Path, help="a log, of any format")
    parser.add_argument("-n", metavar="N", type=_count, default=10, help="show the last N (10)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    parser.add_argument(
        "--no-colour", "--no-color", action="store_true", help="no colours on a terminal either"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise ArgumentTypeError("must be a whole number, 0 or more")
    return int(text)


def run(options: Namespace) -> int:
    """Show the events; with --follow until Ctrl-C or until the reader of the output leaves."""
    paths = options.file or [_usual()]
    screen = _Screen(several=len(paths) > 1, colour=wants_colour(refused=options.no_colour))
    try:
        with contextlib.ExitStack() as closing:
            files = [_begun(path, options, screen, closing) for path in paths]
            if options.follow:
                _follow([file for file in files if file is not None], screen)
    except KeyboardInterrupt:
        if not options.follow:
            raise
    finally:
        if screen.lines.unread:
            notice(f"lines that could not be read: {screen.lines.unread}")
    return 0


def _usual() -> Path:
    for path in _USUAL:
        if path.exists():
            return path
    raise WrongCall(f"tail: which FILE? Neither {_USUAL[0]} nor {_USUAL[1]} is here")


class _Screen:
    """Standard output: events, under the name of their file where there are several."""

    def __init__(self, *, several: bool, colour: bool) -> None:
        self.lines = EventLines(colour=colour, encoding=sys.stdout.encoding)
        self._several = several
        self._shown: Path | None = None

    def show(self, path: Path, raws: Iterable[bytes]) -> None:
        """Print the events of these lines of a file."""
        for raw in raws:
            if self._several and path != self._shown:
                self._shown = path
                print(f"==> {printable(str(path))} <==")
            print(self.lines.readable(raw))
        sys.stdout.flush()


def _begun(
    path: Path, options: Namespace, screen: _Screen, closing: contextlib.ExitStack
) -> GrowingFile | None:
    """Show a file's last events; return it, to be closed, where it can be followed."""
    if path == _STANDARD_INPUT:
        _show_stream(path, sys.stdin.buffer, options, screen)
        return None
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with path.open("rb") as stream:
            _show_stream(path, stream, options, screen)
        return None
    file = closing.enter_context(contextlib.closing(GrowingFile(path)))
    if not options.follow:
        screen.show(path, file.last(options.n, partial=True))
    elif file.is_open:
        screen.show(path, file.last(options.n))
    else:
        notice(f"{printable(str(path))}: not there yet, waiting for it")
    return file


def _show_stream(path: Path, stream: BinaryIO, options: Namespace, screen: _Screen) -> None:
    """Show what a pipe brings: with --follow as it comes, else the last of it."""
    if options.follow:
        for raw in stream:
            screen.show(path, [raw])
    else:
        screen.show(path, deque(stream, maxlen=options.n))


def _follow(files: list[GrowingFile], screen: _Screen) -> None:
    reader = select.poll()  # of our output: without one there is nothing to be done
    with contextlib.suppress(OSError, ValueError):
        output = sys.stdout.fileno()
        if stat.S_ISFIFO(os.fstat(output).st_mode):
            reader.register(output, 0)
    while files and not reader.poll(_LOOK_EVERY):
        for file in files:
            screen.show(file.path, file.fresh())
