"""The WSGI middleware under gunicorn, with clients that behave and others."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.events import RequestComplete, RequestError
from tests.system.servers import Program, abort
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.testing import CapturedExchange

pytestmark = pytest.mark.system

SERVERS = {
    "gunicorn-sync": "gunicorn --workers 2 --worker-class sync --bind 127.0.0.1:{port}",
    "gunicorn-gthread": "gunicorn -w 2 -k gthread --threads 4 --bind 127.0.0.1:{port}",
    "granian": "granian --interface wsgi --workers 2 --blocking-threads 4 --port {port}",
}
PAIRS = [(server, app) for server in SERVERS for app in ("flask_app", "django_app")]


# Only gunicorn tells the target as it was sent.
tells_the_target = pytest.mark.parametrize(
    "server",
    [pair for pair in PAIRS if pair[0].startswith("gunicorn")],
    ids="-".join,
    indirect=True,
)


def command(server: str, app: str) -> list[str]:
    return ["-m", *SERVERS[server].split(), f"tests.system.wsgi_apps:{app}"]


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


def complete(exchange: CapturedExchange) -> RequestComplete:
    assert isinstance(exchange.terminal, RequestComplete), exchange
    return exchange.terminal


def error(exchange: CapturedExchange) -> RequestError:
    assert isinstance(exchange.terminal, RequestError), exchange
    return exchange.terminal


@tells_the_target
def test_a_get_is_logged_as_it_was_sent(server: Program) -> None:
    response, body = server.request("GET", "/h%65llo?a=%20b&token=secret")
    assert (response.status, body) == (200, b"hello")
    exchange = server.exchange("/h%65llo?a=%20b&token=REDACTED")
    end = complete(exchange)
    assert exchange.incoming is not None
    assert exchange.incoming.api == end.api == "acme--Shop:v1"
    assert (end.status_code, end.outcome, end.bytes_out) == (200, "complete", 5)
    assert (end.application_name, end.end_user_name) == ("till", "ann")
    assert end.remote_ip == "127.0.0.1"


@tells_the_target
def test_the_authority_of_an_absolute_target_is_not_logged(server: Program) -> None:
    response, _ = server.request("GET", "http://127.0.0.1/hello?absolute")
    assert response.status == 200
    assert complete(server.exchange("/hello?absolute")).bytes_out == 5


def test_a_get_is_logged(server: Program) -> None:
    response, body = server.request("GET", "/hello?plain=%20")
    assert (response.status, body) == (200, b"hello")
    end = complete(server.exchange("/hello?plain=%20"))
    assert (end.status_code, end.outcome, end.bytes_out) == (200, "complete", 5)


def test_a_posts_body_is_counted_both_ways(server: Program) -> None:
    response, body = server.request("POST", "/echo?post", b"x" * 300_000)
    assert (response.status, len(body)) == (200, 300_000)
    end = complete(server.exchange("/echo?post"))
    assert (end.outcome, end.bytes_in, end.bytes_out) == ("complete", 300_000, 300_000)


def test_a_head_has_no_body(server: Program) -> None:
    response, body = server.request("HEAD", "/hello?head")
    assert (response.status, body) == (200, b"")
    end = complete(server.exchange("/hello?head"))
    assert (end.status_code, end.outcome) == (200, "complete")


def test_a_list_is_sent_whole_where_the_server_does_that(server: Program) -> None:
    response, body = server.request("GET", "/list")
    assert (response.status, body) == (200, b"list")
    in_chunks = response.getheader("Transfer-Encoding") == "chunked"
    assert in_chunks == ("gunicorn" in server.command)
    end = complete(server.exchange("/list"))
    assert (end.status_code, end.outcome, end.bytes_out) == (200, "complete", 4)


def test_a_generator_is_one_call_and_is_closed_within_it(server: Program) -> None:
    _, body = server.request("GET", "/stream")
    assert len(body) == 3000
    end = complete(server.exchange("/stream"))
    assert (end.outcome, end.bytes_out) == ("complete", 3000)
    assert dict(end.extra)["Closed"] == "yes"


def test_a_file_is_sent_by_the_kernel_where_the_server_can(server: Program) -> None:
    _, body = server.request("GET", "/file")
    content = (Path(__file__).parent / "wsgi_apps.py").read_bytes()
    assert body == content
    end = complete(server.exchange("/file"))
    assert (end.status_code, end.outcome, end.bytes_out) == (200, "complete", len(content))
    by_the_kernel = (server.log_path.parent / "sendfile").exists()
    assert by_the_kernel == ("gunicorn" in server.command)


def test_an_exception_that_the_framework_answers_is_its_answer(server: Program) -> None:
    response, _ = server.request("GET", "/boom")
    assert response.status == 500
    assert complete(server.exchange("/boom")).status_code == 500


def test_an_exception_that_reaches_the_server_is_an_error(server: Program) -> None:
    response, _ = server.request("GET", "/raise")
    assert response.status == 500
    end = error(server.exchange("/raise"))
    assert (end.error_source, end.error_code, end.status_code) == ("fault", "500", 500)
    assert end.outcome == "app_exception"
    wait_for(lambda: "RuntimeError: boom" in server.output)


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


def test_a_client_that_goes_away_in_mid_response(server: Program) -> None:
    connection = server.connect(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
    assert connection.recv(12) == b"HTTP/1.1 200"
    abort(connection)
    end = complete(server.exchange("/endless"))
    assert (end.status_code, end.outcome) == (200, "client_abort")
    assert dict(end.extra)["Closed"] == "yes"
    assert end.bytes_out is not None
    assert end.bytes_out > 0


def test_a_client_that_goes_away_in_mid_request(server: Program) -> None:
    connection = server.connect(
        b"POST /echo?half HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n0123456789"
    )
    server.arrived("/echo?half")
    abort(connection)
    exchange = server.exchange("/echo?half")
    assert exchange.terminal.outcome == "client_abort"


def test_gunicorn_finishes_at_sigterm_what_runs(tmp_path: Path) -> None:
    with Program(command("gunicorn-sync", "flask_app"), tmp_path) as program:
        connection = program.connect(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        program.arrived("/wait")
        program.signal(signal.SIGTERM)
        (tmp_path / "go").touch()
        assert connection.recv(12) == b"HTTP/1.1 200"
        program.stopped()
        connection.close()
        program.log.assert_all_paired()
        assert program.log.assert_complete(request_in_url="/wait").outcome == "complete"


def test_gunicorn_ends_at_sigint_what_runs(tmp_path: Path) -> None:
    with Program(command("gunicorn-sync", "django_app"), tmp_path) as program:
        with program.connect(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"):
            program.arrived("/wait")
            program.signal(signal.SIGINT)
            program.stopped()
        program.log.assert_all_paired()
        assert program.log.assert_error(request_in_url="/wait", code=101507).outcome == "shutdown"
