"""What the operator must know at once: in the system log if there is one, or on standard error."""

from __future__ import annotations

import select
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

Level: TypeAlias = Literal["INFO", "WARNING", "ERROR"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that is said. `above` is how many calls lie between `notice` and who says it."""

    text: str
    level: Level
    code: SystemCode
    error: BaseException | None
    above: int


_outlets: list[Callable[[Notice], None]] = []


def notice(
    text: str,
    level: Level = "WARNING",
    code: SystemCode = SystemCode.OK,
    *,
    error: BaseException | None = None,
    above: int = 0,
) -> None:
    """Say one thing, with the stack of the error that it tells of, where one is given.

    Who says it is the caller, or one so many calls `above` it. Never raises: an exchange must not
    fail since nobody can be told.
    """
    if _outlets:
        _outlets[-1](Notice(text=text, level=level, code=code, error=error, above=above))
        return
    put(sys.stderr, f"gatewaylog: {text}{_stack(error)}")


def _stack(error: BaseException | None) -> str:
    if error is None:
        return ""
    import traceback  # for this alone

    return "\n" + "".join(traceback.format_exception(error)).rstrip("\n")


def put(stream: TextIO | None, line: str) -> None:
    """Write a line to a stream, if it is there, open, and somebody reads it: who does not must not
    hold up a call. Never raises.
    """
    try:
        if stream is not None and _has_room(stream):
            stream.write(f"{line}\n")
            stream.flush()
    except (OSError, ValueError, AttributeError):
        return


def _has_room(stream: TextIO) -> bool:
    try:
        number = stream.fileno()
    except (OSError, AttributeError):
        return True  # in memory
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return bool(poll.poll(0))


def tell_by(outlet: Callable[[Notice], None] | None) -> None:
    """Have everything be told by `outlet`, which never raises; None: on standard error again."""
    _outlets[:] = [] if outlet is None else [outlet]
