"""Where caches are: beside the log, or in the user's own cache.

The cache holds what the log holds. Its folders are the user's own, mode 0700, and what is not is
never read: who may write into a log's folder could else put answers there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.analytics.schema import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = ".gatewaylog-cache"
TEMPORARY = "new-"  # what the names of unfinished files begin with
_LOCK = "lock"
_VERSION = re.compile(r"[0-9a-f]{12}")


def present(log: Path) -> list[Path]:
    """Return those folders that may hold a cache of `log`."""
    return [folder for folder in _candidates(log) if is_own(folder)]


def prepared(log: Path) -> Path | None:
    """Return a folder that a cache of `log` can be put into, made if need be; None: nowhere."""
    for folder in _candidates(log):
        with suppress(OSError):
            _make(folder)
            if is_own(folder) and os.access(folder, os.W_OK | os.X_OK):
                return folder
    return None


def _make(folder: Path) -> None:
    if folder.name != NAME:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)


def _candidates(log: Path) -> Iterator[Path]:
    beside = Path(os.path.realpath(log)).parent
    yield beside / NAME
    base = os.environ.get("XDG_CACHE_HOME", "")
    with suppress(RuntimeError):  # no home
        root = Path(base) if base.startswith("/") else Path.home() / ".cache"
        yield root / "gatewaylog" / hashlib.blake2b(bytes(beside), digest_size=16).hexdigest()


def is_own(path: Path) -> bool:
    """Tell whether this is a folder or a file of this user's, which nobody else may write to."""
    try:
        status = path.lstat()
    except OSError:
        return False
    kind = stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)
    return kind and status.st_uid == os.geteuid() and not status.st_mode & 0o022


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a folder's lock while files are made in it; yield whether it could be had."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(folder / _LOCK, flags, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(fd)


def swept(folder: Path) -> None:
    """Remove what builders that were killed left, and caches of other versions; it is locked."""
    for path in folder.iterdir():
        if path.name.startswith(TEMPORARY):
            path.unlink(missing_ok=True)
        elif path.name != VERSION and _VERSION.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
