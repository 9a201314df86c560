"""What the middlewares do with calls whose INCOMING_REQUEST can't be written."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.middleware import AccessLogMiddleware
from gatewaylog.middleware.wsgi import AccessLogMiddleware as WsgiMiddleware
from gatewaylog.testing import CapturedLog
from tests.middleware.served import REQUEST, body, http, start, websocket
from tests.middleware.test_wsgi import Server, answering
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.middleware.asgi import Message, Receive, Scope, Send

FULL = "No space left on device"


class Full(CapturedLog):
    """A log without room, until it gets some."""

    name = "full"
    full = True

    def write(self, line: bytes) -> str | None:
        return FULL if self.full else super().write(line)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start())
    await send(body(b"ok"))


async def serve(middleware: AccessLogMiddleware, scope: dict[str, Any] | None = None) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> Message:
        return REQUEST

    async def send(message: Message) -> None:
        sent.append(message)

    await middleware(http() if scope is None else scope, receive, send)
    return sent


async def test_drop_serves_the_call() -> None:
    sink = Full()
    middleware = AccessLogMiddleware(app, log=sink)
    assert (await serve(middleware))[0]["status"] == 200
    assert middleware.log.lost == 2


async def test_refuse_answers_503_in_place_of_the_application() -> None:
    sink = Full()
    middleware = AccessLogMiddleware(app, log=sink, on_full="refuse")
    first, second = await serve(middleware)
    assert first["status"] == 503
    assert b'"code":"101599"' in second["body"]
    assert dict(first["headers"])[b"content-length"] == str(len(second["body"])).encode()
    assert middleware.log.lost == 2
    sink.full = False
    assert (await serve(middleware))[0]["status"] == 200
    assert [line.count(b"LOG_LOSS") for line in sink.lines] == [1, 0, 0]


async def test_refuse_writes_why_where_there_is_room_by_then() -> None:
    sink = Full()
    middleware = AccessLogMiddleware(app, log=sink, on_full="refuse")

    async def send(message: Message) -> None:
        sink.full = False

    await middleware(http(), lambda: asyncio.sleep(0, REQUEST), send)
    loss, error = sink.lines
    assert b"LOG_LOSS" in loss
    assert b'ERROR_CODE="101599"' in error
    assert b'StatusCode="503"' in error


async def test_refuse_closes_a_websocket_before_it_is_accepted() -> None:
    middleware = AccessLogMiddleware(app, log=Full(), on_full="refuse")
    assert await serve(middleware, websocket()) == [{"type": "websocket.close"}]


async def test_block_waits_and_loses_nothing() -> None:
    sink = Full()
    middleware = AccessLogMiddleware(app, log=sink, on_full="block")
    calls = [asyncio.create_task(serve(middleware)) for _ in range(3)]
    await asyncio.sleep(0)
    assert len(middleware.log.unfinished) == 3
    assert not any(call.done() for call in calls)
    sink.full = False
    assert [sent[0]["status"] for sent in await asyncio.gather(*calls)] == [200] * 3
    sink.assert_all_paired()
    assert len(sink.lines) == 6
    assert middleware.log.lost == 0


async def test_a_blocked_call_that_is_cancelled_ends_and_is_counted() -> None:
    middleware = AccessLogMiddleware(app, log=Full(), on_full="block")
    call = asyncio.create_task(serve(middleware))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert middleware.log.lost == 2
    assert not middleware.log.unfinished


async def test_a_log_that_is_closed_blocks_nobody() -> None:
    middleware = AccessLogMiddleware(app, log=Full(), on_full="block")
    call = asyncio.create_task(serve(middleware))
    await asyncio.sleep(0)
    middleware.log.close()
    assert (await call)[0]["status"] == 200
    assert middleware.log.lost == 2


def test_outside_of_asyncio_a_blocked_call_blocks_its_thread() -> None:
    sink = Full()
    middleware = AccessLogMiddleware(app, log=sink, on_full="block")
    sent: list[Any] = []

    def drive() -> None:
        serving = serve(middleware)
        try:
            serving.send(None)
        except StopIteration as end:
            sent.extend(end.value)

    thread = threading.Thread(target=drive)
    thread.start()
    wait_for(lambda: middleware.log.unfinished)
    sink.full = False
    thread.join()
    assert sent[0]["status"] == 200


def test_wsgi_refuse_answers_503_in_place_of_the_application() -> None:
    sink = Full()
    middleware = WsgiMiddleware(answering([b"ok"]), log=sink, on_full="refuse")
    served = Server().serve(middleware)
    assert served.heads[0][0] == "503 Service Unavailable"
    assert b'"code":"101599"' in b"".join(served.body)
    assert middleware.log.lost == 2
    sink.full = False
    assert Server().serve(middleware).heads[0][0] == "200 OK"


def test_wsgi_block_waits_and_loses_nothing() -> None:
    sink = Full()
    middleware = WsgiMiddleware(answering([b"ok"]), log=sink, on_full="block")
    served: list[Server] = []
    thread = threading.Thread(target=lambda: served.append(Server().serve(middleware)))
    thread.start()
    wait_for(lambda: middleware.log.unfinished)
    sink.full = False
    thread.join()
    assert served[0].body == [b"ok"]
    sink.assert_all_paired()
    assert middleware.log.lost == 0


def test_wsgi_with_durability_disk_the_line_is_synced_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatewaylog.sinks import FileSink

    synced: list[bool] = []
    sync = FileSink.sync
    monkeypatch.setattr(FileSink, "sync", lambda sink: (synced.append(True), sync(sink))[1])  # type: ignore[func-returns-value]
    log = AccessLog(tmp_path / "api.log", durability="disk")
    seen: list[int] = []

    def inner(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(len(synced))
        start_response("200 OK", [])
        return [b"ok"]

    for _ in range(2):
        Server().serve(WsgiMiddleware(inner, log=log))
    log.close()
    assert seen[0] >= 1
    assert seen[1] > seen[0]


def test_what_durability_and_policy_can_be_is_told() -> None:
    for options in ({"on_full": "wait"}, {"durability": "ram"}, {"durability": "disk"}):
        with pytest.raises(ValueError, match=r"on_full|durability"):
            AccessLog(CapturedLog(), **options)  # type: ignore[arg-type]
