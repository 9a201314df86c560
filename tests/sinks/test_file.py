"""The log file: whose it is, that no line is torn, and what happens when it can't be written."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import LogError
from gatewaylog.sinks import FileSink, file
from tests.sinks.full_disk import small_file_system

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PAGE = 4096


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def looks_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write looks whether the file was renamed, not one in half a second."""
    monkeypatch.setattr(file, "_LOOK_EVERY", -1.0)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    sink = FileSink(path)
    with path.open("ab") as another:
        another.write(b"another's\n")
    assert sink.write(b"ours\n") is None
    assert path.read_bytes() == b"before\nanother's\nours\n"


@pytest.mark.usefixtures("open_umask")
def test_the_file_is_made_0640_and_every_missing_folder_0750(tmp_path: Path) -> None:
    path = tmp_path / "one" / "two" / "log"
    FileSink(path)
    assert mode(path) == 0o640
    assert mode(tmp_path / "one" / "two") == 0o750
    assert mode(tmp_path / "one") == 0o750


def test_the_file_is_not_inherited_by_programs(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "log")
    sink.reopen()
    assert not os.get_inheritable(sink._fd)


def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sink = FileSink("log")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    sink.reopen()
    sink.write(b"line\n")
    assert (tmp_path / "log").read_bytes() == b"line\n"


def _link(path: Path) -> None:
    path.symlink_to(path.parent / "target")


def _foreign(path: Path) -> None:
    path.touch()
    os.chown(path, 65534, 65534)


def _in_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_link, "is a symbolic link"),
        (os.mkfifo, "is no regular file"),
        (os.mkdir, "can't be opened: Is a directory"),
        (_in_a_file, "can't be opened"),
        pytest.param(
            _foreign,
            "belongs to another user (uid 65534)",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can chown"),
        ),
    ],
)
def test_what_is_no_file_of_ours_is_refused(
    tmp_path: Path, make: Callable[[Path], None], told: str
) -> None:
    path = tmp_path / "folder" / "log"
    path.parent.mkdir()
    make(path)
    with pytest.raises(LogError, match=re.escape(told)):
        FileSink(path)
    assert not (tmp_path / "folder" / "target").exists()


@pytest.mark.usefixtures("looks_always")
def test_a_renamed_file_is_followed_by_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    sink.write(b"first\n")
    path.rename(tmp_path / "log.1")
    sink.write(b"second\n")
    sink.write(b"third\n")
    assert (tmp_path / "log.1").read_bytes() == b"first\n"
    assert path.read_bytes() == b"second\nthird\n"


@pytest.mark.usefixtures("looks_always")
def test_a_file_that_another_process_has_made_anew_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    path.rename(tmp_path / "log.1")
    path.write_bytes(b"another's\n")
    sink.write(b"ours\n")
    assert path.read_bytes() == b"another's\nours\n"


@pytest.mark.usefixtures("looks_always")
def test_a_removed_file_and_its_folder_are_made_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "log"
    sink = FileSink(path)
    path.unlink()
    path.parent.rmdir()
    sink.write(b"line\n")
    assert path.read_bytes() == b"line\n"


@pytest.mark.usefixtures("looks_always")
def test_the_open_file_takes_the_lines_while_its_name_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    path.rename(tmp_path / "log.1")
    path.symlink_to(tmp_path / "target")
    assert sink.write(b"line\n") is None
    assert (tmp_path / "log.1").read_bytes() == b"line\n"
    assert not (tmp_path / "target").exists()


def test_between_two_looks_the_file_system_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "_LOOK_EVERY", 3600.0)
    path = tmp_path / "log"
    sink = FileSink(path)
    path.rename(tmp_path / "log.1")
    sink.write(b"line\n")
    assert (tmp_path / "log.1").read_bytes() == b"line\n"
    sink.reopen()
    sink.write(b"next\n")
    assert path.read_bytes() == b"next\n"


def test_opening_again_what_is_not_ours_tells_so_and_keeps_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    path.rename(tmp_path / "log.1")
    path.mkdir()
    with pytest.raises(LogError):
        sink.reopen()
    sink.write(b"line\n")
    assert (tmp_path / "log.1").read_bytes() == b"line\n"


@pytest.mark.usefixtures("looks_always")
def test_a_closed_sink_says_so_until_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    sink.close()
    path.rename(tmp_path / "log.1")
    assert sink.write(b"late\n") == "Bad file descriptor"
    sink.close()
    assert not path.exists()
    sink.reopen()
    assert sink.write(b"again\n") is None
    assert path.read_bytes() == b"again\n"


WRITER = """
import sys
from gatewaylog.sinks import FileSink
sink = FileSink(sys.argv[1])
filling = "x" * 480
for number in range(int(sys.argv[3])):
    assert sink.write(f"{sys.argv[2]} {number} {filling}\\n".encode()) is None
print("done")
"""


