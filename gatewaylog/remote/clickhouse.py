"""A plan run over the table of a ClickHouse, by its HTTP interface.

The statement goes by POST without a setting, so that an account whose profile has `readonly = 1`
can run it. Errors that come when rows have been sent already stand between them; each row has a
last cell that tells it from anything else.

https://clickhouse.com/docs/interfaces/http and …/formats/TabSeparated
"""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from gatewaylog.exceptions import RemoteError
from gatewaylog.remote.http import asked
from gatewaylog.search import row_reader
from gatewaylog.search.clickhouse import END, Counts, statement_of
from gatewaylog.search.clickhouse_table import TABLE
from gatewaylog.search.columns import Taken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.remote.http import Answer, Store
    from gatewaylog.search import Plan, Result, Row

_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0"}
_END = END.encode()
_EXCEPTION = re.compile(rb"Code: [0-9]{1,9}\. [^\n]{1,500}")
_SAID = 4096  # bytes of a line that may tell of an error
_FOREIGN = "the answer is not what ClickHouse gives"
_LONGEST = 64 * 1024 * 1024  # bytes of a row, far beyond any line: what is longer is no answer


class ClickHouse:
    """A log in the table `table` at `store`.

    `unread` counts, once a result's rows are drawn, the lines that can't be read.
    """

    def __init__(self, store: Store, table: str = TABLE) -> None:
        self.unread = 0
        self._store = store
        self._table = table

    def result(self, plan: Plan) -> Result:
        """Return what `plan` gives. Raises RemoteError and QueryError, also as rows come."""
        statement = statement_of(plan, self._table)
        if not isinstance(statement, Counts):
            return plan.run(self._rows(plan, statement.sql), prefiltered=True)
        return statement.gathering.result(self._states(statement))

    def _states(self, counts: Counts) -> Iterator[object]:
        yield counts.gathering.state_of(self._takings(counts), matched=counts.matched)

    def _takings(self, counts: Counts) -> Iterator[Taken]:
        timed = bool(counts.gathering.time)
        seconds = counts.gathering.time == "s"
        for cells in self._cells(counts.sql, timed + len(counts.names) + 1):
            try:
                number, tick = int(cells[-1]), int(cells[0]) if timed else 0
            except ValueError:
                raise self._store.failed(_FOREIGN) from None
            texts = zip(counts.names, cells[timed:-1], strict=True)
            fields = {name: _text(cell) for name, cell in texts if cell}
            if number:  # 0 where it is counted without keys and nothing matches
                yield Taken(fields, tick // 1_000_000 if seconds else tick / 1_000_000, number)

    def _rows(self, plan: Plan, sql: str) -> Iterator[Row]:
        read, passes = row_reader(plan.reads), plan.prefilter.passes
        for (raw,) in self._cells(sql, 1):
            row = read(raw) if passes(raw) else None
            if row is not None:
                yield row
            else:
                self.unread += passes(raw)

    def _cells(self, sql: str, width: int) -> Iterator[list[bytes]]:
        """Yield the cells of each row that a statement gives, without the last."""
        with asked(self._store, "POST", "/", body=sql.encode("ascii")) as answer:
            if answer.status != 200:
                raise self._store.failed(answer.refusal())
            if not answer.has_end:
                raise self._store.failed("the answer has no length, so that its end can't be told")
            lines = self._lines(answer)
            for line in lines:
                cells = line.split(b"\t")
                if len(cells) != width + 1 or cells.pop() != _END:
                    raise self._broken(line, lines)
                yield [_unescaped(cell) for cell in cells] if b"\\" in line else cells

    def _lines(self, answer: Answer) -> Iterator[bytes]:
        rest: list[bytes] = []
        for piece in answer.pieces():
            whole, feed, begun = piece.rpartition(b"\n")
            if feed:
                yield from (b"".join(rest) + whole).split(b"\n")
                rest.clear()
            rest.append(begun)
            if sum(map(len, rest)) > _LONGEST:
                raise self._store.failed(_FOREIGN)
        if last := b"".join(rest):
            yield last

    def _broken(self, line: bytes, following: Iterator[bytes]) -> RemoteError:
        """Return the error for a row that is none: ClickHouse's own words where it is one."""
        said = line[-_SAID:]
        # What follows may break off; it is looked at for the message alone.
        with suppress(OSError, RemoteError):
            for other in islice(following, 20):
                said += b"\n" + other[:_SAID]
        found = _EXCEPTION.search(said)
        return self._store.failed(found[0].decode("utf-8", "replace") if found else _FOREIGN)


def _unescaped(cell: bytes) -> bytes:
    if b"\\" not in cell:
        return cell
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), cell)


def _text(cell: bytes) -> str:
    """Return a column's text, encoded as `clickhouse_table` does it, or by somebody else."""
    try:
        return cell.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return cell.decode("utf-8", "surrogateescape")
