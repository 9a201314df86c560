"""Runs shippers to be killed: forks one for each line on standard input, and tells its pid.

The first line has the settings as JSON: what `Settings` takes, and `log` and `state`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

_NOBODY_AT = {
    "postgresql+psycopg": "postgresql://127.0.0.1:9/none",
    "sqlite": "sqlite:////nowhere/at/all",
}


def run(settings: dict[str, Any], *, once: bool = False) -> None:
    from gatewaylog.ship.running import ship
    from gatewaylog.ship.settings import Settings
    from gatewaylog.ship.shipper import Pace
    from gatewaylog.ship.stopping import Stop

    log, state = Path(settings.pop("log")), Path(settings.pop("state"))
    settings["command"] = tuple(settings.get("command", ()))
    patience = 0.01 if once else 60.0
    pace = Pace(
        patience=patience, look=0.005, watch=0.01, gather=0.01, first=0.01, most=0.03, asked=0.05
    )
    stop = Stop()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    ship(Settings(**settings), [log], state, stop, pace=pace, quiet=1.0, once=once)


def load(settings: dict[str, Any]) -> None:
    """Load all that a shipper loads, part of it when it begins and sends: each fork has it then."""
    from gatewaylog.exceptions import ShipError

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(ShipError):
        log = Path(folder) / "log"
        log.write_text("a line\n")
        url = _NOBODY_AT.get(settings.get("url", "").partition(":")[0], "http://127.0.0.1:9")
        where = {"command": ("true",)} if settings["to"] == "command" else {"url": url}
        told = {**settings, **where}
        run({**told, "log": log, "state": Path(folder) / "state"}, once=True)


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    load(settings)
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                run(settings)
                status = 0
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            finally:
                os._exit(status)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
