"""A log that gatewaylog itself rotates and packs, shipped meanwhile by a shipper that is killed."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog import AccessLog
from gatewaylog.ship.lag import lag_of
from tests.reader.logs import incoming
from tests.requirements import program
from tests.ship.killing import Shipper
from tests.ship.logs import append, ndjson
from tests.ship.shipping import shipping
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ship.counterparts import Counterpart, LokiStore

pytestmark = pytest.mark.system
_EVENTS = 5_000
_LOGROTATE = """
{log} {{
    rotate 1000
    size 1
    missingok
    nocreate
    compress
    delaycompress
}}
"""


@pytest.mark.parametrize("compress", ["gz", "zst"])
def test_each_line_of_a_log_that_is_rotated_and_packed_is_delivered_once(
    log: Path, state: Path, loki: Counterpart, store: LokiStore, compress: str
) -> None:
    chance = random.Random(9)
    loki.trouble.share = 0.1
    pause, written = threading.Event(), threading.Event()

    def write() -> None:
        access_log = AccessLog(log, max_size=128 * 1024, compress=compress)
        for number in range(_EVENTS):
            access_log.write(incoming(number))
            if number % 100 == 0:
                pause.wait(0.02)
        access_log.close()
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    shipper = Shipper(log=str(log), state=str(state), to="loki", url=loki.url, timeout=0.5)
    with contextlib.closing(shipper):
        while not written.is_set():
            with shipper.started(signal.SIGKILL):
                pause.wait(chance.random() * 0.5)
        writer.join()
        loki.trouble.share = 0.0
        with shipper.started(signal.SIGTERM):
            wait_for(lambda: len(store.entries) >= _EVENTS and lag_of(state).events == 0, 60)
    _assert_each_once(store, state, _EVENTS)
    assert len(list(log.parent.glob(f"api.log.*.{compress}"))) > 5


def test_each_line_of_a_log_that_logrotate_moves_is_delivered_once(
    log: Path, state: Path, loki: Counterpart, store: LokiStore, tmp_path: Path
) -> None:
    settings = tmp_path / "logrotate.conf"
    settings.write_text(_LOGROTATE.format(log=log))
    logrotate = [program("logrotate"), "--state", str(tmp_path / "moved"), "-f", str(settings)]
    rotations, each = 10, 100
    with shipping(log, state, to="loki", url=loki.url):
        for number in range(rotations):
            append(log, range(number * each, (number + 1) * each))
            subprocess.run(logrotate, check=True, timeout=60)
        wait_for(lambda: len(store.entries) >= rotations * each)
    _assert_each_once(store, state, rotations * each)
    assert log.with_name(f"api.log.{rotations}.gz").exists()


def _assert_each_once(store: LokiStore, state: Path, count: int) -> None:
    numbers = sorted(int(more["message_id"][-12:]) for _, _, _, more in store.found)
    assert numbers == list(range(count))
    assert ndjson(state / "gaps.ndjson") == ndjson(state / "dead-letters.ndjson") == []
