"""A shipper that is told to stop ends soon, whatever its destination does."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.ship.running import ship
from gatewaylog.ship.settings import Settings
from gatewaylog.ship.stopping import OutOfTime, Stop, stop_by
from tests.ship.counterparts import LokiStore, listening
from tests.ship.logs import QUICK, append, lines, once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stop() -> Iterator[Stop]:
    """Said by SIGUSR2, and the time over a moment later."""
    stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGUSR2)}
    stop_by([signal.SIGUSR2], stop, 0.1)
    yield stop
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("to", ["loki", "command"])
def test_one_whose_destination_does_not_answer_is_broken_off_and_loses_nothing(
    log: Path, state: Path, stop: Stop, tmp_path: Path, to: str
) -> None:
    """It would wait for an hour."""
    append(log, range(10))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with contextlib.ExitStack() as closing:
        silent = closing.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = ("sh", "-c", f"echo > '{fifo}'; sleep 3600")
        where: dict[str, Any] = {"url": url} if to == "loki" else {"command": command}
        settings = Settings(to=to, timeout=3600, **where)

        def tell() -> None:
            """Say stop once it is at work."""
            if to == "loki":
                closing.enter_context(silent.accept()[0]).recv(1)
            else:
                fifo.read_bytes()
            os.kill(os.getpid(), signal.SIGUSR2)

        telling = threading.Thread(target=tell)
        telling.start()
        ship(settings, [log], state, stop, pace=QUICK)
        telling.join()
    if to == "loki":
        store = LokiStore()
        with listening(store.take) as loki:
            once(log, state, to="loki", url=loki.url)
        assert store.lines == lines(range(10))


def test_only_what_waits_for_others_is_broken_off(stop: Stop) -> None:
    stop.run_out()
    with pytest.raises(OutOfTime), stop.breakable():
        raise AssertionError("it is over")
    stop.run_out()


def test_the_first_signal_counts(stop: Stop) -> None:
    os.kill(os.getpid(), signal.SIGUSR2)
    assert stop.wait(20)
    signal.setitimer(signal.ITIMER_REAL, 0)
    os.kill(os.getpid(), signal.SIGUSR2)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
