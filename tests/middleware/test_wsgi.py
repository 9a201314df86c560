"""The WSGI middleware under servers that do what PEP 3333 lets them do."""

from __future__ import annotations

import gc
import io
import sys
from typing import TYPE_CHECKING, Any
from wsgiref.handlers import SimpleHandler
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from gatewaylog import current_exchange
from gatewaylog.events import RequestComplete, RequestError
from gatewaylog.exchange import running
from gatewaylog.middleware.wsgi import AccessLogMiddleware
from gatewaylog.testing import CapturedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    App = Callable[[dict[str, Any], Any], Iterable[bytes]]


@pytest.fixture
def log() -> Iterator[CapturedLog]:
    """The log; whatever a test does, each call must have exactly one end."""
    log = CapturedLog()
    yield log
    log.assert_all_paired()
    assert running.get() is None


def environment(method: str = "GET", body: bytes = b"", /, **more: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "here",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    } | more


class Server:
    """Calls an application and keeps what it gives; a client can go away after `pieces`."""

    def __init__(self, pieces: int | None = None) -> None:
        self.heads: list[tuple[Any, ...]] = []
        self.body: list[bytes] = []
        self.written: list[bytes] = []
        self._pieces = pieces

    def start_response(self, *head: Any) -> Callable[[bytes], None]:
        if len(head) > 2 and head[2] and (any(self.body) or self.written):
            raise head[2][1].with_traceback(head[2][2])
        self.heads.append(head)
        return self.written.append

    def serve(self, app: App, environ: dict[str, Any] | None = None) -> Server:
        result = app(environment() if environ is None else environ, self.start_response)
        try:
            for data in result:
                if len(self.body) == self._pieces:
                    raise BrokenPipeError
                self.body.append(data)
        finally:
            if hasattr(result, "close"):
                result.close()
        return self


class Closing:
    """An iterable that counts how often it is closed, and looks at the exchange in each step."""

    def __init__(self, *pieces: bytes, fails: Exception | None = None) -> None:
        self._pieces = iter(pieces)
        self._fails = fails
        self.closed = 0
        self.seen: set[object] = set()

    def __iter__(self) -> Closing:
        self.seen.add(running.get())
        return self

    def __next__(self) -> bytes:
        self.seen.add(running.get())
        return next(self._pieces)

    def close(self) -> None:
        self.seen.add(running.get())
        self.closed += 1
        if self._fails is not None:
            raise self._fails


def answering(result: Iterable[bytes], status: str = "200 OK", *headers: tuple[str, str]) -> App:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(status, list(headers))
        return result

    return app


def logged(app: App, log: CapturedLog, **options: Any) -> App:
    return AccessLogMiddleware(app, log=log, **options)


def the_end(log: CapturedLog) -> RequestComplete | RequestError:
    (exchange,) = log.exchanges
    return exchange.terminal


# What is written of a call.


def test_a_call_is_an_incoming_request_and_its_end(log: CapturedLog) -> None:
    environ = environment(
        "POST",
        b"12345",
        PATH_INFO="/shop/a b",
        QUERY_STRING="q=1&token=x",
        HTTP_USER_AGENT="agent/1",
        HTTP_X_REQUEST_ID="r-1",
        HTTP_TRACEPARENT="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        HTTP_AUTHORIZATION="Bearer secret",
        HTTP_X_TENANT="n\xc3\xb6rd",
    )

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        return answering([b"abc", b"de"])(environ, start_response)

    Server().serve(
        logged(app, log, apis={"/shop": "acme--Shop:v1"}, request_headers=["X-Tenant"]), environ
    )
    log.assert_incoming(
        api="acme--Shop:v1",
        request_in_url="/shop/a%20b?q=1&token=REDACTED",
        request_in_method="POST",
        user_agent="agent/1",
        remote_ip="192.0.2.1",
        request_id="r-1",
        trace_id="0af7651916cd43dd8448eb211c80319c",
        Header_X_Tenant="nörd",
    )
    end = log.assert_complete(status=200, outcome="complete", bytes_in=5, bytes_out=5)
    assert end.token_ref == "2bb80d537b1da3e38bd30361aa855686"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"REQUEST_URI": "/a%2Fb?x=%20", "RAW_URI": "/other"}, "/a%2Fb?x=%20"),
        ({"RAW_URI": "/a%2fb;p=1?"}, "/a%2fb;p=1?"),
        ({"RAW_URI": "http://user:pw@host:1/a?b"}, "/a?b"),
        ({"RAW_URI": "HTTPS://host?b"}, "?b"),
        ({"RAW_URI": "//a//b"}, "//a//b"),
        ({"RAW_URI": "/a?u=http://host/b"}, "/a?u=http://host/b"),
        ({"RAW_URI": "*"}, "*"),
        ({"RAW_URI": "/\xc3\xb6\xff"}, "/ö\udcff"),
        ({"SCRIPT_NAME": "/mount", "PATH_INFO": "/\xc3\xb6%/x"}, "/mount/%C3%B6%25/x"),
        ({"PATH_INFO": "/a", "QUERY_STRING": "b=c%20d"}, "/a?b=c%20d"),
        ({"PATH_INFO": "/\u20ac"}, "/%E2%82%AC"),  # no WSGI string, but some servers have it
        ({"PATH_INFO": "", "QUERY_STRING": ""}, ""),
    ],
)
def test_the_url_is_the_servers_raw_target_else_rebuilt(
    log: CapturedLog, given: dict[str, Any], url: str
) -> None:
    Server().serve(logged(answering([]), log), environment(**given))
    assert log.incoming[0].request_in_url == url


