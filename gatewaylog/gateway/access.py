"""Who may call: what checks credentials, made from the configuration and kept over reloads."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from gatewaylog.auth.api_keys import ApiKeys
from gatewaylog.auth.credentials import Credentials, Sources
from gatewaylog.auth.flights import Flights
from gatewaylog.auth.throttle import LocalCounts, Throttle
from gatewaylog.auth.verdicts import Verdicts
from gatewaylog.exceptions import AuthServerError, ConfigurationError, TokenStoreError
from gatewaylog.gateway.backends import backend
from gatewaylog.gateway.config import Endpoint
from gatewaylog.gateway.config.auth import is_url
from gatewaylog.gateway.upstream.asking import Asked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gatewaylog.audit.events import EventLog
    from gatewaylog.audit.pool import Pool
    from gatewaylog.auth.applications import Application
    from gatewaylog.auth.credentials import Source
    from gatewaylog.auth.jwks import Keys
    from gatewaylog.auth.registry import Registry
    from gatewaylog.auth.throttle import Counts
    from gatewaylog.auth.token_endpoint import TokenEndpoint
    from gatewaylog.auth.tokens import Tokens
    from gatewaylog.auth.verdicts import Verdict
    from gatewaylog.gateway.config import (
        AuthConfig,
        Config,
        DatabaseConfig,
        IntrospectionConfig,
        JwtConfig,
    )
    from gatewaylog.gateway.upstream import Engine

Checker: TypeAlias = "ApiKeys | Credentials"


class _Made(NamedTuple):
    """What knows tokens, and of which tables it was made."""

    tables: tuple[object, ...]
    sources: Sources
    tokens: Tokens | None
    keys: Keys | None
    registry: Registry | None


class Access:
    """Makes what checks credentials. What was learnt of tokens stays where the tables that tell
    how to learn it have not changed.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._made: _Made | None = None
        self._retired: list[_Made] = []
        self._flights: Flights[Verdict] = Flights()
        self._local = LocalCounts()
        self._counts: dict[str, Counts] = {}

    def checker(self, config: Config) -> Checker:
        """Return what checks the credentials of calls. Raises ConfigurationError."""
        applications = _applications(config)
        keys = ApiKeys(applications) if "api_keys" in config.auth.accept else None
        made = self._renewed(config)
        if keys is not None and not (made.sources.jwt or made.sources.opaque or made.registry):
            return keys
        return Credentials(
            applications,
            keys=keys,
            sources=made.sources,
            flights=self._flights,
            registry=made.registry,
        )

    def endpoint(self, config: Config, events: EventLog | None) -> TokenEndpoint | None:
        """Return the token endpoint, where tokens are accepted; after `checker`. What happens to
        tokens is recorded in `events`.
        """
        if self._made is None or self._made.tokens is None:
            return None
        from gatewaylog.auth.clients import Clients
        from gatewaylog.auth.token_endpoint import TokenEndpoint
        from gatewaylog.gateway.token_records import TokenRecords

        clients = Clients(_applications(config), self._made.registry)
        if events is None:
            return TokenEndpoint(clients, self._made.tokens)
        records = TokenRecords(
            events,
            pseudonym_key=config.log.pseudonym_key,
            are_addresses_hidden="RemoteIP" in config.log.pseudonyms,
        )
        return TokenEndpoint(clients, self._made.tokens, told=records.tell)

    def throttle(self, config: Config) -> Throttle | None:
        """Return what counts calls, where there are limits. Counts of limits that stay go on."""
        limits = [table.limit() for table in config.throttle]
        if not limits:
            return None
        for url in {limit.store for limit in limits if limit.store} - self._counts.keys():
            self._counts[url] = _shared(url)
        return Throttle(limits, self._local, self._counts)

    async def aclose(self) -> None:
        """Let go of stores and servers."""
        await self._flights.aclose()
        for counts in self._counts.values():
            await counts.aclose()
        for made in (*self._retired, self._made):
            if made is not None and made.keys is not None:
                await made.keys.aclose()
            if made is not None and made.tokens is not None:
                made.tokens.close()
            if made is not None and made.registry is not None:
                await made.registry.aclose()

    def _renewed(self, config: Config) -> _Made:
        asks = config.database.applications or "tokens" in config.auth.accept
        tables = (config.auth, config.database if asks else None)
        if self._made is None or self._made.tables != tables:
            fresh = self._fresh(config, tables)
            if self._made is not None:
                self._retired.append(self._made)  # calls that began with it may still ask
            self._made = fresh
        return self._made

    def _fresh(self, config: Config, tables: tuple[object, ...]) -> _Made:
        auth, cache = config.auth, Verdicts()
        tokens = _tokens(config, cache) if "tokens" in auth.accept else None
        opaque: list[Source] = [] if tokens is None else [tokens]
        if auth.introspection is not None and "introspection" in auth.accept:
            opaque.append(self._introspection(auth.introspection))
        keys: Keys | None = None
        jwt: list[Source] = []
        if auth.jwt is not None and "jwt" in auth.accept:
            keys = self._keys(auth.jwt)
            jwt.append(_jwts(keys, auth.jwt, auth))
        sources = Sources(cache=cache, jwt=tuple(jwt), opaque=tuple(opaque))
        registry = _registry(config) if config.database.applications else None
        return _Made(tables, sources, tokens, keys, registry)

    def _introspection(self, config: IntrospectionConfig) -> Source:
        from gatewaylog.auth.introspection import Asking, Introspection

        asked = self._asked(config.url, config.tls_ca, config.timeout)
        asking = Asking(
            client_id=config.client_id,
            client_secret=_secret(config),
            audiences=frozenset(config.audience),
            client_claims=config.client_claim,
            user_claim=config.user_claim,
            cached=config.cache,
            suspended=config.suspend,
        )
        return Introspection(asked.post, asking)

    def _keys(self, config: JwtConfig) -> Keys:
        from gatewaylog.auth.jwks import Keys

        return Keys(self._fetch(config), cache=config.cache)

    def _fetch(self, config: JwtConfig) -> Callable[[], Awaitable[bytes]]:
        if is_url(config.jwks):
            return self._asked(config.jwks, config.tls_ca, config.timeout).get
        path = Path(config.jwks)

        async def read() -> bytes:
            try:
                return await asyncio.to_thread(path.read_bytes)
            except OSError as error:
                raise AuthServerError(f"the file can't be read: {error.strerror}") from None

        return read

    def _asked(self, url: str, tls_ca: str, seconds: float) -> Asked:
        endpoint = Endpoint.parse(url)
        reached = backend(endpoint.url, tls_ca)
        target = endpoint.target.encode()
        return Asked(
            self._engine, reached.origin, host=reached.host, target=target, seconds=seconds
        )


