"""Runs shippers to be killed: forks one for each line on standard input, and tells its pid.

The first line has the settings as JSON: what `Settings` takes, and `log` and `state`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


def run(settings: dict[str, Any]) -> None:
    from gatewaylog.ship.running import ship
    from gatewaylog.ship.settings import Settings
    from gatewaylog.ship.shipper import Pace
    from gatewaylog.ship.stopping import Stop

    log, state = Path(settings.pop("log")), Path(settings.pop("state"))
    settings["command"] = tuple(settings.get("command", ()))
    pace = Pace(look=0.005, watch=0.01, gather=0.01, first=0.01, most=0.03, asked=0.05)
    stop = Stop()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    ship(Settings(**settings), [log], state, stop, pace=pace, quiet=1.0)


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    __import__(f"gatewaylog.ship.{settings['to']}")
    __import__("gatewaylog.ship.running")
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
