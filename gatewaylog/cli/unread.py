"""Lines that can't be read: counted, and shown where that is asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gatewaylog.cli.terminal import printable
from gatewaylog.formats import Unparsed
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from gatewaylog.reader import Entry

SHOWN_BY_SEARCH = "gatewaylog search '*' --unread shows them"
_LONGEST = 200  # characters that are shown of a line


def described(entry: Entry) -> str:
    """Return where a line stands, why it can't be read, and its begin."""
    line = entry.line
    reason = line.reason if isinstance(line, Unparsed) else "not as the format has it"
    text = entry.raw[: 4 * _LONGEST].decode("utf-8", "surrogateescape")
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return printable(f"{entry.source.name}:{entry.number}: {reason}: {shown}")


class Unread:
    """Counts lines that can't be read; with `shown` shows each on standard error as it is met."""

    def __init__(self, *, shown: bool) -> None:
        self.count = 0
        self._shown = shown

    def take(self, entry: Entry) -> None:
        """Take a line that can't be read."""
        self.count += 1
        if self._shown:
            print(described(entry), file=sys.stderr)

    def tell(self) -> None:
        """Say how many there were, and how to see them."""
        tell_unread(self.count, "" if self._shown else "--unread shows them")


def tell_unread(count: int, how: str = "") -> None:
    """Say how many lines could not be read, if any, and how to see them."""
    if count:
        lines = "1 line" if count == 1 else f"{count} lines"
        notice(f"{lines} not read; {how}" if how else f"{lines} not read")
