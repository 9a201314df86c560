"""`gatewaylog verify`: whether all lines of each writer are there, once and in order."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.cli import run as main
from gatewaylog.events import IncomingRequest
from gatewaylog.sinks import MemorySink
from tests.test_writer import NarrowSink

if TYPE_CHECKING:
    from pathlib import Path


def written(count: int, **options: str) -> list[bytes]:
    sink = MemorySink()
    log = AccessLog(sink, **options)  # type: ignore[arg-type]
    for number in range(count):
        log.write(IncomingRequest(request_in_url=f"/{number}"))
    return sink.lines


def verified(
    path: Path, lines: list[bytes], capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[str]]:
    path.write_bytes(b"".join(lines))
    status = main(["verify", str(path)])
    return status, capsys.readouterr().out.splitlines()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api.log"


@pytest.mark.parametrize("form", ["wso2", "json", "logfmt"])
def test_a_log_of_several_writers_that_is_whole_says_so(
    path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = zip(written(5, format=form), written(5, format=form), strict=True)
    mixed = [line for pair in pairs for line in pair]
    assert verified(path, mixed, capsys) == (0, ["1 file, 10 lines of 2 writers: whole"])


def test_lines_that_were_removed_are_named(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(9)
    status, said = verified(path, [*lines[:2], lines[3], *lines[6:]], capsys)
    assert status == 1
    assert said[0].startswith(f"{path}:3: writer ")
    assert said[0].endswith("before this line Seq 3 is missing, and no LOG_LOSS tells of it")
    assert said[1].endswith(
        "before this line Seq 5 to 6 are missing, 2 events, and no LOG_LOSS tells of it"
    )
    assert said[2] == (
        "1 file, 6 lines of 1 writer: 3 missing, 0 double, 0 out of order, 0 unreadable"
    )


def test_a_double_and_a_line_that_was_moved_are_named(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = written(6)
    status, said = verified(path, [*lines[:2], lines[1], *lines[3:], lines[2]], capsys)
    assert status == 1
    assert [one.rpartition(": ")[2] for one in said[:-1]] == [
        "Seq 2 is double",
        "Seq 3 is out of order",
    ]
    assert said[-1].endswith(": 0 missing, 1 double, 1 out of order, 0 unreadable")


def test_lines_that_change_places_at_the_begin_are_out_of_order(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = written(5)
    status, said = verified(path, [lines[3], lines[0], lines[1], lines[2], lines[4]], capsys)
    assert status == 1
    assert said[-1].endswith(": 0 missing, 0 double, 3 out of order, 0 unreadable")


def test_a_torn_line_is_named(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(3)
    status, said = verified(path, [lines[0], lines[1][:80] + b"\n", lines[2]], capsys)
    assert status == 1
    assert said[0].startswith(f"{path}:2: torn or not readable: ")
    assert "Seq 2 is missing" in said[1]


def test_a_loss_that_the_log_tells_of_is_missing_with_its_reason(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = NarrowSink(2)
    log = AccessLog(sink)
    for number in range(5):
        log.write(IncomingRequest(request_in_url=f"/{number}"))
    sink.room = 9
    log.write(IncomingRequest())
    status, said = verified(path, sink.lines, capsys)
    assert status == 1
    assert said[0].endswith(
        "before this line Seq 3 to 5 are missing, 3 events: LOG_LOSS: No space left on device"
    )
    assert len(said) == 2


def test_a_log_without_numbers_cannot_be_verified(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_bytes(b"".join(written(3, fields="seed")))
    assert main(["verify", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "gatewaylog: verify: no line has Writer and Seq, so that nothing can be said:"
        ' a log with fields = "seed" does not carry them\n'
    )


def test_what_cannot_be_judged_is_said(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [*written(2, fields="seed"), *written(4)[2:]]
    assert verified(path, lines, capsys) == (
        0,
        [
            "1 file, 4 lines of 1 writer: whole; 1 writer began in files that are not here;"
            " 2 lines without Seq can't be judged"
        ],
    )


def test_an_empty_log_is_not_called_whole(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verified(path, [], capsys) == (0, ["1 file: no lines"])


def test_a_log_is_read_with_what_was_rotated_from_it(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = written(9)
    rotated = path.with_name("api.log.2026-11-21T10-22-33-123456")
    rotated.write_bytes(b"".join(lines[4:6]))
    packed = path.with_name("api.log.2026-11-20T10-22-33-123456.gz")
    packed.write_bytes(gzip.compress(b"".join(lines[:3])))
    status, said = verified(path, lines[6:], capsys)
    assert status == 1
    assert said[0].startswith(f"{rotated}:1: ")
    assert "Seq 4 is missing" in said[0]
    assert said[1].startswith("3 files, 8 lines of 1 writer: 1 missing")
    for alone, count in ((rotated, 2), (packed, 3)):
        assert main(["verify", str(alone)]) == 0
        assert capsys.readouterr().out.startswith(f"1 file, {count} lines of 1 writer: whole")


def test_an_empty_log_with_rotated_files_is_judged_by_them(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.with_name("api.log.1").write_bytes(b"".join(written(3)[::2]))
    status, said = verified(path, [], capsys)
    assert (status, said[-1]) == (
        1,
        "2 files, 2 lines of 1 writer: 1 missing, 0 double, 0 out of order, 0 unreadable",
    )


def test_a_log_that_is_named_with_its_folder_is_read_once(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_bytes(b"".join(written(3)))
    assert main(["verify", str(path), str(path.parent)]) == 0
    assert capsys.readouterr().out == "1 file, 3 lines of 1 writer: whole\n"


def test_rotated_and_packed_files_are_read_as_one_log(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = written(9)
    packed = path.with_name("api.log.2026-11-21T10-22-33-123456.gz")
    packed.write_bytes(gzip.compress(b"".join(lines[:3])))
    path.with_name("api.log.2026-11-21T10-22-34-123456").write_bytes(b"".join(lines[3:6]))
    path.write_bytes(b"".join(lines[6:]))
    assert main(["verify", str(path.parent)]) == 0
    assert capsys.readouterr().out == "3 files, 9 lines of 1 writer: whole\n"


def test_controls_in_a_broken_line_reach_no_terminal(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = verified(path, [b"{\x1b[31m}\n"], capsys)
    assert status == 1
    assert "\x1b" not in "".join(said)
