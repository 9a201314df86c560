"""What the client gets and the log says where no backend answers as it should."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.gateway.upstream.scripted import Backend, answers, answers_and_closes, answers_and_stays
from tests.http_client import request
from tests.running import api, in_front_of, running, toml, until, url_of
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.gateway.upstream.scripted import Play, Wire

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
ONCE = "retries = 0"


async def nothing(wire: Wire) -> None:
    """Take the request and close."""
    await wire.head()


async def stall(wire: Wire) -> None:
    await wire.until_closed()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


FAILING: list[tuple[Play, int, str, str]] = [
    (nothing, 502, "101505", "upstream_abort"),
    (answers_and_closes(b"HTTP/1.1 20"), 502, "101505", "upstream_abort"),
    (stall, 504, "101504", "timeout"),
    (answers_and_stays(b"HTTP/1.1 200 OK\r\nx: y"), 504, "101504", "timeout"),
    (answers_and_closes(b"hello\r\n\r\n"), 502, "101506", "upstream_abort"),
    (answers_and_closes(b"HTTP/1.1 200 OK\r\nx y\r\n\r\n"), 502, "101506", "upstream_abort"),
    (answers_and_closes(b"\x16\x03\x01\x02\x00\x01"), 502, "101506", "upstream_abort"),
    (
        answers_and_closes(
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok"
        ),
        502,
        "101506",
        "upstream_abort",
    ),
]


@pytest.mark.parametrize(("play", "status", "code", "outcome"), FAILING)
async def test_a_backend_that_does_not_answer_gives_an_error_that_tells_how(
    tmp_path: Path, play: Play, status: int, code: str, outcome: str
) -> None:
    more = f"{ONCE}\nresponse_timeout = 0.2"
    async with in_front_of(tmp_path, play, more=more) as (gateway, backend):
        async with gateway.client() as client:
            answer = await client.ask(request())
            assert answer.status == status
            assert answer.value(b"connection") is None
            assert f'"code":"{code}"'.encode() in answer.body
        await gateway.ended()
    error = gateway.log.error()
    assert (error.error_source, error.error_code, error.status_code) == ("fault", code, status)
    assert (error.outcome, error.attempts) == (outcome, 1)
    assert (error.request_out_url, error.request_out_method) == (f"{url_of(backend)}/", "GET")


async def test_a_backend_that_refuses_connections_gives_101503(tmp_path: Path) -> None:
    async with running(toml(tmp_path, api(f"http://127.0.0.1:{free_port()}"))) as gateway:
        answer = await gateway.ask(request())
        await gateway.ended()
    error = gateway.log.error()
    assert (answer.status, error.error_code, error.status_code) == (502, "101503", 502)
    assert (error.attempts, error.outcome) == (2, "complete")


async def test_a_backend_whose_name_is_not_known_gives_101503(tmp_path: Path) -> None:
    async with running(toml(tmp_path, api("http://no-such-host.invalid", more=ONCE))) as gateway:
        answer = await gateway.ask(request())
        await gateway.ended()
    assert (answer.status, gateway.log.error().error_code) == (502, "101503")


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """A port whose queue of connections is full, so that no further one is taken."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


async def test_a_backend_that_takes_no_connection_in_time_gives_101508(tmp_path: Path) -> None:
    with full_backlog() as port:
        more = f"{ONCE}\nconnect_timeout = 0.2"
        async with running(toml(tmp_path, api(f"http://127.0.0.1:{port}", more=more))) as gateway:
            answer = await gateway.ask(request())
            await gateway.ended()
    error = gateway.log.error()
    assert (answer.status, error.error_code, error.status_code) == (504, "101508", 504)
    assert error.outcome == "timeout"


