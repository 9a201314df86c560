"""What flows between commands, and what every command is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from gatewaylog.search.evaluation import Evaluation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from gatewaylog.search.values import Record

# The fields that what comes later looks at; None: all of them.
Needed: TypeAlias = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Stream:
    """Records on their way. `columns` None: each record has its own, as events do.

    `kind` is "events", "table", "chart" or "timechart"; `axis` the field that a chart is drawn
    over.
    """

    rows: Iterator[Record]
    columns: tuple[str, ...] | None = None
    kind: str = "events"
    axis: str = ""

    def with_rows(self, rows: Iterator[Record]) -> Stream:
        """Return the same stream with other records."""
        return replace(self, rows=rows)

    def with_columns(self, *names: str) -> Stream:
        """Return the same stream with columns added where they are known."""
        if self.columns is None:
            return self
        return replace(self, columns=tuple(dict.fromkeys((*self.columns, *names))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a query is run with: its text, its now, its range, and local time's zone."""

    query: str
    now: float
    earliest: float | None = None
    latest: float | None = None
    zone: tzinfo | None = None

    def evaluation(self) -> Evaluation:
        """Return what makes functions of expressions."""
        return Evaluation(self.now, self.zone)


class Command(Protocol):
    """One step of a query."""

    def reads(self, needed: Needed) -> Needed:
        """Return the fields it needs, given those that are needed of what it gives."""

    def run(self, stream: Stream, setting: Setting) -> Stream:
        """Return what it makes of `stream`."""


def also(needed: Needed, names: frozenset[str] | set[str] | tuple[str, ...]) -> Needed:
    """Return `needed` and `names`."""
    return None if needed is None else needed | frozenset(names)
