"""`gatewaylog tail [QUERY] [FILE…]`: the last events of logs, one readable line each."""

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

from gatewaylog.cli import logs
from gatewaylog.cli.event_lines import EventLines
from gatewaylog.cli.growing import GrowingFile
from gatewaylog.cli.terminal import printable, put_raw, wants_colour
from gatewaylog.cli.verbs import WrongCall
from gatewaylog.cli.wanted import wanted_of
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable
    from typing import BinaryIO

    from gatewaylog.cli.verbs import Parser
    from gatewaylog.cli.wanted import Wanted

EXAMPLE = """\
  gatewaylog tail -n 20 -f logs/api-access.log
  gatewaylog tail -f 'API=*Echo* StatusCode>=400'

A line shows: time; ▸ came in, ✓ complete or ✗ error; the id that links a call's events;
status, duration, client, API, method, URL and the backend's; of an error its code, message
and source. QUERY is the search of `gatewaylog search`, without commands; a word that may be
a file is one. Without FILE: the log of gateway.toml here, else logs/api-access.log or
api-access.log. - is standard input."""

_STANDARD_INPUT = Path("-")
_LOOK_EVERY = 100  # milliseconds


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    logs.configure(parser)
    parser.add_argument("-n", metavar="N", type=_count, default=10, help="show the last N (10)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("--raw", action="store_true", help="show the lines themselves")
    parser.add_argument(
        "--no-colour", "--no-color", action="store_true", help="no colours on a terminal either"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise ArgumentTypeError("must be a whole number, 0 or more")
    return int(text)


def run(options: Namespace) -> int:
    """Show the events; with --follow until Ctrl-C or until the reader of the output leaves."""
    wanted = wanted_of(options)
    paths = list(map(Path, options.file)) or [_usual(options)]
    screen = _Screen(paths, options)
    try:
        with contextlib.ExitStack() as closing:
            files = [_begun(path, options, screen, wanted, closing) for path in paths]
            if options.follow:
                _follow([file for file in files if file is not None], screen, wanted)
    except KeyboardInterrupt:
        if not options.follow:
            raise
    finally:
        if screen.lines.unread:
            notice(f"lines that could not be read: {screen.lines.unread}")
    return 0


def _usual(options: Namespace) -> Path:
    found = logs.configured(options).path or next(filter(os.path.exists, logs.USUAL), "")
    if not found:
        raise WrongCall(f"tail: which FILE? Neither {logs.USUAL[0]} nor {logs.USUAL[1]} is here")
    return Path(found)


class _Screen:
    """Standard output: events, under the name of their file where there are several."""

    def __init__(self, paths: list[Path], options: Namespace) -> None:
        colour = wants_colour(refused=options.no_colour)
        self.lines = EventLines(colour=colour, encoding=sys.stdout.encoding)
        self._several = len(paths) > 1 and not options.raw
        self._raw: bool = options.raw
        self._shown: Path | None = None

    def show(self, path: Path, raws: Iterable[bytes]) -> None:
        """Print the events of these lines of a file."""
        for raw in raws:
            if self._several and path != self._shown:
                self._shown = path
                print(f"==> {printable(str(path))} <==")
            if self._raw:
                put_raw(raw.rstrip(b"\r\n"))
            else:
                print(self.lines.readable(raw))
        sys.stdout.flush()


def _begun(
    path: Path,
    options: Namespace,
    screen: _Screen,
    wanted: Wanted,
    closing: contextlib.ExitStack,
) -> GrowingFile | None:
    """Show a file's last events; return it, to be closed, where it can be followed."""
    if path == _STANDARD_INPUT:
        _show_stream(path, sys.stdin.buffer, options, screen, wanted)
        return None
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with path.open("rb") as stream:
            _show_stream(path, stream, options, screen, wanted)
        return None
    file = closing.enter_context(contextlib.closing(GrowingFile(path)))
    if file.is_open or not options.follow:
        screen.show(path, wanted.last(file, options.n, partial=not options.follow))
    else:
        notice(f"{printable(str(path))}: not there yet, waiting for it")
    return file


def _show_stream(
    path: Path, stream: BinaryIO, options: Namespace, screen: _Screen, wanted: Wanted
) -> None:
    """Show what a pipe brings: with --follow as it comes, else the last of it."""
    if options.follow:
        for raw in wanted.of(stream):
            screen.show(path, [raw])
    else:
        screen.show(path, deque(wanted.of(stream), maxlen=options.n))


def _follow(files: list[GrowingFile], screen: _Screen, wanted: Wanted) -> None:
    reader = select.poll()  # of our output: without one there is nothing to be done
    with contextlib.suppress(OSError, ValueError):
        output = sys.stdout.fileno()
        if stat.S_ISFIFO(os.fstat(output).st_mode):
            reader.register(output, 0)
    while files and not reader.poll(_LOOK_EVERY):
        for file in files:
            screen.show(file.path, wanted.of(file.fresh()))
