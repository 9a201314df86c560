"""The shipped logrotate configuration: a real logrotate moves a log that is being written to."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from gatewaylog import AccessLog, IncomingRequest
from gatewaylog.reader import entries
from tests.integrations import hostile_log
from tests.integrations.shipped_paths import moved
from tests.integrations.tools import SHIPPED, tool
from tests.system.test_rotation import settled
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

EVENTS = hostile_log.COUNT
ROTATIONS = 4


class Writing:
    """Writes events until enough are there and it is told to end."""

    def __init__(self, log: AccessLog) -> None:
        self.count = 0
        self._log = log
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        while self.count < EVENTS or not self._enough.is_set():
            assert self._log.write(IncomingRequest(api="a--B:v1", request_in_url=f"/{self.count}"))
            self.count += 1
            self._enough.wait(0 if self._enough.is_set() else 0.001)

    def end(self) -> None:
        self._enough.set()
        self._thread.join()


def rotate(command: list[str], folder: Path, number: int) -> None:
    """Rotate for the `number`th time: again where it is still the second of the last rotation."""

    def is_rotated() -> bool:
        subprocess.run(command, capture_output=True, check=False)
        return len([file for file in folder.iterdir() if "-2" in file.name]) == number

    wait_for(is_rotated)


def test_no_event_is_lost_while_the_log_is_rotated(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir(mode=0o750)
    path = folder / "api-access.log"
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    settings = tmp_path / "logrotate.conf"
    owner: dict[str, object] = {"su gatewaylog gatewaylog": f"su {user} {group}"}
    settings.write_text(moved("logrotate/gatewaylog", owner | {"/var/log/gatewaylog": folder}))
    command = [tool("logrotate"), "--force", "--state", str(tmp_path / "state"), str(settings)]
    log = AccessLog(path)
    writing = Writing(log)
    try:
        for number in range(1, ROTATIONS + 1):
            rotate(command, folder, number)
            wait_for(lambda: path.exists() and settled(path))
    finally:
        writing.end()
        log.close()
    names = sorted(file.name for file in folder.iterdir())
    assert sum(name.endswith(".gz") for name in names) == ROTATIONS - 1
    read = Counter(hostile_log.read(entry.raw).call.request_in_url for entry in entries(folder))
    assert read == Counter(f"/{number}" for number in range(writing.count))
    assert writing.count >= EVENTS


def test_the_file_is_renamed_and_never_cut() -> None:
    text = (SHIPPED / "logrotate" / "gatewaylog").read_text()
    options = [line.strip() for line in text.splitlines() if not line.strip().startswith("#")]
    assert "copytruncate" not in options
    assert "delaycompress" in options
    assert any("SIGUSR1 gatewaylog.service" in option for option in options)
