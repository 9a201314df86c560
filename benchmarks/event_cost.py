"""(a) The cost of an event, encoded and written one by one, against `os.write` and `logging`; and
what Writer and Seq, rotation, `tamper_evident` and `durability = "disk"` add to it.

python benchmarks/event_cost.py [--runs 5] [--events 50000]
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog import AccessLog, IncomingRequest, RequestComplete
from gatewaylog.seal.keys import CHAIN_KEY, SIGNING_KEY, make_keys

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
        print(f"\n{ADDED_HEAD}")
        for event in (INCOMING, COMPLETE):
            with tempfile.TemporaryDirectory() as own:
                print(added(Path(own), event, chosen.runs, chosen.events))
        print(f"\n{DISK_HEAD}")
        for waiting in (1, 8, 64):
            print(on_disk(Path(folder), waiting))


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


ADDED_HEAD = """\
| event | without Writer and Seq µs | with them µs | rotated at 1 MiB µs | with Chain µs |
| --- | ---: | ---: | ---: | ---: |"""
DISK_HEAD = """\
| `durability = "disk"`: calls at the same time | events/s | fsyncs/s | ms a call waits, median |
| ---: | ---: | ---: | ---: |"""


def added(folder: Path, event: IncomingRequest | RequestComplete, runs: int, events: int) -> str:
    """Return what an event costs without its numbers, with them, in files that are rotated, and in
    a chain.
    """
    logs = {"without": AccessLog(folder / "without"), "with": AccessLog(folder / "with")}
    logs["rotated"] = AccessLog(folder / "rotated", max_size="1MiB")
    make_keys(folder / "keys")
    logs["chained"] = AccessLog(
        folder / "chained",
        tamper_evident=True,
        chain_key_file=str(folder / "keys" / CHAIN_KEY),
        signing_key_file=str(folder / "keys" / SIGNING_KEY),
    )
    logs["without"]._writer._encode = _unnumbered(logs["without"])  # noqa: SLF001
    costs: dict[str, list[float]] = {name: [] for name in logs}
    for _ in range(runs):
        for name, log in logs.items():
            costs[name].append(each(lambda log=log: log.write(event), events))
    for log in logs.values():
        log.close()
    shown = " | ".join(f"{statistics.median(costs[name]):.2f}" for name in logs)
    return f"| {type(event).__name__} | {shown} |"


def _unnumbered(log: AccessLog) -> Callable[..., bytes]:
    encode = log._format.encode  # noqa: SLF001
    return lambda event, now, thread, writer, seq: encode(event, now, thread)


def on_disk(folder: Path, waiting: int, seconds: float = 2.0) -> str:
    """Return how many events a second so many calls write that each wait for the disk."""
    log = AccessLog(folder / f"disk-{waiting}", durability="disk")
    syncs, waits = [0], []
    sync = log.sink.sync  # type: ignore[attr-defined]

    def counted() -> str | None:
        syncs[0] += 1
        return sync()

    log.sink.sync = counted  # type: ignore[attr-defined]
    until = time.monotonic() + seconds

    def call() -> None:
        while (began := time.monotonic()) < until:
            log.write(INCOMING)
            log.disk.wait()
            waits.append(time.monotonic() - began)

    threads = [threading.Thread(target=call) for _ in range(waiting)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    return (
        f"| {waiting} | {len(waits) / seconds:,.0f} | {syncs[0] / seconds:,.0f} "
        f"| {statistics.median(waits) * 1000:.2f} |"
    )


if __name__ == "__main__":
    main()
