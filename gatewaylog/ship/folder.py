"""The files of one log: the live one and those that were rotated from it, by their first lines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.exceptions import ReaderError
from gatewaylog.reader.names import name_of
from gatewaylog.reader.sources import siblings
from gatewaylog.ship.cursor import first_line

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_TICK = 100_000_000  # nanoseconds, many times what a file system's clock goes by
_Seen = tuple[str, int, int, int]  # a name, an inode, a size, a time of change


class Found(NamedTuple):
    """A file's path and its inode."""

    path: Path
    inode: int


def is_still(path: Path, inode: int) -> bool:
    """Tell whether a path names the same file: another may have got a name that one has lost."""
    try:
        return path.stat().st_ino == inode
    except FileNotFoundError:
        return False


def log_of(path: Path) -> Path:
    """Return the log that a file was rotated from by its name; itself where it is a log.

    A name like `gateway-1` is that of a log, as long as there is no `gateway` beside it.
    """
    name = name_of(path.name)
    log = path.with_name(name.family)
    return log if name.packed or name.is_log or log.exists() else path


class Folder:
    """Where a log's files are. `files` are those that the last `scan` found, oldest first, under
    the digests of their first lines; of a file and its packed copy only the file. With `is_alone`
    it is that file by itself.
    """

    def __init__(self, log: Path, *, is_alone: bool = False) -> None:
        self.log = log
        self.is_alone = is_alone
        self.files: dict[str, Found] = {}
        self._firsts: dict[_Seen, str | None] = {}
        self._scanned = 0  # when the folder had changed as it was last looked through

    def is_changed(self, live: Collection[int]) -> bool:
        """Tell whether a file may have come, gone, or have another name than at the last scan.

        `live` has the inode of the file that was the live one then. A change within a tick of the
        clock is not to be seen, so that a folder that changed just now is looked through again.
        """
        try:
            if self.log.parent.stat().st_mtime_ns != self._scanned:
                return True
            return self.log.stat().st_ino not in live
        except FileNotFoundError:
            return bool(live)

    def is_settled(self) -> bool:
        """Tell whether the last scan saw the folder as it is: nothing changed meanwhile, nor just
        before. A file that is renamed while its folder is listed may be missed, whole as it is.
        """
        try:
            return self.log.parent.stat().st_mtime_ns == self._scanned
        except FileNotFoundError:
            return True

    def scan(self) -> None:
        """Look which files there are. Raises ReaderError where one can't be read."""
        began = time.time_ns()
        self.files = {}
        seen: dict[_Seen, str | None] = {}
        folder = self.log.parent
        changed = folder.stat().st_mtime_ns if folder.is_dir() else 0
        beside = [self.log] if self.is_alone else siblings(self.log) if changed else []
        for path in beside:
            inode = None
            try:
                status = path.stat()
                inode = status.st_ino
                key = path.name, inode, status.st_size, status.st_mtime_ns
                seen[key] = self._firsts[key] if key in self._firsts else first_line(path)
            except (FileNotFoundError, ReaderError):
                if inode is not None and is_still(path, inode):
                    raise
                changed = 0  # renamed meanwhile: to be looked through again
                continue
            if first := seen[key]:
                self.files.setdefault(first, Found(path, status.st_ino))
        self._firsts = seen
        self._scanned = changed if began - changed > _TICK else 0
