"""When the log's file is rotated, and how: by one rename, made by exactly one process.

A rotated file keeps its name from then on: the log's, and when it was rotated (UTC, microseconds),
such as `api-access.log.2026-11-21T10-22-33-123456`. Names that count up would be other files' names
by the next rotation, for whoever reads them just then.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatewaylog.sinks.packing import PACKED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STAMP = "%Y-%m-%dT%H-%M-%S-%f"
_STAMPED = re.compile(
    r"\.([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{6})(\.gz|\.zst)?"
)
# What tells two periods apart, of a local time.
_PERIODS = {
    "hourly": "%Y-%m-%dT%H",
    "daily": "%Y-%m-%d",
    "weekly": "%G-W%V",
    "monthly": "%Y-%m",
}
PERIODS = ("", *_PERIODS)
_SOON = 16 * 1024  # bytes: no more than this many are written between two looks near the limit


class Rotation:
    """Says when a file is to be rotated: at `max_size` bytes (0: never), and when an hour, day,
    week or month of the local time is over (`every`, one of PERIODS).
    """

    def __init__(self, *, max_size: int = 0, every: str = "") -> None:
        self._max_size = max_size
        self._shape = _PERIODS.get(every, "")
        self._period = ""

    def opened(self, status: os.stat_result) -> int:
        """Take note of a file that was opened; return how many bytes to write until `room`.

        It is of the period in which it was last written to.
        """
        self._period = self._period_of(status.st_mtime if status.st_size else time.time())
        return max(0, self.room(status))

    def _period_of(self, seconds: float) -> str:
        return time.strftime(self._shape, time.localtime(seconds)) if self._shape else ""

    def room(self, status: os.stat_result) -> int:
        """Return how many bytes may be written until this is asked again; under 0: rotate now.

        Others write too, so that this is a part of what is left.
        """
        if self._shape and self._period != (now := self._period_of(time.time())):
            if status.st_size:
                return -1
            self._period = now
        if not self._max_size:
            return 1 << 62
        left = self._max_size - status.st_size
        return max(left // 16, _SOON) if left > 0 else -1

    def rotate(self, path: Path, identity: tuple[int, int]) -> bool:
        """Rename the file, where it is still the one with this device and inode; say whether."""
        return rotate(path, identity) is not None


def rotate(path: Path, identity: tuple[int, int] | None = None) -> Path | None:
    """Rename the file of a log; return its new name.

    None where there is none, or it is empty, or not the one with this device and inode any more,
    or can't be renamed.
    """
    try:
        with _only_one(path.parent):
            status = path.lstat()
            if not status.st_size or identity not in {None, (status.st_dev, status.st_ino)}:
                return None
            rotated = _fresh_name(path)
            path.rename(rotated)
            return rotated
    except OSError:  # another process does it, or the folder can't be written to
        return None


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises BlockingIOError where another process does."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)


def _fresh_name(path: Path) -> Path:
    while True:
        stamp = datetime.now(UTC).strftime(_STAMP)
        name = path.with_name(f"{path.name}.{stamp}")
        if not any(os.path.lexists(f"{name}{end}") for end in ("", *PACKED)):
            return name


def rotated_from(path: Path) -> list[tuple[datetime, Path]]:
    """Return what was rotated from a log by `rotate`, and when, oldest first, packed or not."""
    found = []
    for entry in os.scandir(path.parent):
        match = _STAMPED.fullmatch(entry.name.removeprefix(path.name))
        if match and entry.name.startswith(path.name) and entry.is_file(follow_symlinks=False):
            moment = datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)
            found.append((moment, path.with_name(entry.name)))
    return sorted(found)
