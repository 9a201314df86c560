"""The shippers that `serve` runs: each a process of its own, so that none can slow a call."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from gatewaylog.gateway.config import Config
    from gatewaylog.gateway.config.shipping import ShipConfig
    from gatewaylog.ship.settings import Settings

_LOOK = 1.0  # seconds between two looks at the processes
_PAUSE = 30.0  # seconds before a shipper that failed is started again
_FAREWELL = 8.0  # seconds a shipper has to deliver the last lines; it takes 5 by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one shipper is told, on its standard input: it may hold a password."""

    to: str
    text: str


def orders_of(config: Config) -> list[Order]:
    """Return what the shippers of `[[ship]]` are told."""
    return [
        Order(
            to=ship.to,
            text=json.dumps(
                {
                    "settings": asdict(_settings(ship, config)),
                    "logs": ship.file or _logs(ship, config),
                    "state": ship.state,
                    "system_log": config.system_log.model_dump(),
                }
            ),
        )
        for ship in config.ship
    ]


def _settings(ship: ShipConfig, config: Config) -> Settings:
    """Return what a shipper is told; one to a database also whose credentials are."""
    settings = ship.settings()
    if ship.to != "database":
        return settings
    from gatewaylog.audit.store.clients import Application, Known

    applications = tuple(
        Application(name=one.name, vendor=one.vendor, client_id=one.client_id, keys=one.keys)
        for one in config.application
    )
    key, tokens = config.log.pseudonym_key, config.database.url
    known = Known(applications=applications, pseudonym_key=key, tokens=tokens)
    return replace(settings, clients=known.text())


def _logs(ship: ShipConfig, config: Config) -> tuple[str, ...]:
    """Return the gateway's log; a database takes the event log, too."""
    events = config.event_log.path
    both = ship.to == "database" and events not in {"", "-"}
    return (config.log.path, events) if both else (config.log.path,)


class Shippers:
    """Keeps the shippers of a configuration running until the end of the `with`."""

    def __init__(self, orders: Iterable[Order]) -> None:
        self._wanted = list(orders)
        self._running: dict[Order, subprocess.Popen[bytes]] = {}
        self._due: dict[Order, float] = {}  # when one that failed is started again
        self._ended = threading.Event()
        self._watches = False
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.look()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._watcher is not None:
            self._watcher.join()
        self._end(list(self._running.values()))

    def want(self, orders: Iterable[Order]) -> None:
        """Run these instead, from the next look on."""
        self._wanted = list(orders)
        if self._watches:
            self.watch()

    def watch(self) -> None:
        """Look by a thread, in a process that has no loop for it and forks no more."""
        self._watches = True
        if self._wanted and self._watcher is None:
            self._watcher = threading.Thread(target=self._look_on, daemon=True)
            self._watcher.start()

    def _look_on(self) -> None:
        while not self._ended.wait(_LOOK):
            self.look()

    def look(self) -> None:
        """Start what is wanted and not running, end what is not wanted any more."""
        wanted = self._wanted
        for order, process in list(self._running.items()):
            if process.poll() is not None:
                self._bury(order, process, was_wanted=order in wanted)
            elif order not in wanted:
                process.terminate()
        now = time.monotonic()
        for order in wanted:
            # One that ends holds its state still: what replaces it waits for that.
            ending = any(other not in wanted for other in self._running)
            if order not in self._running and not ending and self._due.get(order, 0.0) <= now:
                self._running[order] = _started(order)

    def _bury(self, order: Order, process: subprocess.Popen[bytes], *, was_wanted: bool) -> None:
        del self._running[order]
        _let_go(process)
        if was_wanted:
            notice(
                f"shipping to {order.to} ended with status {process.returncode};"
                f" it begins again in {_PAUSE:g} s",
                "ERROR",
                SystemCode.RESTART,
            )
            self._due[order] = time.monotonic() + _PAUSE

    def _end(self, processes: list[subprocess.Popen[bytes]]) -> None:
        for process in processes:
            process.terminate()
        end = time.monotonic() + _FAREWELL
        for process in processes:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _let_go(process)


def _started(order: Order) -> subprocess.Popen[bytes]:
    """Start a shipper, which ends when its standard input does: with the last of the gateway."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gatewaylog.ship"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert process.stdin is not None  # noqa: S101 - for the types: it was asked for
    with contextlib.suppress(BrokenPipeError):  # it ended at once, which is seen at the next look
        process.stdin.write(order.text.encode() + b"\n")
        process.stdin.flush()
    return process


def _let_go(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
