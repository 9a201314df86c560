"""The cache of a log, made range by range: each is there as soon as it is whole.

One process builds in a folder at a time. What it writes has a name that no search looks for until
it is finished, so that it can be killed at any time; the next one clears up. Memory stays flat: a
range's rows go through a file, from which DuckDB takes them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from typing import TYPE_CHECKING

from gatewaylog.analytics import contents, folders
from gatewaylog.analytics.duck import asked
from gatewaylog.analytics.schema import COLUMNS, VERSION
from gatewaylog.analytics.segments import (
    Segment,
    identity_text,
    listed,
    opened,
    remember,
    seen_in,
    verified,
)
from gatewaylog.analytics.table import Table
from gatewaylog.exceptions import ReaderError
from gatewaylog.reader import Source, blocks_between, blocks_of, shares_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gatewaylog.analytics.segments import OpenLog
    from gatewaylog.reader import Block

SIZE = 64 * 1024 * 1024  # bytes of a log that a segment holds
_ROWS = 20480  # of a row group: one is a processor's work
_TAIL = 64 * 1024  # bytes at a log's end in which its last whole line is looked for

# What is put into it is of this module alone, but for the new file's path.
_WRITTEN = f"""
COPY (
  SELECT * REPLACE (from_base64(_raw) AS _raw)
  FROM read_csv($rows, header = false, auto_detect = false, delim = ',', quote = '"',
    escape = '"', nullstr = '', allow_quoted_nulls = false, new_line = '\\n',
    max_line_size = 16000000, parallel = false, columns = {COLUMNS})
) TO 'NEW' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROWS}, USE_TMP_FILE false,
  KV_METADATA {{letters: 'LETTERS'}})
"""  # noqa: S608


def build(source: Source, *, workers: int = 1, wait: bool = False) -> bool:
    """Make the cache of all whole lines of a log that are in none yet; return whether that could
    be done. `wait` until another process is done with the folder, else leave it to that.
    """
    root = folders.prepared(source.path)
    with opened(source) as log:
        if log is None or root is None or not _has_room(log, root):
            return False
        with folders.locked(root, wait=wait) as held:
            if held:
                folders.swept(root)
                _build(source, log, root, workers)
                _forget(log, root)
            return held


def _has_room(log: OpenLog, root: Path) -> bool:
    """Tell whether the disk, which may be the log's own, has room for the log once more: far more
    than is needed.
    """
    return shutil.disk_usage(root).free > log.status.st_size


def _build(source: Source, log: OpenLog, root: Path, workers: int) -> None:
    folder = log.folder_in(root)
    for made in (folder.parent, folder):
        with suppress(FileExistsError):
            made.mkdir(mode=0o700)
    good = verified(log, root)
    for path in folder.iterdir():
        if path.name.startswith(folders.TEMPORARY):
            path.unlink(missing_ok=True)
    for segment in listed(folder):
        if segment not in good or contents.checksum(segment.path) != segment.checksum:
            segment.path.unlink(missing_ok=True)
    remember(log, folder)
    if not log.packed:
        _build_ranges(source, log, folder, workers)
    elif not good:
        _build_packed(source, log, folder)


def _build_ranges(source: Source, log: OpenLog, folder: Path, workers: int) -> None:
    there = {segment.begin: segment.end for segment in listed(folder)}
    ranges = list(_missing(source, there, _last_feed(log)))
    if workers > 1 and len(ranges) > 1:
        with ProcessPoolExecutor(
            min(workers, len(ranges)), mp_context=get_context("spawn")
        ) as pool:
            jobs = [pool.submit(_build_range, source, folder, *place) for place in ranges]
            try:
                for job in jobs:
                    job.result()
            except BrokenProcessPool:
                raise ReaderError("a process that read the log was killed") from None
        return
    for place in ranges:
        _build_range(source, folder, *place)


def _missing(source: Source, there: dict[int, int], end: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges up to `end` that no segment holds, of about SIZE bytes each."""
    at = 0
    for begin, stop in [*sorted(there.items()), (end, end)]:
        if at < begin <= end:
            yield from shares_of(source.part(at, begin), SIZE)
        at = max(at, stop)


