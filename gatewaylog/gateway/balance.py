"""Which of an API's backends a request goes to, and which are left alone for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.gateway.apis import Api
    from gatewaylog.gateway.backends import Backend


class Balancer:
    """Takes backends in turn, or the first that is well, and suspends those that can't be reached.

    One for each worker process: what one worker learns of a backend, the others learn themselves.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._turns: dict[str, int] = {}
        # API and backend URL -> until when; each API has its own `suspend`.
        self._suspended: dict[tuple[str, str], float] = {}

    def attempts(self, api: Api) -> tuple[Backend, ...]:
        """Return the backend of each attempt, at most 1 + `retries` of them; none where every
        backend is suspended. A further attempt goes to another backend where there is one.
        """
        backends = api.backends
        well = backends if len(backends) == 1 and not self._suspended else self._ordered(api)
        return (well * (api.retries + 1))[: api.retries + 1]

    def _ordered(self, api: Api) -> tuple[Backend, ...]:
        backends = api.backends
        if api.balance == "round_robin":
            turn = self._turns.get(api.label, 0)
            self._turns[api.label] = turn + 1
            first = turn % len(backends)
            backends = (*backends[first:], *backends[:first])
        return tuple(backend for backend in backends if not self._is_suspended(api, backend))

    def _is_suspended(self, api: Api, backend: Backend) -> bool:
        if not self._suspended:
            return False
        until = self._suspended.get((api.label, backend.url))
        if until is None:
            return False
        if self._monotonic() < until:
            return True
        del self._suspended[api.label, backend.url]
        return False

    def suspend(self, api: Api, backend: Backend) -> None:
        """Leave a backend alone for the API's `suspend` seconds: it could not be reached."""
        if api.suspend > 0:
            self._suspended[api.label, backend.url] = self._monotonic() + api.suspend

    def retry_after(self, api: Api) -> int:
        """Return in how many whole seconds the first of the API's backends is tried again."""
        now = self._monotonic()
        left = [self._suspended.get((api.label, one.url), now) - now for one in api.backends]
        return max(1, int(min(left) + 0.999))

    def suspended(self) -> list[str]:
        """Return the URLs of the backends that are suspended now, for the metrics."""
        now = self._monotonic()
        return sorted({url for (_, url), until in self._suspended.items() if now < until})
