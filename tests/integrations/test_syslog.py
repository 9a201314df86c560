"""The shipped rsyslog and syslog-ng: each runs, and has every line that is shipped to it."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.integrations import hostile_log
from tests.integrations.shipped_paths import moved
from tests.integrations.tools import tool
from tests.ship.logs import once
from tests.system.servers import free_port
from tests.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system


@contextlib.contextmanager
def listening(command: list[str], port: int) -> Iterator[None]:
    """Run a server until the end of the block."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: process.poll() is not None or is_open(port))
        assert process.poll() is None, f"{command} did not begin"
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def is_open(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def rsyslog(folder: Path, port: int) -> list[str]:
    config = folder / "rsyslog.conf"
    text = moved(
        "syslog/rsyslog.conf", {"/var/log/gatewaylog": folder, 'port="601"': f'port="{port}"'}
    )
    config.write_text(text)
    return [tool("rsyslogd"), "-n", "-f", str(config), "-i", str(folder / "pid")]


def syslog_ng(folder: Path, port: int) -> list[str]:
    config = folder / "syslog-ng.conf"
    text = moved(
        "syslog/syslog-ng.conf", {"/var/log/gatewaylog": folder, "port(601)": f"port({port})"}
    )
    config.write_text(text)
    own = [f"--{name}={folder / name}" for name in ("persist-file", "pidfile", "control")]
    return [tool("syslog-ng"), "--foreground", "--no-caps", "--cfgfile", str(config), *own]


@pytest.mark.parametrize("server", [rsyslog, syslog_ng])
def test_every_line_that_is_shipped_is_in_its_file(server: object, tmp_path: Path) -> None:
    assert callable(server)
    log, port = tmp_path / "api-access.log", free_port()
    lines = hostile_log.write(log)
    received = tmp_path / "received.log"
    with listening(server(tmp_path, port), port):
        once(log, tmp_path / "state", to="syslog", url=f"tcp://127.0.0.1:{port}")
        wait_for(lambda: received.exists() and received.read_bytes().count(b"\n") >= len(lines))
    assert received.read_bytes().split(b"\n")[:-1] == [*lines]


def test_rsyslog_finds_no_fault(tmp_path: Path) -> None:
    command = rsyslog(tmp_path, free_port())
    checked = subprocess.run([*command, "-N1"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "error" not in checked.stderr


def test_syslog_ng_finds_no_fault(tmp_path: Path) -> None:
    command = syslog_ng(tmp_path, free_port())
    checked = subprocess.run([*command, "-s"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr, checked.stderr
