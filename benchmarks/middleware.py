"""(b) The middleware around a bare ASGI application under uvicorn, against uvicorn's access log.

python benchmarks/middleware.py [--runs 5] [--seconds 4]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from harness import Peer, free_port, needs, side_by_side, table

HERE = Path(__file__).parent


def peer(name: str, folder: Path, *options: str, around: str = "") -> Peer:
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "--app-dir", str(HERE), "bare_app:app",
        "--port", str(port), "--lifespan", "off", "--http", "httptools", "--loop", "uvloop",
        *options,
    ]  # fmt: skip
    environment = {"AROUND": around, "LOG": str(folder / "api-access.log")}
    output = folder / f"{name.replace(' ', '-')}.out"
    return Peer(name=name, command=command, port=port, environment=environment, output=output)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--seconds", type=int, default=4)
    chosen = options.parse_args()
    needs("wrk")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quiet = ("--no-access-log", "--log-level", "warning")
        peers = [
            peer("no log", folder, *quiet),
            peer("uvicorn --access-log", folder, "--access-log"),
            peer("gatewaylog middleware", folder, *quiet, around="gatewaylog"),
        ]
        loads = side_by_side(peers, runs=chosen.runs, seconds=chosen.seconds)
    print(table(loads, base="uvicorn --access-log"))


if __name__ == "__main__":
    main()
