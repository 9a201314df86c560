"""What could not be read of logs: said when it is met, and told by the exit status at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli.terminal import printable
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from gatewaylog.exceptions import ReaderError
    from gatewaylog.reader import Source

_refused: list[str] = []
_damaged: set[str] = set()


def forget() -> None:
    """Begin another command."""
    _refused.clear()
    _damaged.clear()


def refused(error: ReaderError) -> None:
    """Say what can't be read of several logs; the others are."""
    _refused.append(str(error))
    notice(printable(str(error)))


def damaged(source: Source) -> None:
    """Say once that a log is not all there: it would look like one line that can't be read."""
    if source.name not in _damaged:
        _damaged.add(source.name)
        notice(printable(f"{source.name}: {source.damage}: what is behind it is not read"))


def any_refused() -> bool:
    """Tell whether something that was asked for was not read."""
    return bool(_refused)
