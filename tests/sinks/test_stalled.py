"""A reader that has stopped reading: nobody waits for it, and what it misses is told exactly."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import socket
import tty
from typing import TYPE_CHECKING

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.events import IncomingRequest, LogLoss
from gatewaylog.formats import Line, parse_line
from gatewaylog.sinks import StreamSink, room
from tests.pipes import Ends, drained, pipe_ends
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNREAD = "nobody reads it"


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes stay as they are: 64 KiB on Linux."""
    monkeypatch.setattr(room, "_PIPE", 0)


@pytest.fixture
def pipe() -> Iterator[Ends]:
    with pipe_ends() as ends:
        yield ends


def filled(sink: StreamSink, line: bytes) -> int:
    """Write a line until there is no room; return how many were taken."""
    taken = 0
    while sink.write(line) is None:
        taken += 1
    return taken


@pytest.mark.parametrize("length", [100, 700, 9000])
def test_what_has_no_room_is_not_written_and_what_was_begun_is_finished(
    pipe: Ends, length: int
) -> None:
    reader, writer = pipe
    sink, line = StreamSink(writer), b"x" * length + b"\n"
    taken = filled(sink, line)
    assert taken
    assert sink.write(line) == UNREAD
    found = drained(reader)
    assert sink.write(b"next\n") is None
    found += drained(reader)
    assert found == line * taken + b"next\n"


def test_the_rest_of_a_line_is_written_at_a_look_and_at_the_end(pipe: Ends) -> None:
    reader, writer = pipe
    sink, line = StreamSink(writer), b"x" * 9000 + b"\n"
    for end in (sink.look, sink.close):
        taken = filled(sink, line)
        found = drained(reader)
        assert len(found) < taken * len(line)
        end()
        assert found + drained(reader) == line * taken


def test_the_descriptor_that_others_share_goes_on_blocking(pipe: Ends) -> None:
    sink = StreamSink(pipe[1])
    sink.write(b"line\n")
    assert os.get_blocking(pipe[1])


def log_lines(raw: bytes) -> list[Line]:
    lines = [parse_line(one) for one in raw.splitlines()]
    assert all(isinstance(line, Line) for line in lines)
    return [line for line in lines if isinstance(line, Line)]


def test_a_loss_is_told_exactly(pipe: Ends) -> None:
    reader, writer = pipe
    log = AccessLog(StreamSink(writer))
    event = IncomingRequest(request_in_url="/" + "x" * 4000)
    written = 0
    while log.write(event):
        written += 1
    log.write(event)
    found = drained(reader)
    log.look()
    assert log.write(event)
    lines = log_lines(found + drained(reader))
    assert [line.seq for line in lines] == [*range(1, written + 1), written + 3, written + 4]
    loss = lines[-2].event
    assert isinstance(loss, LogLoss)
    assert (loss.lost, loss.first, loss.last) == (2, written + 1, written + 2)
    assert loss.reason == UNREAD
    assert log.lost == 2


def begun(log: AccessLog) -> int:
    """Write until a line is begun that has no room, and one more; return how many were taken."""
    event, written = IncomingRequest(request_in_url="/" + "x" * 4000, user_agent="a" * 4000), 0
    while log.write(event):
        written += 1
    assert log.sink._rest  # type: ignore[attr-defined]
    return written


def test_a_line_that_was_begun_is_lost_with_its_reader(pipe: Ends) -> None:
    reader, writer = pipe
    log = AccessLog(StreamSink(writer))
    begun(log)
    os.close(reader)
    assert log.lost == 1
    log.write(IncomingRequest())
    assert log.lost == 1 + 2


def test_a_line_that_was_begun_and_finds_no_reader_to_the_end_is_lost(
    pipe: Ends, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewaylog.sinks.stream._FAREWELL", 0.05)
    log = AccessLog(StreamSink(pipe[1]))
    begun(log)
    log.close()
    assert log.lost == 2
    assert "2 events were not written to standard output" in capsys.readouterr().err


def forked(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the child's end
        try:
            work()
        finally:
            os._exit(0)
    return child


def test_no_other_process_writes_into_a_line_that_was_begun(pipe: Ends) -> None:
    reader, writer = pipe
    sink, line = StreamSink(writer), b"x" * 9000 + b"\n"
    told, tells = os.pipe()
    waits, never = os.pipe()
    child = forked(lambda: (filled(sink, line), os.write(tells, b"1"), os.read(waits, 1)))
    try:
        assert os.read(told, 1)
        assert drained(reader)
        assert sink.write(b"ours\n") == UNREAD
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for fd in (told, tells, waits, never):
            os.close(fd)
    assert sink.write(b"ours\n") is None
    assert drained(reader) == b"\nours\n"


def test_a_socket_that_nobody_reads_is_not_waited_for() -> None:
    reader, writer = socket.socketpair()
    with reader, writer:
        sink = StreamSink(writer.fileno())
        taken = filled(sink, b"x" * 999 + b"\n")
        found = drained(reader.fileno())
        assert sink.write(b"next\n") is None
        assert found + drained(reader.fileno()) == (b"x" * 999 + b"\n") * taken + b"next\n"
        assert writer.getblocking()
        sink.close()


def test_a_pipe_that_can_not_be_opened_anew_is_asked_for_room(
    pipe: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    whole = os.open

    def refused(path: str, *arguments: int) -> int:
        if path.startswith("/proc/self/fd/"):
            raise PermissionError
        return whole(path, *arguments)

    monkeypatch.setattr(os, "open", refused)
    sink, line = StreamSink(writer), b"x" * 9000 + b"\n"
    taken = filled(sink, line)
    found = drained(reader)
    sink.look()
    assert found + drained(reader) == line * taken


def test_a_terminal_that_is_stopped_is_not_waited_for() -> None:
    controller, terminal = pty.openpty()
    try:
        tty.setraw(terminal)
        sink = StreamSink(terminal)
        taken = filled(sink, b"x" * 99 + b"\n")
        assert taken
        found = drained(controller)
        sink.look()
        found += wait_for(lambda: drained(controller) if sink._rest == b"" else b"-")
        assert found.replace(b"-", b"").startswith((b"x" * 99 + b"\n") * (taken - 1))
        sink.close()
    finally:
        os.close(controller)
        os.close(terminal)


def test_a_file_keeps_the_place_that_it_shares(tmp_path: object) -> None:
    path = f"{tmp_path}/out"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"shell's\n")
    sink = StreamSink(fd)
    sink.write(b"ours\n")
    os.write(fd, b"shell's\n")
    os.close(fd)
    with open(path, "rb") as file:  # noqa: PTH123
        assert file.read() == b"shell's\nours\nshell's\n"


@pytest.mark.skipif(not hasattr(fcntl, "F_GETPIPE_SZ"), reason="NOT TESTED: Linux alone tells")
def test_a_pipe_is_widened(pipe: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_PIPE", 256 * 1024)
    StreamSink(pipe[1]).write(b"line\n")
    assert fcntl.fcntl(pipe[1], fcntl.F_GETPIPE_SZ) == 256 * 1024
