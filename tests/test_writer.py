"""Lines that are numbered, and what could not be written told by the first line that could."""

from __future__ import annotations

import gc
import os
import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.events import IncomingRequest, LogLoss
from gatewaylog.formats import Line, parse_line
from gatewaylog.sinks import MemorySink
from tests.sinks.full_disk import small_file_system

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gatewaylog.sinks import Sink

FORMATS = pytest.mark.parametrize("form", ["wso2", "json", "logfmt"])


class NarrowSink(MemorySink):
    """Keeps lines while there is room for them."""

    name = "narrow"

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, line: bytes) -> str | None:
        if not self.room:
            return "No space left on device"
        self.room -= 1
        return super().write(line)


def lines_of(raws: Iterable[bytes]) -> list[Line]:
    lines = [parse_line(raw.rstrip(b"\n")) for raw in raws]
    assert all(isinstance(line, Line) for line in lines)
    return [line for line in lines if isinstance(line, Line)]


def numbers(sink: MemorySink) -> list[int | None]:
    return [line.seq for line in lines_of(sink.lines)]


def log_of(sink: Sink, form: str = "wso2") -> AccessLog:
    return AccessLog(sink, format=form)


@FORMATS
def test_lines_are_numbered_from_one_by_a_writer_with_a_random_name(form: str) -> None:
    sink = MemorySink()
    logs = [log_of(sink, form) for _ in range(2)]
    for log in (*logs, *logs):
        log.write(IncomingRequest())
    lines = lines_of(sink.lines)
    assert [line.seq for line in lines] == [1, 1, 2, 2]
    assert len({line.writer for line in lines}) == 2
    assert all(len(line.writer or "") == 16 and int(line.writer or "", 16) for line in lines)


def test_a_child_is_a_writer_of_its_own() -> None:
    sink = NarrowSink(1)
    log = log_of(sink)
    log.write(IncomingRequest())
    log.write(IncomingRequest())
    sink.room = 9
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the child's end
        log.write(IncomingRequest())
        os.write(writer, sink.lines[-1] + str(log.lost).encode())
        os._exit(0)
    os.waitpid(child, 0)
    line, lost = os.read(reader, 65536).split(b"\n")
    os.close(reader)
    os.close(writer)
    parent, own = lines_of([sink.lines[0], line])
    assert own.seq == 1
    assert own.writer != parent.writer
    assert (lost, log.lost) == (b"0", 1)


