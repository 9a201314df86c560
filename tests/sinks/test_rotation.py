"""A log's file is renamed when it is due, by exactly one process, and nobody's line is lost."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import LogError
from gatewaylog.reader.names import name_of
from gatewaylog.sinks import FileSink, file
from gatewaylog.sinks.rotation import Rotation, rotate, rotated_from

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE = b"x" * 999 + b"\n"


@pytest.fixture
def looks_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write looks whether the file was renamed, not one in half a second."""
    monkeypatch.setattr(file, "_LOOK_EVERY", -1.0)


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def rotated(path: Path) -> list[Path]:
    return [found for _, found in rotated_from(path)]


def test_a_file_that_has_its_size_is_renamed_and_followed_by_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    sink = FileSink(path, rotation=Rotation(max_size=100_000))
    for _ in range(350):
        assert sink.write(LINE) is None
    parts = [part.read_bytes() for part in (*rotated(path), path)]
    assert len(parts) == 4
    assert all(100_000 <= len(part) <= 120_000 for part in parts[:-1])
    assert b"".join(parts) == LINE * 350


def test_without_a_limit_nothing_is_renamed(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    sink = FileSink(path, rotation=Rotation())
    for _ in range(350):
        sink.write(LINE)
    sink.look()
    assert rotated(path) == []


def test_a_file_that_was_too_big_before_is_renamed_at_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_bytes(b"old\n")
    sink = FileSink(path, rotation=Rotation(max_size=4))
    sink.write(b"first\n")
    sink.look()
    sink.write(b"new\n")
    assert [found.read_bytes() for found in rotated(path)] == [b"old\n", b"first\n"]
    assert path.read_bytes() == b"new\n"


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("every", "before", "same", "after"),
    [
        ("hourly", "2026-11-21T10:59:59", "2026-11-21T10:00:00", "2026-11-21T11:00:00"),
        ("daily", "2026-11-21T23:59:59", "2026-11-21T00:00:00", "2026-11-22T00:00:00"),
        ("weekly", "2026-11-22T23:59:59", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),
        ("monthly", "2026-11-30T23:59:59", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
    ],
)
def test_a_file_of_a_period_that_is_over_is_renamed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    every: str,
    before: str,
    same: str,
    after: str,
) -> None:
    def now(text: str) -> None:
        seconds = time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))
        monkeypatch.setattr(time, "time", lambda: seconds)

    path = tmp_path / "api.log"
    now(before)
    sink = FileSink(path, rotation=Rotation(every=every))
    now(after)
    sink.look()
    assert rotated(path) == []  # it is empty
    sink.write(b"one\n")
    now(same)
    sink.look()
    assert len(rotated(path)) == 1  # a clock set back is another period too
    sink.write(b"two\n")
    now(before)
    sink.look()
    assert len(rotated(path)) == 1
    now(after)
    sink.look()
    assert [found.read_bytes() for found in rotated(path)] == [b"one\n", b"two\n"]


@pytest.mark.usefixtures("utc")
def test_a_file_of_yesterday_is_renamed_when_a_program_starts_today(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_bytes(b"yesterday's\n")
    os.utime(path, (time.time() - 86400,) * 2)
    sink = FileSink(path, rotation=Rotation(every="daily"))
    sink.look()
    sink.write(b"today's\n")
    assert [found.read_bytes() for found in (*rotated(path), path)] == [
        b"yesterday's\n",
        b"today's\n",
    ]


def test_the_name_of_a_rotated_file_is_one_that_readers_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / "api-access.log"
    made = []
    for number in range(20):
        path.write_bytes(b"%d\n" % number)
        made.append(rotate(path))
    names = [name_of(one.name) for one in made if one]
    assert len(set(names)) == 20
    assert {name.family for name in names} == {"api-access.log"}
    assert sorted(names, key=lambda name: name.place) == names
    assert not any(name.is_live for name in names)
    assert rotated(path) == made


def test_only_the_file_that_was_seen_is_renamed(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_bytes(b"line\n")
    assert rotate(path, (0, 0)) is None
    status = path.stat()
    assert rotate(path, (status.st_dev, status.st_ino)) is not None
    assert rotate(path) is None  # it is gone
    path.touch()
    assert rotate(path) is None  # it is empty


def test_while_another_process_rotates_the_file_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    sink = FileSink(path, rotation=Rotation(max_size=1))
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    for _ in range(5):
        assert sink.write(LINE) is None
        sink.look()
    assert rotated(path) == []
    os.close(folder)
    sink.look()
    assert [found.read_bytes() for found in rotated(path)] == [LINE * 5]


def test_other_files_are_not_taken_for_rotated_ones(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    stamp = "2026-11-21T10-22-33-123456"
    for name in (
        "api.log",
        "api.log.1",
        f"api.log.{stamp}.bak",
        f"other.log.{stamp}",
        f".api.log.{stamp}",
        f"api.log.{stamp}-1",
        "api.log.2026-11-21",
    ):
        (tmp_path / name).touch()
    (tmp_path / f"api.log.{stamp[:-1]}7").mkdir()
    (tmp_path / f"api.log.{stamp[:-1]}8").symlink_to(path)
    good = [tmp_path / f"api.log.{stamp}", tmp_path / f"api.log.{stamp[:-1]}9.gz"]
    for one in good:
        one.touch()
    assert rotated(path) == good


def test_who_writes_holds_a_shared_lock_as_long_as_the_file_is_open(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    first, second = FileSink(path), FileSink(path)

    def is_free(which: Path) -> bool:
        with which.open("rb") as asking:
            try:
                fcntl.flock(asking, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    assert not is_free(path)
    path.rename(tmp_path / "api.log.1")
    first.look()
    assert not is_free(tmp_path / "api.log.1")
    second.look()
    assert is_free(tmp_path / "api.log.1")
    assert not is_free(path)
    first.close()
    second.close()
    assert is_free(path)


@pytest.mark.parametrize("is_held", [True, False])
def test_a_file_that_was_rotated_just_as_it_was_opened_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_held: bool
) -> None:
    """The packer may hold it already, or will in a moment."""
    path = tmp_path / "api.log"
    path.write_bytes(b"old\n")
    real = os.open
    packer: list[int] = []

    def opening(target: Path, *options: int) -> int:
        fd = real(target, *options)
        if target == path and not packer:
            path.rename(tmp_path / "api.log.1")
            packer.append(real(tmp_path / "api.log.1", os.O_RDONLY))
            if is_held:
                fcntl.flock(packer[0], fcntl.LOCK_EX)
        return fd

    monkeypatch.setattr(os, "open", opening)
    sink = FileSink(path)
    sink.write(b"new\n")
    assert (tmp_path / "api.log.1").read_bytes() == b"old\n"
    assert path.read_bytes() == b"new\n"
    os.close(packer[0])


def test_a_log_that_another_program_locks_for_good_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    with path.open("wb") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        with pytest.raises(LogError, match="is locked by another program"):
            FileSink(path)


def test_a_file_system_without_locks_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(fd: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert FileSink(tmp_path / "api.log").write(LINE) is None


def test_a_lock_that_fails_otherwise_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fd: int, operation: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(LogError, match="can't be locked: Input/output error"):
        FileSink(tmp_path / "api.log")