def test_the_api_is_found_by_the_decoded_path_with_its_mount(log: CapturedLog) -> None:
    app = logged(answering([], "404 No"), log, apis={"/möbel/a": "Furniture"})
    Server().serve(app, environment(SCRIPT_NAME="/m\xc3\xb6bel", PATH_INFO="/a/1"))
    Server().serve(app, environment(SCRIPT_NAME="", PATH_INFO="/m\xc3\xb6bel/ab"))
    assert log.assert_complete(status=404).api == "Furniture"
    assert log.assert_error(source="main", code=404, status=404).response_to is None


def test_the_client_behind_a_trusted_proxy_is_the_one_it_forwarded(log: CapturedLog) -> None:
    app = logged(answering([]), log, trusted_proxies=["192.0.2.0/24"])
    Server().serve(app, environment(HTTP_X_FORWARDED_FOR="203.0.113.9, 198.51.100.1"))
    assert log.incoming[0].remote_ip == "198.51.100.1"


def test_a_peer_on_a_unix_socket_has_no_address(log: CapturedLog) -> None:
    Server().serve(logged(answering([]), log), environment(REMOTE_ADDR=""))
    assert log.incoming[0].remote_ip is None


def test_the_rules_can_be_replaced(log: CapturedLog) -> None:
    Server().serve(logged(answering([], "401 No"), log, terminal=lambda _: None))
    assert log.assert_complete(status=401).outcome == "complete"


def test_an_application_may_call_itself_a_failure(log: CapturedLog) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        assert environ["gatewaylog.exchange"] is current_exchange()
        current_exchange().fail("fault", 101503, "Error connecting to the back end")
        return answering([b"sorry"], "502 Bad Gateway")(environ, start_response)

    Server().serve(logged(app, log))
    assert log.assert_error(source="fault", code=101503, status=502).bytes_out == 5


def test_a_backend_that_an_application_saw_break_off_stays_the_reason(log: CapturedLog) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"half"
        current_exchange().fail("fault", 101505, "Connection closed by the back end")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        Server().serve(logged(app, log))
    assert log.assert_complete(status=200, outcome="upstream_abort").bytes_out == 4


def test_the_client_is_told_the_message_id_where_that_is_wished(log: CapturedLog) -> None:
    headers = [("X-A", "1")]
    server = Server().serve(
        logged(
            lambda _, start: start("200 OK", headers) and [b""], log, response_header="activityid"
        )
    )
    assert server.heads[0][1] == [("X-A", "1"), ("activityid", log.incoming[0].message_id)]
    assert headers == [("X-A", "1")]


# The exchange is there wherever the application's code runs.


def test_the_exchange_is_there_while_the_body_is_made_and_closed(log: CapturedLog) -> None:
    body = Closing(b"a", b"b")
    environ = environment()
    Server().serve(logged(answering(body), log), environ)
    assert body.seen == {environ["gatewaylog.exchange"]}
    assert body.closed == 1


