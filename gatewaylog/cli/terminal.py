"""What may reach a terminal: printable text, and colour where it is wanted."""

from __future__ import annotations

import os
import sys
from typing import Literal

Colour = Literal["bold", "dim", "red", "green", "yellow", "blue", "magenta", "cyan"]

_CODES: dict[Colour, int] = {
    "bold": 1,
    "dim": 2,
    "red": 31,
    "green": 32,
    "yellow": 33,
    "blue": 34,
    "magenta": 35,
    "cyan": 36,
}


def printable(text: str) -> str:
    r"""Return `text` with everything that could steer a terminal or hide in it escaped.

    Controls, bidirectional and invisible characters, line separators and bytes that are no UTF-8
    become `\x1b`, `\u202e`, `\udc80`.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def wants_colour(*, refused: bool = False) -> bool:
    """Tell whether standard output is a terminal that may show colours (https://no-color.org)."""
    if refused or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty()


def painted(text: str, colour: Colour | None) -> str:
    """Return `text`, which must be printable, in a colour."""
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if colour and text else text


def put_raw(raw: bytes) -> None:
    """Write a line's very bytes; at a terminal as printable text."""
    output = getattr(sys.stdout, "buffer", None)
    if output is None or sys.stdout.isatty():
        print(printable(raw.decode("utf-8", "surrogateescape")))
    else:
        sys.stdout.flush()
        output.write(raw + b"\n")
