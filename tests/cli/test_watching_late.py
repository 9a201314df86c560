"""What comes late, or with a clock that is wrong, is told by `tokens watch` all the same."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.audit.events import AuditEvent, EventLog
from gatewaylog.clock import SystemClock
from gatewaylog.events import RequestComplete
from tests.cli.processes import gatewaylog
from tests.cli.test_watching import guess_of, watching

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86_400.0
HOME, AWAY = "192.0.2.1", "198.51.100.1"


class SetClock(SystemClock):
    """A clock whose time of day is `now`."""

    def __init__(self, now: float) -> None:
        super().__init__()
        self.now = now

    def wall(self) -> float:
        return self.now


class Calls:
    """The calls of a client at `now` and at other times, in a log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = time.time()
        self._clock = SetClock(self.now)
        self.log = AccessLog(path, clock=self._clock)

    def at(self, seconds: float) -> AccessLog:
        """The log at a moment so many seconds from now."""
        self._clock.now = self.now + seconds
        return self.log

    def call(self, seconds: float, address: str = HOME) -> None:
        self.at(seconds).write(
            RequestComplete(
                status_code=200, remote_ip=address, token_ref="key", application_name="shop"
            )
        )


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    """A log of a client that called from home each of 20 days, the last time just now."""
    calls = Calls(tmp_path / "api.log")
    for day in range(20, -1, -1):
        calls.call(-day * DAY)
    return calls


def told_of(calls: Calls, *others: str) -> str:
    told = ("tokens", "watch", "--once", "--state", "told", "api.log", *others)
    done = gatewaylog(*told, cwd=calls.path.parent)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("late", [300.0, 3 * DAY])
def test_lines_that_come_late_are_told_once(calls: Calls, late: float) -> None:
    assert told_of(calls) == ""
    calls.call(-late, AWAY)
    assert "R02 medium shop: first call from 198.51.100.0/24" in told_of(calls)
    assert told_of(calls) == ""


def test_lines_of_a_clock_that_is_ahead_hold_no_others_back(calls: Calls) -> None:
    calls.call(40 * DAY)
    assert told_of(calls) == ""
    calls.call(-10, AWAY)
    assert "R02" in told_of(calls)


def test_what_only_seems_new_as_older_lines_were_deleted_is_not_told(tmp_path: Path) -> None:
    calls = Calls(tmp_path / "api.log")
    calls.call(-25 * DAY, AWAY)
    away = calls.path.stat().st_size
    for day in range(24, -1, -1):
        calls.call(-day * DAY, AWAY if day == 5 else HOME)
    assert told_of(calls) == ""
    calls.path.write_bytes(calls.path.read_bytes()[away:])
    calls.call(10)
    assert told_of(calls) == ""
    assert "R02" in gatewaylog("tokens", "watch", "--once", "api.log", cwd=tmp_path).stdout


@contextmanager
def guessing(calls: Calls, seconds: float, name: str) -> Iterator[None]:
    """Guess again and again, as nobody says when the log is being followed, so long ago."""
    ended = threading.Event()

    def guess() -> None:
        for number in count():
            guess_of(calls.at(time.time() - calls.now + seconds), f"{name}{number}")
            if ended.wait(0.2):
                return

    thread = threading.Thread(target=guess)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_lines_that_come_late_are_told_while_the_log_is_followed(calls: Calls) -> None:
    with watching(calls.path.parent, "--state", "told", "api.log") as running:
        with guessing(calls, -7200, "late"):
            running.reads("R06 high   late")
        assert running.stopped_by(signal.SIGTERM) == 0


def test_what_late_lines_show_of_earlier_ones_is_told_by_the_next_process(calls: Calls) -> None:
    """A token's issue comes after its use was looked at; only in order they show that it ended."""
    folder = calls.path.parent
    guess_of(calls.at(-DAY), "long_ago")
    events = EventLog(folder / "event.log")
    events.record(AuditEvent(event="LOG_OPENED"))
    with watching(folder, "--state", "told", "api.log", "event.log") as running:
        with guessing(calls, 0, "first"):
            running.reads("R06 high   first")
        end = datetime.fromtimestamp(calls.now - 1800, UTC).isoformat()
        detail = f"token_ref=key expires_at={end}"
        events.record(AuditEvent(event="TOKEN_ISSUED", at=calls.now - 7200, detail=detail))
        with guessing(calls, 0, "second"):
            running.reads("R06 high   second")
        assert running.stopped_by(signal.SIGTERM) == 0
    assert "R07" not in running.text
    told = told_of(calls, "event.log")
    assert "R07 high   shop" in told
    assert "first" not in told
    assert "long_ago" not in told


@pytest.mark.alone
def test_a_webhook_that_hangs_holds_no_end_back_and_gets_the_finding_later(calls: Calls) -> None:
    state = calls.path.with_name("told")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        with watching(calls.path.parent, "--state", "told", "--webhook", url, "api.log") as running:
            with guessing(calls, 0, "shop"):
                running.reads("R06 high   shop")
                connection, _ = deaf.accept()
            begin = time.monotonic()
            assert running.stopped_by(signal.SIGTERM) == 0
            assert time.monotonic() - begin < 4
            connection.close()
    assert json.loads(state.read_text())["waiting"][0]["client"].startswith("shop")
