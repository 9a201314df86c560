"""Counts the lines that could not be kept, and says so once on standard error."""

from __future__ import annotations

from gatewaylog.notices import notice


class Loss:
    """How many lines a sink has lost, and how many of them nobody was told of yet.

    Used under its sink's lock.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._unsaid = 0
        self.total = 0
        self.lasts = False  # lines were lost that `over` has not told of

    def count(self, error: OSError) -> None:
        """Count one line that `error` kept out; the first of a row is said at once."""
        self.total += 1
        self._unsaid += 1
        self.lasts = True
        if self._unsaid == 1:
            notice(f"can't write {self._name}: {error.strerror}; events are lost until it can")

    def over(self) -> None:
        """Say how many were lost, now that writing works again or has ended."""
        if self._unsaid:
            notice(f"{self._unsaid} events were not written to {self._name}")
            self._unsaid = 0
            self.lasts = False
