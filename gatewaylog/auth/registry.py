"""Applications that a database keeps, known for a while after it was asked.

A key or a client that nobody has is remembered as well, so that a flood of guesses asks no more
often than may be; good and bad ones are apart, so that they do not drive out each other.
"""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from gatewaylog.auth.applications import Application
from gatewaylog.auth.aside import Aside
from gatewaylog.auth.flights import Flights, TooMany
from gatewaylog.exceptions import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.audit.registered import Register, Registered

    Found: TypeAlias = "Application | TokenStoreError | None"

_LOOK_UP = 1.0  # seconds
_MOST = 10_000  # of each kind
_LONGEST_NAME = 255


class Unasked(Enum):
    """What is known of a key or client that the database is still to be asked about."""

    UNASKED = "unasked"


UNASKED = Unasked.UNASKED


class Registry:
    """Looks applications up by the SHA-256 of a key, or by a client_id.

    What was answered is believed for `cached` seconds. Raises TokenStoreError, where it awaits,
    when the database does not say within a second.
    """

    def __init__(
        self,
        register: Register,
        *,
        cached: float = 30.0,
        most: int = _MOST,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._register = register
        self._cached = cached
        self._most = most
        self._monotonic = monotonic
        self._aside = Aside("the database of applications")
        self._flights: Flights[Found] = Flights()
        self._good: dict[bytes | str, tuple[Application | None, float]] = {}
        self._bad: dict[bytes | str, tuple[Application | None, float]] = {}

    def known(self, key: bytes | str) -> Application | Unasked | None:
        """Return the application of a key's SHA-256 or of a client, as far as that is known."""
        if isinstance(key, str) and (len(key) > _LONGEST_NAME or not key.isprintable()):
            return None  # can't be kept, nor asked for
        kept = self._good.get(key) or self._bad.get(key)
        if kept is None or kept[1] <= self._monotonic():
            return UNASKED
        return kept[0]

    async def find(self, key: bytes | str) -> Application | None:
        """Return the application of a key's SHA-256 or of a client. Raises TokenStoreError."""
        known = self.known(key)
        if known is not UNASKED:
            return known

        async def ask() -> Found:
            return await self._asked(key)

        try:
            found = await self._flights.once(key, ask)
        except TooMany:
            raise TokenStoreError("too many look-ups are under way") from None
        if isinstance(found, TokenStoreError):
            raise found
        return found

    async def _asked(self, key: bytes | str) -> Found:
        register = self._register
        try:
            if isinstance(key, bytes):
                found = await self._aside.call(_LOOK_UP, register.by_key, key)
            else:
                found = await self._aside.call(_LOOK_UP, register.by_client, key)
        except TokenStoreError as error:
            return error
        application = None if found is None else _application(found)
        self._keep(key, application)
        return application

    def _keep(self, key: bytes | str, application: Application | None) -> None:
        self._good.pop(key, None)
        self._bad.pop(key, None)
        until = self._monotonic() + self._cached
        kept = self._bad if application is None else self._good
        if len(kept) >= self._most:
            del kept[next(iter(kept))]
        kept[key] = application, until

    async def aclose(self) -> None:
        """Let go of threads and connections."""
        await self._flights.aclose()
        self._aside.close()
        self._register.close()


def _application(found: Registered) -> Application:
    return Application(
        name=found.name,
        owner=found.owner,
        vendor=found.vendor,
        subscriptions=found.subscriptions,
        scopes=found.scopes,
        client_id=found.client_id,
        client_secret=found.client_secret,
        suspended=found.suspended,
    )