def test_calls_that_take_turns_each_see_their_own_exchange(log: CapturedLog) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        for _ in range(2):
            current_exchange().annotate("Path", environ["PATH_INFO"])
            yield b"x"

    wrapped = logged(app, log)
    one = wrapped(environment(PATH_INFO="/1"), Server().start_response)
    two = wrapped(environment(PATH_INFO="/2"), Server().start_response)
    assert list(zip(one, two, strict=True)) == [(b"x", b"x")] * 2
    one.close()  # type: ignore[attr-defined]
    two.close()  # type: ignore[attr-defined]
    assert log.assert_complete(Path="/1").request_in_url == "/1"
    assert log.assert_complete(Path="/2").request_in_url == "/2"


def test_what_is_told_while_the_body_is_closed_stands_in_the_end(log: CapturedLog) -> None:
    class Telling(Closing):
        def close(self) -> None:
            current_exchange().annotate("Rows", 3)

    Server().serve(logged(answering(Telling(b"a")), log))
    assert log.assert_complete(Rows="3").bytes_out == 1


# How calls end.


def test_an_exception_is_an_error_and_is_raised_again(log: CapturedLog) -> None:
    boom = ValueError("boom")

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise boom

    with pytest.raises(ValueError, match="boom") as raised:
        Server().serve(logged(app, log))
    assert raised.value is boom
    assert log.assert_error(source="fault", code=500, status=500).outcome == "app_exception"


@pytest.mark.parametrize(
    ("pieces", "kind", "status"),
    [
        ([], RequestError, 500),
        ([b""], RequestError, 500),  # no byte yet: the server can still answer 500
        ([b"abc"], RequestComplete, 200),
    ],
)
def test_an_exception_in_the_body_is_an_error_until_its_first_byte(
    log: CapturedLog, pieces: list[bytes], kind: type, status: int
) -> None:
    boom = ValueError("boom")

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield from pieces
        raise boom

    with pytest.raises(ValueError, match="boom") as raised:
        Server().serve(logged(app, log))
    assert raised.value is boom
    end = the_end(log)
    assert (type(end), end.status_code, end.outcome) == (kind, status, "app_exception")
    assert end.bytes_out == len(b"".join(pieces))


def test_an_exception_in_the_body_is_told_by_a_server_that_then_forgets_it(
    log: CapturedLog,
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"a"
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        list(logged(app, log)(environment(), lambda *_: None))
    assert log.assert_complete(status=200).outcome == "app_exception"


def test_an_exception_from_close_is_raised_again_and_told(log: CapturedLog) -> None:
    boom = ValueError("boom")
    body = Closing(b"a", fails=boom)
    with pytest.raises(ValueError, match="boom") as raised:
        Server().serve(logged(answering(body), log))
    assert raised.value is boom
    assert log.assert_complete(status=200, outcome="app_exception").bytes_out == 1


def test_a_client_that_goes_away_stays_the_reason_when_close_fails_too(log: CapturedLog) -> None:
    body = Closing(b"a", b"b", fails=ValueError("boom"))
    with pytest.raises(ValueError, match="boom"):
        Server(pieces=1).serve(logged(answering(body), log))
    assert log.assert_complete(status=200).outcome == "client_abort"


@pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt])
def test_a_server_that_stops_the_application_is_a_shutdown(
    log: CapturedLog, stop: type[BaseException]
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise stop

    with pytest.raises(stop):
        Server().serve(logged(app, log))
    assert log.assert_error(code=101507, status=503).outcome == "shutdown"


def test_a_server_that_stops_early_has_lost_its_client(log: CapturedLog) -> None:
    body = Closing(b"a", b"b", b"c")
    with pytest.raises(BrokenPipeError):
        Server(pieces=1).serve(logged(answering(body), log))
    assert log.assert_complete(status=200, outcome="client_abort").bytes_out == 2
    assert body.closed == 1


def test_a_generator_that_is_closed_early_ends_as_generators_do(log: CapturedLog) -> None:
    ended = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        try:
            yield b"a"
            yield b"b"
        except GeneratorExit:
            ended.append(current_exchange())
            raise

    environ = environment()
    result = logged(app, log)(environ, Server().start_response)
    assert next(iter(result)) == b"a"
    result.close()  # type: ignore[attr-defined]
    assert ended == [environ["gatewaylog.exchange"]]
    assert log.assert_complete(outcome="client_abort").bytes_out == 1


def test_a_body_closed_before_its_first_byte_is_a_client_that_did_not_wait(
    log: CapturedLog,
) -> None:
    result = logged(answering(Closing(b"a")), log)(environment(), Server().start_response)
    result.close()  # type: ignore[attr-defined]
    assert log.assert_error(code=101000, status=499).outcome == "client_abort"


@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        ("HEAD", "200 OK", []),
        ("GET", "204 No Content", []),
        ("GET", "304 Not Modified", []),
        ("GET", "200 OK", [("Content-length", "0")]),
    ],
)
def test_a_server_need_not_ask_for_a_body_that_it_will_not_send(
    log: CapturedLog, method: str, status: str, headers: list[tuple[str, str]]
) -> None:
    app = logged(answering(Closing(b"a"), status, *headers), log)
    app(environment(method), Server().start_response).close()  # type: ignore[attr-defined]
    assert log.assert_complete(status=int(status[:3]), outcome="complete").bytes_out == 0


