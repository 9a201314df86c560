"""What both middlewares do when a request arrives: find the API by its path, open the exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from gatewaylog.accesslog import AccessLog, LogOptions
from gatewaylog.exchange import Exchange, Rules
from gatewaylog.middleware.correlation import request_id, trace_id
from gatewaylog.middleware.forwarded import TrustedProxies

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from gatewaylog.sinks import Sink

Headers = list[tuple[bytes, bytes]]
_WANTED = frozenset(
    {b"user-agent", b"x-request-id", b"traceparent", b"authorization", b"apikey", b"x-api-key"}
)
_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for"})


class Opening:
    """Opens exchanges for one application.

    Options are those of AccessLogMiddleware. Raises ValueError for one that can't be.
    """

    def __init__(
        self,
        log: str | os.PathLike[str] | Sink | AccessLog,
        *,
        api: str | None = None,
        apis: Mapping[str, str] | None = None,
        trusted_proxies: Iterable[str] | TrustedProxies = (),
        terminal: Rules | None = None,
        defer: bool = False,
        **options: Unpack[LogOptions],
    ) -> None:
        if isinstance(log, AccessLog) and options:
            raise ValueError(f"{', '.join(options)}: belong to the AccessLog that was given")
        if api is not None and apis is not None:
            raise ValueError("api and apis: give one of them")
        self.log = log if isinstance(log, AccessLog) else AccessLog(log, **options)
        self._api = ("app" if api is None else api) if apis is None else None
        contexts = [(_context(prefix), label) for prefix, label in (apis or {}).items()]
        self._apis = sorted(contexts, key=lambda context: len(context[0]), reverse=True)
        if isinstance(trusted_proxies, TrustedProxies):
            self._proxies = trusted_proxies
        else:
            self._proxies = TrustedProxies(trusted_proxies)
        self._rules = terminal
        self._presents = not defer
        self._wanted = _WANTED | self.log.request_headers.keys()
        # The header lines that `open` looks at: others need not be given to it.
        self.header_names = self._wanted | (_FORWARDED if self._proxies.any else frozenset())

    def open(self, method: str | None, url: str, peer: str | None, headers: Headers) -> Exchange:
        """Open the exchange of a request that has just arrived."""
        started = self.log.clock.monotonic()
        wanted = self._wanted
        lines = [line for line in headers if line[0] in wanted]
        found = dict(lines)
        if len(found) != len(lines):
            found = _joined(lines)
        agent = found.get(b"user-agent")
        exchange = Exchange(
            self.log,
            method=method,
            url=url,
            started=started,
            user_agent=None if agent is None else text(agent),
            remote_ip=self._proxies.client(peer, headers) if self._proxies.any else peer,
            request_id=request_id(found[b"x-request-id"]) if b"x-request-id" in found else None,
            trace_id=trace_id(found.get(b"traceparent")),
            rules=self._rules,
        )
        if self.log.request_headers:
            self._annotate(exchange, found)
        if self._presents:
            credential = _credential(found)
            if credential:
                exchange.present(credential)
        return exchange

    def _annotate(self, exchange: Exchange, found: dict[bytes, bytes]) -> None:
        for name, field in self.log.request_headers.items():
            value = found.get(name)
            exchange.annotate(field, None if value is None else self.log.redactor.url(text(value)))

    def begin(self, exchange: Exchange, path: str) -> None:
        """Tell the exchange its API, by the longest prefix of whole segments."""
        api = self._api or self._by_prefix(path)
        if api is not None:
            exchange.begin(api)

    def _by_prefix(self, path: str) -> str | None:
        for prefix, label in self._apis:
            if not prefix or path == prefix or path.startswith(f"{prefix}/"):
                return label
        return None


def text(value: bytes) -> str:
    """Return a header's bytes as text; what is no UTF-8 is kept as lone surrogates (PEP 383)."""
    return value.decode("utf-8", "surrogateescape")


def _context(prefix: str) -> str:
    if not prefix.startswith("/"):
        raise ValueError(f"apis: {prefix!r} must start with /")
    return prefix.rstrip("/")


def _joined(lines: Headers) -> dict[bytes, bytes]:
    """Return header -> value, repeated lines as the one that they stand for (RFC 9110 §5.3): what
    a backend gets must not stand behind what the log shows.
    """
    found: dict[bytes, bytes] = {}
    for name, value in lines:
        found[name] = b"%b, %b" % (found[name], value) if name in found else value
    return found


def presented(headers: Headers) -> bytes | None:
    """Return the bearer token or API key among the header lines."""
    return _credential(dict(headers))


def _credential(found: dict[bytes, bytes]) -> bytes | None:
    """Return the bearer token or API key that was presented."""
    authorization = found.get(b"authorization")
    if authorization is not None:
        scheme, _, credential = authorization.partition(b" ")
        if scheme.lower() == b"bearer":
            return credential.strip()
    return found.get(b"apikey") or found.get(b"x-api-key")
