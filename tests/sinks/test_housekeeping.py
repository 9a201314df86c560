"""What happens to a log's files though nobody writes."""

from __future__ import annotations

import gc
import gzip
import os
import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.events import IncomingRequest
from gatewaylog.sinks import FileSink, MemorySink, housekeeping
from gatewaylog.sinks.rotation import rotate, rotated_from
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(housekeeping, "_EVERY", 0.01)
    yield
    gc.collect()
    wait_for(lambda: not keepers())


def keepers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "gatewaylog"]


def names(path: Path) -> list[str]:
    return [file.name for _, file in rotated_from(path)]


def test_an_idle_writer_leaves_a_rotated_file_which_is_packed_then(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    log = AccessLog(path, compress="gz")
    log.write(IncomingRequest())
    line = path.read_bytes()
    rotated = rotate(path)
    assert rotated is not None
    packed = rotated.with_name(f"{rotated.name}.gz")
    wait_for(lambda: packed.exists() and not rotated.exists())
    assert gzip.decompress(packed.read_bytes()) == line
    log.close()


def test_an_idle_log_is_rotated_when_its_time_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "api.log"
    log = AccessLog(path, rotate="daily")
    log.write(IncomingRequest())
    tomorrow = path.stat().st_mtime + 86_400
    monkeypatch.setattr("time.time", lambda: tomorrow)
    wait_for(lambda: names(path))
    log.close()


def test_too_many_and_too_old_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_TIDY_EVERY", 0.01)
    path = tmp_path / "api.log"
    old = tmp_path / "api.log.2020-11-21T10-22-33-123456"
    old.write_bytes(b"line\n")
    log = AccessLog(path, keep="90d", backups=1)
    wait_for(lambda: not old.exists())
    for _ in range(3):
        log.write(IncomingRequest())
        rotate(path)
        log.reopen()
    wait_for(lambda: len(names(path)) == 1)
    log.close()


def test_a_child_looks_too(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    log = AccessLog(path, compress="gz")
    log.write(IncomingRequest())
    before = log.sink
    assert isinstance(before, FileSink)
    inode = before.identity
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the child's end
        try:
            wait_for(lambda: before.identity != inode)
            os._exit(0)
        finally:
            os._exit(1)
    rotate(path)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    log.close()


def test_a_child_of_a_closed_log_has_no_thread(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "api.log", compress="gz")
    log.close()
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the child's end
        os._exit(len(keepers()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_log_that_nobody_holds_any_more_has_no_thread(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "api.log", compress="gz")
    assert len(keepers()) == 1
    del log
    gc.collect()
    wait_for(lambda: not keepers())


def test_a_log_without_these_options_has_no_thread(tmp_path: Path) -> None:
    AccessLog(tmp_path / "api.log")
    assert keepers() == []


def test_what_is_being_packed_at_the_end_is_left_for_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "api.log"
    packing, go = threading.Event(), threading.Event()
    pause = housekeeping.Housekeeper._pause

    def slowly(self: housekeeping.Housekeeper) -> None:
        packing.set()
        go.wait()
        pause(self)

    monkeypatch.setattr(housekeeping.Housekeeper, "_pause", slowly)
    file = tmp_path / "api.log.2026-11-21T10-22-33-123456"
    file.write_bytes(os.urandom(1_000_000))
    log = AccessLog(path, compress="gz")
    packing.wait()
    closing = threading.Thread(target=log.close)
    closing.start()
    wait_for(log._housekeeper._stopped.is_set if log._housekeeper else list)
    go.set()
    closing.join()
    assert names(path) == [file.name]
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(
        [".api.log.lock", "api.log", file.name]
    )


def test_a_long_packing_keeps_nobody_from_leaving_a_rotated_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "api.log"
    looked: list[bool] = []
    monkeypatch.setattr(AccessLog, "look", lambda _: looked.append(True))
    monkeypatch.setattr(housekeeping, "_EVERY", 1e-9)
    (tmp_path / "api.log.2026-11-21T10-22-33-123456").write_bytes(os.urandom(2_000_000))
    log = AccessLog(path, compress="gz")
    wait_for(lambda: names(path) == ["api.log.2026-11-21T10-22-33-123456.gz"])
    assert len(looked) >= 8
    log.close()


def test_a_folder_that_cannot_be_written_to_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(housekeeping, "_TIDY_EVERY", 0.0)
    (tmp_path / ".api.log.lock").mkdir()
    looked: list[bool] = []
    monkeypatch.setattr(AccessLog, "look", lambda _: looked.append(True))
    log = AccessLog(tmp_path / "api.log", compress="gz")
    wait_for(lambda: len(looked) > 5)
    log.close()
    told = f"gatewaylog: can't keep house beside {tmp_path / 'api.log'}: Is a directory\n"
    assert capsys.readouterr().err == told


def test_a_log_that_is_no_file_takes_none_of_these_options() -> None:
    for log in ("-", MemorySink()):
        with pytest.raises(ValueError, match="need a log that is a file"):
            AccessLog(log, max_size="10MB")