def test_a_server_may_stop_where_the_content_length_ends(log: CapturedLog) -> None:
    app = logged(answering(Closing(b"abc", b"more"), "200 OK", ("Content-Length", "3")), log)
    result = app(environment(), Server().start_response)
    assert next(iter(result)) == b"abc"
    result.close()  # type: ignore[attr-defined]
    assert log.assert_complete(status=200, outcome="complete").bytes_out == 3


def test_a_server_that_never_closes_ends_the_call_when_it_forgets_it(log: CapturedLog) -> None:
    body = Closing(b"a")
    for _ in logged(answering(body), log)(environment(), Server().start_response):
        pass
    gc.collect()
    assert log.assert_complete(status=200, outcome="complete").bytes_out == 1
    assert body.closed == 0  # to close it is the server's affair


def test_an_iterable_that_is_forgotten_half_way_is_a_client_gone(log: CapturedLog) -> None:
    result = iter(logged(answering(Closing(b"a", b"b")), log)(environment(), lambda *_: None))
    next(result)
    del result
    gc.collect()
    assert log.assert_complete(status=200).outcome == "client_abort"


def test_an_application_that_never_starts_its_response_is_an_error(log: CapturedLog) -> None:
    Server().serve(logged(lambda *_: [], log))
    assert log.assert_error(code=500, status=500).outcome == "app_exception"


def test_an_application_that_returns_no_iterable_fails_as_it_would(log: CapturedLog) -> None:
    app: Any = answering(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not iterable"):
        Server().serve(logged(app, log))
    assert log.assert_error(code=500).outcome == "app_exception"


def test_a_piece_that_is_no_bytes_reaches_the_server_that_refuses_it(log: CapturedLog) -> None:
    class Refusing(Server):
        def start_response(self, *head: Any) -> Any:
            raise TypeError("bad")

    server = Server().serve(logged(answering(["text", 1]), log))  # type: ignore[list-item]
    assert server.body == ["text", 1]
    with pytest.raises(TypeError, match="bad"):
        Refusing().serve(logged(answering([]), log))
    assert log.assert_error(code=500).status_code == 500


# start_response and write.


def test_start_response_may_be_called_at_the_first_step_of_a_generator(log: CapturedLog) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("201 Created", [])
        yield b"a"

    server = Server()
    result = logged(app, log)(environment(), server.start_response)
    assert server.heads == []
    assert list(result) == [b"a"]
    result.close()  # type: ignore[attr-defined]
    assert log.assert_complete(status=201).bytes_out == 1


def test_a_status_may_be_replaced_until_the_head_is_sent(log: CapturedLog) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        try:
            raise ValueError("boom")
        except ValueError:
            start_response("503 Later", [], sys.exc_info())
        return [b"sorry"]

    server = Server().serve(logged(app, log))
    assert [head[0] for head in server.heads] == ["200 OK", "503 Later"]
    assert server.heads[1][2][0] is ValueError
    assert len(server.heads[0]) == 2  # no exc_info where the application gave none
    assert log.assert_complete(status=503).bytes_out == 5


def test_a_status_that_comes_too_late_raises_what_the_server_raises(log: CapturedLog) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"half"
        try:
            raise ValueError("boom")
        except ValueError:
            start_response("500 Oops", [], sys.exc_info())

    with pytest.raises(ValueError, match="boom"):
        Server().serve(logged(app, log))
    assert log.assert_complete(status=200, outcome="app_exception").bytes_out == 4


def test_what_goes_through_write_is_counted_and_sends_the_head(log: CapturedLog) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"abc")
        raise ValueError("boom")

    server = Server()
    with pytest.raises(ValueError, match="boom"):
        server.serve(logged(app, log))
    assert server.written == [b"abc"]
    assert log.assert_complete(status=200, outcome="app_exception").bytes_out == 3


