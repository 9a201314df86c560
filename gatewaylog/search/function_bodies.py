"""What each function of an expression computes; `gatewaylog.search.functions` is their table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.search import texts
from gatewaylog.search.dates import time_format
from gatewaylog.search.values import number_of, one_text, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.search.functions import Compute, Given, Make, Result
    from gatewaylog.search.values import Number, Record


def if_(given: Given) -> Compute:
    """Return the second argument where the first is true, else the third."""
    condition, yes, no = given.arguments
    return lambda record: yes(record) if condition(record) is True else no(record)


def case(given: Given) -> Compute:
    """Return the value behind the first condition that is true."""
    pairs = list(zip(given.arguments[::2], given.arguments[1::2], strict=True))

    def compute(record: Record) -> Result:
        for condition, value in pairs:
            if condition(record) is True:
                return value(record)
        return None

    return compute


def coalesce(given: Given) -> Compute:
    """Return the first value that is not null."""
    arguments = given.arguments

    def compute(record: Record) -> Result:
        for argument in arguments:
            value = argument(record)
            if value is not None:
                return value
        return None

    return compute


def isnull(given: Given) -> Compute:
    """Tell whether the value is null."""
    (value,) = given.arguments
    return lambda record: value(record) is None


def isnotnull(given: Given) -> Compute:
    """Tell whether the value is not null."""
    (value,) = given.arguments
    return lambda record: value(record) is not None


def on_text(change: Callable[[str], Result]) -> Make:
    """Make a function of one text."""

    def make(given: Given) -> Compute:
        (value,) = given.arguments

        def compute(record: Record) -> Result:
            text = _text(value(record))
            return None if text is None else change(text)

        return compute

    return make


def _text(value: Result) -> str | None:
    if isinstance(value, bool):
        return "True" if value else "False"
    return one_text(value)


def _number(value: Result) -> Number | None:
    return None if isinstance(value, bool) else number_of(value)


def on_texts(change: Callable[[list[str]], Result]) -> Make:
    """Make a function of texts; null where one of them is."""

    def make(given: Given) -> Compute:
        arguments = given.arguments

        def compute(record: Record) -> Result:
            found = [_text(argument(record)) for argument in arguments]
            known = [text for text in found if text is not None]
            return change(known) if len(known) == len(found) else None

        return compute

    return make


def matching(make_test: Callable[[str], Callable[[str], bool] | None]) -> Make:
    """Make a function of a text and a pattern; the pattern is read once where it is written."""

    def make(given: Given) -> Compute:
        value, pattern = given.arguments
        written = given.literal(1)
        test = None if written is None else make_test(written)

        def compute(record: Record) -> Result:
            text = _text(value(record))
            wanted = test
            if wanted is None:
                found = _text(pattern(record))
                wanted = None if found is None else make_test(found)
            return None if text is None or wanted is None else wanted(text)

        return compute

    return make


def substr(given: Given) -> Compute:
    """Return a part of a text."""
    value, *places = given.arguments

    def compute(record: Record) -> Result:
        text = _text(value(record))
        numbers = [_number(place(record)) for place in places]
        known = [int(number) for number in numbers if number is not None]
        if text is None or len(known) != len(numbers):
            return None
        return texts.substring(text, *known)

    return compute


def mvindex(given: Given) -> Compute:
    """Return some of several values."""
    value, *places = given.arguments

    def compute(record: Record) -> Result:
        found = value(record)
        numbers = [_number(place(record)) for place in places]
        known = [int(number) for number in numbers if number is not None]
        if found is None or isinstance(found, bool) or len(known) != len(numbers):
            return None
        return texts.index(found, *known)

    return compute


def tonumber(given: Given) -> Compute:
    """Return the number that a text writes, in base 10 or another."""
    value, *base = given.arguments

    def compute(record: Record) -> Result:
        text = _text(value(record))
        if text is None:
            return None
        if not base:
            return number_of(text)
        number = _number(base[0](record))
        return None if number is None else texts.number_in_base(text, int(number))

    return compute


def tostring(given: Given) -> Compute:
    """Return a value as text; numbers in a form."""
    value = given.arguments[0]
    form = given.literal(1)

    def compute(record: Record) -> Result:
        found = value(record)
        number = _number(found)
        return texts.shown(number, form) if form and number is not None else _text(found)

    return compute


def rounded(given: Given) -> Compute:
    """Return a number with fewer decimals."""
    value, *places = given.arguments

    def compute(record: Record) -> Result:
        number = _number(value(record))
        digits = _number(places[0](record)) if places else 0
        return None if number is None or digits is None else texts.rounded(number, int(digits))

    return compute


def strftime(given: Given) -> Compute:
    """Return a time as text."""
    value, form = given.arguments
    written, zone = given.literal(1), given.zone
    known = None if written is None else time_format(written)

    def compute(record: Record) -> Result:
        number = _number(value(record))
        found = known
        if found is None:
            text = _text(form(record))
            found = None if text is None else time_format(text)
        return None if number is None or found is None else found.write(number, zone)

    return compute


def strptime(given: Given) -> Compute:
    """Return the time that a text tells."""
    value, form = given.arguments
    written, now, zone = given.literal(1), given.now, given.zone
    known = None if written is None else time_format(written)

    def compute(record: Record) -> Result:
        text, found = _text(value(record)), known
        if found is None:
            pattern = _text(form(record))
            found = None if pattern is None else time_format(pattern)
        return None if text is None or found is None else found.read(text, now, zone)

    return compute


def now(given: Given) -> Compute:
    """Return the query's now in whole seconds."""
    moment = int(given.now)
    return lambda _record: moment


def constant(value: Result) -> Make:
    """Make a function that is always `value`."""
    return lambda _given: lambda _record: value


def split(found: list[str]) -> Result:
    """Return the parts of a text."""
    return value_of(texts.split(found[0], found[1]))


def replace(given: Given) -> Compute:
    """Return a text with what an expression finds replaced."""
    return on_texts(lambda found: texts.replaced(*found))(given)
