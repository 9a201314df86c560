"""Which rotated files shippers still need, and what they miss where one is deleted all the same.

A shipper keeps in its state folder how far it delivered each file, known by the hash of its first
line (`gatewaylog.ship.checkpoint`). One whose state is not there or can't be read has passed
nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.notices import notice
from gatewaylog.sinks.numbers import numbers_in
from gatewaylog.sinks.packing import PACKED, lines_of
from gatewaylog.sinks.registered import read_small
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MISSED = ".unshipped"
_CHECKPOINT = "checkpoint.json"
_LARGEST = 64 * 1024 * 1024  # bytes of a checkpoint: 200,000 files
_MODE = 0o640


class Unpassed(NamedTuple):
    """A shipper that has not passed a file, and the byte of what is unpacked where it stands."""

    state: Path
    offset: int


def unpassed(file: Path, shippers: Iterable[Path]) -> list[Unpassed]:
    """Return the shippers, by their state folders, that have not delivered all of a file."""
    try:
        first = _first_of(file)
    except OSError:  # broken: nobody can ship it
        return []
    if not first:
        return []
    known = hashlib.sha256(first).hexdigest()
    found = []
    for state in shippers:
        offset = _offset(state, known)
        if offset is not None and not _is_whole(file, offset):
            found.append(Unpassed(state, offset))
    return found


def _first_of(file: Path) -> bytes:
    """Return the line that a file is known by, with empty ones before it; nothing without one."""
    head = b""
    for line in lines_of(file):
        head += line
        if line.strip(b"\r\n"):
            return head
    return b""


def _offset(state: Path, first: str) -> int | None:
    """Return how far a file was delivered, None where it is over."""
    try:
        positions = json.loads(read_small(state / _CHECKPOINT, _LARGEST)[0])["positions"]
        for position in positions:
            if position["first"] == first:
                return None if position["over"] else int(position["offset"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return 0
    return 0


def _is_whole(file: Path, offset: int) -> bool:
    return file.suffix not in PACKED and offset >= file.stat().st_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Lines of one writer that follow each other, by their first and last Seq."""

    writer: str
    first: int
    last: int


def runs_behind(file: Path, offset: int) -> list[Run]:
    """Return which lines a file holds from a byte on."""
    runs: list[list[int]] = []
    latest: dict[str, list[int]] = {}
    names: list[str] = []
    at = 0
    for line in lines_of(file):
        at += len(line)
        numbers = numbers_in(line.rstrip(b"\n")) if at > offset else None
        if numbers is None:
            continue
        writer, seq = numbers
        run = latest.get(writer)
        if run is not None and seq == run[1] + 1:
            run[1] = seq
        else:
            latest[writer] = run = [seq, seq]
            runs.append(run)
            names.append(writer)
    return [
        Run(writer=name, first=run[0], last=run[1]) for name, run in zip(names, runs, strict=True)
    ]


def tell_missed(log: Path, file: Path, missing: Iterable[Unpassed]) -> None:
    """Tell which lines of a file that is about to be deleted its shippers miss: on standard error,
    and for good in `FILE.unshipped` beside the log.
    """
    lines = []
    for state, offset in missing:
        for run in runs_behind(file, offset):
            notice(
                f"{file} is deleted before the shipper of {state} had it:"
                f" writer {run.writer}, Seq {run.first} to {run.last}",
                code=SystemCode.RESOURCE_REMOVE,
            )
            lines.append(_line(file, state, run))
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(log.with_name(log.name + MISSED), flags, _MODE), "ab") as target:
        target.writelines(lines)


def _line(file: Path, state: Path, run: Run) -> bytes:
    pairs = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "file": file.name,
        "state": str(state),
        "writer": run.writer,
        "first": run.first,
        "last": run.last,
    }
    return json.dumps(pairs).encode() + b"\n"
