"""Logs that are shipped: written, rotated and packed while they are read."""

from __future__ import annotations

import gzip
import itertools
import json
from typing import TYPE_CHECKING, Any

from gatewaylog.ship.running import ship
from gatewaylog.ship.settings import Settings
from gatewaylog.ship.shipper import Pace
from gatewaylog.ship.stopping import Stop
from tests.reader.logs import encoded, incoming

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

QUICK = Pace(
    look=0.01,
    watch=0.01,
    gather=0.02,
    first=0.01,
    most=0.05,
    patience=15.0,
    farewell=5.0,
    asked=0.1,
)


def line(number: int) -> bytes:
    return encoded(incoming(number), number / 1000)


def lines(*numbers: Iterable[int]) -> list[str]:
    """The lines of events, as texts without line feeds."""
    return [line(number).decode().rstrip("\n") for number in itertools.chain(*numbers)]


def append(log: Path, numbers: Iterable[int]) -> None:
    with log.open("ab") as file:
        file.write(b"".join(map(line, numbers)))


def rotate(log: Path, *, pack_from: int = 0) -> None:
    """Rename as logrotate does, `.1` the newest; those from `pack_from` on are packed."""
    known = sorted(
        (int(path.name.removeprefix(log.name).split(".")[1]), path)
        for path in log.parent.glob(f"{log.name}.*")
        if "new" not in path.name
    )
    for number, path in reversed(known):
        path.rename(path.with_name(f"{log.name}.{number + 1}{'.gz' * path.name.endswith('gz')}"))
    if log.exists():
        log.rename(log.with_name(f"{log.name}.1"))
    if pack_from:
        for number in range(pack_from, len(known) + 2):
            pack(log.with_name(f"{log.name}.{number}"))


def pack(path: Path) -> None:
    if path.exists():
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_bytes(gzip.compress(path.read_bytes()))
        fresh.rename(path.with_name(f"{path.name}.gz"))
        path.unlink()


def once(log: Path, state: Path, *, quiet: float = 60.0, **settings: Any) -> None:
    """Ship to the end of the log."""
    ship(Settings(**settings), [log], state, Stop(), once=True, pace=QUICK, quiet=quiet)


def ndjson(path: Path) -> list[dict[str, Any]]:
    text = path.read_text() if path.exists() else ""
    return [json.loads(entry) for entry in text.splitlines()]
