"""A bare ASGI application, with the access log around it or without (AROUND=gatewaylog)."""

from __future__ import annotations

import os
from typing import Any


async def bare(scope: Any, receive: Any, send: Any) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"12")]}
    )
    await send({"type": "http.response.body", "body": b"hello world\n"})


app: Any = bare
if os.environ.get("AROUND") == "gatewaylog":
    from gatewaylog.middleware import AccessLogMiddleware

    app = AccessLogMiddleware(bare, log=os.environ["LOG"], api="acme--Shop:v1")
