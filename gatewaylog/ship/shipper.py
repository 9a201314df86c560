"""Batches delivered one after the other, each until it is taken or refused for good."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gatewaylog.exceptions import ShipError
from gatewaylog.notices import notice
from gatewaylog.ship.checkpoint import Sending
from gatewaylog.ship.destination import Refusal, Refused, RefusedInPart, TryAgain
from gatewaylog.ship.sizing import Sizing
from gatewaylog.ship.stopping import OutOfTime
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.ship.batches import Batch
    from gatewaylog.ship.destination import Destination
    from gatewaylog.ship.records import Record
    from gatewaylog.ship.state import State
    from gatewaylog.ship.stopping import Stop
    from gatewaylog.ship.trail import Trail


FAREWELL = 5.0  # seconds
_MINUTE = 60.0
_REASONS = 10  # of one failure are told: they may hold a time or a number


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long what takes, in seconds.

    `look`: between two looks at the logs, `watch`: the same while a batch is not taken. `gather`:
    how long a batch waits for more lines. `first`, `most`: the pause after the first failure, which
    doubles up to `most`; each is cut by up to a half at random, so that several shippers do not
    come back as one. `patience`: how long a shipper that is to end at the log's end tries.
    `farewell`: how long one that is told to stop goes on with what is there. `asked`: the longest
    pause that a destination may ask for.
    """

    look: float = 0.2
    watch: float = 1.0
    gather: float = 1.0
    first: float = 0.5
    most: float = 300.0
    patience: float = 300.0
    farewell: float = FAREWELL
    asked: float = 3600.0


class _Stopped(Exception):
    """We are told to stop, and the batch was not taken."""


class _RefusedWhole(Exception):
    """A batch of several records was refused, and it is not known which is to blame."""


