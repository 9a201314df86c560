"""Shippers that registered beside a log, so that whoever rotates it knows them.

A registration is a small file, `.NAME.shipper-DIGEST`, which names the shipper's state folder as
JSON. What stands in the log's folder is taken for what it is: only regular files that belong to us,
to root or to the folder's owner count, and only what is small and well formed.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.notices import notice

if TYPE_CHECKING:
    from collections.abc import Iterator

GONE = 24 * 3600.0  # seconds for which a state folder is missing until it is taken to be gone
_SEEN_EVERY = 600.0  # seconds after which it is noted again that the folder is there
_LONGEST = 8 * 1024  # bytes of a registration
_MODE = 0o640
_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class _Registration(NamedTuple):
    """A registration's file, the state folder that it names, and when that was last there."""

    path: Path
    state: Path
    seen: float


def register(log: Path, state: Path) -> None:
    """Have the retention of a log wait for the shipper whose state folder is `state`.

    Raises OSError where that can't be: only who owns the log may (PermissionError), as its writers
    read the state, which is kept from others.
    """
    path = _place(log, state)
    owner = _owner(log)
    if owner is not None and owner != os.geteuid():
        raise PermissionError(f"the log belongs to another user (uid {owner})")
    if is_registered(log, state):
        os.utime(path, follow_symlinks=False)
        return
    fresh = path.with_name(f"{path.name}.new")
    text = json.dumps({"state": str(state.absolute())}).encode() + b"\n"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _OPEN, _MODE)
    try:
        os.write(descriptor, text)
    finally:
        os.close(descriptor)
    fresh.replace(path)


def unregister(log: Path, state: Path) -> bool:
    """Have a log's retention wait for a shipper no more; return whether it did. Raises OSError."""
    path = _place(log, state)
    known = os.path.lexists(path)
    path.unlink(missing_ok=True)
    return known


def is_registered(log: Path, state: Path) -> bool:
    """Tell whether the retention of a log waits for the shipper of a state folder."""
    path = _place(log, state)
    return any(known.path == path for known in _registrations(log))


def registered(log: Path) -> tuple[Path, ...]:
    """Return the state folders of the shippers that registered beside a log.

    One whose folder has been missing for GONE seconds is dropped, and that is told: a folder may be
    missing for a while, where it is on a volume of its own.
    """
    return tuple(known.state for known in _registrations(log) if _is_alive(known, log))


def _is_alive(known: _Registration, log: Path) -> bool:
    now = time.time()
    try:
        if known.state.is_dir():
            if now - known.seen > _SEEN_EVERY:
                os.utime(known.path, follow_symlinks=False)
            return True
        if now - known.seen <= GONE:
            return True
        known.path.unlink(missing_ok=True)
    except OSError:  # not to be changed by us: the shipper is waited for
        return True
    notice(f"{log}: no file is kept any more for the shipper of {known.state}, which is gone")
    return False


def _place(log: Path, state: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(state.absolute())).hexdigest()
    return log.with_name(f"{_prefix(log)}{digest[:16]}")


def _prefix(log: Path) -> str:
    return f".{log.name}.shipper-"


def _owner(log: Path) -> int | None:
    try:
        return log.stat().st_uid
    except FileNotFoundError:
        return None


def _registrations(log: Path) -> Iterator[_Registration]:
    try:
        paths = sorted(log.parent.glob(f"{glob.escape(_prefix(log))}*"))
        owners = {os.geteuid(), 0, log.parent.stat().st_uid}
    except OSError:  # no folder, no registrations
        return
    for path in paths:
        known = _read(path, owners)
        if known is not None and path == _place(log, known.state):
            yield known


def _read(path: Path, owners: set[int]) -> _Registration | None:
    try:
        raw, status = read_small(path, _LONGEST)
        state = json.loads(raw)["state"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if status.st_uid not in owners or not isinstance(state, str) or "\0" in state:
        return None
    return _Registration(path, Path(state), status.st_mtime) if state.startswith("/") else None


def read_small(path: Path, most: int) -> tuple[bytes, os.stat_result]:
    """Return what a file holds, and its status. Raises OSError where it can't be read, and
    ValueError where it is no regular file, a link, or longer than `most` bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | _OPEN)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            raise ValueError("is no small file")
        return file.read(most), status
