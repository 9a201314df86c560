"""One file of a log: how far it was delivered, where it is now, what is read from it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gatewaylog.reader.names import name_of
from gatewaylog.ship.cursor import Cursor, opened

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.reader import Block
    from gatewaylog.ship.checkpoint import Position
    from gatewaylog.ship.folder import Folder, Found


@dataclass(slots=True, kw_only=True, eq=False)
class Track:
    """A file that is known by its first line.

    `path` is None where it has no name any more; it is read on all the same while it is open.
    """

    position: Position
    folder: Folder | None = None
    path: Path | None = None
    cursor: Cursor | None = None
    is_live: bool = False

    def found(self, folder: Folder, found: Found) -> None:
        """Take note of where it was found."""
        self.folder, self.path = folder, found.path
        self.is_live = name_of(found.path.name).is_live
        self.position = replace(self.position, name=str(found.path), inode=found.inode)

    @property
    def inode(self) -> int:
        """Its inode at the last look."""
        return self.position.inode

    def open(self) -> bool:
        """Have it open; tell whether what is open is the file that is meant."""
        if self.cursor is not None:
            return self.cursor.is_packed or self.position.offset > 0 or self._begins_as_known()
        if self.path is None:
            return False
        self.cursor = opened(self.path, self.position.name)
        return self._begins_as_known()

    def _begins_as_known(self) -> bool:
        return self.cursor is not None and self.cursor.first() == self.position.first

    def is_as_it_was(self) -> bool:
        """Tell whether the line before the place of reading stands there still."""
        if self.cursor is None:
            return False
        position = self.position
        return self.cursor.is_proven(position.offset, position.size, position.before)

    def lines(self, size: int, *, whole: bool) -> Block | None:
        """Return the lines from the place of reading on; see `Cursor.lines`."""
        if self.cursor is None:
            return None
        return self.cursor.lines(self.position.offset, size, whole=whole)

    def at(self, offset: int, size: int) -> bytes:
        """Return bytes of the file."""
        return self.cursor.at(offset, size) if self.cursor else b""

    def is_over(self, quiet: float) -> bool:
        """Tell whether nothing more will be written to it."""
        return (
            not self.is_live and self.cursor is not None and self.cursor.is_over(quiet, time.time())
        )

    @property
    def damage(self) -> str:
        """How its compressed data broke off; else empty."""
        return self.cursor.damage if self.cursor else ""

    def finish(self) -> None:
        """Take note that it is delivered to its end for good."""
        self.position = replace(self.position, over=True)
        self.close()

    def close(self) -> None:
        """Close it."""
        if self.cursor is not None:
            self.cursor.close()
            self.cursor = None
