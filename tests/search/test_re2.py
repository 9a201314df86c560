"""Expressions for engines without look-around find the lines that words are found in."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewaylog.search.breakers import word_test
from gatewaylog.search.re2 import any_case, quoted, word_pattern

ALPHABET = "aAbkK2035dDxX%%.-_*\\'\" /"
raws = st.binary(max_size=12) | st.text(ALPHABET + "é\u212a", max_size=12).map(str.encode)


def finds(words: str, raw: bytes, *, lowered: bool) -> bool | None:
    pattern = word_pattern(words, lowered=lowered)
    if pattern is None:
        return None
    line = raw.lower() if lowered else raw
    return re.search(pattern.replace(r"\z", r"\Z").encode(), line) is not None


@settings(max_examples=2000, deadline=None)
@given(
    words=st.text(ALPHABET, min_size=1, max_size=6).filter(lambda words: words.strip("*")),
    raw=raws,
    lowered=st.booleans(),
)
def test_a_word_is_found_in_the_same_lines(words: str, raw: bytes, *, lowered: bool) -> None:
    found = finds(words, raw, lowered=lowered)
    assert found is None or found == word_test(words)(raw.lower())


@pytest.mark.parametrize("lowered", [True, False])
@pytest.mark.parametrize("begin", ["", "%", "%20", "%2", "%2520", "%252", ".", "a", "%3D", "%3d"])
@pytest.mark.parametrize("end", ["", "0", "20", ".", "a", "%"])
@pytest.mark.parametrize(
    "words", ["b", "20", "2", "25", "20b", "3d", "3", "*20", "2*", "%2", "%20", "a.", ".a", "252"]
)
def test_codes_are_breakers(words: str, begin: str, end: str, *, lowered: bool) -> None:
    raw = f"x{begin}{words.strip('*')}{end}y".encode()
    for line in (raw, raw[1:], raw[:-1], raw[1:-1]):
        found = finds(words, line, lowered=lowered)
        assert found is None or found == word_test(words)(line.lower())


@pytest.mark.parametrize(
    "words", ["a*b", "é", "\u212a", "*", "**", "2*", "25*", "3*", "2520\u0130"]
)
def test_what_cannot_be_told_is_not(words: str) -> None:
    assert word_pattern(words) is None


def test_expressions_name_what_they_match() -> None:
    assert quoted("a.b[\x00") == r"a\x2eb\x5b\x00"
    assert any_case("aZ9-") == r"[aA][zZ]9\x2d"
    assert (word_pattern("*.a*") or "") == r"\x2e[aA]"
