"""What stands behind the demo's gateway: a service that answers with what it was asked."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.middleware.asgi import Receive, Scope, Send

_LOOK_EVERY = 0.01  # seconds
_PATIENCE = 5.0  # seconds that the backend gets to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Ports of 127.0.0.1: one that answers, and one where nobody listens."""

    up: int
    down: int


@contextlib.contextmanager
def running() -> Iterator[Ports]:
    """Run the backend in a thread, which ends with the process whatever becomes of that.

    The other port is bound and does not listen: it refuses, and nobody else can take it.
    """
    with socket.create_server(("127.0.0.1", 0)) as up, socket.socket() as down:
        down.bind(("127.0.0.1", 0))
        server = uvicorn.Server(_config())
        thread = threading.Thread(target=server.run, args=([up],), daemon=True)
        thread.start()
        try:
            while thread.is_alive() and not server.started:
                thread.join(_LOOK_EVERY)
            yield Ports(up=up.getsockname()[1], down=down.getsockname()[1])
        finally:
            server.should_exit = server.force_exit = True
            thread.join(_PATIENCE)


def _config() -> uvicorn.Config:
    return uvicorn.Config(
        echo, interface="asgi3", lifespan="off", ws="none", log_config=None, access_log=False
    )


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request as it arrived here, in JSON."""
    body = 0
    more = True
    while more:
        message = await receive()
        body += len(message.get("body", b""))
        more = message.get("more_body", False)
    asked = {
        "method": scope["method"],
        "path": scope["raw_path"].decode("latin-1"),
        "query": scope["query_string"].decode("latin-1"),
        "headers": [b": ".join(line).decode("latin-1") for line in scope["headers"]],
        "body_bytes": body,
    }
    answer = json.dumps(asked, indent=2).encode() + b"\n"
    length = str(len(answer)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
