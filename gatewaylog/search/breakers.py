"""Words and phrases in the raw line: found where they stand between breakers.

The breakers are the defaults of Splunk's segmenters.conf (MAJOR and MINOR):
https://docs.splunk.com/Documentation/Splunk/latest/Admin/Segmentersconf. A word is found between
any two of them; a `*` in it stands for anything up to the next major one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatewaylog.search.folding import fold

if TYPE_CHECKING:
    from collections.abc import Callable

_MAJOR = "[]<>(){}|!;,'\"*\n\r \t&?+"
_MINOR = "/:=@.-$#%\\_"
CODES = (
    *("21", "26", "2526", "3B", "7C", "20", "2B", "3D"),
    *("2520", "5D", "5B", "3A", "0A", "2C", "28", "29"),
)

_CLASS = re.escape(_MAJOR + _MINOR.replace("%", ""))
_ALL = re.escape(_MAJOR + _MINOR)
# A word can't begin inside a code: "20b" is no word of "a%20b", but "b" is.
_BEFORE = (
    rf"(?:(?<=[{_CLASS}])|(?<=%)(?!{'|'.join(CODES)})|\A|"
    + "|".join(f"(?<=%{code})" for code in CODES)
    + ")"
)
_AFTER = rf"(?=[{_ALL}]|\Z)"
_ANYTHING = rf"(?:(?!--|%(?:{'|'.join(CODES)}))[^{re.escape(_MAJOR)}])*?"

BREAKERS = frozenset(_MAJOR + _MINOR)
_BYTES = frozenset((_MAJOR + _MINOR).encode())
_BYTES_TEXT = (_MAJOR + _MINOR).encode()
_LOW_CODES = tuple(code.lower().encode() for code in CODES)
_ENDINGS = tuple(b"%" + code for code in _LOW_CODES)


def word_regex(words: str) -> str:
    """Return the expression that finds folded `words` in a folded line."""
    core = words.strip("*")
    body = _ANYTHING.join(map(re.escape, re.split(r"\*+", core)))
    before = "" if words[0] == "*" or core[0] in BREAKERS else _BEFORE
    after = "" if words[-1] == "*" or core[-1] in BREAKERS else _AFTER
    return before + body + after


def literals(words: str) -> list[bytes]:
    """Return what a line that holds `words` has to hold, folded: ASCII alone."""
    runs = re.findall(r"[\x00-\x29\x2b-\x7f]+", fold(words))  # all ASCII but *
    return [run.encode() for run in runs]


def word_test(words: str) -> Callable[[bytes], bool]:
    """Return the test whether a raw line holds `words`, a word or a phrase.

    The test takes the line in lower case, `raw.lower()`, which those who try several make once.
    """
    core = words.strip("*")
    if not core:
        return _always
    if not words.isascii():
        find = re.compile(word_regex(fold(words)), re.DOTALL | re.IGNORECASE | re.ASCII).search
        return lambda low: find(fold(low.decode("utf-8", "surrogateescape"))) is not None
    if "*" in core:
        return _wild_test(words)
    return _plain_test(words, core.lower().encode())


def _wild_test(words: str) -> Callable[[bytes], bool]:
    # Lines that hold the longest literal are few; looking for it first takes a tenth of the time.
    find = re.compile(word_regex(words).encode(), re.DOTALL | re.IGNORECASE).search
    longest = max(literals(words), key=len)
    return lambda low: longest in low and find(low) is not None


def _plain_test(words: str, core: bytes) -> Callable[[bytes], bool]:
    # The expression would be tried at every character, and take twenty times as long.
    place = _place_finder(words, core)
    return lambda low: place(low, 0) >= 0


def word_place(words: str) -> Callable[[bytes, int], int] | None:
    """Return the function that finds a word in lines in lower case, from a place on; -1: nowhere.

    A line feed is a breaker, so that many lines can be looked through at once. None where a line
    has to be looked at by itself.
    """
    core = words.strip("*").lower()
    if not core or not words.isascii() or "*" in core or "\n" in core:
        return None
    return _place_finder(words, core.encode())


def _place_finder(words: str, core: bytes) -> Callable[[bytes, int], int]:
    free_before = words[0] == "*" or core[0] in _BYTES
    free_after = words[-1] == "*" or core[-1] in _BYTES
    length = len(core)

    def place(low: bytes, start: int) -> int:
        at = low.find(core, start)
        while at >= 0:
            end = at + length
            if (free_before or _begins(low, at)) and (
                free_after or end == len(low) or low[end] in _BYTES
            ):
                return at
            at = low.find(core, at + 1)
        return -1

    return place


def _begins(low: bytes, at: int) -> bool:
    """Tell whether a word can begin here: `_BEFORE` for one place."""
    before = low[at - 1 : at]
    if not before:
        return True
    if before == b"%":
        return not low.startswith(_LOW_CODES, at)
    return before in _BYTES_TEXT or low.endswith(_ENDINGS, 0, at)


def _always(_low: bytes) -> bool:
    return True
