"""Stands for the iterable that a WSGI application returns, on its way to the server.

A server may treat some results in its own way: it takes a list whole, or asks an iterable for its
length. So each kind of result is watched by one that is of its kind.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from gatewaylog.exchange import running

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.middleware.wsgi_answer import Answer


def watched(result: Iterable[bytes], answer: Answer) -> Iterable[bytes]:
    """Return what the server gets for the application's result."""
    if type(result) is list:
        return ListBody(result, answer)
    return SizedBody(result, answer) if hasattr(result, "__len__") else Body(result, answer)


class Body:
    """Stands for an iterable without a length."""

    __slots__ = ("_answer", "_iterator", "_result")

    def __init__(self, result: Iterable[bytes], answer: Answer) -> None:
        self._answer = answer
        self._result = result
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Body:
        self._iterator = self._answer.run(partial(iter, self._result))
        return self

    def __next__(self) -> bytes:
        answer = self._answer
        outer = running.get()
        running.set(answer.exchange)
        try:
            if self._iterator is None:
                self._iterator = iter(self._result)
            data = next(self._iterator)
        except StopIteration:
            answer.exhausted()
            raise
        except BaseException as error:
            answer.broken(error)
            raise
        finally:
            running.set(outer)
        if isinstance(data, bytes):  # anything else is the server's to refuse
            answer.handed(len(data))
        return data

    def close(self) -> None:
        """Close the application's iterable; how the server came here tells how it went."""
        self._answer.close(self._result, sys.exc_info()[1])

    def __del__(self) -> None:
        # The server never closed it. Then the application's iterable is not closed either.
        if not self._answer.exchange.ended:
            self._answer.close(None, None)


class SizedBody(Body):
    """Stands for an iterable with a length: of one item servers make a Content-Length."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._result)  # type: ignore[arg-type]  # made of results that have one


class ListBody(list[bytes]):
    """Stands for a list, which some servers take whole and never close (granian)."""

    __slots__ = ("_answer", "_iterated")

    def __init__(self, result: list[bytes], answer: Answer) -> None:
        super().__init__(result)
        self._answer = answer
        self._iterated = False

    def __iter__(self) -> Iterator[bytes]:
        self._iterated = True
        for data in super().__iter__():
            if isinstance(data, bytes):
                self._answer.handed(len(data))
            yield data
        self._answer.exhausted()

    def close(self) -> None:
        """End the exchange: a list has nothing to close."""
        self._close(sys.exc_info()[1])

    def _close(self, error: BaseException | None) -> None:
        if not self._iterated and error is None:
            for _ in self:  # the server took the items without asking for an iterator
                pass
        self._answer.close(None, error)

    def __del__(self) -> None:
        if not self._answer.exchange.ended:
            self._close(None)
