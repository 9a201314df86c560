"""Work in a process of its own: no page waits for it, and it ends when nobody wants it any more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    Told = dict[str, object]
    Tell = Callable[[bytes], None]


class Apart:
    """Runs one piece of work at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._process: BaseProcess | None = None
        self._ended = False

    def end(self) -> None:
        """End the work that is done, and begin no other."""
        self._ended = True
        if self._process is not None:
            self._process.kill()

    async def told(self, work: Callable[..., None], *given: object) -> AsyncGenerator[Told, None]:
        """Yield what `work(*given, connection)` sends, until it ends.

        Closing the generator ends the work.
        """
        if self._ended:
            return
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(*given, theirs), daemon=True, name=self._name)
        process.start()
        self._process = process
        theirs.close()
        try:
            async with contextlib.aclosing(_received(ours)) as received:
                async for told in received:
                    yield told
        finally:
            self._process = None
            process.kill()
            process.join()
            ours.close()


async def _received(source: Connection) -> AsyncGenerator[Told, None]:
    """Yield what the process sends, until its end."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(source.fileno(), ready.set)
    try:
        while True:
            await ready.wait()
            ready.clear()
            if not source.poll():
                continue  # it was set for what has been taken since
            try:
                yield json.loads(source.recv_bytes())
            except (EOFError, OSError):  # also in the midst of what it sent
                return
    finally:
        loop.remove_reader(source.fileno())


@contextlib.contextmanager
def sending(output: Connection) -> Iterator[Tell]:
    """Give what sends, in the other process, until its listener has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side is told, and ends this
    with contextlib.suppress(BrokenPipeError), output:
        yield output.send_bytes
