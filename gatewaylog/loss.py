"""What a log could not write: one run of events, told when there is room again."""

from __future__ import annotations

from gatewaylog.events import LogLoss
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode


class Loss:
    """The events that were lost since the last one that was written; they follow each other.

    `name` is the log's, for standard error. Used under the log's lock.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._first = self._last = 0
        self._reason = ""
        self.count = 0  # of this run
        self.total = 0  # of all runs

    def add(self, seq: int, reason: str) -> None:
        """Count the event `seq`; the first of a run is told on standard error at once."""
        if not self.count:
            self._first, self._reason = seq, reason
            told = f"can't write {self._name}: {reason}; events are lost until it can"
            notice(told, code=SystemCode.RESOURCE_INSERT)
        self._last = seq
        self.count += 1
        self.total += 1

    def add_back(self, first: int, last: int, reason: str) -> None:
        """Count events that were taken for written, `first` to `last`, but for those that are
        counted already.
        """
        if self.count and first < self._first:
            self.count += self._first - first
            self.total += self._first - first
            self._first = first
        first = max(first, self._last + 1)
        if (count := last - first + 1) <= 0:
            return
        if not self.count:
            self._first, self._reason = first, reason
            told = f"{self._name}: {reason}; {count} events since the last look count as lost"
            notice(told, code=SystemCode.RESOURCE_INSERT)
        self._last = last
        self.count += count
        self.total += count

    def event(self, message_id: str) -> LogLoss:
        """Return the event that tells of this run."""
        return LogLoss(message_id, self.count, self._first, self._last, self._reason)

    def over(self) -> None:
        """Begin anew, and say on standard error how many events were lost."""
        if self.count:
            told = f"{self.count} events were not written to {self._name}"
            notice(told, code=SystemCode.RESOURCE_INSERT)
            self.count = 0
