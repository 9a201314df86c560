"""What the gateway records of itself in the event log: who started it, what it was told, what it
lost.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gatewaylog.audit.events import AuditEvent, EventLog, GatewayEvent
from gatewaylog.audit.events.account import account
from gatewaylog.audit.events.ends import End, told
from gatewaylog.audit.events.pruning import retention_run
from gatewaylog.exceptions import ConfigurationError, LogError
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gatewaylog.accesslog import AccessLog
    from gatewaylog.gateway.config import Config
    from gatewaylog.gateway.config.records import EventLogConfig

AUTHORITY = "gatewaylog.gateway"
_KEY = "sha256:"
_ENDS = "the event log ends here"
_SECONDS = 60.0  # between two records of events that are being lost


def event_log(config: EventLogConfig) -> EventLog | None:
    """Open the event log that `[event_log]` describes; None for none. Raises LogError."""
    if not config.path:
        return None
    return EventLog(
        config.path,
        format=config.format,
        max_size=config.max_size,
        rotate=config.rotate,
        backups=config.backups,
        keep=config.keep,
        compress=config.compress,
        durability=config.durability,
        authority=AUTHORITY,
    )


@contextmanager
def running(config: Config) -> Iterator[Records]:
    """Record the start, and at the end of the block the stop. Raises LogError."""
    if log := event_log(config.event_log):
        log.close()  # one that can't be opened is told here, once
    records = Records(config)
    records.tell(GatewayEvent.GATEWAY_STARTED, f"process {os.getpid()}")
    records.tell(GatewayEvent.CONFIGURATION_LOADED, _counted(config))
    try:
        yield records
    finally:
        records.tell(GatewayEvent.GATEWAY_STOPPED, f"process {os.getpid()}")


class Records:
    """Records what becomes of configurations, in the process that made it and in no worker.

    The file is open no longer than a record takes: that process forks, and must have no thread
    that keeps house.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._place = config.event_log
        self._owner = os.getpid()
        self._lost = 0  # records that could not be written, and that no record tells of

    def tell(self, event: GatewayEvent, detail: str, requestor: str | None = None) -> None:
        """Record an event, done by the account that the gateway runs as. Never raises."""
        if not self._place.path or os.getpid() != self._owner:
            return
        told = AuditEvent(event=event, user=account(), detail=detail, requestor=requestor)
        try:
            log = _opened(self._place)
        except LogError as error:
            notice(f"{error}; {event} is not recorded", code=SystemCode.RESOURCE_INSERT)
            self._lost += 1
            return
        if self._lost and log.record(_lost_records(self._lost), comes_again=True):
            self._lost = 0
        if not log.record(told):
            self._lost += 1
        log.close()

    def of(self, load: Callable[[], Config]) -> Callable[[], Config]:
        """Return a `load` that records what it loads or refuses, and what that changes. It raises
        LogError for an event log that can't be opened: records go on in the one that is.
        """

        def loaded() -> Config:
            try:
                config = load()
                self._try(config.event_log)
            except ConfigurationError as error:
                self.tell(GatewayEvent.CONFIGURATION_REFUSED, "; ".join(error.problems))
                raise
            except LogError as error:
                self.tell(GatewayEvent.CONFIGURATION_REFUSED, str(error))
                raise
            self._take(config)
            return config

        return loaded

    def _try(self, table: EventLogConfig) -> None:
        if table.path not in {"", self._place.path} and os.getpid() == self._owner:
            _opened(table).close()

    def _take(self, config: Config) -> None:
        """Record what a configuration changes. Where it has another event log, or none, both have
        to tell so: no log of who did what may end without a trace.
        """
        before, self._config = self._config, config
        old, new = self._place.path, config.event_log.path
        counted = _counted(config)
        if new == old:
            self._place = config.event_log
            self._tell_changes(before, config, counted)
        elif new:
            self._leave(f"the event log moves to {new}", counted)
            self._place = config.event_log
            was = f"; the event log was {old}" if old else ""
            self._tell_changes(before, config, counted + was)
        else:
            self._tell_changes(before, config, f"{counted}; {_ENDS}")
            self.tell(GatewayEvent.LOG_CLOSED, _ENDS)
            self._place = config.event_log

    def _leave(self, why: str, counted: str) -> None:
        self.tell(GatewayEvent.CONFIGURATION_LOADED, f"{counted}; {why}")
        self.tell(GatewayEvent.LOG_CLOSED, why)

    def _tell_changes(self, before: Config, config: Config, told: str) -> None:
        self.tell(GatewayEvent.CONFIGURATION_LOADED, told)
        for label, change in _verbosity_changes(before, config):
            self.tell(GatewayEvent.VERBOSITY_CHANGED, f"{label}: {change}")
        for event, application, key in _key_changes(before, config):
            self.tell(event, key, application)


