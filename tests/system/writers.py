"""A program that writes events: `writers.py PATH NAME EVENTS [max_size compress [keys]]`."""

from __future__ import annotations

import sys
from pathlib import Path

from gatewaylog import AccessLog, IncomingRequest
from gatewaylog.seal.keys import CHAIN_KEY, SIGNING_KEY


def main(path: str, name: str, events: str, *keeping: str) -> None:
    max_size, compress, keys = (*keeping, "", "", "")[:3]
    log = AccessLog(
        path,
        max_size=max_size,
        compress=compress,
        tamper_evident=bool(keys),
        chain_key_file=str(Path(keys) / CHAIN_KEY) if keys else "",
        signing_key_file=str(Path(keys) / SIGNING_KEY) if keys else "",
    )
    for number in range(int(events)):
        if not log.write(IncomingRequest(api=name, request_in_url=f"/{number}")):
            sys.exit(1)
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
