"""What a request costs behind uvicorn with each engine: requests per CPU-second.

    python benchmarks/engines.py [--runs 5] [--seconds 3] [--only NAME…]

A bare ASGI application under uvicorn (httptools, uvloop) forwards each GET to a backend that
answers "hello world" (nginx where there is one), driven by wrk. CPU-seconds are those of the
process that forwards, uvicorn's own share included; the median of the runs is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import multiprocessing
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewaylog.gateway.upstream import Engine, Origin, Timeouts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from multiprocessing.connection import Connection

    Forward = Callable[[bytes, list[tuple[bytes, bytes]]], Awaitable[tuple[int, Any, bytes]]]

NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
  uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  server {{ listen 127.0.0.1:{port};
    location / {{ default_type text/plain; return 200 "hello world"; }} }}
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def backend() -> Iterator[int]:
    """Run nginx, or uvicorn where there is none."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "conf").write_text(NGINX.format(folder=folder, port=port))
        command = ["nginx", "-c", f"{folder}/conf", "-e", f"{folder}/error"]
        if shutil.which("nginx") is None:
            command = [sys.executable, __file__, "--backend", str(port)]
        process = subprocess.Popen(command)
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
    raise SystemExit(f"nothing listens on port {port}")


def through(engine: Engine, port: int) -> Forward:
    """Forward with an engine of the gateway."""
    origin = Origin(host="127.0.0.1", port=port)
    timeouts = Timeouts()

    async def forward(
        target: bytes, headers: list[tuple[bytes, bytes]]
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        response = await engine.send(origin, b"GET", target, headers, None, timeouts)
        body = b""
        while not response.finished:
            body += await response.read()
        await response.aclose()
        return response.status, response.headers, body

    return forward


def ours(port: int) -> Forward:
    from gatewaylog.gateway.upstream.httptools_engine import HttptoolsEngine

    return through(HttptoolsEngine(), port)


def httpx(port: int) -> Forward:
    from gatewaylog.gateway.upstream.httpx_engine import HttpxEngine

    return through(HttpxEngine(), port)


def aiohttp(port: int) -> Forward:
    import aiohttp as client

    connector = client.TCPConnector(limit=0)
    session = client.ClientSession(connector=connector, auto_decompress=False)

    async def forward(
        target: bytes, headers: list[tuple[bytes, bytes]]
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        lines = [(name.decode(), value.decode()) for name, value in headers]
        url = f"http://127.0.0.1:{port}{target.decode()}"
        async with session.get(url, headers=lines) as response:
            return response.status, list(response.raw_headers), await response.read()

    return forward


def pyreqwest(port: int) -> Forward:
    from pyreqwest.client import ClientBuilder

    client = ClientBuilder().build()

    async def forward(
        target: bytes, headers: list[tuple[bytes, bytes]]
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        lines = [(name.decode(), value.decode()) for name, value in headers]
        request = client.get(f"http://127.0.0.1:{port}{target.decode()}").headers(lines).build()
        response = await request.send()
        answer = [(name.encode(), value.encode()) for name, value in response.headers.items()]
        return response.status, answer, bytes(await response.bytes())

    return forward


def nothing(_port: int) -> Forward:
    """Answer without a backend: uvicorn's own share."""
    lines = [(b"content-type", b"text/plain"), (b"content-length", b"11")]

    async def forward(
        _target: bytes, _headers: list[tuple[bytes, bytes]]
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        return 200, lines, b"hello world"

    return forward


ENGINES = {
    "(no backend)": nothing,
    "HttptoolsEngine": ours,
    "HttpxEngine": httpx,
    "aiohttp": aiohttp,
    "pyreqwest": pyreqwest,
}
OPTIONAL = ("aiohttp", "pyreqwest")  # measured where they are installed


def application(make: Callable[[int], Forward], port: int) -> Callable[..., Awaitable[None]]:
    forward: Forward | None = None

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        nonlocal forward
        if forward is None:
            forward = make(port)
        status, headers, body = await forward(scope["raw_path"], scope["headers"])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def serve(name: str, backend_port: int, port: int, wire: Connection) -> None:
    """Serve until told to stop; answer every message with the CPU-seconds used so far."""
    import uvicorn

    app = application(ENGINES[name], backend_port)
    config = uvicorn.Config(
        app, port=port, http="httptools", loop="uvloop", log_level="error", lifespan="off",
        access_log=False, server_header=False, date_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)

    def asked() -> None:
        wire.recv()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        wire.send(usage.ru_utime + usage.ru_stime)

    async def run() -> None:
        asyncio.get_running_loop().add_reader(wire.fileno(), asked)
        await server.serve()

    import uvloop

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(run())


def drive(port: int, seconds: int) -> float:
    """Run wrk; return the number of requests."""
    result = subprocess.run(
        ["wrk", "-t1", "-c32", f"-d{seconds}s", f"http://127.0.0.1:{port}/hello"],
        check=True,
        capture_output=True,
        text=True,
    )
    if "Non-2xx" in result.stdout or "Socket errors" in result.stdout:
        print(result.stdout, file=sys.stderr)
    return float(result.stdout.split(" requests in ")[0].split()[-1])


def measure(name: str, backend_port: int, runs: int, seconds: int) -> tuple[float, float]:
    """Return requests per CPU-second and CPU microseconds per request, medians."""
    here, there = multiprocessing.Pipe()
    port = free_port()
    arguments = (name, backend_port, port, there)
    process = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
    process.start()
    try:
        wait_for(port)
        drive(port, 1)
        rates = []
        for _ in range(runs):
            before = used(here)
            requests = drive(port, seconds)
            rates.append(requests / (used(here) - before))
    finally:
        process.terminate()
        process.join()
    rate = statistics.median(rates)
    return rate, 1e6 / rate


def used(wire: Connection) -> float:
    wire.send(None)
    seconds: float = wire.recv()
    return seconds


def serve_backend(port: int) -> None:
    import uvicorn

    config = uvicorn.Config(application(nothing, 0), port=port, log_level="error")
    uvicorn.Server(config).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--backend", type=int)
    options = parser.parse_args()
    if options.backend:
        serve_backend(options.backend)
        return
    results = {}
    with backend() as port:
        for name in options.only:
            if name in OPTIONAL and importlib.util.find_spec(name) is None:
                continue
            results[name] = measure(name, port, options.runs, options.seconds)
            if not options.json:
                rate, cost = results[name]
                print(f"{name:<16} {rate:>8.0f} requests/CPU-s {cost:>7.1f} µs/request")
    if options.json:
        print(json.dumps({name: rate for name, (rate, _) in results.items()}))


if __name__ == "__main__":
    main()