@FORMATS
def test_the_first_line_after_a_loss_tells_of_it(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = NarrowSink(2)
    log = log_of(sink, form)
    assert [log.write(IncomingRequest()) for _ in range(5)] == [True, True, False, False, False]
    assert log.lost == 3
    sink.room = 9
    assert log.write(IncomingRequest(api="after"))
    first, second, told, after = lines_of(sink.lines)
    assert isinstance(told.event, LogLoss)
    assert told.event._replace(message_id=None) == LogLoss(None, 3, 3, 5, "No space left on device")
    assert [line.seq for line in (first, second, told, after)] == [1, 2, 6, 7]
    assert log.lost == 3
    assert capsys.readouterr().err.splitlines() == [
        "gatewaylog: can't write narrow: No space left on device; events are lost until it can",
        "gatewaylog: 3 events were not written to narrow",
    ]


def test_each_run_of_losses_is_told_by_itself() -> None:
    sink = NarrowSink(1)
    log = log_of(sink)
    for room in (0, 2, 0, 2):
        sink.room += room
        log.write(IncomingRequest())
        log.write(IncomingRequest())
    losses = [line.event for line in lines_of(sink.lines) if isinstance(line.event, LogLoss)]
    told = {seq for loss in losses for seq in range(loss.first or 0, (loss.last or 0) + 1)}
    written = set(numbers(sink))
    assert len(told) == sum(loss.lost or 0 for loss in losses)
    assert not told & written
    assert told | written == set(range(1, max(seq or 0 for seq in written) + 1))


def test_a_loss_that_cannot_be_told_yet_uses_up_no_number() -> None:
    sink = NarrowSink(1)
    log = log_of(sink)
    log.write(IncomingRequest())
    log.write(IncomingRequest())
    sink.room = 1
    log.write(IncomingRequest())
    assert numbers(sink) == [1, 3]
    sink.room = 1
    log.look()
    (loss,) = [line.event for line in lines_of(sink.lines[2:])]
    assert isinstance(loss, LogLoss)
    assert (loss.first, loss.last, numbers(sink)[-1]) == (4, 4, 5)


def test_an_idle_log_tells_of_its_loss_as_soon_as_it_can() -> None:
    sink = NarrowSink(0)
    log = log_of(sink)
    log.write(IncomingRequest())
    log.look()
    assert sink.lines == []
    sink.room = 5
    log.look()
    log.look()
    assert numbers(sink) == [2]


def test_the_end_of_a_log_tells_of_its_loss(capsys: pytest.CaptureFixture[str]) -> None:
    sink = NarrowSink(0)
    log = log_of(sink)
    log.write(IncomingRequest())
    sink.room = 1
    log.close()
    assert isinstance(lines_of(sink.lines)[0].event, LogLoss)
    log.write(IncomingRequest())
    capsys.readouterr()
    log.close()
    assert capsys.readouterr().err == "gatewaylog: 1 events were not written to narrow\n"


def test_a_try_that_is_not_the_last_counts_as_nothing() -> None:
    sink = NarrowSink(0)
    log = log_of(sink)
    assert not log.write(IncomingRequest(), final=False)
    assert log.lost == 0
    sink.room = 1
    assert log.write(IncomingRequest(), final=False)
    assert numbers(sink) == [1]


def test_with_the_seeds_fields_a_loss_is_told_without_numbers() -> None:
    sink = NarrowSink(0)
    log = AccessLog(sink, fields="seed")
    log.write(IncomingRequest())
    sink.room = 2
    log.write(IncomingRequest())
    assert b'Event="LOG_LOSS", MessageID="urn:uuid:' in sink.lines[0]
    assert sink.lines[0].endswith(b'", Count="1", Reason="No space left on device"\n')
    assert b"Seq" not in b"".join(sink.lines)


def test_a_finaliser_that_ends_a_call_in_the_middle_of_a_write_writes_behind_it() -> None:
    class Ending(MemorySink):
        def write(self, line: bytes) -> str | None:
            if not self.lines and b"outer" in line:
                assert log.write(IncomingRequest(api="inner"))
            return super().write(line)

    sink = Ending()
    log = log_of(sink)
    log.write(IncomingRequest(api="outer"))
    assert [line.call.api for line in lines_of(sink.lines)] == ["outer", "inner"]
    assert numbers(sink) == [1, 2]
    gc.collect()


def test_several_threads_write_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log")

    def write() -> None:
        for _ in range(500):
            log.write(IncomingRequest())

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = lines_of((tmp_path / "log").read_bytes().splitlines())
    assert [line.seq for line in lines] == list(range(1, 2001))


def test_on_a_full_disk_exactly_what_is_missing_is_told(tmp_path: Path) -> None:
    with small_file_system(tmp_path, 16 * 4096) as folder:
        filling = folder / "filling"
        filling.write_bytes(b"\0" * 13 * 4096)
        log = AccessLog(folder / "log")
        kept = [log.write(IncomingRequest(api=f"number-{n}")) for n in range(100)]
        assert 0 < kept.count(True) < 100
        filling.unlink()
        kept += [log.write(IncomingRequest(api=f"number-{n}")) for n in range(100, 120)]
        log.close()
        raws = (folder / "log").read_bytes().splitlines()
    parsed = [parse_line(raw) for raw in raws]
    lines = [line for line in parsed if isinstance(line, Line)]
    torn = len(parsed) - len(lines)
    assert torn == 1
    losses = [line.event for line in lines if isinstance(line.event, LogLoss)]
    assert [loss.lost for loss in losses] == [kept.count(False)]
    found = {line.call.api for line in lines if not isinstance(line.event, LogLoss)}
    assert found == {f"number-{n}" for n, written in enumerate(kept) if written}
    assert log.lost == kept.count(False)