async def test_a_certificate_that_nobody_vouches_for_gives_101503(tmp_path: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(server)
    async with Backend(answers(OK), tls=server) as backend:
        url = f"https://localhost:{backend.origin.port}"
        async with running(toml(tmp_path, api(url, more=ONCE))) as gateway:
            answer = await gateway.ask(request())
            await gateway.ended()
        assert all(not wire.raw for wire in backend.wires)
    assert (answer.status, gateway.log.error().error_code) == (502, "101503")


async def test_a_certificate_of_another_name_gives_101503(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("elsewhere.example").configure_cert(server)
    async with Backend(answers(OK), tls=server) as backend:
        url = f"https://localhost:{backend.origin.port}"
        more = f'{ONCE}\ntls_ca = "{tmp_path}/ca.pem"'
        async with running(toml(tmp_path, api(url, more=more))) as gateway:
            answer = await gateway.ask(request())
            await gateway.ended()
    assert (answer.status, gateway.log.error().error_code) == (502, "101503")


async def test_a_backend_behind_a_private_ca_is_reached(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(server)
    async with Backend(answers(OK), tls=server) as backend:
        url = f"https://localhost:{backend.origin.port}"
        more = f'tls_ca = "{tmp_path}/ca.pem"'
        async with running(toml(tmp_path, api(url, more=more))) as gateway:
            assert (await gateway.ask(request())).body == b"ok"
            await gateway.ended()
    assert gateway.log.complete().request_out_url == f"{url}/"


async def test_a_backend_on_a_unix_socket_is_reached(tmp_path: Path) -> None:
    path = str(tmp_path / "backend.sock")
    async with Backend(answers(OK), unix_path=path):
        url = "http+unix://" + path.replace("/", "%2F")
        async with running(toml(tmp_path, api(url))) as gateway:
            assert (await gateway.ask(request(b"/echo/a"))).body == b"ok"
            await gateway.ended()
    assert gateway.log.complete().request_out_url == f"{url}/a"


BROKEN: list[tuple[Play, str]] = [
    (answers_and_closes(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"), "upstream_abort"),
    (answers_and_stays(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"), "timeout"),
    (
        answers_and_closes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n"),
        "upstream_abort",
    ),
    (
        answers_and_stays(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\nzz"),
        "upstream_abort",
    ),
]


@pytest.mark.parametrize(("play", "outcome"), BROKEN)
async def test_an_answer_that_breaks_off_after_its_head_is_no_whole_one_for_the_client(
    tmp_path: Path, play: Play, outcome: str
) -> None:
    more = "idle_timeout = 0.2"
    async with in_front_of(tmp_path, play, more=more) as (gateway, _):
        async with gateway.client() as client:
            await client.send(request())
            assert (await client.head()).status == 200
            rest = await client.rest()
            assert b"part" in rest
            assert b"0\r\n\r\n" not in rest
        await gateway.ended()
    complete = gateway.log.complete()
    assert (complete.status_code, complete.outcome, complete.attempts) == (200, outcome, 1)
    assert complete.bytes_out == 4


async def test_every_backend_suspended_gives_303001_with_retry_after(tmp_path: Path) -> None:
    urls = [f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"]
    async with running(toml(tmp_path, api(urls, more="suspend = 20"))) as gateway:
        assert (await gateway.ask(request())).status == 502
        answer = await gateway.ask(request())
        await gateway.ended(2)
    retry_after = answer.value(b"retry-after")
    assert retry_after is not None
    assert 1 <= int(retry_after) <= 20
    first, second = gateway.log.errors()
    assert (first.error_code, first.attempts) == ("101503", 2)
    assert (second.error_code, second.status_code, second.attempts) == ("303001", 503, None)
    assert second.request_out_url is None


async def test_a_suspended_backend_is_tried_again_after_its_time(tmp_path: Path) -> None:
    port = free_port()
    more = f"{ONCE}\nsuspend = 0.2"
    async with running(toml(tmp_path, api(f"http://127.0.0.1:{port}", more=more))) as gateway:
        assert (await gateway.ask(request())).status == 502
        server = await asyncio.start_server(_say_ok, "127.0.0.1", port)
        statuses: list[int] = []
        while 200 not in statuses:
            statuses.append((await gateway.ask(request())).status)
        server.close()
    assert set(statuses) == {503, 200}


async def _say_ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    await writer.drain()
    writer.close()


async def test_backends_are_taken_in_turn(tmp_path: Path) -> None:
    async with StrictBackend() as one, StrictBackend() as two:
        async with running(toml(tmp_path, api([one.url, two.url]))) as gateway:
            for _ in range(6):
                await gateway.ask(request())
        assert (len(one.requests), len(two.requests)) == (3, 3)


async def test_failover_takes_the_first_backend_that_is_well(tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    async with StrictBackend() as one, StrictBackend() as two:
        text = toml(tmp_path, api([dead, one.url, two.url], more='balance = "failover"'))
        async with running(text) as gateway:
            for _ in range(4):
                assert (await gateway.ask(request())).status == 200
            await gateway.ended(4)
        assert (len(one.requests), len(two.requests)) == (4, 0)
    assert [event.attempts for event in gateway.log.completes()] == [2, 1, 1, 1]
    assert gateway.log.completes()[0].request_out_url == f"{one.url}/"


async def test_what_could_not_connect_is_sent_to_another_backend_whatever_its_method(
    tmp_path: Path,
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    async with StrictBackend() as alive:
        async with running(toml(tmp_path, api([dead, alive.url]))) as gateway:
            answer = await gateway.ask(request(method=b"POST", body=b"hello"))
            await gateway.ended()
        assert answer.status == 200
        assert alive.requests[0].body == b"hello"
    complete = gateway.log.complete()
    assert (complete.attempts, complete.bytes_in) == (2, 5)


async def test_an_idempotent_request_is_sent_again_where_no_answer_was_seen(
    tmp_path: Path,
) -> None:
    async with Backend(nothing) as closing, StrictBackend() as alive:
        async with running(toml(tmp_path, api([url_of(closing), alive.url]))) as gateway:
            assert (await gateway.ask(request(method=b"DELETE"))).status == 200
            await gateway.ended()
        assert len(closing.wires) == 1
    assert gateway.log.complete().attempts == 2


@pytest.mark.parametrize(
    ("wanted", "play"),
    [
        pytest.param(request(method=b"POST"), nothing, id="not idempotent"),
        pytest.param(request(method=b"PATCH"), nothing, id="not idempotent either"),
        pytest.param(request(), answers_and_closes(b"HTTP/1.1 2"), id="an answer began"),
        pytest.param(request(), answers_and_closes(b"HTTP/1.1 100 C\r\n\r\n"), id="1xx seen"),
        pytest.param(request(), answers_and_closes(b"nonsense\r\n\r\n"), id="an odd answer"),
    ],
)
async def test_a_request_is_not_sent_again_where_that_could_do_something_twice(
    tmp_path: Path, wanted: bytes, play: Play
) -> None:
    async with Backend(play) as failing, StrictBackend() as alive:
        urls = [url_of(failing), alive.url]
        async with running(toml(tmp_path, api(urls, more="retries = 5"))) as gateway:
            assert (await gateway.ask(wanted)).status == 502
            await gateway.ended()
        assert alive.requests == []
    assert gateway.log.error().attempts == 1


async def test_a_request_whose_body_was_begun_is_not_sent_again(tmp_path: Path) -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.body(1)

    async with Backend(play) as failing, StrictBackend() as alive:
        async with running(toml(tmp_path, api([url_of(failing), alive.url]))) as gateway:
            answer = await gateway.ask(request(method=b"PUT", body=b"hello"))
            await gateway.ended()
        assert answer.status == 502
        assert alive.requests == []
    assert gateway.log.error().attempts == 1


async def test_the_last_attempt_is_the_one_that_the_log_names(tmp_path: Path) -> None:
    dead = [f"http://127.0.0.1:{free_port()}/a", f"http://127.0.0.1:{free_port()}/b"]
    async with running(toml(tmp_path, api(dead))) as gateway:
        await gateway.ask(request(b"/echo/x"))
        await gateway.ended()
    assert gateway.log.error().request_out_url == f"{dead[1]}/x"


async def test_a_client_that_leaves_while_the_backend_is_awaited_gives_101000(
    tmp_path: Path,
) -> None:
    async with in_front_of(tmp_path, stall) as (gateway, backend):
        async with gateway.client() as client:
            await client.send(request())
            await until(lambda: backend.wires and backend.wires[0].raw)
        await gateway.ended()
        await until(lambda: backend.wires[0].closed.is_set())
    error = gateway.log.error()
    assert (error.error_code, error.status_code, error.outcome) == ("101000", 499, "client_abort")


async def test_a_client_that_leaves_in_its_body_gives_101001(tmp_path: Path) -> None:
    async with in_front_of(tmp_path, stall) as (gateway, backend):
        async with gateway.client() as client:
            await client.send(request(b"/echo", b"Content-Length: 9", method=b"PUT") + b"part")
            await until(lambda: backend.wires and b"part" in backend.wires[0].raw)
        await gateway.ended()
        await until(lambda: backend.wires[0].closed.is_set())
    error = gateway.log.error()
    assert (error.error_code, error.status_code, error.outcome) == ("101001", 499, "client_abort")
    assert error.bytes_in == 4


async def test_a_client_that_leaves_in_the_answer_gives_a_complete_that_tells(
    tmp_path: Path,
) -> None:
    play = answers_and_stays(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart")
    async with in_front_of(tmp_path, play) as (gateway, backend):
        async with gateway.client() as client:
            await client.send(request())
            await client.head()
            assert await client.exactly(4) == b"part"
            client.reset()
        await gateway.ended()
        await until(lambda: backend.wires[0].closed.is_set())
    complete = gateway.log.complete()
    assert (complete.status_code, complete.outcome) == (200, "client_abort")
    assert complete.bytes_out == 4


async def test_a_client_that_leaves_while_a_connection_is_made_leaves_none(tmp_path: Path) -> None:
    with full_backlog() as port:
        async with running(toml(tmp_path, api(f"http://127.0.0.1:{port}"))) as gateway:
            async with gateway.client() as client:
                await client.send(request())
                await until(lambda: gateway.log.incoming())
            await gateway.ended()
    error = gateway.log.error()
    assert (error.error_code, error.outcome) == ("101000", "client_abort")
