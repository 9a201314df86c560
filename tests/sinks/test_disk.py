"""What is brought to the disk, and who waits for it."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.events import IncomingRequest
from gatewaylog.sinks import FileSink
from gatewaylog.sinks.amounts import seconds_of, size_of
from gatewaylog.sinks.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes that were synced, in order."""
    inodes: list[int] = []
    fsync = os.fsync

    def noted(fd: int) -> None:
        inodes.append(os.fstat(fd).st_ino)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    return inodes


def test_a_new_file_is_synced_with_its_folder_once(tmp_path: Path, synced: list[int]) -> None:
    path = tmp_path / "api.log"
    sink = FileSink(path, durable=True)
    assert [sink.sync(), sink.sync()] == [None, None]
    file, folder = path.stat().st_ino, tmp_path.stat().st_ino
    assert synced == [file, folder, file]


def test_a_file_that_was_left_is_synced_still(tmp_path: Path, synced: list[int]) -> None:
    path = tmp_path / "api.log"
    sink = FileSink(path, durable=True)
    sink.write(b"line\n")
    old = path.stat().st_ino
    path.rename(tmp_path / "api.log.1")
    sink.look()
    assert sink.sync() is None
    assert old in synced
    assert path.stat().st_ino in synced
    sink.sync()
    assert synced.count(old) == 1


def test_a_closed_file_was_synced_first(tmp_path: Path, synced: list[int]) -> None:
    path = tmp_path / "api.log"
    FileSink(path, durable=True).close()
    assert path.stat().st_ino in synced
    synced.clear()
    FileSink(path).close()
    assert synced == []


def test_why_a_file_can_not_be_synced_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fd: int) -> None:
        raise OSError(5, "Input/output error")

    sink = FileSink(tmp_path / "api.log")
    monkeypatch.setattr(os, "fsync", broken)
    assert sink.sync() == "Input/output error"


@pytest.mark.parametrize("on_full", ["drop", "refuse"])
def test_a_log_that_can_not_be_brought_to_the_disk_refuses_where_it_shall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_full: str
) -> None:
    def broken(fd: int) -> None:
        raise OSError(5, "Input/output error")

    log = AccessLog(tmp_path / "api.log", durability="disk", on_full=on_full)
    assert log.disk is not None
    log.disk.wait()
    assert not log.is_refusing
    monkeypatch.setattr(os, "fsync", broken)
    log.disk.wait()
    assert log.is_refusing == (on_full == "refuse")
    monkeypatch.undo()
    log.disk.wait()
    assert not log.is_refusing
    log.close()


def test_who_asks_after_the_end_is_answered_at_once(tmp_path: Path) -> None:
    disk = Disk(FileSink(tmp_path / "api.log"))
    disk.stop()
    assert disk.wait() is None


def test_who_waits_at_the_end_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(_: FileSink) -> str | None:
        begun.set()
        go.wait()
        return None

    monkeypatch.setattr(FileSink, "sync", slow)
    disk = Disk(FileSink(tmp_path / "api.log"))
    said: list[str | None] = []
    disk.ask(said.append)
    begun.wait()
    disk.ask(said.append)
    stopping = threading.Thread(target=disk.stop)
    stopping.start()
    go.set()
    stopping.join()
    assert said == [None, None]


def test_an_event_loop_that_has_ended_keeps_nobody_else_from_an_answer(tmp_path: Path) -> None:
    disk = Disk(FileSink(tmp_path / "api.log"))
    loop = asyncio.new_event_loop()
    loop.close()
    disk.ask(lambda _: loop.call_soon_threadsafe(bool))
    assert disk.wait() is None
    disk.stop()


def test_a_child_has_a_thread_of_its_own(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "api.log", durability="disk")
    assert log.disk is not None
    assert log.disk.wait() is None
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the child's end
        try:
            log.write(IncomingRequest())
            os._exit(0 if log.disk.wait() is None else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    log.close()


def test_all_that_was_written_is_synced_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(FileSink, "sync", lambda _: over.set())
    log = AccessLog(tmp_path / "api.log", durability="disk")
    log.write(IncomingRequest())
    assert over.wait(20)
    log.close()


@pytest.mark.parametrize(
    ("text", "size"), [("512", 512), ("10MB", 10_000_000), ("64KiB", 65_536), ("2 gib", 2 << 30)]
)
def test_a_size_is_read_as_people_write_it(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("30m", 1800), ("12h", 43_200), ("90d", 7_776_000)]
)
def test_a_time_is_read_as_people_write_it(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10XB", "-1", "1.5MB", "ten", "9" * 30])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        size_of(text)
    with pytest.raises(ValueError, match="must be"):
        seconds_of(text)
