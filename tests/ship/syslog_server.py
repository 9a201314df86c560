"""A syslog server as a test plays it, and rsyslog itself."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import struct
import subprocess
import threading
from typing import TYPE_CHECKING

from tests.requirements import program
from tests.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

_MESSAGE = re.compile(rb"<(\d+)>1 (\S+) (\S+) (\S+) - (\S+) - (.*)", re.DOTALL)
_RESET = struct.pack("ii", 1, 0)


class SyslogServer:
    """Reads RFC 5424 with octet counting; `breaks` are how many bytes connections last."""

    def __init__(self, secured: ssl.SSLContext | None = None) -> None:
        self.heads: list[tuple[bytes, ...]] = []
        self.lines: list[str] = []
        self.breaks: list[int] = []
        self.connections = 0
        self._secured = secured
        self._open: socket.socket
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                with contextlib.suppress(OSError, ValueError):
                    if self._secured is not None:
                        connection = self._secured.wrap_socket(connection, server_side=True)
                    self._open = connection
                    self._read(connection, self.breaks.pop(0) if self.breaks else -1)
                connection.close()

    def _read(self, connection: socket.socket, left: int) -> None:
        held = b""
        while piece := connection.recv(4096):
            held += piece
            held = self._taken(held)
            if left >= 0 and (left := left - len(piece)) <= 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                return

    def _taken(self, held: bytes) -> bytes:
        while (mark := held.find(b" ")) > 0:
            end = mark + 1 + int(held[:mark])
            if len(held) < end:
                break
            self.take(held[mark + 1 : end])
            held = held[end:]
        return held

    def take(self, message: bytes) -> None:
        found = _MESSAGE.fullmatch(message)
        assert found, message
        self.heads.append(found.groups()[:-1])
        self.lines.append(found[6].decode())

    def hang_up(self) -> None:
        """Close the connection that is open, in order."""
        self._open.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()


class Rsyslog:
    """A real rsyslogd that writes what it gets to a file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.file = folder / "got"
        self.unix = folder / "socket"
        self.port = _free_port()
        self._config = folder / "rsyslog.conf"
        self._config.write_text(f"""\
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imtcp") module(load="imudp")
module(load="imuxsock" sysSock.use="off")
input(type="imtcp" port="{self.port}" address="127.0.0.1")
input(type="imudp" port="{self.port}" address="127.0.0.1")
input(type="imuxsock" socket="{self.unix}" useSpecialParser="off" parseHostname="on"
  rateLimit.interval="0")
template(name="told" type="string" string="%hostname% %app-name% %msgid% %syslogseverity%%msg%\\n")
action(type="omfile" file="{self.file}" template="told")
""")
        self._pid = folder / "pid"
        self._process: subprocess.Popen[bytes] | None = None

    def configured_by(self, page: str) -> None:
        """Run by the configuration that the documentation shows."""
        text = page.replace("/var/log/gatewaylog.log", str(self.file)).replace(
            "601", str(self.port)
        )
        self._config.write_text(f'global(workDirectory="{self.file.parent}")\n{text}')

    def start(self) -> None:
        arguments = ["-n", "-f", str(self._config), "-i", str(self._pid)]
        self._process = subprocess.Popen([program("rsyslogd"), *arguments])
        wait_for(self._listens)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "rsyslogd did not begin"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(PATIENCE)
        self._pid.unlink(missing_ok=True)

    @property
    def got(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []


@contextlib.contextmanager
def rsyslog(folder: Path) -> Iterator[Rsyslog]:
    found = Rsyslog(folder)
    found.start()
    try:
        yield found
    finally:
        found.end(signal.SIGKILL)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
