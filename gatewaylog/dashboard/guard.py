"""Who may ask: a Host that is ours, a token where others can reach the page; and what a browser is
told about every answer.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "gatewaylog"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def is_local(host: str) -> bool:
    """Tell whether only this machine reaches a listener on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Refuses requests for a Host that is not ours, which is what DNS rebinding sends: 421; those
    that a page of another origin makes, which could keep this one busy: 403; and those without the
    token, where there is one: 403.

    The token comes as `?token=` once, then as a cookie.
    """

    def __init__(self, app: ASGIApp, *, host: str, token: str | None) -> None:
        self._app = app
        self._names = {host.lower(), *_LOCAL}
        self._takes_addresses = not is_local(host)
        if self._takes_addresses:
            self._names |= {socket.gethostname().lower()}
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        app: ASGIApp = self._app
        if not self._is_ours(headers.getlist("host")):
            app = PlainTextResponse("This page has another name.\n", 421)
        elif _is_from_elsewhere(headers):
            app = PlainTextResponse("Other pages may not ask.\n", 403)
        elif not (self._opens(given) or self._opens(_cookie(headers))):
            app = PlainTextResponse("The address lacks the token that was printed.\n", 403)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                answered.update(HEADERS)
                if self._token is not None and self._opens(given):
                    kept = f"{COOKIE}={self._token}; Path=/; HttpOnly; SameSite=Strict"
                    answered["Set-Cookie"] = kept
            await send(message)

        await app(scope, receive, send_guarded)

    def _is_ours(self, hosts: list[str]) -> bool:
        if len(hosts) != 1:
            return False
        name = _name_in(hosts[0])
        return name in self._names or (self._takes_addresses and _is_address(name))

    def _opens(self, given: str) -> bool:
        if self._token is None:
            return True
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())


def _name_in(host: str) -> str:
    """Return a Host's name or address, without its port: any, as a tunnel has its own."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _cookie(headers: Headers) -> str:
    # Other servers on this name set cookies too, also such as http.cookies gives up at.
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _is_from_elsewhere(headers: Headers) -> bool:
    """Tell whether another page asks, and not by a link to this one: a browser says so."""
    site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
    return site in {"cross-site", "same-site"} and mode != "navigate"
