"""Lines in memory, for tests."""

from __future__ import annotations


class MemorySink:
    """Keeps every line in `lines`."""

    name = "memory"

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> str | None:
        """Keep one line."""
        self.lines.append(line)
        return None

    def reopen(self) -> None:
        """Do nothing: the list stays."""

    def close(self) -> None:
        """Do nothing: the lines stay to be read."""