class Shipper:
    """Delivers what `trail` finds to `destination`, and keeps how far in `state`.

    `stopped` ends it in order, from a signal's handler or another thread.
    """

    def __init__(
        self,
        destination: Destination,
        trail: Trail,
        state: State,
        stopped: Stop,
        pace: Pace,
    ) -> None:
        self._destination = destination
        self._trail = trail
        self._state = state
        self._stopped = stopped
        self._pace = pace
        self._sizing = Sizing(destination.limits.events)
        self._untold = 0  # lines that were refused since that was told
        self._told = float("-inf")
        self._failures = 0
        self._failing_since = 0.0
        self._reasons: set[str] = set()  # that were told since lines were taken last
        self._end = float("inf")  # of the time that is left once we are told to stop

    def run(self, *, once: bool) -> None:
        """Deliver until `stopped`; with `once` to the end of the logs.

        Raises ShipError where nothing can be delivered, with `once` also when the destination took
        nothing for `patience`.
        """
        try:
            self._resume(once=once)
            while self._goes_on() and self._step(once=once):
                pass
            self._tried(None, once=once)
        except (_Stopped, OutOfTime):
            pass
        finally:
            self._tell_refused("see there", every=0.0)
            self._state.save(replace(self._state.checkpoint, positions=self._trail.positions))

    def _goes_on(self) -> bool:
        if self._stopped.is_set():
            self._end = min(self._end, time.monotonic() + self._pace.farewell)
        return time.monotonic() < self._end

    def _resume(self, *, once: bool) -> None:
        """Deliver again, as it was, the batch that a killed shipper had not finished."""
        sending = self._state.checkpoint.sending
        if sending is not None:
            batch = self._trail.again(sending.first, sending.begin, sending.end)
            if batch is not None:
                self._deliver(batch, once=once)

    def _step(self, *, once: bool) -> bool:
        """Deliver the next batch; return whether there is more to be done."""
        batch = self._gathered(once=once)
        if self._trail.gaps:
            self._tell_gaps()
        if batch is not None:
            self._deliver(batch, once=once)
        elif once or self._stopped.is_set():
            return False
        else:
            self._stopped.wait(self._pace.look)
        return True

    def _gathered(self, *, once: bool) -> Batch | None:
        """Return the next batch, once it is full or its lines have waited long enough."""
        limits = replace(self._destination.limits, events=self._sizing.size)
        end = time.monotonic() + self._pace.gather
        while True:
            batch = self._trail.batch(limits)
            if batch is None or once or not batch.is_live or len(batch.records) == limits.events:
                return batch
            if batch.position.offset - batch.begin > limits.size // 2 or time.monotonic() > end:
                return batch
            if self._stopped.wait(self._pace.look):
                return self._trail.batch(limits)

    def _tell_gaps(self) -> None:
        for gap in self._trail.gaps:
            notice(str(gap), code=SystemCode.RESOURCE_RETRIEVE)
        self._state.tell(self._trail.gaps)
        self._trail.gaps.clear()
        self._state.save(replace(self._state.checkpoint, positions=self._trail.positions))

    def _deliver(self, batch: Batch, *, once: bool) -> None:
        position = batch.position
        sending = Sending(first=position.first, begin=batch.begin, end=position.offset)
        kept = replace(self._state.checkpoint, positions=self._trail.positions, sending=sending)
        self._state.save(kept, durable=False)
        try:
            refusals = self._sent(batch.records, once=once)
        except _RefusedWhole:
            # Its half is the next batch, with a checkpoint of its own: whenever we are killed, what
            # was found out so far stays.
            self._sizing.refused(len(batch.records))
            return
        self._state.bury(kept.to, refusals)
        self._state.save(
            self._state.checkpoint.passed(
                self._trail.passed(batch),
                delivered=len(batch.records) - len(refusals),
                at=time.time(),
            )
        )
        if refusals:
            self._untold += len(refusals)
            self._tell_refused(refusals[0].reason, every=_MINUTE)
        if len(batch.records) == len(refusals) == 1:
            self._sizing.found()
        else:
            self._sizing.taken(_good_at_end(batch.records, refusals))

    def _tell_refused(self, reason: str, *, every: float) -> None:
        """Tell how many lines were refused for good, not oftener than `every` so many seconds."""
        now = time.monotonic()
        if self._untold and now - self._told >= every:
            to = self._state.checkpoint.to
            told = f"{to}: {self._untold} refused for good, to the dead letters: {reason}"
            notice(told, code=SystemCode.RESOURCE_INSERT)
            self._untold, self._told = 0, now

    def _sent(self, records: Sequence[Record], *, once: bool) -> list[Refusal]:
        """Send records until each is taken or refused; return those that were refused.

        Raises _RefusedWhole where none of them was taken.
        """
        refusals: list[Refusal] = []
        parts = [records]
        while parts:
            part = parts.pop()
            if not part:
                continue
            try:
                prepared = self._destination.prepare(part)
                for at, reason in self._tried(prepared, once=once):
                    refusals.append(Refusal(record=part[at], reason=reason))
            except TryAgain as error:
                parts.append(part[error.taken :])
            except RefusedInPart as error:
                if len(part) == 1:
                    refusals.append(Refusal(record=part[0], reason=str(error)))
                else:
                    self._sizing.blurred()
                    parts += [[record] for record in reversed(part)]
            except Refused as error:
                if error.blamed is None and len(part) == len(records) > 1:
                    raise _RefusedWhole from None
                refusals += _refusals(part, error)
                parts += _left(part, error)
        return refusals

    def _tried(self, prepared: Any, *, once: bool) -> Sequence[tuple[int, str]]:
        """Send the same bytes until they are taken; None is to have all acknowledged.

        Raises Refused, TryAgain where a part was taken, _Stopped, OutOfTime, ShipError.
        """
        while True:
            try:
                refused = self._attempt(prepared)
            except TryAgain as error:
                self._failed(error, once=once)
                if error.taken:
                    raise
            else:
                if self._failures:
                    notice(f"{self._state.checkpoint.to}: takes lines again")
                self._failures = 0
                self._reasons.clear()
                return refused

    def _attempt(self, prepared: Any) -> Sequence[tuple[int, str]]:
        with self._stopped.breakable():
            if prepared is not None:
                return self._destination.send(prepared)
            self._destination.finish()
        return ()

    def _failed(self, error: TryAgain, *, once: bool) -> None:
        """Wait until it is time to try again. Raises _Stopped and ShipError."""
        to, now = self._state.checkpoint.to, time.monotonic()
        if self._failures == 0:
            self._failing_since = now
        elif once and now - self._failing_since > self._pace.patience:
            raise ShipError(f"{to}: {error}; given up, the next run goes on from here")
        self._tell_failure(str(error))
        pause = min(self._pace.most, self._pace.first * 2 ** min(self._failures, 20))
        pause *= random.uniform(0.5, 1)  # noqa: S311 - no secret
        if error.after is not None:
            pause = max(pause, min(error.after, self._pace.asked))
        self._failures += 1
        end = now + pause
        while (left := end - time.monotonic()) > 0:
            if self._stopped.wait(min(left, self._pace.watch)):
                raise _Stopped
            self._watch()

    def _tell_failure(self, reason: str) -> None:
        """Tell why the destination takes nothing: each reason once until it takes lines again."""
        if reason not in self._reasons and len(self._reasons) < _REASONS:
            self._reasons.add(reason)
            to = self._state.checkpoint.to
            told = f"{to}: {reason}; trying again, nothing is lost"
            notice(told, code=SystemCode.RESOURCE_CONNECT)

    def _watch(self) -> None:
        """Take note of files that come meanwhile: gone before they are read, they are gaps."""
        self._trail.look()
        if self._trail.gaps:
            self._tell_gaps()
        elif self._trail.positions != self._state.checkpoint.positions:
            self._state.save(replace(self._state.checkpoint, positions=self._trail.positions))


def _good_at_end(records: Sequence[Record], refusals: Sequence[Refusal]) -> int:
    """Return how many records were taken behind the last that was refused."""
    last = max((refusal.record.offset for refusal in refusals), default=-1)
    return sum(record.offset > last for record in records)


def _refusals(part: Sequence[Record], error: Refused) -> list[Refusal]:
    """Return the records that are known to be to blame."""
    blamed = error.blamed if len(part) > 1 else (0,)
    return [Refusal(record=part[at], reason=str(error)) for at in blamed or ()]


def _left(part: Sequence[Record], error: Refused) -> list[Sequence[Record]]:
    """Return what is still to be sent of a part that was refused, what is first last."""
    if len(part) == 1:
        return []
    if error.blamed is None:
        half = len(part) // 2
        return [part[half:], part[:half]]
    blamed = set(error.blamed)
    return [[record for at, record in enumerate(part) if at >= error.after and at not in blamed]]
