"""A shipper in a thread."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from gatewaylog.ship.running import ship
from gatewaylog.ship.settings import Settings
from gatewaylog.ship.stopping import Stop
from tests.ship.logs import QUICK
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def shipping(log: Path, state: Path, **settings: Any) -> Iterator[Stop]:
    """A shipper that goes on in a thread until the end of the block."""
    stop = Stop()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            ship(Settings(**settings), [log], state, stop, pace=QUICK)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    if failures:
        raise failures[0]
