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
_CODES = (
    *("21", "26", "2526", "3B", "7C", "20", "2B", "3D"),
    *("2520", "5D", "5B", "3A", "0A", "2C", "28", "29"),
)

_CLASS = re.escape(_MAJOR + _MINOR.replace("%", ""))
_ALL = re.escape(_MAJOR + _MINOR)
# A word can't begin inside a code: "20b" is no word of "a%20b", but "b" is.
_BEFORE = (
    rf"(?:(?<=[{_CLASS}])|(?<=%)(?!{'|'.join(_CODES)})|\A|"
    + "|".join(f"(?<=%{code})" for code in _CODES)
    + ")"
)
_AFTER = rf"(?=[{_ALL}]|\Z)"
_ANYTHING = rf"(?:(?!--|%(?:{'|'.join(_CODES)}))[^{re.escape(_MAJOR)}])*?"

BREAKERS = frozenset(_MAJOR + _MINOR)


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
    """Return the test whether a raw line holds `words`, a word or a phrase."""
    if not words.strip("*"):
        return _always
    if words.isascii():
        return _ascii_test(words)
    find = re.compile(word_regex(fold(words)), re.DOTALL | re.IGNORECASE | re.ASCII).search
    return lambda raw: find(fold(raw.decode("utf-8", "surrogateescape"))) is not None


def _ascii_test(words: str) -> Callable[[bytes], bool]:
    # Lines that hold the longest literal are few; looking for it first takes a tenth of the time
    # that the expression takes (benchmarks/search.py).
    find = re.compile(word_regex(words).encode(), re.DOTALL | re.IGNORECASE).search
    longest = max(literals(words), key=len)

    def found(raw: bytes) -> bool:
        return longest in raw.lower() and find(raw) is not None

    return found


def _always(_raw: bytes) -> bool:
    return True