def test_a_write_to_a_client_that_has_gone_is_a_client_abort(log: CapturedLog) -> None:
    def gone(data: bytes) -> None:
        raise BrokenPipeError

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])(b"abc")
        return []

    with pytest.raises(BrokenPipeError):
        logged(app, log)(environment(), lambda *_: gone)
    assert log.assert_error(status=499).outcome == "client_abort"


def test_a_server_without_write_gives_none(log: CapturedLog) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        assert start_response("200 OK", []) is None
        return []

    result = logged(app, log)(environment(), lambda *_: None)
    assert list(result) == []
    result.close()  # type: ignore[attr-defined]
    assert log.assert_complete(status=200).bytes_out == 0


# Results are of the kind they were.


def test_a_list_stays_a_list_for_servers_that_take_it_whole(log: CapturedLog) -> None:
    result: Any = logged(answering([b"a", b"bc"]), log)(environment(), lambda *_: None)
    assert isinstance(result, list)
    assert b"".join(result) == b"abc"  # as granian does, which closes no list
    del result
    gc.collect()
    assert log.assert_complete(status=200, outcome="complete").bytes_out == 3


def test_a_list_whose_items_are_taken_without_iterating_is_whole(log: CapturedLog) -> None:
    result: Any = logged(answering([b"abc"]), log)(environment(), lambda *_: None)
    assert result[0] == b"abc"
    result.close()
    assert log.assert_complete(status=200, outcome="complete").bytes_out == 3


def test_a_list_that_is_not_sent_to_its_end_is_a_client_abort(log: CapturedLog) -> None:
    with pytest.raises(BrokenPipeError):
        Server(pieces=1).serve(logged(answering([b"a", b"b", b"c"]), log))
    assert log.assert_complete(status=200, outcome="client_abort").bytes_out == 2


class Sized(Closing):
    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("make", [lambda: [b"abc"], lambda: (b"abc",), lambda: Sized(b"abc")])
def test_a_server_still_makes_a_content_length_of_one_item(
    log: CapturedLog, make: Callable[[], Iterable[bytes]]
) -> None:
    def raw_response(app: Any) -> bytes:
        out = io.BytesIO()
        environ = environment()
        SimpleHandler(io.BytesIO(), out, sys.stderr, environ).run(app)
        head, _, body = out.getvalue().partition(b"\r\n\r\n")
        return b"\n".join(line for line in head.split(b"\r\n") if b"Date" not in line) + body

    bare = raw_response(answering(make()))
    assert b"Content-Length: 3" in bare
    assert raw_response(logged(answering(make()), log)) == bare
    assert log.assert_complete(status=200).bytes_out == 3


def test_a_generator_has_no_length(log: CapturedLog) -> None:
    result: Any = logged(answering(iter([b"a"])), log)(environment(), lambda *_: None)
    assert not hasattr(result, "__len__")
    assert bool(result)
    list(result)
    result.close()


def test_the_reference_validator_has_nothing_to_say_on_either_side(log: CapturedLog) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"].read(2)
        environ["wsgi.input"].readline()
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"a")
        return [b"b"]

    checked: Any = validator(logged(validator(app), log))
    environ = environment("POST", b"12345\n6")
    result = checked(environ, lambda *_: lambda _: None)
    assert list(result) == [b"b"]
    result.close()
    assert log.assert_complete(bytes_in=6, bytes_out=2).status_code == 200


# The request's body.


