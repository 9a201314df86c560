"""From an expression to the function that computes it for an event.

Conditions have three values: true, false and null (None), which is what a comparison with null is;
NOT, AND, OR and XOR treat it as SQL does, and `where` and `if` as false.
"""

from __future__ import annotations

import math
import operator
from itertools import product
from typing import TYPE_CHECKING

from gatewaylog.search.expressions import kind_of
from gatewaylog.search.functions import FUNCTIONS, Given
from gatewaylog.search.texts import like
from gatewaylog.search.tree import Among, Binary, Call, Expression, Literal, Name, Unary
from gatewaylog.search.values import normal, number_of, one_text, text_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from gatewaylog.search.functions import Compute, Result
    from gatewaylog.search.values import Number, Record

_COMPARE: dict[str, Callable[..., bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Evaluation:
    """Makes functions from expressions; `now` and `zone` are the query's."""

    def __init__(self, now: float, zone: tzinfo | None) -> None:
        self._now = now
        self._zone = zone

    def function(self, expression: Expression) -> Compute:
        """Return the function that computes `expression` for an event."""
        match expression:
            case Literal(value):
                return lambda _record: value
            case Name(name):
                return lambda record: record.get(name)
            case Call(function, arguments):
                made = [self.function(argument) for argument in arguments]
                return FUNCTIONS[function].make(Given(made, expression, self._now, self._zone))
            case Unary("NOT", part):
                return _not(self.function(part))
            case Unary(_, part):
                return _arithmetic("-", lambda _record: 0, self.function(part))
            case Among(part, choices):
                return self._among(part, choices)
            case Binary():
                return self._binary(expression)

    def condition(self, expression: Expression) -> Callable[[Record], bool]:
        """Return the test whether `expression` is true for an event."""
        compute = self.function(expression)
        return lambda record: compute(record) is True

    def _binary(self, expression: Binary) -> Compute:
        sign = expression.operator
        left, right = self.function(expression.left), self.function(expression.right)
        if sign in _COMPARE:
            kinds = {kind_of(expression.left), kind_of(expression.right)}
            return _comparison(sign, left, right, kinds)
        if sign in _LOGIC:
            return _LOGIC[sign](left, right)
        if sign == "LIKE":
            return _like(left, right)
        if sign == ".":
            return _concatenation(left, right)
        if sign == "+":
            kinds = {kind_of(expression.left), kind_of(expression.right)}
            return _concatenation(left, right) if kinds == {"text"} else _plus(left, right)
        return _arithmetic(sign, left, right)

    def _among(self, part: Expression, choices: tuple[Expression, ...]) -> Compute:
        tests = [self._binary(Binary("=", part, choice)) for choice in choices]
        either = tests[0]
        for test in tests[1:]:
            either = _or(either, test)
        return either


def _not(part: Compute) -> Compute:
    def compute(record: Record) -> Result:
        found = part(record)
        return None if found is None else not found

    return compute


def _and(left: Compute, right: Compute) -> Compute:
    def compute(record: Record) -> Result:
        first = left(record)
        if first is False:
            return False
        second = right(record)
        return second if second is False or first is True else None

    return compute


def _or(left: Compute, right: Compute) -> Compute:
    def compute(record: Record) -> Result:
        first = left(record)
        if first is True:
            return True
        second = right(record)
        return second if second is True or first is False else None

    return compute


def _xor(left: Compute, right: Compute) -> Compute:
    def compute(record: Record) -> Result:
        first, second = left(record), right(record)
        return None if first is None or second is None else first is not second

    return compute


_LOGIC = {"AND": _and, "OR": _or, "XOR": _xor}


def _comparison(sign: str, left: Compute, right: Compute, kinds: set[str]) -> Compute:
    compare = _comparer(sign, kinds)

    def compute(record: Record) -> Result:
        first, second = left(record), right(record)
        if first is None or second is None or isinstance(first, bool) or isinstance(second, bool):
            return None
        if isinstance(first, tuple) or isinstance(second, tuple):
            pairs = product(texts_of(first), texts_of(second))
            return any(compare(one, other) for one, other in pairs)
        return compare(first, second)

    return compute


def _comparer(sign: str, kinds: set[str]) -> Callable[[str | float, str | float], bool]:
    """Return the comparison of two values.

    Where one is a text as written, both are texts. Else two numbers are compared as such; what is
    no number is neither less nor greater than one that is written or computed.
    """
    compare = _COMPARE[sign]
    if "text" in kinds:
        return lambda first, second: compare(text_of(first), text_of(second))
    strict = "number" in kinds and sign not in {"=", "!="}

    def compared(first: str | float, second: str | float) -> bool:
        one, other = number_of(first), number_of(second)
        if one is not None and other is not None:
            return compare(one, other)
        return not strict and compare(text_of(first), text_of(second))

    return compared


def _like(left: Compute, right: Compute) -> Compute:
    def compute(record: Record) -> Result:
        text, pattern = _text(left(record)), _text(right(record))
        return None if text is None or pattern is None else like(pattern)(text)

    return compute


def _text(value: Result) -> str | None:
    return None if isinstance(value, bool) else one_text(value)


def _concatenation(left: Compute, right: Compute) -> Compute:
    def compute(record: Record) -> Result:
        first, second = _text(left(record)), _text(right(record))
        return None if first is None or second is None else first + second

    return compute


def _plus(left: Compute, right: Compute) -> Compute:
    """Add two numbers, or join two texts."""

    def compute(record: Record) -> Result:
        first, second = left(record), right(record)
        if isinstance(first, bool) or isinstance(second, bool):
            return None
        one, other = number_of(first), number_of(second)
        if one is not None and other is not None:
            return normal(one + other)
        return first + second if isinstance(first, str) and isinstance(second, str) else None

    return compute


def _arithmetic(sign: str, left: Compute, right: Compute) -> Compute:
    combine = {"-": operator.sub, "*": operator.mul, "/": _divided, "%": _modulo}[sign]

    def compute(record: Record) -> Result:
        first, second = left(record), right(record)
        if isinstance(first, bool) or isinstance(second, bool):
            return None
        one, other = number_of(first), number_of(second)
        if one is None or other is None:
            return None
        found: Number | None = combine(one, other)
        return None if found is None else normal(found)

    return compute


def _divided(one: Number, other: Number) -> Number | None:
    return one / other if other else None


def _modulo(one: Number, other: Number) -> Number | None:
    return math.fmod(one, other) if other else None
