"""The functions of `stats` that give back values they have seen, or count those that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeAlias

from gatewaylog.search.commands.aggregators import OneByOne
from gatewaylog.search.values import Value, number_of, order_of, texts_of, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gatewaylog.search.values import Number, Record


class Least:
    """min: the least number; where there are none, the first text by code point."""

    __slots__ = ("best",)

    def __init__(self) -> None:
        self.best: tuple[int, Number, str] | None = None

    def add(self, value: Value, _record: Record, _at: int) -> None:
        """Take each value."""
        for text in texts_of(value):
            kind, number, _ = order_of(text)
            self._take((kind, number, text if kind else ""))

    def add_often(self, value: Value, record: Record, at: int, _times: int) -> None:
        """Take each value: once is enough."""
        self.add(value, record, at)

    def add_numbers(self, numbers: Sequence[Number]) -> None:
        """Take many at once."""
        self.add(min(numbers), {}, 0)
        self.add(max(numbers), {}, 0)

    def _take(self, key: tuple[int, Number, str]) -> None:
        if self.best is None or key < self.best:
            self.best = key

    def merge(self, other: Self) -> None:
        """Take the lesser."""
        if other.best:
            self._take(other.best)

    def result(self) -> Value | None:
        """Return the number or the text."""
        if self.best is None:
            return None
        return self.best[2] if self.best[0] else self.best[1]


class Greatest(Least):
    """max: the last text by code point; where there are none, the greatest number."""

    __slots__ = ()

    def _take(self, key: tuple[int, Number, str]) -> None:
        if self.best is None or key > self.best:
            self.best = key


class Distinct:
    """dc: how many different values."""

    __slots__ = ("texts",)

    def __init__(self) -> None:
        self.texts: set[str] = set()

    def add(self, value: Value, _record: Record, _at: int) -> None:
        """Take each value."""
        if isinstance(value, str):
            self.texts.add(value)
        else:
            self.texts.update(texts_of(value))

    def add_often(self, value: Value, record: Record, at: int, _times: int) -> None:
        """Take each value: once is enough."""
        self.add(value, record, at)

    def merge(self, other: Self) -> None:
        """Take both."""
        self.texts |= other.texts

    def result(self) -> Value | None:
        """Return how many there are."""
        return len(self.texts)


class Values(Distinct):
    """values: the different values by code point."""

    __slots__ = ()

    def result(self) -> Value | None:
        """Return them."""
        return value_of(sorted(self.texts))


class Listing(OneByOne):
    """list: every value in the order of the stream, however many there are."""

    __slots__ = ("texts",)

    def __init__(self) -> None:
        self.texts: list[tuple[int, str]] = []

    def add(self, value: Value, _record: Record, at: int) -> None:
        """Take each value."""
        self.texts += [(at, text) for text in texts_of(value)]

    def merge(self, other: Self) -> None:
        """Take both in order."""
        self.texts = sorted(self.texts + other.texts, key=lambda part: part[0])

    def result(self) -> Value | None:
        """Return them."""
        return value_of([text for _, text in self.texts])


Rank: TypeAlias = "tuple[Number, int]"


class Foremost(OneByOne):
    """first, last, earliest, latest: the value whose record ranks before all others."""

    __slots__ = ("_rank_of", "best")

    def __init__(self, rank_of: Callable[[Record, int], Rank | None]) -> None:
        self._rank_of = rank_of
        self.best: tuple[Rank, Value] | None = None

    def add(self, value: Value, record: Record, at: int) -> None:
        """Take the value if its record ranks before."""
        rank = self._rank_of(record, at)
        if rank is not None and (self.best is None or rank < self.best[0]):
            self.best = rank, value

    def merge(self, other: Self) -> None:
        """Take the one that ranks before."""
        if other.best and (self.best is None or other.best[0] < self.best[0]):
            self.best = other.best

    def result(self) -> Value | None:
        """Return the value."""
        return self.best[1] if self.best else None


def first(_record: Record, at: int) -> Rank | None:
    """Rank the record that comes first before all others."""
    return 0, at


def last(_record: Record, at: int) -> Rank | None:
    """Rank the record that comes last before all others."""
    return 0, -at


def earliest(record: Record, at: int) -> Rank | None:
    """Rank the earliest record before all others; of two at one time the one that comes later."""
    moment = number_of(record.get("_time"))
    return None if moment is None else (moment, -at)


def latest(record: Record, at: int) -> Rank | None:
    """Rank the latest record before all others."""
    moment = number_of(record.get("_time"))
    return None if moment is None else (-moment, at)
