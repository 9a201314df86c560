"""Stands for `wsgi.file_wrapper` and the file in it (PEP 3333, Platform-Specific File Handling)."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewaylog.middleware.wsgi_answer import Answer


class FileWrapper:
    """Stands for `wsgi.file_wrapper`: the server gets an instance of its own class.

    What is watched is the file inside of it, so that servers that compare types, or the very
    object, still find what they look for.
    """

    __slots__ = ("_answer", "_file", "_made", "_wrapper")

    def __init__(self, wrapper: Any, answer: Answer) -> None:
        self._wrapper = wrapper
        self._answer = answer
        self._file: WatchedFile | None = None
        self._made: object = None

    def __call__(self, file: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap a file as the server does."""
        self._file = WatchedFile(file, self._answer)
        self._made = self._wrapper(self._file, *args, **kwargs)
        return self._made

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._wrapper)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapper, name)

    def is_taken(self, result: object) -> bool:
        """Say whether the application returned the file it has wrapped; then the file's end is
        the answer's.
        """
        if self._file is None or result is not self._made:
            return False
        self._file.take()
        return True


class WatchedFile:
    """Stands for the file that an application wraps, and is in all else that file."""

    __slots__ = ("_answer", "_file", "_read", "_start", "_taken")

    def __init__(self, file: Any, answer: Answer) -> None:
        self._file = file
        self._answer = answer
        self._taken = False
        self._read = False  # the server reads, and does not leave it to the kernel
        self._start = 0

    def take(self) -> None:
        """Take the file for the answer's body from now on."""
        self._taken = True
        try:
            number = self._file.fileno()
            self._start = os.lseek(number, 0, os.SEEK_CUR)
            length = os.fstat(number).st_size - self._start
        except (AttributeError, OSError, TypeError, ValueError):
            return  # not a file of the system's: the server can only read it
        declared = self._answer.declared()
        self._answer.expected = length if declared is None else min(length, declared)

    def read(self, *size: Any) -> Any:
        """Read as the file does."""
        read = partial(self._file.read, *size)
        if not self._taken:
            return read()
        self._read = True
        data = self._answer.run(read)
        if data:
            self._answer.handed(len(data))
        else:
            self._answer.exhausted()
        return data

    def close(self) -> None:
        """Close the file; where the server has sent it, that ends the exchange."""
        if self._taken:
            self._end(self._file, sys.exc_info()[1])
        elif hasattr(self._file, "close"):
            self._file.close()

    def _end(self, file: Any, error: BaseException | None) -> None:
        if not self._read:
            self._answer.handed(self._sent(error))
            if error is None:
                self._answer.exhausted()
        self._answer.close(file, error)

    def _sent(self, error: BaseException | None) -> int:
        """Return how much the kernel was given; `socket.sendfile` leaves the file behind that."""
        if self._answer.bodiless() or self._answer.expected is None:
            return 0
        if error is None:
            return self._answer.expected
        try:
            return max(0, int(self._file.tell()) - self._start)
        except (AttributeError, OSError, ValueError):
            return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __del__(self) -> None:
        if self._taken and not self._answer.exchange.ended:
            self._end(None, None)
