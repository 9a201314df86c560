"""Lines in memory."""

from __future__ import annotations

from gatewaylog.sinks import MemorySink


def test_every_line_is_kept_and_stays_after_the_end() -> None:
    sink = MemorySink()
    assert sink.write(b"one\n") is None
    sink.reopen()
    sink.write(b"two\n")
    sink.close()
    assert sink.lines == [b"one\n", b"two\n"]
