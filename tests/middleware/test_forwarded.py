"""Who the client is: only what trusted proxies have written is believed."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.middleware.forwarded import UNIX, TrustedProxies

PROXIES = TrustedProxies(["10.0.0.0/8", "192.0.2.7", "2001:db8:ffff::/48"])


def client(*headers: tuple[str, str], peer: str | None = "10.0.0.1") -> str | None:
    return PROXIES.client(peer, [(name.encode(), value.encode()) for name, value in headers])


def x_forwarded_for(*values: str) -> str | None:
    return client(*(("x-forwarded-for", value) for value in values))


def forwarded(*values: str) -> str | None:
    return client(*(("forwarded", value) for value in values))


def test_without_trusted_proxies_the_peer_is_the_client() -> None:
    headers = [(b"x-forwarded-for", b"1.2.3.4"), (b"forwarded", b"for=1.2.3.4")]
    assert TrustedProxies().client("10.0.0.1", headers) == "10.0.0.1"
    assert TrustedProxies().client(None, headers) is None
    assert not TrustedProxies().any


def test_a_peer_that_is_not_trusted_is_the_client_whatever_it_says() -> None:
    assert client(("x-forwarded-for", "1.2.3.4"), peer="203.0.113.5") == "203.0.113.5"
    assert client(("forwarded", "for=1.2.3.4"), peer="nonsense") == "nonsense"
    assert client(("forwarded", "for=1.2.3.4"), peer=None) is None


def test_a_trusted_peer_that_forwards_nothing_is_the_client() -> None:
    assert client() == "10.0.0.1"
    assert x_forwarded_for("") == "10.0.0.1"
    assert x_forwarded_for(" , ,") == "10.0.0.1"
    assert forwarded("") == "10.0.0.1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4:5678", "1.2.3.4"),
        (" 1.2.3.4 ", "1.2.3.4"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:DB8::1]:5678", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4, 10.9.9.9", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4,, 192.0.2.7 ,10.9.9.9", "1.2.3.4"),
        ("1.2.3.4, ::ffff:10.9.9.9", "1.2.3.4"),
        ("1.2.3.4, 2001:db8:ffff::9", "1.2.3.4"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("1.2.3.4, unknown, 10.2.2.2", "10.2.2.2"),
        ("1.2.3.4, not an address", "10.0.0.1"),
        ("1.2.3.4, [2001:db8::1]x", "10.0.0.1"),
        ("1.2.3.4, 5.6.7.8:9 0", "10.0.0.1"),
        ('1.2.3.4, "5.6.7.8"', "10.0.0.1"),
        ("1.2.3.4, [::1", "::1"),
    ],
)
def test_x_forwarded_for_is_walked_from_the_right(value: str, expected: str) -> None:
    assert x_forwarded_for(value) == expected


def test_several_header_lines_are_one_list() -> None:
    assert x_forwarded_for("6.6.6.6", "1.2.3.4", "10.9.9.9") == "1.2.3.4"
    assert forwarded("for=6.6.6.6", "for=1.2.3.4", "for=10.9.9.9;proto=http") == "1.2.3.4"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=1.2.3.4", "1.2.3.4"),
        ("For=1.2.3.4;proto=https;by=10.0.0.1", "1.2.3.4"),
        ("proto=https ; FOR=1.2.3.4 ;", "1.2.3.4"),
        ('for="1.2.3.4:5678"', "1.2.3.4"),
        ("for=1.2.3.4:5678", "1.2.3.4"),
        ('for="[2001:db8::1]"', "2001:db8::1"),
        ('for="[2001:db8::1]:5678"', "2001:db8::1"),
        ('for="[2001:db8::1]:_port"', "2001:db8::1"),
        ("for=[2001:db8::1]", "2001:db8::1"),
        (r'for="1\.2.3.4"', "1.2.3.4"),
        ("for=6.6.6.6, for=1.2.3.4, for=10.9.9.9", "1.2.3.4"),
        ("for=6.6.6.6 , , for=1.2.3.4 ,", "1.2.3.4"),
        ('for=6.6.6.6, for=1.2.3.4;host="a;b"', "1.2.3.4"),
        ("for=1.2.3.4, for=unknown", "10.0.0.1"),
        ("for=1.2.3.4, for=_hidden, for=10.9.9.9", "10.9.9.9"),
        ('for=1.2.3.4, for="_hidden:80"', "10.0.0.1"),
        ("for=1.2.3.4, proto=http", "10.0.0.1"),
        ("for=1.2.3.4;for=5.6.7.8", "10.0.0.1"),
        ("for=1.2.3.4, nonsense", "10.0.0.1"),
        ("for=1.2.3.4, for", "10.0.0.1"),
        ("for=1.2.3.4, for=", "10.0.0.1"),
        ('for=1.2.3.4, for="5.6.7.8', "10.0.0.1"),
        ('for=1.2.3.4, for="5.6.7.8"x', "10.0.0.1"),
        ("for=1.2.3.4, for = 5.6.7.8", "10.0.0.1"),
    ],
)
def test_forwarded_is_read_as_rfc_7239_wants_it(value: str, expected: str) -> None:
    assert forwarded(value) == expected


def test_forwarded_goes_before_x_forwarded_for() -> None:
    assert client(("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=1.2.3.4")) == "1.2.3.4"
    assert client(("x-forwarded-for", "6.6.6.6"), ("forwarded", "nonsense")) == "10.0.0.1"


@pytest.mark.parametrize(
    "spoofed",
    ["for=6.6.6.6", 'for="', 'for=6.6.6.6;x="', 'for="\\', "\x00,,;;=", 'for="[', "for=6.6.6.6;"],
)
@pytest.mark.parametrize("ours", ["for=2001:db8::1", 'for="[2001:db8::1]";proto=https'])
def test_nothing_that_a_client_sent_hides_what_the_proxy_added(spoofed: str, ours: str) -> None:
    assert forwarded(f"{spoofed}, {ours}") == "2001:db8::1"


@given(st.text(st.characters(codec="latin-1"), max_size=60))
def test_no_text_hides_what_the_proxy_added(spoofed: str) -> None:
    raw = spoofed.encode("latin-1")
    headers = [(b"forwarded", raw + b', for="1.2.3.4:5"')]
    assert PROXIES.client("10.0.0.1", headers) == "1.2.3.4"
    headers = [(b"x-forwarded-for", raw + b", 1.2.3.4")]
    assert PROXIES.client("10.0.0.1", headers) == "1.2.3.4"


@given(st.binary(max_size=80))
def test_no_bytes_make_it_raise(value: bytes) -> None:
    for name in (b"forwarded", b"x-forwarded-for"):
        assert PROXIES.client("10.0.0.1", [(name, value)]) is not None


@pytest.mark.parametrize(
    "value",
    [
        b" x," * 20_000,
        b'for="' * 15_000,
        b'x="\\"' * 15_000,
        b";" * 60_000,
        b" ;" * 30_000,
        b" " * 60_000 + b"x",
        b"for=10.0.0.1," * 5_000,
        b"for=" + b"a" * 60_000,
    ],
)
def test_a_long_header_takes_no_long_time(value: bytes) -> None:
    start = time.process_time()
    assert PROXIES.client("10.0.0.1", [(b"forwarded", value)]) == "10.0.0.1"
    assert time.process_time() - start < 1.0


def test_a_unix_socket_can_be_trusted() -> None:
    proxies = TrustedProxies([UNIX])
    assert proxies.any
    assert proxies.client(None, [(b"x-forwarded-for", b"1.2.3.4")]) == "1.2.3.4"
    assert proxies.client(None, []) is None
    assert proxies.client("10.0.0.1", [(b"x-forwarded-for", b"1.2.3.4")]) == "10.0.0.1"


@pytest.mark.parametrize("network", ["10.0.0.1/8", "nonsense", "", "10.0.0.0/33"])
def test_what_is_no_network_is_told_at_once(network: str) -> None:
    with pytest.raises(ValueError):
        TrustedProxies([network])
