"""What a destination is: it prepares a batch, and sends what it prepared until it is taken.

`prepare` turns records into the very bytes that are sent, so that a batch that is tried again is
byte for byte the same. `send` returns when the destination said yes; what it raises decides what
becomes of the batch:

TryAgain   it may be taken later: down, busy, too slow
Refused    it will never be taken, or some of it: for dead letters
RefusedInPart
           the same, where the others were taken: each is sent once more, alone
ShipError  no batch will be taken until somebody changes something: wrong token, wrong address
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.ship.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that one batch holds: bytes of lines, and how many of them."""

    size: int = 512 * 1024
    events: int = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A record that was refused for good, and why."""

    record: Record
    reason: str


class TryAgain(Exception):
    """Not taken now. `after` is how many seconds the destination asks for, if it does; the first
    `taken` records of the batch were taken, and are not sent again.
    """

    def __init__(self, reason: str, *, after: float | None = None, taken: int = 0) -> None:
        super().__init__(reason)
        self.after = after
        self.taken = taken


class Refused(Exception):
    """Refused for good. `blamed` are the places of the records that are to blame; None: it is not
    known which are, so that halves are tried. Those before the place `after` were taken, and are
    not sent again.
    """

    def __init__(self, reason: str, *, blamed: Sequence[int] | None = None, after: int = 0) -> None:
        super().__init__(reason)
        self.blamed = blamed
        self.after = after


class RefusedInPart(Exception):
    """Some records were refused for good and the others taken, and it is not told which: each is
    sent once more alone, and the next batches are smaller.
    """


class Destination(Protocol):
    """Where records go. `limits` bound a batch."""

    limits: Limits

    def prepare(self, records: Sequence[Record]) -> Any:
        """Return what is sent for these records; does nothing else."""

    def send(self, prepared: Any) -> Sequence[tuple[int, str]]:
        """Send, and return which records were refused though the others were taken, with reasons.

        Raises TryAgain, Refused, RefusedInPart and ShipError.
        """

    def finish(self) -> None:
        """Have the destination take all that was sent, where it acknowledges nothing; TryAgain."""

    def close(self) -> None:
        """Let go of connections. Never raises."""
