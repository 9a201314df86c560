"""Whether the lines of each writer are all there, once, and in their order.

A line names its writer and its number among that writer's lines (Writer, Seq). What is missing at
the end of a writer's lines can't be seen here: how many it wrote, an event log may tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gatewaylog.events import LogLoss
from gatewaylog.formats import Unparsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.reader.lines import Entry

What = Literal["missing", "double", "out of order", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Something that is wrong with a log, seen at a line: the line behind a gap, the double itself.

    `first` and `last` are the Seqs that it is about, 0 of a line that can't be read. `reason` is
    why: for a gap what a LOG_LOSS tells of it, empty where none does.
    """

    what: What
    writer: str
    first: int
    last: int
    file: str
    number: int
    reason: str = ""


class Sequences:
    """Takes lines file by file, oldest first; memory grows with writers and gaps alone."""

    def __init__(self) -> None:
        self.lines = 0
        self.unnumbered = 0
        """Lines without Writer and Seq, as those of `fields = "seed"`."""
        self._writers: dict[str, _Writer] = {}
        self._flaws: list[Flaw] = []

    @property
    def writers(self) -> int:
        """How many writers there are."""
        return len(self._writers)

    @property
    def begun_before(self) -> int:
        """Of how many writers the first line is not here: it stood in a file that is gone."""
        return sum(writer.first > 1 for writer in self._writers.values())

    @property
    def ends(self) -> dict[str, int]:
        """The last number of each writer that is here."""
        return {name: writer.last for name, writer in self._writers.items()}

    def add(self, entry: Entry) -> None:
        """Take the next line."""
        line = entry.line
        if isinstance(line, Unparsed):
            self._flaws.append(_flaw("unreadable", "", 0, 0, entry, line.reason))
            return
        if line.writer is None or line.seq is None:
            self.lines += 1
            self.unnumbered += 1
            return
        self.number(line.writer, line.seq, entry)
        if isinstance(line.event, LogLoss):
            self._writers[line.writer].told.append(line.event)

    def number(self, name: str, seq: int, entry: Entry) -> None:
        """Take the next line, a good one that is no LOG_LOSS: whose it is and its number."""
        self.lines += 1
        writer = self._writers.get(name)
        if writer is None:
            self._writers[name] = _Writer(seq)
        elif (what := writer.take(seq, entry)) is not None:
            self._flaws.append(_flaw(what, name, seq, seq, entry))

    def flaws(self) -> Iterator[Flaw]:
        """Yield what is wrong; gaps last, as late lines may have filled them."""
        yield from self._flaws
        for name, writer in self._writers.items():
            for first, last, entry in writer.gaps:
                yield _flaw("missing", name, first, last, entry, writer.reason_of(first, last))


class _Writer:
    """What is known of one writer: the numbers from `first` to `last`, but for the gaps."""

    def __init__(self, seq: int) -> None:
        self.first = self.last = seq
        self.gaps: list[tuple[int, int, Entry]] = []  # and the line behind each
        self.told: list[LogLoss] = []

    def take(self, seq: int, entry: Entry) -> What | None:
        """Take the next line's number; return what is wrong with that line itself."""
        if seq > self.last:
            if seq > self.last + 1:
                self.gaps.append((self.last + 1, seq - 1, entry))
            self.last = seq
            return None
        if seq < self.first:
            if seq < self.first - 1:
                self.gaps.append((seq + 1, self.first - 1, entry))
            self.first = seq
            return "out of order"
        return "out of order" if self._fill(seq) else "double"

    def _fill(self, seq: int) -> bool:
        """Take a number out of the gap that it lies in; say whether it lies in any."""
        for at, (first, last, entry) in enumerate(self.gaps):
            if first <= seq <= last:
                parts = [(first, seq - 1, entry), (seq + 1, last, entry)]
                self.gaps[at : at + 1] = [part for part in parts if part[0] <= part[1]]
                return True
        return False

    def reason_of(self, first: int, last: int) -> str:
        """Return what the log itself tells of a gap; empty where it does not tell of all of it."""
        for loss in self.told:
            if (loss.first or 0) <= first and last <= (loss.last or 0):
                return loss.reason or "not told why"
        return ""


def _flaw(what: What, writer: str, first: int, last: int, entry: Entry, reason: str = "") -> Flaw:
    return Flaw(
        what=what,
        writer=writer,
        first=first,
        last=last,
        file=entry.source.name,
        number=entry.number,
        reason=reason,
    )
