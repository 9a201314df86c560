"""A shipper that the gateway runs: told on its standard input, at whose end it stops."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from gatewaylog.exceptions import GatewaylogError
from gatewaylog.notices import notice
from gatewaylog.ship.running import ship
from gatewaylog.ship.settings import Settings
from gatewaylog.ship.shipper import FAREWELL
from gatewaylog.ship.stopping import Stop, stop_by
from gatewaylog.systemcodes import SystemCode
from gatewaylog.systemlog import SystemLog, SystemLogOptions

_NICE = 10  # calls go first


def main() -> int:
    """Ship until told to stop; return the exit status."""
    stop = Stop()
    stop_by([signal.SIGTERM], stop, FAREWELL)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # meant for the gateway: all its processes may get it
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.nice(_NICE)
    told = json.loads(sys.stdin.buffer.readline() or b"null")
    if told is None:
        return 0
    threading.Thread(target=_stop_at_end, daemon=True).start()
    settings = Settings(**told["settings"] | {"command": tuple(told["settings"]["command"])})
    try:
        if "system_log" in told:
            SystemLog(SystemLogOptions(**told["system_log"]))
        ship(settings, [Path(log) for log in told["logs"]], Path(told["state"]), stop)
    except GatewaylogError as error:
        notice(str(error), "ERROR", SystemCode.INITIALISATION)
        return 2
    return 0


def _stop_at_end() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
