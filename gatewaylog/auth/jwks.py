"""Keys that verify JWTs: a JSON Web Key Set (RFC 7517), read from a file or a server."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gatewaylog.auth.flights import Flights
from gatewaylog.exceptions import AuthServerError
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

_log = logging.getLogger(__name__)
Key: TypeAlias = RSAKey | ECKey | OKPKey

_MOST_BYTES = 512 * 1024
_MOST_KEYS = 100
_SHORTEST_RSA = 2048  # bits (RFC 7518 §3.3)
_BETWEEN = 60.0  # seconds between two looks for an unknown key
_AFTER_FAILURE = 5.0  # seconds before a server that failed is asked again
_KINDS: dict[str, type[Key]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
# Which keys an algorithm is for (RFC 7518 §3.1, RFC 8037 §3.1): kty and crv.
_FITS: dict[str, set[tuple[str, object]]] = {
    "RS256": {("RSA", None)},
    "RS384": {("RSA", None)},
    "RS512": {("RSA", None)},
    "ES256": {("EC", "P-256")},
    "ES384": {("EC", "P-384")},
    "ES512": {("EC", "P-521")},
    "EdDSA": {("OKP", "Ed25519"), ("OKP", "Ed448")},
    "Ed25519": {("OKP", "Ed25519")},
}


class KeySet:
    """The public keys of one document."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)

    def find(self, kid: str | None, algorithm: str) -> Key | None:
        """Return the only key that a token with this header can be verified with."""
        fitting = [
            key
            for key in self._keys
            if (kid is None or key.get("kid") == kid) and _fits(key, algorithm)
        ]
        return fitting[0] if len(fitting) == 1 else None

    def __len__(self) -> int:
        return len(self._keys)


def keys_of(document: bytes) -> KeySet:
    """Read a key set; what can't verify signatures is passed over: other kinds of keys, keys for
    encryption, RSA under 2048 bits, a symmetric key above all.

    Raises ValueError where it is none, or nothing is left.
    """
    if len(document) > _MOST_BYTES:
        raise ValueError(f"must be a key set of at most {_MOST_BYTES} bytes")
    try:
        listed = json.loads(document)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        listed = None
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise ValueError(f'must be a JSON Web Key Set: {{"keys": [up to {_MOST_KEYS} keys]}}')
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # of keys that are passed over here
        keys = [key for key in map(_public, listed) if key is not None]
    if not keys:
        raise ValueError("must hold a public key that can verify: RSA from 2048 bits, EC or Ed")
    return KeySet(keys)


def _public(entry: Any) -> Key | None:
    """Return a key's public half, None where it is not one to verify with."""
    try:
        if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ("verify",)):
            return None
        kind = _KINDS[entry["kty"]]
        key: Key = kind.import_key(kind.import_key(entry).as_dict(private=False))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < _SHORTEST_RSA:
        return None
    return key


def _fits(key: Key, algorithm: str) -> bool:
    meant = key.get("alg", algorithm)
    return meant == algorithm and (key.key_type, key.get("crv")) in _FITS[algorithm]


class Keys:
    """The keys that `fetch` returns, known anew in time.

    Keys are trusted for `cache` seconds. After half of that time they are fetched again, while
    the old ones serve; for a key that is not among them too, at most once a minute, and only the
    calls with such a key wait.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        *,
        cache: float = 600.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._cache = cache
        self._monotonic = monotonic
        self._keys: KeySet | None = None
        self._fetched = -math.inf
        self._failed = -math.inf  # later than _fetched: the last try failed
        self._sought = -math.inf  # when an unknown key was last asked for
        self._flights = Flights[None]()
        self._background: set[asyncio.Task[None]] = set()

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """Return the key for a token with this header, None where there is none.

        Raises AuthServerError where that can't be known.
        """
        age = self._monotonic() - self._fetched
        if age > self._cache:
            await self._renewed()
        elif age > self._cache / 2:
            self._renew_aside()
        key = self._found(kid, algorithm)
        if key is None and kid is not None and await self._looked_again():
            key = self._found(kid, algorithm)
        _log.debug("kid %.200r, alg %s: %s", kid, algorithm, "no key" if key is None else "found")
        if key is None and self._failed > self._fetched:
            raise AuthServerError("the keys can't be read")
        return key

    def _found(self, kid: str | None, algorithm: str) -> Key | None:
        return None if self._keys is None else self._keys.find(kid, algorithm)

    async def _renewed(self) -> None:
        """Wait for keys that may be trusted. Raises AuthServerError."""
        if self._monotonic() - self._failed > _AFTER_FAILURE:
            await self._flights.once(self, self._renew)
        if self._monotonic() - self._fetched > self._cache:
            raise AuthServerError("the keys can't be read")

    def _renew_aside(self) -> None:
        if self._background or self._monotonic() - self._failed < _AFTER_FAILURE:
            return
        task = asyncio.create_task(self._flights.once(self, self._renew))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _looked_again(self) -> bool:
        """Fetch for a key that is not known, where that is due; say whether it was."""
        now = self._monotonic()
        if now - self._sought < _BETWEEN and not self._flights.any:
            return False
        if not self._flights.any:
            self._sought = now
        await self._flights.once(self, self._renew)
        return True

    async def _renew(self) -> None:
        try:
            keys = keys_of(await self._fetch())
        except (AuthServerError, ValueError) as error:
            if self._failed <= self._fetched:
                notice(f"auth.jwt.jwks: {error}", code=SystemCode.RESOURCE_RETRIEVE)
            self._failed = self._monotonic()
            return
        if self._failed > self._fetched:
            notice("auth.jwt.jwks: the keys can be read again")
        self._keys, self._fetched = keys, self._monotonic()
        _log.debug("%d keys were fetched", len(keys))

    async def aclose(self) -> None:
        """End what is under way."""
        await self._flights.aclose()
