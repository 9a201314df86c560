"""Leaves a server alone for a while that does not answer: what is down must not cost each call the
time that is waited for it.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Breaker:
    """Says whether a server may be asked: not for `seconds` after a question that it did not
    answer, unless it answered another one meanwhile. Then one question tries it.
    """

    def __init__(self, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._until = -math.inf  # until then the server is left alone
        self._answered = -math.inf
        self._trying = False

    def begin(self) -> float | None:
        """Return when a question begins, None where it must not be asked. What was begun must be
        told the end of: `answered`, `unanswered` or `given_up`.
        """
        now = self._monotonic()
        if self._until == -math.inf:
            return now
        if now < self._until or self._trying:
            return None
        self._trying = True
        return now

    def answered(self) -> None:
        """Take note that the server answers, whatever it says."""
        self._answered = self._monotonic()
        self._until = -math.inf
        self._trying = False

    def unanswered(self, begun: float) -> None:
        """Take note that a question had no answer in time."""
        self._trying = False
        if self._answered <= begun:
            self._until = self._monotonic() + self._seconds

    def given_up(self) -> None:
        """Take note that nobody waits for an answer any more: that says nothing of the server."""
        self._trying = False
