"""The ASGI middleware under real servers, with clients that behave and others."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from websockets.sync.client import connect

from gatewaylog.events import RequestComplete, RequestError
from tests.system.servers import Program, abort
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.testing import CapturedExchange

pytestmark = pytest.mark.system

SERVERS = {
    "uvicorn": ["uvicorn", "--port", "{port}", "--timeout-graceful-shutdown", "1"],
    "granian": ["granian", "--interface", "asgi", "--port", "{port}"],
    "hypercorn": ["hypercorn", "--bind", "127.0.0.1:{port}", "--graceful-timeout", "1"],
}
PAIRS = [(server, app) for server in SERVERS for app in ("starlette_app", "fastapi_app")]


def command(server: str, app: str) -> list[str]:
    return ["-m", *SERVERS[server], f"tests.system.asgi_apps:{app}"]


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """Each server with each application; when it has gone, each call has exactly one end."""
    with Program(command(*request.param), tmp_path_factory.mktemp("server")) as program:
        yield program
        program.signal()
        program.stopped()
        program.log.assert_all_paired()


@pytest.fixture(params=SERVERS)
def stopping(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[Program]:
    """A server that the test itself stops."""
    folder = request.getfixturevalue("tmp_path")
    with Program(command(request.param, "starlette_app"), folder) as program:
        yield program


def complete(exchange: CapturedExchange) -> RequestComplete:
    assert isinstance(exchange.terminal, RequestComplete), exchange
    return exchange.terminal


def error(exchange: CapturedExchange) -> RequestError:
    assert isinstance(exchange.terminal, RequestError), exchange
    return exchange.terminal


def test_a_get_is_logged_as_it_was_sent(server: Program) -> None:
    response, body = server.request("GET", "/hello?a=%20b&token=secret")
    assert (response.status, body) == (200, b"hello")
    exchange = server.exchange("/hello?a=%20b&token=REDACTED")
    end = complete(exchange)
    assert exchange.incoming is not None
    assert exchange.incoming.api == end.api == "acme--Shop:v1"
    assert (end.status_code, end.outcome, end.bytes_out) == (200, "complete", 5)
    assert (end.application_name, end.end_user_name) == ("till", "ann")
    assert end.remote_ip == "127.0.0.1"


def test_a_posts_body_is_counted_both_ways(server: Program) -> None:
    response, body = server.request("POST", "/echo?post", b"x" * 300_000)
    assert (response.status, len(body)) == (200, 300_000)
    end = complete(server.exchange("/echo?post"))
    assert (end.bytes_in, end.bytes_out, end.request_in_method) == (300_000, 300_000, "POST")


def test_a_stream_is_one_call(server: Program) -> None:
    _, body = server.request("GET", "/stream")
    assert len(body) == 3000
    assert complete(server.exchange("/stream")).bytes_out == 3000


def test_an_exception_is_an_error_and_the_client_gets_a_500(server: Program) -> None:
    response, _ = server.request("GET", "/boom")
    assert response.status == 500
    end = error(server.exchange("/boom"))
    assert (end.error_source, end.error_code, end.status_code) == ("fault", "500", 500)
    assert end.outcome == "app_exception"
    wait_for(lambda: "RuntimeError: boom" in server.output)  # raised again, so the server saw it


def test_an_exception_behind_the_head_breaks_the_answer_off(server: Program) -> None:
    request = b"GET /broken HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with server.connect(request) as connection:
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    end = complete(server.exchange("/broken"))
    assert (end.status_code, end.outcome, end.bytes_out) == (200, "app_exception", 4)


def test_an_unknown_path_is_the_applications_own_404(server: Program) -> None:
    response, _ = server.request("GET", "/nowhere")
    assert response.status == 404
    assert complete(server.exchange("/nowhere")).status_code == 404


def test_a_websocket_is_one_call_of_status_101(server: Program) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/ws?chat", close_timeout=5) as session:
        for text in ("hello", "wörld"):
            session.send(text)
            assert session.recv() == text
        assert not server.log.exchanges[-1].terminals  # it goes on
    end = complete(server.exchange("/ws?chat"))
    # Hypercorn tells every close by the client as code 1006, which stands for a lost connection.
    outcome = "client_abort" if "hypercorn" in server.command else "complete"
    assert (end.status_code, end.outcome) == (101, outcome)
    assert (end.bytes_in, end.bytes_out) == (11, 11)


def test_a_websocket_that_breaks_off_ends_too(server: Program) -> None:
    connection = server.connect(
        b"GET /ws?gone HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert connection.recv(12) == b"HTTP/1.1 101"
    connection.sendall(b"\x81\x82\x00\x00\x00\x00hi")  # RFC 6455 §5.2: text, masked by zeros
    received = connection.recv(4096)
    while not received.endswith(b"\x81\x02hi"):
        received += connection.recv(4096)
    abort(connection)
    end = complete(server.exchange("/ws?gone"))
    # uvicorn and granian tell a lost connection as code 1005: as a close that gave no code.
    outcome = "client_abort" if "hypercorn" in server.command else "complete"
    assert (end.status_code, end.outcome, end.bytes_in) == (101, outcome, 2)


def test_a_client_that_goes_away_in_mid_response(server: Program) -> None:
    connection = server.connect(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
    assert connection.recv(12) == b"HTTP/1.1 200"
    abort(connection)
    end = complete(server.exchange("/endless"))
    assert (end.status_code, end.outcome) == (200, "client_abort")
    assert end.bytes_out is not None
    assert end.bytes_out > 0


def test_a_client_that_goes_away_in_mid_request(server: Program) -> None:
    connection = server.connect(
        b"POST /echo?half HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n0123456789"
    )
    server.arrived("/echo?half")
    abort(connection)
    end = error(server.exchange("/echo?half"))
    assert (end.error_code, end.status_code, end.outcome) == ("101001", 499, "client_abort")


def test_a_client_that_goes_away_before_an_answer(server: Program) -> None:
    connection = server.connect(b"GET /wait?gone HTTP/1.1\r\nHost: a\r\n\r\n")
    server.arrived("/wait?gone")
    abort(connection)
    response, _ = server.request("GET", "/hello?after")
    assert response.status == 200
    complete(server.exchange("/hello?after"))
    assert server.log.assert_incoming(request_in_url="/wait?gone").request_in_method == "GET"


def test_a_call_that_runs_at_sigterm_ends_with_the_server(stopping: Program) -> None:
    with stopping.connect(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"):
        stopping.arrived("/wait")
        stopping.signal(signal.SIGTERM)
        if "granian" not in stopping.command:  # it waits for its clients, and cancels nothing
            stopping.stopped()
    stopping.stopped()
    log = stopping.log
    log.assert_all_paired()
    end = log.assert_error(request_in_url="/wait")
    assert (end.error_code, end.status_code, end.outcome) == ("101507", 503, "shutdown")
