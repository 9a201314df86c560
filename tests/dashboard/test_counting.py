"""The figures that the counting process makes of a log."""

from __future__ import annotations

import json
import multiprocessing
import signal
from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.dashboard import counting
from gatewaylog.dashboard.counting import Counting
from gatewaylog.dashboard.logs import Logs
from tests.reader.logs import complete, encoded, error, incoming, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Enough(Exception):
    """Ends a count that would go on for ever."""


def counted(path: Path, *more: bytes) -> dict[str, Any]:
    """Return the figures when the log is read, `more` lines written while it is followed."""
    told: list[dict[str, Any]] = []
    late = list(more)

    def send(figures: bytes) -> None:
        told.append(json.loads(figures))
        if told[-1]["reading"]:
            return
        if not late:
            raise Enough
        with path.open("ab") as file:
            file.write(late.pop(0))

    with pytest.raises(Enough):
        Counting(Logs.of([str(path)]), send).read()
    return told[-1]


def calls(count: int) -> bytes:
    """So many calls, a tenth of them errors, some that no API matched, the last without its end."""
    lines = []
    for number in range(1, count):
        lines.append(encoded(incoming(number), number))
        if number % 10:
            slow = float(number) * 1000 if number % 7 == 0 else 5.0
            lines.append(encoded(complete(number, duration_ms=slow), number + slow / 1000))
        else:
            lines.append(encoded(error(number, error_message="Send timeout"), number + 0.1))
    unmatched = error(None, error_source="main", error_code="404", status_code=404, api=None)
    lines += [encoded(unmatched._replace(request_in_url=f"/no/{n % 3}"), count) for n in range(9)]
    lines.append(encoded(incoming(count), count))
    return b"".join(lines)


def test_calls_errors_and_unmatched_urls_are_counted(tmp_path: Path) -> None:
    figures = counted(write(tmp_path / "api.log", calls(50) + b"no line of a log\n"))
    assert (figures["requests"], figures["completed"]) == (50, 45)
    assert figures["unread"] == 1
    assert figures["read"] == 1.0
    text = json.dumps(figures)
    assert "Send timeout" in text
    assert "/no/2" in text


def test_what_is_written_later_is_counted_too(tmp_path: Path) -> None:
    path = write(tmp_path / "api.log", calls(5))
    figures = counted(path, encoded(complete(5), 9), encoded(incoming(77), 10))
    assert (figures["requests"], figures["completed"]) == (6, 5)


def test_a_long_log_is_told_of_while_it_is_read(tmp_path: Path) -> None:
    figures = counted(write(tmp_path / "api.log", calls(3000)))
    assert figures["requests"] == 3000


def test_rotated_files_come_before_the_live_one(tmp_path: Path) -> None:
    write(tmp_path / "api.log.1", calls(5))
    path = write(tmp_path / "api.log", encoded(complete(5), 9) + encoded(incoming(6), 10))
    told: list[dict[str, Any]] = []

    def send(figures: bytes) -> None:
        told.append(json.loads(figures))
        if not told[-1]["reading"]:
            raise Enough

    with pytest.raises(Enough):
        Counting(Logs.of([str(tmp_path / "api.log.1"), str(path)]), send).read()
    assert (told[-1]["requests"], told[-1]["completed"]) == (6, 5)


@pytest.fixture
def _interrupts() -> Iterator[None]:
    """Keep the handler that the process of its own would change."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interrupts")
def test_it_ends_when_nobody_reads_its_figures_any_more(tmp_path: Path) -> None:
    logs = Logs.of([str(write(tmp_path / "api.log", calls(5)))])
    ours, theirs = multiprocessing.Pipe(duplex=False)
    ours.close()
    with theirs:
        counting._run(logs, theirs)


@pytest.mark.usefixtures("_interrupts")
def test_what_goes_wrong_is_the_last_thing_that_is_sent(tmp_path: Path) -> None:
    live = write(tmp_path / "api.log", calls(5))
    logs = Logs((str(tmp_path / "gone.log.1"),), (str(live),))
    ours, theirs = multiprocessing.Pipe(duplex=False)
    with ours, theirs:
        counting._run(logs, theirs)
        told = json.loads(ours.recv_bytes())
    assert told["failed"].endswith("gone.log.1: No such file or directory")
