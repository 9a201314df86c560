"""Lines as they are written, through everything that happens to a file meanwhile."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.exceptions import ReaderError
from gatewaylog.formats import Line, Unparsed
from gatewaylog.reader import LONGEST, Follower, follow, growing
from gatewaylog.sinks import FileSink, file
from tests.reader.logs import contents, encoded, expected, incoming, write
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api-access.log"


@pytest.fixture
def follower(path: Path) -> Iterator[Follower]:
    """Follow a file that is not there yet."""
    with Follower(path) as follower:
        yield follower


def fresh(follower: Follower) -> list[bytes]:
    return [entry.raw for entry in follower.poll()]


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as log:
        log.write(content)


def rotate(path: Path, most: int = 3) -> None:
    for number in range(most, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.rename(path.with_name(f"{path.name}.{number + 1}"))
    path.rename(path.with_name(f"{path.name}.1"))


def test_a_file_that_is_not_there_is_waited_for(follower: Follower, path: Path) -> None:
    assert fresh(follower) == []
    append(path, b"one\ntwo\n")
    assert fresh(follower) == [b"one", b"two"]
    assert fresh(follower) == []


def test_a_folder_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    with Follower(tmp_path / "logs" / "api.log") as follower:
        assert fresh(follower) == []
        (tmp_path / "logs").mkdir()
        append(tmp_path / "logs" / "api.log", b"one\n")
        assert fresh(follower) == [b"one"]


def test_a_part_of_a_line_waits_for_its_line_feed(follower: Follower, path: Path) -> None:
    append(path, b"one\ntw")
    assert fresh(follower) == [b"one"]
    append(path, b"o")
    assert fresh(follower) == []
    append(path, b"\nthree\n")
    assert fresh(follower) == [b"two", b"three"]


@pytest.mark.parametrize(
    ("last", "found"),
    [(0, []), (1, [b"3"]), (2, [b"2", b"3"]), (9, [b"1", b"2", b"3"]), (None, [b"1", b"2", b"3"])],
)
def test_reading_begins_with_the_last_lines(
    path: Path, last: int | None, found: list[bytes]
) -> None:
    append(path, b"1\n2\n3\n4")
    with Follower(path, last=last) as follower:
        assert fresh(follower) == found
        append(path, b"4\n")
        (entry,) = follower.poll()
        assert (entry.raw, entry.number, entry.offset) == (b"44", 4, 6)


def test_the_last_of_many_lines_are_found(path: Path) -> None:
    write(path, b"".join(b"%d\n" % at for at in range(200_000)))
    with Follower(path, last=100_000) as follower:
        entries = list(follower.poll())
    assert [int(entry.raw) for entry in entries] == list(range(100_000, 200_000))


def test_lines_tell_where_they_stand(path: Path) -> None:
    append(path, encoded(incoming(1)))
    with Follower(path, last=1) as follower:
        append(path, encoded(incoming(2)) + b"no line\n")
        one, two, three = follower.poll()
        assert isinstance(one.line, Line)
        assert isinstance(two.line, Line)
        assert isinstance(three.line, Unparsed)
        assert [e.number for e in (one, two, three)] == [1, 2, 3]
        assert one.source.name == str(path)


def test_the_rest_of_a_renamed_file_comes_before_the_new_one(
    follower: Follower, path: Path
) -> None:
    append(path, b"one\n")
    assert fresh(follower) == [b"one"]
    append(path, b"two\n")
    rotate(path)
    append(path, b"three\n")
    assert fresh(follower) == [b"two", b"three"]


def test_lines_that_come_late_to_a_renamed_file_are_given(follower: Follower, path: Path) -> None:
    append(path, b"one\n")
    with path.open("ab", buffering=0) as late:
        fresh(follower)
        rotate(path)
        append(path, b"three\n")
        assert fresh(follower) == [b"three"]
        late.write(b"two\n")
        assert fresh(follower) == [b"two"]


def test_a_renamed_file_is_let_go_after_a_while_and_its_torn_line_given(
    follower: Follower, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, b"one\nto")
    fresh(follower)
    rotate(path)
    append(path, b"two\n")
    assert fresh(follower) == [b"two"]
    monkeypatch.setattr("gatewaylog.reader.following._LINGER", -1.0)
    (torn,) = follower.poll()
    assert torn.raw == b"to"
    append(path.with_name(f"{path.name}.1"), b"nobody\n")
    assert fresh(follower) == []


def test_of_many_renamed_files_the_oldest_are_let_go(
    follower: Follower, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewaylog.reader.following._MOST_FORMER", 2)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for at in range(20):
        append(path, b"%d\n" % at)
        assert fresh(follower) == [b"%d" % at]
        rotate(path, most=30)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 4


@pytest.mark.parametrize("dated", [False, True])
@pytest.mark.parametrize("kept", [False, True])
def test_files_rotated_between_two_looks_are_read_in_order(
    follower: Follower, path: Path, dated: bool, kept: bool
) -> None:
    append(path.with_name(f"{path.name}.3"), b"old\n")
    append(path, b"0\n")
    fresh(follower)
    for at in range(1, 4):
        append(path, b"%d\n" % at)
        if dated:
            path.rename(path.with_name(f"{path.name}-2026112{at}"))
        else:
            rotate(path, most=5)
        if at == 1 and not kept:
            next(path.parent.glob("*-20261121" if dated else "*.1")).unlink()
    append(path, b"4\n")
    assert fresh(follower) == [b"1", b"2", b"3", b"4"]


def test_a_file_removed_and_made_again_goes_on(follower: Follower, path: Path) -> None:
    append(path, b"one\n")
    fresh(follower)
    append(path, b"two\n")
    path.unlink()
    assert fresh(follower) == [b"two"]
    append(path, b"three\n")
    assert fresh(follower) == [b"three"]


def test_a_cut_file_begins_anew_and_its_torn_line_is_told(follower: Follower, path: Path) -> None:
    append(path, b"one\ntwo\nto")
    fresh(follower)
    os.truncate(path, 0)
    append(path, b"3\n")
    assert fresh(follower) == [b"to", b"3"]


@pytest.mark.parametrize("more", [b"three\n", b"three\nfour\nfive\n"])
def test_a_file_cut_and_grown_between_two_looks_begins_anew(
    follower: Follower, path: Path, more: bytes
) -> None:
    append(path, b"12345\n")
    fresh(follower)
    os.utime(path, (1, 1))
    write(path, more)
    assert b"\n".join(fresh(follower)) + b"\n" == more


def test_a_line_too_long_is_bounded_and_the_next_one_read(follower: Follower, path: Path) -> None:
    append(path, b"one\n" + b"x" * (3 * LONGEST))
    assert fresh(follower) == [b"one"]
    append(path, b"x\ntwo\n")
    long, two = follower.poll()
    assert isinstance(long.line, Unparsed)
    assert len(long.raw) == LONGEST
    assert (two.raw, two.number, two.offset) == (b"two", 3, 4 + 3 * LONGEST + 2)


@given(contents, st.lists(st.integers(0, 400), max_size=12), st.integers(1, 99))
def test_whatever_the_pieces_that_are_written_the_lines_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cuts: list[int], size: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    found = []
    with pytest.MonkeyPatch.context() as patch, Follower(path) as follower:
        patch.setattr(growing, "PIECE", size)
        for begin, end in itertools.pairwise([0, *sorted(cuts), len(content)]):
            append(path, content[begin:end] if begin < end else b"")
            found += [(e.offset, e.number, e.raw) for e in follower.poll()]
    ended = content[: content.rfind(b"\n") + 1]
    assert found == expected(ended)


def test_several_files_and_folders_are_followed(tmp_path: Path) -> None:
    for name in ("a.log", "b.log", "b.log.1"):
        append(tmp_path / name, b"old\n")
    with Follower([tmp_path, tmp_path / "c"]) as follower:
        for name in ("a.log", "b.log", "c", "b.log.1"):
            append(tmp_path / name, name.encode() + b"\n")
        assert sorted(fresh(follower)) == [b"a.log", b"b.log", b"c"]


def test_a_pipe_cannot_be_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ReaderError, match=r"pipe: is no regular file"):
        Follower(tmp_path / "pipe")


def test_lines_arrive_while_the_iteration_waits_and_stop_ends_it(path: Path) -> None:
    follower = Follower(path)
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.extend(e.raw for e in follower))
    thread.start()
    append(path, b"one\n")
    append(path, b"two\n")
    wait_for(lambda: path.exists() and thread.is_alive())
    append(path, b"last\n")
    follower.stop()
    thread.join(20)
    follower.close()
    assert found == [b"one", b"two", b"last"]


def test_it_looks_at_least_ten_times_a_second_and_sleeps_between(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, b"")
    with Follower(path) as follower:
        waits: list[float | None] = []

        def wait(seconds: float | None = None) -> bool:
            waits.append(seconds)
            return len(waits) > 10

        monkeypatch.setattr(follower._stopped, "wait", wait)
        began = time.process_time()
        assert list(follower) == []
    assert set(waits) == {0, 0.05}
    assert time.process_time() - began < 1


def test_follow_gives_the_last_lines_then_new_ones(path: Path) -> None:
    append(path, b"one\ntwo\n")
    following = follow(path, last=1)
    assert next(following).raw == b"two"
    append(path, b"three\n")
    assert next(following).raw == b"three"
    following.close()


WRITER = """
import sys
from gatewaylog.events import IncomingRequest
from gatewaylog.formats import LineOptions, Wso2Format
from gatewaylog.sinks import FileSink, file
file._LOOK_EVERY = 0.0
writer, count = int(sys.argv[2]), int(sys.argv[3])
sink, form = FileSink(sys.argv[1]), Wso2Format(LineOptions())
import time
for at in range(count):
    event = IncomingRequest(message_id=f"{writer}-{at}", api="a")
    sink.write(form.encode(event, time.time(), "t"))
