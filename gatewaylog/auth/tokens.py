"""Opaque tokens of our own: 256 random bits, of which nothing but the SHA-256 is kept."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.audit.issued import Issued
from gatewaylog.auth.aside import Aside
from gatewaylog.auth.verdicts import Answer, Facts
from gatewaylog.errors import (
    AUTH_UNAVAILABLE,
    INVALID_CREDENTIALS,
    TOKEN_EXPIRED,
    TOKEN_INACTIVE,
)
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.audit.issued import TokenStore
    from gatewaylog.auth.applications import Application
    from gatewaylog.auth.verdicts import Verdicts

_log = logging.getLogger(__name__)
_OCTETS = 32
_SHAPE = re.compile(rb"[A-Za-z0-9_-]{43}")
_LOOK_UP = 1.0  # seconds
_CHANGE = 5.0  # seconds to issue or revoke


class NewToken(NamedTuple):
    """A token as its client gets it, once; it ends at `expires_at`, seconds since the epoch."""

    token: str
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refill:
    """A client has as many live tokens as it may; `seconds` until the first of them expires."""

    seconds: float


class Tokens:
    """Issues, revokes and looks up tokens, without blocking the event loop.

    `lifetime` is seconds, `limit` how many live tokens a client may have, `cache` where verdicts
    are kept, for at most `cached` seconds.
    """

    def __init__(
        self,
        store: TokenStore,
        cache: Verdicts,
        *,
        cached: float = 30.0,
        lifetime: int = 1800,
        limit: int = 15,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._cache = cache
        self._cached = cached
        self.lifetime = lifetime
        self._limit = limit
        self._now = now
        self._aside = Aside("the token store")

    async def ask(self, token: bytes, digest: bytes) -> Answer:
        """Return what the store knows of a token; AUTH_UNAVAILABLE where it does not say in 1 s."""
        if not _SHAPE.fullmatch(token):
            _log.debug("the token is none of ours by its shape")
            return Answer(INVALID_CREDENTIALS, self._cached)
        try:
            issued = await self._aside.call(_LOOK_UP, self._store.find, digest)
        except TokenStoreError:
            return Answer(AUTH_UNAVAILABLE)
        if issued is None or not hmac.compare_digest(issued.digest, digest):
            _log.debug("the token is not in the store")
            return Answer(INVALID_CREDENTIALS, self._cached)
        if issued.revoked_at is not None:
            _log.debug("the token of client %.200r is revoked", issued.client_id)
            return Answer(TOKEN_INACTIVE, self._cached)
        if issued.expires_at <= self._now():
            _log.debug("the token of client %.200r has expired", issued.client_id)
            return Answer(TOKEN_EXPIRED, self._cached)
        facts = Facts(
            issued.client_id,
            None,
            issued.scopes,
            issued.expires_at,
            own=True,
            application=issued.application,
        )
        return Answer(facts, self._cached)

    async def issue(self, application: Application, scopes: frozenset[str]) -> NewToken | Refill:
        """Return a new token for an application's client. Raises TokenStoreError."""
        token = secrets.token_urlsafe(_OCTETS)
        now = float(int(self._now()))
        issued = Issued(
            digest=hashlib.sha256(token.encode()).digest(),
            client_id=application.client_id,
            application=application.name,
            scopes=scopes,
            issued_at=now,
            expires_at=now + self.lifetime,
        )
        first = await self._aside.call(_CHANGE, self._store.issue, issued, limit=self._limit)
        if first is not None:
            return Refill(seconds=max(0.0, first - now))
        return NewToken(token, issued.expires_at)

    async def find(self, token: bytes) -> Issued | None:
        """Return a token as the store has it now, expired and revoked ones too.

        Raises TokenStoreError.
        """
        if not _SHAPE.fullmatch(token):
            return None
        return await self._aside.call(_LOOK_UP, self._store.find, hashlib.sha256(token).digest())

    async def revoke(self, issued: Issued) -> None:
        """End a token: at once here, within `cached` seconds elsewhere. Raises TokenStoreError."""
        await self._aside.call(_CHANGE, self._store.revoke, issued.digest, self._now())
        self._cache.keep(issued.digest, Answer(TOKEN_INACTIVE, self._cached))

    def is_live(self, issued: Issued) -> bool:
        """Say whether a token can be used now."""
        return issued.revoked_at is None and issued.expires_at > self._now()

    def close(self) -> None:
        """Let go of threads and connections; what is still running in one ends by itself."""
        self._aside.close()
        self._store.close()
