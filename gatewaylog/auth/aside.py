"""Calls that block, made in threads so that the event loop goes on, and waited for only so long."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from gatewaylog.auth.breaker import Breaker
from gatewaylog.exceptions import TokenStoreError
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Params = ParamSpec("Params")
Result = TypeVar("Result")

_THREADS = 4
_SUSPENDED = 1.0  # seconds
_ALONE = "is left alone for a second: it did not answer in time"


class Aside:
    """Calls a store, which has a `name` for the operator."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="store")
        self._failing = False
        self._breaker = Breaker(_SUSPENDED)

    async def call(
        self,
        seconds: float,
        call: Callable[Params, Result],
        *args: Params.args,
        **options: Params.kwargs,
    ) -> Result:
        """Call in another thread, and wait for so long. Raises TokenStoreError, at once where the
        store has let the time pass a moment ago.
        """
        begun = self._breaker.begin()
        if begun is None:
            raise TokenStoreError(_ALONE)
        try:
            async with asyncio.timeout(seconds):
                result = await self._threaded(partial(call, *args, **options))
        except TimeoutError:
            self._breaker.unanswered(begun)
            raise self._failed(f"no answer within {seconds:g} s") from None
        except TokenStoreError as error:
            self._breaker.answered()
            raise self._failed(str(error)) from None
        except BaseException:
            self._breaker.given_up()
            raise
        self._breaker.answered()
        self._tell(None)
        return result

    def _threaded(self, call: Callable[[], Result]) -> Awaitable[Result]:
        return asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _failed(self, reason: str) -> TokenStoreError:
        self._tell(reason)
        return TokenStoreError(reason)

    def close(self) -> None:
        """Let go of the threads; what is still running in one ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _tell(self, reason: str | None) -> None:
        """Tell the operator once when the store fails, and once when it is back."""
        if (reason is not None) == self._failing:
            return
        self._failing = reason is not None
        if reason is None:
            notice(f"{self._name} answers again")
        else:
            notice(f"{self._name}: {reason}", code=SystemCode.RESOURCE_CONNECT)
