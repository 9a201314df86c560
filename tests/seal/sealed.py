"""Logs that are sealed, with keys of their own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from gatewaylog import AccessLog, IncomingRequest
from gatewaylog.seal.digest import Digest, read_line
from gatewaylog.seal.keys import CHAIN_KEY, PUBLIC_KEY, SIGNING_KEY, make_keys

if TYPE_CHECKING:
    from typing import Any


@cache
def keys() -> Path:
    """A folder of keys, the same for all tests of a run."""
    folder = Path(mkdtemp(prefix="gatewaylog-keys-"))
    make_keys(folder)
    return folder


def sealed(path: Path, folder: Path | None = None, **options: Any) -> AccessLog:
    """Open a tamper-evident log."""
    folder = folder or keys()
    return AccessLog(
        path,
        tamper_evident=True,
        chain_key_file=str(folder / CHAIN_KEY),
        signing_key_file=str(folder / SIGNING_KEY),
        **options,
    )


def judging(folder: Path | None = None) -> list[str]:
    """The options of verify that name the keys."""
    folder = folder or keys()
    return ["--chain-key", str(folder / CHAIN_KEY), "--public-key", str(folder / PUBLIC_KEY)]


def write(log: AccessLog, count: int, api: str = "acme--Shop:v1") -> None:
    """Write some events."""
    for number in range(count):
        assert log.write(IncomingRequest(api=api, request_in_url=f"/{number}"))


def digests(path: Path) -> list[Digest]:
    """What was signed of a log."""
    ledger = path.with_name(path.name + ".digest")
    raws = ledger.read_bytes().split(b"\n")[:-1] if ledger.exists() else []
    return [read_line(raw).digest for raw in raws]
