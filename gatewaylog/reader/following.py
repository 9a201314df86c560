"""Lines as they are written: across rename, removal and cutting of the file, none lost or twice.

The standard library has no inotify, so files are looked at twenty times a second.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ReaderError
from gatewaylog.reader.files import live_logs
from gatewaylog.reader.growing import GrowingFile
from gatewaylog.reader.names import name_of
from gatewaylog.reader.packed import PackedFile
from gatewaylog.reader.sources import Identity, asking, identity_of, siblings
from gatewaylog.reader.times import time_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from typing import Self

    from gatewaylog.reader.lines import Entry

EVERY = 0.05  # seconds between two looks
_LINGER = 60.0  # seconds without a line after which a renamed file is let go
_MOST_FORMER = 64
_LISTINGS = 10  # of a folder whose files get other names all the time
_GLOB_EVERY = 1.0  # seconds
_TICK = 100_000_000  # nanoseconds, many times what a file system's clock goes by


def follow(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    *,
    last: int | None = 0,
    every: float = EVERY,
) -> Generator[Entry, None, None]:
    """Yield the last lines of files, then new ones as they are ended, for ever; see `Follower`."""
    with Follower(paths, last=last, every=every) as follower:
        yield from follower


class Follower:
    """Follows logs by their names, each through its rotations.

    `paths` are files (one that is not there is waited for), folders and globs (the live logs in
    them; those that appear there later are read from their first line on). Reading begins with the
    `last` lines of each file, None: with its first. A line is given when
    its line feed is written. The rest of a renamed file comes before what the new one holds, and
    the renamed one is watched for a minute more, as other writers may hold it still; one that was
    rotated twice between two looks is found by its name, packed or not. A cut file begins anew.

    Iterate it, and end that from anywhere by `stop`; or call `poll` whenever you like. Raises
    ReaderError for what can't be followed: a pipe, or a file that may not be read.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
        *,
        last: int | None = 0,
        every: float = EVERY,
    ) -> None:
        self._every = every
        self._stopped = threading.Event()
        several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        self._places = [_Place(os.fspath(path)) for path in several]
        names = [name for place in self._places for name in place.appeared()]
        self._logs = {name: _Log(Path(name), last) for name in names}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Entry]:
        """Yield lines as they come, until `stop`; what was written before that is given still."""
        while not self._stopped.wait(0):
            yield from self.poll()
            self._stopped.wait(self._every)
        yield from self.poll()

    def poll(self) -> Iterator[Entry]:
        """Yield the lines that were ended since the last look; to be iterated to its end."""
        for place in self._places:
            for name in place.appeared():
                if name not in self._logs:
                    self._logs[name] = _Log(Path(name), None)
        for log in self._logs.values():
            yield from log.fresh()

    @property
    def places(self) -> dict[str, tuple[Identity, int] | None]:
        """For each log by its name: the file, and the byte that its next line begins with; None
        where it is not there.
        """
        return {name: log.place for name, log in self._logs.items()}

    def stop(self) -> None:
        """End the iteration; from any thread or a signal's handler."""
        self._stopped.set()

    def close(self) -> None:
        """Let go of all files."""
        for log in self._logs.values():
            log.close()