def _last_feed(log: OpenLog) -> int:
    """Return where the log's last whole line ends, 0 where that is not at hand."""
    size = log.status.st_size
    begin = max(0, size - _TAIL)
    found = os.pread(log.fd, size - begin, begin).rfind(b"\n") + 1
    return begin + found if found else 0


def _build_range(source: Source, folder: Path, begin: int, end: int) -> None:
    new = _written(blocks_between(source, begin, end), folder)
    with opened(source) as log:
        if log is None:
            new.unlink()
            return
        digests = contents.digest(log.fd, begin, end), contents.samples(log.fd, begin, end)
    _named(new, folder, begin, end, digests, last=False)


def _build_packed(source: Source, log: OpenLog, folder: Path) -> None:
    size = log.status.st_size
    digests = contents.digest(log.fd, 0, size), contents.samples(log.fd, 0, size)
    made: list[Segment] = []
    for blocks in _groups(blocks_of(source)):
        new = _written(blocks, folder)
        begin, end = blocks[0].offset, blocks[-1].offset + blocks[-1].size
        made.append(_named(new, folder, begin, end, digests, last=False))
    if source.damage:
        for segment in made:
            segment.path.unlink()
    elif made:
        made[-1].path.rename(replace(made[-1], last=True).path)


def _groups(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Yield as many blocks at once as a segment holds."""
    group: list[Block] = []
    for block in blocks:
        group.append(block)
        if block.offset + block.size - group[0].offset >= SIZE:
            yield group
            group = []
    if group:
        yield group


def _written(blocks: Iterable[Block], folder: Path) -> Path:
    """Write the rows of blocks into a new file; return its path, which has no name yet."""
    table, name = Table(), f"{folders.TEMPORARY}{os.getpid()}"
    rows, new = folder / f"{name}.csv", folder / f"{name}.parquet"
    try:
        with os.fdopen(_created(rows), "wb") as file:
            for block in blocks:
                file.write(table.rows(block))
        os.close(_created(new))  # with its mode
        asked(_statement(new, table.letters), {"rows": str(rows)})
    finally:
        rows.unlink(missing_ok=True)
    return new


def _statement(new: Path, letters: dict[str, str]) -> str:
    texts = {"LETTERS": json.dumps(letters), "NEW": str(new)}
    places = re.compile("|".join(texts))
    return places.sub(lambda found: texts[found[0]].replace("'", "''"), _WRITTEN)


def _created(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)


def _named(
    new: Path, folder: Path, begin: int, end: int, digests: tuple[str, str], *, last: bool
) -> Segment:
    segment = Segment(
        folder=folder,
        begin=begin,
        end=end,
        digest=digests[0],
        samples=digests[1],
        checksum=contents.checksum(new),
        last=last,
    )
    new.rename(segment.path)
    return segment


def _forget(log: OpenLog, root: Path) -> None:
    """Remove the caches of logs that are no longer in the log's folder."""
    others = [folder for folder in (root / VERSION).iterdir() if folder.name != log.name]
    seen = {identity for folder in others for identity in seen_in(folder)}
    names = set(_names_of(log.path.parent, seen)) if seen else set()
    for folder in others:
        if folder.name not in names:
            shutil.rmtree(folder, ignore_errors=True)


def _names_of(folder: Path, seen: set[str]) -> Iterator[str | None]:
    """Yield what the files in a folder are known by of which there has been a cache. An inode
    alone may be another file's by now.
    """
    for path in folder.iterdir():
        with suppress(OSError, ReaderError):
            if path.is_file() and identity_text(path.stat()) in seen:
                with opened(Source(str(path))) as log:
                    yield log.name if log else None
