"""Which header lines pass: what can't be seen in a request on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.gateway.headers import HOP_BY_HOP, Peer, to_backend, to_client

PEER = Peer("192.0.2.1", "https", trusted=False)
NAMES = st.sampled_from([b"x-a", b"x-b", b"cookie", b"accept", b"te", b"upgrade", b"keep-alive"])
LINES = st.lists(st.tuples(NAMES, st.binary(max_size=8)), max_size=12)


@given(lines=LINES)
def test_lines_keep_their_order_and_number_and_those_of_one_hop_go(
    lines: list[tuple[bytes, bytes]],
) -> None:
    kept = [line for line in lines if line[0] not in HOP_BY_HOP]
    assert to_client(lines) == kept
    assert to_backend([(b"host", b"a"), *lines], b"b", b"a", PEER)[1 : len(kept) + 1] == kept


@given(lines=LINES)
def test_what_was_received_is_never_changed_in_place(lines: list[tuple[bytes, bytes]]) -> None:
    before = list(lines)
    to_client(lines).append((b"x", b"y"))
    to_backend(lines, b"b", b"a", PEER, (b"x-a",))
    assert lines == before


@pytest.mark.parametrize(
    ("address", "node"),
    [
        ("192.0.2.1", b"192.0.2.1"),
        ("2001:db8::1", b'"[2001:db8::1]"'),
        (None, b"unknown"),
    ],
)
def test_forwarded_names_the_peer_as_rfc_7239_wants_it(address: str | None, node: bytes) -> None:
    peer = Peer(address, "https", trusted=False)
    lines = to_backend([(b"host", b"x")], b"b", b"a.example:8443", peer)
    assert dict(lines)[b"forwarded"] == b'for=%b;host="a.example:8443";proto=https' % node


def test_a_host_can_not_end_its_quotes() -> None:
    lines = to_backend([(b"host", b"x")], b"b", b'a"\\;for=b', PEER)
    assert dict(lines)[b"forwarded"] == b'for=192.0.2.1;host="a\\"\\\\;for=b";proto=https'


@pytest.mark.parametrize("value", [b"X-A, close", b" x-a ,,", b"keep-alive,X-a"])
def test_connection_names_lines_in_any_case_and_between_blanks(value: bytes) -> None:
    lines = [(b"connection", value), (b"x-a", b"1"), (b"x-b", b"2")]
    assert to_client(lines) == [(b"x-b", b"2")]


def test_dropped_and_replaced_lines_are_left_out() -> None:
    lines = [(b"host", b"a"), (b"x-api-key", b"k"), (b"x-b", b"1")]
    assert (b"x-api-key", b"k") not in to_backend(lines, b"b", b"a", PEER, (b"x-api-key",))
    assert to_client(lines, frozenset((b"x-b",))) == lines[:2]


def test_a_client_that_only_x_forwarded_for_names_begins_forwarded_too() -> None:
    peer = Peer("10.0.0.2", "http", trusted=True)
    sent = [(b"host", b"h"), (b"x-forwarded-for", b"2001:db8::9, 10.0.0.1, not an address")]
    lines = dict(to_backend(sent, b"b", b"h", peer))
    own = b"for=10.0.0.2;host=h;proto=http"
    assert lines[b"forwarded"] == b'for="[2001:db8::9]", for=10.0.0.1, ' + own
    assert lines[b"x-forwarded-for"] == b"2001:db8::9, 10.0.0.1, not an address, 10.0.0.2"
