"""What becomes of rotated files: packed, and deleted when they are too many or too old.

Both only under an exclusive lock of the file, which nobody gets while a process may still write to
it: then it is left for the next time. A log that is sealed has its last digest signed before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from gatewaylog.notices import notice
from gatewaylog.sinks.packing import PACKED, packer
from gatewaylog.sinks.registered import registered
from gatewaylog.sinks.rotation import rotated_from
from gatewaylog.sinks.shipped import tell_missed, unpassed
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from gatewaylog.sinks.shipped import Unpassed

_PIECE = 256 * 1024  # bytes packed at once: about 10 ms
_MODE = 0o640
_MOMENT = 0.05  # seconds
_TURN = 10.0  # seconds for which a process that ends waits for others that keep house


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How many rotated files are kept (0: all), for how many seconds (0: for ever), and how they
    are packed ("gz", "zst" or "").

    What the shippers of `shippers`, their state folders, have not passed is kept besides, and what
    those have not that registered beside the log: up to `max_unshipped` bytes as they are on the
    disk.
    """

    backups: int = 0
    keep: float = 0.0
    compress: str = ""
    shippers: tuple[Path, ...] = ()
    max_unshipped: int = 10 * 1024**3

    @property
    def is_any(self) -> bool:
        """Tell whether there is anything to do at all."""
        return bool(self.backups or self.keep or self.compress)


class Seal(Protocol):
    """What signs a log's files (`gatewaylog.seal`)."""

    def look(self) -> None:
        """Do what is due each second. Never raises."""

    def finish(self, file: Path, fd: int) -> bool:
        """Sign a file that nobody writes to any more, if that is not done; say whether it is.

        Raises OSError.
        """

    def forget(self, name: str) -> bool:
        """Sign that a file is deleted, `name` without what it is packed as; say whether that is
        done. Raises OSError.
        """


def tidy(
    path: Path,
    retention: Retention,
    pause: Callable[[], object] = bool,
    seal: Seal | None = None,
    deleted: list[str] | None = None,
) -> bool:
    """Sign, pack and delete what was rotated from a log; say whether nothing is left to be done.

    One process does it at a time. `pause` is called between two pieces, every 10 ms or so. The
    names of files that were deleted are added to `deleted`. Raises OSError.
    """
    with _only_one(path) as alone:
        if not alone:
            return False
        files = rotated_from(path)
        if seal is not None:
            _signed(files, seal)  # before anything is packed, which takes its time
        superfluous = _superfluous(files, retention)
        shippers = _shippers(path, retention) if superfluous else ()
        held = 0  # bytes that are kept for shippers alone
        done = True
        for _, file in reversed(files):
            if file in superfluous:
                missing = unpassed(file, shippers)
                held += file.stat().st_size if missing else 0
                if not missing or held > retention.max_unshipped:
                    is_gone = _delete(path, file, missing, seal)
                    if is_gone and deleted is not None:
                        deleted.append(file.name)
                    done &= is_gone
                    continue
            if file.suffix not in PACKED and (retention.compress or seal is not None):
                done &= _finished(file, retention.compress, pause, seal)
        return done


def finish(path: Path, seal: Seal, seconds: float = 2.0) -> None:
    """Sign what was rotated from a log, at its end: nobody may come back to do it.

    Waits some seconds for processes that end at the same time, and longer while one of them is
    about it: of those the last has left all files. Raises OSError.
    """
    began = time.monotonic()
    while True:
        with _only_one(path) as alone:
            if alone and _signed(rotated_from(path), seal):
                return
        if time.monotonic() - began > (seconds if alone else max(seconds, _TURN)):
            return
        time.sleep(_MOMENT)


def _signed(files: Iterable[tuple[datetime, Path]], seal: Seal) -> bool:
    """Sign the files that nobody writes to any more; say whether those are all."""
    done = True
    for _, file in files:
        if file.suffix not in PACKED:
            with _left_by_all(file) as fd:
                done &= fd is not None and seal.finish(file, fd)
    return done


def _superfluous(files: list[tuple[datetime, Path]], retention: Retention) -> set[Path]:
    """Return which files are too many or too old; `files` are the oldest first."""
    oldest = datetime.now(UTC) - timedelta(seconds=retention.keep)
    too_many = files[: -retention.backups] if retention.backups else []
    too_old = [entry for entry in files if retention.keep and entry[0] < oldest]
    return {file for _, file in (*too_many, *too_old)}


def _shippers(path: Path, retention: Retention) -> tuple[Path, ...]:
    """Return the state folders of all shippers of a log, each once."""
    return tuple(dict.fromkeys((*retention.shippers, *registered(path))))


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


def _delete(path: Path, file: Path, missing: list[Unpassed], seal: Seal | None) -> bool:
    with _left_by_all(file) as fd:
        if fd is None:
            return False
        is_packed = file.suffix in PACKED
        if seal is not None:
            if not (is_packed or seal.finish(file, fd)):
                return False
            if not seal.forget(file.stem if is_packed else file.name):
                return False
        if missing:
            tell_missed(path, file, missing)
        file.unlink()
        return True


def _finished(file: Path, form: str, pause: Callable[[], object], seal: Seal | None) -> bool:
    """Sign a file as one that nobody writes to any more, and pack it, as is wished."""
    with _left_by_all(file) as fd:
        if fd is None or (seal is not None and not seal.finish(file, fd)):
            return False
        if form:
            _pack(file, fd, form, pause)
        return True


def _pack(file: Path, fd: int, form: str, pause: Callable[[], object]) -> None:
    """Replace a file by its packed form, in one step: a reader finds one of them, or both."""
    fresh = file.with_name(f".{file.name}.new")
    try:
        _pack_to(fresh, fd, form, pause)
        fresh.replace(file.with_name(f"{file.name}.{form}"))
    except OSError as error:
        told = f"can't pack {file}: {error.strerror}; it stays as it is"
        notice(told, code=SystemCode.RESOURCE_UPDATE)
        return
    finally:
        fresh.unlink(missing_ok=True)
    file.unlink()


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
