"""Words of a search, found in a cache that does not hold the lines themselves.

A line that was taken apart is its head, then values between quotation marks, and keys between
these. A quotation mark is a breaker, so that a word without one lies in one of these pieces, and
lies in it as it does in the line. Our own test is tried on the distinct pieces that hold the word's
letters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatewaylog.analytics.schema import FIELDS, quoted
from gatewaylog.events import LAYOUTS, SEQ
from gatewaylog.search.breakers import literals, word_test

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from gatewaylog.analytics.conditions import Parameters
    from gatewaylog.analytics.selecting import Selection
    from gatewaylog.search.tree import Words

_NUMBERS = frozenset(
    field.key for layout in LAYOUTS for field in layout.fields if field.kind is not str
) | {SEQ.key}
_IN_NUMBERS = re.compile(rb"[0-9.]*|[nul]*")  # all that a number's text can hold of a word
_IN_STAMP = re.compile(r"[0-9:.+-]|\A\*+[tT]\*+\Z")  # what a word in a time holds one of
_MOST = 20_000  # values of a column that hold a word: with more, reading the lines is as fast


class OutOfReach(Exception):
    """The cache can't tell which lines hold a word; the lines themselves can."""


def holding(words: Words, selection: Selection, parameters: Parameters) -> str:
    """Return the condition that lines hold that were taken apart and hold `words`.

    Raises OutOfReach.
    """
    text = words.text
    if not text.strip("*"):
        return "true"
    runs = literals(text)
    if '"' in text or not runs:
        raise OutOfReach(text)
    held, test = max(runs, key=len), word_test(text)
    head = "_stamp || _head" if _IN_STAMP.search(text) else "_head"
    letters = selection.letters()
    names = [name for name in FIELDS if _may_hold(name, held, letters)]
    found = _found([head, *map(quoted, names)], held.decode(), selection)
    keys = [f"{quoted(name)} IS NOT NULL" for name in FIELDS if _is_in_key(name, test)]
    conditions = [
        f"coalesce({piece} IN (SELECT unnest({parameters.name(values)})), false)"
        for piece, texts in found.items()
        if (values := [one for one in texts if test(one.encode().lower())])
    ]
    return f"({' OR '.join([*conditions, *keys])})" if conditions or keys else "false"


def _may_hold(name: str, held: bytes, letters: dict[str, str]) -> bool:
    if name in _NUMBERS:
        return _IN_NUMBERS.fullmatch(held) is not None
    return name not in letters or set(held.decode()) <= set(letters[name])


def _found(pieces: Collection[str], held: str, selection: Selection) -> dict[str, list[str]]:
    """Return the distinct texts of each piece that hold the letters `held`."""
    found: dict[str, list[str]] = {piece: [] for piece in pieces}
    for piece, text in selection.holding(pieces, held):
        found[piece].append(text)
    if max(map(len, found.values())) > _MOST:
        raise OutOfReach(held)
    return found


def _is_in_key(name: str, test: Callable[[bytes], bool]) -> bool:
    """Tell whether a key holds a word, be it a line's first or one behind a comma."""
    key = name.encode().lower() + b"="
    later = test(b", " + key)
    if later != test(b" " + key) or later != test(key):
        raise OutOfReach(name)
    return later
