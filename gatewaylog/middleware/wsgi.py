"""The access log around a WSGI application (PEP 3333).

The log never changes the exchange: the application's iterable reaches the server as a list where
it was one, with its length where it had one, and a file as the server's own file wrapper.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Unpack
from urllib.parse import quote_from_bytes

from gatewaylog.admission import admit
from gatewaylog.middleware.opening import Headers, Opening
from gatewaylog.middleware.unavailable import refused
from gatewaylog.middleware.wsgi_answer import Answer
from gatewaylog.middleware.wsgi_body import watched
from gatewaylog.middleware.wsgi_file import FileWrapper
from gatewaylog.middleware.wsgi_input import CountedInput

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from gatewaylog.accesslog import AccessLog, LogOptions
    from gatewaylog.exchange import Exchange, Rules
    from gatewaylog.middleware.forwarded import TrustedProxies
    from gatewaylog.sinks import Sink

EXCHANGE = "gatewaylog.exchange"  # the exchange's key in the environ
_ORIGIN = re.compile(rb"\A[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_PATH_SAFE = "/:@!$&'()*+,;="  # RFC 3986 §3.3


class AccessLogMiddleware:
    """Writes INCOMING_REQUEST and the terminal event of each call of `app`.

    Options are those of `gatewaylog.middleware.AccessLogMiddleware`. The terminal event is written
    when the server closes the application's iterable, or, by a server that never does, when the
    iterable is garbage.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        log: str | os.PathLike[str] | Sink | AccessLog = "api-access.log",
        api: str | None = None,
        apis: Mapping[str, str] | None = None,
        trusted_proxies: Iterable[str] | TrustedProxies = (),
        terminal: Rules | None = None,
        **options: Unpack[LogOptions],
    ) -> None:
        self.app = app
        self._opening = Opening(
            log, api=api, apis=apis, trusted_proxies=trusted_proxies, terminal=terminal, **options
        )
        self.log = self._opening.log
        self._names = [(_key(name), name) for name in self._opening.header_names]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        exchange = self._open(environ)
        answer = Answer(exchange, start_response)
        if exchange.held and not admit(exchange):
            return watched(answer.run(partial(refused, exchange, answer.start_response)), answer)
        files = _watch_files(environ, answer)
        _count_input(environ, exchange)
        result = answer.run(partial(self.app, environ, answer.start_response))
        if files is not None and files.is_taken(result):
            return result
        return watched(result, answer)

    def _open(self, environ: WSGIEnvironment) -> Exchange:
        exchange = self._opening.open(
            environ.get("REQUEST_METHOD"),
            _url(environ).decode("utf-8", "surrogateescape"),
            environ.get("REMOTE_ADDR") or None,
            self._headers(environ),
        )
        environ[EXCHANGE] = exchange
        self._opening.begin(exchange, _path(environ).decode("utf-8", "surrogateescape"))
        return exchange

    def _headers(self, environ: WSGIEnvironment) -> Headers:
        return [(name, _bytes(environ[key])) for key, name in self._names if key in environ]


def _key(name: bytes) -> str:
    """Return the environ's key of a header (RFC 3875 §4.1.18)."""
    key = name.decode("ascii").upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


def _bytes(text: str) -> bytes:
    """Return the bytes that the server had: it gives them as Latin-1 (PEP 3333, Unicode)."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")  # a server that decodes on its own


def _path(environ: WSGIEnvironment) -> bytes:
    return _bytes(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))


def _url(environ: WSGIEnvironment) -> bytes:
    """Return path and query as the client sent them, as far as the server tells."""
    raw: str | None = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if raw is not None:
        return _ORIGIN.sub(b"", _bytes(raw))
    path = quote_from_bytes(_path(environ), safe=_PATH_SAFE).encode("ascii")
    query = _bytes(environ.get("QUERY_STRING") or "")
    return path + b"?" + query if query else path


def _count_input(environ: WSGIEnvironment, exchange: Exchange) -> None:
    stream = environ.get("wsgi.input")
    length = environ.get("CONTENT_LENGTH") or ""
    declared = int(length) if length.isascii() and length.isdigit() else None
    exchange.received = not declared and "HTTP_TRANSFER_ENCODING" not in environ
    if stream is not None:
        environ["wsgi.input"] = CountedInput(stream, exchange, declared)


def _watch_files(environ: WSGIEnvironment, answer: Answer) -> FileWrapper | None:
    wrapper = environ.get("wsgi.file_wrapper")
    if wrapper is None:
        return None
    files = FileWrapper(wrapper, answer)
    environ["wsgi.file_wrapper"] = files
    return files
