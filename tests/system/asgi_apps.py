"""One set of routes as a Starlette and as a FastAPI application, with the log around them."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 - FastAPI looks at the annotations
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gatewaylog import current_exchange
from gatewaylog.middleware import AccessLogMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def hello(request: Request) -> Response:
    current_exchange().identify(application="till", user="ann")
    return PlainTextResponse("hello")


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def stream(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 1000
            await asyncio.sleep(0)

    return StreamingResponse(pieces())


async def endless(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0.001)

    return StreamingResponse(pieces())


async def boom(request: Request) -> Response:
    raise RuntimeError("boom")


async def broken(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("boom")

    return StreamingResponse(pieces())


async def wait(request: Request) -> Response:
    await asyncio.Event().wait()
    return PlainTextResponse("never")


async def websocket(session: WebSocket) -> None:
    await session.accept()
    try:
        while True:
            await session.send_text(await session.receive_text())
    except WebSocketDisconnect:
        return


ROUTES = {
    "/hello": hello,
    "/echo": echo,
    "/stream": stream,
    "/endless": endless,
    "/boom": boom,
    "/broken": broken,
    "/wait": wait,
}

starlette_app = Starlette(
    routes=[
        *(Route(path, endpoint, methods=["GET", "POST"]) for path, endpoint in ROUTES.items()),
        WebSocketRoute("/ws", websocket),
    ]
)
fastapi_app = FastAPI()
for path, endpoint in ROUTES.items():
    fastapi_app.api_route(path, methods=["GET", "POST"], response_model=None)(endpoint)
fastapi_app.websocket("/ws")(websocket)

for app in (starlette_app, fastapi_app):
    app.add_middleware(AccessLogMiddleware, log=os.environ["LOG"], api="acme--Shop:v1")
