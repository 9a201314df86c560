"""WebSockets: one exchange from the handshake to the session's end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient

from gatewaylog.middleware import AccessLogMiddleware
from tests.middleware.served import Served, websocket

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from gatewaylog.middleware.asgi import ASGIApp, Message, Receive, Scope, Send

CONNECT: dict[str, Any] = {"type": "websocket.connect"}
ACCEPT: dict[str, Any] = {"type": "websocket.accept"}
CLOSE: dict[str, Any] = {"type": "websocket.close", "code": 1000}


def disconnect(code: int | None) -> dict[str, Any]:
    return {"type": "websocket.disconnect", "code": code}


def saying(*messages: dict[str, Any], fail: BaseException | None = None) -> ASGIApp:
    """An application that says `messages` and then listens to the end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for message in messages:
            await send(message)
        if fail is not None:
            raise fail
        if messages and messages[-1] is not CLOSE:
            while (await receive())["type"] != "websocket.disconnect":
                continue

    return app


async def test_a_session_is_complete_with_101_and_its_payload() -> None:
    answers: list[dict[str, Any]] = [
        {"type": "websocket.send", "text": "héé"},
        {"type": "websocket.send", "bytes": b"x"},
    ]
    served = Served(saying(ACCEPT, *answers))
    coming: list[dict[str, Any]] = [
        CONNECT,
        {"type": "websocket.receive", "text": "ab", "bytes": None},
        {"type": "websocket.receive", "bytes": b"cde"},
        disconnect(1000),
    ]
    await served(websocket(b"/ws?token=s"), coming)
    event = served.complete
    assert (event.status_code, event.outcome) == (101, "complete")
    assert (event.bytes_in, event.bytes_out) == (5, 6)
    assert (event.request_in_method, event.request_in_url) == ("GET", "/ws?token=REDACTED")
    assert event.response_to == served.incoming.message_id
    assert served.sent[0] is ACCEPT


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (1000, "complete"),
        (1001, "complete"),
        (1005, "complete"),
        (None, "complete"),
        (1006, "client_abort"),
        (1002, "client_abort"),
        (1012, "shutdown"),
    ],
)
async def test_how_the_client_closes_is_the_outcome(code: int | None, outcome: str) -> None:
    served = Served(saying(ACCEPT))
    await served(websocket(), [CONNECT, disconnect(code)])
    assert (served.complete.status_code, served.complete.outcome) == (101, outcome)


async def test_an_application_that_closes_has_completed() -> None:
    served = Served(saying(ACCEPT, CLOSE))
    await served(websocket(), [CONNECT])
    assert (served.complete.status_code, served.complete.outcome) == (101, "complete")


async def test_a_close_before_the_accept_is_a_refusal() -> None:
    served = Served(saying(CLOSE))
    await served(websocket(), [CONNECT])
    assert (served.error.error_code, served.error.status_code) == ("900910", 403)


@pytest.mark.parametrize(("status", "code"), [(401, "900901"), (403, "900910"), (404, None)])
async def test_a_refusal_with_an_answer_has_its_status(status: int, code: str | None) -> None:
    head = {"type": "websocket.http.response.start", "status": status, "headers": []}
    piece = {"type": "websocket.http.response.body", "body": b"no"}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head)
        await send({**piece, "more_body": True})
        await send(piece)

    served = Served(app, response_header="activityid")
    await served(websocket())
    assert served.terminal.status_code == status
    assert (served.terminal.outcome, served.terminal.bytes_out) == ("complete", 4)
    assert getattr(served.terminal, "error_code", None) == code
    assert [name for name, _ in served.sent[0]["headers"]] == [b"activityid"]
    assert head["headers"] == []


async def test_a_client_that_goes_before_the_accept_is_an_error() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()

    served = Served(app)
    await served(websocket(), [CONNECT, disconnect(1006)])
    assert (served.error.error_code, served.error.status_code) == ("101000", 499)
    assert served.error.outcome == "client_abort"


@pytest.mark.parametrize("accepted", [False, True])
async def test_an_exception_is_raised_again_as_it_was(accepted: bool) -> None:
    raised = ZeroDivisionError()
    served = Served(saying(*[ACCEPT] * accepted, fail=raised))
    with pytest.raises(ZeroDivisionError) as found:
        await served(websocket(), [CONNECT])
    assert found.value is raised
    assert served.terminal.outcome == "app_exception"
    assert served.terminal.status_code == (101 if accepted else 500)


async def test_a_server_that_cannot_send_tells_that_the_client_has_gone() -> None:
    async def send(message: Message) -> None:
        if message is not ACCEPT:
            raise ConnectionResetError

    served = Served(saying(ACCEPT, {"type": "websocket.send", "text": "x"}))
    with pytest.raises(ConnectionResetError):
        await served(websocket(), [CONNECT], send)
    assert (served.complete.outcome, served.complete.bytes_out) == ("client_abort", 0)


@pytest.mark.parametrize(
    ("messages", "code", "outcome"), [([], 500, "app_exception"), ([ACCEPT], 101, "upstream_abort")]
)
async def test_an_application_that_just_returns(
    messages: list[dict[str, Any]], code: int, outcome: str
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    served = Served(app)
    await served(websocket())
    assert (served.terminal.status_code, served.terminal.outcome) == (code, outcome)


def test_starlettes_websocket_is_logged() -> None:
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    served = Served(saying())
    app = Starlette(routes=[WebSocketRoute("/ws", echo)])
    app.add_middleware(AccessLogMiddleware, log=served.middleware.log)
    with TestClient(app).websocket_connect("/ws?a=b") as session:
        session.send_text("hello")
        assert session.receive_text() == "hello"
    assert (served.complete.status_code, served.complete.outcome) == (101, "complete")
    assert (served.complete.bytes_in, served.complete.bytes_out) == (5, 5)
