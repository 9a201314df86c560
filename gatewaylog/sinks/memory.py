"""Lines in memory, for tests."""

from __future__ import annotations


class MemorySink:
    """Keeps every line in `lines`."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.lost = 0

    def write(self, line: bytes) -> None:
        """Keep one line."""
        self.lines.append(line)

    def reopen(self) -> None:
        """Do nothing: the list stays."""

    def close(self) -> None:
        """Do nothing: the lines stay to be read."""
