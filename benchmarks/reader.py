"""Lines a second, in CPU time: in blocks, one by one, backwards, merged, parsed.

python benchmarks/reader.py [--lines 500000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.events import IncomingRequest, RequestComplete
from gatewaylog.formats import LineOptions, Wso2Format
from gatewaylog.reader import Entry, Pairing, Source, blocks_of, entries, find_exchanges, time_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PARSED = 50_000
_FILES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frozen:
    """What Entry would be as the house's other values are."""

    source: object
    offset: int
    raw: bytes
    number: int = 0
    line: object = None


def written(folder: Path, name: str, count: int, writer: int) -> Path:
    """Write a log of `count` lines, two an exchange, 1,000 a second."""
    form = Wso2Format(LineOptions())
    path = folder / name
    with path.open("wb") as log:
        for at in range(count // 2):
            identity = f"urn:uuid:00000000-0000-4000-8{writer:03d}-{at:012d}"
            call = ("lzelus--Echo:v1.0.0", f"/echo/1.0.0/noauth?x={at}", "GET")
            begun = IncomingRequest(identity, *call, "curl/8.5.0", "127.0.0.1")
            ended = RequestComplete(
                identity, call[0], identity, status_code=200, request_in_url=call[1],
                request_in_method="GET", outcome="complete", duration_ms=8.9, bytes_out=512,
            )  # fmt: skip
            log.write(form.encode(begun, 1.7e9 + at / 500, "1-MainThread"))
            log.write(form.encode(ended, 1.7e9 + at / 500 + 0.009, "1-MainThread"))
    return path


def told(name: str, count: int, action: Callable[[], object]) -> None:
    began = time.process_time()
    action()
    print(f"{name:42}{count / (time.process_time() - began):12,.0f} lines/s")


def passed(items: Iterable[object]) -> None:
    for _ in items:
        pass


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lines", type=int, default=500_000)
    count = options.parse_args().lines
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = written(folder, "one.txt", count, 0)
        source = Source(str(path))
        needle = b"no such thing"
        print(f"{count:,} lines, {path.stat().st_size >> 20} MiB")
        for way in (False, True):
            where = "backwards" if way else "forwards"
            found = (needle in b.raw for b in blocks_of(source, newest_first=way))
            told(f"blocks, looked through, {where}", count, lambda found=found: passed(found))
            raws = (needle in e.raw for e in entries(path, newest_first=way))
            told(f"lines, each looked through, {where}", count, lambda raws=raws: passed(raws))
        told("times", count, lambda: passed(time_of(e.raw) for e in entries(path)))
        parsed = [e.line for e in islice(entries(path), 10)]
        told(
            "parsed", _PARSED, lambda: parsed.extend(e.line for e in islice(entries(path), _PARSED))
        )
        pairing = Pairing()
        told("paired", len(parsed), lambda: passed(map(pairing.add, parsed[10:])))
        told("an exchange found", count, lambda: find_exchanges("8000-000000000077", path))
        several = [written(folder, f"{at}.log", count // _FILES, at) for at in range(_FILES)]
        told(f"{_FILES} files that overlap, merged", count, lambda: passed(entries(several)))
        told("Entry, made", count, lambda: [Entry(source, at, b"", at) for at in range(count)])
        told(
            "a frozen dataclass, made",
            count,
            lambda: [_Frozen(source=source, offset=at, raw=b"", number=at) for at in range(count)],
        )


if __name__ == "__main__":
    main()
