"""All kinds of credentials behind one question: whether a call may use an API.

A bearer token that was seen lately is judged at once; one that must be asked for (of the token
store, the introspection endpoint, a server of keys) is judged later, so that only its own call
waits. API keys never wait.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gatewaylog.auth.api_keys import (
    AUTHORIZATION,
    CREDENTIAL_HEADERS,
    Granted,
    Refused,
    judged,
    presented,
    scheme_and_parameters,
)
from gatewaylog.auth.flights import Flights, TooMany
from gatewaylog.auth.registry import UNASKED
from gatewaylog.auth.verdicts import Answer, Facts, Verdict
from gatewaylog.errors import (
    AUTH_UNAVAILABLE,
    INVALID_CREDENTIALS,
    MISSING_CREDENTIALS,
    NOT_SUBSCRIBED,
    TOKEN_EXPIRED,
    TOKEN_INACTIVE,
    WRONG_CREDENTIAL_TYPE,
)
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from gatewaylog.auth.api_keys import ApiKeys, Presented
    from gatewaylog.auth.applications import Application
    from gatewaylog.auth.registry import Registry, Unasked
    from gatewaylog.auth.verdicts import Verdicts

_log = logging.getLogger(__name__)
Lines = list[tuple[bytes, bytes]]

LONGEST_TOKEN = 8192  # bytes
_BEARER = b"bearer"
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 §2.1
_NO_SCOPES: frozenset[str] = frozenset()
_CONSUMED = (AUTHORIZATION,)


class Source(Protocol):
    """Somebody who knows tokens."""

    async def ask(self, token: bytes, digest: bytes) -> Answer:
        """Return what is known of a token, INVALID_CREDENTIALS where nothing is; never raises.

        `digest` is the token's SHA-256. AUTH_UNAVAILABLE: it can't be said now.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Who is asked about which tokens, in this order until one knows, and what was answered.

    `jwt` are asked about what has the three parts of a JWT, `opaque` about everything else, and
    about JWTs too where `jwt` is empty.
    """

    cache: Verdicts
    jwt: Sequence[Source] = ()
    opaque: Sequence[Source] = ()


class Unsettled(NamedTuple):
    """A token that must be asked for: `settle` tells whether its call may go on."""

    credential: bytes
    settle: Callable[[], Coroutine[object, object, Granted | Refused]]


class Credentials:
    """Checks credentials of these applications, and of those that `registry` knows besides: API
    keys where `keys` are accepted, and tokens.
    """

    def __init__(
        self,
        applications: Iterable[Application],
        *,
        keys: ApiKeys | None,
        sources: Sources,
        flights: Flights[Verdict],
        registry: Registry | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._by_client = {one.client_id: one for one in applications if one.client_id}
        self._keys = keys
        self._sources = sources
        self._flights = flights
        self._registry = registry
        self._now = now

    def check(
        self, headers: Lines, *, label: str, scopes: frozenset[str] = _NO_SCOPES
    ) -> Granted | Refused | Unsettled:
        """Say whether a call with these ASGI headers may use the API with this label.

        Never raises.
        """
        lines = [line for line in headers if line[0] in CREDENTIAL_HEADERS]
        if len(lines) == 1 and lines[0][0] == AUTHORIZATION:
            scheme, token = scheme_and_parameters(lines[0][1])
            if scheme == _BEARER:
                return self._of_token(token, label, scopes)
        if self._keys is not None:
            return self._of_key(self._keys, lines, label, scopes)
        return self._of_tokens_alone(lines, label, scopes)

    def _of_key(
        self, keys: ApiKeys, lines: Lines, label: str, scopes: frozenset[str]
    ) -> Granted | Refused | Unsettled:
        """Check a key. A token beside it says two things at once, as both are taken here."""
        token = next(filter(None, map(_bearer, lines)), None)
        if token is not None:
            return Refused(failure=INVALID_CREDENTIALS, credential=token)
        found = keys.check(lines, label=label, scopes=scopes)
        if self._registry is None or not _is_strange(found):
            return found
        return self._of_registered_key(self._registry, presented(lines), found, label, scopes)

    def _of_registered_key(
        self,
        registry: Registry,
        shown: Presented,
        otherwise: Granted | Refused,
        label: str,
        scopes: frozenset[str],
    ) -> Granted | Refused | Unsettled:
        """Check a key that the configuration does not know."""
        credential = shown.credential
        if credential is None or shown.failure is not None:
            return otherwise
        digest = hashlib.sha256(credential).digest()
        known = registry.known(digest)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("the key is %s", "asked for" if known is UNASKED else "in the cache")
        if known is not UNASKED:
            return judged(shown, credential, known, label, scopes)

        async def settle() -> Granted | Refused:
            try:
                application = await registry.find(digest)
            except TokenStoreError:
                return Refused(failure=AUTH_UNAVAILABLE, credential=credential)
            return judged(shown, credential, application, label, scopes)

        return Unsettled(credential, settle)

    def _of_tokens_alone(
        self, lines: Lines, label: str, scopes: frozenset[str]
    ) -> Granted | Refused | Unsettled:
        """Check what comes where keys are not taken: a header of theirs may be the backend's."""
        if not lines:
            return Refused(failure=MISSING_CREDENTIALS)
        authorizations = [line for line in lines if line[0] == AUTHORIZATION]
        if len(authorizations) > 1:
            token = next(filter(None, map(_bearer, authorizations)), None)
            return Refused(failure=INVALID_CREDENTIALS, credential=token)
        if authorizations and (token := _bearer(authorizations[0])) is not None:
            return self._of_token(token, label, scopes)
        shown = presented(authorizations or lines[:1])
        return Refused(failure=WRONG_CREDENTIAL_TYPE, credential=shown.credential)

    def _of_token(
        self, token: bytes, label: str, scopes: frozenset[str]
    ) -> Granted | Refused | Unsettled:
        if not token or len(token) > LONGEST_TOKEN:
            return Refused(failure=INVALID_CREDENTIALS, credential=token or None)
        digest = hashlib.sha256(token).digest()
        verdict = self._sources.cache.get(digest)
        if _log.isEnabledFor(logging.DEBUG):
            found = "asked for" if verdict is None else "in the cache"
            _log.debug("the token's verdict is %s", found)
        if verdict is not None:
            application = self._known(_client_of(verdict))
            if application is not UNASKED:
                return self._judged(verdict, application, token, label, scopes)

        async def settle() -> Granted | Refused:
            found = await self._asked(token, digest) if verdict is None else verdict
            try:
                application = await self._found(_client_of(found))
            except TokenStoreError:
                return Refused(failure=AUTH_UNAVAILABLE, credential=token)
            return self._judged(found, application, token, label, scopes)

        return Unsettled(token, settle)

    async def _asked(self, token: bytes, digest: bytes) -> Verdict:
        if not _TOKEN.fullmatch(token):
            return INVALID_CREDENTIALS
        sources = self._sources
        chain = sources.jwt if sources.jwt and token.count(b".") == 2 else sources.opaque

        async def ask() -> Verdict:
            answer = Answer(INVALID_CREDENTIALS)
            for source in chain:
                answer = await source.ask(token, digest)
                if answer.verdict is not INVALID_CREDENTIALS:
                    break
            sources.cache.keep(digest, answer)
            return answer.verdict

        try:
            return await self._flights.once(digest, ask)
        except TooMany:
            return AUTH_UNAVAILABLE

    def _known(self, client_id: str) -> Application | Unasked | None:
        """Return a client's application, as far as it is known now."""
        known = self._by_client.get(client_id)
        if known is not None or self._registry is None or not client_id:
            return known
        return self._registry.known(client_id)

    async def _found(self, client_id: str) -> Application | None:
        """Return a client's application. Raises TokenStoreError."""
        known = self._by_client.get(client_id)
        if known is not None or self._registry is None or not client_id:
            return known
        return await self._registry.find(client_id)

    def _judged(
        self,
        verdict: Verdict,
        application: Application | None,
        token: bytes,
        label: str,
        scopes: frozenset[str],
    ) -> Granted | Refused:
        if not isinstance(verdict, Facts):
            return Refused(failure=verdict, credential=token)
        if verdict.expires <= self._now():
            return Refused(failure=TOKEN_EXPIRED, credential=token)
        if application is None:
            return Refused(failure=NOT_SUBSCRIBED, credential=token, owner=verdict.user)
        if verdict.own and verdict.application != application.name:
            return Refused(failure=TOKEN_INACTIVE, credential=token)
        held = verdict.scopes & application.scopes if verdict.own else verdict.scopes
        failure = application.lacks(label, scopes, held)
        user = application.owner if verdict.user is None else verdict.user
        if failure:
            return Refused(
                failure=failure, credential=token, application=application.name, owner=user
            )
        return Granted(application.name, user, token, _CONSUMED)


def _is_strange(found: Granted | Refused) -> bool:
    return isinstance(found, Refused) and found.failure is INVALID_CREDENTIALS


def _client_of(verdict: Verdict) -> str:
    """Return the client that a good token names; empty where it names none, or is not good."""
    return (verdict.client_id or "") if isinstance(verdict, Facts) else ""


def _bearer(line: tuple[bytes, bytes]) -> bytes | None:
    """Return the bearer token of an authorization line, None of any other line."""
    if line[0] != AUTHORIZATION:
        return None
    scheme, token = scheme_and_parameters(line[1])
    return token if scheme == _BEARER else None
