"""Which files the page is of: those that are read once, and those that are followed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.exceptions import ReaderError
from gatewaylog.reader import find
from gatewaylog.reader.names import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable


class Logs(NamedTuple):
    """Names of files: `kept` get no more lines (rotated, packed), `live` ones do."""

    kept: tuple[str, ...]
    live: tuple[str, ...]

    @classmethod
    def of(cls, names: Iterable[str]) -> Logs:
        """Part the files that `find` returned. Raises ReaderError for standard input."""
        found = tuple(names)
        if "-" in found:
            raise ReaderError("-: standard input can't be followed, nor read again")
        parsed = {name: name_of(Path(name).name) for name in found}
        live = tuple(name for name in found if parsed[name].is_live and not parsed[name].packed)
        if len(found) == 1 and not parsed[found[0]].packed:
            live = found
        return cls(tuple(name for name in found if name not in live), live)

    @property
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return self.kept + self.live

    def size(self) -> int:
        """Return how many bytes they hold now, packed ones as they are."""
        return sum(source.path.stat().st_size for source in find(self.all))