def _lost_records(count: int) -> AuditEvent:
    detail = f"{count} records of the gateway's own were not written to this log"
    return AuditEvent(event=GatewayEvent.LOG_LOST, user=account(), detail=detail)


def _opened(table: EventLogConfig) -> EventLog:
    """Open an event log without what keeps house. Raises LogError."""
    return EventLog(
        table.path, format=table.format, durability=table.durability, authority=AUTHORITY
    )


def _counted(config: Config) -> str:
    apis, applications = len(config.api), len(config.application)
    return (
        f"{apis} API{'' if apis == 1 else 's'}"
        f" and {applications} application{'' if applications == 1 else 's'}"
    )


def _verbosity_changes(before: Config, after: Config) -> Iterator[tuple[str, str]]:
    known = {api.label: api.verbosity for api in before.api}
    for api in after.api:
        was = known.get(api.label, api.verbosity)
        if was != api.verbosity:
            yield api.label, f"from {was} to {api.verbosity}"


def _key_changes(before: Config, after: Config) -> Iterator[tuple[GatewayEvent, str, str]]:
    """Yield keys that are new or gone, each with its application and `key:` and 8 hex digits."""
    had, has = _keys(before), _keys(after)
    for event, keys in (
        (GatewayEvent.KEY_CREATED, has - had),
        (GatewayEvent.KEY_DISABLED, had - has),
    ):
        for application, digest in sorted(keys):
            yield event, application, key_name(digest)


def _keys(config: Config) -> set[tuple[str, str]]:
    """Return each application's keys, its client's secret among them."""
    return {
        (one.name, key)
        for one in config.application
        for key in (*one.keys, one.client_secret)
        if key
    }


def key_name(kept: str) -> str:
    """Return what a key is called where the key itself must not stand; `kept` is its `sha256:…`."""
    return f"key:{kept.removeprefix(_KEY)[:8]}"


def close(log: AccessLog, events: EventLog | None) -> None:
    """Close an access log of this process, and record where it ended: what is missing behind its
    last line is seen by that alone.
    """
    log.close()
    if events is not None and log.place[1]:
        detail = told(End(*log.place), str(getattr(log.sink, "name", "")))
        events.record(AuditEvent(event=GatewayEvent.LOG_CLOSED, user=account(), detail=detail))


def tell_pruned(log: AccessLog, events: Callable[[], EventLog | None]) -> None:
    """Have it recorded what retention deletes of an access log, in what is the event log then."""
    name = str(getattr(log.sink, "name", ""))

    def tell(names: Sequence[str]) -> None:
        if (recorded := events()) is not None:
            recorded.record(retention_run(name, names, account()))

    log.on_pruned = tell


class Losses:
    """Records that events of the access log are lost: when it begins, each minute, at the end.

    What the event log can't take either is kept, and recorded at the first look when it can.
    """

    def __init__(self, log: EventLog | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.log = log
        self._clock = clock
        self._told = 0
        self._due = 0.0

    def look(self, lost: int, *, is_last: bool = False) -> None:
        """Take the number of events that this process has lost so far."""
        now = self._clock()
        if self.log is None or lost == self._told or (now < self._due and not is_last):
            return
        detail = f"process {os.getpid()}: {lost - self._told} events of the access log were lost"
        told = AuditEvent(event=GatewayEvent.LOG_LOST, user=account(), detail=detail)
        if self.log.record(told, comes_again=True):
            self._told, self._due = lost, now + _SECONDS
