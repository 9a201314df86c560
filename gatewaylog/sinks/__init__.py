"""Where lines are kept: bytes in, bytes kept."""

from __future__ import annotations

from typing import Protocol

from gatewaylog.sinks.file import FileSink
from gatewaylog.sinks.memory import MemorySink
from gatewaylog.sinks.stream import StreamSink

__all__ = ["FileSink", "MemorySink", "Sink", "StreamSink"]


class Sink(Protocol):
    """Keeps lines."""

    def write(self, line: bytes) -> str | None:
        """Keep one whole line; return why it can't be kept, None where it is. Never raises."""

    def reopen(self) -> None:
        """Let go of what is open, and open it again by its name."""

    def close(self) -> None:
        """Keep what is left and let go. Safe to call more than once."""
