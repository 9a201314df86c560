"""A program that writes events: `writers.py PATH NAME EVENTS [max_size compress]`."""

from __future__ import annotations

import sys

from gatewaylog import AccessLog, IncomingRequest


def main(path: str, name: str, events: str, *keeping: str) -> None:
    max_size, compress = keeping or ("", "")
    log = AccessLog(path, max_size=max_size, compress=compress)
    for number in range(int(events)):
        if not log.write(IncomingRequest(api=name, request_in_url=f"/{number}")):
            sys.exit(1)
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
