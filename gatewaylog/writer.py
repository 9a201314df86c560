"""One process's part of a log: its lines numbered, and what it could not write told.

Each line says who wrote it (Writer, new for each process) and which of that writer's lines it is
(Seq). Events that are lost use up numbers, so that a gap shows them even where nothing else does.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gatewaylog.forks import renew_after_fork
from gatewaylog.formats import Line, parse_line
from gatewaylog.formats.wso2 import prefix_text
from gatewaylog.loss import Loss
from gatewaylog.seal.chain import Chain
from gatewaylog.sinks.owner import Owner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.clock import Clock
    from gatewaylog.events import Event
    from gatewaylog.formats import Format
    from gatewaylog.seal.chain import Mac
    from gatewaylog.sinks import Sink


class _Here(threading.local):
    """What a thread is called in the prefix."""

    label: str


class Writer(Owner):
    """Writes events to a sink, each as one numbered line, one after the other; with a `mac` each is
    a link of a chain.
    """

    def __init__(self, sink: Sink, form: Format, clock: Clock, mac: Mac | None = None) -> None:
        self._sink = sink
        self._mac = mac
        self._encode = form.encode
        self._wall = clock.wall
        self._new_id = clock.new_id
        self._begin()
        self._own(sink)
        renew_after_fork(self._begin)

    def _begin(self) -> None:
        """Be a new writer, as after a fork: what was lost before is the parent's to tell."""
        self._id = os.urandom(8).hex()
        self._seq = 0
        self._kept = 0  # the last number that is known to be where it stays
        self._here = _Here()
        self._chain = None if self._mac is None else Chain(self._mac, self._sink)
        self._put = self._sink.write if self._chain is None else self._chain.write
        self._loss = Loss(getattr(self._sink, "name", "the log"))
        # Reentrant, as a finaliser may end an exchange in the middle of another one's write.
        self._lock = threading.RLock()
        self._writing = False
        self._late: deque[Event] = deque()

    @property
    def sink(self) -> Sink:
        """Where the lines go."""
        return self._sink

    @sink.setter
    def sink(self, sink: Sink) -> None:
        self._sink = sink
        self._own(sink)
        if self._chain is None:
            self._put = sink.write
        else:
            self._chain.sink = sink

    def _own(self, sink: Sink) -> None:
        if hasattr(sink, "owner"):
            sink.owner = self

    def kept(self) -> None:
        """Take note that all lines so far are where they stay."""
        self._kept = self._seq

    def gone(self, reason: str) -> None:
        """Count the lines since then as lost; some of them may be found elsewhere."""
        self._loss.add_back(self._kept + 1, self._seq, reason)
        self._kept = self._seq

    def reads(self, raw: bytes) -> bool:
        """Tell whether bytes can be read as a line."""
        return isinstance(parse_line(raw), Line)

    @property
    def lost(self) -> int:
        """Events that could not be written so far."""
        return self._loss.total

    @property
    def is_losing(self) -> bool:
        """Whether the last event could not be written, nor since then that it was lost."""
        return self._loss.count > 0

    @property
    def place(self) -> tuple[str, int]:
        """The writer's name, and the number of its last event, lost ones counted; 0: none yet."""
        return self._id, self._seq

    def write(self, event: Event, *, final: bool = True) -> bool:
        """Write one event; say whether its line is in the kernel.

        What can't be written is counted as lost, or, where this is not the final try, as nothing.
        """
        with self._lock:
            if self._writing:
                self._late.append(event)
                return True
            self._writing = True
            try:
                if self._loss.count:
                    return self._write_after_loss(event, final=final)
                # As `_line`, which would take a tenth of a microsecond more to be called.
                try:
                    thread = self._here.label
                except AttributeError:
                    thread = self._name_thread()
                seq = self._seq + 1
                reason = self._put(self._encode(event, self._wall(), thread, self._id, seq))
                if reason is None:
                    self._seq = seq
                    return True
                return self._lose(reason, final=final)
            finally:
                self._writing = False
                if self._late:
                    self._write_late()

    def _write_after_loss(self, event: Event, *, final: bool) -> bool:
        """Write what was lost, then the event."""
        reason = self._tell(self._loss)
        if reason is None:
            reason = self._line(event)
        return reason is None or self._lose(reason, final=final)

    def _lose(self, reason: str, *, final: bool) -> bool:
        if final:
            self._seq += 1
            self._loss.add(self._seq, reason)
        return False

    def _line(self, event: Event) -> str | None:
        """Write the next line; return why that can't be, and use up no number then."""
        try:
            thread = self._here.label
        except AttributeError:
            thread = self._name_thread()
        seq = self._seq + 1
        reason = self._put(self._encode(event, self._wall(), thread, self._id, seq))
        if reason is None:
            self._seq = seq
        return reason

    def _tell(self, loss: Loss) -> str | None:
        """Write what was lost, before anything else; return why that can't be."""
        reason = self._line(loss.event(self._new_id()))
        if reason is None:
            loss.over()
        return reason

    def _name_thread(self) -> str:
        """Return `process-thread` as the prefix has it, the last 20 characters."""
        name = f"{os.getpid()}-{threading.current_thread().name}"
        self._here.label = prefix_text(name[-20:])
        return self._here.label

    def look(self) -> None:
        """See whether the log was rotated, and tell what was lost where there is room again,
        though nothing else is to be written.
        """
        look = getattr(self.sink, "look", None)
        with self._alone():
            if look is not None:
                look()
            if self._loss.count:
                self._tell(self._loss)

    def reopen(self) -> None:
        """Open the log again by its name. Raises LogError."""
        with self._alone():
            self.sink.reopen()

    def close(self) -> None:
        """Close the sink; what was lost is told in it where that can be, else on standard error."""
        with self._alone():
            if self._loss.count:
                self._tell(self._loss)
            self.sink.close()
            self._loss.over()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads from writing, and what this one has to write meanwhile for later."""
        with self._lock:
            self._writing = True
            try:
                yield
            finally:
                self._writing = False
            self._write_late()

    def _write_late(self) -> None:
        while self._late:
            self.write(self._late.popleft())
