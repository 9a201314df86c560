"""A log whose path can't be opened again: lines go where they stay, or count as lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.events import IncomingRequest, LogLoss
from gatewaylog.formats import Line, parse_line
from gatewaylog.sinks import FileSink, file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _looks_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "_LOOK_EVERY", -1.0)


def lines_in(path: Path) -> list[Line]:
    lines = [parse_line(raw) for raw in path.read_bytes().splitlines()]
    assert all(isinstance(line, Line) for line in lines)
    return [line for line in lines if isinstance(line, Line)]


def test_a_line_goes_on_into_a_renamed_file_and_that_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    path.rename(tmp_path / "log.1")
    path.mkdir()
    assert [sink.write(b"one\n"), sink.write(b"two\n")] == [None, None]
    assert (tmp_path / "log.1").read_bytes() == b"one\ntwo\n"
    told = "can't be opened: Is a directory; lines go on into the file that had this name"
    assert capsys.readouterr().err == f"gatewaylog: {path}: {told}\n"
    path.rmdir()
    assert sink.write(b"three\n") is None
    assert path.read_bytes() == b"three\n"
    assert capsys.readouterr().err == f"gatewaylog: {path} is open again\n"


def test_no_line_is_taken_by_a_file_that_is_deleted_while_no_other_can_be_opened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    path.unlink()
    path.mkdir()
    assert sink.write(b"one\n") == "can't be opened: Is a directory"
    path.rmdir()
    assert sink.write(b"two\n") is None
    assert path.read_bytes() == b"two\n"


def test_no_line_is_taken_where_it_can_not_be_seen_what_has_the_name(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "log"
    sink = FileSink(path)
    path.unlink()
    path.parent.rmdir()
    path.parent.touch()
    assert sink.write(b"one\n") == "can't be looked for: Not a directory"


@pytest.mark.parametrize("on_full", ["drop", "refuse"])
def test_what_is_lost_with_a_deleted_file_is_counted_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], on_full: str
) -> None:
    path = tmp_path / "log"
    log = AccessLog(path, on_full=on_full)
    for _ in range(3):
        assert log.write(IncomingRequest())
    path.unlink()
    path.mkdir()
    assert not log.write(IncomingRequest())
    assert not log.write(IncomingRequest())
    # The third: nobody can tell whether it was written before or after the file was deleted.
    assert log.lost == 1 + 2
    path.rmdir()
    assert log.write(IncomingRequest())
    log.close()
    loss, after = lines_in(path)
    assert isinstance(loss.event, LogLoss)
    assert (loss.event.lost, loss.event.first, loss.event.last) == (3, 3, 5)
    assert (loss.event.reason or "").startswith("the file was deleted, and the path can't be op")
    assert (loss.seq, after.seq) == (6, 7)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3
    assert re.search(
        "the file was deleted, .*; 1 events since the last look count as lost", told[0]
    )
    assert "open again" in told[1]
    assert "3 events were not written" in told[2]


def test_what_may_have_gone_with_a_file_that_was_made_anew_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    log = AccessLog(path)
    log.write(IncomingRequest())
    log.look()
    monkeypatch.setattr(file, "_LOOK_EVERY", 3600.0)
    log.write(IncomingRequest())
    path.unlink()
    log.write(IncomingRequest())
    log.look()
    log.write(IncomingRequest())
    log.close()
    loss, after = lines_in(path)
    assert isinstance(loss.event, LogLoss)
    assert (loss.event.lost, loss.event.first, loss.event.last) == (2, 2, 3)
    assert loss.event.reason == "the file was deleted while it was open"
    assert (loss.seq, after.seq, log.lost) == (4, 5, 2)


def test_a_renamed_file_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = AccessLog(path)
    log.write(IncomingRequest())
    path.rename(tmp_path / "log.1")
    log.write(IncomingRequest())
    (tmp_path / "log.1").unlink()
    log.write(IncomingRequest())
    log.close()
    assert [line.seq for line in lines_in(path)] == [2, 3]
    assert log.lost == 0
