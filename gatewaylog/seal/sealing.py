"""Who writes the digests of a log: any of its processes, one at a time."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatewaylog.forks import renew_after_fork
from gatewaylog.notices import notice
from gatewaylog.seal.covered import Covered
from gatewaylog.seal.digest import SUFFIX, Digest, read_line
from gatewaylog.seal.ledger import opened
from gatewaylog.sinks.retention import finish
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.seal.keys import Signer
    from gatewaylog.seal.ledger import Ledger

_PRUNE_AT = 1024 * 1024  # bytes of digests from which on it is looked which can go
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Sealing:
    """Signs what stands in the log at `path`, and what was rotated from it: each `every` seconds
    where something was added, when a file is rotated, and when asked to.
    """

    def __init__(self, path: Path, signer: Signer, every: float) -> None:
        self.path = path
        self._ledger = path.with_name(path.name + SUFFIX)
        self._signer = signer
        self._every = every
        self._due = 0.0
        self._live: Covered | None = None
        self._left: Covered | None = None
        self._finished: dict[str, str] = {}  # rotated files: name -> first
        self._known = 0  # bytes of the digests that `_finished` is from
        self._begin = b""  # what these began with
        self._prune_at = _PRUNE_AT  # bytes
        self._failed = ""
        self._forked()
        renew_after_fork(self._forked)

    def _forked(self) -> None:
        self._lock = threading.Lock()

    def look(self) -> None:
        """Write a digest where one is due: to be called each second. Never raises."""
        if time.monotonic() >= self._due or self._is_renamed():
            self.sign(wait=False)

    def sign(self, *, wait: bool = True) -> None:
        """Write a digest now, where something was added since the last. Never raises."""
        with self._lock:
            try:
                with opened(self._ledger, wait=wait) as ledger:
                    if ledger is not None:
                        self._sign(ledger, now=wait)
                        self._failed = ""
            except OSError as error:
                self._tell(error)

    def _tell(self, error: OSError) -> None:
        told = f"can't write {self._ledger}: {error.strerror}"
        if told != self._failed:
            notice(told, code=SystemCode.CRYPTOGRAPHY_CREATE)
        self._failed = told

    def _is_renamed(self) -> bool:
        if self._live is None:
            return False
        try:
            status = self.path.lstat()
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._live.identity

    def _sign(self, ledger: Ledger, *, now: bool) -> None:
        if self._live is not None and self._is_renamed():
            self._add(ledger, self._live, self.path.name)
            self._leave(self._live)
            self._live = None
        if self._live is None:
            try:
                self._live = Covered(os.open(self.path, _READ))
            except FileNotFoundError:
                return
        if now or (left := self._pause(ledger)) <= 0:
            self._add(ledger, self._live, self.path.name)
            left = self._every
        self._due = time.monotonic() + left

    def _leave(self, covered: Covered | None) -> None:
        """Keep what was read of a file that was renamed, for its last digest."""
        if self._left is not None:
            self._left.close()
        self._left = covered

    def _pause(self, ledger: Ledger) -> float:
        """Return for how many seconds the last digest, by whichever process, is new enough."""
        last = _digest_in(ledger.last())
        if last is None:
            return 0.0
        try:
            age = (datetime.now(UTC) - datetime.fromisoformat(last.at)).total_seconds()
        except (ValueError, TypeError):
            return 0.0
        return self._every - age if age >= 0 else 0.0

    def _add(self, ledger: Ledger, covered: Covered, name: str, *, final: bool = False) -> None:
        covered.advance()
        last = _digest_in(ledger.last())
        is_known = last is not None and (last.first, last.size) == (covered.first, covered.size)
        if not covered.size or (is_known and not final):
            return
        digest = Digest(
            number=0,
            at=_now(),
            name=name,
            first=covered.first,
            size=covered.size,
            lines=covered.lines,
            sha256=covered.sha256,
            final=final,
            writers=covered.writers,
        )
        ledger.append(digest, self._signer)

    def finish(self, file: Path, fd: int) -> bool:
        """Write the last digest of a rotated file that nobody writes to; say whether it is there.

        Raises OSError.
        """
        with self._lock, opened(self._ledger) as ledger:
            if ledger is None:
                return False
            self._learn(ledger)
            if file.name not in self._finished:
                covered = self._taken_over(fd)
                try:
                    self._add(ledger, covered, file.name, final=True)
                    self._finished[file.name] = covered.first
                finally:
                    covered.close()
            return True

    def _taken_over(self, fd: int) -> Covered:
        """Return what was read of a file while it was live, else begin anew."""
        status = os.fstat(fd)
        for covered in (self._live, self._left):
            if covered is not None and covered.identity == (status.st_dev, status.st_ino):
                if covered is self._live:
                    self._live = None
                else:
                    self._left = None
                return covered
        return Covered(os.dup(fd))

    def forget(self, name: str) -> bool:
        """Sign that a rotated file is removed on purpose; say whether that is written.

        `name` is without what it may be packed as. Raises OSError.
        """
        with self._lock, opened(self._ledger) as ledger:
            if ledger is None:
                return False
            self._learn(ledger)
            self._prune(ledger)
            first = self._finished.get(name, "")
            ledger.append(
                Digest(number=0, at=_now(), name=name, first=first, deleted=True), self._signer
            )
            return True

    def _prune(self, ledger: Ledger) -> None:
        """Remove the digests of files that are deleted, where that may be half of all."""
        if ledger.size < self._prune_at:
            return
        try:
            ledger.prune(_now(), self.path.name, self._signer)
        except OSError as error:  # a full disk, say: nothing is lost by more digests
            self._tell(error)
        self._prune_at = max(_PRUNE_AT, 2 * ledger.size)

    def _learn(self, ledger: Ledger) -> None:
        """Take note of the last digests that other processes have written."""
        if ledger.begin != self._begin or ledger.size < self._known:
            self._begin, self._known = ledger.begin, 0
        for raw in ledger.lines(self._known):
            if b'"final": true' in raw and (digest := _digest_in(raw)) is not None:
                self._finished[digest.name] = digest.first
            elif b'"deleted": true' in raw and (digest := _digest_in(raw)) is not None:
                self._finished.pop(digest.name, None)
        self._known = ledger.size

    def leave(self) -> None:
        """Write the digests of an orderly stop. Never raises."""
        try:
            finish(self.path, self)
        except OSError as error:
            self._tell(error)
        self.sign()

    def close(self) -> None:
        """Do that, and let go of the file. Never raises."""
        self.leave()
        with self._lock:
            if self._live is not None:
                self._live.close()
                self._live = None
            self._leave(None)


def _digest_in(raw: bytes) -> Digest | None:
    try:
        return read_line(raw).digest
    except ValueError:
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
