"""Records read from files of the event log, rotated and packed ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.audit.events.line import Unreadable, parse_line
from gatewaylog.reader import blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gatewaylog.audit.events.records import AuditEvent
    from gatewaylog.reader import Source


class Records:
    """Reads records; lines that are none are counted in `unread`."""

    def __init__(self) -> None:
        self.unread = 0

    def of(self, sources: Sequence[Source]) -> Iterator[tuple[bytes, AuditEvent]]:
        """Yield lines and their records, newest file and line first."""
        for source in reversed(sources):
            for block in blocks_of(source, newest_first=True):
                yield from self.of_lines(reversed(block.raw.split(b"\n")))

    def of_lines(self, lines: Iterable[bytes]) -> Iterator[tuple[bytes, AuditEvent]]:
        """Yield lines and their records, in the order of the lines."""
        for raw in lines:
            if not raw.strip():
                continue
            try:
                event = parse_line(raw)
            except Unreadable:
                self.unread += 1
            else:
                yield raw, event
