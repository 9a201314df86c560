"""The examples as they stand, in processes of their own."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from gatewaylog.events import IncomingRequest, RequestComplete
from tests.system.servers import ROOT, Program, abort, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

COMMANDS = {
    "python": [f"{ROOT}/examples/proxy_app.py"],
    "uvicorn": ["-m", "uvicorn", "examples.proxy_app:app", "--port", "{port}"],
}


class Backend(BaseHTTPRequestHandler):
    """Answers with what it got; `/teapot` with a status of its own."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/half":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
            return
        self.answer(f"{self.path} from {self.headers['User-Agent']}".encode())

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body: bytes) -> None:
        self.send_response(418 if self.path.startswith("/teapot") else 200)
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(params=COMMANDS)
def proxy(request: pytest.FixtureRequest, backend: str, tmp_path: Path) -> Iterator[Program]:
    command = COMMANDS[request.param]
    with Program(command, tmp_path, {"BACKEND": backend, "PORT": "{port}"}) as program:
        yield program


def test_three_calls_of_the_proxy_are_six_linked_lines(proxy: Program, backend: str) -> None:
    response, body = proxy.request("GET", "/a%2Fb/~x?q=%20&token=secret")
    assert (response.status, body) == (200, b"/a%2Fb/~x?q=%20&token=secret from None")
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    response, body = proxy.request("POST", "/upload", b"x" * 1_000_000)
    assert (response.status, len(body)) == (200, 1_000_000)
    response, _ = proxy.request("GET", "/teapot")
    assert response.status == 418
    proxy.exchange("/teapot")

    log = proxy.log
    log.assert_all_paired()
    assert [type(event) for event in log.events] == [IncomingRequest, RequestComplete] * 3
    log.assert_incoming(request_in_url="/a%2Fb/~x?q=%20&token=REDACTED", api="acme--Proxy:v1")
    end = log.assert_complete(
        status=200,
        request_in_url="/a%2Fb/~x?q=%20&token=REDACTED",
        request_out_url=f"{backend}/a%2Fb/~x?q=%20&token=REDACTED",
        request_out_method="GET",
        outcome="complete",
        attempts=1,
    )
    assert end.backend_ms is not None
    log.assert_complete(request_in_url="/upload", bytes_in=1_000_000, bytes_out=1_000_000)
    log.assert_complete(request_in_url="/teapot", status=418, request_out_url=f"{backend}/teapot")


def test_a_backend_that_is_down_is_an_error(tmp_path: Path) -> None:
    down = f"http://127.0.0.1:{free_port()}"
    with Program(COMMANDS["uvicorn"], tmp_path, {"BACKEND": down}) as proxy:
        response, body = proxy.request("GET", "/a")
        assert (response.status, b"101503" in body) == (502, True)
        proxy.exchange("/a")
        log = proxy.log
        log.assert_all_paired()
        end = log.assert_error(source="fault", code=101503, status=502, attempts=1)
        assert end.request_out_url == f"{down}/a"


def test_a_backend_that_breaks_off_is_told(proxy: Program) -> None:
    with proxy.connect(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n") as connection:
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.endswith(b"\r\n\r\nhalf")
    proxy.exchange("/half")
    proxy.log.assert_complete(status=200, outcome="upstream_abort", bytes_out=4)


def test_a_client_that_goes_away_from_the_proxy_is_told(proxy: Program) -> None:
    connection = proxy.connect(
        b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n0123456789"
    )
    proxy.arrived("/upload")
    abort(connection)
    proxy.exchange("/upload")
    end = proxy.log.assert_error(code=101001, status=499, outcome="client_abort")
    assert end.bytes_in is not None
    response, _ = proxy.request("GET", "/after")
    assert response.status == 200
