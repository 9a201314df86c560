"""Throttling: how many calls an API, a resource, an application or a subscription may have.

Each limit is a bucket that fills at its rate up to its burst, kept as one number: the time at
which it will be full again (the generic cell rate algorithm, ITU-T I.371). A call that one limit
refuses takes nothing from the others.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from gatewaylog.errors import (
    THROTTLED_API,
    THROTTLED_APPLICATION,
    THROTTLED_RESOURCE,
    THROTTLED_SUBSCRIPTION,
    Failure,
)
from gatewaylog.exceptions import CountsError
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_log = logging.getLogger(__name__)
Per: TypeAlias = Literal["api", "resource", "application", "subscription"]

MICROSECONDS = 1_000_000
_ALONE = 1.0  # seconds that a process counts by itself after a store failed
# In the order in which a call is told of them.
_FAILURES: dict[str, Failure] = {
    "api": THROTTLED_API,
    "resource": THROTTLED_RESOURCE,
    "application": THROTTLED_APPLICATION,
    "subscription": THROTTLED_SUBSCRIPTION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`amount` calls in `seconds`, `burst` at once, counted for each API, resource, … by itself.

    Names that are given choose one API (its label), resource (its path) or application. `store`
    is a URL where several processes count together; empty: each its own.
    """

    per: Per
    amount: int
    seconds: int
    burst: int
    api: str = ""
    resource: str = ""
    application: str = ""
    store: str = ""

    @property
    def interval(self) -> int:
        """Microseconds in which one more call is allowed."""
        return max(1, round(self.seconds * MICROSECONDS / self.amount))

    def counted(self, api: str, resource: str, application: str | None) -> str | None:
        """Return what a call is counted under, None where the limit is not about it."""
        named = (self.api in {"", api}) and (self.resource in {"", resource})
        if not named or self.application not in {"", application}:
            return None
        if self.per == "api":
            return api
        if self.per == "resource":
            return f"{api} {resource}"
        if application is None:
            return None
        return application if self.per == "application" else f"{application} {api}"


class Bucket(NamedTuple):
    """One limit as it counts one call. `room` is microseconds: those of a whole burst."""

    limit: Limit
    key: str
    interval: int
    room: int


class Counts(Protocol):
    """Buckets that several processes share."""

    async def take(self, buckets: Sequence[Bucket]) -> list[int]:
        """Return for each bucket in how many microseconds it has room; take a call from each
        where all have it at once. Raises CountsError.
        """

    async def aclose(self) -> None:
        """Close its connections."""


class Exceeded(NamedTuple):
    """A call that is too many; `wait` is seconds until there is room everywhere."""

    limit: Limit
    wait: float

    @property
    def failure(self) -> Failure:
        """What the event tells."""
        return _FAILURES[self.limit.per]

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return Retry-After and RateLimit's lines (draft-ietf-httpapi-ratelimit-headers-06)."""
        limit, wait = self.limit, b"%d" % max(1, math.ceil(self.wait))
        policy = b"%d;w=%d;burst=%d" % (limit.amount, limit.seconds, limit.burst)
        return [
            (b"retry-after", wait),
            (b"ratelimit-limit", b"%d" % limit.amount),
            (b"ratelimit-remaining", b"0"),
            (b"ratelimit-reset", wait),
            (b"ratelimit-policy", policy),
        ]


class LocalCounts:
    """The buckets of one process, in memory: as many as there are names to count under."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._full: dict[str, int] = {}  # microseconds at which a bucket is full again
        self._monotonic = monotonic

    def waits(self, buckets: Iterable[Bucket]) -> list[int]:
        """Return for each bucket in how many microseconds it has room; 0 or less: now."""
        now = self._now()
        return [
            max(self._full.get(bucket.key, 0), now) + bucket.interval - now - bucket.room
            for bucket in buckets
        ]

    def take(self, buckets: Iterable[Bucket]) -> None:
        """Count one call in each."""
        now = self._now()
        for bucket in buckets:
            self._full[bucket.key] = max(self._full.get(bucket.key, 0), now) + bucket.interval

    def _now(self) -> int:
        return int(self._monotonic() * MICROSECONDS)


class Throttle:
    """Admits calls within these limits; `stores` are those that the limits name."""

    def __init__(
        self,
        limits: Iterable[Limit],
        local: LocalCounts,
        stores: Mapping[str, Counts],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = sorted(limits, key=lambda limit: list(_FAILURES).index(limit.per))
        self._local = local
        self._stores = {url: _Store(counts, monotonic) for url, counts in stores.items()}
        self._of_calls: dict[tuple[str, str, str | None], list[Bucket]] = {}

    async def admit(self, api: str, resource: str, application: str | None) -> Exceeded | None:
        """Count a call of an API (its label), a resource (its path) by an application.

        None: it may go on. A store that fails is replaced by this process's own counts.
        """
        call = api, resource, application
        buckets = self._of_calls.get(call)
        if buckets is None:
            buckets = self._of_calls[call] = self._buckets(*call)
        own = [bucket for bucket in buckets if not bucket.limit.store]
        exceeded = _exceeded(own, self._local.waits(own))
        if exceeded is not None:
            return exceeded
        for url, store in self._stores.items():
            shared = [bucket for bucket in buckets if bucket.limit.store == url]
            if not shared:
                continue
            waits = await store.take(shared)
            if waits is None:
                own += shared
                waits = self._local.waits(shared)
            exceeded = _exceeded(shared, waits)
            if exceeded is not None:
                return exceeded
        self._local.take(own)
        return None

    def _buckets(self, api: str, resource: str, application: str | None) -> list[Bucket]:
        found = []
        for limit in self._limits:
            name = limit.counted(api, resource, application)
            if name is not None:
                rate = f"{limit.amount}/{limit.seconds}/{limit.burst}"
                key = f"{limit.per} {rate} {limit.api}|{limit.resource}|{limit.application} {name}"
                found.append(Bucket(limit, key, limit.interval, limit.interval * limit.burst))
        return found


class _Store:
    """Shared counts, left alone for a moment after they failed."""

    def __init__(self, counts: Counts, monotonic: Callable[[], float]) -> None:
        self._counts = counts
        self._monotonic = monotonic
        self._failed = -math.inf
        self._failing = False

    async def take(self, buckets: Sequence[Bucket]) -> list[int] | None:
        """Return the waits; None: the store does not answer."""
        if self._monotonic() - self._failed < _ALONE:
            return None
        try:
            waits = await self._counts.take(buckets)
        except CountsError as error:
            self._failed = self._monotonic()
            told = f"throttle.store: {error}; each process counts by itself"
            self._tell(told, SystemCode.RESOURCE_CONNECT)
            return None
        self._tell("throttle.store answers again", SystemCode.OK)
        return waits

    def _tell(self, text: str, code: SystemCode) -> None:
        failing = code is not SystemCode.OK
        if failing != self._failing:
            self._failing = failing
            notice(text, code=code)


def _exceeded(buckets: Sequence[Bucket], waits: Sequence[int]) -> Exceeded | None:
    """Return the first limit without room, and the time until all have it."""
    longest = max(waits, default=0)
    if longest <= 0:
        return None
    first = next(bucket for bucket, wait in zip(buckets, waits, strict=True) if wait > 0)
    _log.debug("over the limit: %.200r; room in %d µs", first.key, longest)
    return Exceeded(first.limit, longest / MICROSECONDS)