class _Place:
    """A path as it was given, in which logs may appear if it is a folder or a glob."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._changed = 0  # when the folder had changed as it was looked through
        self._looked = float("-inf")
        self._is_file = False

    def appeared(self) -> list[str]:
        """Return the live logs in it where there may be others than at the last look."""
        if self._is_file or not self._may_differ():
            return []
        try:
            names = live_logs(self._path)
        except ReaderError:
            return []  # nothing there yet
        self._is_file = names == [self._path]
        return names

    def _may_differ(self) -> bool:
        """Look at a folder when it changed, at a glob every second: it may go into any folder."""
        now = time.monotonic()
        if now - self._looked >= _GLOB_EVERY:
            self._looked = now
            return True
        try:
            changed = Path(self._path).stat().st_mtime_ns
        except OSError:
            return False
        if changed == self._changed:
            return False
        self._changed = changed if time.time_ns() - changed > _TICK else 0
        return True


class _Log:
    """A path, the file that has that name now, and those that had it lately."""

    def __init__(self, path: Path, last: int | None) -> None:
        self._path = path
        self._current: GrowingFile | None = None
        self._former: dict[GrowingFile | PackedFile, float] = {}  # when each had its last line
        self._scanned = 0  # when the folder had changed as it was last looked through
        with asking(str(path)):
            if path.exists() and not path.is_file():
                raise ReaderError(f"{path}: is no regular file, so that it can't be followed")
            # What is passed over beside the path is known by its first bytes: an inode is given
            # to the next file at once, and a copy of a file is no other log.
            self._known: dict[bytes, Identity | None] = {}
            self._passed: set[Path] = set()  # packed files that were looked at
            self._is_stamped = False
            for other in self._relatives():
                if name_of(other.name).packed:
                    self._passed.add(other)
                elif (file := _opened(other, path)) is not None:
                    self._known[file.head()] = file.identity
                    file.close()
            if path.exists():
                self._current = GrowingFile(path, str(path), last)

    def _relatives(self) -> list[Path]:
        """Return the files that were rotated from this one, oldest first."""
        if not self._path.parent.is_dir():
            return []
        found = [other for other in siblings(self._path) if other != self._path]
        # Only names with times never change: those that count up may do so while they are listed.
        self._is_stamped = all(name_of(other.name).place[0][0] == 0 for other in found)
        return [other for other in found if other not in self._passed]

    @property
    def place(self) -> tuple[Identity, int] | None:
        return (self._current.identity, self._current.place) if self._current else None

    def fresh(self) -> Iterator[Entry]:
        """Yield the lines that were ended since the last look.

        How far each file is read is noted before any is: who writes goes from older files to
        newer ones, so that no line is given before an older one of the same writer.
        """
        before, found = self._current, self._replaced()
        held = before if found is None else found
        missed = self._missed(before, found) if self._is_changed() else []
        files = [*self._former, *([] if before is None else [before]), *missed]
        files += [] if found is None else [found]
        ends = [(file, file.size) for file in reversed(files)]
        for file, end in reversed(ends):
            for entry in file.fresh(end):
                if file in self._former:
                    self._former[file] = time.monotonic()
                yield entry
            if file is not held and file not in self._former:
                self._former[file] = time.monotonic()
        self._current = held
        yield from self._let_go()

    def _replaced(self) -> GrowingFile | None:
        """Return the file that has the name now, where it is another than before."""
        try:
            identity = identity_of(self._path.stat())
            if self._current is None or identity != self._current.identity:
                return GrowingFile(self._path, str(self._path), None)
        except OSError:
            return None  # not there, or not to be read just now
        return None

    def _is_changed(self) -> bool:
        """Tell whether a file beside the path may have another name than at the last look.

        A change within a tick of the clock is not to be seen, so that a folder that changed just
        now is looked through again.
        """
        try:
            changed = self._path.parent.stat().st_mtime_ns
        except OSError:
            return False
        if changed == self._scanned:
            return False
        self._scanned = changed if time.time_ns() - changed > _TICK else 0
        return True

    def _missed(
        self, before: GrowingFile | None, found: GrowingFile | None
    ) -> list[GrowingFile | PackedFile]:
        """Open the files that had the name after `before` and before `found`, oldest first."""
        for _ in range(_LISTINGS):
            missed = self._listed(before, found)
            if missed is not None:
                return missed if self._is_stamped else sorted(missed, key=_first_time)
        return []  # looked through again, as the folder changed just now

    def _listed(
        self, before: GrowingFile | None, found: GrowingFile | None
    ) -> list[GrowingFile | PackedFile] | None:
        """Do the same in the order of names; None where a file got another name meanwhile."""
        held = [file for file in (before, found, *self._former) if file is not None]
        missed: list[GrowingFile | PackedFile] = []
        packed: set[Path] = set()
        for path in self._relatives():
            if (file := _opened(path, self._path)) is None:
                if path.exists():
                    continue  # not to be read
                for one in missed:
                    one.close()
                return None
            if found is not None and file.identity == found.identity:
                file.close()  # renamed meanwhile, so that what follows is newer
                self._scanned = 0
                break
            if isinstance(file, PackedFile):
                packed.add(path)
            if file.head() and not self._is_known(file, [*held, *missed]):
                missed.append(file)
            else:
                file.close()
        self._passed |= packed
        return missed

    def _is_known(
        self, file: GrowingFile | PackedFile, held: list[GrowingFile | PackedFile]
    ) -> bool:
        head = file.head()
        return any(file.identity == other.identity or head in other.heads for other in held) or any(
            head == known or (identity == file.identity and known and head.startswith(known))
            for known, identity in self._known.items()
        )

    def _let_go(self) -> Iterator[Entry]:
        """Let go of renamed files that had enough time; yield the line that each left torn."""
        now = time.monotonic()
        most = len(self._former) - _MOST_FORMER
        for number, (file, since) in enumerate(list(self._former.items())):
            if self._current is not None and (now - since > _LINGER or number < most):
                yield from file.torn()
                self._known |= dict.fromkeys(file.heads, file.identity)
                del self._former[file]
                file.close()

    def close(self) -> None:
        """Let go of all files."""
        for file in (self._current, *self._former):
            if file is not None:
                file.close()


def _first_time(file: GrowingFile | PackedFile) -> float:
    return time_of(file.head().partition(b"\n")[0]) or 0.0


def _opened(path: Path, name: Path) -> GrowingFile | PackedFile | None:
    try:
        if name_of(path.name).packed:
            return PackedFile(path)
        return GrowingFile(path, str(name), None)
    except (OSError, ReaderError):
        return None
