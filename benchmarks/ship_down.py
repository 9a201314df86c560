"""What calls cost while a destination is down for good with a million lines behind, the log being
rotated meanwhile: two gateways side by side, one without a shipper.

    python benchmarks/ship_down.py [--to loki|database] [--lines 1000000] [--runs 7] [--seconds 3]
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateways import BACKEND, TEMPORARY, nginx
from harness import Peer, free_port, needs, running, side_by_side, table
from search_log import write

GATEWAY = """
[server]
listen = "127.0.0.1:{port}"
[log]
path = "{folder}/api-access.log"
max_size = "20MB"
[[api]]
name = "Hello"
context = "/hello"
backend = "http://127.0.0.1:{backend}"
auth = "none"
"""
SHIP = """
[[ship]]
to = "{to}"
url = "{url}"
state = "{folder}/ship"
"""
URLS = {"loki": "http://127.0.0.1:{}", "database": "postgresql://gatewaylog@127.0.0.1:{}/nowhere"}
WITHOUT, DOWN = "no shipper", "a destination that is down"


def gateway(name: str, folder: Path, text: str, port: int) -> Peer:
    config = folder / "gateway.toml"
    config.write_text(text)
    command = (sys.executable, "-m", "gatewaylog", "serve", str(config))
    return Peer(name=name, command=command, port=port, path="/hello", output=folder / "output")


def shippers_memory() -> dict[int, int]:
    """Return the memory that each shipper that runs has now (VmRSS), in KiB."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"gatewaylog.ship\0" in (folder / "cmdline").read_bytes():
                status = (folder / "status").read_text()
                found[int(folder.name)] = int(re.findall(r"VmRSS:\s+(\d+)", status)[0])
        except (OSError, IndexError):
            continue
    return found


def watched_memory(over: threading.Event, others: set[int]) -> list[int]:
    """Return the memory of the shipper that is not among `others`, each half second."""
    sizes = []
    while not over.wait(0.5):
        sizes += [size for pid, size in shippers_memory().items() if pid not in others]
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", choices=URLS, default="loki")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    needs("wrk", "nginx")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backend = free_port()
        configuration = folder / "backend.conf"
        temporary = TEMPORARY.format(folder=folder)
        configuration.write_text(BACKEND.format(folder=folder, port=backend, temporary=temporary))
        answering = Peer(name="backend", command=nginx(configuration), port=backend)
        peers = []
        for kind in (WITHOUT, DOWN):
            own = folder / kind.replace(" ", "-")
            own.mkdir()
            write(own / "api-access.log.1", options.lines)
            url = URLS[options.to].format(free_port())
            values = {"folder": own, "backend": backend, "to": options.to, "url": url}
            text = GATEWAY + SHIP * (kind == DOWN)
            port = free_port()
            peers.append(gateway(kind, own, text.format(port=port, **values), port))
        over = threading.Event()
        with running(answering), ThreadPoolExecutor(1) as aside:
            memory = aside.submit(watched_memory, over, set(shippers_memory()))
            try:
                loads = side_by_side(peers, runs=options.runs, seconds=options.seconds)
            finally:
                over.set()
    print(table(loads, base=WITHOUT))
    rates = {kind: statistics.median(one.rate for one in runs) for kind, runs in loads.items()}
    print(f"\nrequests/s: {rates[DOWN] / rates[WITHOUT]:.3f} of those without a shipper")
    sizes = memory.result()
    moments = [sizes[len(sizes) * part // 4] / 1024 for part in (1, 2, 3)] + [sizes[-1] / 1024]
    told = ", ".join(f"{size:.0f}" for size in moments)
    print(f"memory of the shipper after each quarter of {len(sizes) / 2:.0f} s: {told} MB")


if __name__ == "__main__":
    main()
