"""The log around an ASGI application: every call has its events, and nothing else changes."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from gatewaylog import AccessLog, current_exchange
from gatewaylog.errors import Failure
from gatewaylog.exchange import running
from gatewaylog.middleware import AccessLogMiddleware
from gatewaylog.sinks import MemorySink
from tests.middleware.served import DISCONNECT, REQUEST, Served, body, http, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request

    from gatewaylog.events import CallEvent
    from gatewaylog.middleware.asgi import ASGIApp, Message, Receive, Scope, Send


def answering(*messages: dict[str, Any]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


def with_status(status: int) -> ASGIApp:
    return answering(start(status), body(b"x"))


async def test_a_call_is_two_linked_events() -> None:
    served = Served(answering(start(), body(b"hello")), api="acme--Shop:v1")
    headers = [(b"user-agent", b"curl"), (b"x-request-id", b"r-1")]
    await served(http(b"/a%2Fb?c=%41&token=s", headers, method="POST"))
    incoming, complete = served.incoming, served.complete
    assert complete.response_to == incoming.message_id
    for event in (incoming, complete):
        assert event.api == "acme--Shop:v1"
        assert event.request_in_url == "/a%2Fb?c=%41&token=REDACTED"
        assert event.request_in_method == "POST"
        assert event.user_agent == "curl"
        assert event.remote_ip == "192.0.2.1"
        assert event.request_id == "r-1"
    assert (complete.status_code, complete.outcome) == (200, "complete")
    assert (complete.bytes_in, complete.bytes_out) == (0, 5)
    assert complete.duration_ms is not None
    assert complete.request_out_url is None


async def test_incoming_request_is_written_before_the_application_sees_the_call() -> None:
    seen: list[list[CallEvent]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(served.events)

    served = Served(app)
    await served()
    assert [len(events) for events in seen] == [1]


async def test_messages_pass_as_they_are() -> None:
    got: list[Message] = []
    answer = [start(200, [(b"a", b"b")]), body(b"x", more=True), body(b"y")]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        got.extend([await receive(), await receive()])
        for message in answer:
            await send(message)

    served = Served(app)
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"1", "more_body": True},
        {"type": "http.request"},
    ]
    before = [dict(message) for message in [*messages, *answer]]
    await served(messages=messages)
    assert all(a is b for a, b in zip(got, messages, strict=True))
    assert all(a is b for a, b in zip(served.sent, answer, strict=True))
    assert [*messages, *answer] == before
    assert (served.complete.bytes_in, served.complete.bytes_out) == (1, 2)


async def test_no_byte_waits_for_the_terminal_event() -> None:
    served = Served(answering(start(), body(b"x", more=True), body(b"y")))
    await served()
    assert served.lines_when_sent == [1, 1, 1]
    assert len(served.events) == 2


async def test_a_stream_passes_piece_by_piece() -> None:
    room = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"first", more=True))
        await room.wait()
        await send(body(b"last"))

    served = Served(app)
    task = asyncio.create_task(served())
    while len(served.sent) < 2:
        await asyncio.sleep(0)
    assert [event.message_id for event in served.events] == [served.incoming.message_id]
    room.set()
    await task
    assert served.complete.bytes_out == 9


@pytest.mark.parametrize(
    "kind", [ZeroDivisionError, KeyboardInterrupt, OSError, StopAsyncIteration]
)
async def test_an_exception_is_an_error_and_raised_again_as_it_was(
    kind: type[BaseException],
) -> None:
    raised = kind("mine")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise raised

    served = Served(app)
    with pytest.raises(kind) as found:
        await served()
    assert found.value is raised
    assert found.value.__context__ is None
    assert found.value.__cause__ is None
    event = served.error
    assert (event.error_source, event.error_code, event.status_code) == ("fault", "500", 500)
    assert event.outcome == "app_exception"
    assert event.response_to == served.incoming.message_id


async def test_an_exception_after_the_head_completes_with_its_status() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(206))
        await send(body(b"part", more=True))
        raise KeyError

    served = Served(app)
    with pytest.raises(KeyError):
        await served()
    assert (served.complete.status_code, served.complete.outcome) == (206, "app_exception")
    assert served.complete.bytes_out == 4


async def test_an_exception_that_was_answered_with_500_is_an_error() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(500))
        await send(body(b"sorry"))
        raise ZeroDivisionError

    served = Served(app)
    with pytest.raises(ZeroDivisionError):
        await served()
    assert (served.error.error_code, served.error.outcome) == ("500", "app_exception")
    assert served.error.bytes_out == 5


async def test_a_500_of_the_applications_own_is_complete() -> None:
    served = Served(with_status(500))
    await served()
    assert (served.complete.status_code, served.complete.outcome) == (500, "complete")


@pytest.mark.parametrize("sent", [0, 1, 2, 3])
async def test_a_cancelled_task_ends_its_exchange(sent: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in [start(), body(b"x", more=True), body(b"y")][:sent]:
            await send(message)
        await asyncio.Event().wait()

    served = Served(app)
    task = asyncio.create_task(served())
    while len(served.sent) < sent or not served.sink.lines:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    if sent == 0:
        assert (served.error.error_code, served.error.status_code) == ("101507", 503)
    else:
        assert served.complete.status_code == 200
    assert served.terminal.outcome == ("complete" if sent == 3 else "shutdown")


async def test_a_cancellation_behind_a_whole_500_changes_nothing() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(500))
        await send(body())
        raise asyncio.CancelledError

    served = Served(app)
    with pytest.raises(asyncio.CancelledError):
        await served()
    assert (served.complete.status_code, served.complete.outcome) == (500, "complete")


def test_a_coroutine_that_is_dropped_ends_its_exchange() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Future(loop=loop)

    served = Served(app)
    loop = asyncio.new_event_loop()
    coroutine = served()
    contextvars.copy_context().run(coroutine.send, None)
    coroutine.close()
    loop.close()
    assert (served.error.error_code, served.error.outcome) == ("101507", "shutdown")


async def listening(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def test_a_client_that_goes_before_its_request_is_whole() -> None:
    served = Served(listening)
    await served(messages=[{"type": "http.request", "body": b"abc", "more_body": True}, DISCONNECT])
    event = served.error
    assert (event.error_code, event.status_code) == ("101001", 499)
    assert (event.outcome, event.bytes_in) == ("client_abort", 3)


async def test_a_client_that_goes_before_the_answer() -> None:
    served = Served(listening)
    await served(messages=[REQUEST, DISCONNECT])
    event = served.error
    assert (event.error_code, event.status_code) == ("101000", 499)
    assert event.outcome == "client_abort"


async def test_a_client_that_goes_amid_the_answer() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200))
        await send(body(b"part", more=True))
        await listening(scope, receive, send)
        await send(body(b"rest"))

    served = Served(app)
    await served(messages=[REQUEST, DISCONNECT])
    assert (served.complete.status_code, served.complete.outcome) == (200, "client_abort")


async def test_a_client_that_goes_behind_the_answer_has_it_whole() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(500))
        await send(body(b"all"))
        await listening(scope, receive, send)

    served = Served(app)
    await served(messages=[DISCONNECT])
    assert served.complete.outcome == "complete"


async def test_an_exception_over_a_client_that_went_is_the_clients_doing() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await listening(scope, receive, send)
        raise RuntimeError("client disconnected")

    served = Served(app)
    with pytest.raises(RuntimeError):
        await served(messages=[REQUEST, DISCONNECT])
    assert served.error.outcome == "client_abort"


@pytest.mark.parametrize(("after", "status"), [(0, 499), (1, 200), (2, 200)])
async def test_a_server_that_cannot_send_tells_that_the_client_has_gone(
    after: int, status: int
) -> None:
    passed: list[Message] = []

    async def send(message: Message) -> None:
        if len(passed) == after:
            raise BrokenPipeError
        passed.append(message)

    served = Served(answering(start(), body(b"x", more=True), body(b"y")))
    with pytest.raises(BrokenPipeError):
        await served(send=send)
    assert (served.terminal.status_code, served.terminal.outcome) == (status, "client_abort")
    assert served.terminal.bytes_out == (after > 1)


async def test_an_application_that_answers_nothing_is_an_error() -> None:
    served = Served(answering())
    await served()
    assert (served.error.error_code, served.error.status_code) == ("500", 500)
    assert served.error.outcome == "app_exception"


@pytest.mark.parametrize("messages", [[start()], [start(), body(b"x", more=True)]])
async def test_an_application_that_leaves_its_answer_unfinished(
    messages: list[dict[str, Any]],
) -> None:
    served = Served(answering(*messages))
    await served()
    assert (served.complete.status_code, served.complete.outcome) == (200, "upstream_abort")


async def test_what_is_no_connection_is_not_touched() -> None:
    given: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        given.extend([scope, receive, send, running.get()])

    served = Served(app)
    scope, receive, send = {"type": "other"}, object(), object()
    await served.middleware(scope, receive, send)  # type: ignore[arg-type]  # never called
    assert [id(one) for one in given] == [id(one) for one in (scope, receive, send, None)]
    assert scope == {"type": "other"}
    assert served.events == []


@pytest.mark.parametrize("last", ["lifespan.shutdown.complete", "lifespan.shutdown.failed", ""])
async def test_a_lifespan_passes_as_it_is_and_its_end_is_the_logs(
    last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [{"type": "lifespan.startup.complete"}, *([{"type": last}] if last else [])]
    sent: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert await receive() == {"type": "lifespan.startup"}
        for message in messages:
            await send(message)

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    served = Served(app)
    monkeypatch.setattr(served.middleware.log, "leave", lambda: sent.append("left"))
    scope = {"type": "lifespan"}
    await served.middleware(scope, receive, send)
    assert scope == {"type": "lifespan"}
    assert [one for one in sent if one != "left"] == messages
    assert sent[1] == "left"  # before the server hears of it, which may end the process
    assert served.events == []


async def test_an_exception_of_a_lifespan_is_the_servers() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("no lifespan here")

    served = Served(app)
    with pytest.raises(RuntimeError, match="no lifespan here"):
        await served.middleware({"type": "lifespan"}, object(), object())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "code", "source"),
    [(401, "900901", "_auth_failure_handler_"), (403, "900910", "_auth_failure_handler_")],
)
async def test_a_refused_caller_is_an_error(status: int, code: str, source: str) -> None:
    served = Served(with_status(status))
    await served()
    assert (served.error.error_source, served.error.error_code) == (source, code)
    assert (served.error.status_code, served.error.outcome) == (status, "complete")


async def test_several_apis_are_told_apart_by_the_longest_prefix_of_whole_segments() -> None:
    apis = {"/shop": "Shop", "/shop/v2/": "Shop:v2", "/shop/v2/x": "X"}
    for path, api in {
        b"/shop": "Shop",
        b"/shop/": "Shop",
        b"/shop/a/b": "Shop",
        b"/shop/v2": "Shop:v2",
        b"/shop/v2/": "Shop:v2",
        b"/shop/v22": "Shop",
        b"/shop/v2/x/y": "X",
    }.items():
        served = Served(with_status(404), apis=apis)
        await served(http(path))
        assert (served.incoming.api, served.complete.api) == (api, api)


@pytest.mark.parametrize("path", [b"/", b"/shopping", b"/Shop", b"/a/shop", b"*", b"/" * 50_000])
async def test_what_is_in_no_api_is_one_error_of_main(path: bytes) -> None:
    served = Served(with_status(404), apis={"/shop": "Shop"})
    await served(http(path))
    assert len(served.events) == 1
    assert (served.error.error_source, served.error.error_code) == ("main", "404")
    assert served.error.api is None


async def test_the_root_is_an_api_for_all_the_rest() -> None:
    served = Served(with_status(200), apis={"/shop": "Shop", "/": "Rest"})
    await served(http(b"*"))
    assert served.complete.api == "Rest"


async def test_without_a_name_the_api_is_the_application() -> None:
    served = Served(with_status(200))
    await served()
    assert served.complete.api == "app"


@pytest.mark.parametrize(
    "options",
    [{"api": "a", "apis": {}}, {"apis": {"shop": "Shop"}}, {"trusted_proxies": ["x"]}],
)
def test_an_option_that_cannot_be_is_told_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Served(with_status(200), **options)


def test_options_of_the_log_belong_to_the_log_that_was_made_before() -> None:
    log = AccessLog(MemorySink())
    assert AccessLogMiddleware(with_status(200), log=log).log is log
    with pytest.raises(ValueError, match="format: belong to the AccessLog"):
        AccessLogMiddleware(with_status(200), log=log, format="json")


async def test_a_users_rules_choose_the_terminal_event() -> None:
    teapot = Failure(source="kitchen", code="418", status=418, message="Teapot")
    served = Served(with_status(418), terminal=lambda exchange: teapot)
    await served()
    assert (served.error.error_source, served.error.error_code) == ("kitchen", "418")


async def test_the_application_reaches_its_exchange() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        exchange = current_exchange()
        assert scope["gatewaylog.exchange"] is exchange
        exchange.identify(application="Shop", user="lisa")
        exchange.attempt("GET", "http://backend/x")
        exchange.annotate("tenant", "t1")
        exchange.fail("fault", 101503, "Error connecting to the back end")
        await send(start(502))
        await send(body())

    served = Served(app)
    await served()
    assert running.get() is None
    event = served.error
    assert (event.application_name, event.end_user_name) == ("Shop", "lisa")
    assert (event.request_out_url, event.attempts) == ("http://backend/x", 1)
    assert (event.error_code, event.status_code) == ("101503", 502)
    assert event.extra == (("tenant", "t1"),)


async def test_the_client_gets_its_message_id_where_it_is_wished() -> None:
    answer = start(200, [(b"a", b"b")])
    served = Served(answering(answer, body()), response_header="X-Request-ID")
    await served()
    message_id = served.incoming.message_id
    assert message_id is not None
    assert served.sent[0]["headers"] == [(b"a", b"b"), (b"x-request-id", message_id.encode())]
    assert answer == start(200, [(b"a", b"b")])


async def test_request_headers_become_fields_without_secrets() -> None:
    served = Served(with_status(200), request_headers=["X-Tenant", "Referer"])
    await served(http(headers=[(b"x-tenant", b"t\xff\n"), (b"referer", b"http://a/?token=s")]))
    expected = (("Header_X_Tenant", "t\udcff\n"), ("Header_Referer", "http://a/?token=REDACTED"))
    assert served.incoming.extra == served.complete.extra == expected
    absent = Served(with_status(200), request_headers=["X-Tenant"])
    await absent()
    assert absent.incoming.extra == (("Header_X_Tenant", None),)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer opaque")],
        [(b"authorization", b"bearer  opaque ")],
        [(b"apikey", b"opaque")],
        [(b"x-api-key", b"opaque")],
        [(b"authorization", b"Basic abc"), (b"apikey", b"opaque")],
    ],
)
async def test_a_credential_is_written_as_its_reference(headers: list[tuple[bytes, bytes]]) -> None:
    served = Served(with_status(200))
    await served(http(headers=headers))
    assert served.complete.token_ref == served.middleware.log.pseudonyms.of_credential(b"opaque")
    assert b"opaque" not in b"".join(served.sink.lines)


@pytest.mark.parametrize("value", [b"Basic abc", b"Bearer", b"Bearer ", b""])
async def test_no_credential_is_no_reference(value: bytes) -> None:
    served = Served(with_status(200))
    await served(http(headers=[(b"authorization", value)]))
    assert served.complete.token_ref is None


async def test_trusted_proxies_tell_who_the_client_is() -> None:
    served = Served(with_status(200), trusted_proxies=["192.0.2.0/24"])
    await served(http(headers=[(b"x-forwarded-for", b"6.6.6.6, 203.0.113.9:80")]))
    assert served.complete.remote_ip == "203.0.113.9"


@pytest.mark.parametrize("client", [None, ("", 0), [None, None]])
async def test_a_peer_without_an_address_is_no_value(client: object) -> None:
    served = Served(with_status(200))
    await served(http(client=client))
    assert served.complete.remote_ip is None


async def test_a_scope_with_the_least_there_can_be_is_logged() -> None:
    served = Served(with_status(200))
    await served({"type": "http", "path": "/a b\ud800é:@", "headers": [], "method": "GET"})
    assert served.complete.request_in_url == "/a%20b%ED%A0%80%C3%A9:@"
    assert served.complete.user_agent is None


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (b"/a?b", "/a?b"),
        (b"/a?", "/a?"),
        (b"http://u:p@host:80/a?b=c", "/a?b=c"),
        (b"http://host", ""),
        (b"*", "*"),
    ],
)
async def test_a_server_that_tells_the_raw_target_is_believed(target: bytes, shown: str) -> None:
    served = Served(with_status(200))
    await served({**http(b"/other"), "gatewaylog.target": target})
    assert served.complete.request_in_url == shown


async def test_bodies_that_a_server_sends_by_itself_count(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 300)
    served = Served(
        answering(start(), {"type": "http.response.pathsend", "path": str(tmp_path / "file")})
    )
    await served()
    assert (served.complete.bytes_out, served.complete.outcome) == (300, "complete")
    gone = Served(answering(start(), {"type": "http.response.pathsend", "path": "/nowhere/x"}))
    await gone()
    assert (gone.complete.bytes_out, gone.complete.outcome) == (0, "complete")
    copied = {"type": "http.response.zerocopysend", "file": 9, "count": 70}
    served = Served(answering(start(), {**copied, "more_body": True}, copied))
    await served()
    assert (served.complete.bytes_out, served.complete.outcome) == (140, "complete")


async def test_calls_at_the_same_time_keep_apart() -> None:
    turn = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await turn.wait()
        current_exchange().identify(user=scope["path"])
        await send(start())
        await send(body())

    served = Served(app)
    tasks = [asyncio.create_task(served(http(f"/{n}".encode()))) for n in range(20)]
    while len(served.sink.lines) < 20:
        await asyncio.sleep(0)
    turn.set()
    await asyncio.gather(*tasks)
    urls = {e.message_id: e.request_in_url for e in served.events[:20]}
    for event in served.events[20:]:
        assert event.end_user_name == event.request_in_url  # type: ignore[union-attr]
        assert urls[event.response_to] == event.request_in_url  # type: ignore[union-attr]


def _fails(request: Request) -> Response:
    raise ZeroDivisionError


async def _pieces() -> AsyncIterator[bytes]:
    for piece in (b"one", b"two"):
        yield piece


def starlette(**options: Any) -> tuple[Starlette, Served]:
    """An application that adds the middleware as its users do."""
    served = Served(answering(), **options)
    ran: list[int] = []
    app = Starlette(
        routes=[
            Route("/", lambda _: PlainTextResponse("hello")),
            Route("/fails", _fails),
            Route("/stream", lambda _: StreamingResponse(_pieces())),
            Route(
                "/later",
                lambda _: PlainTextResponse(
                    "x", background=BackgroundTask(lambda: ran.append(len(served.events)))
                ),
            ),
        ]
    )
    app.state.ran = ran
    app.add_middleware(AccessLogMiddleware, log=served.middleware.log, **options)
    return app, served


def test_starlette_answers_as_without_the_log() -> None:
    app, served = starlette()
    with TestClient(app) as client:
        answer = client.get("/?q=é", headers={"user-agent": "test"})
    assert (answer.status_code, answer.text) == (200, "hello")
    assert served.complete.request_in_url == "/?q=%C3%A9"
    assert served.complete.user_agent == "test"
    assert served.complete.bytes_out == 5


def test_starlettes_head_has_an_answer_without_a_body() -> None:
    app, served = starlette()
    assert TestClient(app).head("/").text == ""
    assert served.complete.request_in_method == "HEAD"
    assert served.complete.status_code == 200


def test_starlettes_stream_is_counted() -> None:
    app, served = starlette()
    assert TestClient(app).get("/stream").content == b"onetwo"
    assert served.complete.bytes_out == 6


def test_starlettes_background_task_does_not_delay_the_terminal_event() -> None:
    app, served = starlette()
    TestClient(app).get("/later")
    assert app.state.ran == [2]
    assert served.complete.status_code == 200


@pytest.mark.parametrize("outside", [False, True])
def test_starlettes_exception_is_one_error_inside_and_outside(outside: bool) -> None:
    app, served = starlette()
    asgi: Any = app
    if outside:
        app.user_middleware.clear()
        asgi = AccessLogMiddleware(app, log=served.middleware.log)
    with pytest.raises(ZeroDivisionError):
        TestClient(asgi).get("/fails")
    assert (served.error.error_code, served.error.outcome) == ("500", "app_exception")


def test_starlettes_own_404_is_complete_inside_of_an_api() -> None:
    app, served = starlette()
    assert TestClient(app).get("/nowhere").status_code == 404
    assert served.complete.status_code == 404
