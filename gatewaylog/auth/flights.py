"""Questions about tokens that are under way: one for each token, however many calls wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

Result = TypeVar("Result")
_MOST = 1000


class TooMany(Exception):
    """More is being asked than can be answered in time."""


class Flights(Generic[Result]):
    """Shares the answer to a question among all who ask it meanwhile.

    A caller that is cancelled leaves the question to the others. At most `most` are under way.
    """

    def __init__(self, *, most: int = _MOST) -> None:
        self._most = most
        self._tasks: dict[Hashable, asyncio.Task[Result]] = {}

    @property
    def any(self) -> bool:
        """Whether something is being asked."""
        return bool(self._tasks)

    async def once(
        self, key: Hashable, ask: Callable[[], Coroutine[object, object, Result]]
    ) -> Result:
        """Return what `ask` answers; it is called unless the same key is being asked already.

        It must not raise. Raises TooMany.
        """
        task = self._tasks.get(key)
        if task is None:
            if len(self._tasks) >= self._most:
                raise TooMany
            task = asyncio.create_task(ask())
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._tasks.pop(key))
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
