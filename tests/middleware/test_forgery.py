"""Log forging: whatever a client sends, its call is two lines that say what it sent."""

from __future__ import annotations

import asyncio
import sys
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewaylog.formats import FORMATS
from tests.middleware.served import Served, body, http, start

if TYPE_CHECKING:
    from gatewaylog.middleware.asgi import Receive, Scope, Send

PIECES = (b'", Event="ERROR", X="', b"\r\n2017-", b"null", b"\\u0022", b"\\", b'"', b"\xff", b"{}")
sent = st.one_of(st.binary(max_size=40), st.lists(st.sampled_from(PIECES)).map(b"".join))


def _one_of_each_category() -> dict[str, str]:
    found: dict[str, str] = {}
    for code in range(sys.maxunicode + 1):
        found.setdefault(unicodedata.category(chr(code)), chr(code))
    del found["Cs"]  # no bytes of UTF-8
    return found


CATEGORIES = _one_of_each_category()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(401 if b"error" in scope["query_string"] else 200))
    await send(body())


def text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def call(format_name: str, path: bytes, query: bytes, value: bytes) -> Served:
    served = Served(
        app, format=format_name, trusted_proxies=["192.0.2.0/24"], request_headers=["X-Own"]
    )
    names = (b"user-agent", b"x-request-id", b"x-forwarded-for", b"x-own", b"traceparent")
    target = b"/" + path.replace(b"?", b"") + b"?" + query
    asyncio.run(served(http(target, [(name, value) for name in names])))
    return served


def check(format_name: str, path: bytes, query: bytes, value: bytes) -> None:
    served = call(format_name, path, query, value)
    expected = b"/" + path.replace(b"?", b"") + (b"?" + query if query else b"")
    assert len(served.sink.lines) == 2
    for line, event in zip(served.sink.lines, served.events, strict=True):
        assert line.count(b"\n") == 1
        assert len(line.decode().splitlines()) == 1
        assert event.user_agent == text(value)
        assert event.request_in_method == "GET"
        if b"=" not in query:
            assert event.request_in_url == text(expected)
            assert event.extra == (("Header_X_Own", text(value)),)
        else:
            assert event.extra[0][0] == "Header_X_Own"
        assert len(event.extra) == 1
    assert served.incoming.api == "app"
    assert served.terminal.response_to == served.incoming.message_id


@pytest.mark.parametrize("format_name", FORMATS)
def test_no_single_byte_forges_anything(format_name: str) -> None:
    for code in range(256):
        byte = bytes([code])
        check(format_name, b"a" + byte + b"b", b"c" + byte.replace(b"=", b"") + b"d", byte)
        check(format_name, byte, byte.replace(b"=", b"") + b"&error", b"x" + byte)


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("format_name", FORMATS)
def test_no_category_of_characters_forges_anything(format_name: str, category: str) -> None:
    raw = CATEGORIES[category].encode()
    check(format_name, raw, raw + b"&error", raw + b"x" + raw)
    check(format_name, quote_from_bytes(raw).encode(), quote_from_bytes(raw).encode(), raw)


@pytest.mark.parametrize("format_name", FORMATS)
@settings(max_examples=60, deadline=None)
@given(path=sent, query=sent, value=sent)
@example(path=b"null", query=b"null", value=b"null")
@example(path=b'", Event="', query=b'token="&x="', value=b"\n" * 9)
def test_no_bytes_forge_anything(format_name: str, path: bytes, query: bytes, value: bytes) -> None:
    # Side by side these bytes spell one character, which is what they are.
    check(format_name, path, query.replace(b"=", b"-"), value)
    assert len(call(format_name, path, query, value).events) == 2
