"""Comparing without case, and with wildcards: the one rule that every engine has to keep.

Each character stands for its own lower case where that is one character; no character outside
ASCII stands for one inside (U+212A KELVIN SIGN is no k), so that bytes can be looked at before
they are decoded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def fold(text: str) -> str:
    """Return `text` as it is compared where case does not matter."""
    if text.isascii():
        return text.lower()
    return "".join(map(_folded, text))


def _folded(character: str) -> str:
    lower = character.lower()
    if len(lower) != 1 or (lower.isascii() and not character.isascii()):
        return character
    return lower


def lower(text: str) -> str:
    """Return `text` in lower case, a character for a character."""
    return "".join(map(_lowered, text)) if not text.isascii() else text.lower()


def _lowered(character: str) -> str:
    one = character.lower()
    return one if len(one) == 1 else character


def upper(text: str) -> str:
    """Return `text` in upper case, a character for a character."""
    return "".join(map(_raised, text)) if not text.isascii() else text.upper()


def _raised(character: str) -> str:
    one = character.upper()
    return one if len(one) == 1 else character


def glob(pattern: str) -> Callable[[str], bool]:
    """Return the test whether a folded text is `pattern`, where `*` stands for anything."""
    first, *rest = fold(pattern).split("*")
    if not rest:
        return first.__eq__
    *middle, last = rest
    inner = [part for part in middle if part]
    if not first and not last and len(inner) < 2:
        return _containing(inner[0]) if inner else _anything
    if not inner:
        length = len(first) + len(last)
        return lambda text: len(text) >= length and text.startswith(first) and text.endswith(last)
    return _wild(pattern)


def _containing(part: str) -> Callable[[str], bool]:
    return lambda text: part in text


def _anything(_text: str) -> bool:
    return True


def _wild(pattern: str) -> Callable[[str], bool]:
    # Possessive or not, one lazy star after the other could take a time of n to the stars; looking
    # for the parts from the left, each at its first place, takes n and finds the same.
    first, *middle, last = fold(pattern).split("*")
    least = len(first) + len(last)

    def matches(text: str) -> bool:
        if len(text) < least or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for part in middle:
            found = text.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    return matches


def wildcard_regex(pattern: str) -> re.Pattern[str]:
    """Return the expression for names with `*` in them, case mattering, each star a group."""
    return re.compile("(.*)".join(map(re.escape, pattern.split("*"))), re.DOTALL)
