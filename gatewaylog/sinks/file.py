"""The log file: one `write(2)` on an O_APPEND descriptor for each event.

A returned write is in the kernel: it outlives this process. Linux and macOS append the bytes of
one write in one piece on a local file system, so that several processes and threads can share a
file without a lock, and no line is torn. Only SIGKILL in the middle of a write can leave a part of
a line (Linux looks for it between two pages); who opens the file next ends that line.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from pathlib import Path

from gatewaylog.exceptions import LogError
from gatewaylog.forks import renew_after_fork
from gatewaylog.sinks.loss import Loss

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LOOK_EVERY = 0.5  # seconds between two looks whether the file was renamed or removed


class FileSink:
    """Appends to a file that others may append to, rename or remove.

    The folder is made (0750) where it is missing, the file is made 0640. Raises LogError when the
    path is a symbolic link, no regular file, another owner's, or can't be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Absolute, since the process may change its folder before the file is opened again.
        self.path = Path(path).absolute()
        self._loss = Loss(str(self.path))
        self._broken = False  # the file ends in a part of a line
        self._mending = threading.Lock()
        self._looked = time.monotonic()
        self._fd = self._open()
        self._identity = _identity(os.fstat(self._fd))
        renew_after_fork(self._forked)

    def _forked(self) -> None:
        self._mending = threading.Lock()
        self._loss = Loss(str(self.path))  # what was lost before is the parent's to tell

    def _open(self) -> int:
        try:
            _make_folder(self.path.parent)
            fd = os.open(self.path, _FLAGS, 0o640)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                raise LogError(f"{self.path}: is a symbolic link; a log must be a file") from None
            raise LogError(f"{self.path}: can't be opened: {error.strerror}") from None
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise LogError(f"{self.path}: is no regular file")
        if status.st_uid != os.geteuid():
            os.close(fd)
            raise LogError(f"{self.path}: belongs to another user (uid {status.st_uid})")
        _end_a_torn_line(fd)
        return fd

    @property
    def lost(self) -> int:
        """Lines that could not be written so far."""
        return self._loss.total

    def write(self, line: bytes) -> None:
        """Append one line. Never raises: what can't be written is counted and told."""
        now = time.monotonic()
        if now - self._looked > _LOOK_EVERY:
            self._looked = now
            self._look()
        if self._broken or self._loss.lasts:
            self._mend(line)
            return
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            with self._mending:
                self._loss.count(error)
            return
        if written != len(line):
            with self._mending:
                self._finish(line[written:])

    def _finish(self, rest: bytes) -> None:
        """Write what a short write left over, as far as it goes."""
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            self._broken = True
            self._loss.count(error)

    def _mend(self, line: bytes) -> None:
        """Write after a failure: a part of a line is ended first, in the same write."""
        with self._mending:
            whole = b"\n" + line if self._broken else line
            try:
                written = os.write(self._fd, whole)
            except OSError as error:
                self._loss.count(error)
                return
            self._broken = False
            self._finish(whole[written:])
            if not self._broken:
                self._loss.over()

    def _look(self) -> None:
        if self._fd < 0:
            return
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            self._reopen_or_stay()
            return
        except OSError:
            return  # not to be seen just now: what is open still takes lines
        if _identity(status) != self._identity:
            self._reopen_or_stay()

    def _reopen_or_stay(self) -> None:
        """Open the path again; where that fails the open file goes on taking the lines."""
        with contextlib.suppress(LogError):
            self.reopen()

    def reopen(self) -> None:
        """Open the path again, as after a rename by logrotate. Raises LogError as the constructor.

        The new file takes over the old one's descriptor in one step (`dup2`), so that a thread in
        the middle of a write never meets a closed one.
        """
        with self._mending:
            fresh = self._open()
            if self._fd < 0:
                self._fd = fresh
            else:
                os.dup2(fresh, self._fd, inheritable=False)
                os.close(fresh)
            self._identity = _identity(os.fstat(self._fd))
            self._broken = False

    def close(self) -> None:
        """Close the file and tell what was lost."""
        with self._mending:
            self._loss.over()
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, all 0750: `Path.mkdir` gives the upper ones 0777."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o750, exist_ok=True)


def _end_a_torn_line(fd: int) -> None:
    """End the line that a killed writer left, or the next one would be lost behind it.

    A line may also be unfinished because another process is in the middle of writing it. Setting
    the mode that the file has waits for that write: the kernel does both under the file's lock.
    """
    with contextlib.suppress(OSError):  # a full disk is the next line's to tell
        status = os.fstat(fd)
        while status.st_size and os.pread(fd, 1, status.st_size - 1) != b"\n":
            os.fchmod(fd, stat.S_IMODE(status.st_mode))
            seen, status = status.st_size, os.fstat(fd)
            if status.st_size == seen:
                os.write(fd, b"\n")
                return


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
