"""Eight processes write, rotate and pack one log, while a reader follows it: nothing is lost.

`scripts/soak rotation` does it with a million events.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.cli import run as main
from gatewaylog.formats import Line
from gatewaylog.reader import Follower, entries
from gatewaylog.sinks.retention import Retention, tidy
from gatewaylog.sinks.rotation import rotated_from
from tests.seal.sealed import judging, keys
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.reader import Entry

pytestmark = pytest.mark.system

WRITERS = Path(__file__).parent / "writers.py"
EIGHT = 8
EACH = int(os.environ.get("GATEWAYLOG_EVENTS", "100000")) // EIGHT
PATIENCE = 60 + EACH / 100  # seconds


def started(path: Path, each: int, *keeping: str) -> list[subprocess.Popen[bytes]]:
    return [
        subprocess.Popen(
            [sys.executable, str(WRITERS), str(path), f"api-{name}", str(each), *keeping]
        )
        for name in range(EIGHT)
    ]


class Counted:
    """What came of each writer: how many, and whether in its order."""

    def __init__(self) -> None:
        self.last: dict[str, int] = defaultdict(int)
        self.wrong: list[str] = []

    def take(self, found: Iterable[Entry]) -> None:
        for entry in found:
            line = entry.line
            if not isinstance(line, Line):
                self.wrong.append(f"torn: {entry!r}")
                continue
            if line.seq != self.last[line.writer or ""] + 1:
                self.wrong.append(f"{line.writer} {line.seq} after {self.last[line.writer or '']}")
            self.last[line.writer or ""] = line.seq or 0

    def numbers(self) -> list[int]:
        return sorted(self.last.values())


def ended(writers: list[subprocess.Popen[bytes]]) -> bool:
    return all(writer.poll() is not None for writer in writers)


def follow(follower: Follower, writers: list[subprocess.Popen[bytes]]) -> Counted:
    counted = Counted()

    def is_over() -> bool:
        over = ended(writers)
        counted.take(follower.poll())
        return over

    wait_for(is_over, PATIENCE)
    counted.take(follower.poll())
    return counted


@pytest.mark.parametrize("compress", ["gz", "zst"])
def test_a_follower_has_every_event_once_and_in_order_over_rotation_and_packing(
    tmp_path: Path, compress: str
) -> None:
    path = tmp_path / "api.log"
    written_and_followed(path, "1MiB", compress)
    assert tidy(path, Retention(compress=compress))
    files = [file.name for _, file in rotated_from(path)]
    assert len(files) >= 20
    assert all(name.endswith(f".{compress}") for name in files)
    assert read_again(tmp_path) == {f"api-{name}": EACH for name in range(EIGHT)}


def written_and_followed(path: Path, *keeping: str) -> None:
    path.touch(0o640)
    with Follower(path, last=None) as follower:
        writers = started(path, EACH, *keeping)
        counted = follow(follower, writers)
    assert [writer.returncode for writer in writers] == [0] * EIGHT
    assert counted.wrong == []
    assert counted.numbers() == [EACH] * EIGHT


def test_a_tamper_evident_log_is_whole_over_rotation_and_packing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir(mode=0o750)
    path = folder / "api.log"
    written_and_followed(path, "1MiB", "gz", str(keys()))
    packed = sum(file.suffix == ".gz" for _, file in rotated_from(path))
    print(f"{packed} of {len(rotated_from(path))} files were packed meanwhile")
    assert_verified(folder, capsys)
    assert tidy(path, Retention(compress="gz"))
    assert all(file.suffix == ".gz" for _, file in rotated_from(path))
    assert_verified(folder, capsys)


def assert_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = capsys.readouterr().out
    began = time.monotonic()
    assert main(["verify", str(folder), *judging()]) == 0
    told = capsys.readouterr().out
    print(f"{said}{told}verified in {time.monotonic() - began:.1f} s")
    assert f"{EACH * EIGHT} lines of {EIGHT} writers: whole\n" in told
    assert f"\n{EACH * EIGHT} lines follow the one before by their Chain\n" in told
    assert "; 0 lines are not signed yet\n" in told


def read_again(folder: Path) -> dict[str, int]:
    """Count the events of each API in a folder."""
    found: dict[str, int] = defaultdict(int)
    for entry in entries(folder):
        assert isinstance(entry.line, Line)
        found[entry.line.call.api or ""] += 1
    return dict(found)


LOGROTATE = """
{path} {{
    rotate 1000
    size 1
    missingok
    nocreate
    compress
    delaycompress
    {more}
}}
"""


@pytest.mark.parametrize("more", ["", "dateext\n    dateformat -%Y%m%d-%s"])
def test_an_outside_logrotate_that_renames_costs_no_event(tmp_path: Path, more: str) -> None:
    """The real logrotate, as often as it can; as advised, it packs a file one rotation later."""
    logrotate = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")
    if logrotate is None:
        pytest.skip("NOT TESTED: logrotate is not installed (apt-get install logrotate)")
    folder = tmp_path / "logs"
    folder.mkdir(mode=0o750)
    path = folder / "api.log"
    settings = tmp_path / "logrotate.conf"
    settings.write_text(LOGROTATE.format(path=path, more=more))
    command = [logrotate, "--force", "--state", str(tmp_path / "state"), str(settings)]
    writers = started(path, EACH)
    wait_for(path.exists)
    rotations = 0
    while not ended(writers):
        found = path.exists() and path.stat().st_size
        if found and subprocess.run(command, check=False, capture_output=True).returncode == 0:
            rotations += 1
            # A second rotation within the second in which writers notice would pack what they
            # still write to.
            wait_for(lambda: ended(writers) or settled(path))
    assert [writer.returncode for writer in writers] == [0] * EIGHT
    print(f"{rotations} rotations")
    assert rotations
    assert read_again(folder) == {f"api-{name}": EACH for name in range(EIGHT)}


def settled(path: Path) -> bool:
    """Tell whether nobody writes to any rotated file any more."""
    for other in path.parent.iterdir():
        if other != path:
            with other.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
    return True
