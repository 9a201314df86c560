"""One set of routes as a Flask and as a Django application, with the log around them.

`/boom` is answered by the frameworks themselves; `/raise` reaches the server, past them.
"""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import flask
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import path

from gatewaylog import current_exchange
from gatewaylog.middleware.wsgi import AccessLogMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from django.http import HttpRequest

FOLDER = Path(os.environ["LOG"]).parent
FILE = Path(__file__)


def hello() -> bytes:
    current_exchange().identify(application="till", user="ann")
    return b"hello"


def pieces() -> Iterator[bytes]:
    """Three pieces; closing the generator is told by a field of the terminal event."""
    try:
        for _ in range(3):
            yield b"x" * 1000
    finally:
        current_exchange().annotate("Closed", "yes")


def endless() -> Iterator[bytes]:
    try:
        while True:
            yield b"x" * 65536
    finally:
        current_exchange().annotate("Closed", "yes")


def broken() -> Iterator[bytes]:
    yield b"half"
    raise RuntimeError("boom")


def boom() -> bytes:
    raise RuntimeError("boom")


def wait() -> bytes:
    """Answer once the test has made the file `go`."""
    pause = threading.Event()
    while not (FOLDER / "go").exists():
        pause.wait(0.01)
    return b"went"


BODIES: dict[str, Callable[[], bytes | Iterator[bytes]]] = {
    "hello": hello,
    "stream": pieces,
    "endless": endless,
    "broken": broken,
    "boom": boom,
    "wait": wait,
}

flask_inner = flask.Flask(__name__)


@flask_inner.get("/<name>")
def any_route(name: str) -> Any:
    if name == "file":
        return flask.send_file(FILE)
    return BODIES[name]() if name in BODIES else flask.abort(404)


@flask_inner.post("/echo")
def flask_echo() -> Any:
    return flask.request.get_data()


def django_route(request: HttpRequest, name: str) -> Any:
    if name == "echo":
        return HttpResponse(request.body)
    if name == "file":
        return FileResponse(FILE.open("rb"))
    if name not in BODIES:
        return HttpResponse(status=404)
    body = BODIES[name]()
    return HttpResponse(body) if isinstance(body, bytes) else StreamingHttpResponse(body)


urlpatterns = [path("<name>", django_route)]
settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", DATA_UPLOAD_MAX_MEMORY_SIZE=None
)
django.setup()
django_inner = get_wsgi_application()


def raising(app: Any) -> Any:
    """Around an application: what the frameworks do not catch."""

    def outer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/raise":
            raise RuntimeError("boom")
        if environ["PATH_INFO"] == "/list":
            start_response("200 OK", [])
            return [b"li", b"st"]
        result: Iterable[bytes] = app(environ, start_response)
        return result

    return outer


def tell_sendfile(send: Any) -> Any:
    """Leave a file behind where a server lets the kernel send one."""

    def told(self: socket.socket, file: Any, *args: Any, **kwargs: Any) -> Any:
        (FOLDER / "sendfile").touch()
        return send(self, file, *args, **kwargs)

    return told


socket.socket.sendfile = tell_sendfile(socket.socket.sendfile)  # type: ignore[method-assign]

flask_app = AccessLogMiddleware(raising(flask_inner), log=os.environ["LOG"], api="acme--Shop:v1")
django_app = AccessLogMiddleware(raising(django_inner), log=os.environ["LOG"], api="acme--Shop:v1")
