"""Which paths are routed, and in what form they are compared."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewaylog.gateway.paths import normalised, unroutable
from tests.gateway.slow_paths import slowly_normalised, slowly_unroutable


@pytest.mark.parametrize(
    "path",
    [b"/", b"/echo/1.0.0", b"/a..b/c.", b"/.well-known/x", b"/...", b"/.../a", b"//a//", b"/%2F%7e",
     b"/a%20b", b'/a"b{c}|^`<>', b"/%252e%252e/", b"/k\xc3\xa4se", b"/\xff", b"/a:b@c;d=1,e",
     b"/%0a", b"/..a/.b", b"/%2e%2e%2e"],
)  # fmt: skip
def test_ordinary_paths_are_routed(path: bytes) -> None:
    assert not unroutable(path)


@pytest.mark.parametrize(
    "path",
    [b"", b"*", b"a/b", b"http://h/a", b"/.", b"/..", b"/./a", b"/a/../b", b"/a/.", b"/a/..",
     b"/%2e", b"/a/%2E%2e/b", b"/a/.%2e", b"/a/%2e.", b"/a/..;/b", b"/a/.;x=1", b"/a\x00",
     b"/a%00b", b"/a b", b"/a\t", b"/a\x1f", b"/a\n", b"/a\x7f", b"/a\\b", b"/a%5cb", b"/a%5C",
     b"/a%", b"/a%4", b"/a%zz", b"/a%4g", b"/%%41", b"/a#b"],
)  # fmt: skip
def test_what_programs_read_differently_is_not_routed(path: bytes) -> None:
    assert unroutable(path)


PIECES = st.sampled_from(
    [b"/", b".", b"%2e", b"%2E", b"%2F", b"a", b"%61", b"%", b"%0", b"%00", b"%5c", b"\\", b";",
     b" ", b"\0", b"\x7f", b"#", b"\xc3\xa4", b"%c3%A4", b"~", b"%7e", b"%25", b"1"]
)  # fmt: skip
PATHS = st.lists(PIECES, max_size=8).map(lambda pieces: b"/" + b"".join(pieces))


@given(PATHS | st.binary())
@example(b"/.%2e;")
def test_the_fast_rule_is_the_obvious_one(path: bytes) -> None:
    assert unroutable(path) == slowly_unroutable(path)


@given(PATHS | st.binary())
@example(b"/%7E%7e%2f%2F%c3\xc3%252e")
def test_normalisation_is_the_obvious_one(path: bytes) -> None:
    assert normalised(path) == slowly_normalised(path)


@given(PATHS | st.binary())
def test_normalisation_moves_no_separator_and_is_done_once(path: bytes) -> None:
    form = normalised(path)
    assert form.count(b"/") == path.count(b"/")
    if not unroutable(path):
        assert normalised(form) == form
        assert not unroutable(form)
