"""`gatewaylog convert --to FORMAT [FILE…]`: the same events in another format."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.output.choosing import check_parquet, refuse_parquet
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from gatewaylog.cli.verbs import Parser
    from gatewaylog.formats import Line
    from gatewaylog.reader import Entry

EXAMPLE = """\
  gatewaylog convert --to json logs/ -o all.ndjson
  zcat old.log.gz | gatewaylog convert --to logfmt -
  gatewaylog convert --to clickhouse logs/ | clickhouse-client --query \\
      'INSERT INTO gatewaylog.events FORMAT JSONEachRow'

  gatewaylog convert --to parquet logs/ -o all.parquet

Events come oldest first and whole: no value is cut. Lines that can't be read
are counted, and with --keep-unread copied as they are; Parquet has them anyhow,
as rows with nothing but _raw."""

_FORMATS = ("wso2", "json", "logfmt", "parquet", "clickhouse")
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
    from gatewaylog.reader import lines_of

    if options.to == "parquet":
        return _to_parquet(options)
    if options.to == "clickhouse" and options.keep_unread:
        raise WrongCall("convert: --keep-unread is not for --to clickhouse: they are no records")
    written_of = _writer(options.to)
    unread = 0
    entries = lines_of(logs.sources_of(options, "convert"))
    with _opened(options.o) as output:
        for entry in entries:
            line = _line_of(entry)
            written = None if line is None else written_of(entry, line)
            if written is not None:
                output.write(written)
                continue
            unread += 1
            if options.keep_unread and entry.raw:
                output.write(entry.raw + b"\n")
    tell_unread(
        unread, "copied as they are" if options.keep_unread else "--keep-unread copies them"
    )
    return 0


def _to_parquet(options: Namespace) -> int:
    from gatewaylog.cli.parquet_records import COLUMNS, Records
    from gatewaylog.cli.unread import tell_unread
    from gatewaylog.reader import lines_of

    if options.o in {None, "-"}:
        refuse_parquet("parquet", "convert")
    check_parquet("convert")
    from gatewaylog.analytics import parquet

    records = Records(lines_of(logs.sources_of(options, "convert")))
    with _opened(options.o) as output:
        parquet.write(records, output, COLUMNS)
    tell_unread(records.unread, "they have _raw alone")
    return 0


def _writer(name: str) -> Callable[[Entry, Line], bytes | None]:
    """Return what writes a line that was read; None where it can't be written so."""
    if name == "clickhouse":
        from gatewaylog.cli.clickhouse_records import Records

        return Records().of
    from gatewaylog.formats import FORMATS, LineOptions

    form = FORMATS[name](LineOptions(max_value_length=_UNBOUNDED, max_line=_UNBOUNDED))
    return lambda _entry, line: form.write(line)


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
