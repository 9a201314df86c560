"""The log file: one `write(2)` on an O_APPEND descriptor for each event.

A returned write is in the kernel: it outlives this process. Linux and macOS append the bytes of
one write in one piece on a local file system, so that several processes and threads can share a
file without a lock, and no line is torn. Only SIGKILL in the middle of a write can leave a part of
a line (Linux looks for it between two pages); who opens the file next ends that line.

Whoever writes to a file holds a shared lock on it as long as it is open (flock), and knows after
taking it that the file still has the log's name. So a file that was rotated and on which nobody
holds a lock takes no line any more.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.exceptions import LogError
from gatewaylog.forks import renew_after_fork

if TYPE_CHECKING:
    from gatewaylog.sinks.rotation import Rotation

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LOOK_EVERY = 0.5  # seconds between two looks whether the file was renamed or removed
_LINK = "is a symbolic link; a log must be a file"
_DENIED = os.strerror(errno.EACCES)
_TRIES = 100  # to open a file that is being rotated


class FileSink:
    """Appends to a file that others may append to, rename or remove.

    The folder is made (0750) where it is missing, the file is made 0640. With a `rotation` the
    file is renamed when that says so. Raises LogError when the path is a symbolic link, no regular
    file, another owner's, or can't be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        rotation: Rotation | None = None,
        durable: bool = False,
    ) -> None:
        # Absolute, since the process may change its folder before the file is opened again.
        self.path = Path(path).absolute()
        self.name = str(self.path)
        self._rotation = rotation
        self._durable = durable
        self._left: list[int] = []  # files that were left and are not on the disk yet
        self._is_new = True  # the folder's entry of the file is not on the disk yet
        self._broken = False  # the file ends in a part of a line
        # Reentrant: a finaliser that runs in the middle of one may end an exchange.
        self._mending = threading.RLock()
        self._opening = threading.RLock()
        self._looked = time.monotonic()
        self._room = 0  # bytes that are written before the next look
        self._fd = self._open()
        self.identity = _identity(os.fstat(self._fd))
        renew_after_fork(self._forked)

    def _forked(self) -> None:
        self._mending = threading.RLock()
        self._opening = threading.RLock()

    def _open(self) -> int:
        """Open the file that has the log's name, and hold a shared lock on it."""
        for _ in range(_TRIES):
            fd = self._opened()
            if _holds(fd, self.path):
                _end_a_torn_line(fd)
                return fd
            os.close(fd)
        raise LogError(f"{self.path}: is locked by another program")

    def _opened(self) -> int:
        try:
            _make_folder(self.path.parent)
            fd = os.open(self.path, _FLAGS, 0o640)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                raise LogError(f"{self.path}: {_LINK}") from None
            raise LogError(f"{self.path}: can't be opened: {error.strerror}") from None
        status = os.fstat(fd)
        if (reason := _unfit(status)) is not None:
            os.close(fd)
            raise LogError(f"{self.path}: {reason}")
        if self._rotation is not None:
            self._room = self._rotation.opened(status)
        return fd

    def write(self, line: bytes) -> str | None:
        """Append one line; return why it could not be written whole. Never raises.

        A line of which the line feed alone is missing counts as written: whatever comes next
        begins with that.
        """
        now = time.monotonic()
        if self._rotation is not None:
            self._room -= len(line)
        if now - self._looked > _LOOK_EVERY or self._room < 0:
            self._looked = now
            self.look()
        if self._broken:
            return self._mend(line)
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            return _reason(error)
        if written != len(line):
            with self._mending:
                return self._finish(line[written:])
        return None

    def _finish(self, rest: bytes) -> str | None:
        """Write what a short write left over, as far as it goes."""
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            self._broken = True
            return None if rest == b"\n" else _reason(error)
        return None

    def _mend(self, line: bytes) -> str | None:
        """Write after a part of a line: that is ended first, in the same write."""
        with self._mending:
            whole = b"\n" + line if self._broken else line
            try:
                written = os.write(self._fd, whole)
            except OSError as error:
                return _reason(error)
            if written:
                self._broken = False
            return self._finish(whole[written:])

    def look(self) -> None:
        """See whether the file was renamed or removed, and rotate it where that is due."""
        if self._fd < 0:
            return
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            self._reopen_or_stay()
            return
        except OSError:
            return  # not to be seen just now: what is open still takes lines
        if _identity(status) != self.identity:
            self._reopen_or_stay()
        elif self._rotation is not None:
            self._room = self._rotation.room(status)
            if self._room < 0 and self._rotation.rotate(self.path, self.identity):
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
        with self._opening:
            with self._mending:
                self._leave_whole()
            fresh = self._open()
            with self._mending:
                if self._fd < 0:
                    self._fd = fresh
                else:
                    if self._durable:
                        self._left.append(os.dup(self._fd))
                    os.dup2(fresh, self._fd, inheritable=False)
                    os.close(fresh)
                self.identity = _identity(os.fstat(self._fd))
                self._broken = False
                self._is_new = True

    def sync(self) -> str | None:
        """Bring all that was written so far to the disk; return why that can't be.

        A file that was left (renamed, or rotated) is still to be synced if `durable` was given.
        """
        try:
            if self._fd >= 0:
                os.fsync(self._fd)
            while self._left:
                fd = self._left.pop()
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)
            if self._is_new:
                self._is_new = False
                _sync_folder(self.path.parent)
        except OSError as error:
            return _reason(error)
        return None

    def _leave_whole(self) -> None:
        """End a part of a line, as nobody may come back to the file."""
        if self._broken:
            with contextlib.suppress(OSError):  # still full: readers see a torn last line
                os.write(self._fd, b"\n")
                self._broken = False

    def close(self) -> None:
        """Close the file."""
        with self._opening, self._mending:
            if self._fd >= 0:
                self._leave_whole()
                if self._durable:
                    self.sync()
                os.close(self._fd)
                self._fd = -1


def refusal(path: str | os.PathLike[str]) -> str | None:
    """Return why FileSink would refuse a log at `path`; None where nothing speaks against it.

    Makes and changes nothing, so that what only turns out by trying (a full disk) is not seen.
    """
    file = Path(path).absolute()
    try:
        status = file.lstat()
    except FileNotFoundError:
        return _unfit_folder(file.parent)
    except OSError as error:
        return f"can't be opened: {_reason(error)}"
    if stat.S_ISLNK(status.st_mode):
        return _LINK
    if (reason := _unfit(status)) is not None:
        return reason
    return None if _may(file, os.R_OK | os.W_OK) else f"can't be opened: {_DENIED}"


def _unfit(status: os.stat_result) -> str | None:
    """Return why a file is not taken for a log, None where it is."""
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file"
    if status.st_uid != os.geteuid():
        return f"belongs to another user (uid {status.st_uid})"
    return None


def _unfit_folder(folder: Path) -> str | None:
    """Return why neither a file nor folders can be made below a folder that may be missing."""
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        return f"can't be made: {folder} is no folder"
    return None if _may(folder, os.W_OK | os.X_OK) else f"can't be made: {folder}: {_DENIED}"


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, all 0750: `Path.mkdir` gives the upper ones 0777."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o750, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _holds(fd: int, path: Path) -> bool:
    """Take a shared lock; say whether the file has its name still, so that it will be kept."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False  # it was rotated, and is being packed or deleted
    except OSError as error:
        if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}:
            raise LogError(f"{path}: can't be locked: {error.strerror}") from None
        # A file system without locks: nobody can take the exclusive one either.
    try:
        return _identity(path.lstat()) == _identity(os.fstat(fd))
    except FileNotFoundError:
        return False


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
