"""Whether a call may go on, where the log could not be written at once or must be on the disk.

`on_full` and `durability` of the log decide (AccessLog). Nobody waits on an event loop.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.exchange import Exchange

_SHORTEST, _LONGEST = 0.05, 1.0  # seconds between two tries to write


async def admitted(exchange: Exchange) -> bool:
    """Wait until a held exchange may go on; False: it is to be refused with LOG_UNAVAILABLE.

    Outside of asyncio this blocks, as nothing else is known of the loop.
    """
    import asyncio  # not before it is needed: it takes 30 ms to load

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return admit(exchange)
    for pause in _pauses(exchange):
        await asyncio.sleep(pause)
    disk = exchange.log.disk
    if exchange.is_written and disk is not None:
        synced = loop.create_future()

        def done(reason: str | None) -> None:
            if not synced.done():  # the call was cancelled meanwhile
                synced.set_result(reason)

        disk.ask(lambda reason: loop.call_soon_threadsafe(done, reason))
        return _is_admitted(exchange, await synced)
    return _is_admitted(exchange, None)


def admit(exchange: Exchange) -> bool:
    """Do as `admitted` does in a thread that may wait."""
    for pause in _pauses(exchange):
        time.sleep(pause)
    disk = exchange.log.disk
    if exchange.is_written and disk is not None:
        return _is_admitted(exchange, disk.wait())
    return _is_admitted(exchange, None)


def _pauses(exchange: Exchange) -> Iterator[float]:
    """Try to write until that is done or given up, with growing pauses between."""
    if exchange.log.on_full != "block":
        return
    pause = _SHORTEST
    while not exchange.write_held(final=False):
        if exchange.log.closed or not threading.main_thread().is_alive():
            exchange.write_held()
            return
        yield pause
        pause = min(2 * pause, _LONGEST)


def _is_admitted(exchange: Exchange, unsynced: str | None) -> bool:
    exchange.held = False
    if exchange.log.on_full != "refuse":
        return True
    return exchange.is_written and unsynced is None
