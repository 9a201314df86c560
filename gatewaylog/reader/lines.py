"""The lines of logs, parsed when they are asked for, oldest or newest first."""

from __future__ import annotations

from itertools import accumulate, count, repeat
from operator import add
from typing import TYPE_CHECKING

from gatewaylog.formats import Line, Unparsed, parse_line
from gatewaylog.reader.blocks import LONGEST, Block, blocks_of
from gatewaylog.reader.times import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gatewaylog.reader.numbering import Numbered
    from gatewaylog.reader.sources import Source


class Entry:
    """One line and where it stands: in `source`, from the byte `offset` on (of what is unpacked).

    `raw` is the line without its line feed, at most LONGEST bytes of it. No frozen dataclass, as
    one is made for each of millions of lines (benchmarks/reader.py).
    """

    __slots__ = ("_line", "_number", "offset", "raw", "source")

    def __init__(self, source: Numbered, offset: int, raw: bytes, number: int = 0) -> None:
        self.source = source
        self.offset = offset
        self.raw = raw
        self._number = number
        self._line: Line | Unparsed | None = None

    def __repr__(self) -> str:
        return f"Entry({self.source.name!r}, {self.offset}, {self.raw[:40]!r})"

    @property
    def number(self) -> int:
        """The line's number in its source, from 1 on; counted when asked for, if read backwards."""
        if not self._number:
            self._number = self.source.number_at(self.offset)
        return self._number

    @property
    def line(self) -> Line | Unparsed:
        """What the line tells, parsed once."""
        if self._line is None:
            self._line = self._parsed()
        return self._line

    def cut(self) -> Entry:
        """Return this line, or its begin where it is too long to be read."""
        if len(self.raw) <= LONGEST:
            return self
        return _too_long(self.source, self.offset, self.raw[:LONGEST], self._number)

    def _parsed(self) -> Line | Unparsed:
        line = parse_line(clean(self.raw))
        return self._unparsed(line.reason) if isinstance(line, Unparsed) else line

    def _unparsed(self, reason: str) -> Unparsed:
        return Unparsed(number=self.number, raw=self.raw, reason=reason)


class _Unread(Entry):
    """A line that is not even tried: too long, or where compressed data broke off."""

    __slots__ = ("_reason",)

    def __init__(self, source: Numbered, offset: int, raw: bytes, number: int, reason: str) -> None:
        super().__init__(source, offset, raw, number)
        self._reason = reason

    def _parsed(self) -> Unparsed:
        return self._unparsed(self._reason)


def batches(
    source: Source, *, newest_first: bool = False, wanted: Callable[[bytes], bool] | None = None
) -> Iterator[list[Entry]]:
    """Yield a source's lines, many at once, each list in the source's order; `wanted` may refuse
    many at once.

    Where compressed data broke off, a line that can't be read stands last.
    """
    found = blocks_of(source, newest_first=newest_first)
    last = next(found, None)
    if newest_first or last is None:
        yield _damage(source, last)
    while last is not None:
        yield entries_in(last) if wanted is None or wanted(last.raw) else []
        last, before = next(found, None), last
        if last is None and not newest_first:
            yield _damage(source, before)


def _damage(source: Source, last: Block | None) -> list[Entry]:
    if not source.damage:
        return []
    if last is None:
        return [_Unread(source, 0, b"", 1, source.damage)]
    end = last.offset + last.size
    number = last.number + last.raw.count(b"\n") if last.number else source.number_at(end)
    torn = not last.raw.endswith(b"\n")
    return [_Unread(source, end, b"", number + torn, source.damage)]


def entries_in(block: Block) -> list[Entry]:
    """Return a block's lines but the empty ones, which tell nothing (and are numbered too)."""
    if block.is_cut:
        return [_too_long(block.source, block.offset, block.raw, block.number)]
    raws = block.raw.split(b"\n")
    ends = map(add, accumulate(map(len, raws), initial=0), count(block.offset))
    numbers = count(block.number) if block.number else repeat(0)
    entries = list(map(Entry, repeat(block.source), ends, raws, numbers))
    if not raws[-1]:
        entries.pop()
    if b"" in raws[:-1] or b"\r" in raws:
        entries = [entry for entry in entries if entry.raw not in {b"", b"\r"}]
    return entries if len(block.raw) <= LONGEST else [entry.cut() for entry in entries]


def _too_long(source: Numbered, offset: int, raw: bytes, number: int) -> Entry:
    return _Unread(source, offset, raw, number, f"longer than {LONGEST} bytes")
