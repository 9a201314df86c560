"""A small proxy with the access log around it.

BACKEND=http://127.0.0.1:9000 python examples/proxy_app.py
curl -i http://127.0.0.1:8000/anything
cat api-access.log
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gatewaylog import current_exchange, log_backend_calls
from gatewaylog.middleware import AccessLogMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

BACKEND = httpx.URL(os.environ.get("BACKEND", "http://127.0.0.1:9000"))
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# What belongs to one connection alone (RFC 9110 §7.6.1), and Host, which is the backend's.
NOT_FORWARDED = {
    b"connection", b"host", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
    b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
}  # fmt: skip


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Keep one client, whose calls the log tells as attempts."""
    async with log_backend_calls(httpx.AsyncClient(timeout=30, trust_env=False)) as client:
        app.state.client = client
        yield


async def proxy(request: Request) -> Response:
    """Forward a request as it comes, and its answer as it comes."""
    try:
        answer = await request.app.state.client.send(to_backend(request), stream=True)
    except httpx.TransportError:
        current_exchange().fail("fault", 101503, "Error connecting to the back end")
        return JSONResponse({"code": "101503", "message": "Bad Gateway"}, status_code=502)
    response = StreamingResponse(relayed(answer), answer.status_code)
    response.raw_headers = [(name.lower(), value) for name, value in forwarded(answer.headers.raw)]
    return response


async def relayed(answer: httpx.Response) -> AsyncIterator[bytes]:
    """Pass the answer's body on, and tell when the backend breaks it off."""
    try:
        async for piece in answer.aiter_raw():
            yield piece
    except httpx.TransportError:
        current_exchange().fail("fault", 101505, "Connection closed by the back end")
        raise
    finally:
        await answer.aclose()


def to_backend(request: Request) -> httpx.Request:
    """Return the request that the backend gets: path and query byte for byte."""
    path, query = request.scope["raw_path"], request.scope["query_string"]
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    return httpx.Request(
        request.method,
        BACKEND.copy_with(raw_path=path + b"?" + query if query else path),
        headers=forwarded(request.headers.raw),
        content=request.stream() if has_body else None,
        extensions={"timeout": request.app.state.client.timeout.as_dict()},
    )


def forwarded(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the header lines that go on, in their order."""
    return [(name, value) for name, value in headers if name.lower() not in NOT_FORWARDED]


app = Starlette(
    routes=[Route("/{path:path}", proxy, methods=METHODS)],
    lifespan=lifespan,
    middleware=[
        Middleware(
            AccessLogMiddleware,
            log=os.environ.get("LOG", "api-access.log"),
            api="acme--Proxy:v1",
        )
    ],
)

if __name__ == "__main__":
    import uvicorn

    # The backend's Date and Server are passed on: uvicorn need not add its own.
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ.get("PORT", "8000")),
        date_header=False,
        server_header=False,
    )
