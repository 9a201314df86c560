"""An ASGI and a WSGI application around which the log is tamper-evident, and signs at its end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gatewaylog.middleware import AccessLogMiddleware
from gatewaylog.middleware.wsgi import AccessLogMiddleware as WsgiAccessLogMiddleware
from gatewaylog.seal.keys import CHAIN_KEY, SIGNING_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

LOG = Path(os.environ["LOG"])
OPTIONS: Any = {
    "api": "acme--Shop:v1",
    "tamper_evident": True,
    "chain_key_file": str(LOG.parent / "keys" / CHAIN_KEY),
    "signing_key_file": str(LOG.parent / "keys" / SIGNING_KEY),
    "digest_every": "1h",
}


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def wsgi_hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


if "WSGI" in os.environ:
    wsgi_app = WsgiAccessLogMiddleware(wsgi_hello, log=LOG, **OPTIONS)
else:
    asgi_app = Starlette(routes=[Route("/{rest:path}", hello)])
    asgi_app.add_middleware(AccessLogMiddleware, log=LOG, **OPTIONS)