@pytest.mark.parametrize(
    "reading",
    [
        lambda stream: stream.read(),
        lambda stream: stream.read(-1),
        lambda stream: stream.read(3) + stream.read(100),
        lambda stream: b"".join(iter(stream.readline, b"")),
        lambda stream: stream.readline(2) + stream.read(),
        lambda stream: b"".join(stream.readlines()),
        lambda stream: b"".join(stream.readlines(1)) + stream.read(),
        lambda stream: b"".join(stream),
        lambda stream: next(stream) + next(stream) + next(stream),
        lambda stream: stream.read1() + stream.read1(),
        lambda stream: io.BufferedReader(stream).read(),
    ],
)
def test_the_body_is_counted_however_it_is_read(
    log: CapturedLog, reading: Callable[[Any], bytes]
) -> None:
    body = b"one\ntwo\nthree"

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        assert reading(environ["wsgi.input"]) == body
        assert current_exchange().received
        start_response("200 OK", [])
        return []

    Server().serve(logged(app, log), environment("POST", body))
    assert log.assert_complete(status=200, outcome="complete").bytes_in == len(body)


def test_what_is_not_read_is_not_counted(log: CapturedLog) -> None:
    Server().serve(logged(answering([]), log), environment("POST", b"12345"))
    assert log.assert_complete(status=200).bytes_in == 0


def test_a_body_that_stops_short_is_a_client_gone(log: CapturedLog) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["wsgi.input"].read(10) == b"12345":
            raise ValueError("too short")
        return []

    with pytest.raises(ValueError, match="too short"):
        Server().serve(logged(app, log), environment("POST", b"12345", CONTENT_LENGTH="10"))
    end = log.assert_error(code=101001, status=499)
    assert (end.outcome, end.bytes_in) == ("client_abort", 5)


def test_a_stream_that_gives_less_than_asked_for_is_no_client_gone(log: CapturedLog) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(2)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        pieces = list(iter(lambda: environ["wsgi.input"].read(100), b""))
        assert pieces == [b"12", b"34", b"5"]
        start_response("200 OK", [])
        return []

    environ = environment("POST", b"12345") | {"wsgi.input": Slow(b"12345")}
    Server().serve(logged(app, log), environ)
    assert log.assert_complete(status=200, outcome="complete").bytes_in == 5


def test_a_stream_that_fails_is_a_client_gone_and_fails_as_it_did(log: CapturedLog) -> None:
    lost = ConnectionResetError("reset")

    class Lost(io.BytesIO):
        def readline(self, size: int | None = -1) -> bytes:
            raise lost

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return [environ["wsgi.input"].readline()]

    environ = environment("POST", b"1", HTTP_TRANSFER_ENCODING="chunked")
    with pytest.raises(ConnectionResetError) as raised:
        Server().serve(logged(app, log), environ | {"wsgi.input": Lost()})
    assert raised.value is lost
    assert log.assert_error(code=101001, status=499).outcome == "client_abort"


def test_the_stream_is_otherwise_the_servers_own(log: CapturedLog) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        stream = environ["wsgi.input"]
        assert stream.seekable()
        assert not hasattr(stream, "fancy")
        start_response("200 OK", [])
        return []

    Server().serve(logged(app, log))
    assert log.assert_complete(status=200).bytes_in == 0


# Files.


