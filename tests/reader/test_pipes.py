"""Lines of a pipe as they come."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import ReaderError
from gatewaylog.formats import Unparsed
from gatewaylog.reader import LONGEST, Pipe
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_line_is_given_when_it_ends_and_the_last_at_the_end(path: Path) -> None:
    with Pipe(str(path)) as pipe:
        assert list(pipe.poll()) == []
        assert not pipe.ended
        with path.open("wb", buffering=0) as writer:
            writer.write(b"one\ntw")
            assert [entry.raw for entry in pipe.poll()] == [b"one"]
            writer.write(b"o\nthree")
            (entry,) = pipe.poll()
            assert (entry.raw, entry.number, entry.offset) == (b"two", 2, 4)
        (entry,) = pipe.poll()
        assert (entry.raw, entry.number, pipe.ended) == (b"three", 3, True)
        assert list(pipe.poll()) == []


def test_a_line_without_an_end_is_bounded(path: Path) -> None:
    with Pipe(str(path)) as pipe, path.open("wb", buffering=0) as writer:
        for _ in range(40):
            writer.write(b"x" * 60_000)
            assert list(pipe.poll()) == []
        writer.write(b"\nshort\n")
        long, short = wait_for(lambda: list(pipe.poll()))
    assert isinstance(long.line, Unparsed)
    assert (len(long.raw), short.raw, short.number) == (LONGEST, b"short", 2)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="none: No such file"):
        Pipe(str(tmp_path / "none"))
