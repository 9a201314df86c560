"""Words as expressions of RE2, which ClickHouse and Loki search by: it knows no look-around.

Only a line's ASCII is looked at, in classes that name what they match, so that bytes which are no
UTF-8 change nothing.
"""

from __future__ import annotations

from gatewaylog.search.breakers import BREAKERS, CODES

_PLAIN = frozenset(" _/:=,@%&#;<>!~'\"")  # signs that mean themselves, in classes too
_LOW_CODES = tuple(code.lower() for code in CODES)


def quoted(text: str) -> str:
    """Return the expression for ASCII `text` itself."""
    return "".join(
        letter if letter.isalnum() or letter in _PLAIN else f"\\x{ord(letter):02x}"
        for letter in text
    )


def any_case(text: str) -> str:
    """Return the expression for ASCII `text` in any case.

    (?i) would do more: it takes U+212A KELVIN SIGN for a k.
    """
    return "".join(
        f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else quoted(letter)
        for letter in text
    )


def word_pattern(words: str, *, lowered: bool = False) -> str | None:
    """Return the expression that finds the very lines in which `words` stand between breakers.

    `lowered`: it is tried on lines whose ASCII is in lower case. None where RE2 can't tell it: a
    wildcard inside, text that is not ASCII, or a word that may go on as one of the codes, %20 say.
    """
    core = words.strip("*").lower()
    if not core or "*" in core or not words.isascii():
        return None
    free_after = words[-1] == "*" or core[-1] in BREAKERS
    before = _before(core, free_after=free_after, lowered=lowered)
    if before is None:
        return None
    body = quoted(core) if lowered else any_case(core)
    if words[0] == "*" or core[0] in BREAKERS:
        before = ""
    return before + body + ("" if free_after else rf"(?:{_class(BREAKERS)}|\z)")


def _before(core: str, *, free_after: bool, lowered: bool) -> str | None:
    # Behind a % the word must not begin a code: "20b" is no word of "a%20b", but "b" is.
    begun = any(code.startswith(core) and code != core for code in _LOW_CODES)
    if begun and free_after:
        return None
    codes = "|".join(map(quoted if lowered else any_case, _LOW_CODES))
    percent = "" if core.startswith(_LOW_CODES) else "|%"
    return rf"(?:\A|{_class(BREAKERS - {'%'})}|%(?:{codes}){percent})"


def _class(letters: frozenset[str]) -> str:
    return "[" + "".join(map(quoted, sorted(letters))) + "]"
