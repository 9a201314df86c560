"""What a worker serves: the gateway inside its log, made from a configuration, and made again
from a new one without dropping an exchange.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewaylog import errors
from gatewaylog.accesslog import AccessLog
from gatewaylog.gateway.access import Access
from gatewaylog.gateway.apis import ApiTable, api
from gatewaylog.gateway.app import Gateway, Limits
from gatewaylog.gateway.balance import Balancer
from gatewaylog.gateway.forward import Forwarder
from gatewaylog.gateway.metrics import MeteredLog, Metrics
from gatewaylog.gateway.records import Losses, close, event_log, tell_pruned
from gatewaylog.middleware.asgi import TARGET, AccessLogMiddleware
from gatewaylog.middleware.forwarded import TrustedProxies

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from gatewaylog.errors import Failure
    from gatewaylog.exchange import Exchange, Outcome
    from gatewaylog.gateway.config import Config, LogConfig
    from gatewaylog.gateway.metrics import Snapshot
    from gatewaylog.gateway.upstream import Engine
    from gatewaylog.middleware.asgi import ASGIApp, Receive, Scope, Send


class Serving:
    """An ASGI application that serves the newest configuration it was given.

    An exchange goes on with the configuration that it began with. The engine keeps its
    connections; a log whose table has not changed stays open.
    """

    def __init__(self, config: Config, engine: Engine) -> None:
        self.engine = engine
        self.config = config
        self.metrics = Metrics() if config.server.admin else None
        self.log = access_log(config.kept_log, self.metrics)
        self.events = event_log(config.event_log)
        self._losses = Losses(self.events)
        tell_pruned(self.log, lambda: self.events)
        self.balancer = Balancer(self.log.clock.monotonic)
        self._access = Access(engine)
        self._retired: list[AccessLog] = []
        self._current = self._made(config)
        self._entry = self._entered(config)

    def _made(self, config: Config) -> AccessLogMiddleware:
        proxies = TrustedProxies(str(network) for network in config.server.trusted_proxies)
        self._gateway = Gateway(
            apis=ApiTable(api(table) for table in config.api),
            checker=self._access.checker(config),
            throttle=self._access.throttle(config),
            forwarder=Forwarder(self.engine, self.balancer),
            proxies=proxies,
            limits=Limits(config.server.max_body, config.server.client_timeout),
            forward_credential=config.auth.forward_credential,
        )
        return AccessLogMiddleware(self._gateway, log=self.log, defer=True, trusted_proxies=proxies)

    def _entered(self, config: Config) -> ASGIApp:
        """Return what requests come to: the gateway, with the token endpoint where there is one."""
        endpoint = self._access.endpoint(config, self.events)
        if endpoint is None:
            return self._current
        from gatewaylog.gateway.oauth import OAuthEntry

        proxies = TrustedProxies(str(network) for network in config.server.trusted_proxies)
        return OAuthEntry(
            self._current,
            endpoint,
            path=config.auth.token_path,
            client_timeout=config.server.client_timeout,
            client=proxies.client,
        )

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection."""
        return self._entry(scope, receive, send)

    def reload(self, config: Config) -> None:
        """Serve by this configuration from now on. Raises LogError or ConfigurationError, and
        changes nothing then.
        """
        self._access.checker(config)  # what may fail comes first
        events = self.events
        if config.event_log != self.config.event_log:
            events = event_log(config.event_log)
        if config.kept_log != self.config.kept_log:
            fresh = access_log(config.kept_log, self.metrics)
            tell_pruned(fresh, lambda: self.events)
            self._retired.append(self.log)
            self.log = fresh
        if events is not self.events:
            self._leave_events()
            self.events = self._losses.log = events
        self._current = self._made(config)
        self._entry = self._entered(config)
        self.config = config

    def refused(
        self, scope: dict[str, Any], outcome: Outcome, sent: int
    ) -> tuple[bytes, bytes] | None:
        """Record a request that the server itself refused by an answer with `sent` bytes of body,
        or whose head never became whole; return the header line that tells its MessageID.
        """

        def failure_of(exchange: Exchange) -> Failure:
            exchange.bytes_out = sent
            if outcome == "client_abort":
                return errors.BAD_REQUEST
            return self._gateway.unseen(exchange, scope[TARGET])

        return self._current.record(scope, outcome, failure_of).response_header()

    def snapshot(self, *, ready: bool) -> Snapshot:
        """Return what was counted so far, for the admin listener. Needs `server.admin`."""
        if self.metrics is None:
            raise ValueError("server.admin is empty: nothing is counted")
        suspended = self.balancer.suspended()
        return self.metrics.snapshot(lost=self._lost, suspended=suspended) | {"ready": ready}

    def look(self) -> None:
        """Have the logs see whether their files were rotated, and record what they lost."""
        for log in (*self._retired, self.log):
            log.look()
        self._losses.look(self._lost)
        if self.events is not None:
            self.events.look()

    @property
    def _lost(self) -> int:
        return sum(log.lost for log in (*self._retired, self.log))

    def reopen(self) -> None:
        """Open the files of the logs again by their names."""
        self.log.reopen()
        if self.events is not None:
            self.events.reopen()

    def _leave_events(self) -> None:
        self._losses.look(self._lost, is_last=True)
        if self.events is not None:
            self.events.close()

    async def aclose(self) -> None:
        """Close connections to stores and backends, then the logs."""
        await self._access.aclose()
        await self.engine.aclose()
        for log in (*self._retired, self.log):
            close(log, self.events)
        self._leave_events()


def access_log(config: LogConfig, metrics: Metrics | None = None) -> AccessLog:
    """Open the log that `[log]` describes; `metrics` counts its events. Raises LogError."""
    log = _opened(config, AccessLog if metrics is None else MeteredLog)
    if isinstance(log, MeteredLog) and metrics is not None:
        log.metrics = metrics
    return log


def _opened(config: LogConfig, kind: type[AccessLog]) -> AccessLog:
    return kind(
        config.path,
        format=config.format,
        fields=config.fields,
        node=config.node,
        logger=config.logger,
        max_value_length=config.max_value_length,
        max_line=config.max_line,
        redact_query=config.redact.query,
        request_headers=config.request_headers,
        response_header=config.response_header,
        pseudonym_key=config.pseudonym_key,
        pseudonyms=config.pseudonyms,
        max_size=config.max_size,
        rotate=config.rotate,
        backups=config.backups,
        keep=config.keep,
        compress=config.compress,
        on_full=config.on_full,
        durability=config.durability,
        shippers=config.shippers,
        max_unshipped=config.max_unshipped,
        tamper_evident=config.tamper_evident,
        chain_key_file=config.chain_key_file,
        signing_key_file=config.signing_key_file,
        digest_every=config.digest_every,
    )