class FileServer(Server):
    """Sends a file as gunicorn does: by its descriptor where it has one."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.sent_by_descriptor = False
        self._fails = fails

    def serve(self, app: App, environ: dict[str, Any] | None = None) -> Server:
        environ = (environ or environment()) | {"wsgi.file_wrapper": FileWrapper}
        result: Any = app(environ, self.start_response)
        try:
            if type(result) is FileWrapper and isinstance(result, environ["wsgi.file_wrapper"]):
                self._send(result.filelike)
            else:
                self.body = list(result)
        finally:
            result.close()
        return self

    def _send(self, file: Any) -> None:
        self.sent_by_descriptor = file.fileno() > 0
        if self._fails:
            file.seek(file.tell() + 3)  # as socket.sendfile leaves it
            raise BrokenPipeError


def sending(file: Any, *headers: tuple[str, str]) -> App:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", list(headers))
        result: Iterable[bytes] = environ["wsgi.file_wrapper"](file, 4)
        return result

    return app


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Any]:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb", buffering=0) as opened:
        yield opened


def test_a_server_still_sends_a_file_by_its_descriptor(log: CapturedLog, file: Any) -> None:
    file.seek(2)
    server = FileServer()
    server.serve(logged(sending(file), log))
    assert server.sent_by_descriptor
    assert file.closed
    assert log.assert_complete(status=200, outcome="complete").bytes_out == 8


def test_no_more_of_a_file_is_sent_than_the_content_length(log: CapturedLog, file: Any) -> None:
    FileServer().serve(logged(sending(file, ("Content-Length", "4")), log))
    assert log.assert_complete(status=200, outcome="complete").bytes_out == 4


def test_no_byte_of_a_file_is_sent_to_head(log: CapturedLog, file: Any) -> None:
    FileServer().serve(logged(sending(file), log), environment("HEAD"))
    assert log.assert_complete(status=200, outcome="complete").bytes_out == 0


def test_a_file_that_is_not_sent_to_its_end_is_a_client_abort(log: CapturedLog, file: Any) -> None:
    with pytest.raises(BrokenPipeError):
        FileServer(fails=True).serve(logged(sending(file), log))
    assert file.closed
    assert log.assert_complete(status=200, outcome="client_abort").bytes_out == 3


def test_a_file_that_the_server_reads_is_counted(log: CapturedLog) -> None:
    out = io.BytesIO()
    file = io.BytesIO(b"0123456789")
    SimpleHandler(io.BytesIO(), out, sys.stderr, environment()).run(logged(sending(file), log))
    assert out.getvalue().endswith(b"\r\n\r\n0123456789")
    assert file.closed
    assert log.assert_complete(status=200, outcome="complete").bytes_out == 10


def test_a_file_that_fails_while_it_is_read_is_an_exception(log: CapturedLog) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ValueError("boom")

    app = logged(sending(Failing()), log)
    result: Any = app(environment() | {"wsgi.file_wrapper": FileWrapper}, lambda *_: None)
    with pytest.raises(ValueError, match="boom"):
        next(iter(result))
    result.close()
    assert log.assert_error(code=500, status=500).outcome == "app_exception"


def test_a_wrapped_file_inside_of_something_else_is_counted_as_that(
    log: CapturedLog, file: Any
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        wrapped = sending(file)(environ, start_response)
        yield from (piece[:1] for piece in wrapped)
        wrapped.close()  # type: ignore[attr-defined]

    server = FileServer().serve(logged(app, log))
    assert server.body == [b"0", b"4", b"8"]
    assert file.closed
    assert log.assert_complete(status=200, outcome="complete").bytes_out == 3


def test_a_file_that_was_wrapped_in_vain_is_not_the_answer(log: CapturedLog, file: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        sending(file)(environ, lambda *_: None)
        start_response("404 Not Found", [])
        return Closing(b"nothing")

    FileServer().serve(logged(app, log))
    assert log.assert_complete(status=404, outcome="complete").bytes_out == 7


def test_a_file_that_the_server_never_closes_ends_when_it_is_forgotten(
    log: CapturedLog, file: Any
) -> None:
    app = logged(sending(file), log)
    app(environment() | {"wsgi.file_wrapper": FileWrapper}, lambda *_: None)
    gc.collect()
    assert not file.closed
    assert log.assert_complete(status=200, outcome="complete").bytes_out == 10


def test_a_file_wrapper_that_is_a_function_gets_its_object_back(
    log: CapturedLog, file: Any
) -> None:
    made = []

    def wrapper(file: Any, size: int = 8192) -> Any:  # as uWSGI's
        made.append(file)
        return file

    app = logged(sending(file), log)
    result: Any = app(environment() | {"wsgi.file_wrapper": wrapper}, lambda *_: None)
    assert result is made[0]
    result.close()
    assert log.assert_complete(status=200).bytes_out == 10


def test_a_server_without_file_wrapper_has_none(log: CapturedLog) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        assert "wsgi.file_wrapper" not in environ
        start_response("200 OK", [])
        return []

    Server().serve(logged(app, log))
    assert log.assert_complete(status=200).bytes_out == 0


def test_one_middleware_in_another_logs_the_call_twice(log: CapturedLog, file: Any) -> None:
    inner = CapturedLog()
    server = FileServer()
    server.serve(logged(logged(sending(file), inner), log))
    assert server.sent_by_descriptor
    assert inner.assert_complete(outcome="complete").bytes_out == 10
    assert log.assert_complete(outcome="complete").bytes_out == 10
