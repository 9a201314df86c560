"""Standard output of several workers: whole lines by one process, also where one is killed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gatewaylog.gateway import standard_output
from gatewaylog.gateway.standard_output import StandardOutput
from gatewaylog.sinks import StreamSink
from tests.pipes import Ends, drained, pipe_ends

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = b"x" * 9000 + b"\n"


@pytest.fixture
def pipe() -> Iterator[Ends]:
    with pipe_ends() as ends:
        yield ends


def test_lines_come_whole_though_their_parts_come_in_turn(pipe: Ends) -> None:
    output = StandardOutput(pipe[1])
    one, other = output.pipe(), output.pipe()
    for part in (b"a" * 4000, b"b" * 4000, b"a" * 4000 + b"\n", b"b" * 4000 + b"\nc"):
        os.write(one if part[:1] == b"a" else other, part)
        output.pass_on(output.readers)
    assert drained(pipe[0]) == b"a" * 8000 + b"\n" + b"b" * 8000 + b"\n"
    os.write(other, b"c\n")
    for writer in (one, other):
        os.close(writer)
    output.finish()
    assert drained(pipe[0]) == b"cc\n"
    assert output.readers == []
    assert output.lost == 0


def test_a_line_that_a_worker_was_killed_in_is_ended_and_counted(
    pipe: Ends, capsys: pytest.CaptureFixture[str]
) -> None:
    output = StandardOutput(pipe[1])
    one, other = output.pipe(), output.pipe()
    os.write(one, b"whole\nto")
    os.close(one)
    os.write(other, b"other's\n")
    for _ in range(3):
        output.pass_on(output.readers)
    assert sorted(drained(pipe[0]).splitlines(keepends=True)) == [b"other's\n", b"to\n", b"whole\n"]
    assert output.lost == 1
    assert "killed in the middle of a line" in capsys.readouterr().err
    os.close(other)
    output.finish()


def test_a_worker_knows_that_nobody_reads_standard_output(pipe: Ends) -> None:
    output = StandardOutput(pipe[1])
    writer = output.pipe()
    sink, taken = StreamSink(writer), 0
    while True:
        reason = sink.write(LINE)
        output.pass_on(output.readers)
        if reason is not None:
            break
        taken += 1
    assert reason == "nobody reads it"
    assert output.readers == []
    assert output.writers == [pipe[1]]
    found = b""
    while len(found) < taken * len(LINE):
        output.pass_on(output.readers)
        sink.look()
        found += drained(pipe[0])
    assert found == LINE * taken
    sink.close()
    os.close(writer)
    output.finish()


def test_what_nobody_reads_to_the_end_is_told(
    pipe: Ends, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standard_output, "_FAREWELL", 0.05)
    output = StandardOutput(pipe[1])
    os.close(pipe[0])
    writer = output.pipe()
    os.write(writer, b"one\ntwo\n")
    output.pass_on(output.readers)
    assert output.writers == []  # not at once again: its reader is gone
    os.write(writer, b"three\nfo")
    output.finish()
    os.close(writer)
    told = capsys.readouterr().err
    assert "4 lines were not written to standard output: nobody reads it" in told


def test_a_worker_writes_to_its_pipe_alone(pipe: Ends) -> None:
    output = StandardOutput(pipe[1])
    writer, others = output.pipe(), output.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the child's end
        output.stand_for(writer)
        os.write(pipe[1], b"worker's\n")
        os._exit(0 if output.readers == [] else 1)
    os.close(writer)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert drained(pipe[0]) == b""
    os.close(others)
    output.finish()
    assert drained(pipe[0]) == b"worker's\n"
