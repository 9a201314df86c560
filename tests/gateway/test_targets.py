"""Targets and framing as servers hand them over, ours and others."""

from __future__ import annotations

from typing import Any

import pytest

from gatewaylog.gateway.targets import Framing, Target, accept_of, framing_of, target_of
from gatewaylog.middleware.asgi import TARGET


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"/a?b?c", Target(b"/a", b"?b?c")),
        (b"/a?", Target(b"/a", b"?")),
        (b"/", Target(b"/", b"")),
        (b"*", Target(b"*", b"")),
        (b"HTTP://A.example:80/b?c", Target(b"/b", b"?c", b"A.example:80")),
        (b"https://a", Target(b"/", b"", b"a")),
        (b"http://a?b", Target(b"/", b"?b", b"a")),
        (b"http:///b", Target(b"/b", b"", b"")),
        (b"a:443", Target(b"a:443", b"")),
        (b"//a/b", Target(b"//a/b", b"")),
    ],
)
def test_a_raw_target_is_taken_apart(raw: bytes, expected: Target) -> None:
    assert target_of({TARGET: raw}) == expected


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"raw_path": b"/a%2F", "query_string": b"b"}, Target(b"/a%2F", b"?b")),
        ({"raw_path": b"/a?b", "query_string": b"b"}, Target(b"/a", b"?b")),
        ({"raw_path": None, "path": "/ä", "query_string": b""}, Target("/ä".encode(), b"")),
    ],
)
def test_other_servers_leave_a_path_and_a_query(scope: dict[str, Any], expected: Target) -> None:
    assert target_of(scope) == expected


def framed(
    *lines: tuple[bytes, bytes],
    version: str = "1.1",
    authority: bytes | None = None,
    host: bytes = b"a",
) -> Framing | None:
    scope = {"headers": [(b"host", host), *lines], "http_version": version}
    return framing_of(scope, Target(b"/", b"", authority))


@pytest.mark.parametrize(
    ("line", "version", "length", "has_body"),
    [
        ((b"x", b"y"), "1.1", None, False),
        ((b"content-length", b"0"), "1.1", 0, False),
        ((b"content-length", b"5"), "1.1", 5, True),
        ((b"transfer-encoding", b"Chunked"), "1.1", None, True),
        ((b"x", b"y"), "2", None, True),  # HTTP/2 may leave the length out
    ],
)
def test_framing_tells_length_and_body(
    line: tuple[bytes, bytes], version: str, length: int | None, *, has_body: bool
) -> None:
    found = framed(line, version=version)
    assert found is not None
    assert (found.length, found.has_body) == (length, has_body)


def test_a_host_has_the_length_of_a_name() -> None:
    """Longer ones would fill the memory of what is kept by host."""
    assert framed(host=b"a" * 255 + b":8080") is not None
    assert framed(host=b"a" * 256) is None


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1_0", b" 1", b"1 ", b"\xb2", b"1" * 19])
def test_a_length_that_is_no_plain_number_is_none_at_all(value: bytes) -> None:
    assert framed((b"content-length", value)) is None


def test_two_framings_are_none_at_all() -> None:
    assert framed((b"content-length", b"1"), (b"content-length", b"1")) is None
    assert framed((b"content-length", b"1"), (b"transfer-encoding", b"chunked")) is None
    assert framed((b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")) is None
    assert framed((b"transfer-encoding", b"chunked"), version="1.0") is None


def test_the_authority_of_an_absolute_target_is_that_of_host() -> None:
    assert framed(authority=b"A") is not None
    assert framed(authority=b"b") is None
    assert framed(authority=b"") is None


def test_the_first_accept_counts() -> None:
    assert accept_of([(b"x", b"y"), (b"accept", b"a"), (b"accept", b"b")]) == b"a"
    assert accept_of([]) is None
