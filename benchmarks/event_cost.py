"""(a) The cost of an event, encoded and written one by one, against `os.write` and `logging`.

python benchmarks/event_cost.py [--runs 5] [--events 50000]
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog import AccessLog, IncomingRequest, RequestComplete

if TYPE_CHECKING:
    from collections.abc import Callable

_ID = "urn:uuid:c78c4359-8efe-49a2-b442-f020ae595df1"
_AGENT = "check_http/v2.0.3 (nagios-plugins 2.0.3)"
_CALL = ("lzelus--Echo:v1.0.0", "/echo/1.0.0/noauth?x=1", "GET")
INCOMING = IncomingRequest(_ID, *_CALL, _AGENT, "127.0.0.1")
COMPLETE = RequestComplete(
    message_id=_ID,
    api=_CALL[0],
    response_to=_ID,
    application_name="mobile",
    end_user_name="lzelus",
    status_code=200,
    request_out_url="https://api-qa.example.edu:8243/_echo/noauth?x=1",
    request_out_method="GET",
    request_in_url=_CALL[1],
    request_in_method="GET",
    user_agent=_AGENT,
    remote_ip="127.0.0.1",
    outcome="complete",
    duration_ms=8.912,
    backend_ms=7.344,
    bytes_in=0,
    bytes_out=512,
    attempts=1,
)


def each(action: Callable[[], object], events: int) -> float:
    """Return the CPU-microseconds that one call of `action` takes."""
    began = time.process_time()
    for _ in range(events):
        action()
    return (time.process_time() - began) / events * 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--events", type=int, default=50_000)
    chosen = options.parse_args()
    print(
        "| event | bytes | os.write µs | AccessLog.write µs | FileHandler µs"
        " | against os.write | FileHandler against it |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for event in (INCOMING, COMPLETE):
            print(row(Path(folder), event, chosen.runs, chosen.events))


def row(folder: Path, event: IncomingRequest | RequestComplete, runs: int, events: int) -> str:
    log = AccessLog(folder / "log")
    log.write(event)
    line = (folder / "log").read_bytes().splitlines(keepends=True)[-1]
    text = line.decode().rstrip("\n")
    bare = os.open(folder / "bare", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    logger = logging.getLogger("bench")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.FileHandler(folder / "handler")
    logger.handlers = [handler]
    contenders: dict[str, Callable[[], object]] = {
        "bare": lambda: os.write(bare, line),
        "ours": lambda: log.write(event),
        "handler": lambda: logger.info(text),
    }
    costs: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, action in contenders.items():
            costs[name].append(each(action, events))
    median = {name: statistics.median(values) for name, values in costs.items()}
    log.close()
    handler.close()
    os.close(bare)
    return (
        f"| {type(event).__name__} | {len(line)} | {median['bare']:.2f} | {median['ours']:.2f} "
        f"| {median['handler']:.2f} | {median['ours'] / median['bare']:.2f} "
        f"| {median['handler'] / median['ours']:.2f} |"
    )


if __name__ == "__main__":
    main()
