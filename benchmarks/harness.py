"""What all benchmarks share: programs under load, CPU-seconds, medians, a table with ratios."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TICKS = os.sysconf("SC_CLK_TCK")
_LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)", re.MULTILINE)
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(slots=True, kw_only=True)
class Peer:
    """A program to be measured: how it is started, and what is asked of it."""

    name: str
    command: Sequence[str]
    port: int
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    output: Path | None = None
    script: Path | None = None  # for wrk: which requests to send


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One run: requests, seconds, CPU-seconds of the program, latencies in milliseconds."""

    requests: int
    seconds: float
    cpu: float
    p50: float
    p99: float
    failed: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def per_cpu(self) -> float:
        return self.requests / max(self.cpu, 0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def needs(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise SystemExit(f"benchmarks: {', '.join(missing)} not installed: scripts/bench does that")


@contextlib.contextmanager
def running(peer: Peer) -> Iterator[int]:
    """Run a peer in a session of its own; give the session's id."""
    with contextlib.ExitStack() as stack:
        output = subprocess.DEVNULL
        if peer.output is not None:
            output = stack.enter_context(peer.output.open("ab"))
        process = subprocess.Popen(
            peer.command,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=os.environ | peer.environment,
        )
        try:
            wait_for(peer.port)
            yield process.pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port}")


def cpu_seconds(session: int) -> float:
    """Return the CPU-seconds that all processes of a session have used, the ended ones' too."""
    used = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                used += int(fields[11]) + int(fields[12])
    return used / _TICKS


def load(peer: Peer, session: int, *, seconds: float, connections: int = 32) -> Load:
    """Drive a peer with wrk."""
    headers = [part for item in peer.headers.items() for part in ("-H", ": ".join(item))]
    script = ["-s", str(peer.script)] if peer.script else []
    before, began = cpu_seconds(session), time.monotonic()
    done = subprocess.run(
        [
            "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *headers, *script,
            f"http://127.0.0.1:{peer.port}{peer.path}",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    took = time.monotonic() - began
    latency = {
        percentile: float(value) * _MILLISECONDS[unit]
        for percentile, value, unit in _LATENCY.findall(done.stdout)
    }
    requests = re.search(r"(\d+) requests in", done.stdout)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    if requests is None:
        raise SystemExit(f"{peer.name}: {done.stdout}")
    return Load(
        requests=int(requests[1]),
        seconds=took,
        cpu=cpu_seconds(session) - before,
        p50=latency["50"],
        p99=latency["99"],
        failed=int(failed[1]) if failed else 0,
    )


def side_by_side(
    peers: Sequence[Peer], *, runs: int, seconds: float, connections: int = 32
) -> dict[str, list[Load]]:
    """Measure all peers in turn, `runs` times; each runs the whole time and is warmed up."""
    loads: dict[str, list[Load]] = {peer.name: [] for peer in peers}
    with contextlib.ExitStack() as stack:
        sessions = {peer.name: stack.enter_context(running(peer)) for peer in peers}
        for peer in peers:
            load(peer, sessions[peer.name], seconds=1, connections=connections)
        for _ in range(runs):
            for peer in peers:
                one = load(peer, sessions[peer.name], seconds=seconds, connections=connections)
                if one.failed:
                    raise SystemExit(f"{peer.name}: {one.failed} of {one.requests} calls failed")
                loads[peer.name].append(one)
    return loads


def table(loads: dict[str, list[Load]], *, base: str) -> str:
    """Return medians, and ratios of requests per CPU-second to those of `base`."""
    lines = [
        f"| | requests/s | requests/CPU-s | p50 ms | p99 ms | per CPU-s against {base} |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    reference = statistics.median(one.per_cpu for one in loads[base])
    for name, runs in loads.items():
        per_cpu = statistics.median(one.per_cpu for one in runs)
        lines.append(
            f"| {name} | {statistics.median(one.rate for one in runs):,.0f} | {per_cpu:,.0f} "
            f"| {statistics.median(one.p50 for one in runs):.2f} "
            f"| {statistics.median(one.p99 for one in runs):.2f} | {per_cpu / reference:.2f} |"
        )
    return "\n".join(lines)


def ratio(loads: dict[str, list[Load]], one: str, other: str) -> float:
    """Return how many times the requests per CPU-second of `other` `one` does: of the medians."""
    return statistics.median(run.per_cpu for run in loads[one]) / statistics.median(
        run.per_cpu for run in loads[other]
    )
