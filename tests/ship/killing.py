"""A shipper that is killed at random while its log is written, rotated and packed, and while its
destination is in trouble.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewaylog.ship.lag import lag_of
from gatewaylog.ship.state import read_checkpoint
from tests.ship.logs import append, rotate
from tests.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.ship.counterparts import Counterpart

_LAUNCHER = Path(__file__).with_name("launcher.py")
TIMES = int(os.environ.get("GATEWAYLOG_KILLS", "50"))  # scripts/soak: 200
SEED = int(os.environ.get("GATEWAYLOG_SEED", random.randrange(10**6)))


class Shipper:
    """A shipper in a process of its own, started again after each kill."""

    def __init__(self, **settings: Any) -> None:
        self._launcher = subprocess.Popen(
            [sys.executable, str(_LAUNCHER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=_LAUNCHER.parent.parent.parent,
        )
        self._say(json.dumps(settings))

    def _say(self, text: str) -> None:
        assert self._launcher.stdin is not None
        self._launcher.stdin.write(text + "\n")
        self._launcher.stdin.flush()

    def _hear(self) -> int:
        assert self._launcher.stdout is not None
        heard = self._launcher.stdout.readline()
        assert heard, self._launcher.stderr and self._launcher.stderr.read()
        return int(heard)

    @contextlib.contextmanager
    def started(self, end_by: signal.Signals) -> Iterator[int]:
        self._say("start")
        pid = self._hear()
        try:
            yield pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, end_by)
            status = self._hear()
            expected = -signal.SIGKILL if end_by == signal.SIGKILL else 0
            if status != expected:  # seen beside whatever failed because of it
                print(status, self._launcher.communicate("", PATIENCE)[1])
        assert status == expected

    def close(self) -> None:
        self._launcher.communicate("", PATIENCE)


def killed_at_random(
    log: Path,
    state: Path,
    counterpart: Counterpart | None,
    *,
    progress: Callable[[], int],
    lines: int = 40,
    trouble: float = 0.25,
    write: Callable[[Path, Iterable[int]], None] = append,
    **settings: Any,
) -> int:
    """Kill a shipper TIMES times, mostly when `progress` tells that it is at work.

    Returns how many events were written; all are shipped at the end.
    """
    print(f"GATEWAYLOG_SEED={SEED}")  # shown where it fails
    chance = random.Random(SEED)
    pause = threading.Event()
    written = 0
    shipper = Shipper(log=str(log), state=str(state), **settings)
    with contextlib.closing(shipper):
        for _ in range(TIMES):
            if counterpart is not None:
                counterpart.trouble.share = trouble
                if chance.random() < 0.1:
                    counterpart.stop()
                    counterpart.trouble.stalled.clear()
                    counterpart.start()
            with shipper.started(signal.SIGKILL):
                before = progress()
                for _ in range(chance.randrange(1, 4)):
                    write(log, range(written, written + lines))
                    written += lines
                    pause.wait(chance.random() * 0.01)
                    if chance.random() < 0.2:
                        rotate(log, pack_from=chance.choice([0, 1, 2]))
                if chance.random() < 0.8:  # amid its work, else wherever it is
                    _wait_for_more(progress, before)
                pause.wait(chance.random() * 0.05)
        if counterpart is not None:
            counterpart.trouble.share = 0.0
        write(log, range(written, written + 1))
        with shipper.started(signal.SIGTERM):
            wait_for(lambda: _passed(state) > written, 60 + TIMES)
    assert (lag_of(state).events, _passed(state)) == (0, written + 1)  # none begun anew
    return written + 1


def _passed(state: Path) -> int:
    found = read_checkpoint(state)
    return found.delivered + found.dead if found else 0


def _wait_for_more(progress: Callable[[], int], than: int) -> None:
    wait_for(lambda: progress() > than)
