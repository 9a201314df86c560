"""The folder of one delivery: its lock, its checkpoint, its dead letters, its gaps."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ShipError
from gatewaylog.ship.checkpoint import Checkpoint, checkpoint_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gatewaylog.ship.destination import Refusal
    from gatewaylog.ship.trail import Gap

CHECKPOINT = "checkpoint.json"
DEAD_LETTERS = "dead-letters.ndjson"
GAPS = "gaps.ndjson"
_LOCK = "lock"
_MOMENT = 1.0  # seconds
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600  # what is kept here tells of people


class State:
    """A folder that one shipper holds. Raises ShipError where another does, or it is broken."""

    def __init__(self, folder: Path, to: str) -> None:
        self._folder = folder
        with _asking(folder):
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        if not _locked(self._lock):
            os.close(self._lock)
            raise ShipError(f"{folder}: another shipper is at work with it")
        self.checkpoint = read_checkpoint(folder) or Checkpoint(to=to)
        if self.checkpoint.to != to:
            os.close(self._lock)
            raise ShipError(f"{folder}: is the state of shipping to {self.checkpoint.to}, not {to}")
        self._forget_unsaid_letters()

    def close(self) -> None:
        """Let another shipper have it."""
        os.close(self._lock)

    def save(self, checkpoint: Checkpoint, *, durable: bool = True) -> None:
        """Keep it: whole or not at all, and with `durable` though the machine lose its power."""
        path = self._folder / CHECKPOINT
        fresh = path.with_suffix(".new")
        with _asking(path):
            with _created(fresh, os.O_TRUNC) as descriptor:
                _put(descriptor, checkpoint.text().encode())
                if durable:
                    os.fsync(descriptor)
            fresh.replace(path)
        self.checkpoint = checkpoint

    def bury(self, to: str, refusals: Iterable[Refusal]) -> None:
        """Write to the dead letters what was refused for good; counted by the next `save`."""
        letters = [_letter(to, refusal) for refusal in refusals]
        if not letters:
            return
        path = self._folder / DEAD_LETTERS
        with _asking(path), _created(path, os.O_APPEND) as descriptor:
            _put(descriptor, b"".join(letters))
            os.fsync(descriptor)
            size = os.fstat(descriptor).st_size
        self.checkpoint = replace(
            self.checkpoint, dead=self.checkpoint.dead + len(letters), dead_size=size
        )

    def tell(self, gaps: Iterable[Gap]) -> None:
        """Keep what is missing, and since when that is known."""
        lines = [
            _line({"at": _now(), "file": gap.name, "offset": gap.offset, "reason": gap.reason})
            for gap in gaps
        ]
        path = self._folder / GAPS
        with _asking(path), _created(path, os.O_APPEND) as descriptor:
            _put(descriptor, b"".join(lines))
        self.checkpoint = replace(self.checkpoint, gaps=self.checkpoint.gaps + len(lines))

    def _forget_unsaid_letters(self) -> None:
        """Drop dead letters of a batch that a killed shipper had not finished: it comes again."""
        path = self._folder / DEAD_LETTERS
        if not os.path.lexists(path):
            return
        with _asking(path), _created(path, 0) as descriptor:
            if os.fstat(descriptor).st_size > self.checkpoint.dead_size:
                os.ftruncate(descriptor, self.checkpoint.dead_size)


def _locked(descriptor: int) -> bool:
    """Lock a file, or tell that another has: one that is being killed is waited for a moment, as is
    what it was about to start.
    """
    end = time.monotonic() + _MOMENT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(_MOMENT / 50)
        else:
            return True


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """Return what a shipper keeps in `folder`, None where nothing is kept. Raises ShipError."""
    path = folder / CHECKPOINT
    try:
        return checkpoint_of(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ShipError(
            f"{path}: {error}: put a good one back, or remove it to ship all anew"
        ) from None
    except OSError as error:
        raise ShipError(f"{path}: {error.strerror}") from None


def is_held(folder: Path) -> bool:
    """Tell whether a shipper is at work with the folder."""
    try:
        with (folder / _LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _letter(to: str, refusal: Refusal) -> bytes:
    record = refusal.record
    return _line(
        {
            "at": _now(),
            "to": to,
            "reason": refusal.reason,
            "file": record.file,
            "offset": record.offset,
            "line": record.text,
        }
    )


def _line(pairs: dict[str, str | int]) -> bytes:
    return json.dumps(pairs).encode() + b"\n"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextlib.contextmanager
def _created(path: Path, flag: int) -> Iterator[int]:
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | flag, _FILE_MODE
    )
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _put(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


@contextlib.contextmanager
def _asking(path: Path) -> Iterator[None]:
    """Turn what the system says into a ShipError of one line."""
    try:
        yield
    except OSError as error:
        raise ShipError(f"{path}: {error.strerror}") from None
