"""A log that gatewaylog itself rotates and packs, shipped meanwhile by a shipper that is killed."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog import AccessLog
from gatewaylog.ship.lag import lag_of
from tests.reader.logs import incoming
from tests.ship.killing import Shipper
from tests.ship.logs import ndjson
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ship.counterparts import Counterpart, LokiStore

pytestmark = pytest.mark.system
_EVENTS = 10_000


def test_each_line_of_a_log_that_is_rotated_and_packed_is_delivered_once(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    chance = random.Random(9)
    loki.trouble.share = 0.1
    written = threading.Event()

    def write() -> None:
        access_log = AccessLog(log, max_size=128 * 1024, compress="gz")
        for number in range(_EVENTS):
            access_log.write(incoming(number))
            if number % 100 == 0:
                pause.wait(0.02)
        access_log.close()
        written.set()

    pause = threading.Event()
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
    numbers = sorted(int(more["message_id"][-12:]) for _, _, _, more in store.found)
    assert numbers == list(range(_EVENTS))
    assert len(list(log.parent.glob("api.log.*"))) > 10
    assert ndjson(state / "gaps.ndjson") == ndjson(state / "dead-letters.ndjson") == []
