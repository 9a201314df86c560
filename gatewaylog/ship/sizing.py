"""How many lines the next batch holds, while lines that a destination refuses are looked for."""

from __future__ import annotations

_SHARE = 4


class Sizing:
    """The number of records a batch may hold: `size`, at most `most`.

    A batch that is refused whole hides a bad record. It is halved, and its parts are batches of
    their own, so that whatever was found out stays when we are killed; one that is taken is
    followed by one of twice its length. The bad one found, the next batch is as long as the run of
    good ones before it: where every line is refused each takes one request, where few are a batch
    is soon a long one again.

    Where a destination tells that it refused some of a batch and took the others, but not which,
    each of that batch is sent again alone. The next batches hold a fourth of the run of good ones
    before them, until they are as long as may be: for each bad one few others are sent twice.
    """

    def __init__(self, most: int) -> None:
        self.size = most
        self._most = most
        self._run = 0  # records that were taken since the last that was refused
        self._is_blurred = False

    def refused(self, count: int) -> None:
        """Take note that a batch of `count`, more than one, was refused whole."""
        self.size = count // 2

    def found(self) -> None:
        """Take note that a batch of one was refused."""
        self.size = 1 if self._is_blurred else max(1, min(self._run, self._most))
        self._run = 0

    def blurred(self) -> None:
        """Take note that some records of a batch were refused, and it is not told which."""
        self.size = 1
        self._run = 0
        self._is_blurred = True

    def taken(self, count: int) -> None:
        """Take note that the last `count` records of a batch were taken, which is done with."""
        self._run += count
        wanted = self._run // _SHARE if self._is_blurred else self.size * 2
        self.size = max(1, min(wanted, self._most))
        self._is_blurred = self._is_blurred and self.size < self._most
