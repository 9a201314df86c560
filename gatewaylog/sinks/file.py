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
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.exceptions import LogError
from gatewaylog.forks import renew_after_fork
from gatewaylog.notices import notice
from gatewaylog.sinks.fitness import LINK, unfit
from gatewaylog.sinks.owner import Owner
from gatewaylog.sinks.torn import again, end_a_torn_line, ends_whole, glued_to, stands_at_end
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from gatewaylog.sinks.rotation import Rotation

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LOOK_EVERY = 0.5  # seconds between two looks whether the file was renamed or removed
_TRIES = 100  # to open a file that is being rotated
_COPIES = 3  # of a line that is glued to a part of another one each time


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
        self._end = -1  # of our last line in the file; -1: not known
        self._gone = ""  # why nothing can be written: the open file was deleted, and no other opens
        self._astray = False  # the open file was renamed, and no other can be opened
        self._inherited = False  # of a parent process, and with it the position in the file
        self.owner = Owner()
        # Reentrant: a finaliser that runs in the middle of one may end an exchange.
        self._mending = threading.RLock()
        self._opening = threading.RLock()
        self._looked = time.monotonic()
        self._room = 0  # bytes that are written before the next look
        self._fd = self._open()
        self.identity = _identity(os.fstat(self._fd))
        renew_after_fork(self._forked)

    def _forked(self) -> None:
        self._inherited = True
        self._looked = -_LOOK_EVERY
        self._mending = threading.RLock()
        self._opening = threading.RLock()

    def _open(self) -> int:
        """Open the file that has the log's name, and hold a shared lock on it."""
        for _ in range(_TRIES):
            fd = self._opened()
            if _holds(fd, self.path):
                end_a_torn_line(fd)
                return fd
            os.close(fd)
        raise LogError(f"{self.path}: is locked by another program")

    def _opened(self) -> int:
        try:
            _make_folder(self.path.parent)
            fd = os.open(self.path, _FLAGS, 0o640)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                raise LogError(f"{self.path}: {LINK}") from None
            raise LogError(f"{self.path}: can't be opened: {error.strerror}") from None
        status = os.fstat(fd)
        if (reason := unfit(status)) is not None:
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
        if self._broken or self._gone:
            return self._gone or self._mend(line)
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            return _reason(error)
        try:
            end = os.lseek(self._fd, 0, os.SEEK_CUR)
            begin = end - written
            # What is not behind our own last line is behind another's: does that one end?
            is_whole = begin == self._end or (
                begin > 0 and os.pread(self._fd, 1, begin - 1) == b"\n"
            )
        except OSError:  # a disk that can't be read: the line is written, that is all we know
            is_whole, end = True, -1
        if is_whole and written == len(line):
            self._end = end
            return None
        with self._mending:
            return self._settle(line, line[written:])

    def _settle(self, line: bytes, rest: bytes) -> str | None:
        """Finish a line of which `rest` is not written, and see that it stands for itself: others
        may have written since our last one, and the end of theirs may be missing.
        """
        for _ in range(_COPIES):
            if (reason := self._finish(rest)) is not None or self._broken:
                self._end = -1
                return reason
            try:
                self._end = os.lseek(self._fd, 0, os.SEEK_CUR)
                whole = self._missing(line, in_parts=bool(rest))
                if not whole:
                    return None
                rest = whole[os.write(self._fd, whole) :]
            except OSError as error:
                return _reason(error)
        return self._finish(rest)

    def _missing(self, line: bytes, *, in_parts: bool) -> bytes:
        """Return what must be written (again) for a line to be read; empty: nothing."""
        if in_parts:  # others may have written between them
            return b"" if stands_at_end(self._fd, line) else line
        part = glued_to(self._fd, line, self._end)
        if not part or self.owner.reads(part + line[:-1]):
            return b""
        return again(part, line)

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
        """Write after a part of a line of ours: that is ended first, in the same write."""
        with self._mending:
            try:
                whole = b"\n" + line if self._is_open_ended() else line
                written = os.write(self._fd, whole)
            except OSError as error:
                return _reason(error)
            if written:
                self._broken = False
            return self._settle(line, whole[written:])

    def _is_open_ended(self) -> bool:
        """Tell whether a part of a line is still to be ended, as nobody else has."""
        return self._broken and not ends_whole(self._fd)

    def look(self) -> None:
        """See whether the file was renamed or removed, and rotate it where that is due."""
        if self._fd < 0:
            return
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            self._reopen_or_stay()
            return
        except OSError as error:
            self._stay(f"can't be looked for: {_reason(error)}")
            return
        if _identity(status) != self.identity or self._inherited:
            self._reopen_or_stay()
            return
        self.owner.kept()
        if self._rotation is not None:
            self._room = self._rotation.room(status)
            if self._room < 0 and self._rotation.rotate(self.path, self.identity):
                self._reopen_or_stay()

    def _reopen_or_stay(self) -> None:
        """Open the path again; where that fails the open file goes on taking the lines, as long as
        it has a name.
        """
        self._inherited = False
        try:
            self.reopen()
        except LogError as error:
            self._stay(str(error).removeprefix(f"{self.path}: "))

    def _stay(self, reason: str) -> None:
        """Go on with the open file, or with none where that was deleted: what is written to it
        would be gone when it is closed.
        """
        if os.fstat(self._fd).st_nlink == 0:
            if not self._gone:
                self.owner.gone(f"the file was deleted, and the path {reason}")
            self._gone = reason
            return
        self.owner.kept()
        was_astray, self._astray = self._astray, True
        if not was_astray:
            told = f"{self.path}: {reason}; lines go on into the file that had this name"
            notice(told, code=SystemCode.RESOURCE_UPDATE)

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
                    self._tell_where_lines_are()
                    if self._durable:
                        self._left.append(os.dup(self._fd))
                    os.dup2(fresh, self._fd, inheritable=False)
                    os.close(fresh)
                self.identity = _identity(os.fstat(self._fd))
                self._broken = False
                self._is_new = True
                self._end = -1
                self._gone, self._astray = "", False

    def _tell_where_lines_are(self) -> None:
        """Tell the owner whether the file that is left was deleted, and lines with it."""
        if os.fstat(self._fd).st_nlink:
            self.owner.kept()
        elif not self._gone:
            self.owner.gone("the file was deleted while it was open")
        if self._gone or self._astray:
            notice(f"{self.path} is open again")

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
        with contextlib.suppress(OSError):  # still full: readers see a torn last line
            if self._is_open_ended():
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


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
