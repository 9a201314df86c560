"""`gatewaylog convert --to FORMAT [FILE…]`: the same events in another format."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.output.choosing import refuse_parquet
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator
    from typing import BinaryIO

    from gatewaylog.cli.verbs import Parser
    from gatewaylog.formats import Line
    from gatewaylog.reader import Entry

EXAMPLE = """\
  gatewaylog convert --to json logs/ -o all.ndjson
  zcat old.log.gz | gatewaylog convert --to logfmt -

Events come oldest first and whole: no value is cut. Lines that can't be read
are counted, and with --keep-unread copied as they are."""

_FORMATS = ("wso2", "json", "logfmt", "parquet")
_UNBOUNDED = 2**40  # more than any line that is read
_MODE = 0o600  # logs tell of people


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    logs.configure(parser)
    parser.add_argument("--to", choices=_FORMATS, required=True, help="the format to write")
    parser.add_argument("-o", metavar="NEW", help="write to this file, which must not be there yet")
    parser.add_argument(
        "--keep-unread", action="store_true", help="copy the lines that can't be read as they are"
    )


def run(options: Namespace) -> int:
    """Write all events."""
    from gatewaylog.cli.unread import tell_unread
    from gatewaylog.formats import FORMATS, LineOptions
    from gatewaylog.reader import lines_of

    refuse_parquet(options.to, "convert")
    written = FORMATS[options.to](LineOptions(max_value_length=_UNBOUNDED, max_line=_UNBOUNDED))
    unread = 0
    entries = lines_of(logs.sources_of(options, "convert"))
    with _opened(options.o) as output:
        for entry in entries:
            line = _line_of(entry)
            if line is not None:
                output.write(written.write(line))
                continue
            unread += 1
            if options.keep_unread and entry.raw:
                output.write(entry.raw + b"\n")
    tell_unread(
        unread, "copied as they are" if options.keep_unread else "--keep-unread copies them"
    )
    return 0


def _line_of(entry: Entry) -> Line | None:
    from gatewaylog.formats import Unparsed

    return None if isinstance(entry.line, Unparsed) else entry.line


@contextmanager
def _opened(path: str | None) -> Iterator[BinaryIO]:
    """Open what is written to; a file that is there is never touched."""
    if path is None or path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except FileExistsError:
        raise WrongCall(f"convert: {path} is there already: choose a new name") from None
    with os.fdopen(fd, "wb") as file:
        yield file
