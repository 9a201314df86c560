"""What `chart` and `timechart` share: a row for each value, a column for each series.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/Chart. The ten series with the
largest sum are shown, by code point, then OTHER, then NULL.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.search.commands.aggregators import Numbers, Texts, take
from gatewaylog.search.values import Value, number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from gatewaylog.search.commands.aggregations import Aggregation
    from gatewaylog.search.commands.aggregators import Aggregator
    from gatewaylog.search.scanner import Scanner, Token
    from gatewaylog.search.stream import Setting
    from gatewaylog.search.values import Record

    States: TypeAlias = list[Aggregator]
    Cells: TypeAlias = tuple[dict[Hashable, dict[str, States]], Counter[str]]

SPLIT_OPTIONS = ("limit", "useother", "usenull", "otherstr", "nullstr")
_LIMIT = re.compile(r"(top|bottom)?\s*([0-9]{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which series are shown: `limit` 0 is all of them, `lowest` those with the smallest sum."""

    limit: int = 10
    lowest: bool = False
    useother: bool = True
    usenull: bool = True
    otherstr: str = "OTHER"
    nullstr: str = "NULL"


DEFAULT_SPLIT = Split()


def split_option(scan: Scanner, split: Split, name: Token, value: Token) -> Split:
    """Return `split` with one of SPLIT_OPTIONS."""
    match name.text:
        case "limit":
            found = _LIMIT.fullmatch(value.text)
            if found is None:
                scan.fail("this is no limit", value, ["10", "top5", "bottom5", "0 for all"])
            lowest = (found[1] or "").lower() == "bottom"
            return replace(split, limit=int(found[2]), lowest=lowest)
        case "useother":
            return replace(split, useother=scan.truth(value))
        case "usenull":
            return replace(split, usenull=scan.truth(value))
        case "otherstr":
            return replace(split, otherstr=value.text)
        case _:
            return replace(split, nullstr=value.text)


class Grid:
    """The states of all cells, by row and series. A chart without series has the one named ""."""

    def __init__(self, aggregations: Sequence[Aggregation], setting: Setting) -> None:
        self._names = [part.name for part in aggregations]
        self._makes = [part.make() for part in aggregations]
        self._extracts = [part.extract(setting) for part in aggregations]
        self.rows: dict[Hashable, dict[str, States]] = {}
        self._often: Counter[str] = Counter()

    def add(
        self, row: Hashable, labels: Sequence[str], record: Record, at: int, times: int = 1
    ) -> None:
        """Take a record into its row and series, as if it came several times."""
        cells = self.rows.get(row)
        if cells is None:
            cells = self.rows[row] = {}
        for label in labels:
            states = cells.get(label)
            if states is None:
                states = cells[label] = [make() for make in self._makes]
            self._often[label] += times
            for extract, state in zip(self._extracts, states, strict=True):
                value = extract(record)
                if value is None or value is False:
                    continue
                if times == 1 and not isinstance(value, (Numbers, Texts)):
                    state.add(value, record, at)
                else:
                    take(state, value, record, at, times)

    def state(self) -> Cells:
        """Return what it has taken, to be taken by another of the same kind."""
        return self.rows, self._often

    def absorb(self, cells: Cells) -> None:
        """Take what another has taken."""
        rows, often = cells
        self._often.update(often)
        for row, others in rows.items():
            into = self.rows.setdefault(row, {})
            for label, states in others.items():
                _merge(into, label, states)

    def move(self, row_of: Callable[[Hashable], Hashable]) -> None:
        """Make the rows fewer: each goes into the row that `row_of` says."""
        rows, self.rows = self.rows, {}
        for row, cells in rows.items():
            into = self.rows.setdefault(row_of(row), {})
            for label, states in cells.items():
                _merge(into, label, states)

    def fold(self, split: Split) -> list[str]:
        """Put series that are not shown into OTHER, or away; return those that are, in order."""
        null = {split.nullstr} if split.usenull else set()
        ranked = sorted(set(self._often) - null, key=self._rank(split))
        shown = ranked[: split.limit or None]
        hidden = set(ranked) - set(shown)
        for cells in self.rows.values():
            for label in hidden & cells.keys():
                states = cells.pop(label)
                if split.useother:
                    _merge(cells, split.otherstr, states)
        other = [split.otherstr] if hidden and split.useother else []
        last = [label for label in null if label in self._often]
        return list(dict.fromkeys([*sorted(set(shown) - set(other)), *other, *last]))

    def _rank(self, split: Split) -> Callable[[str], tuple[float, str]]:
        sums = self._often if len(self._makes) > 1 else self._sums()
        sign = 1 if split.lowest else -1
        return lambda label: (sign * sums[label], label)

    def _sums(self) -> dict[str, float]:
        numbers: dict[str, list[float]] = {label: [] for label in self._often}
        for cells in self.rows.values():
            for label, (state,) in cells.items():
                number = number_of(state.result())
                if number is not None:
                    numbers[label].append(number)
        return {label: _sum(found) for label, found in numbers.items()}

    def columns(self, labels: Sequence[str], axis: str) -> dict[tuple[int, str], str]:
        """Return the name of each column, by the function's place and the series."""
        found = {}
        for at, name in enumerate(self._names):
            for label in labels:
                found[at, label] = _named(name, label, axis, several=len(self._names) > 1)
        return found

    def record(self, row: Hashable, columns: dict[tuple[int, str], str]) -> Record:
        """Return the cells of a row; a cell without records is what its function gives for none."""
        cells = self.rows.get(row, {})
        record: Record = {}
        for (at, label), name in columns.items():
            states = cells.get(label)
            state = self._makes[at]() if states is None else states[at]
            value: Value | None = state.result()
            if value is not None:
                record[name] = value
        return record


def _sum(numbers: list[float]) -> float:
    # Exact, as rows come in any order.
    try:
        return math.fsum(numbers)
    except OverflowError:
        return math.inf


def _merge(cells: dict[str, States], label: str, states: States) -> None:
    if label not in cells:
        cells[label] = states
        return
    for state, other in zip(cells[label], states, strict=True):
        state.merge(other)


def _named(name: str, label: str, axis: str, *, several: bool) -> str:
    if not label:
        return name
    if several:
        return f"{name}: {label}"
    # Splunk's own way with series that would be taken for a hidden field.
    if label.startswith("_"):
        return f"VALUE{label}"
    return f"VALUE_{label}" if label == axis else label
