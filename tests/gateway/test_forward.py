"""What reaches the backend of a request, and what reaches the client of its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gateway.upstream.scripted import Backend, answers, answers_and_closes
from tests.http_client import request
from tests.running import api, running, toml, url_of
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = [
    (b"/echo/a%2Fb/%7e//x?q=%20&&", b"/base/a%2Fb/%7e//x?q=%20&&"),
    (b"/echo", b"/base"),
    (b"/echo/", b"/base/"),
    (b"/echo?", b"/base?"),
    (b"/echo/?a=b?c=/../d", b"/base/?a=b?c=/../d"),
    (b"/%65cho/%41", b"/base/%41"),
    (b"/echo/;p=1,2@:!$'()*+|^{}[]\"<>`", b"/base/;p=1,2@:!$'()*+|^{}[]\"<>`"),
]


@pytest.mark.parametrize(("sent", "reached"), TARGETS)
async def test_path_and_query_reach_the_backend_byte_for_byte_after_its_own_path(
    tmp_path: Path, sent: bytes, reached: bytes
) -> None:
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(f"{backend.url}/base"))) as gateway,
    ):
        answer = await gateway.ask(request(sent))
        await gateway.ended()
    assert answer.status == 200
    assert backend.requests[0].target == reached
    complete = gateway.log.complete()
    assert complete.request_in_url == sent.decode()
    assert complete.request_out_url == f"{backend.url}{reached.decode()}"


async def test_a_root_context_and_a_backend_without_a_path_give_the_same_path(
    tmp_path: Path,
) -> None:
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url, context="/"))) as gateway,
    ):
        await gateway.ask(request(b"/"))
        await gateway.ask(request(b"/a?b"))
    assert [received.target for received in backend.requests] == [b"/", b"/a?b"]


async def test_a_context_alone_reaches_a_backend_without_a_path_as_its_root(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request(b"/echo?x"))
    assert backend.requests[0].target == b"/?x"


async def test_header_lines_reach_the_backend_in_order_and_number_with_values_untouched(
    tmp_path: Path,
) -> None:
    lines = [
        b"X-B: 2",
        b"Cookie: a=1",
        b"x-a:  two  words\t,;\"' \xe4\xff\x80",
        b"Cookie: b=2",
        b"X-B: 1",
        b"X-Empty:",
        b"User-Agent: test",
        b"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        b"Via: 1.0 before",
    ]
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request(b"/echo", *lines))
    own = (b"host", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
    received = [line for line in backend.requests[0].headers if line[0] not in own]
    assert received == [
        (b"x-b", b"2"),
        (b"cookie", b"a=1"),
        (b"x-a", b"two  words\t,;\"' \xe4\xff\x80"),
        (b"cookie", b"b=2"),
        (b"x-b", b"1"),
        (b"x-empty", b""),
        (b"user-agent", b"test"),
        (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        (b"via", b"1.0 before"),
        (b"via", b"1.1 gatewaylog"),
    ]


async def test_no_header_line_of_the_http_clients_own_is_added(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request())
    assert backend.requests[0].headers == [
        (b"host", f"127.0.0.1:{backend.port}".encode()),
        (b"forwarded", b"for=127.0.0.1;host=gw.example;proto=http"),
        (b"x-forwarded-for", b"127.0.0.1"),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-host", b"gw.example"),
        (b"via", b"1.1 gatewaylog"),
    ]


async def test_lines_of_one_hop_do_not_reach_the_backend(tmp_path: Path) -> None:
    lines = [
        b"Connection: keep-alive, X-Private",
        b"X-Private: 1",
        b"Connection: x-other",
        b"X-Other: 2",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"Proxy-Authenticate: Basic",
        b"Proxy-Authorization: Basic eDp5",
        b"TE: trailers",
        b"Trailer: X-T",
        b"X-Kept: 3",
    ]
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request(b"/echo", *lines))
    names = [name for name, _ in backend.requests[0].headers]
    assert [name for name in names if b"forwarded" not in name] == [b"host", b"x-kept", b"via"]


async def test_connection_can_not_name_away_what_frames_the_request(tmp_path: Path) -> None:
    lines = [b"Connection: host, content-length, via", b"Via: 1.1 before"]
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request(b"/echo", *lines, method=b"POST", body=b"hello"))
    received = backend.requests[0]
    assert (received.body, received.value(b"content-length")) == (b"hello", b"5")
    assert received.values(b"via") == [b"1.1 before", b"1.1 gatewaylog"]


FORWARDED = [
    b"Forwarded: for=203.0.113.7;host=shop.example;proto=https",
    b"X-Forwarded-For: 203.0.113.7",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Host: shop.example",
]


async def test_what_an_untrusted_peer_says_of_the_client_is_replaced(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request(b"/echo", *FORWARDED))
        await gateway.ended()
    received = backend.requests[0]
    assert received.value(b"forwarded") == b"for=127.0.0.1;host=gw.example;proto=http"
    assert received.value(b"x-forwarded-for") == b"127.0.0.1"
    assert received.value(b"x-forwarded-proto") == b"http"
    assert received.value(b"x-forwarded-host") == b"gw.example"
    assert gateway.log.complete().remote_ip == "127.0.0.1"


async def test_what_a_trusted_proxy_says_of_the_client_is_appended_to(tmp_path: Path) -> None:
    text = 'trusted_proxies = ["127.0.0.0/8"]'
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url), server=text)) as gateway,
    ):
        await gateway.ask(request(b"/echo", *FORWARDED))
        await gateway.ended()
    received = backend.requests[0]
    assert received.value(b"forwarded") == (
        b"for=203.0.113.7;host=shop.example;proto=https, for=127.0.0.1;host=gw.example;proto=http"
    )
    assert received.value(b"x-forwarded-for") == b"203.0.113.7, 127.0.0.1"
    assert received.value(b"x-forwarded-proto") == b"https"
    assert received.value(b"x-forwarded-host") == b"shop.example"
    assert gateway.log.complete().remote_ip == "203.0.113.7"


@pytest.mark.parametrize("preserve", [False, True])
async def test_host_is_the_backends_or_the_clients_where_it_is_preserved(
    tmp_path: Path, *, preserve: bool
) -> None:
    more = f"preserve_host = {str(preserve).lower()}"
    async with (
        StrictBackend() as backend,
        running(toml(tmp_path, api(backend.url, more=more))) as gateway,
    ):
        await gateway.ask(request(host=b"Shop.Example:81"))
    expected = b"Shop.Example:81" if preserve else f"127.0.0.1:{backend.port}".encode()
    assert backend.requests[0].value(b"host") == expected


@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE", b"PATCH", b"OPTIONS", b"PROPFIND"])
async def test_a_request_without_a_body_gets_none(tmp_path: Path, method: bytes) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request(method=method))
    received = backend.requests[0]
    assert (received.method, received.body, received.chunked) == (method, b"", False)
    assert received.values(b"content-length") == []


async def test_a_content_length_of_zero_stays(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request(b"/echo", b"Content-Length: 0", method=b"POST"))
    assert backend.requests[0].value(b"content-length") == b"0"


async def test_a_body_keeps_its_length_or_its_chunks(tmp_path: Path) -> None:
    chunked = b'3\r\nabc\r\n2;x="y"\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n'
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        await gateway.ask(request(method=b"PUT", body=b"abcde"))
        head = request(b"/echo", b"Transfer-Encoding: Chunked", method=b"POST")
        await gateway.ask(head + chunked)
        await gateway.ended(2)
    first, second = backend.requests
    assert (first.body, first.value(b"content-length"), first.chunked) == (b"abcde", b"5", False)
    assert (second.body, second.value(b"content-length"), second.chunked) == (b"abcde", None, True)
    assert second.values(b"x-trailer") == []
    assert [event.bytes_in for event in gateway.log.completes()] == [5, 5]


async def test_trailers_never_become_header_lines(tmp_path: Path) -> None:
    """They would get past whatever was decided by the header (RFC 9110 §6.5.1)."""
    trailers = b"Host: evil\r\nX-Api-Key: k\r\nX-Forwarded-For: 1.2.3.4\r\n"
    whole = b"1\r\na\r\n0\r\n" + trailers + b"\r\n"
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        async with gateway.client() as client:
            head = request(b"/echo", b"Transfer-Encoding: chunked", method=b"POST")
            assert (await client.ask(head + whole)).status == 200
            assert (await client.ask(request())).status == 200
        await gateway.ended(2)
    assert [received.body for received in backend.requests] == [b"a", b""]
    assert backend.requests[0].values(b"x-api-key") == []
    assert len(gateway.log.completes()) == 2
    assert gateway.log.errors() == []


async def test_status_and_header_lines_reach_the_client_as_the_backend_sent_them(
    tmp_path: Path,
) -> None:
    head = (
        b"HTTP/1.1 418 Short and stout\r\nX-B: 2\r\nSet-Cookie: a=1; Path=/\r\nX-A: \xe4\xff  x\r\n"
        b"Set-Cookie: b=2\r\nx-b: 1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"
    )
    async with (
        Backend(answers(head + b"\x1f\x8b\x00")) as server,
        running(toml(tmp_path, api(url_of(server)))) as gateway,
    ):
        answer = await gateway.ask(request())
        await gateway.ended()
    assert (answer.status, answer.body) == (418, b"\x1f\x8b\x00")
    assert answer.headers == [
        (b"x-b", b"2"),
        (b"set-cookie", b"a=1; Path=/"),
        (b"x-a", b"\xe4\xff  x"),
        (b"set-cookie", b"b=2"),
        (b"x-b", b"1"),
        (b"content-encoding", b"gzip"),
        (b"content-length", b"3"),
    ]
    assert gateway.log.complete().status_code == 418


async def test_date_and_server_are_the_backends_and_never_ours(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nserver: odd/1\r\ndate: yesterday\r\ncontent-length: 0\r\n\r\n"
    silent = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    async with (
        Backend(answers(head)) as named,
        Backend(answers(silent)) as nameless,
        running(
            toml(
                tmp_path,
                api(url_of(named)),
                api(url_of(nameless), name="Other", context="/other"),
            )
        ) as gateway,
    ):
        first = await gateway.ask(request())
        second = await gateway.ask(request(b"/other"))
    assert first.value(b"server") == b"odd/1"
    assert first.value(b"date") == b"yesterday"
    assert second.headers == [(b"content-length", b"0")]


async def test_lines_of_one_hop_do_not_reach_the_client(tmp_path: Path) -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nConnection: x-private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Proxy-Authenticate: Basic\r\nTrailer: x\r\nUpgrade: h2c\r\nX-Kept: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n"
    )
    async with (
        Backend(answers(head)) as server,
        running(toml(tmp_path, api(url_of(server)))) as gateway,
    ):
        answer = await gateway.ask(request())
    assert answer.headers == [(b"x-kept", b"1"), (b"transfer-encoding", b"chunked")]
    assert answer.body == b"hello"


BODILESS = [
    (b"HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n"),
    (b"HEAD", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
    (b"HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
    (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    (b"GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 1234\r\netag: x\r\n\r\n"),
    (b"GET", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    (b"GET", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
]


@pytest.mark.parametrize(("method", "head"), BODILESS)
async def test_an_answer_without_a_body_leaves_the_connection_for_the_next(
    tmp_path: Path, method: bytes, head: bytes
) -> None:
    async with (
        Backend(answers(head)) as server,
        running(toml(tmp_path, api(url_of(server)))) as gateway,
    ):
        async with gateway.client() as client:
            for _ in range(2):
                answer = await client.ask(request(method=method))
                assert answer.status == int(head[9:12])
                if b"content-length" in head:
                    assert answer.value(b"content-length") == head.split(b": ")[1].split(b"\r")[0]
        await gateway.ended(2)
    assert [event.outcome for event in gateway.log.completes()] == ["complete"] * 2
    assert [event.bytes_out for event in gateway.log.completes()] == [0, 0]


async def test_an_answer_that_ends_with_its_connection_is_chunked_to_the_client(
    tmp_path: Path,
) -> None:
    async with (
        Backend(answers_and_closes(b"HTTP/1.1 200 OK\r\n\r\n", b"one", b"two")) as server,
        running(toml(tmp_path, api(url_of(server)))) as gateway,
        gateway.client() as client,
    ):
        for _ in range(2):
            answer = await client.ask(request())
            assert (answer.body, answer.value(b"transfer-encoding")) == (b"onetwo", b"chunked")


async def test_interim_answers_are_read_past(tmp_path: Path) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    async with (
        Backend(answers(early + b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")) as server,
        running(toml(tmp_path, api(url_of(server)))) as gateway,
    ):
        answer = await gateway.ask(request())
    assert (answer.status, answer.headers, answer.body) == (200, [(b"content-length", b"2")], b"ok")


async def test_connections_to_the_backend_are_used_again(tmp_path: Path) -> None:
    async with StrictBackend() as backend, running(toml(tmp_path, api(backend.url))) as gateway:
        for _ in range(5):
            await gateway.ask(request())
        assert backend.connections == 1
    assert len(backend.requests) == 5


async def test_a_kept_connection_that_the_backend_closed_is_replaced_unseen(tmp_path: Path) -> None:
    once = answers_and_closes(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    async with Backend(once) as server, running(toml(tmp_path, api(url_of(server)))) as gateway:
        for method in (b"GET", b"POST", b"GET", b"POST"):
            answer = await gateway.ask(request(method=method))
            assert answer.status == 200
            await server.wires[-1].writer.wait_closed()
        await gateway.ended(4)
    assert [event.attempts for event in gateway.log.completes()] == [1] * 4


async def test_a_consumed_credential_is_forwarded_only_where_that_is_wished(
    tmp_path: Path,
) -> None:
    application = (
        '[[application]]\nname = "app"\nowner = "ann"\nsubscriptions = ["*"]\nkeys = '
        '["sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"]\n'
    )
    for forward in ("false", "true"):
        text = toml(
            tmp_path,
            "[auth]\nforward_credential = " + forward,
            application,
        )
        async with (
            StrictBackend() as backend,
            running(text + api(backend.url, auth="required")) as gateway,
        ):
            bearer = b"Authorization: Bearer for-the-backend"
            assert (await gateway.ask(request(b"/echo", b"X-API-Key: foo", bearer))).status == 200
        expected = [b"foo"] if forward == "true" else []
        assert backend.requests[0].values(b"x-api-key") == expected
        assert backend.requests[0].values(b"authorization") == [b"Bearer for-the-backend"]
