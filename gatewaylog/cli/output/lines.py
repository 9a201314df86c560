"""Results for programs: JSON, CSV, Parquet, and the log's own lines."""

from __future__ import annotations

import csv
import io
import json
import sys
import tempfile
from itertools import chain
from typing import TYPE_CHECKING

from gatewaylog.cli.output.cells import RAW, plain
from gatewaylog.cli.terminal import printable, put_raw
from gatewaylog.search.values import texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gatewaylog.cli.output.screen import Screen
    from gatewaylog.search import Result
    from gatewaylog.search.values import Record, Value

_IN_MEMORY = 8 * 1024 * 1024  # bytes of events that wait for the last one's columns


def chained(first: Record, rows: Iterator[Record]) -> Iterator[Record]:
    """Put the first record back before the others."""
    return chain((first,), rows)


def shown(result: Result) -> Iterator[Record]:
    """Yield the records with their columns in order; an event without its line."""
    for row in result.rows:
        if result.columns is None:
            yield {name: value for name, value in row.items() if name != RAW}
        else:
            yield {name: row[name] for name in result.columns if name in row}


def records(result: Result) -> Iterator[Record]:
    """Yield the same for programs."""
    return map(plain, shown(result))


def json_of(record: Record) -> str:
    """Return a record as JSON whose every control character is escaped."""
    text = json.dumps(record, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(record)


def _ndjson(result: Result, _screen: Screen) -> None:
    for record in records(result):
        print(json_of(record))


def _json(result: Result, _screen: Screen) -> None:
    before = "[\n"
    for record in records(result):
        print(before, json_of(record), sep="", end="")
        before = ",\n"
    print("[]" if before == "[\n" else "\n]")


def _csv(result: Result, screen: Screen) -> None:
    if result.columns is not None:
        _write_csv(result.columns, records(result), screen)
        return
    columns: dict[str, None] = {}  # of events; they are known only behind the last one
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        for record in records(result):
            columns.update(dict.fromkeys(record))
            spool.write(json.dumps(record).encode() + b"\n")
        spool.seek(0)
        _write_csv(list(columns), map(_read_back, spool), screen)


def _write_csv(columns: Sequence[str], found: Iterable[Record], screen: Screen) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = ([_cell(record.get(name)) for name in columns] for record in found)
    for row in chain([columns], rows):
        writer.writerow([printable(value) for value in row] if screen.terminal else row)
        print(text.getvalue(), end="")
        text.seek(0)
        text.truncate()


def _cell(value: Value | None) -> str:
    return "\n".join(texts_of(value))


def _read_back(line: bytes | str) -> Record:
    found: dict[str, Value | list[str]] = json.loads(line)
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in found.items()
    }


def _parquet(result: Result, _screen: Screen) -> None:
    from gatewaylog.analytics import parquet

    sys.stdout.flush()
    columns = (parquet.TIME,) if result.columns is None else result.columns
    parquet.write(shown(result), sys.stdout.buffer, columns)


def _raw(result: Result, _screen: Screen) -> None:
    for row in result.rows:
        put_raw(str(row.get(RAW, "")).encode("utf-8", "surrogateescape"))


WRITERS: dict[str, Callable[[Result, Screen], None]] = {
    "ndjson": _ndjson,
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
    "raw": _raw,
}
