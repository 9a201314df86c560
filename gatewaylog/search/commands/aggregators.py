"""The functions of `stats`: each sees values one at a time, and two can be made one.

https://docs.splunk.com/Documentation/Splunk/latest/SearchReference/CommonStatsFunctions. They can
be merged because the rest of a chart is one series, because automatic spans grow, and because a
log can be read by several processes. `at` is the place of the record in the stream.
"""

from __future__ import annotations

import math
from array import array
from operator import eq
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from gatewaylog.search.values import (
    Value,
    normal,
    number_of,
    number_of_text,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from fractions import Fraction

    from gatewaylog.search.values import Number, Record

_PARTS = 1000
_LARGEST = 2 ** (8 * array("I").itemsize) // _PARTS


class Aggregator(Protocol):
    """The state of one function."""

    def add(self, value: Value, record: Record, at: int) -> None:
        """Take a value, which is not null."""

    def add_often(self, value: Value, record: Record, at: int, times: int) -> None:
        """Take the same value several times."""

    def merge(self, other: Self) -> None:
        """Take what `other` has taken."""

    def result(self) -> Value | None:
        """Return what the function gives; None is null."""


class Measure(Protocol):
    """The state of a function that numbers alone matter to."""

    def add_numbers(self, numbers: Sequence[Number]) -> None:
        """Take each of these, of which there is one at least."""


class OneByOne:
    """The state of a function to which a value that comes often is given as often."""

    __slots__ = ()

    def add(self, value: Value, record: Record, at: int) -> None:
        """Take a value, which is not null."""
        raise NotImplementedError

    def add_often(self, value: Value, record: Record, at: int, times: int) -> None:
        """Take the same value several times."""
        for _ in range(times):
            self.add(value, record, at)


class Count:
    """count: how many values, or how many records."""

    __slots__ = ("number",)

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def add(self, value: Value, _record: Record, _at: int) -> None:
        """Count each value."""
        self.number += len(value) if value.__class__ is tuple else 1

    def add_often(self, value: Value, _record: Record, _at: int, times: int) -> None:
        """Count each value as often."""
        self.number += times * (len(value) if isinstance(value, tuple) else 1)

    def merge(self, other: Self) -> None:
        """Add."""
        self.number += other.number

    def result(self) -> Value | None:
        """Return the number."""
        return self.number


class Numbers:
    """The numbers of a field in many records alike but for it, in place of each one's own."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: Sequence[Number]) -> None:
        self.numbers = numbers


class Texts:
    """The different texts of a field in many records alike but for it."""

    __slots__ = ("texts",)

    def __init__(self, texts: Collection[str]) -> None:
        self.texts = texts


def take(
    state: Aggregator, value: Value | Numbers | Texts, record: Record, at: int, times: int
) -> None:
    """Give `state` the same value several times, or each of many once."""
    if isinstance(value, Numbers):
        cast("Measure", state).add_numbers(value.numbers)
    elif isinstance(value, Texts):
        for text in value.texts:
            state.add(text, record, at)
    elif times == 1:
        state.add(value, record, at)
    else:
        state.add_often(value, record, at, times)


def _numbers(value: Value) -> tuple[Number, ...]:
    if isinstance(value, tuple):
        found = map(number_of_text, value)
        return tuple(number for number in found if number is not None)
    number = number_of(value)
    return () if number is None else (number,)


class Sum:
    """sum: of the numbers among the values, exact whatever their order (Shewchuk, 1997), so that
    parts of a log can be summed in any.
    """

    __slots__ = ("number", "parts", "whole")

    def __init__(self) -> None:
        self.number = 0
        self.whole = 0
        self.parts: list[float] = []

    def add(self, value: Value, _record: Record, _at: int) -> None:
        """Add each number."""
        for number in _numbers(value):
            self.number += 1
            self._plus(number)

    def add_often(self, value: Value, _record: Record, _at: int, times: int) -> None:
        """Add each number as often: doubled for each binary digit of `times`, which is exact."""
        for number in _numbers(value):
            self.number += times
            for digit in range(times.bit_length()):
                if times >> digit & 1:
                    self._plus(number * 2**digit)

    def add_numbers(self, numbers: Sequence[Number]) -> None:
        """Add many at once: their sum, then what it lacks for being exact, until it lacks none."""
        self.number += len(numbers)
        if all(number.__class__ is int for number in numbers):
            self.whole += sum(cast("Sequence[int]", numbers))
            return
        rest = list(numbers)
        try:
            while part := math.fsum(rest):
                self._plus(part)
                rest.append(-part)
        except OverflowError:
            self._plus(math.inf)

    def _plus(self, number: Number) -> None:
        if isinstance(number, int):
            self.whole += number
            return
        kept = []
        for part in self.parts:
            greater, lesser = (number, part) if abs(part) < abs(number) else (part, number)
            number = greater + lesser
            if rest := lesser - (number - greater):
                kept.append(rest)
        self.parts = [*kept, number]

    def merge(self, other: Self) -> None:
        """Add."""
        self.number += other.number
        self.whole += other.whole
        for part in other.parts:
            self._plus(part)

    def total(self) -> Number:
        """Return the sum, no finite number where it is too large for one."""
        if not self.parts:
            return self.whole
        most = float(self.whole)
        try:
            return math.fsum([*self.parts, most, self.whole - int(most)])
        except (OverflowError, ValueError):
            return math.inf

    def result(self) -> Value | None:
        """Return the sum, null without numbers."""
        return normal(self.total()) if self.number else None


class Average(Sum):
    """avg: the mean of the numbers among the values."""

    __slots__ = ()

    def result(self) -> Value | None:
        """Return the mean, null without numbers."""
        return normal(self.total() / self.number) if self.number else None


class Deviation:
    """stdev: of the sample, null for fewer than two numbers. The sums are exact, so that parts of a
    log can be taken in any order: whole numbers of 1 / 2**`bits`, which every float is for some.
    """

    __slots__ = ("bits", "number", "squares", "whole")

    def __init__(self) -> None:
        self.number = 0
        self.bits = 0
        self.whole = 0
        self.squares = 0

    def add(self, value: Value, record: Record, at: int) -> None:
        """Take each number."""
        self.add_often(value, record, at, 1)

    def add_often(self, value: Value, _record: Record, _at: int, times: int) -> None:
        """Take each number as often."""
        for number in _numbers(value):
            whole, parts = number.as_integer_ratio()
            bits = parts.bit_length() - 1
            if bits > self.bits:
                self._refine(bits)
            whole <<= self.bits - bits
            self.number += times
            self.whole += whole * times
            self.squares += whole * whole * times

    def _refine(self, bits: int) -> None:
        self.whole <<= bits - self.bits
        self.squares <<= 2 * (bits - self.bits)
        self.bits = bits

    def merge(self, other: Self) -> None:
        """Add."""
        self._refine(max(self.bits, other.bits))
        more = self.bits - other.bits
        self.number += other.number
        self.whole += other.whole << more
        self.squares += other.squares << 2 * more

    def result(self) -> Value | None:
        """Return the deviation."""
        if self.number < 2:
            return None
        over = self.number * self.squares - self.whole * self.whole
        try:
            variance = over / (self.number * (self.number - 1) << 2 * self.bits)
        except OverflowError:
            return None
        return normal(math.sqrt(variance))


class Percentile:
    """pN and median: the nearest rank, exactly.

    Numbers are kept in thousandths, as the formats write durations, while all are such: in half the
    memory of floats, which take a quarter of a list's.
    """

    __slots__ = ("numbers", "parts", "share")

    def __init__(self, share: Fraction) -> None:
        self.share = share
        self.parts = _PARTS  # of 1 that the numbers are in; 1 for numbers as they are
        self.numbers: array[Any] = array("I")

    def add(self, value: Value, _record: Record, _at: int) -> None:
        """Take each number."""
        self.add_numbers(_numbers(value))

    def add_often(self, value: Value, _record: Record, _at: int, times: int) -> None:
        """Take each number as often."""
        self.add_numbers(_numbers(value) * times)

    def add_numbers(self, numbers: Sequence[Number]) -> None:
        """Take many at once."""
        parts = _in_parts(numbers) if self.parts == _PARTS else None
        if parts is None:
            self._widen()
        self.numbers.extend(numbers if parts is None else parts)

    def _widen(self) -> None:
        """Keep numbers as they are from now on."""
        if self.parts != 1:
            self.numbers = array("d", [number / self.parts for number in self.numbers])
            self.parts = 1

    def merge(self, other: Self) -> None:
        """Take both; `other` is used up."""
        if self.parts != other.parts:
            self._widen()
            other._widen()
        self.numbers += other.numbers

    def result(self) -> Value | None:
        """Return the smallest number that as large a share of them does not exceed."""
        return self.at(self.share)

    def at(self, share: Fraction) -> Value | None:
        """Return the same for another share."""
        if not self.numbers:
            return None
        # Kept in order: to sort them again for the next share takes a tenth of the time.
        self.numbers[:] = array(self.numbers.typecode, sorted(self.numbers))
        rank = math.ceil(share * len(self.numbers))
        return normal(self.numbers[max(rank, 1) - 1] / self.parts)


def _in_parts(numbers: Sequence[Number]) -> list[int] | None:
    """Return numbers in thousandths, None where one is not a number of them that has room."""
    if not numbers:
        return []
    if not (min(numbers) >= 0 and max(numbers) < _LARGEST):
        return None
    parts = [round(number * _PARTS) for number in numbers]
    exact = all(map(eq, [part / _PARTS for part in parts], numbers))
    return parts if exact else None