def test_no_line_of_eight_processes_is_torn_or_lost(tmp_path: Path) -> None:
    path, each = tmp_path / "log", 20_000
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(name), str(each)],
            stdout=subprocess.PIPE,
        )
        for name in range(8)
    ]
    assert [writer.communicate(timeout=300)[0] for writer in writers] == [b"done\n"] * 8
    following = dict.fromkeys(range(8), 0)
    with path.open("rb") as lines:
        for line in lines:
            name, number, filling = line.split(b" ")
            assert filling == b"x" * 480 + b"\n"
            assert int(number) == following[int(name)]
            following[int(name)] += 1
    assert following == dict.fromkeys(range(8), each)


@pytest.mark.usefixtures("looks_always")
def test_no_line_of_several_threads_is_torn_or_lost_while_the_file_is_renamed(
    tmp_path: Path,
) -> None:
    path, each = tmp_path / "log", 2_000
    sink = FileSink(path)

    def write(name: int) -> None:
        for number in range(each):
            assert sink.write(f"{name} {number} {'x' * 300}\n".encode()) is None

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for rotation in range(20):
        if path.exists():
            path.rename(tmp_path / f"log.{rotation}")
    for thread in threads:
        thread.join()
    lines = b"".join(part.read_bytes() for part in tmp_path.iterdir()).splitlines()
    assert {line[-300:] for line in lines} == {b"x" * 300}
    assert sorted(line[:-301] for line in lines) == sorted(
        f"{name} {number}".encode() for name in range(4) for number in range(each)
    )


LIMITED = """
import resource, sys
from gatewaylog.sinks import FileSink
sink = FileSink(sys.argv[1])
print(sink.write(b"a" * 99 + b"\\n"))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
print(sink.write(b"b" * 99 + b"\\n"))
print(sink.write(b"c" * 99 + b"\\n"))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(sink.write(b"d" * 99 + b"\\n"))
print(sink.write(b"e" * 99 + b"\\n"))
"""


def test_a_part_of_a_line_is_ended_before_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    done = run(LIMITED, path, 150)
    assert path.read_bytes().splitlines() == [b"a" * 99, b"b" * 50, b"d" * 99, b"e" * 99]
    assert done.stdout == "None\nFile too large\nFile too large\nNone\nNone\n"


def test_a_line_that_lacks_its_line_feed_alone_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    done = run(LIMITED, path, 199)
    assert path.read_bytes().splitlines() == [b"a" * 99, b"b" * 99, b"d" * 99, b"e" * 99]
    assert done.stdout == "None\nNone\nFile too large\nNone\nNone\n"


def test_a_part_of_a_line_is_ended_when_the_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "log"
    before, after = LIMITED.split('print(sink.write(b"d"')
    for leaving in ("sink.reopen()", "sink.close()\nsink.reopen()"):
        run(f'{before}{leaving}\nprint(sink.write(b"d"{after}', path, 150)
        parts = path.read_bytes().splitlines()
        assert parts == [b"a" * 99, b"b" * 50, b"d" * 99, b"e" * 99]
        path.unlink()


def test_a_line_that_a_killed_writer_left_torn_is_ended_before_ours(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"whole\nto")
    sink = FileSink(path)
    sink.write(b"ours\n")
    assert path.read_bytes() == b"whole\nto\nours\n"
    path.write_bytes(b"another's\nto")
    sink.reopen()
    sink.write(b"more\n")
    assert path.read_bytes() == b"another's\nto\nmore\n"
    path.write_bytes(b"")
    sink.reopen()
    sink.write(b"first\n")
    FileSink(path).write(b"second\n")
    assert path.read_bytes() == b"first\nsecond\n"


def test_a_short_write_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    whole = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: whole(fd, data[:7]))
    assert sink.write(b"a line of some length\n") is None
    assert sink.write(b"and another\n") is None
    assert path.read_bytes() == b"a line of some length\nand another\n"


def test_a_full_disk_keeps_lines_out_until_there_is_room(tmp_path: Path) -> None:
    line = b"x" * 999 + b"\n"
    with small_file_system(tmp_path, 16 * PAGE) as folder:
        filling = folder / "filling"
        filling.write_bytes(b"\0" * 14 * PAGE)
        sink = FileSink(folder / "log")
        kept = [sink.write(line) for _ in range(20)]
        assert kept == [None] * 8 + ["No space left on device"] * 12
        filling.unlink()
        assert [sink.write(line), sink.write(line)] == [None, None]
        lines = (folder / "log").read_bytes().splitlines(keepends=True)
        assert [kept for kept in lines if kept != line] == [b"x" * (2 * PAGE % 1000) + b"\n"]
        assert len(lines) == 2 * PAGE // 1000 + 1 + 2
        sink.close()


def test_a_child_starts_with_a_lock_of_its_own(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "log")
    sink._mending.acquire()
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the child's end
        free = not sink._mending._is_owned()  # type: ignore[attr-defined]
        os._exit(0 if free else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sink._mending._is_owned()  # type: ignore[attr-defined]
