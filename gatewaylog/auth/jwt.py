"""JWTs that another server signed (RFC 7519, RFC 9068), checked by its public keys.

The algorithm is one of those configured, and the key one of that algorithm's kind: neither
"none" nor an HMAC made with a public key can pass, as no such algorithm is ever allowed.
"""

from __future__ import annotations

import logging
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning

from gatewaylog.auth.claims import Claims, claims_of, first_text, is_for, scopes_of, seconds
from gatewaylog.auth.verdicts import Answer, Facts
from gatewaylog.errors import AUTH_UNAVAILABLE, INVALID_CREDENTIALS, TOKEN_EXPIRED
from gatewaylog.exceptions import AuthServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gatewaylog.auth.jwks import Key, Keys

_log = logging.getLogger(__name__)
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_LONGEST_HEADER = 4096  # bytes; what joserfc allows is too little for x5c
_MALFORMED = (JoseError, ValueError, TypeError, KeyError, RecursionError, OverflowError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a JWT must say, and where in it stands who calls.

    One of `audiences` is enough. `leeway` is seconds that clocks may differ. Of the client's
    claims the first that is there counts, of the scopes' all.
    """

    issuer: str
    audiences: frozenset[str]
    algorithms: frozenset[str] = frozenset(ALGORITHMS)
    leeway: float = 30.0
    client_claims: tuple[str, ...] = ("client_id", "azp")
    user_claim: str = "sub"
    scope_claims: tuple[str, ...] = ("scope", "scp")


class Jwts:
    """The `Source` that knows JWTs."""

    def __init__(
        self,
        keys: Keys,
        rules: Rules,
        *,
        cached: float = 30.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._rules = rules
        self._cached = cached
        self._now = now
        self._registry = jws.JWSRegistry(
            algorithms=sorted(rules.algorithms), strict_check_header=False
        )
        self._registry.max_header_length = _LONGEST_HEADER

    async def ask(self, token: bytes, digest: bytes) -> Answer:
        """Verify a token: signature, issuer, audience, times."""
        try:
            signed = jws.extract_compact(token, None, self._registry)
            algorithm, kid = _header(signed.headers())
        except _MALFORMED as error:
            _log.debug("what looks like a JWT is none: %s", type(error).__name__)
            return Answer(INVALID_CREDENTIALS, self._cached)
        if algorithm not in self._rules.algorithms:
            _log.debug("kid %.200r: alg %.40r is not accepted", kid, algorithm)
            return Answer(INVALID_CREDENTIALS, self._cached)
        try:
            key = await self._keys.find(kid, algorithm)
        except AuthServerError:
            return Answer(AUTH_UNAVAILABLE)
        if key is None:
            return Answer(INVALID_CREDENTIALS)  # the key may come to be known
        claims = self._verified(signed, key, algorithm)
        if claims is None:
            _log.debug("kid %.200r: the signature is wrong, or the claims are malformed", kid)
            return Answer(INVALID_CREDENTIALS, self._cached)
        return self._judged(claims)

    def _verified(self, signed: jws.CompactSignature, key: Key, algorithm: str) -> Claims | None:
        try:
            with warnings.catch_warnings():
                # joserfc warns of the name EdDSA, which RFC 9864 has replaced and all use.
                warnings.simplefilter("ignore", SecurityWarning)
                good = jws.validate_compact(signed, key, [algorithm], self._registry)
            claims = claims_of(signed.payload) if good else None
        except _MALFORMED:
            return None
        return claims if isinstance(claims, dict) else None

    def _judged(self, claims: Claims) -> Answer:
        rules, now = self._rules, self._now()
        if claims.get("iss") != rules.issuer or not is_for(claims, rules.audiences):
            told = claims.get("iss"), claims.get("aud")
            _log.debug("iss %.200r with aud %.200r is not accepted", *told)
            return Answer(INVALID_CREDENTIALS, self._cached)
        expires, begins = seconds(claims.get("exp")), seconds(claims.get("nbf", 0))
        if expires is None or begins is None:
            _log.debug("exp is missing, or exp or nbf is no time")
            return Answer(INVALID_CREDENTIALS, self._cached)
        if begins > now + rules.leeway:
            _log.debug("nbf is %g s from now", begins - now)
            return Answer(INVALID_CREDENTIALS)  # it will be good
        if expires + rules.leeway <= now:
            _log.debug("exp was %g s ago", now - expires)
            return Answer(TOKEN_EXPIRED, self._cached)
        facts = Facts(
            first_text(claims, rules.client_claims),
            first_text(claims, (rules.user_claim,)),
            scopes_of(claims, rules.scope_claims),
            expires + rules.leeway,
        )
        return Answer(facts, self._cached)


def _header(headers: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return algorithm and key id. Raises ValueError where they are no texts."""
    algorithm, kid = headers.get("alg"), headers.get("kid")
    if not isinstance(algorithm, str) or not (kid is None or isinstance(kid, str)):
        raise ValueError("alg and kid must be texts")
    return algorithm, kid
