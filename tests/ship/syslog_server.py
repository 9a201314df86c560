"""A syslog server as a test plays it, and rsyslog and syslog-ng themselves."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import struct
import subprocess
import threading
from typing import TYPE_CHECKING

from tests.integrations.tools import tool
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


class RealServer:
    """A syslog server that writes what it gets to a file, as `_config` tells it."""

    def __init__(self, folder: Path, text: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.file = folder / "got"
        self.unix = folder / "socket"
        self.port = _free_port()
        self.config = folder / "conf"
        self.config.write_text(
            text.format(folder=folder, file=self.file, unix=self.unix, port=self.port)
        )
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        self._process = subprocess.Popen(self.command())
        wait_for(self._listens)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.command()[0]} did not begin"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            (self.folder / "pid").unlink(missing_ok=True)

    @property
    def got(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []


class Rsyslog(RealServer):
    """rsyslogd, over TCP, UDP and a unix socket."""

    TEXT = """\
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imtcp") module(load="imudp")
module(load="imuxsock" sysSock.use="off")
input(type="imtcp" port="{port}" address="127.0.0.1")
input(type="imudp" port="{port}" address="127.0.0.1")
input(type="imuxsock" socket="{unix}" useSpecialParser="off" parseHostname="on"
  rateLimit.interval="0")
template(name="told" type="string" string="%hostname% %app-name% %msgid% %syslogseverity%%msg%\\n")
action(type="omfile" file="{file}" template="told")
"""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, self.TEXT)

    def command(self) -> list[str]:
        return [program("rsyslogd"), "-n", "-f", str(self.config), "-i", str(self.folder / "pid")]

    def configured_by(self, page: str) -> None:
        """Run by the configuration that the documentation shows."""
        text = page.replace("/var/log/gatewaylog.log", str(self.file)).replace(
            "601", str(self.port)
        )
        self.config.write_text(f'global(workDirectory="{self.folder}")\n{text}')


class SyslogNg(RealServer):
    """syslog-ng, over TCP; scripts/tools unpacks it, as it can't be installed beside rsyslog."""

    TEXT = """\
@version: 3.35
options {{ keep-hostname(yes); log-msg-size(65536); }};
source s {{ syslog(ip("127.0.0.1") port({port}) transport("tcp")); }};
destination d {{
  file("{file}" template("${{HOST}} ${{PROGRAM}} ${{MSGID}} ${{LEVEL_NUM}}${{MESSAGE}}\\n"));
}};
log {{ source(s); destination(d); flags(flow-control); }};
"""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, self.TEXT)

    def command(self) -> list[str]:
        names = ("persist-file", "pidfile", "control")
        own = [f"--{name}={self.folder / name}" for name in names]
        return [tool("syslog-ng"), "-F", "--no-caps", "-f", str(self.config), *own]


@contextlib.contextmanager
def at_work(server: RealServer) -> Iterator[None]:
    """Run a server until the end of the block."""
    try:
        server.start()
        yield
    finally:
        server.end(signal.SIGKILL)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
