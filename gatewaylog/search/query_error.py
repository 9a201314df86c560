"""What is wrong with a query, and where."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from gatewaylog.exceptions import GatewaylogError

if TYPE_CHECKING:
    from collections.abc import Iterable


class QueryError(GatewaylogError):
    """A query that can't be run, told so that it can be mended.

    `position` and `length` say which characters of `query` are meant, `message` what is wrong with
    them, and `known` what could stand there instead. Its text is the query, a caret under the word,
    and both; a query of several lines is shown by the line that matters.
    """

    def __init__(
        self, query: str, position: int, length: int, message: str, known: Iterable[str] = ()
    ) -> None:
        self.query = query
        self.position = min(max(position, 0), len(query))
        self.length = max(length, 1)
        self.message = message
        self.known = tuple(known)
        super().__init__(query, position, length, message, self.known)

    def __str__(self) -> str:
        start = self.query.rfind("\n", 0, self.position) + 1
        line = self.query[start:].split("\n", 1)[0]
        column = self.position - start
        before = " " * _cells(line[:column])
        carets = "^" * max(1, _cells(line[column : column + self.length]))
        shown = f"{_printable(line)}\n{before}{carets}\n{_printable(self.message)}"
        return f"{shown}\nknown: {', '.join(self.known)}" if self.known else shown


def _printable(text: str) -> str:
    """Return `text` with ? for each character that could move the cursor."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _cells(text: str) -> int:
    """Return how many cells of a terminal `text` takes as it is shown: wide characters two
    (Unicode's UAX #11), marks that are put on the one before none.
    """
    return sum(map(_width, _printable(text)))


def _width(character: str) -> int:
    # Vowels and final consonants of Hangul are put together with the one before, too.
    if unicodedata.category(character) in {"Mn", "Me"} or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
