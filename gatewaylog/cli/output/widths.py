"""How many columns of a terminal a text takes: wide characters two, combining ones none."""

from __future__ import annotations

import unicodedata

_WIDE = frozenset("WF")
_COMBINING = frozenset({"Mn", "Me"})


def width_of(text: str) -> int:
    """Return the columns that a printable text takes (Unicode Standard Annex 11)."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in _COMBINING:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return `text` with as many spaces behind it as `width` wants, or before it where `right`."""
    spaces = " " * (width - width_of(text))
    return spaces + text if right else text + spaces


def cut(text: str, width: int) -> str:
    """Return the begin of `text` that takes no more than `width` columns."""
    taken = 0
    for at, character in enumerate(text):
        taken += _columns(character)
        if taken > width:
            return text[:at]
    return text
