"""Events a second that each shipper sustains, and what it takes, beside destinations that do no
more than count: the shipper's own limit, on one connection, batch after batch.

python benchmarks/ship.py [--lines 200000]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from search_log import write

ROWS = ("loki", "splunk", "otlp", "clickhouse", "syslog, TCP", "syslog, UDP", "command (cat)")


class Taker(BaseHTTPRequestHandler):
    """Says yes to all that is posted."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"text":"Success","code":0}' if "collector" in self.path else b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def take() -> None:
    """Be the destinations, in a process of its own: HTTP, TCP and UDP, until stdin ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    for target in (server.serve_forever, lambda: drain_tcp(tcp), lambda: drain_udp(udp)):
        threading.Thread(target=target, daemon=True).start()
    ports = {"http": server.server_port, "tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1]}
    print(json.dumps(ports), flush=True)
    sys.stdin.read()


def drain_tcp(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            while connection.recv(1 << 18):
                pass


def drain_udp(receiver: socket.socket) -> None:
    while True:
        receiver.recv(1 << 16)


@contextlib.contextmanager
def destinations():
    with subprocess.Popen(
        [sys.executable, __file__, "--take"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


def arguments_of(row: str, ports: dict[str, int]) -> list[str]:
    name = row.replace(",", " ").partition(" ")[0]
    web = f"http://127.0.0.1:{ports['http']}"
    urls = {"syslog, TCP": f"tcp://127.0.0.1:{ports['tcp']}"}
    urls["syslog, UDP"] = f"udp://127.0.0.1:{ports['udp']}"
    if name == "command":
        return ["--to", name, "--command", "sh -c 'cat > /dev/null'"]
    return ["--to", name, "--url", urls.get(row, web)]


def shipped(log: Path, arguments: list[str], state: Path) -> tuple[float, float, float]:
    """Return the seconds, the CPU seconds and the memory (MB) that one shipper took."""
    command = [sys.executable, "-m", "gatewaylog", "ship", str(log), *arguments, "--once"]
    began = time.monotonic()
    process = subprocess.Popen(
        [*command, "--state", str(state)], env=os.environ | {"GATEWAYLOG_SHIP_TOKEN": "t"}
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    spent = usage.ru_utime + usage.ru_stime
    return time.monotonic() - began, spent, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--take", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.take:
        take()
        return
    with tempfile.TemporaryDirectory() as folder, destinations() as ports:
        log = Path(folder) / "api-access.log"
        write(log, options.lines)
        print("| to | events/s | events/CPU-s | peak memory |")
        print("| --- | ---: | ---: | ---: |")
        for number, row in enumerate(ROWS):
            state = Path(folder) / f"state{number}"
            wall, spent, memory = shipped(log, arguments_of(row, ports), state)
            rates = f"{options.lines / wall:,.0f} | {options.lines / spent:,.0f}"
            print(f"| {row} | {rates} | {memory:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
