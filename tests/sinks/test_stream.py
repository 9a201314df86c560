"""Standard output and pipes: whole lines, however slow or gone the reader is."""

from __future__ import annotations

import os
import resource
import select
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from gatewaylog.sinks import StreamSink
from tests.pipes import Ends, pipe_ends
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipe() -> Iterator[Ends]:
    with pipe_ends() as ends:
        yield ends


def read_all(fd: int) -> bytes:
    return b"".join(iter(lambda: os.read(fd, 65536), b""))


def forked(work: object, count: int) -> list[int]:
    """Run `work` in `count` children; returns their process ids."""
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:  # pragma: no cover - coverage does not see the child's end
            try:
                work(number)  # type: ignore[operator]
            finally:
                os._exit(0)
        children.append(child)
    return children


def test_a_line_is_written_as_it_is(pipe: Ends) -> None:
    StreamSink(pipe[1]).write(b"line\n")
    assert os.read(pipe[0], 100) == b"line\n"


def write_each(sink: StreamSink, lines: list[bytes]) -> None:
    """Write lines, each again until the reader, who may be slow, has left room for it."""
    for line in lines:
        wait_for(lambda line=line: sink.write(line) is None)  # type: ignore[misc]


def test_no_line_of_several_processes_is_torn_on_a_pipe(pipe: Ends) -> None:
    reader, writer = pipe
    sink, each, length = StreamSink(writer), 60, 3 * select.PIPE_BUF

    def work(number: int) -> None:
        lines = [bytes([97 + number]) * length + b"\n"] * each
        write_each(sink, [*lines, b"end\n"])  # which is written behind the rest of the last one

    children = forked(work, 4)
    os.close(writer)
    lines = read_all(reader).splitlines()
    for child in children:
        os.waitpid(child, 0)
    wanted = {bytes([97 + number]) * length: each for number in range(4)} | {b"end": 4}
    assert {line[:9]: count for line, count in Counter(lines).items()} == {
        line[:9]: count for line, count in wanted.items()
    }
    assert set(lines) == set(wanted)


def test_no_line_of_several_threads_is_torn_on_a_pipe(pipe: Ends) -> None:
    reader, writer = pipe
    sink, length = StreamSink(writer), 3 * select.PIPE_BUF

    def work(number: int) -> None:
        write_each(sink, [*[bytes([97 + number]) * length + b"\n"] * 60, b"end\n"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    with os.fdopen(os.dup(reader), "rb") as file:
        found = [file.readline() for _ in range(244)]
    for thread in threads:
        thread.join()
    lines = [line for line in found if line != b"end\n"]
    assert len(lines) == 240
    assert {len(line) for line in lines} == {length + 1}
    assert all(len(set(line)) == 2 for line in lines)


@pytest.mark.parametrize("number", [None, 1500])
def test_a_descriptor_that_does_not_block_is_waited_for(pipe: Ends, number: int | None) -> None:
    reader, writer = pipe
    os.set_blocking(writer, False)
    if number is not None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard <= number:
            pytest.skip("NOT TESTED: no descriptor over 1024 is allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number + 1), hard))
        os.dup2(writer, number)
        os.close(writer)
        writer = number
    sink, line = StreamSink(writer), b"x" * 200_000 + b"\n"
    said: list[str | None] = []
    thread = threading.Thread(target=lambda: said.append(sink.write(line)))
    thread.start()
    found = b""
    while len(found) < len(line):
        found += os.read(reader, 65536)
    thread.join()
    if number is not None:
        os.close(number)
    assert found == line
    assert said == [None]


def test_a_reader_that_is_gone_is_the_reason(pipe: Ends) -> None:
    reader, writer = pipe
    sink = StreamSink(writer, "a pipe")
    os.close(reader)
    assert sink.write(b"one\n") == "Broken pipe"
    assert sink.write(b"two\n") == "Broken pipe"
    sink.close()
    sink.close()


def test_a_part_of_a_line_is_ended_before_the_next_one(
    pipe: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    whole, full = os.write, iter([False, True])

    def write(fd: int, data: bytes) -> int:
        if next(full, False):
            raise OSError(28, "No space left on device")
        return whole(fd, data[:4])

    sink = StreamSink(writer)
    monkeypatch.setattr(os, "write", write)
    assert sink.write(b"a line\n") == "No space left on device"
    assert sink.write(b"next\n") is None
    sink.reopen()
    assert sink.write(b"last\n") is None
    assert os.read(reader, 100) == b"a li\nnext\nlast\n"


def test_a_child_is_not_held_by_a_lock_that_its_parent_held(pipe: Ends) -> None:
    reader, writer = pipe
    sink = StreamSink(writer)
    with sink._threads:
        children = forked(lambda _: sink.write(b"child\n"), 1)
        assert os.read(reader, 100) == b"child\n"
        os.waitpid(children[0], 0)
    sink.write(b"parent\n")
    assert os.read(reader, 100) == b"parent\n"


def test_a_system_without_memory_files_locks_an_unnamed_file(
    pipe: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    StreamSink(pipe[1]).write(b"line\n")
    assert os.read(pipe[0], 100) == b"line\n"