sink.close()
"""


def test_no_line_of_eight_writers_is_lost_or_given_twice_over_rotations(path: Path) -> None:
    writers, each = 8, 3000
    found: list[tuple[int, int]] = []
    with Follower(path) as follower:
        started = [
            subprocess.Popen([sys.executable, "-c", WRITER, path, str(number), str(each)])
            for number in range(writers)
        ]

        done = threading.Event()
        rotating = threading.Thread(target=rotate_often, args=(path, done))
        rotating.start()

        def all_came() -> bool:
            for entry in follower.poll():
                assert isinstance(entry.line, Line), entry.line
                writer, _, at = str(entry.line.event.message_id).partition("-")
                found.append((int(writer), int(at)))
            return len(found) >= writers * each

        try:
            wait_for(all_came, 60)
        finally:
            done.set()
            rotating.join()
        assert [process.wait(20) for process in started] == [0] * writers
        assert list(follower.poll()) == []
    assert len(list(path.parent.iterdir())) > 5
    assert sorted(found) == [(writer, at) for writer in range(writers) for at in range(each)]


def rotate_often(path: Path, done: threading.Event) -> None:
    while not done.wait(0.002):
        if path.exists() and path.stat().st_size > 100_000:
            rotate(path, most=99)


def test_a_thread_that_writes_while_files_are_renamed_loses_no_line(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "_LOOK_EVERY", 0.001)
    sink = FileSink(path)
    done = threading.Event()

    def work() -> None:
        for at in range(20_000):
            sink.write(b"%d\n" % at)
        done.set()

    with Follower(path, last=None) as follower:
        thread = threading.Thread(target=work)
        thread.start()
        found: list[int] = []
        rotations = 0
        while not done.is_set():
            found += [int(raw) for raw in fresh(follower)]
            if path.exists() and rotations < 30:
                rotate(path, most=40)
                rotations += 1
        thread.join()
        found += [int(raw) for raw in fresh(follower)]
    sink.close()
    assert found == list(range(20_000))
