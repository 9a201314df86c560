"""Parts of lines that other writers left: no line is lost behind one."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.events import IncomingRequest
from gatewaylog.formats import Line, parse_line
from gatewaylog.sinks import FileSink
from tests.sinks.full_disk import fill, small_file_system

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.formats import Unparsed

FORMATS = pytest.mark.parametrize("form", ["wso2", "json", "logfmt"])


def append(path: Path, text: bytes) -> None:
    """Write as another process does."""
    with path.open("ab", buffering=0) as other:
        other.write(text)


def read(path: Path) -> list[Line | Unparsed]:
    return [parse_line(raw) for raw in path.read_bytes().splitlines()]


def seqs(path: Path) -> list[int | None]:
    return [line.seq for line in read(path) if isinstance(line, Line)]


def test_a_line_that_was_glued_to_a_part_of_another_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    sink.write(b"first\n")
    append(path, b"another's\nto")
    assert sink.write(b"second\n") is None
    assert sink.write(b"third\n") is None
    assert path.read_bytes() == b"first\nanother's\ntosecond\nsecond\nthird\n"


def test_a_line_behind_whole_ones_of_others_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    for _ in range(3):
        append(path, b"another's\n")
        sink.write(b"ours\n")
    assert path.read_bytes() == b"another's\nours\n" * 3


def test_the_first_line_of_a_file_that_another_begins_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    append(path, b"to")
    sink.write(b"ours\n")
    assert path.read_bytes() == b"toours\nours\n"


@FORMATS
@pytest.mark.parametrize("kept", [1, 20, 31, 36, 60, 100, 150, -20, -2])
def test_an_event_behind_a_part_of_another_is_read_once(
    tmp_path: Path, form: str, kept: int
) -> None:
    path, other = tmp_path / "log", tmp_path / "other"
    log = AccessLog(path, format=form)
    log.write(IncomingRequest())
    AccessLog(other, format=form).write(IncomingRequest())
    append(path, other.read_bytes()[:kept])
    log.write(IncomingRequest())
    log.write(IncomingRequest())
    log.close()
    assert seqs(path) == [1, 2, 3]
    assert log.lost == 0


@FORMATS
def test_a_line_whose_line_feed_alone_is_missing_is_not_lost_by_the_next(
    tmp_path: Path, form: str
) -> None:
    path, other = tmp_path / "log", tmp_path / "other"
    log = AccessLog(path, format=form)
    log.write(IncomingRequest())
    AccessLog(other, format=form).write(IncomingRequest())
    append(path, other.read_bytes()[:-1])
    log.write(IncomingRequest())
    log.close()
    lines = read(path)
    assert [isinstance(line, Line) for line in lines] == [True, False, True, True]
    assert parse_line(other.read_bytes().rstrip(b"\n")) in lines
    assert seqs(path) == [1, 1, 2]


def test_the_writer_of_the_part_leaves_no_blank_line_behind_another(tmp_path: Path) -> None:
    with small_file_system(tmp_path, 16 * 4096) as folder:
        path = folder / "log"
        ours, others = FileSink(path), FileSink(path)
        ours.write(b"a" * 3999 + b"\n")
        others.write(b"begin\n")
        filling = fill(folder)
        assert ours.write(b"b" * 999 + b"\n") == "No space left on device"
        filling.unlink()
        assert others.write(b"glued\n") is None
        assert ours.write(b"next\n") is None
        torn = b"b" * (4096 - 4000 - len(b"begin\n"))
        assert path.read_bytes().splitlines()[1:] == [b"begin", torn + b"glued", b"glued", b"next"]
        ours.close()
        others.close()


def test_a_copy_that_finds_no_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    append(path, b"to")
    whole, calls = os.write, iter([True])

    def write(fd: int, line: bytes) -> int:
        if next(calls, False):
            return whole(fd, line)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", write)
    assert sink.write(b"ours\n") == "No space left on device"
    monkeypatch.undo()
    assert sink.write(b"ours\n") is None
    assert path.read_bytes() == b"toours\nours\n"


def test_a_line_written_in_parts_that_others_came_between_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    whole, parts = os.write, iter([4])

    def write(fd: int, line: bytes) -> int:
        if (part := next(parts, None)) is None:
            return whole(fd, line)
        written = whole(fd, line[:part])
        append(path, b"another's\n")
        return written

    monkeypatch.setattr(os, "write", write)
    assert sink.write(b"a whole line\n") is None
    assert sink.write(b"next\n") is None
    assert path.read_bytes() == b"a whanother's\nole line\na whole line\nnext\n"


def test_a_child_that_inherits_the_file_opens_it_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    sink.write(b"parent\n")
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the child's end
        before = os.fstat(sink._fd).st_ino
        sink.write(b"child\n")
        is_own = os.lseek(sink._fd, 0, os.SEEK_CUR) == len(b"parent\nchild\n")
        os._exit(0 if is_own and os.fstat(sink._fd).st_ino == before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert os.lseek(sink._fd, 0, os.SEEK_CUR) == len(b"parent\n")  # the child moved its own alone
    append(path, b"to")
    sink.write(b"parent\n")
    assert path.read_bytes() == b"parent\nchild\ntoparent\nparent\n"


def test_threads_that_share_a_sink_write_each_line_once(tmp_path: Path) -> None:
    path, each = tmp_path / "log", 2_000
    sink = FileSink(path)

    def write(name: int) -> None:
        for number in range(each):
            sink.write(f"{name} {number}\n".encode())

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.read_text().splitlines()) == sorted(
        f"{name} {number}" for name in range(4) for number in range(each)
    )


@pytest.mark.parametrize("told", [0, 3])
def test_a_place_that_another_thread_has_moved_is_no_reason_to_lose_or_double_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: int
) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    sink.write(b"first\n")
    monkeypatch.setattr(os, "lseek", lambda *_: told)
    assert sink.write(b"second\n") is None
    monkeypatch.undo()
    assert sink.write(b"third\n") is None
    assert path.read_bytes() == b"first\nsecond\nthird\n"


def test_a_line_is_written_though_what_is_before_it_can_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: int) -> bytes:
        raise OSError(5, "Input/output error")

    path = tmp_path / "log"
    sink = FileSink(path)
    append(path, b"another's\n")
    monkeypatch.setattr(os, "pread", broken)
    assert sink.write(b"ours\n") is None
    monkeypatch.undo()
    assert path.read_bytes() == b"another's\nours\n"
