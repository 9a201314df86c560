"""What becomes of rotated files: packed, and deleted when they are too many or too old.

Both only under an exclusive lock of the file, which nobody gets while a process may still write to
it: then it is left for the next time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gatewaylog.notices import notice
from gatewaylog.sinks.packing import packer
from gatewaylog.sinks.rotation import PACKED, rotated_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PIECE = 256 * 1024  # bytes packed at once: about 10 ms
_MODE = 0o640


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How many rotated files are kept (0: all), for how many seconds (0: for ever), and how they
    are packed ("gz", "zst" or "").
    """

    backups: int = 0
    keep: float = 0.0
    compress: str = ""

    @property
    def is_any(self) -> bool:
        """Tell whether there is anything to do at all."""
        return bool(self.backups or self.keep or self.compress)


def tidy(path: Path, retention: Retention, pause: Callable[[], object] = bool) -> bool:
    """Pack and delete what was rotated from a log; say whether nothing is left to be done.

    One process does it at a time. `pause` is called between two pieces, every 10 ms or so.
    """
    with _only_one(path) as alone:
        if not alone:
            return False
        files = rotated_from(path)
        oldest = datetime.now(UTC) - timedelta(seconds=retention.keep)
        done = True
        for place, (moment, file) in enumerate(reversed(files)):
            if (retention.backups and place >= retention.backups) or (
                retention.keep and moment < oldest
            ):
                done &= _delete(file)
            elif retention.compress and file.suffix not in PACKED:
                done &= _pack(file, retention.compress, pause)
        return done


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[bool]:
    """Hold the log's lock file; give whether it could be had."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path.with_name(f".{path.name}.lock"), flags, _MODE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(fd)


@contextlib.contextmanager
def _left_by_all(file: Path) -> Iterator[int | None]:
    """Give the file's descriptor where no writer has it open any more, else None."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield fd
    except BlockingIOError:
        yield None
    finally:
        os.close(fd)


def _delete(file: Path) -> bool:
    with _left_by_all(file) as fd:
        if fd is not None:
            file.unlink()
        return fd is not None


def _pack(file: Path, form: str, pause: Callable[[], object]) -> bool:
    """Replace a file by its packed form, in one step: a reader finds one of them, or both."""
    with _left_by_all(file) as fd:
        if fd is None:
            return False
        fresh = file.with_name(f".{file.name}.new")
        try:
            _pack_to(fresh, fd, form, pause)
            fresh.replace(file.with_name(f"{file.name}.{form}"))
        except OSError as error:
            notice(f"can't pack {file}: {error.strerror}; it stays as it is")
            return True
        finally:
            fresh.unlink(missing_ok=True)
        file.unlink()
        return True


def _pack_to(fresh: Path, fd: int, form: str, pause: Callable[[], object]) -> None:
    """Write what `fd` holds to `fresh`, packed, with its owner, mode and times."""
    status = os.fstat(fd)
    packing = packer(form)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(fresh, flags, stat.S_IMODE(status.st_mode)), "wb") as target:
        at = 0
        while piece := os.pread(fd, _PIECE, at):
            at += len(piece)
            target.write(packing.compress(piece))
            pause()
        target.write(packing.flush())
        target.flush()
        os.fsync(target.fileno())  # the other copy is deleted next
        with contextlib.suppress(PermissionError):  # only root gives files away
            os.fchown(target.fileno(), status.st_uid, status.st_gid)
        os.utime(target.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
