"""Several queries over one pass: each line is looked at once, for all of them."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from gatewaylog.search.columns import Columns, Taken
from gatewaylog.search.rows import row_reader
from gatewaylog.search.views import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gatewaylog.search.columns import Found
    from gatewaylog.search.gathering import Gathering
    from gatewaylog.search.plan import Result
    from gatewaylog.search.rows import Row

_TIMES = ("", "s", "ms")  # the more of it the later
_MOST = 8_000  # values and numbers that wait; rows, which are larger, count for ten


class Together:
    """The queries of `gatherings`, of which none looks for words where there are several.

    `unread` counts the lines that could not be read.
    """

    def __init__(self, gatherings: Sequence[Gathering]) -> None:
        self.unread = 0
        self.gatherings = gatherings
        wanted = [each.wanted for each in gatherings]
        names = frozenset(name for each in wanted for name in each.fields)
        self._columns = Columns(
            names - {"_time"}, max((each.columns_time for each in wanted), key=_TIMES.index)
        )
        self._read = row_reader(names)
        self._kept: Callable[[bytes], bytes] = bytes
        if len(gatherings) == 1:
            self._kept = gatherings[0].plan.prefilter.kept

    def states(
        self,
        blocks: Iterable[bytes],
        *,
        clean: Callable[[bytes], bytes] = bytes,
        also: Mapping[str, str] | None = None,
    ) -> list[Any]:
        """Return what `blocks` of lines give to each of the queries; see `Gathering.state`."""
        found = [_Found(each, self._columns, also or {}) for each in self.gatherings]
        for block in blocks:
            taken, others = self._columns.found(self._kept(block))
            rows = list(self._rows(others, clean)) if others else []
            for each in found:
                each.add(taken, rows)
            while sum(each.size for each in found) > _MOST:
                max(found, key=attrgetter("size")).put_together()
        return [each.state() for each in found]

    @property
    def earliest(self) -> float | None:
        """The first moment that a query looks at, None where one is open."""
        bounds = [each.plan.earliest for each in self.gatherings]
        known = [bound for bound in bounds if bound is not None]
        return min(known) if len(known) == len(bounds) else None

    @property
    def latest(self) -> float | None:
        """The first moment after those that a query looks at, None where one is open."""
        bounds = [each.plan.latest for each in self.gatherings]
        known = [bound for bound in bounds if bound is not None]
        return max(known) if len(known) == len(bounds) else None

    def passes(self, line: bytes) -> bool:
        """Tell whether a line may match one of the queries."""
        return any(each.plan.prefilter.passes(line) for each in self.gatherings)

    def _rows(self, lines: list[bytes], clean: Callable[[bytes], bytes]) -> Iterator[Row]:
        for line in lines:
            if row := self._read(clean(line)):
                yield row
            elif line.strip():
                self.unread += 1

    def results(self, states: Iterable[list[Any]]) -> list[Result]:
        """Return what each query gives, from what all parts gave. Raises QueryError."""
        parts = iter(states)
        whole = next(parts, None) or self.states([])
        for part in parts:
            both = zip(self.gatherings, whole, part, strict=True)
            whole = [each.merged([one, other]) for each, one, other in both]
        return [each.result([state]) for each, state in zip(self.gatherings, whole, strict=True)]


class _Found:
    """What one query has found; `put_together` it takes less memory."""

    def __init__(self, gathering: Gathering, columns: Columns, also: Mapping[str, str]) -> None:
        self._gathering = gathering
        self._view = View(columns, gathering.wanted, self._matches)
        self._also = also
        self._rows: list[Row] = []
        self._states: list[Any] = []

    def _matches(self, fields: Mapping[str, str]) -> bool:
        return self._gathering.matches({**fields, **self._also})

    @property
    def size(self) -> int:
        """How much waits to be put together."""
        return self._view.size + 10 * len(self._rows)

    def add(self, taken: Found, rows: list[Row]) -> None:
        self._view.add(taken)
        self._rows += rows

    def put_together(self) -> None:
        self._states = [self.state()]

    def state(self) -> Any:
        state = self._gathering.state_of(self._takings(), also=self._also)
        return self._gathering.merged([*self._states, state]) if self._states else state

    def _takings(self) -> Iterator[Taken]:
        yield from self._view.takings()
        rows, self._rows = self._rows, []
        wanted, names, whole = self._gathering.wanted, self._gathering.names, self._gathering.time
        for row in rows:
            if wanted.earliest <= row.time < wanted.latest:
                fields = {name: text for name, text in row.fields.items() if name in names}
                yield Taken(fields, row.time // 1 if whole == "s" else row.time, 1)
