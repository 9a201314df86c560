"""Servers in processes of their own, around the applications of this folder."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gatewaylog.testing import CapturedExchange, CapturedLog
from tests.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, as a client that dies


class Program:
    """A Python program that listens on `port` and writes to `log`, until the end of a `with`.

    `command` is what follows `python`; `{port}` in it and in `environ` is replaced by a free one.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self.command = command
        self.port = free_port()
        self.log_path = folder / "api.log"
        self._output_path = folder / "output.txt"
        with self._output_path.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *(part.format(port=self.port) for part in command)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "LOG": str(self.log_path),
                    **{
                        name: value.format(port=self.port)
                        for name, value in (environ or {}).items()
                    },
                },
            )

    def __enter__(self) -> Self:
        try:
            wait_for(self._answers_or_died)
            assert self.process.poll() is None, f"did not start:\n{self.output}"
            wait_for(self._has_its_workers)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _answers_or_died(self) -> bool:
        if self.process.poll() is not None:
            return True
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def _has_its_workers(self) -> bool:
        """Say whether granian has all of its workers: one that is just starting misses SIGTERM."""
        output = self.output
        return output.count("Started worker-") == output.count("Spawning worker-")

    @property
    def output(self) -> str:
        """What the program and its children have printed."""
        return self._output_path.read_text(errors="replace")

    @property
    def log(self) -> CapturedLog:
        """The log as it is now."""
        raw = self.log_path.read_bytes() if self.log_path.exists() else b""
        return CapturedLog(raw.splitlines(keepends=True))

    def exchange(self, url: str) -> CapturedExchange:
        """Wait for the call of `url` to have its end; all the log must be linked by then."""
        return wait_for(lambda: self._ended(url))

    def _ended(self, url: str) -> CapturedExchange | None:
        for exchange in self.log.exchanges:
            events = [event for event in (exchange.incoming, *exchange.terminals) if event]
            if exchange.terminals and events[0].request_in_url == url:
                return exchange
        return None

    def arrived(self, url: str) -> None:
        """Wait for the INCOMING_REQUEST of `url`."""
        wait_for(lambda: any(event.request_in_url == url for event in self.log.incoming))

    def request(
        self, method: str, url: str, body: bytes | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Call `url` and return the answer and its whole body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, url, body)
            response = connection.getresponse()
            return response, response.read()

    def connect(self, sent: bytes) -> socket.socket:
        """Open a connection and send bytes."""
        connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        connection.sendall(sent)
        return connection

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to the program, not to its children."""
        self.process.send_signal(number)

    def stopped(self) -> int:
        """Wait for the program to end by itself; return its exit status."""
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End the program and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def abort(connection: socket.socket) -> None:
    """Close a connection as a client that dies: with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()
