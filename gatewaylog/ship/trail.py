"""Which file is read next, and from where: a log and what was rotated from it, oldest first.

A file that was renamed or packed meanwhile is found again by its first line, and read on from the
byte where it stood. What can't be found again is a gap, and told.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ReaderError
from gatewaylog.ship.batches import Batch, batch_of
from gatewaylog.ship.checkpoint import Position
from gatewaylog.ship.folder import Folder, is_still
from gatewaylog.ship.track import Track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gatewaylog.ship.destination import Limits

QUIET = 60.0  # seconds without a change after which a renamed file is taken to be over
_LOOKS = 200  # at most, before a file is taken to be gone
_MOMENT = 0.01  # seconds between them


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Lines that were not delivered and can't be any more: in `name` from the byte `offset` on."""

    name: str
    offset: int
    reason: str

    def __str__(self) -> str:
        return f"gap in {self.name} from byte {self.offset} on: {self.reason}"


class Trail:
    """The files of logs, read on from `positions`. Raises ReaderError for what can't be read.

    Of `alone` each is read by itself, without the log that it was rotated from; what becomes of
    other files is not told then. `number` is how many lines were shipped before. `gaps` gathers
    what was found missing; who takes them empties it.
    """

    def __init__(
        self,
        logs: Iterable[Path],
        positions: Iterable[Position],
        *,
        alone: Iterable[Path] = (),
        number: int = 0,
        quiet: float = QUIET,
    ) -> None:
        self.gaps: list[Gap] = []
        self._folders = [Folder(log) for log in logs]
        self._folders += [Folder(log, is_alone=True) for log in alone]
        self._quiet = quiet
        self._tracks = {found.first: Track(position=found) for found in positions}
        self._number = number
        self._turn = 0

    @property
    def positions(self) -> tuple[Position, ...]:
        """How far each file that is known was delivered."""
        return tuple(track.position for track in self._tracks.values())

    def close(self) -> None:
        """Let go of all files."""
        for track in self._tracks.values():
            track.close()

    def batch(self, limits: Limits) -> Batch | None:
        """Return the next lines, of each log in turn; None where none is whole."""
        self.look()
        for turn in range(len(self._folders)):
            at = (self._turn + turn) % len(self._folders)
            for track in list(self._tracks.values()):
                if track.folder is self._folders[at] and (found := self._next(track, limits)):
                    self._turn = at + 1
                    return found
        return None

    def again(self, first: str, begin: int, end: int) -> Batch | None:
        """Return the batch that was under way, as it was; None where that can't be had."""
        self.look()
        track = self._tracks.get(first)
        if track is None or track.position.offset != begin or not self._is_ready(track):
            return None
        block = track.lines(end - begin, whole=False)
        return batch_of(track, block, block.size, self._number) if block else None

    def behind(self) -> Iterator[Track]:
        """Yield the files that are not known to be delivered whole, open."""
        self.look()
        for track in list(self._tracks.values()):
            if not track.position.over and self._is_ready(track):
                yield track

    def passed(self, batch: Batch) -> tuple[Position, ...]:
        """Take a batch for delivered; return the positions that are true then."""
        self._tracks[batch.position.first].position = batch.position
        self._number += len(batch.records)
        return self.positions

    def look(self) -> None:
        """Look which files there are, where that may have changed."""
        for folder in self._folders:
            if folder.is_changed(self._live(folder)):
                self._scan(folder)
        missing = self._lost()
        for _ in range(_LOOKS):
            if not missing or all(folder.is_settled() for folder in self._folders):
                break
            time.sleep(_MOMENT)
            for folder in self._folders:
                self._scan(folder)
            lost = self._lost()
            missing = [track for track in missing if track in lost]
        for track in missing:
            if not track.position.over:
                self._lose(track, "the file is gone, and what stood there with it")
            del self._tracks[track.position.first]

    def _live(self, folder: Folder) -> list[int]:
        tracks = self._tracks.values()
        return [track.inode for track in tracks if track.folder is folder and track.is_live]

    def _scan(self, folder: Folder) -> None:
        folder.scan()
        for track in self._tracks.values():
            if track.folder is folder:
                track.path, track.is_live = None, False
        found: dict[str, Track] = {}
        for first, file in folder.files.items():
            known = self._tracks.pop(first, None)
            found[first] = Track(position=Position(first=first)) if known is None else known
            found[first].found(folder, file)
        self._tracks |= found  # behind those that are not found, which stand first

    def _lost(self) -> list[Track]:
        if not any(folder.files for folder in self._folders):
            return []  # the folder may not be mounted
        if any(folder.is_alone for folder in self._folders):
            return []  # others were not looked for
        return [track for track in self._tracks.values() if not (track.path or track.cursor)]

    def _lose(self, track: Track, reason: str) -> None:
        position = track.position
        self.gaps.append(Gap(name=position.name, offset=position.offset, reason=reason))

    def _next(self, track: Track, limits: Limits) -> Batch | None:
        if track.position.over or not self._is_ready(track):
            return None
        if block := track.lines(limits.size, whole=True):
            return batch_of(track, block, limits.events, self._number)
        if track.is_over(self._quiet):
            if block := track.lines(limits.size, whole=False):
                return batch_of(track, block, limits.events, self._number)
            if damage := track.damage:
                self._lose(track, damage)
            track.finish()
        return None

    def _is_ready(self, track: Track) -> bool:
        """Have a file open where it was left, or find that it is not what it was."""
        if self._stands(track):
            return True
        track.close()
        if track.folder is not None:
            self._scan(track.folder)  # it may stand elsewhere: another holds its old name
        if self._stands(track):
            return True
        if track.cursor is None:
            track.path = None
            return False
        self._lose(track, "the file was cut or changed before that place; it begins anew")
        track.position = Position(first=track.position.first, name=track.position.name)
        return True

    @staticmethod
    def _stands(track: Track) -> bool:
        """Tell whether the file is open, and the line before the place of reading is there."""
        try:
            if track.open():
                return track.is_as_it_was()
        except (OSError, ReaderError):
            if track.path is not None and is_still(track.path, track.inode):
                raise
        track.close()
        return False
