"""The files of a cache: each holds the lines of a range of a log's bytes, and is named by them.

A log is known by its content, so that it is found again under another name. Its cache is believed
as far as that: where the file is the very one, and no byte of it has been written since, by samples
of each range; where it has grown, the same, as a log only grows; in all other cases by a digest of
every byte.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.analytics import contents, folders
from gatewaylog.analytics.schema import VERSION
from gatewaylog.reader.sources import identity_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.reader import Source

_NAME = re.compile(
    r"([0-9]{1,18})-([0-9]{1,18})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{8})(-last)?\.parquet"
)
_SEEN = "seen.json"
_MOST_SEEN = 16  # files of one content


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A file that holds the lines from byte `begin` to `end`, of what is unpacked.

    `digest` and `samples` are of these bytes; where the log is packed, of the whole packed file,
    and `last` tells that nothing stands behind. `checksum` is the file's own.
    """

    folder: Path
    begin: int
    end: int
    digest: str
    samples: str
    checksum: int
    last: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / (
            f"{self.begin}-{self.end}-{self.digest}-{self.samples}-{self.checksum:08x}"
            f"{'-last' if self.last else ''}.parquet"
        )


class OpenLog:
    """A log's file, open, and what its cache is known by."""

    def __init__(self, source: Source, fd: int) -> None:
        self.fd = fd
        self.path = Path(os.path.realpath(source.path))
        self.status = os.fstat(fd)
        self.packed = source.is_packed
        self.name = contents.name_of_log(fd, self.status.st_size, packed=self.packed)

    def folder_in(self, root: Path) -> Path:
        """Return where the log's segments are."""
        return root / VERSION / str(self.name)

    def range_of(self, segment: Segment) -> tuple[int, int]:
        """Return the bytes that a segment's digests are of."""
        return (0, self.status.st_size) if self.packed else (segment.begin, segment.end)

    @property
    def mark(self) -> list[int]:
        """What tells that no byte has been written since."""
        return [self.status.st_size, self.status.st_mtime_ns]


@contextmanager
def opened(source: Source) -> Iterator[OpenLog | None]:
    """Open a log's file; None where it can't have a cache: a pipe, gone, without a first line."""
    if source.is_pipe:
        yield None
        return
    try:
        fd = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        log = OpenLog(source, fd)
        known = log.name is not None and identity_of(log.status) == source.identity
        yield log if known else None
    finally:
        os.close(fd)


def segments_of(source: Source) -> list[Segment]:
    """Return the segments of a log that hold what it holds, from its first byte on, without gaps;
    those of a packed log are all of it or none.
    """
    roots = [] if source.is_pipe else folders.present(source.path)
    if not roots:
        return []
    with opened(source) as log:
        return next(filter(None, (verified(log, root) for root in roots)), []) if log else []


def verified(log: OpenLog, root: Path) -> list[Segment]:
    """Return the same of one folder."""
    folder = log.folder_in(root)
    if not folders.is_own(folder):
        return []
    chain = _chain(log, listed(folder))
    seen = seen_in(folder)
    before = seen.get(identity_text(log.status))
    grown = before is not None and before[0] < log.mark[0]
    if chain and before != log.mark and not grown:
        chain = list(_unchanged(log, chain))
    if log.packed and not (chain and chain[-1].last):
        return []
    if chain and before != log.mark:
        remember(log, folder)
    return chain


def listed(folder: Path) -> list[Segment]:
    """Return the segments in a folder, by place."""
    found = []
    with suppress(OSError):
        for path in folder.iterdir():
            if match := _NAME.fullmatch(path.name):
                begin, end, digest, samples, checksum, last = match.groups()
                segment = Segment(
                    folder=folder,
                    begin=int(begin),
                    end=int(end),
                    digest=digest,
                    samples=samples,
                    checksum=int(checksum, 16),
                    last=bool(last),
                )
                found.append(segment)
    return sorted(found, key=lambda segment: (segment.begin, -segment.end))


def _chain(log: OpenLog, segments: list[Segment]) -> list[Segment]:
    """Return those that follow each other from the first byte, as far as samples of them tell."""
    chain: list[Segment] = []
    for segment in segments:
        at = chain[-1].end if chain else 0
        begin, end = log.range_of(segment)
        if (
            segment.begin == at < segment.end
            and end <= log.status.st_size
            and contents.samples(log.fd, begin, end) == segment.samples
        ):
            chain.append(segment)
    return chain


def _unchanged(log: OpenLog, chain: list[Segment]) -> Iterator[Segment]:
    """Yield segments as long as every byte is what it was."""
    known: dict[tuple[int, int], str] = {}
    for segment in chain:
        place = log.range_of(segment)
        if place not in known:
            known[place] = contents.digest(log.fd, *place)
        if known[place] != segment.digest:
            return
        yield segment


def seen_in(folder: Path) -> dict[str, list[int]]:
    """Return the files that a folder's segments were found to be of: their size and time."""
    try:
        seen = json.loads((folder / _SEEN).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(seen, dict):
        return {}
    return {name: mark for name, mark in seen.items() if _is_mark(mark)}


def _is_mark(mark: object) -> bool:
    return isinstance(mark, list) and [type(part) for part in mark] == [int, int]


def remember(log: OpenLog, folder: Path) -> None:
    """Keep that the folder's segments are of this file as it is."""
    seen = seen_in(folder)
    seen.pop(identity_text(log.status), None)
    seen = dict([*seen.items(), (identity_text(log.status), log.mark)][-_MOST_SEEN:])
    new = folder / f"{folders.TEMPORARY}{os.getpid()}-{_SEEN}"
    with suppress(OSError):
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "w") as file:
            json.dump(seen, file)
        new.replace(folder / _SEEN)


def identity_text(status: os.stat_result) -> str:
    """Return what a file is remembered by."""
    return ":".join(map(str, identity_of(status)))