def _shared(url: str) -> Counts:
    from gatewaylog.auth.redis_counts import RedisCounts

    try:
        return RedisCounts(url)
    except ValueError:  # its words may repeat the password
        raise ConfigurationError(["throttle.store: must be a URL of Redis"]) from None


def _applications(config: Config) -> list[Application]:
    return [application.application() for application in config.application]


def _tokens(config: Config, cache: Verdicts) -> Tokens:
    from gatewaylog.audit.token_store import DatabaseTokens
    from gatewaylog.auth.tokens import Tokens

    try:
        store = DatabaseTokens(config.database.url, pool=_pool(config.database))
    except TokenStoreError as error:
        raise ConfigurationError([f"database.url: {error}"]) from None
    auth = config.auth
    return Tokens(
        store,
        cache,
        cached=auth.token_cache,
        lifetime=auth.token_lifetime,
        limit=auth.token_limit,
    )


def _registry(config: Config) -> Registry:
    from gatewaylog.audit.application_store import DatabaseApplications
    from gatewaylog.auth.registry import Registry

    try:
        register = DatabaseApplications(config.database.url, pool=_pool(config.database))
    except TokenStoreError as error:
        raise ConfigurationError([f"database.url: {error}"]) from None
    return Registry(register, cached=config.auth.token_cache)


def _pool(config: DatabaseConfig) -> Pool:
    from gatewaylog.audit.pool import Pool

    return Pool(
        max_active=config.max_active,
        max_idle=config.max_idle,
        min_idle=config.min_idle,
        initial_size=config.initial_size,
        max_wait=config.max_wait,
    )


def _jwts(keys: Keys, config: JwtConfig, auth: AuthConfig) -> Source:
    from gatewaylog.auth.jwt import Jwts, Rules

    rules = Rules(
        issuer=config.issuer,
        audiences=frozenset(config.audience),
        algorithms=frozenset(config.algorithms),
        leeway=config.leeway,
        client_claims=config.client_claim,
        user_claim=config.user_claim,
        scope_claims=config.scope_claim,
    )
    return Jwts(keys, rules, cached=auth.token_cache)


def _secret(config: IntrospectionConfig) -> str:
    try:
        return config.secret()
    except ValueError as error:
        raise ConfigurationError([f"auth.introspection.client_secret_file: {error}"]) from None
