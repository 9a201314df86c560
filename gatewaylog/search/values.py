"""Values of fields: text, numbers and several texts; how one is read as another.

A field that is not there, and one that is null, is a key that the record lacks.
"""

from __future__ import annotations

import math
import re
from typing import TypeAlias

Number: TypeAlias = int | float
Value: TypeAlias = str | int | float | tuple[str, ...]
Record: TypeAlias = dict[str, Value]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_EXACT = 2**53  # up to here a double holds every whole number, and so does every engine


def normal(number: Number) -> Number | None:
    """Return `number` as the language has it: doubles, whole ones written as such; None for no
    number (infinite, or not a number at all).
    """
    if number.__class__ is int:
        if -_EXACT <= number <= _EXACT:
            return number
        try:
            return float(number)
        except OverflowError:
            return None
    if not math.isfinite(number):
        return None
    return int(number) if number == int(number) and abs(number) <= _EXACT else number


def number_of_text(text: str) -> Number | None:
    """Return the number that `text` writes, None where it writes none."""
    if text.isdigit() and text.isascii() and len(text) < 16:  # most of them, in half the time
        return int(text)
    if _NUMBER.fullmatch(text) is None:
        return None
    return normal(float(text))


def number_of(value: Value | None) -> Number | None:
    """Return `value` as a number, None where it is none."""
    if value.__class__ is str:
        return number_of_text(value)
    return value if isinstance(value, (int, float)) else None


def text_of(value: str | float) -> str:
    """Return `value` as the text that it is shown as."""
    return value if value.__class__ is str else repr(value)


def texts_of(value: Value | None) -> tuple[str, ...]:
    """Return each text of `value`: none for null, several for a field of several values."""
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (text_of(value),)


def one_text(value: Value | None) -> str | None:
    """Return `value` as one text, None for null and for several values."""
    if value is None or isinstance(value, tuple):
        return None
    return text_of(value)


def value_of(texts: list[str] | tuple[str, ...]) -> Value | None:
    """Return the value that holds `texts`: null, one text, or several."""
    if not texts:
        return None
    return texts[0] if len(texts) == 1 else tuple(texts)


def order_of(text: str) -> tuple[int, Number, str]:
    """Return the key that sorts numbers by size, before texts by code point."""
    number = number_of_text(text)
    return (1, 0, text) if number is None else (0, number, text)
