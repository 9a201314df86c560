"""What people write first: a Starlette application that forwards with httpx, and logs nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import httpx
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

client = httpx.AsyncClient(base_url=os.environ.get("BACKEND", "http://127.0.0.1:9000"))


async def forward(request: Request) -> Response:
    answer = await client.request(
        request.method, request.url.path, headers=request.headers.raw, content=await request.body()
    )
    return Response(answer.content, answer.status_code, media_type=answer.headers["content-type"])


app = Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "POST"])])
