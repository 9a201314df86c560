"""Tokens that another server knows, which is asked about them (RFC 7662)."""

from __future__ import annotations

import logging
import time
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

from gatewaylog.auth.breaker import Breaker
from gatewaylog.auth.claims import FOREVER, claims_of, first_text, is_for, scopes_of, seconds
from gatewaylog.auth.verdicts import Answer, Facts
from gatewaylog.errors import (
    AUTH_UNAVAILABLE,
    INVALID_CREDENTIALS,
    TOKEN_EXPIRED,
    TOKEN_INACTIVE,
)
from gatewaylog.exceptions import AuthServerError, AuthServerTimeout
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Post = Callable[[list[tuple[bytes, bytes]], bytes], Awaitable[bytes]]


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """As whom the server is asked, and what is read of its answers.

    One of `audiences` is enough; none: any. `cached` is seconds, `suspended` those for which a
    server is left alone that did not answer in time.
    """

    client_id: str
    client_secret: str = field(repr=False)
    audiences: frozenset[str] = frozenset()
    client_claims: tuple[str, ...] = ("client_id", "azp")
    user_claim: str = "username"
    cached: float = 30.0
    suspended: float = 5.0


class Introspection:
    """The `Source` that asks an introspection endpoint; `post` sends it headers and a body.

    `post` returns the body of a 200, and raises AuthServerError for anything else.
    """

    def __init__(
        self,
        post: Post,
        asking: Asking,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._post = post
        self._asking = asking
        self._now = now
        self._failing = False
        self._breaker = Breaker(asking.suspended, monotonic=monotonic)
        pair = f"{quote_plus(asking.client_id)}:{quote_plus(asking.client_secret)}"
        self._headers = [
            (b"authorization", b"Basic " + b64encode(pair.encode())),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"accept", b"application/json"),
        ]

    async def ask(self, token: bytes, digest: bytes) -> Answer:
        """Ask about a token. Anything but a clear answer is AUTH_UNAVAILABLE."""
        begun = self._breaker.begin()
        if begun is None:
            _log.debug("the server is left alone for a while: it did not answer in time")
            return Answer(AUTH_UNAVAILABLE)
        form = {"token": token, "token_type_hint": "access_token"}
        try:
            claims = _claims(await self._post(self._headers, urlencode(form).encode()))
        except AuthServerTimeout as error:
            self._breaker.unanswered(begun)
            return self._unavailable(error)
        except AuthServerError as error:
            self._breaker.answered()
            return self._unavailable(error)
        self._breaker.answered()
        self._failing = False
        return self._judged(claims)

    def _unavailable(self, error: AuthServerError) -> Answer:
        if not self._failing:
            notice(f"auth.introspection: {error}", code=SystemCode.RESOURCE_CONNECT)
        self._failing = True
        return Answer(AUTH_UNAVAILABLE)

    def _judged(self, claims: dict[str, Any]) -> Answer:
        asking, now = self._asking, self._now()
        if claims["active"] is False:
            _log.debug("the token is not active")
            return Answer(TOKEN_INACTIVE, asking.cached)
        expires, begins = seconds(claims.get("exp", FOREVER)), seconds(claims.get("nbf", 0))
        if asking.audiences and not is_for(claims, asking.audiences):
            _log.debug("aud %.200r is not accepted", claims.get("aud"))
            return Answer(INVALID_CREDENTIALS, asking.cached)
        if expires is None or begins is None or begins > now:
            _log.debug("exp or nbf is no time, or nbf has not come")
            return Answer(INVALID_CREDENTIALS)
        if expires <= now:
            _log.debug("exp was %g s ago", now - expires)
            return Answer(TOKEN_EXPIRED, asking.cached)
        facts = Facts(
            first_text(claims, asking.client_claims),
            first_text(claims, (asking.user_claim, "sub")),
            scopes_of(claims, ("scope",)),
            expires,
        )
        return Answer(facts, asking.cached)


def _claims(answer: bytes) -> dict[str, Any]:
    """Return what the server says; `active` is true or false. Raises AuthServerError."""
    try:
        claims = claims_of(answer)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict) or not isinstance(claims.get("active"), bool):
        raise AuthServerError("the answer is none of RFC 7662: no `active` that is true or false")
    return claims
