"""The event log's file: whole lines, in order, from several processes; losses told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.events import AuditEvent, EventLog, GatewayEvent, message_id_of, session_of
from gatewaylog.audit.events.line import parse_line
from gatewaylog.clock import SYSTEM_CLOCK
from gatewaylog.exceptions import LogError
from gatewaylog.sinks import MemorySink

if TYPE_CHECKING:
    from pathlib import Path


class FullSink(MemorySink):
    """Takes nothing while `full`."""

    full = False

    def write(self, line: bytes) -> str | None:
        return "No space left on device" if self.full else super().write(line)


def read(lines: list[bytes]) -> list[AuditEvent]:
    return [parse_line(line) for line in lines]


def test_records_stand_in_the_file_in_order(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "event.log", authority="idp")
    assert all(log.record(AuditEvent(event="E", user=str(n))) for n in range(5))
    assert log.record(AuditEvent(event="E", user="5", authority="other"))
    log.close()
    events = read((tmp_path / "event.log").read_bytes().splitlines())
    assert [event.user for event in events] == ["0", "1", "2", "3", "4", "5"]
    assert {event.authority for event in events} == {"idp", "other"}


def test_processes_share_a_file(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "event.log")
    children = []
    for child in range(4):
        pid = os.fork()
        if not pid:
            done = all(log.record(AuditEvent(event="E", user=f"{child}")) for _ in range(200))
            os._exit(not done)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    log.close()
    assert len(read((tmp_path / "event.log").read_bytes().splitlines())) == 800


def test_what_could_not_be_written_is_told_when_there_is_room(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sink = FullSink()
    log = EventLog(sink)
    sink.full = True
    assert not log.record(AuditEvent(event="E", user="gone"))
    assert not log.record(AuditEvent(event="E", user="gone"))
    sink.full = False
    assert log.record(AuditEvent(event="E", user="ann"))
    told, event = read(sink.lines)
    assert (log.lost, event.user, told.event) == (2, "ann", GatewayEvent.LOG_LOST)
    assert told.detail == "2 records were not written to this log: No space left on device"
    assert capsys.readouterr().err.splitlines() == [
        "gatewaylog: can't write the event log: No space left on device;"
        " records are lost until it can",
        "gatewaylog: 2 records were not written to the event log",
    ]


def test_a_loss_is_told_by_a_look_and_at_the_end() -> None:
    for tell in (EventLog.look, EventLog.close):
        sink = FullSink()
        log = EventLog(sink)
        sink.full = True
        log.record(AuditEvent(event="E"))
        sink.full = False
        tell(log)
        assert [event.event for event in read(sink.lines)] == ["LOG_LOST"]


def test_a_renamed_file_is_left(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "event.log")
    log.record(AuditEvent(event="E", user="old"))
    (tmp_path / "event.log").rename(tmp_path / "event.log.1")
    log.reopen()
    log.record(AuditEvent(event="E", user="new"))
    log.close()
    (event,) = read((tmp_path / "event.log").read_bytes().splitlines())
    assert event.user == "new"


def test_a_file_is_rotated_by_size(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "event.log", max_size="100KB")
    for _ in range(3000):
        assert log.record(AuditEvent(event="E", detail="x" * 50))
    log.close()
    files = list(tmp_path.iterdir())
    assert len(files) > 2
    assert sum(len(file.read_bytes().splitlines()) for file in files) == 3000


def test_a_record_can_be_on_the_disk_when_it_is_recorded(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "event.log", durability="disk")
    assert log.record(AuditEvent(event="E"))
    log._sink._fd = -1  # type: ignore[attr-defined]  # as where the disk is gone
    assert not log.record(AuditEvent(event="E"))


def test_long_values_are_cut() -> None:
    sink = MemorySink()
    EventLog(sink, format="json").record(AuditEvent(event="E", detail="x" * 5000))
    (event,) = read(sink.lines)
    assert event.detail == "x" * 4095 + "…"


def test_records_are_copied_whether_or_not_the_file_takes_them() -> None:
    class Kept(list[AuditEvent]):
        closed = False

        def put(self, event: AuditEvent) -> None:
            self.append(event)

        def close(self) -> None:
            self.closed = True

    kept, sink = Kept(), FullSink()
    sink.full = True
    log = EventLog(sink, table=kept)
    log.record(AuditEvent(event="E", user="ann"))
    sink.full = False
    log.close()
    assert [event.user for event in kept] == ["ann"]
    assert kept[0].at is not None
    assert kept.closed


@pytest.mark.parametrize(
    "wrong", [{"format": "xml"}, {"durability": "tape"}, {"rotate": "often"}, {"max_size": "much"}]
)
def test_an_option_that_can_not_be_is_refused(wrong: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="|".join(wrong)):
        EventLog(tmp_path / "event.log", **wrong)  # type: ignore[arg-type]


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError):
        EventLog(tmp_path)


def test_standard_output_takes_records(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    EventLog("-").record(AuditEvent(event="E", user="ann"))
    assert b"ann" in capfdbinary.readouterr().out


def test_a_message_id_is_a_session_id_of_22_characters_and_back() -> None:
    message_id = SYSTEM_CLOCK.new_id()
    session = session_of(message_id)
    assert len(session) == 22
    assert message_id_of(session) == message_id
    assert session_of("mine") == "mine"
    assert message_id_of("mine") is None
    assert message_id_of("!" * 22) is None
