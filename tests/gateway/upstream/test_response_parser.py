"""The parser alone: how bytes are split never matters, and garbage is only ever refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.exceptions import AnswerBroken, ProtocolViolation
from gatewaylog.gateway.upstream.response_parser import ResponseParser

Read = tuple[int, list[tuple[bytes, bytes]], bytes, bool, bool, bool]

names = st.sampled_from([b"X-A", b"server", b"Set-Cookie", b"ETag", b"via"])
values = st.binary(max_size=20).map(
    lambda raw: bytes(c for c in raw if c in b"\t " or 0x21 <= c < 0x7F or c >= 0x80).strip(b" \t")
)
lines = st.lists(st.tuples(names, values), max_size=6)
bodies = st.lists(st.binary(min_size=1, max_size=50), max_size=5)
cuts = st.lists(st.integers(0, 600), max_size=12)


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    """A valid response: its bytes, its header lines, its body."""
    headers = draw(lines)
    pieces = draw(bodies)
    if draw(st.booleans()):
        headers.append((b"Content-Length", b"%d" % sum(map(len, pieces))))
        body = b"".join(pieces)
    else:
        headers.append((b"Transfer-Encoding", b"Chunked"))
        body = b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        body += b"0\r\n" + draw(st.sampled_from([b"", b"X-T: 1\r\n"])) + b"\r\n"
    blanks = draw(st.sampled_from([b"", b" ", b"\t ", b"  "]))
    head = b"".join(name + b":" + blanks + value + blanks + b"\r\n" for name, value in headers)
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * draw(st.integers(0, 2))
    raw = interim + b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body
    return raw, [(name.lower(), value) for name, value in headers], b"".join(pieces)


def split(raw: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(raw), *(cut for cut in at if cut < len(raw))})
    return [raw[start:end] for start, end in pairwise(edges)]


def read(pieces: list[bytes], *, head_only: bool = False) -> Read:
    parser = ResponseParser(head_only=head_only)
    for piece in pieces:
        parser.feed(piece)
    assert parser.head_read
    body = b"".join(parser.pieces)
    return parser.status, parser.headers, body, parser.complete, parser.keep, parser.surplus


@given(responses(), cuts)
def test_how_a_response_is_split_never_changes_what_is_read(
    response: tuple[bytes, list[tuple[bytes, bytes]], bytes], at: list[int]
) -> None:
    raw, headers, body = response
    assert read(split(raw, at)) == (200, headers, body, True, True, False)


@given(responses(), st.binary(min_size=1, max_size=40))
def test_what_stands_behind_a_response_is_never_part_of_it(
    response: tuple[bytes, list[tuple[bytes, bytes]], bytes], behind: bytes
) -> None:
    raw, headers, body = response
    status, seen, pieces, complete, _, surplus = read([raw, behind])
    assert (status, seen, pieces, complete, surplus) == (200, headers, body, True, True)
    assert read([raw + behind])[2] == body


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from(
                [b"HTTP/1.1 200 OK\r\n", b"\r\n", b"\r\n\r\n", b"content-length: 5\r\n", b"hello",
                 b"transfer-encoding: chunked\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n",
                 b"HTTP/1.1 100 Continue\r\n\r\n", b"connection: close\r\n", b"x: y\r\n"]
            ),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_garbage_is_refused_or_read_but_never_anything_else(pieces: list[bytes]) -> None:
    parser = ResponseParser(head_only=False)
    try:
        for piece in pieces:
            parser.feed(piece)
    except ProtocolViolation:
        assert not parser.head_read
    except AnswerBroken:
        assert parser.head_read
    else:
        assert not parser.head_read or 200 <= parser.status < 600


@pytest.mark.parametrize("behind", [b"H", b"\r\n", b"\r", b"0"])
def test_a_single_byte_behind_the_end_is_surplus(behind: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
    assert read([raw + behind])[5]
    assert read([raw, behind])[5]
